// SPDX-License-Identifier: Apache-2.0
/*
 * Copy of an address space for fork. Private pages are shared read-only by both sides until one
 * writes; pages of mapped objects are not copied at all, the child's first access finds them again.
 * The parent's weakened entries are flushed once, at the end.
 */
#include "sentry/fs/vfs.h"
#include "sentry/mm/internal.h"

/* Copying of one address space; the range of entries that were weakened. */
struct copy {
    struct mm *to;
    uva_t lo, hi;
    s64 anon, file; /* pages of the current vma */
};

static pte_t *child_table(pte_t *slot)
{
    if (!*slot) {
        pa_t pa = pt_alloc_table();
        if (!pa)
            return NULL;
        pte_set(slot, pa | PTE_P | PTE_W | PTE_U | PTE_A);
    }
    return pt_table(*slot);
}

/* Share one entry. */
static void copy_entry(struct copy *c, pte_t *from, pte_t *to, uva_t va, unsigned npages)
{
    pte_t e = *from;
    struct page *p = pte_page(e);

    if (e & PTE_W) {
        e &= ~(PTE_W | PTE_D);
        pte_set(from, e);
        c->lo = MIN(c->lo, va);
        c->hi = MAX(c->hi, va + npages * PAGE_SIZE);
    }
    for (unsigned i = 0; p && i < npages; i++)
        page_get(p + i);
    pte_set(to, e);
    if (e & PTE_FILE)
        c->file += npages;
    else if (p)
        c->anon += npages;
}

/* Leaf table `from`; the child's (in *slot) is made when there is something to put into it. */
static int copy_leaf(struct copy *c, pte_t *from, pte_t *slot, uva_t start, uva_t end)
{
    pte_t *to = NULL;

    for (uva_t va = start; va < end; va += PAGE_SIZE) {
        pte_t *e = &from[pt_index(va, 1)];
        if (!*e || ((*e & PTE_FILE) && !MACHINE_COPY_FILE_ENTRIES))
            continue;
        if (!to && !(to = child_table(slot)))
            return -ENOMEM;
        copy_entry(c, e, &to[pt_index(va, 1)], va, 1);
    }
    return 0;
}

/* [start, end) of a private vma; a 2 MiB entry lies within it or outside. */
static int copy_table(struct copy *c, pte_t *from, pte_t *to, int level, uva_t start, uva_t end)
{
    u64 size = 1UL << pt_shift(level);
    int err = 0;

    for (uva_t va = start, next; va < end && !err; va = next) {
        pte_t *e = &from[pt_index(va, level)], *slot = &to[pt_index(va, level)], *sub;
        next = MIN((va + size) & ~(size - 1), end);
        if (!*e)
            continue;
        if (*e & PTE_PS)
            copy_entry(c, e, slot, va, 512);
        else if (level == 2)
            err = copy_leaf(c, pt_table(*e), slot, va, next);
        else if ((sub = child_table(slot)))
            err = copy_table(c, pt_table(*e), sub, level - 1, va, next);
        else
            err = -ENOMEM;
    }
    return err;
}

static int copy_vma(struct copy *c, struct vma *v)
{
    struct mm *old = v->mm;
    struct vma *n = vma_dup(v, c->to, v->start, v->end);
    int err = 0;

    if (!n)
        return -ENOMEM;
    n->flags &= ~VMA_LOCKED;
    vma_link(n);
    if ((v->flags & (VMA_SHARED | VMA_WIPEONFORK | VMA_SPECIAL)))
        return 0;
    c->anon = c->file = 0;
    spin_lock(&old->pt_lock);
    err = copy_table(c, phys_to_virt(old->pgd), phys_to_virt(c->to->pgd), 4, v->start, v->end);
    rss_add(c->to, c->anon, c->file);
    spin_unlock(&old->pt_lock);
    return err;
}

static void copy_layout(struct mm *to, const struct mm *from)
{
    to->mmap_base = from->mmap_base;
    to->mmap_min = from->mmap_min;
    to->brk_start = from->brk_start;
    to->brk = from->brk;
    to->stack_start = from->stack_start;
    to->arg_start = from->arg_start;
    to->arg_end = from->arg_end;
    to->env_start = from->env_start;
    to->env_end = from->env_end;
    to->start_code = from->start_code;
    to->end_code = from->end_code;
    to->start_data = from->start_data;
    to->end_data = from->end_data;
    to->vdso = from->vdso;
    memcpy(to->auxv, from->auxv, sizeof(to->auxv));
    to->auxv_len = from->auxv_len;
    to->dumpable = from->dumpable;
    to->exe = from->exe;
    if (to->exe)
        file_get(to->exe);
}

struct mm *mm_fork(struct mm *old)
{
    struct mm *new = mm_new();
    struct copy c = {.to = new, .lo = U64_MAX};
    struct vma *v;
    int err = 0;

    if (!new)
        return NULL;
    down_write(&old->lock);
    /* Nobody knows the new one but sweeps of mappings, which must not see half of it. */
    down_write(&new->lock);
    copy_layout(new, old);
    list_for_each (v, &old->vmas, link) {
        if (!(v->flags & VMA_DONTFORK) && (err = copy_vma(&c, v)))
            break;
    }
    up_write(&new->lock);
    if (c.lo >= c.hi)
        c.lo = c.hi = 0;
    mspace_inherit(new, old, c.lo, c.hi);
    up_write(&old->lock);
    if (err) {
        mm_put(new);
        return NULL;
    }
    return new;
}
