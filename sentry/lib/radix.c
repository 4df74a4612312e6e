// SPDX-License-Identifier: Apache-2.0
/*
 * Radix tree of 64-way nodes that grows at the root and frees nodes that become empty.
 */
#include "sentry/lib/lib.h"
#include "sentry/lib/radix.h"
#include "sentry/mm/mm.h"

#define BITS   6
#define WIDTH  (1u << BITS)
#define MASK   (WIDTH - 1)
#define LEVELS 11 /* 64 bits in steps of 6 */

struct node {
    void *slot[WIDTH];
    u32 count; /* slots in use */
};

static unsigned shift_of(u32 level)
{
    return BITS * (level - 1);
}

/* Does the index fit a tree of this height? */
static bool fits(u64 index, u32 height)
{
    return height >= LEVELS || !(index >> (BITS * height));
}

void *radix_get(const struct radix *r, u64 index)
{
    void *p = r->root;

    if (!fits(index, r->height))
        return NULL;
    for (u32 level = r->height; p && level; level--)
        p = ((struct node *)p)->slot[(index >> shift_of(level)) & MASK];
    return p;
}

static int grow(struct radix *r, u64 index)
{
    while (!fits(index, r->height)) {
        if (r->root) {
            struct node *n = kzalloc(sizeof(*n));
            if (!n)
                return -ENOMEM;
            n->slot[0] = r->root;
            n->count = 1;
            r->root = n;
        }
        r->height++;
    }
    return 0;
}

int radix_set(struct radix *r, u64 index, void *item)
{
    void **slot = &r->root;
    struct node *parent = NULL;

    if (grow(r, index))
        return -ENOMEM;
    for (u32 level = r->height; level; level--) {
        struct node *n = *slot;
        if (!n) {
            n = kzalloc(sizeof(*n));
            if (!n)
                return -ENOMEM; /* an empty branch may stay; lookups see NULL in it */
            *slot = n;
            if (parent)
                parent->count++;
        }
        parent = n;
        slot = &n->slot[(index >> shift_of(level)) & MASK];
    }
    if (!*slot && parent)
        parent->count++;
    *slot = item;
    return 0;
}

void *radix_remove(struct radix *r, u64 index)
{
    struct node *path[LEVELS];
    unsigned at[LEVELS];
    u32 depth = 0;
    void *p = r->root;

    if (!fits(index, r->height))
        return NULL;
    for (u32 level = r->height; p && level; level--) {
        path[depth] = p;
        at[depth] = (index >> shift_of(level)) & MASK;
        p = path[depth]->slot[at[depth]];
        depth++;
    }
    if (!p)
        return NULL;
    while (depth) {
        struct node *n = path[--depth];
        n->slot[at[depth]] = NULL;
        if (--n->count)
            return p;
        kfree(n);
    }
    *r = (struct radix){0};
    return p;
}

void *radix_next(const struct radix *r, u64 *index)
{
    u64 i = *index;

    if (!r->root)
        return NULL;
    while (fits(i, r->height)) {
        void *p = r->root;
        u32 level;
        for (level = r->height; level; level--) {
            p = ((struct node *)p)->slot[(i >> shift_of(level)) & MASK];
            if (!p)
                break;
        }
        if (p) {
            *index = i;
            return p;
        }
        /* Nothing below this slot: on to the next one of the same level. */
        u64 step = 1ULL << shift_of(level), next = (i & ~(step - 1)) + step;
        if (next <= i || !r->height)
            return NULL;
        i = next;
    }
    return NULL;
}
