// SPDX-License-Identifier: Apache-2.0
//
// Brings one CPU from the state the VMM gave it to the state the Sentry runs in: descriptor tables,
// model-specific registers, control registers. Everything optional is asked of CPUID first, because
// the same image runs on emulated CPUs without XSAVE and on the newest servers.

#include "bios/bios.h"
#include "vmm/abi/layout.h"

#define MSR_TSC_AUX         0xc0000103
#define MSR_EFER            0xc0000080
#define MSR_STAR            0xc0000081
#define MSR_LSTAR           0xc0000082
#define MSR_SFMASK          0xc0000084
#define MSR_FS_BASE         0xc0000100
#define MSR_GS_BASE         0xc0000101
#define MSR_KERNEL_GS_BASE  0xc0000102
#define MSR_APIC_BASE       0x1b
#define MSR_SYSENTER_CS     0x174
#define MSR_X2APIC_TPR      0x808
#define MSR_X2APIC_SPURIOUS 0x80f

#define EFER_SCE         (1U << 0)
#define EFER_NXE         (1U << 11)
#define APIC_BASE_X2     (1U << 10)
#define APIC_BASE_ENABLE (1U << 11)

#define CR0_MP         (1UL << 1)
#define CR0_EM         (1UL << 2)
#define CR0_TS         (1UL << 3)
#define CR0_NE         (1UL << 5)
#define CR0_WP         (1UL << 16)
#define CR0_AM         (1UL << 18)
#define CR4_DE         (1UL << 3)
#define CR4_PGE        (1UL << 7)
#define CR4_OSFXSR     (1UL << 9)
#define CR4_OSXMMEXCPT (1UL << 10)
#define CR4_UMIP       (1UL << 11)
#define CR4_FSGSBASE   (1UL << 16)
#define CR4_OSXSAVE    (1UL << 18)
#define CR4_SMEP       (1UL << 20)
#define CR4_SMAP       (1UL << 21)

struct bios_cpu *bios_cpus[MAX_CPUS];
u64 bios_canary[8];

struct cpuid {
    u32 eax, ebx, ecx, edx;
};

static struct cpuid cpuid(u32 leaf, u32 sub)
{
    struct cpuid r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(sub));
    return r;
}

static void wrmsr(u32 msr, u64 v)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

static u64 rdmsr(u32 msr)
{
    u32 lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (u64)hi << 32;
}

static u32 find_features(void)
{
    struct cpuid l0 = cpuid(0, 0), l1 = cpuid(1, 0), e0 = cpuid(0x80000000, 0);
    struct cpuid l7 = {0}, ld1 = {0}, e1 = {0};
    u32 f = 0;

    if (l0.eax >= 7)
        l7 = cpuid(7, 0);
    if (l0.eax >= 0xd && (l1.ecx & 1U << 26))
        ld1 = cpuid(0xd, 1);
    if (e0.eax >= 0x80000001)
        e1 = cpuid(0x80000001, 0);
    f |= l1.ecx & 1U << 26 ? BIOS_XSAVE : 0;
    f |= l1.ecx & 1U << 24 ? BIOS_TSC_DEADLINE : 0;
    f |= l1.ecx & 1U << 17 ? BIOS_PCID : 0;
    f |= l1.ecx & 1U << 21 ? BIOS_X2APIC : 0;
    f |= l7.ebx & 1U << 0 ? BIOS_FSGSBASE : 0;
    f |= l7.ebx & 1U << 7 ? BIOS_SMEP : 0;
    f |= l7.ebx & 1U << 10 ? BIOS_INVPCID : 0;
    f |= l7.ebx & 1U << 20 ? BIOS_SMAP : 0;
    f |= l7.ecx & 1U << 2 ? BIOS_UMIP : 0;
    f |= (e1.edx & 1U << 27) || (l7.ecx & 1U << 22) ? BIOS_RDTSCP : 0;
    f |= e1.edx & 1U << 26 ? BIOS_GIB_PAGES : 0;
    f |= ld1.eax & 1U << 0 ? BIOS_XSAVEOPT : 0;
    return f;
}

