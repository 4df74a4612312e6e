// SPDX-License-Identifier: Apache-2.0
/*
 * brk(2): the heap. And the names of vmas in /proc/PID/maps.
 */
#include "sentry/fs/vfs.h"
#include "sentry/mm/internal.h"

/* mm->lock held for write. */
static int heap_grow(struct mm *mm, uva_t from, uva_t to)
{
    u64 pages = (to - from) >> PAGE_SHIFT;
    u32 prot = PROT_READ | PROT_WRITE, flags = VMA_HEAP | VMA_MAYWRITE | mm->def_flags;
    struct vma *next = vma_find(mm, from), *v;
    u64 gap = PAGE_SIZE + (next && (next->flags & VMA_GROWSDOWN) ? STACK_GUARD_GAP : 0);

    if (to > USER_END || (next && to + gap > next->start) || mm->nvmas >= MAX_MAP_COUNT)
        return -ENOMEM;
    if ((flags & VMA_LOCKED) && !mm_may_lock(mm, pages))
        return -EAGAIN;
    if (mm_may_expand(mm, flags, prot, pages))
        return -ENOMEM;
    if (current->personality & READ_IMPLIES_EXEC)
        prot |= PROT_EXEC;
    v = vma_alloc(mm, from, to);
    if (!v)
        return -ENOMEM;
    v->prot = prot;
    v->flags = flags;
    vma_insert(v);
    return 0;
}

uva_t mm_brk(struct mm *mm, uva_t brk)
{
    struct list dead = LIST_INIT(dead);
    uva_t old, from, to;
    bool populate = false;

    down_write(&mm->lock);
    old = mm->brk;
    from = PAGE_ALIGN(old);
    to = PAGE_ALIGN(brk);
    if (brk < mm->brk_start || to < brk ||
        brk - mm->brk_start + (mm->end_data - mm->start_data) > rlimit(RLIMIT_DATA)) {
        brk = old;
    } else if (to < from) {
        if (mm_unmap_locked(mm, to, from, &dead))
            brk = old;
    } else if (to > from) {
        if (heap_grow(mm, from, to))
            brk = old;
        else
            populate = mm->def_flags & VMA_LOCKED;
    }
    mm->brk = brk;
    up_write(&mm->lock);
    vma_free_list(&dead);
    if (populate)
        mm_populate(mm, from, to);
    return brk;
}

const char *vma_name(struct vma *v)
{
    if (v->ops && v->ops->name) {
        const char *name = v->ops->name(v);
        if (name)
            return name;
    }
    if (v->file)
        return NULL;
    if (v->flags & VMA_HEAP)
        return "[heap]";
    if (v->start <= v->mm->stack_start && v->end >= v->mm->stack_start)
        return "[stack]";
    return NULL;
}
