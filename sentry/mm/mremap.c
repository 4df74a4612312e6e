// SPDX-License-Identifier: Apache-2.0
/*
 * mremap(2): shrink, grow in place, or move. Entries move by whole tables where both places are
 * aligned alike.
 */
#include "sentry/fs/vfs.h"
#include "sentry/mm/internal.h"

/* One call; mm->lock held for write from start to end. */
struct remap {
    struct mm *mm;
    uva_t old, new;
    u64 old_len, new_len;
    u32 flags;
    struct list dead;
};

/* The entry of va in the table of level 2, or NULL: no such table (and no memory for one, with
 * alloc). */
static pte_t *pd_entry(struct mm *mm, uva_t va, bool alloc)
{
    pte_t *table = phys_to_virt(mm->pgd);

    for (int l = 4; l > 2; l--) {
        pte_t *e = &table[pt_index(va, l)];
        if (!*e) {
            pa_t pa = alloc ? pt_alloc_table() : 0;
            if (!pa)
                return NULL;
            pte_set(e, pa | PTE_P | PTE_W | PTE_U | PTE_A);
        }
        table = pt_table(*e);
    }
    return &table[pt_index(va, 2)];
}

/* Move what one entry of level 2 covers: [from, from + n), n <= 2 MiB to the border. pt_lock. */
static int move_chunk(struct mm *mm, uva_t from, uva_t to, u64 n)
{
    pte_t *src = pd_entry(mm, from, false), *dst;
    int level;

    if (!src || !*src)
        return 0;
    if (n == HUGE_SIZE && !(to & ~PMD_MASK)) {
        dst = pd_entry(mm, to, true);
        if (!dst)
            return -ENOMEM;
        if (!*dst) {
            pte_set(dst, *src);
            pte_set(src, 0);
            return 0;
        }
    }
    if ((*src & PTE_PS) && pt_split_huge(mm, from))
        return -ENOMEM;
    pte_t *table = pt_table(*src);
    for (u64 off = 0; off < n; off += PAGE_SIZE) {
        pte_t *e = &table[pt_index(from + off, 1)];
        if (!*e)
            continue;
        dst = pt_walk(mm, to + off, 1, &level);
        if (!dst || level != 1)
            return -ENOMEM;
        pte_set(dst, *e);
        pte_set(e, 0);
    }
    return 0;
}

/* Move the entries of [from, from + len); how far it came. The target is empty. */
static u64 move_entries(struct mm *mm, uva_t from, uva_t to, u64 len)
{
    u64 done = 0;
    int err = 0;

    while (done < len) {
        u64 n = MIN(len - done, HUGE_SIZE - ((from + done) & ~PMD_MASK));
        spin_lock(&mm->pt_lock);
        err = move_chunk(mm, from + done, to + done, n);
        spin_unlock(&mm->pt_lock);
        if (err)
            break;
        done += n;
    }
    return done;
}

static s64 move(struct remap *r, struct vma *v)
{
    struct mm *mm = r->mm;
    u64 len = MIN(r->old_len, r->new_len), moved;
    struct vma *n;
    int err;

    if (mm->nvmas >= MAX_MAP_COUNT - 3)
        return -ENOMEM;
    err = pt_split_edges(mm, r->old, r->old + len);
    if (err)
        return err;
    n = vma_dup(v, mm, r->old, r->old);
    if (!n)
        return -ENOMEM;
    n->start = r->new;
    n->end = r->new + r->new_len;
    vma_link(n);
    moved = move_entries(mm, r->old, r->new, len);
    if (moved < len) { /* back again: the tables for it are there */
        u64 chunk = MIN(len - moved, HUGE_SIZE);
        move_entries(mm, r->new, r->old, moved + chunk);
        vma_unlink(n);
        list_add_tail(&r->dead, &n->link);
        return -ENOMEM;
    }
    if (len)
        mspace_flush(mm, r->old, r->old + len);
    if (r->old_len && !(r->flags & MREMAP_DONTUNMAP)) {
        err = mm_unmap_locked(mm, r->old, r->old + r->old_len, &r->dead);
        if (err) /* no memory to split the old vma: it stays, empty, behind the moved pages */
            log_info("mremap: old range kept: error %d", -err);
    } else if (r->flags & MREMAP_DONTUNMAP) {
        vma_count(v, false);
        v->flags &= ~VMA_LOCKED;
        vma_count(v, true);
    }
    vma_merge(n);
    return (s64)r->new;
}

