/* SPDX-License-Identifier: Apache-2.0
 *
 * Offsets that the assembly files know; percpu.h proves them against the structures.
 */
#pragma once

/* struct percpu, at GS */
#define PC_SELF     0
#define PC_CURRENT  8
#define PC_REGS_TOP 16
#define PC_KSP      24
#define PC_SCRATCH  32
#define PC_CPU      40
#define PC_WORK     44
#define PC_WANTED   48
#define PC_USER     56
#define PC_FS_BASE  64
#define PC_GS_BASE  72

/* struct uregs, at the start of struct task */
#define UR_R15      0
#define UR_RBX      40
#define UR_R11      48
#define UR_RAX      80
#define UR_RCX      88
#define UR_RDX      96
#define UR_RSI      104
#define UR_RDI      112
#define UR_ORIG_RAX 120
#define UR_RIP      128
#define UR_CS       136
#define UR_EFLAGS   144
#define UR_RSP      152
#define UR_SS       160
#define UR_FS_BASE  168
#define UR_GS_BASE  176

/* struct task: its mthread begins with the saved stack pointer */
#define TASK_KSP  216
#define TASK_WORK 304

/* EFLAGS that the application may set: CF PF AF ZF SF TF DF OF RF AC ID; IF is always on. */
#define EFLAGS_USER 0x250dd5
/* What SYSRET may load of them: not TF, which would trap in ring 0's shadow, nor RF. */
#define EFLAGS_SYSRET (EFLAGS_USER & ~0x10100)
