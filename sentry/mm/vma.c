// SPDX-License-Identifier: Apache-2.0
/*
 * The vmas of an address space: a sorted list, and a treap over it in which every node knows the
 * largest hole in front of any vma below it, so that lookup, insertion and the search for free
 * space take logarithmic time.
 */
#include "sentry/fs/vfs.h"
#include "sentry/mm/internal.h"

static struct slab_cache *vma_cache;

void vma_init(void)
{
    vma_cache = slab_cache_create("vma", sizeof(struct vma), 8);
    BUG_ON(!vma_cache);
}

struct vma *vma_alloc(struct mm *mm, uva_t start, uva_t end)
{
    struct vma *v = slab_alloc(vma_cache);

    if (v) {
        v->mm = mm;
        v->start = start;
        v->end = end;
        list_init(&v->link);
        list_init(&v->mapping_link);
    }
    return v;
}

/* ---- the treap ---- */

/* Stacks keep a gap below them. */
static uva_t guarded_start(const struct vma *v)
{
    if (!(v->flags & VMA_GROWSDOWN))
        return v->start;
    return v->start > STACK_GUARD_GAP ? v->start - STACK_GUARD_GAP : 0;
}

static u64 gap_before(struct vma *v)
{
    struct vma *prev = vma_prev(v);
    uva_t from = prev ? prev->end : 0, to = guarded_start(v);

    return to > from ? to - from : 0;
}

static bool gap_refresh(struct vma *v)
{
    u64 max = gap_before(v);

    if (v->left)
        max = MAX(max, v->left->gap_max);
    if (v->right)
        max = MAX(max, v->right->gap_max);
    bool changed = v->gap_max != max;
    v->gap_max = max;
    return changed;
}

static void gap_propagate(struct vma *v)
{
    while (v && gap_refresh(v))
        v = v->up;
}

static struct vma **parent_slot(struct vma *v)
{
    if (!v->up)
        return &v->mm->root;
    return v->up->left == v ? &v->up->left : &v->up->right;
}

/* v takes its parent's place. */
static void rotate_up(struct vma *v)
{
    struct vma *p = v->up, *moved;

    *parent_slot(p) = v;
    v->up = p->up;
    if (p->left == v) {
        moved = v->right;
        p->left = moved;
        v->right = p;
    } else {
        moved = v->left;
        p->right = moved;
        v->left = p;
    }
    if (moved)
        moved->up = p;
    p->up = v;
    gap_refresh(p);
    gap_refresh(v);
}

static u32 random_priority(void)
{
    static u32 state = 2463534242u;
    u32 x = __atomic_load_n(&state, __ATOMIC_RELAXED);

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    __atomic_store_n(&state, x, __ATOMIC_RELAXED);
    return x;
}

static void treap_insert(struct vma *v)
{
    struct vma **slot = &v->mm->root, *up = NULL, *after = NULL;

    while (*slot) {
        up = *slot;
        if (v->start < up->start) {
            slot = &up->left;
        } else {
            after = up;
            slot = &up->right;
        }
    }
    if (after)
        list_add(&after->link, &v->link);
    else
        list_add(&v->mm->vmas, &v->link);
    v->left = v->right = NULL;
    v->up = up;
    v->prio = random_priority();
    v->gap_max = gap_before(v);
    *slot = v;
    while (v->up && v->up->prio < v->prio)
        rotate_up(v);
    gap_propagate(v->up);
    struct vma *next = vma_next(v);
    if (next)
        gap_propagate(next);
}

static void treap_remove(struct vma *v)
{
    struct vma *next = vma_next(v), *child;

    while (v->left && v->right)
        rotate_up(v->left->prio > v->right->prio ? v->left : v->right);
    child = v->left ? v->left : v->right;
    *parent_slot(v) = child;
    if (child)
        child->up = v->up;
    list_del(&v->link);
    gap_propagate(v->up);
    if (next)
        gap_propagate(next);
    v->left = v->right = v->up = NULL;
}

struct vma *vma_find(struct mm *mm, uva_t addr)
{
    struct vma *v = mm->root, *best = NULL;

    while (v) {
        if (v->end > addr) {
            best = v;
            if (v->start <= addr)
                break;
            v = v->left;
        } else {
            v = v->right;
        }
    }
    return best;
}

struct vma *vma_find_exact(struct mm *mm, uva_t addr)
{
    struct vma *v = vma_find(mm, addr);

    return v && v->start <= addr ? v : NULL;
}

/* ---- holes ---- */

static uva_t hole_in(struct vma *v, u64 len, uva_t low, uva_t high, bool topdown)
{
    struct vma *prev = vma_prev(v);
    uva_t from = MAX(prev ? prev->end : 0, low), to = MIN(guarded_start(v), high);

    if (to < from || to - from < len)
        return 0;
    return topdown ? to - len : from;
}

/* Highest hole in front of a vma of v's subtree; those at or above `high` are passed over. */
static uva_t search_down(struct vma *v, u64 len, uva_t low, uva_t high)
{
    uva_t at;

    if (!v || v->gap_max < len)
        return 0;
    if (v->end < high && (at = search_down(v->right, len, low, high)))
        return at;
    if ((at = hole_in(v, len, low, high, true)))
        return at;
    return v->start > low ? search_down(v->left, len, low, high) : 0;
}

static uva_t search_up(struct vma *v, u64 len, uva_t low, uva_t high)
{
    uva_t at;

    if (!v || v->gap_max < len)
        return 0;
    if (v->start > low && (at = search_up(v->left, len, low, high)))
        return at;
    if ((at = hole_in(v, len, low, high, false)))
        return at;
    return v->end < high ? search_up(v->right, len, low, high) : 0;
}

