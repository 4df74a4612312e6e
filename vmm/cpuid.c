// SPDX-License-Identifier: Apache-2.0
//
// CPUID of the guest: KVM's own list of what it and the CPU can do, minus what would need a kernel
// that manages it (protection keys, shadow stacks, performance counters, tile registers, supervisor
// XSAVE states) and minus KVM's paravirtual leaves, which the Sentry does not use.

#include "vmm/kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define BIT(n) (1U << (n))

/* x87, SSE, AVX, and the three states of AVX-512 */
#define XCR0_ALLOWED 0xe7U

struct mask {
    u32 leaf, sub;
    u32 a, b, c, d; /* bits to clear */
};

static const struct mask masks[] = {
    /* DTES64 MONITOR DS-CPL VMX SMX EST TM2 xTPR PDCM; VME, DS ACPI TM PBE */
    {1, 0, 0, 0, BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(14) | BIT(15),
     BIT(21) | BIT(22) | BIT(29) | BIT(31)},
    /* SGX MPX PT; PKU OSPKE WAITPKG SHSTK LA57 BUSLOCK ENQCMD SGX-LC PKS; UINTR IBT AMX */
    {7, 0, 0, BIT(2) | BIT(14) | BIT(25),
     BIT(3) | BIT(4) | BIT(5) | BIT(7) | BIT(16) | BIT(24) | BIT(29) | BIT(30) | BIT(31),
     BIT(5) | BIT(20) | BIT(22) | BIT(24) | BIT(25)},
    {7, 1, BIT(17) | BIT(21), 0, 0,
     BIT(8) | BIT(18) | BIT(19) | BIT(21)}, /* FRED AMX CET AVX10 APX */
    {0xa, 0, ~0U, ~0U, ~0U, ~0U},           /* performance counters */
    {0xd, 0, ~XCR0_ALLOWED, 0, 0, ~0U},
    {0xd, 1, BIT(3) | BIT(4), 0, ~0U, ~0U}, /* XSAVES, XFD, supervisor states */
    {0x80000001, 0, 0, 0, BIT(2) | BIT(10) | BIT(12) | BIT(15) | BIT(23) | BIT(24) | BIT(29), 0},
    {0x8000000a, 0, ~0U, ~0U, ~0U, ~0U}, /* SVM */
};

static void apply_masks(struct kvm_cpuid_entry2 *e)
{
    for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        const struct mask *m = &masks[i];

        if (m->leaf != e->function || m->sub != e->index)
            continue;
        e->eax &= ~m->a;
        e->ebx &= ~m->b;
        e->ecx &= ~m->c;
        e->edx &= ~m->d;
    }
}

static bool wanted(const struct kvm_cpuid_entry2 *e)
{
    if (e->function >= 0x40000000 && e->function < 0x50000000)
        return false; /* paravirtual leaves */
    if (e->function == 0xd && e->index > 1)
        return e->index < 32 && (XCR0_ALLOWED & BIT(e->index));
    return e->function != 0x12 && e->function != 0x14 && e->function != 0x1d && e->function != 0x1e;
}

int cpuid_init(struct kvm *k)
{
    struct kvm_cpuid_list *l = &k->cpuid;
    u32 n = 0;

    l->head.nent = KVM_CPUID_MAX;
    if (ioctl(k->dev, KVM_GET_SUPPORTED_CPUID, l) != 0)
        return -errno;
    for (u32 i = 0; i < l->head.nent; i++) {
        struct kvm_cpuid_entry2 *e = &l->entries[i];

        if (!wanted(e))
            continue;
        apply_masks(e);
        if (e->function == 1)
            e->ecx |= BIT(21) | BIT(24); /* x2APIC and TSC-deadline are KVM's, always there */
        if (e->function == 0x80000001)
            k->gib_pages = e->edx & BIT(26);
        l->entries[n++] = *e;
    }
    l->head.nent = n;
    return n ? 0 : -ENODEV;
}

void cpuid_for_cpu(const struct kvm *k, unsigned cpu, unsigned count, struct kvm_cpuid_list *out)
{
    *out = k->cpuid;
    for (u32 i = 0; i < out->head.nent; i++) {
        struct kvm_cpuid_entry2 *e = &out->entries[i];

        if (e->function == 1) {
            e->ebx = (e->ebx & 0xff00) | cpu << 24 | (count & 0xff) << 16;
            e->edx = count > 1 ? e->edx | BIT(28) : e->edx & ~BIT(28);
        } else if (e->function == 0xb || e->function == 0x1f) {
            /* flat topology: every CPU a core of one package */
            e->eax = e->index == 0 ? 0 : e->index == 1 ? 7 : 0;
            e->ebx = e->index == 0 ? 1 : e->index == 1 ? count : 0;
            e->ecx = (e->index & 0xff) | (e->index < 2 ? (e->index + 1) << 8 : 0);
            e->edx = cpu;
        } else if (e->function == 0x8000001e) {
            e->eax = cpu;
            e->ebx = cpu & 0xff;
            e->ecx = 0;
        }
    }
}
