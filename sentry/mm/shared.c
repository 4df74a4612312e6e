// SPDX-License-Identifier: Apache-2.0
/*
 * MAP_SHARED|MAP_ANONYMOUS: an object of its own pages, shared by the mappings that fork made of
 * it. Pages hang in a radix tree whose nodes are pages of 512 pointers.
 */
#include "sentry/mm/internal.h"

#define NODE_BITS 9
#define NODE_SIZE (1u << NODE_BITS)

/* Owned by its mappings together. lock guards the tree; npages is constant. */
struct anon_shared {
    refcount_t refs;
    struct spinlock lock;
    u64 npages;
    int height; /* levels of nodes */
    void *root; /* a node; leaves hold struct page pointers with a reference */
};

/* Slot of a page; NULL when there is no memory for the nodes. a->lock held. */
static void **slot_of(struct anon_shared *a, u64 index)
{
    void **slot = &a->root;

    for (int l = a->height - 1; l >= 0; l--) {
        if (!*slot) {
            struct page *p = page_alloc(0, PAGE_ALLOC_ZERO | PAGE_ALLOC_USER);
            if (!p)
                return NULL;
            *slot = page_virt(p);
        }
        slot = (void **)*slot + ((index >> (NODE_BITS * l)) & (NODE_SIZE - 1));
    }
    return slot;
}

static int shared_fault(struct vma *v, u64 index, bool write, struct fault_page *out)
{
    struct anon_shared *a = v->private;
    struct page *fresh = NULL, *p = NULL;
    void **slot;
    int err = -ENOMEM;

    if (index >= a->npages)
        return -EFAULT;
    spin_lock(&a->lock);
    slot = slot_of(a, index);
    if (slot && !*slot) {
        spin_unlock(&a->lock);
        fresh = page_alloc(0, PAGE_ALLOC_ZERO | PAGE_ALLOC_USER);
        if (!fresh)
            return -ENOMEM;
        spin_lock(&a->lock);
        if (!*slot) {
            *slot = fresh;
            fresh = NULL;
        }
    }
    if (slot) {
        p = *slot;
        page_get(p);
        err = 0;
    }
    spin_unlock(&a->lock);
    if (fresh)
        page_put(fresh);
    if (!err)
        *out = (struct fault_page){.pa = page_to_phys(p), .writable = true};
    return err;
}

static void free_node(void **node, int level)
{
    for (unsigned i = 0; i < NODE_SIZE; i++) {
        if (!node[i])
            continue;
        if (level)
            free_node(node[i], level - 1);
        else
            page_put(node[i]);
    }
    page_put(page_of(virt_to_phys(node)));
}

static void shared_open(struct vma *v)
{
    struct anon_shared *a = v->private;

    ref_get(&a->refs);
}

static void shared_close(struct vma *v)
{
    struct anon_shared *a = v->private;

    if (!ref_put(&a->refs))
        return;
    if (a->root)
        free_node(a->root, a->height - 1);
    kfree(a);
}

static const char *shared_name(struct vma *v)
{
    return "/dev/zero (deleted)";
}

const struct vma_ops anon_shared_ops = {
    .fault = shared_fault,
    .open = shared_open,
    .close = shared_close,
    .name = shared_name,
};

int anon_shared_attach(struct vma *v)
{
    struct anon_shared *a = kzalloc(sizeof(*a));

    if (!a)
        return -ENOMEM;
    ref_init(&a->refs, 1);
    a->npages = vma_pages(v);
    a->height = 1;
    while (a->npages > 1UL << (NODE_BITS * a->height))
        a->height++;
    v->private = a;
    v->ops = &anon_shared_ops;
    return 0;
}
