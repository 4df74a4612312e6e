// SPDX-License-Identifier: Apache-2.0
/*
 * mmap and munmap: where a mapping goes, what it may be, and how it comes and goes.
 */
#include "sentry/fs/vfs.h"
#include "sentry/mm/internal.h"

#define KNOWN_FLAGS                                                                          \
    (MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_DENYWRITE | MAP_EXECUTABLE | \
     MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB |    \
     MAP_32BIT | MAP_FIXED_NOREPLACE | (MAP_HUGE_MASK << MAP_HUGE_SHIFT))
#define LOW_END    0x80000000UL /* MAP_32BIT: below this */
#define LOW_BOTTOM 0x40000000UL

/* ---- where ---- */

static bool range_free(struct mm *mm, uva_t start, u64 len)
{
    struct vma *v = vma_find(mm, start);

    if (!v)
        return true;
    uva_t from = v->start;
    if (v->flags & VMA_GROWSDOWN)
        from = from > STACK_GUARD_GAP ? from - STACK_GUARD_GAP : 0;
    return from >= start + len;
}

/* A hole for len; large anonymous memory begins at a 2 MiB border so that it can have big pages. */
static uva_t find_hole(struct mm *mm, u64 len, u32 map_flags)
{
    bool align = MACHINE_HUGE_PAGES && len >= HUGE_SIZE && !(map_flags & MAP_STACK) &&
                 (map_flags & MAP_ANONYMOUS);
    u64 pad = align ? HUGE_SIZE - PAGE_SIZE : 0;
    uva_t at;

    if (map_flags & MAP_32BIT) {
        at = vma_gap_bottomup(mm, len + pad, LOW_BOTTOM, LOW_END);
        return at && align ? (at + pad) & PMD_MASK : at;
    }
    at = vma_gap_topdown(mm, len + pad, mm->mmap_min, mm->mmap_base);
    if (at && align)
        at = (at + pad) & PMD_MASK;
    if (!at)
        at = vma_gap_topdown(mm, len, mm->mmap_min, mm->mmap_base);
    if (!at) /* what is above the base: a small stack limit left room there */
        at = vma_gap_bottomup(mm, len, mm->mmap_base, USER_END);
    return at;
}

s64 mm_get_unmapped(struct mm *mm, uva_t hint, u64 len, u32 map_flags)
{
    if (len > USER_END)
        return -ENOMEM;
    if (map_flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
        if (hint > USER_END - len)
            return -ENOMEM;
        if (hint & ~PAGE_MASK)
            return -EINVAL;
        if (hint < mm->mmap_min && !capable(CAP_SYS_RAWIO))
            return -EPERM;
        if ((map_flags & MAP_FIXED_NOREPLACE) && !range_free(mm, hint, len))
            return -EEXIST;
        return (s64)hint;
    }
    hint = PAGE_ALIGN(hint);
    if (hint && hint < mm->mmap_min)
        hint = mm->mmap_min;
    if (hint && hint <= USER_END - len && range_free(mm, hint, len))
        return (s64)hint;
    hint = find_hole(mm, len, map_flags);
    return hint ? (s64)hint : -ENOMEM;
}

/* ---- taking away ---- */

int mm_unmap_locked(struct mm *mm, uva_t start, uva_t end, struct list *dead)
{
    struct vma *v = vma_find(mm, start), *next;
    int err;

    if (!v || v->start >= end)
        return 0;
    /* Everything that can fail comes before anything is changed. */
    err = pt_split_edges(mm, start, end);
    if (!err)
        err = vma_isolate(mm, start, end);
    if (err)
        return err;
    for (v = vma_find(mm, start); v && v->start < end; v = next) {
        next = vma_next(v);
        vma_unlink(v);
        list_add_tail(dead, &v->link);
    }
    mm_zap(mm, start, end, ZAP_TABLES);
    return 0;
}

int mm_munmap(struct mm *mm, uva_t addr, u64 len)
{
    struct list dead = LIST_INIT(dead);
    int err;

    if ((addr & ~PAGE_MASK) || addr > USER_END || len > USER_END - addr || !(len = PAGE_ALIGN(len)))
        return -EINVAL;
    down_write(&mm->lock);
    err = mm_unmap_locked(mm, addr, addr + len, &dead);
    up_write(&mm->lock);
    vma_free_list(&dead);
    return err;
}

