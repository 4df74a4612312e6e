// SPDX-License-Identifier: Apache-2.0
/*
 * Taking an object's pages out of every address space that maps them. The list of vmas is under
 * a spinlock and each address space under its own sleeping lock, so the sweep marks on the list
 * what it has seen, drops the spinlock, and goes to the address space with a reference to it.
 */
#include "sentry/fs/vfs.h"
#include "sentry/mm/internal.h"

void mapping_init(struct mapping *m)
{
    *m = (struct mapping){0};
    list_init(&m->vmas);
    mutex_init(&m->sweep);
}

/* The part of v that shows pages [first, last]; false when there is none. */
static bool covered(const struct vma *v, u64 first, u64 last, uva_t *start, uva_t *end)
{
    u64 from = v->pgoff, to = v->pgoff + vma_pages(v); /* exclusive */

    if (last < from || first >= to)
        return false;
    *start = first > from ? v->start + ((first - from) << PAGE_SHIFT) : v->start;
    *end = last < to - 1 ? v->start + ((last - from + 1) << PAGE_SHIFT) : v->end;
    return true;
}

/* Next address space that sweep `id` has not been to, with a reference; NULL: all done. */
static struct mm *next_mm(struct mapping *m, u64 id, u64 first, u64 last)
{
    struct mm *mm = NULL;
    struct vma *v;
    uva_t start, end;

    spin_lock(&m->lock);
    list_for_each (v, &m->vmas, mapping_link) {
        if (v->unmap_seq == id || !covered(v, first, last, &start, &end))
            continue;
        if (mm && v->mm != mm)
            continue;
        v->unmap_seq = id;
        if (!mm && ref_get_unless_zero(&v->mm->users))
            mm = v->mm;
    }
    spin_unlock(&m->lock);
    return mm;
}

static void sweep_mm(struct mapping *m, struct mm *mm, u64 first, u64 last, u32 how)
{
    struct vma *v;
    uva_t start, end;

    down_read(&mm->lock);
    list_for_each (v, &mm->vmas, link) {
        if (v->file && v->file->inode && &v->file->inode->mapping == m &&
            covered(v, first, last, &start, &end))
            mm_zap(mm, start, end, how);
    }
    up_read(&mm->lock);
}

static u64 next_seq(struct mapping *m, bool *nobody)
{
    spin_lock(&m->lock);
    u64 seq = ++m->seq;
    *nobody = list_empty(&m->vmas);
    spin_unlock(&m->lock);
    return seq;
}

static void sweep(struct mapping *m, u64 first, u64 last, u32 how)
{
    struct mm *mm;
    bool nobody;

    next_seq(m, &nobody); /* from here on faults under way start again */
    if (nobody)
        return;
    mutex_lock(&m->sweep);
    u64 id = next_seq(m, &nobody);
    while ((mm = next_mm(m, id, first, last))) {
        sweep_mm(m, mm, first, last, how);
        mm_put(mm);
    }
    mutex_unlock(&m->sweep);
}

void mapping_unmap_range(struct mapping *m, u64 first, u64 last)
{
    sweep(m, first, last, ZAP_ALL);
}

void mapping_evict_range(struct mapping *m, u64 first, u64 last)
{
    sweep(m, first, last, ZAP_FILE);
}
