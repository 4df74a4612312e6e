// SPDX-License-Identifier: Apache-2.0
/*
 * mprotect(2). Entries lose rights at once (then one flush); they gain the right to write only
 * where that needs no copy and no question to the mapped object, otherwise at the next fault.
 */
#include "sentry/fs/vfs.h"
#include "sentry/mm/internal.h"

struct protect {
    struct vma *vma;
    uva_t lo, hi; /* entries there were weakened */
};

static pte_t new_entry(struct vma *v, pte_t e, int level)
{
    struct page *p = pte_page(e);
    bool writable = false;

    if (v->flags & VMA_SHARED)
        writable = (e & PTE_W) != 0;
    else if (p && !(e & PTE_FILE))
        writable = (e & PTE_W) || (level == 1 && ref_read(&p->refs) == 1);
    return (e & (PTE_ADDR | PTE_PS | PTE_SPECIAL | PTE_FILE)) | pte_prot(v->prot, writable);
}

static bool weaker(pte_t old, pte_t new)
{
    return (old & PTE_P) && (!(new &PTE_P) || (old & ~new &PTE_W) || (~old & new &PTE_NX));
}

static void protect_table(struct protect *c, pte_t *table, int level, uva_t start, uva_t end)
{
    u64 size = 1UL << pt_shift(level);

    for (uva_t va = start, next; va < end; va = next) {
        pte_t *e = &table[pt_index(va, level)];
        next = MIN((va + size) & ~(size - 1), end);
        if (!*e)
            continue;
        if (level > 1 && !(*e & PTE_PS)) {
            protect_table(c, pt_table(*e), level - 1, va, next);
            continue;
        }
        pte_t new = new_entry(c->vma, *e, level);
        if (weaker(*e, new)) {
            c->lo = MIN(c->lo, va);
            c->hi = next;
        }
        pte_set(e, new);
    }
}

static void protect_vma(struct vma *v, u32 prot)
{
    struct mm *mm = v->mm;
    struct protect c = {.vma = v, .lo = U64_MAX};

    vma_count(v, false);
    v->prot = prot;
    vma_count(v, true);
    spin_lock(&mm->pt_lock);
    protect_table(&c, phys_to_virt(mm->pgd), 4, v->start, v->end);
    spin_unlock(&mm->pt_lock);
    if (c.lo < c.hi)
        mspace_protect(mm, c.lo, c.hi);
}

static int may_protect(struct vma *v, u32 prot)
{
    if ((prot & PROT_WRITE) && !(v->flags & VMA_MAYWRITE))
        return -EACCES;
    if ((prot & PROT_EXEC) && v->file && (v->file->path.mnt->flags & MS_NOEXEC))
        return -EACCES;
    return 0;
}

/* One vma's part of the range. */
static int protect_part(struct mm *mm, struct vma **vp, uva_t start, uva_t end, u32 prot)
{
    struct vma *v = *vp;
    int err = may_protect(v, prot);

    if (err || v->prot == prot)
        return err;
    if ((prot & PROT_WRITE) && !(v->prot & PROT_WRITE) && !(v->flags & VMA_SHARED) &&
        (err = mm_may_expand(mm, v->flags, prot, 0)))
        return err;
    err = pt_split_edges(mm, MAX(start, v->start), MIN(end, v->end));
    if (!err && v->start < start)
        err = vma_split(v, start, &v);
    if (!err && v->end > end)
        err = vma_split(v, end, NULL);
    if (!err) {
        protect_vma(v, prot);
        *vp = vma_merge(v);
    }
    return err;
}

static int protect_locked(struct mm *mm, uva_t start, uva_t end, u32 prot, u32 grows)
{
    struct vma *v = vma_find(mm, start);
    int err = 0;

    if (!v)
        return -ENOMEM;
    if (grows & PROT_GROWSDOWN) {
        if (!(v->flags & VMA_GROWSDOWN) || v->start >= end)
            return -EINVAL;
        start = v->start;
    } else if (v->start > start) {
        return -ENOMEM;
    }
    if (grows & PROT_GROWSUP)
        return -EINVAL;
    for (uva_t at = start; !err && at < end; at = v->end) {
        v = vma_find_exact(mm, at);
        if (!v)
            return -ENOMEM;
        err = protect_part(mm, &v, start, end, prot);
    }
    return err;
}

int mm_mprotect(struct mm *mm, uva_t addr, u64 len, u32 prot)
{
    u32 grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
    int err;

    prot &= ~grows;
    if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || (addr & ~PAGE_MASK))
        return -EINVAL;
    if (!len)
        return 0;
    if (!(len = PAGE_ALIGN(len)) || addr + len <= addr)
        return -ENOMEM;
    if (prot & ~(u32)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
        return -EINVAL;
    prot &= PROT_READ | PROT_WRITE | PROT_EXEC;
    down_write(&mm->lock);
    err = protect_locked(mm, addr, addr + len, prot, grows);
    up_write(&mm->lock);
    return err;
}
