// SPDX-License-Identifier: Apache-2.0
/*
 * Pages of RAM by index: a radix tree with a lock and references.
 */
#include "sentry/fs/pagetree.h"

#define BATCH 32

struct page *pagetree_get(struct pagetree *t, u64 index)
{
    struct page *p;

    if (!__atomic_load_n(&t->count, __ATOMIC_RELAXED))
        return NULL;
    spin_lock(&t->lock);
    p = radix_get(&t->tree, index);
    if (p)
        page_get(p);
    spin_unlock(&t->lock);
    return p;
}

int pagetree_insert(struct pagetree *t, u64 index, struct page *p)
{
    int err = -EEXIST;

    spin_lock(&t->lock);
    if (!radix_get(&t->tree, index))
        err = radix_set(&t->tree, index, p);
    if (!err) {
        page_get(p);
        t->count++;
    }
    spin_unlock(&t->lock);
    return err;
}

u64 pagetree_next(struct pagetree *t, u64 index)
{
    void *p;

    spin_lock(&t->lock);
    p = radix_next(&t->tree, &index);
    spin_unlock(&t->lock);
    return p ? index : U64_MAX;
}

void pagetree_remove(struct pagetree *t, u64 first, u64 last)
{
    struct page *batch[BATCH];
    unsigned n;

    do {
        n = 0;
        spin_lock(&t->lock);
        while (n < BATCH && radix_next(&t->tree, &first) && first <= last) {
            batch[n++] = radix_remove(&t->tree, first);
            t->count--;
        }
        spin_unlock(&t->lock);
        pages_put(batch, n);
    } while (n == BATCH);
}