/* May v's part at r->old become r->new_len long? */
static int may_resize(struct remap *r, struct vma *v)
{
    u64 more = r->new_len > r->old_len ? (r->new_len - r->old_len) >> PAGE_SHIFT : 0;

    if (!r->old_len && !(v->flags & VMA_SHARED))
        return -EINVAL;
    if (v->flags & VMA_SPECIAL && r->new_len != r->old_len)
        return -EFAULT;
    if ((r->flags & MREMAP_DONTUNMAP) && (v->flags & VMA_SPECIAL))
        return -EINVAL;
    if (r->old_len > v->end - r->old)
        return -EFAULT;
    if ((v->flags & VMA_LOCKED) && !mm_may_lock(r->mm, more))
        return -EAGAIN;
    return mm_may_expand(r->mm, v->flags, v->prot, more);
}

static s64 remap_to(struct remap *r)
{
    struct mm *mm = r->mm;
    struct vma *v;
    s64 at;
    int err;

    if ((r->new & ~PAGE_MASK) || r->new_len > USER_END || r->new > USER_END - r->new_len)
        return -EINVAL;
    if (r->old + r->old_len > r->new && r->new + r->new_len > r->old)
        return -EINVAL;
    if ((r->flags & MREMAP_FIXED) && r->new < mm->mmap_min && !capable(CAP_SYS_RAWIO))
        return -EPERM;
    if ((r->flags & MREMAP_FIXED) &&
        (err = mm_unmap_locked(mm, r->new, r->new + r->new_len, &r->dead)))
        return err;
    if (r->old_len > r->new_len) {
        err = mm_unmap_locked(mm, r->old + r->new_len, r->old + r->old_len, &r->dead);
        if (err)
            return err;
        r->old_len = r->new_len;
    }
    v = vma_find_exact(mm, r->old);
    if (!v)
        return -EFAULT;
    err = may_resize(r, v);
    if (err)
        return err;
    at = mm_get_unmapped(mm, r->new, r->new_len, r->flags & MREMAP_FIXED ? MAP_FIXED : 0);
    if (at < 0)
        return at;
    r->new = (uva_t)at;
    return move(r, v);
}

static bool may_grow_in_place(struct remap *r, struct vma *v)
{
    uva_t end = r->old + r->new_len;
    struct vma *next = vma_next(v);
    u64 gap = next && (next->flags & VMA_GROWSDOWN) ? STACK_GUARD_GAP : 0;

    return r->old + r->old_len == v->end && end > v->end && end <= USER_END &&
           (!next || end + gap <= next->start);
}

static s64 remap_locked(struct remap *r)
{
    struct mm *mm = r->mm;
    struct vma *v = vma_find_exact(mm, r->old);
    s64 at;
    int err;

    if (!v)
        return -EFAULT;
    if (r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
        return remap_to(r);
    if (r->old_len >= r->new_len) {
        err = r->old_len == r->new_len
                  ? 0
                  : mm_unmap_locked(mm, r->old + r->new_len, r->old + r->old_len, &r->dead);
        return err ? err : (s64)r->old;
    }
    err = may_resize(r, v);
    if (err)
        return err;
    if (may_grow_in_place(r, v)) {
        vma_resize(v, v->start, r->old + r->new_len);
        vma_merge(v);
        return (s64)r->old;
    }
    if (!(r->flags & MREMAP_MAYMOVE))
        return -ENOMEM;
    at = mm_get_unmapped(mm, 0, r->new_len, vma_is_anon(v) ? MAP_ANONYMOUS : 0);
    if (at < 0)
        return at;
    r->new = (uva_t)at;
    return move(r, v);
}

s64 mm_mremap(struct mm *mm, uva_t old, u64 old_len, u64 new_len, u32 flags, uva_t new)
{
    struct remap r = {.mm = mm, .old = old, .new = new, .flags = flags};
    s64 at;

    if (flags & ~(u32)(MREMAP_FIXED | MREMAP_MAYMOVE | MREMAP_DONTUNMAP))
        return -EINVAL;
    if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(flags & MREMAP_MAYMOVE))
        return -EINVAL;
    r.old_len = PAGE_ALIGN(old_len);
    r.new_len = PAGE_ALIGN(new_len);
    if ((flags & MREMAP_DONTUNMAP) && r.old_len != r.new_len)
        return -EINVAL;
    if ((old & ~PAGE_MASK) || !r.new_len || old >= USER_END || r.old_len > USER_END - old)
        return -EINVAL;
    list_init(&r.dead);
    down_write(&mm->lock);
    at = remap_locked(&r);
    struct vma *v = at > 0 ? vma_find_exact(mm, (uva_t)at) : NULL;
    bool locked = v && (v->flags & VMA_LOCKED);
    up_write(&mm->lock);
    vma_free_list(&r.dead);
    if (locked && r.new_len > r.old_len)
        mm_populate(mm, (uva_t)at + r.old_len, (uva_t)at + r.new_len);
    return at;
}
