/* SPDX-License-Identifier: Apache-2.0
 *
 * Instructions and numbers of the CPU that C has no words for. Ring 0 machine only.
 */
#pragma once

#include "vmm/abi/types.h"

#define MSR_X2APIC_EOI        0x80b
#define MSR_X2APIC_ICR        0x830
#define MSR_X2APIC_LVT_TIMER  0x832
#define MSR_X2APIC_TIMER_INIT 0x838
#define MSR_X2APIC_TIMER_DIV  0x83e
#define MSR_TSC_DEADLINE      0x6e0
#define MSR_FS_BASE           0xc0000100
#define MSR_GS_BASE           0xc0000101
#define MSR_KERNEL_GS_BASE    0xc0000102

#define EXC_DB    1
#define EXC_NMI   2
#define EXC_BP    3
#define EXC_OF    4
#define EXC_DF    8
#define EXC_GP    13
#define EXC_PF    14
#define EXC_MC    18
#define EXC_COUNT 32
/* Not an IDT vector: user mode was left by SYSCALL. */
#define VECTOR_SYSCALL 256

#define PF_PRESENT 1u
#define PF_WRITE   2u
#define PF_USER    4u
#define PF_FETCH   16u

#define EFLAGS_FIXED 0x00000002ULL
#define EFLAGS_IF    0x00000200ULL

static inline u64 rdmsr(u32 msr)
{
    u32 lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (u64)hi << 32;
}

static inline void wrmsr(u32 msr, u64 v)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

static inline void outl(u16 port, u32 v)
{
    __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline u64 read_cr2(void)
{
    u64 v;

    __asm__ volatile("movq %%cr2, %0" : "=r"(v));
    return v;
}

static inline u64 read_cr3(void)
{
    u64 v;

    __asm__ volatile("movq %%cr3, %0" : "=r"(v));
    return v;
}

static inline void write_cr3(u64 v)
{
    __asm__ volatile("movq %0, %%cr3" : : "r"(v) : "memory");
}

static inline void invlpg(u64 va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline u64 rdfsbase(void)
{
    u64 v;

    __asm__ volatile("rdfsbase %0" : "=r"(v));
    return v;
}

static inline void wrfsbase(u64 v)
{
    __asm__ volatile("wrfsbase %0" : : "r"(v) : "memory");
}

/* The application's GS base waits behind SWAPGS while the Sentry runs (interrupts are off). */
static inline u64 rdgsbase_user(void)
{
    u64 v;

    __asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(v) : : "memory");
    return v;
}

static inline void wrgsbase_user(u64 v)
{
    __asm__ volatile("swapgs; wrgsbase %0; swapgs" : : "r"(v) : "memory");
}
