// SPDX-License-Identifier: Apache-2.0
/*
 * The local interrupt controller in x2APIC mode: interrupts between CPUs and the timer.
 */
#include "sentry/machine/ring0/percpu.h"

#define LVT_MASKED       (1U << 16)
#define LVT_TSC_DEADLINE (2U << 17)
#define TIMER_DIV_1      0xb
/* KVM runs the count-down timer at 1 GHz whatever the host; used only without TSC deadline. */
#define TIMER_HZ 1000000000ULL
/* Longest stretch that the count-down is set to, in TSC ticks: the product below must fit. */
#define COUNT_TSC_MAX (1ULL << 40)

void apic_init_cpu(struct percpu *c)
{
    c->hw_deadline = U64_MAX;
    if (cpu_features & BIOS_TSC_DEADLINE) {
        wrmsr(MSR_X2APIC_LVT_TIMER, VECTOR_TIMER | LVT_TSC_DEADLINE);
        /* the mode must have arrived before the first deadline is written */
        __asm__ volatile("mfence" : : : "memory");
    } else {
        wrmsr(MSR_X2APIC_TIMER_DIV, TIMER_DIV_1);
        wrmsr(MSR_X2APIC_LVT_TIMER, VECTOR_TIMER);
    }
}

void apic_send(u32 cpu, u32 vector)
{
    /* x2APIC writes are not ordered behind earlier stores by themselves */
    __asm__ volatile("mfence; lfence" : : : "memory");
    wrmsr(MSR_X2APIC_ICR, (u64)cpu << 32 | vector);
}

void apic_eoi(void)
{
    wrmsr(MSR_X2APIC_EOI, 0);
}

void apic_timer_program(u64 tsc)
{
    u64 now, delta, count;

    if (cpu_features & BIOS_TSC_DEADLINE) {
        wrmsr(MSR_TSC_DEADLINE, tsc);
        return;
    }
    now = rdtsc();
    delta = MIN(tsc > now ? tsc - now : 1, COUNT_TSC_MAX); /* early is fine: it is set again */
    count = delta * (TIMER_HZ / 1000) / machine_tsc_khz + 1;
    wrmsr(MSR_X2APIC_TIMER_INIT, tsc ? MIN(count, 0xffffffffULL) : 0);
}
