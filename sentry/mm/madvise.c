// SPDX-License-Identifier: Apache-2.0
/*
 * madvise(2).
 */
#include <linux/falloc.h>
#include "sentry/fs/vfs.h"
#include "sentry/mm/internal.h"

static int zap_part(struct vma *v, uva_t start, uva_t end)
{
    int err = pt_split_edges(v->mm, start, end);

    if (!err)
        mm_zap(v->mm, start, end, ZAP_ALL);
    return err;
}

/* Advice that only touches entries; mm->lock held for read. */
static int advise_entries(struct vma *v, uva_t start, uva_t end, int advice)
{
    switch (advice) {
    case MADV_DONTNEED:
        return v->flags & (VMA_LOCKED | VMA_SPECIAL) ? -EINVAL : zap_part(v, start, end);
    case MADV_DONTNEED_LOCKED:
        return v->flags & VMA_SPECIAL ? -EINVAL : zap_part(v, start, end);
    case MADV_FREE: /* may be dropped at any time: now is a good time */
        if (!vma_is_anon(v) || (v->flags & VMA_LOCKED))
            return -EINVAL;
        return zap_part(v, start, end);
    case MADV_COLD:
    case MADV_PAGEOUT:
        return v->flags & VMA_LOCKED ? -EINVAL : 0;
    default: /* NORMAL, RANDOM, SEQUENTIAL, WILLNEED, MERGEABLE, COLLAPSE, …: nothing to gain */
        return 0;
    }
}

/* New flags of a vma under advice, or -errno. */
static s64 advised_flags(const struct vma *v, int advice)
{
    u32 f = v->flags;

    switch (advice) {
    case MADV_DONTFORK:
        return f | VMA_DONTFORK;
    case MADV_DOFORK:
        return f & ~VMA_DONTFORK;
    case MADV_WIPEONFORK:
        if (!vma_is_anon(v) || (f & VMA_SHARED))
            return -EINVAL;
        return f | VMA_WIPEONFORK;
    case MADV_KEEPONFORK:
        return f & ~VMA_WIPEONFORK;
    case MADV_HUGEPAGE:
        return (f | VMA_HUGE) & ~VMA_NOHUGE;
    case MADV_NOHUGEPAGE:
        return (f | VMA_NOHUGE) & ~VMA_HUGE;
    default:
        return -EINVAL;
    }
}

/* mm->lock held for write. */
static int advise_flags(struct vma *v, uva_t start, uva_t end, int advice)
{
    s64 flags = advised_flags(v, advice);
    int err = 0;

    if (flags < 0)
        return (int)flags;
    if ((u32)flags == v->flags)
        return 0;
    if (v->start < start)
        err = vma_split(v, start, &v);
    if (!err && v->end > end)
        err = vma_split(v, end, NULL);
    if (!err) {
        vma_count(v, false);
        v->flags = (u32)flags;
        vma_count(v, true);
        vma_merge(v);
    }
    return err;
}

enum advice_kind { ADVICE_BAD, ADVICE_ENTRIES, ADVICE_FLAGS, ADVICE_POPULATE, ADVICE_REMOVE };

static enum advice_kind kind_of(int advice)
{
    switch (advice) {
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_DONTNEED:
    case MADV_FREE:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_COLD:
    case MADV_PAGEOUT:
    case MADV_DONTNEED_LOCKED:
    case MADV_COLLAPSE:
        return ADVICE_ENTRIES;
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_WIPEONFORK:
    case MADV_KEEPONFORK:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
        return ADVICE_FLAGS;
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
        return ADVICE_POPULATE;
    case MADV_REMOVE:
        return ADVICE_REMOVE;
    default:
        return ADVICE_BAD;
    }
}

/* Every vma of the range; holes are passed over and reported at the end. */
static int advise_range(struct mm *mm, uva_t start, uva_t end, int advice, bool flags)
{
    int err = 0, hole = 0;

    for (uva_t at = start; at < end;) {
        struct vma *v = vma_find(mm, at);
        if (!v || v->start > at)
            hole = -ENOMEM;
        if (!v || v->start >= end)
            break;
        uva_t from = MAX(at, v->start), to = MIN(end, v->end);
        at = to;
        err = flags ? advise_flags(v, from, to, advice) : advise_entries(v, from, to, advice);
        if (err)
            return err;
    }
    return hole;
}

/* One page with the error that MADV_POPULATE_* wants. */
static int populate_page(struct mm *mm, uva_t at, bool write)
{
    struct fault_result r = mm_fault(mm, at, write ? FAULT_WRITE : 0);

    switch (r.sig) {
    case 0:
        return 0;
    case SIGSEGV:
        return r.code == SEGV_MAPERR ? -ENOMEM : -EINVAL;
    case SIGBUS:
        return -EFAULT;
    default:
        return -ENOMEM;
    }
}

static int populate(struct mm *mm, uva_t start, uva_t end, bool write)
{
    int err = 0;

    for (uva_t at = start; at < end && !err && !current->process->exiting; at += PAGE_SIZE)
        err = populate_page(mm, at, write);
    return err;
}

/* Punch a hole into the object behind a shared writable mapping. */
static int remove_pages(struct mm *mm, uva_t start, uva_t end)
{
    int err = 0;

    while (start < end && !err) {
        down_read(&mm->lock);
        struct vma *v = vma_find_exact(mm, start);
        struct vfs_file *f =
            v && (v->flags & VMA_SHARED) && !(v->flags & VMA_LOCKED) && (v->flags & VMA_MAYWRITE)
                ? v->file
                : NULL;
        uva_t to = v ? MIN(end, v->end) : end;
        u64 off = f ? vma_index(v, start) << PAGE_SHIFT : 0;
        if (f)
            file_get(f);
        up_read(&mm->lock);
        if (!f)
            return v ? -EINVAL : -ENOMEM;
        err = f->ops->fallocate ? f->ops->fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                                    off, to - start)
                                : -EINVAL;
        file_put(f);
        start = to;
    }
    return err;
}

int mm_madvise(struct mm *mm, uva_t addr, u64 len, int advice)
{
    enum advice_kind kind = kind_of(advice);
    u64 n = PAGE_ALIGN(len);
    int err;

    if (kind == ADVICE_BAD || (addr & ~PAGE_MASK) || (len && !n) || addr + n < addr)
        return -EINVAL;
    if (!n)
        return 0;
    if (kind == ADVICE_POPULATE)
        return populate(mm, addr, addr + n, advice == MADV_POPULATE_WRITE);
    if (kind == ADVICE_REMOVE)
        return remove_pages(mm, addr, addr + n);
    if (kind == ADVICE_FLAGS) {
        down_write(&mm->lock);
        err = advise_range(mm, addr, addr + n, advice, true);
        up_write(&mm->lock);
    } else {
        down_read(&mm->lock);
        err = advise_range(mm, addr, addr + n, advice, false);
        up_read(&mm->lock);
    }
    return err;
}
