// SPDX-License-Identifier: Apache-2.0
/*
 * Filling a stub: what the page tables have at an address and around it becomes mappings of RAM and
 * of host files. One call maps a run of pages that are neighbours in both.
 */
#include "sentry/machine/ptrace/fillmap.h"
#include "sentry/machine/ptrace/space.h"
#include "vmm/memory.h"
#include "vmm/window.h"

#define MAP_POPULATE_ 0x8000
#define MAX_RUNS      (MACHINE_FAULT_AROUND / PAGE_SIZE + 1)

/* Pages that one mmap() in a stub makes. */
struct run {
    uva_t va;
    u64 len;
    u64 offset;
    int fd;
    u32 prot;
    bool populate;
};

/* What mmap() needs for one page. 0, or -EFAULT when there is nothing behind it any more. */
static int describe(pte_t *entry, int level, uva_t va, struct run *r)
{
    pa_t pa = (*entry & PTE_ADDR) + (level == 2 ? va & (HUGE_SIZE - 1) & PAGE_MASK : 0);
    bool writable = true;
    int err = 0;

    *r = (struct run){.va = va, .len = PAGE_SIZE, .prot = PROT_READ};
    if (pa >= WINDOW_GPA) {
        err = window_backing(pa, &r->fd, &r->offset, &writable);
    } else {
        r->fd = memory_ram_fd();
        r->offset = pa - RAM_GPA;
    }
    *entry |= PTE_A;
    if (*entry & PTE_W && writable) {
        r->prot |= PROT_WRITE;
        *entry |= PTE_D;
    }
    if (!(*entry & PTE_NX))
        r->prot |= PROT_EXEC;
    /* The host faults a file's pages in cheaply, and has to see which one is written. */
    r->populate = pa < WINDOW_GPA;
    return err;
}

static bool joins(const struct run *a, const struct run *b)
{
    return a->va + a->len == b->va && a->offset + a->len == b->offset && a->fd == b->fd &&
           a->prot == b->prot;
}

/* A leaf table's entries around an address, for a look at the neighbours. pt_lock held. */
struct neighbours {
    struct mm *mm;
    uva_t base; /* of the 2 MiB that the table maps */
    pte_t *table;
};

/* The page at va as a run, unless it has no entry or the stubs have it, with all rights. */
static bool describe_near(struct neighbours *n, uva_t va, struct run *r)
{
    pte_t *e = &n->table[(va - n->base) >> PAGE_SHIFT];

    return entry_ok(*e) && !fillmap_test(&n->mm->mspace.filled, va, *e & PTE_W) &&
           describe(e, 1, va, r) == 0;
}

/* Extend the run of the page that is wanted, in both directions: one call maps any length. */
static void extend(struct neighbours *n, struct run *r)
{
    struct run next;

    while (r->va + r->len < n->base + HUGE_SIZE && r->va + r->len < USER_END &&
           describe_near(n, r->va + r->len, &next) && joins(r, &next))
        r->len += PAGE_SIZE;
    while (r->va > n->base && describe_near(n, r->va - PAGE_SIZE, &next) && joins(&next, r)) {
        r->va -= PAGE_SIZE;
        r->offset -= PAGE_SIZE;
        r->len += PAGE_SIZE;
    }
}

/* Other pages near addr that the stubs do not have, as further runs. How many runs in all. */
static int add_near(struct neighbours *n, uva_t addr, struct run *runs)
{
    uva_t start = addr & ~(MACHINE_FAULT_AROUND - 1);
    uva_t end = MIN(start + MACHINE_FAULT_AROUND, (uva_t)USER_END);
    int count = 1;

    for (uva_t va = start; va < end; va += PAGE_SIZE) {
        struct run r;

        if (va >= runs[0].va && va < runs[0].va + runs[0].len)
            continue;
        if (!describe_near(n, va, &r))
            continue;
        if (count > 1 && joins(&runs[count - 1], &r))
            runs[count - 1].len += PAGE_SIZE;
        else
            runs[count++] = r;
    }
    return count;
}

/*
 * What to map for a fault at addr: the run of its page first. Number of runs, 0 when addr has no
 * entry, -EFAULT.
 */
static int collect(struct mm *mm, uva_t addr, struct run *runs)
{
    struct neighbours n = {.mm = mm, .base = addr & ~(HUGE_SIZE - 1)};
    int level, count = 0;
    pte_t *e;

    spin_lock(&mm->pt_lock);
    e = pt_walk(mm, addr, 0, &level);
    if (e && entry_ok(*e)) {
        count = describe(e, level, addr & PAGE_MASK, &runs[0]);
        if (count == 0)
            count = 1;
        if (count == 1 && level == 1) {
            n.table = e - ((addr - n.base) >> PAGE_SHIFT);
            extend(&n, &runs[0]);
            count = add_near(&n, addr, runs);
        }
    }
    spin_unlock(&mm->pt_lock);
    return count;
}

static long map_run(struct mthread *mt, struct mspace *ms, const struct run *r)
{
    u64 flags = MAP_SHARED | MAP_FIXED | (r->populate ? MAP_POPULATE_ : 0);
    long got = space_call(mt, __NR_mmap, r->va, r->len, r->prot, flags, (u64)r->fd, r->offset);

    if (got != (long)r->va)
        return got < 0 ? got : -EINVAL;
    mt->stats[STAT_PAGES] += r->len / PAGE_SIZE;
    fillmap_set(&ms->filled, r->va, r->va + r->len, r->prot & PROT_WRITE);
    return 0;
}

/* The lock is held. */
int space_fill_locked(struct mthread *mt, struct mspace *ms, uva_t addr)
{
    struct run runs[MAX_RUNS];
    int n = collect(current->mm, addr, runs);
    long r;

    if (n <= 0)
        return n;
    /* A page that replaces another (copy on write) needs no separate unmapping. */
    if (n == 1)
        r = space_unmap_pending(mt, ms, runs[0].va, runs[0].va + runs[0].len);
    else
        r = space_unmap_pending(mt, ms, 0, 0);
    for (int i = 0; i < n && r == 0; i++)
        r = map_run(mt, ms, &runs[i]);
    if (r == 0)
        return 1;
    log_warn("cannot map pages at %lx into a stub: error %ld", addr, -r);
    if (space_unmap_all(mt, ms) != 0)
        return -ESRCH;
    return r == -ENOMEM ? 1 : (int)r; /* too many mappings: begin anew */
}

int space_fill(struct mthread *mt, uva_t addr)
{
    struct mspace *ms = &current->mm->mspace;
    int r;

    if (addr >= USER_END)
        return 0;
    spin_lock(&ms->lock);
    r = space_fill_locked(mt, ms, addr);
    spin_unlock(&ms->lock);
    return r;
}

pte_t space_pte(uva_t addr)
{
    struct mm *mm = current->mm;
    pte_t *p, pte = 0;
    int level;

    if (addr >= USER_END)
        return 0;
    spin_lock(&mm->pt_lock);
    p = pt_walk(mm, addr, 0, &level);
    if (p && entry_ok(*p))
        pte = *p;
    spin_unlock(&mm->pt_lock);
    return pte;
}