static void load_descriptors(struct bios_cpu *c)
{
    u64 tss = (u64)&c->tss;
    struct {
        u16 limit;
        u64 base;
    } __attribute__((packed)) gdtr = {sizeof(c->gdt) - 1, (u64)c->gdt},
                              idtr = {c->idt_limit, c->idt};

    c->gdt[SEL_KERNEL_CS / 8] = 0x00af9b000000ffff;
    c->gdt[SEL_KERNEL_DS / 8] = 0x00cf93000000ffff;
    /* SEL_USER32_CS stays empty: no 32-bit code, so neither SYSENTER nor SYSCALL to CSTAR */
    c->gdt[SEL_USER_DS / 8] = 0x00cff3000000ffff;
    c->gdt[SEL_USER_CS / 8] = 0x00affb000000ffff;
    c->gdt[SEL_TSS / 8] =
        (sizeof(c->tss) - 1) | (tss & 0xffffff) << 16 | 0x89ULL << 40 | (tss >> 24 & 0xff) << 56;
    c->gdt[SEL_TSS / 8 + 1] = tss >> 32;
    c->gdt[SEL_CPU / 8] = 0x0040f50000000000 | (c->cpu & 0xfff); /* limit: node 0, this CPU */
    c->tss.iomap = sizeof(c->tss);

    __asm__ volatile(
        "lgdt %0\n\t"
        "pushq %[cs]\n\t"
        "leaq 1f(%%rip), %%rax\n\t"
        "pushq %%rax\n\t"
        "lretq\n"
        "1:\tmovl %[ds], %%eax\n\t"
        "movl %%eax, %%ss\n\t"
        "xorl %%eax, %%eax\n\t"
        "movl %%eax, %%ds\n\t"
        "movl %%eax, %%es\n\t"
        "movl %%eax, %%fs\n\t"
        "movl %%eax, %%gs\n\t"
        "movl %[tr], %%eax\n\t"
        "ltr %%ax\n\t"
        "lidt %1"
        :
        : "m"(gdtr), "m"(idtr), [cs] "i"(SEL_KERNEL_CS), [ds] "i"(SEL_KERNEL_DS), [tr] "i"(SEL_TSS)
        : "rax", "memory");
}

/* Called by libfdt when its stack is overwritten. */
_Noreturn void __stack_chk_fail(void);
void __stack_chk_fail(void)
{
    for (;;)
        __asm__ volatile("ud2");
}

static void load_msrs(struct bios_cpu *c)
{
    wrmsr(MSR_FS_BASE, (u64)bios_canary);
    wrmsr(MSR_GS_BASE, c->gs_base);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
    wrmsr(MSR_STAR, (u64)SEL_USER32_CS << 48 | (u64)SEL_KERNEL_CS << 32);
    wrmsr(MSR_LSTAR, c->syscall_entry);
    wrmsr(MSR_SFMASK, BIOS_SFMASK);
    wrmsr(MSR_SYSENTER_CS, 0); /* SYSENTER from ring 3 faults */
    if (c->features & BIOS_RDTSCP)
        wrmsr(MSR_TSC_AUX, c->cpu);
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE);
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2);
    wrmsr(MSR_X2APIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
    wrmsr(MSR_X2APIC_TPR, 0);
}

static void load_controls(struct bios_cpu *c)
{
    u64 cr0, cr4;

    __asm__ volatile("movq %%cr0, %0" : "=r"(cr0));
    cr0 = (cr0 & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE | CR0_WP | CR0_AM;
    __asm__ volatile("movq %0, %%cr0" : : "r"(cr0) : "memory");

    __asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
    cr4 |= CR4_DE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    cr4 |= c->features & BIOS_UMIP ? CR4_UMIP : 0;
    cr4 |= c->features & BIOS_FSGSBASE ? CR4_FSGSBASE : 0;
    cr4 |= c->features & BIOS_XSAVE ? CR4_OSXSAVE : 0;
    cr4 |= c->features & BIOS_SMEP ? CR4_SMEP : 0;
    cr4 |= c->features & BIOS_SMAP ? CR4_SMAP : 0;
    __asm__ volatile("movq %0, %%cr4" : : "r"(cr4) : "memory");
    if (c->features & BIOS_SMAP)
        __asm__ volatile("clac" : : : "memory");
}

static void load_fpu(struct bios_cpu *c)
{
    struct cpuid d;

    c->xcr0 = 3;
    c->xsave_size = 512;
    if (c->features & BIOS_XSAVE) {
        d = cpuid(0xd, 0);
        c->xcr0 = d.eax | (u64)d.edx << 32;
        __asm__ volatile("xsetbv" : : "c"(0), "a"((u32)c->xcr0), "d"((u32)(c->xcr0 >> 32)));
        c->xsave_size = cpuid(0xd, 0).ebx;
    }
    __asm__ volatile("fninit");
}

void bios_cpu_load(struct bios_cpu *c)
{
    c->features = find_features();
    load_descriptors(c);
    load_controls(c);
    load_msrs(c);
    load_fpu(c);
    if (c->cr3)
        __asm__ volatile("movq %0, %%cr3" : : "r"(c->cr3) : "memory");
}
