/* SPDX-License-Identifier: Apache-2.0
 *
 * What bios/ offers to the ring 0 machine: descriptor tables and control registers of one CPU.
 *
 * A CPU enters the image at _start (entry.S) in 64-bit mode. The boot CPU runs sentry_boot() on a
 * small stack of its own; that fills a struct bios_cpu for itself and calls bios_cpu_load(). For
 * each further CPU it fills another, stores its address in bios_cpus[] and asks the host to
 * start the CPU (HC_CPU_START); entry.S then takes the stack from there, calls bios_cpu_load()
 * and goes on in sentry_boot_secondary().
 */
#pragma once

#include <stdbool.h>

#include "vmm/abi/bootinfo.h"

/* Selectors are Linux's, so that an application sees the CS and SS that it would see there. */
#define SEL_KERNEL_CS 0x10
#define SEL_KERNEL_DS 0x18
#define SEL_USER32_CS 0x23
#define SEL_USER_DS   0x2b
#define SEL_USER_CS   0x33
#define SEL_TSS       0x40
#define SEL_CPU       0x7b /* LSL gives the CPU number, as in Linux: getcpu() of the vDSO */

#define GDT_ENTRIES 16

/* EFLAGS that SYSCALL clears on entry: TF IF DF IOPL NT AC (and RF by the CPU itself). */
#define BIOS_SFMASK 0x47700U

/* Features that bios_cpu_load() found and enabled; the same on every CPU. */
#define BIOS_XSAVE        (1U << 0)
#define BIOS_FSGSBASE     (1U << 1)
#define BIOS_SMEP         (1U << 2)
#define BIOS_SMAP         (1U << 3)
#define BIOS_UMIP         (1U << 4)
#define BIOS_PCID         (1U << 5) /* present, not enabled */
#define BIOS_GIB_PAGES    (1U << 6)
#define BIOS_TSC_DEADLINE (1U << 7)
#define BIOS_RDTSCP       (1U << 8) /* RDTSCP or RDPID: TSC_AUX holds the CPU number */
#define BIOS_XSAVEOPT     (1U << 9)
#define BIOS_X2APIC       (1U << 10) /* always, when bios_cpu_load() came back */
#define BIOS_INVPCID      (1U << 11)

/* Hardware task state segment: stacks only. */
struct bios_tss {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7]; /* ist[0] is IST1 */
    u64 reserved2;
    u16 reserved3;
    u16 iomap; /* beyond the limit: no port is open to ring 3 */
} __attribute__((packed));

/*
 * One CPU. Memory belongs to the ring 0 machine and lives for ever; the first group is filled by it
 * before bios_cpu_load(), the second by bios_cpu_load(). tss.rsp[0] and tss.ist[] may be changed by
 * the CPU itself at any time.
 */
struct bios_cpu {
    u64 stack;         /* top of the stack on which a secondary CPU starts; offset 0: entry.S */
    u64 gs_base;       /* GS base in ring 0 (KERNEL_GS_BASE becomes 0) */
    u64 cr3;           /* 0: keep the boot page tables */
    u64 idt;           /* address of the interrupt descriptor table */
    u64 syscall_entry; /* LSTAR */
    u16 idt_limit;     /* size of the table - 1 */
    u16 reserved;
    u32 cpu; /* index = initial APIC id */

    u32 features;   /* BIOS_*: filled by bios_cpu_load() */
    u32 xsave_size; /* bytes of the XSAVE area for everything in XCR0; 512 without XSAVE */
    u64 xcr0;
    _Alignas(16) struct bios_tss tss;
    _Alignas(16) u64 gdt[GDT_ENTRIES];
};

/*
 * libfdt is a library of the host and was compiled with a stack protector, which reads its secret
 * at FS:0x28. FS base points here on every CPU until the first task's is loaded.
 */
extern u64 bios_canary[8];

/* Set by the boot CPU before it asks for HC_CPU_START. */
extern struct bios_cpu *bios_cpus[MAX_CPUS];

/*
 * Load GDT, TSS, IDT and GS base; switch on what the CPU has: NX, SYSCALL, global pages, write
 * protection, SSE, XSAVE with every user state the host offers, FSGSBASE, SMEP, SMAP, UMIP, x2APIC
 * (software-enabled, spurious vector VECTOR_SPURIOUS). Interrupts stay off, TPR is 0.
 */
void bios_cpu_load(struct bios_cpu *c);

/* Defined by sentry/machine/ring0; neither returns. fdt is a guest-physical address. */
_Noreturn void sentry_boot(u64 fdt);
_Noreturn void sentry_boot_secondary(u32 cpu);

/* Segment boundaries of the image, page aligned (image.lds). */
extern char image_text_start[], image_text_end[];
extern char image_rodata_start[], image_rodata_end[];
extern char image_data_start[], image_end[];
