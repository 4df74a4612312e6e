// SPDX-License-Identifier: Apache-2.0
/*
 * Address spaces on CPUs. mspace.cpus names the CPUs that have a table loaded; a CPU that
 * has removed entries asks just these to forget them and waits. A request is answered in the
 * interrupt handler (user mode, HLT) or by cpu_relax() (waiting for a lock, or for the answer to a
 * request of one's own), so two CPUs that want something of each other do not dead-lock.
 */
#include "sentry/machine/ring0/percpu.h"

/* From this many pages on, reloading CR3 is cheaper than INVLPG for each. */
#define FLUSH_ALL_PAGES 33

static u64 cpu_bit(const struct percpu *c)
{
    return 1ULL << c->cpu;
}

void tlb_load(struct percpu *c, struct mm *mm)
{
    struct mm *old = c->mm;

    if (old == mm)
        return;
    /* First the bit, with a full barrier: whoever changes an entry after that finds us. */
    if (mm)
        __atomic_fetch_or(&mm->mspace.cpus, cpu_bit(c), __ATOMIC_SEQ_CST);
    c->mm = mm;
    write_cr3(mm ? mm->pgd : kernel_cr3);
    if (old)
        __atomic_fetch_and(&old->mspace.cpus, ~cpu_bit(c), __ATOMIC_SEQ_CST);
}

static void flush_local(uva_t start, uva_t end)
{
    if (end - start >= FLUSH_ALL_PAGES * PAGE_SIZE) {
        write_cr3(read_cr3());
        return;
    }
    for (uva_t va = start & PAGE_MASK; va < end; va += PAGE_SIZE)
        invlpg(va);
}

void tlb_serve(void)
{
    struct percpu *c = this_cpu();
    u64 wanted = __atomic_exchange_n(&c->tlb_wanted, 0, __ATOMIC_SEQ_CST);

    for (; wanted; wanted &= wanted - 1) {
        struct tlb_request *r = &percpus[__builtin_ctzll(wanted)]->request;

        if (c->mm == r->mm) {
            if (r->end)
                flush_local(r->start, r->end);
            else
                tlb_load(c, NULL);
        }
        __atomic_fetch_and(&r->pending, ~cpu_bit(c), __ATOMIC_SEQ_CST);
    }
}

/* Have the CPUs in the mask do what this CPU's request says; returns when they have. */
static void shootdown(struct percpu *c, struct mm *mm, uva_t start, uva_t end, u64 cpus)
{
    struct tlb_request *r = &c->request;

    r->mm = mm;
    r->start = start;
    r->end = end;
    __atomic_store_n(&r->pending, cpus, __ATOMIC_SEQ_CST);
    for (; cpus; cpus &= cpus - 1) {
        struct percpu *other = percpus[__builtin_ctzll(cpus)];

        /* One that was asked and has not answered has its interrupt already; one that polls looks.
         */
        if (!__atomic_fetch_or(&other->tlb_wanted, cpu_bit(c), __ATOMIC_SEQ_CST) &&
            __atomic_load_n(&other->state, __ATOMIC_SEQ_CST) != CPU_POLLING)
            apic_send(other->cpu, VECTOR_TLB);
    }
    while (__atomic_load_n(&r->pending, __ATOMIC_ACQUIRE))
        cpu_relax();
}

void mspace_flush(struct mm *mm, uva_t start, uva_t end)
{
    struct percpu *c = this_cpu();
    u64 cpus;

    if (start >= end)
        return;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the changed entries before the look at the mask */
    if (c->mm == mm)
        flush_local(start, end);
    cpus = __atomic_load_n(&mm->mspace.cpus, __ATOMIC_RELAXED) & ~cpu_bit(c);
    if (cpus)
        shootdown(c, mm, start, end, cpus);
}

int mspace_init(struct mm *mm)
{
    u64 *to = phys_to_virt(mm->pgd);
    const u64 *from = boot_ptr(kernel_cr3);

    mm->mspace.cpus = 0;
    memcpy(to + 256, from + 256, 256 * sizeof(u64)); /* the kernel half never changes */
    return 0;
}

void mspace_protect(struct mm *mm, uva_t start, uva_t end)
{
    mspace_flush(mm, start, end);
}

void mspace_inherit(struct mm *mm, struct mm *from, uva_t lo, uva_t hi)
{
    mspace_flush(from, lo, hi);
}

void mspace_destroy(struct mm *mm)
{
    struct percpu *c = this_cpu();
    u64 cpus;

    if (c->mm == mm)
        tlb_load(c, NULL);
    cpus = __atomic_load_n(&mm->mspace.cpus, __ATOMIC_SEQ_CST);
    if (cpus)
        shootdown(c, mm, 0, 0, cpus);
}

void mspace_switch(struct mm *mm)
{
    tlb_load(this_cpu(), mm);
}