/* ---- making ---- */

struct vma *vma_insert(struct vma *v)
{
    struct vma *prev = vma_find(v->mm, v->start - 1);

    if (vma_is_anon(v) && !v->file && prev && prev->end == v->start && vma_is_anon(prev) &&
        prev->prot == v->prot && prev->flags == v->flags && !prev->file &&
        !(v->flags & VMA_GROWSDOWN)) {
        vma_resize(prev, prev->start, v->end);
        vma_free(v);
        v = prev;
    } else {
        vma_link(v);
    }
    return vma_merge(v);
}

/* What a file allows. */
static int check_file(struct vfs_file *f, u32 prot, u32 flags, u32 *vma_flags)
{
    u32 type = flags & MAP_TYPE;

    if (type == MAP_SHARED_VALIDATE && (flags & ~KNOWN_FLAGS))
        return -EOPNOTSUPP;
    if (type == MAP_SHARED || type == MAP_SHARED_VALIDATE) {
        if ((prot & PROT_WRITE) && !(f->mode & FMODE_WRITE))
            return -EACCES;
        *vma_flags |= VMA_SHARED;
        if (f->mode & FMODE_WRITE)
            *vma_flags |= VMA_MAYWRITE;
    } else if (type == MAP_PRIVATE) {
        *vma_flags |= VMA_MAYWRITE;
    } else {
        return -EINVAL;
    }
    if (!(f->mode & FMODE_READ))
        return -EACCES;
    if ((prot & PROT_EXEC) && (f->path.mnt->flags & MS_NOEXEC))
        return -EPERM;
    if (!f->ops->mmap)
        return -ENODEV;
    return flags & MAP_GROWSDOWN ? -EINVAL : 0;
}

static int check_anon(u32 flags, u32 *vma_flags)
{
    u32 type = flags & MAP_TYPE;

    *vma_flags |= VMA_MAYWRITE;
    if (type == MAP_SHARED)
        *vma_flags |= VMA_SHARED;
    else if (type != MAP_PRIVATE)
        return -EINVAL;
    if (flags & MAP_HUGETLB) /* no such pages are set aside, as on most systems */
        return -ENOMEM;
    return (type == MAP_SHARED && (flags & MAP_GROWSDOWN)) ? -EINVAL : 0;
}

static u32 other_flags(struct mm *mm, u32 flags)
{
    u32 f = mm->def_flags;

    if (flags & MAP_GROWSDOWN)
        f |= VMA_GROWSDOWN;
    if (flags & MAP_LOCKED)
        f |= VMA_LOCKED;
    if (flags & MAP_STACK) /* thread stacks: a big page for a few kilobytes is a bad bargain */
        f |= VMA_NOHUGE;
    if (flags & MAP_NORESERVE)
        f |= VMA_NORESERVE;
    return f;
}

/* Attach the object to a new vma: file, shared memory, or nothing. */
static int attach_object(struct vma *v, struct vfs_file *file)
{
    int err = 0;

    if (file) {
        file_get(file);
        v->file = file;
        err = file->ops->mmap(file, v);
    } else if (v->flags & VMA_SHARED) {
        err = anon_shared_attach(v);
    }
    return err;
}

/* mm->lock held for write; range checked. The address, or -errno. */
static s64 map_locked(struct mm *mm, uva_t addr, u64 len, u32 prot, u32 flags, u32 vma_flags,
                      struct vfs_file *file, u64 pgoff, struct list *dead)
{
    struct vma *v;
    s64 at;
    int err;

    if (mm->nvmas >= MAX_MAP_COUNT)
        return -ENOMEM;
    at = mm_get_unmapped(mm, addr, len, flags);
    if (at < 0)
        return at;
    if ((vma_flags & VMA_LOCKED) && !mm_may_lock(mm, len >> PAGE_SHIFT))
        return -EAGAIN;
    if ((flags & MAP_FIXED) && (err = mm_unmap_locked(mm, (uva_t)at, (uva_t)at + len, dead)))
        return err;
    err = mm_may_expand(mm, vma_flags, prot, len >> PAGE_SHIFT);
    if (err)
        return err;
    v = vma_alloc(mm, (uva_t)at, (uva_t)at + len);
    if (!v)
        return -ENOMEM;
    v->prot = prot;
    v->flags = vma_flags;
    v->pgoff = pgoff;
    err = attach_object(v, file);
    if (err) {
        v->ops = NULL; /* nothing of it to close */
        list_add_tail(dead, &v->link);
        return err;
    }
    vma_insert(v);
    return at;
}