static uva_t last_end(struct mm *mm)
{
    return list_empty(&mm->vmas) ? 0 : list_last(&mm->vmas, struct vma, link)->end;
}

uva_t vma_gap_topdown(struct mm *mm, u64 len, uva_t low, uva_t high)
{
    uva_t from = MAX(last_end(mm), low);

    if (high > from && high - from >= len)
        return high - len;
    return search_down(mm->root, len, low, high);
}

uva_t vma_gap_bottomup(struct mm *mm, u64 len, uva_t low, uva_t high)
{
    uva_t at = search_up(mm->root, len, low, high), from;

    if (at)
        return at;
    from = MAX(last_end(mm), low);
    return high > from && high - from >= len ? from : 0;
}

/* ---- changes ---- */

static struct mapping *mapping_of(struct vma *v)
{
    return v->file && v->file->inode ? &v->file->inode->mapping : NULL;
}

void vma_count(struct vma *v, bool add)
{
    u64 pages = add ? vma_pages(v) : -vma_pages(v);

    v->mm->total_vm += pages;
    if ((v->prot & PROT_WRITE) && !(v->flags & (VMA_SHARED | VMA_GROWSDOWN)))
        v->mm->data_vm += pages;
    if (v->flags & VMA_LOCKED)
        v->mm->locked_vm += pages;
}

void vma_link(struct vma *v)
{
    struct mapping *m = mapping_of(v);

    treap_insert(v);
    v->mm->nvmas++;
    vma_count(v, true);
    if (m) {
        spin_lock(&m->lock);
        list_add_tail(&m->vmas, &v->mapping_link);
        spin_unlock(&m->lock);
    }
}

static void leave_mapping(struct vma *v)
{
    struct mapping *m = mapping_of(v);

    if (m) {
        spin_lock(&m->lock);
        list_del(&v->mapping_link);
        spin_unlock(&m->lock);
    }
}

void vma_unlink(struct vma *v)
{
    leave_mapping(v);
    treap_remove(v);
    v->mm->nvmas--;
    vma_count(v, false);
}

void vma_forget_all(struct mm *mm)
{
    struct vma *v;

    list_for_each (v, &mm->vmas, link)
        leave_mapping(v);
    mm->root = NULL;
}

void vma_resize(struct vma *v, uva_t start, uva_t end)
{
    struct mapping *m = mapping_of(v);
    struct vma *next;

    vma_count(v, false);
    if (m)
        spin_lock(&m->lock);
    v->pgoff += (u64)((s64)(start - v->start) >> PAGE_SHIFT);
    v->start = start;
    v->end = end;
    if (m)
        spin_unlock(&m->lock);
    vma_count(v, true);
    gap_propagate(v);
    if ((next = vma_next(v)))
        gap_propagate(next);
}

struct vma *vma_dup(struct vma *v, struct mm *mm, uva_t start, uva_t end)
{
    struct vma *n = vma_alloc(mm, start, end);

    if (!n)
        return NULL;
    n->prot = v->prot;
    n->flags = v->flags;
    n->file = v->file;
    n->pgoff = vma_index(v, start);
    n->ops = v->ops;
    n->private = v->private;
    if (n->file)
        file_get(n->file);
    if (n->ops && n->ops->open)
        n->ops->open(n);
    return n;
}

int vma_split(struct vma *v, uva_t addr, struct vma **upper)
{
    struct vma *n;

    if (v->mm->nvmas >= MAX_MAP_COUNT)
        return -ENOMEM;
    n = vma_dup(v, v->mm, addr, v->end);
    if (!n)
        return -ENOMEM;
    vma_resize(v, v->start, addr);
    vma_link(n);
    if (upper)
        *upper = n;
    return 0;
}

int vma_isolate(struct mm *mm, uva_t start, uva_t end)
{
    struct vma *v = vma_find(mm, start);
    int err = 0;

    if (v && v->start < start)
        err = vma_split(v, start, NULL);
    if (!err && (v = vma_find(mm, end)) && v->start < end)
        err = vma_split(v, end, NULL);
    return err;
}

static bool alike(struct vma *a, struct vma *b)
{
    if (a->end != b->start || a->prot != b->prot || a->flags != b->flags || a->file != b->file ||
        a->ops != b->ops || a->private != b->private || (a->flags & (VMA_SPECIAL | VMA_GROWSDOWN)))
        return false;
    if (a->ops && (a->ops->close || a->ops->open))
        return false;
    return vma_is_anon(a) || a->pgoff + vma_pages(a) == b->pgoff;
}

/* b, which follows a, becomes part of it. */
static void absorb(struct vma *a, struct vma *b)
{
    uva_t end = b->end;

    vma_unlink(b);
    vma_resize(a, a->start, end);
    if (b->file)
        file_put(b->file); /* a has one too: not the last */
    slab_free(vma_cache, b);
}

struct vma *vma_merge(struct vma *v)
{
    struct vma *other = vma_prev(v);

    if (other && alike(other, v)) {
        absorb(other, v);
        v = other;
    }
    other = vma_next(v);
    if (other && alike(v, other))
        absorb(v, other);
    return v;
}

void vma_free(struct vma *v)
{
    if (v->ops && v->ops->close)
        v->ops->close(v);
    if (v->file)
        file_put(v->file);
    slab_free(vma_cache, v);
}

void vma_free_list(struct list *dead)
{
    while (!list_empty(dead)) {
        struct vma *v = list_first(dead, struct vma, link);
        list_del(&v->link);
        vma_free(v);
    }
}
