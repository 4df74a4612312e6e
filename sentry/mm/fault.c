// SPDX-License-Identifier: Apache-2.0
/*
 * Page faults: what an access to an address means, and anonymous memory. Mapped objects are in
 * fault_object.c, copy-on-write in cow.c.
 *
 * Pages are allocated and filled before pt_lock is taken; under it the entry is looked at again.
 * Who finds that somebody else was faster drops its page and is content: the access is simply tried
 * again.
 */
#include "sentry/mm/internal.h"

#define OOM_RETRIES 500
#define OOM_DELAY   (10 * 1000 * 1000)

/* ---- anonymous memory ---- */

/* Is the 2 MiB range around addr all v's, and wanted as one page? */
static bool huge_wanted(struct vma *v, uva_t addr)
{
    uva_t base = addr & PMD_MASK;

    return MACHINE_HUGE_PAGES && base >= v->start && base + HUGE_SIZE <= v->end &&
           !(v->flags & (VMA_NOHUGE | VMA_GROWSDOWN));
}

static int anon_huge(struct vma *v, uva_t addr)
{
    struct mm *mm = v->mm;
    struct page *p;
    int level, err = -EAGAIN;
    pte_t *e;

    /* Look first: most often the range has small pages already. */
    spin_lock(&mm->pt_lock);
    e = pt_walk(mm, addr, 2, &level);
    bool empty = e && level == 2 && !*e;
    spin_unlock(&mm->pt_lock);
    if (!empty || !(p = page_alloc(HUGE_SHIFT - PAGE_SHIFT, PAGE_ALLOC_ZERO | PAGE_ALLOC_USER)))
        return -EAGAIN;
    spin_lock(&mm->pt_lock);
    e = pt_walk(mm, addr, 2, &level);
    if (e && level == 2 && !*e) {
        pte_set(e, page_to_phys(p) | PTE_PS | pte_prot(v->prot, true));
        rss_add(mm, 512, 0);
        err = 0;
    }
    spin_unlock(&mm->pt_lock);
    if (err)
        page_put_block(p, HUGE_SHIFT - PAGE_SHIFT);
    return err;
}

/*
 * Narrow [*lo, *hi), which contains addr, to the empty part around it. Where faults are cheap only
 * a whole empty neighbourhood is worth a block. pt_lock held.
 */
static bool find_empty(struct mm *mm, uva_t addr, uva_t *lo, uva_t *hi)
{
    uva_t from = addr, to = addr;

    if (MACHINE_SEES_WRITES)
        return pt_range_empty(mm, *lo, *hi);
    while (from > *lo && pt_range_empty(mm, from - PAGE_SIZE, from))
        from -= PAGE_SIZE;
    while (to < *hi && pt_range_empty(mm, to, to + PAGE_SIZE))
        to += PAGE_SIZE;
    *lo = from;
    *hi = to;
    return to > addr && to - from > PAGE_SIZE;
}

/* Fill the still empty neighbourhood of addr, at most 2^order pages, with one block. */
static int anon_around(struct vma *v, uva_t addr, unsigned order)
{
    u64 size = PAGE_SIZE << order;
    uva_t base = addr & ~(size - 1);
    uva_t lo = MAX(base, v->start), hi = MIN(base + size, v->end);
    struct mm *mm = v->mm;
    struct page *p;
    int level, err = -EAGAIN;
    pte_t *e;

    if (MACHINE_SEES_WRITES && hi - lo != size)
        return -EAGAIN;
    spin_lock(&mm->pt_lock);
    bool empty = find_empty(mm, addr, &lo, &hi);
    spin_unlock(&mm->pt_lock);
    u64 n = (hi - lo) >> PAGE_SHIFT;
    for (order = 0; 1UL << order < n; order++)
        ;
    if (!empty || !(p = page_alloc(order, PAGE_ALLOC_ZERO | PAGE_ALLOC_USER)))
        return -EAGAIN;
    spin_lock(&mm->pt_lock);
    if (pt_range_empty(mm, lo, hi) && (e = pt_walk(mm, lo, 1, &level))) {
        pte_t new = page_to_phys(p) | pte_prot(v->prot, true);
        for (u64 i = 0; i < n; i++)
            pte_set(e + i, new + i *PAGE_SIZE);
        rss_add(mm, (s64)n, 0);
        err = 0;
    }
    spin_unlock(&mm->pt_lock);
    for (u64 i = err ? 0 : n; i < 1UL << order; i++)
        page_put(p + i);
    return err;
}

/* One entry, unless there is one by now. p's reference goes into it. 0 or -ENOMEM. */
static int set_single(struct vma *v, uva_t addr, pte_t new, struct page *p)
{
    struct mm *mm = v->mm;
    int level, err = -ENOMEM;

    spin_lock(&mm->pt_lock);
    pte_t *e = pt_walk(mm, addr, 1, &level);
    if (e) {
        err = 0;
        if (!*e) {
            pte_set(e, new);
            if (p)
                rss_add(mm, 1, 0);
            p = NULL;
        }
    }
    spin_unlock(&mm->pt_lock);
    if (p)
        page_put(p);
    return err;
}

static unsigned around_order(void)
{
    return (unsigned)__builtin_ctzl((u64)MACHINE_FAULT_AROUND >> PAGE_SHIFT);
}

