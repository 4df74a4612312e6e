// SPDX-License-Identifier: Apache-2.0
/*
 * The mlock family, msync and mincore. Memory never leaves RAM, so locking means: populate, keep
 * from madvise, and count against RLIMIT_MEMLOCK.
 */
#include "sentry/fs/vfs.h"
#include "sentry/mm/internal.h"

/* mm->lock held for write. -ENOMEM when there are holes (after the first one nothing is changed).
 */
static int set_locked(struct mm *mm, uva_t start, uva_t end, bool lock)
{
    struct vma *v;
    int err;

    for (uva_t at = start; at < end; at = v->end) {
        v = vma_find_exact(mm, at);
        if (!v)
            return -ENOMEM;
        if (!(v->flags & VMA_LOCKED) == !lock || (v->flags & VMA_SPECIAL))
            continue;
        if (v->start < at && (err = vma_split(v, at, &v)))
            return err;
        if (v->end > end && (err = vma_split(v, end, NULL)))
            return err;
        vma_count(v, false);
        v->flags ^= VMA_LOCKED;
        vma_count(v, true);
        v = vma_merge(v);
    }
    return 0;
}

static bool may_lock_at_all(void)
{
    return rlimit(RLIMIT_MEMLOCK) || capable(CAP_IPC_LOCK);
}

/* Pages of the range that are locked already. */
static u64 locked_pages(struct mm *mm, uva_t start, uva_t end)
{
    u64 n = 0;

    for (struct vma *v = vma_find(mm, start); v && v->start < end; v = vma_next(v))
        if (v->flags & VMA_LOCKED)
            n += (MIN(v->end, end) - MAX(v->start, start)) >> PAGE_SHIFT;
    return n;
}

/* The pages that [addr, addr + len) touches; false: it wraps. */
static bool page_range(uva_t addr, u64 len, uva_t *start, uva_t *end)
{
    *start = addr & PAGE_MASK;
    *end = PAGE_ALIGN(addr + len);
    return addr + len >= addr && *end >= *start;
}

int mm_mlock(struct mm *mm, uva_t addr, u64 len, bool onfault)
{
    uva_t start, end;
    int err = -ENOMEM;

    if (!may_lock_at_all())
        return -EPERM;
    if (!page_range(addr, len, &start, &end))
        return -EINVAL;
    down_write(&mm->lock);
    if (mm_may_lock(mm, ((end - start) >> PAGE_SHIFT) - locked_pages(mm, start, end)))
        err = set_locked(mm, start, end, true);
    up_write(&mm->lock);
    if (!err && !onfault)
        mm_populate(mm, start, end);
    return err;
}

int mm_munlock(struct mm *mm, uva_t addr, u64 len)
{
    uva_t start, end;
    int err;

    if (!page_range(addr, len, &start, &end))
        return -EINVAL;
    down_write(&mm->lock);
    err = set_locked(mm, start, end, false);
    up_write(&mm->lock);
    return err;
}

static void lock_every(struct mm *mm, bool lock)
{
    struct vma *v;

    list_for_each (v, &mm->vmas, link) {
        if (v->flags & VMA_SPECIAL)
            continue;
        vma_count(v, false);
        v->flags = lock ? v->flags | VMA_LOCKED : v->flags & ~VMA_LOCKED;
        vma_count(v, true);
    }
}

int mm_mlockall(struct mm *mm, int flags)
{
    bool current_too = flags & MCL_CURRENT;

    if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
        return -EINVAL;
    if (!may_lock_at_all())
        return -EPERM;
    down_write(&mm->lock);
    if (current_too && !mm_may_lock(mm, mm->total_vm - mm->locked_vm)) {
        up_write(&mm->lock);
        return -ENOMEM;
    }
    mm->def_flags = flags & MCL_FUTURE ? VMA_LOCKED : 0;
    if (current_too)
        lock_every(mm, true);
    up_write(&mm->lock);
    if (current_too && !(flags & MCL_ONFAULT))
        mm_populate(mm, 0, USER_END);
    return 0;
}

int mm_munlockall(struct mm *mm)
{
    down_write(&mm->lock);
    mm->def_flags = 0;
    lock_every(mm, false);
    up_write(&mm->lock);
    return 0;
}

/* ---- msync ---- */

/* The file behind the vma at `at` when it must be written back; where the vma ends. */
static struct vfs_file *file_to_sync(struct mm *mm, uva_t *at, uva_t end, bool sync, int *hole)
{
    struct vfs_file *f = NULL;

    down_read(&mm->lock);
    struct vma *v = vma_find(mm, *at);
    if (!v || v->start > *at)
        *hole = -ENOMEM;
    *at = v ? MIN(v->end, end) : end;
    if (v && v->start < end && sync && (v->flags & VMA_SHARED) && v->file) {
        f = v->file;
        file_get(f);
    }
    up_read(&mm->lock);
    return f;
}

int mm_msync(struct mm *mm, uva_t addr, u64 len, int flags)
{
    uva_t end = addr + PAGE_ALIGN(len);
    int hole = 0;

    if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || (addr & ~PAGE_MASK) ||
        (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
        return -EINVAL;
    if (end < addr)
        return -ENOMEM;
    while (addr < end) {
        struct vfs_file *f = file_to_sync(mm, &addr, end, flags & MS_SYNC, &hole);
        int err = f && f->ops->fsync ? f->ops->fsync(f, true) : 0;
        if (f)
            file_put(f);
        if (err)
            return err;
    }
    return hole;
}

/* ---- mincore ---- */

/* Residency of the pages of [start, end) into vec, one byte each; -ENOMEM: not all is mapped. */
static int resident(struct mm *mm, uva_t start, uva_t end, u8 *vec)
{
    int level, err = 0;

    down_read(&mm->lock);
    for (uva_t at = start; at < end && !err; at += PAGE_SIZE) {
        if (!vma_find_exact(mm, at))
            err = -ENOMEM;
        spin_lock(&mm->pt_lock);
        pte_t *e = pt_walk(mm, at, 0, &level);
        *vec++ = e && *e && (*e & PTE_ADDR) != zero_pa;
        spin_unlock(&mm->pt_lock);
    }
    up_read(&mm->lock);
    return err;
}

int mm_mincore(struct mm *mm, uva_t addr, u64 len, uva_t vec)
{
    u64 pages = PAGE_ALIGN(len) >> PAGE_SHIFT;
    u8 buf[256];
    int err;

    if (addr & ~PAGE_MASK)
        return -EINVAL;
    if (addr > USER_END || len > USER_END - addr)
        return -ENOMEM;
    while (pages) {
        u64 n = MIN(pages, sizeof(buf));
        err = resident(mm, addr, addr + n * PAGE_SIZE, buf);
        if (err)
            return err;
        err = copy_to_user(vec, buf, n);
        if (err)
            return err;
        pages -= n;
        vec += n;
        addr += n * PAGE_SIZE;
    }
    return 0;
}