s64 mm_mmap(struct mm *mm, uva_t addr, u64 len, u32 prot, u32 flags, struct vfs_file *file,
            u64 offset)
{
    struct list dead = LIST_INIT(dead);
    u32 vma_flags = 0;
    int err;
    s64 at;

    if (!len || (offset & ~PAGE_MASK))
        return -EINVAL;
    if (flags & MAP_FIXED_NOREPLACE)
        flags &= ~(u32)MAP_FIXED;
    if (!(len = PAGE_ALIGN(len)) || len > USER_END)
        return -ENOMEM;
    if (offset + len < offset)
        return -EOVERFLOW;
    prot &= PROT_READ | PROT_WRITE | PROT_EXEC;
    err = file ? check_file(file, prot, flags, &vma_flags) : check_anon(flags, &vma_flags);
    if (err)
        return err;
    if ((prot & PROT_READ) && (current->personality & READ_IMPLIES_EXEC) &&
        !(file && (file->path.mnt->flags & MS_NOEXEC)))
        prot |= PROT_EXEC;
    vma_flags |= other_flags(mm, flags);
    if ((flags & MAP_LOCKED) && !capable(CAP_IPC_LOCK) && !rlimit(RLIMIT_MEMLOCK))
        return -EPERM;
    down_write(&mm->lock);
    at = map_locked(mm, addr, len, prot, flags, vma_flags, file, file ? offset >> PAGE_SHIFT : 0,
                    &dead);
    up_write(&mm->lock);
    vma_free_list(&dead);
    if (at >= 0 &&
        ((vma_flags & VMA_LOCKED) || (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE))
        mm_populate(mm, (uva_t)at, (uva_t)at + len);
    return at;
}

/* Both special mappings: given operations, no file. */
static s64 map_ops(struct mm *mm, uva_t addr, u64 len, u32 prot, u32 map_flags, u32 vma_flags,
                   const struct vma_ops *ops, void *private, u64 pgoff)
{
    struct list dead = LIST_INIT(dead);
    struct vma *v = NULL;
    int err = 0;
    s64 at;

    if (!(len = PAGE_ALIGN(len)))
        return -EINVAL;
    down_write(&mm->lock);
    at = mm->nvmas < MAX_MAP_COUNT ? mm_get_unmapped(mm, addr, len, map_flags) : -ENOMEM;
    if (at >= 0 && (map_flags & MAP_FIXED))
        err = mm_unmap_locked(mm, (uva_t)at, (uva_t)at + len, &dead);
    if (at >= 0 && !err)
        err = mm_may_expand(mm, vma_flags, prot, len >> PAGE_SHIFT);
    if (at >= 0 && !err && !(v = vma_alloc(mm, (uva_t)at, (uva_t)at + len)))
        err = -ENOMEM;
    if (v) {
        v->prot = prot;
        v->flags = vma_flags;
        v->ops = ops;
        v->private = private;
        v->pgoff = pgoff;
        if (ops->open)
            ops->open(v);
        vma_link(v);
    }
    up_write(&mm->lock);
    vma_free_list(&dead);
    return err ? err : at;
}

s64 mm_map_special(struct mm *mm, uva_t addr, u64 len, u32 prot, u32 vma_flags,
                   const struct vma_ops *ops, u64 pgoff)
{
    return map_ops(mm, addr, len, prot, 0, vma_flags | VMA_SPECIAL, ops, NULL, pgoff);
}

s64 mm_map_object(struct mm *mm, uva_t addr, u64 len, u32 prot, u32 map_flags,
                  const struct vma_ops *ops, void *private, u64 pgoff)
{
    return map_ops(mm, addr, len, prot, map_flags, VMA_SHARED | VMA_MAYWRITE | mm->def_flags, ops,
                   private, pgoff);
}