static int fault_anon(struct vma *v, uva_t addr, u32 access)
{
    unsigned order = around_order();

    if (huge_wanted(v, addr) && ((access & FAULT_WRITE) || (v->flags & VMA_HUGE)) &&
        !anon_huge(v, addr))
        return 0;
    if (!(access & FAULT_WRITE) && !(v->flags & VMA_LOCKED))
        return set_single(v, addr, zero_pa | pte_prot(v->prot, false), NULL);
    if (order && !anon_around(v, addr, order))
        return 0;
    struct page *p = page_alloc(0, PAGE_ALLOC_ZERO | PAGE_ALLOC_USER);
    if (!p)
        return -ENOMEM;
    return set_single(v, addr, page_to_phys(p) | pte_prot(v->prot, true), p);
}

/* ---- any access ---- */

int vma_fault(struct vma *v, uva_t addr, u32 access)
{
    struct mm *mm = v->mm;
    int level;
    pte_t *e;

    spin_lock(&mm->pt_lock);
    e = pt_walk(mm, addr, 0, &level);
    pte_t entry = e ? *e : 0;
    spin_unlock(&mm->pt_lock);
    /* Who cannot tell had better not come twice: private writable memory is mostly written to. */
    if (!MACHINE_SEES_WRITES && !entry && (v->prot & PROT_WRITE) && !(v->flags & VMA_SHARED))
        access |= FAULT_WRITE;
    if (!entry)
        return vma_is_anon(v) ? fault_anon(v, addr, access) : fault_object(v, addr, access);
    if (!(access & FAULT_WRITE) || (entry & PTE_W))
        return 0; /* it is there: another thread was faster, or the TLB is behind */
    return fault_cow(v, addr);
}

static bool allowed(const struct vma *v, u32 access)
{
    if (access & FAULT_WRITE)
        return v->prot & PROT_WRITE;
    if (access & FAULT_EXEC)
        return v->prot & PROT_EXEC;
    return v->prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
}

int vma_grow_down(struct vma *v, uva_t addr)
{
    struct vma *prev = vma_prev(v);
    uva_t start = addr & PAGE_MASK;
    u64 more = (v->start - start) >> PAGE_SHIFT;

    if (start < v->mm->mmap_min || v->end - start > rlimit(RLIMIT_STACK))
        return -ENOMEM;
    if (prev && prev->end > start)
        return -ENOMEM;
    if (prev && prev->prot && !(prev->flags & VMA_GROWSDOWN) && start - prev->end < STACK_GUARD_GAP)
        return -ENOMEM;
    if ((v->flags & VMA_LOCKED) && !mm_may_lock(v->mm, more))
        return -ENOMEM;
    if (mm_may_expand(v->mm, v->flags, v->prot, more))
        return -ENOMEM;
    vma_resize(v, start, v->end);
    return 0;
}

/* Enlarge the stack above addr, if that is what is there. */
static int grow_stack(struct mm *mm, uva_t addr)
{
    struct vma *v;
    int err = -EFAULT;

    down_write(&mm->lock);
    v = vma_find(mm, addr);
    if (v && v->start <= addr)
        err = 0;
    else if (v && (v->flags & VMA_GROWSDOWN))
        err = vma_grow_down(v, addr);
    up_write(&mm->lock);
    return err;
}

/*
 * No memory for the application: something has to go. False when that is this process, or when
 * waiting did not help.
 */
static bool wait_for_memory(struct mm *mm, unsigned tries)
{
    if (mm->oom_killed || tries > OOM_RETRIES)
        return false;
    oom_kill();
    if (mm->oom_killed)
        return false;
    machine_park(machine_clock_mono() + OOM_DELAY);
    return true;
}

static struct fault_result segv(int code)
{
    return (struct fault_result){SIGSEGV, code};
}

struct fault_result mm_fault(struct mm *mm, uva_t addr, u32 access)
{
    unsigned tries = 0;
    bool grown = false;

    if (unlikely(addr >= USER_END))
        return segv(SEGV_MAPERR);
    for (;;) {
        down_read(&mm->lock);
        struct vma *v = vma_find(mm, addr);
        bool inside = v && v->start <= addr, stack = v && (v->flags & VMA_GROWSDOWN);
        bool ok = inside && allowed(v, access);
        int err = ok ? vma_fault(v, addr & PAGE_MASK, access) : 0;
        up_read(&mm->lock);
        if (ok && !err)
            return (struct fault_result){0};
        if (!inside && (!stack || grown || grow_stack(mm, addr)))
            return segv(SEGV_MAPERR);
        grown |= !inside;
        if (inside && !ok)
            return segv(SEGV_ACCERR);
        if (err == -ENOMEM && !wait_for_memory(mm, tries++))
            return (struct fault_result){SIGKILL, SI_KERNEL};
        if (err && err != -ENOMEM)
            return (struct fault_result){SIGBUS, BUS_ADRERR};
    }
}

void mm_populate(struct mm *mm, uva_t start, uva_t end)
{
    for (uva_t at = start; at < end && !current->process->exiting; at += PAGE_SIZE) {
        down_read(&mm->lock);
        struct vma *v = vma_find(mm, at);
        int err = -EFAULT;
        if (v && v->start > at)
            at = v->start;
        if (v && at < end && v->prot) {
            bool write = (v->prot & PROT_WRITE) && !(v->flags & VMA_SHARED);
            err = vma_fault(v, at, write ? FAULT_WRITE : 0);
        } else if (v) {
            err = 0;
            at = MIN(v->end, end) - PAGE_SIZE;
        }
        up_read(&mm->lock);
        if (err)
            return;
    }
}
