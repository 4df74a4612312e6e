// SPDX-License-Identifier: Apache-2.0
/*
 * Hash table with chains, doubled when there are as many elements as buckets.
 */
#include "sentry/lib/hashtab.h"
#include "sentry/mm/mm.h"

#define MIN_SIZE 16

static void chain(struct hashtab *t, struct hash_link *l)
{
    struct hash_link **b = &t->buckets[l->hash & (t->size - 1)];

    l->next = *b;
    l->at = b;
    if (l->next)
        l->next->at = &l->next;
    *b = l;
}

/* Without memory for a larger table the chains get longer. */
static void grow(struct hashtab *t)
{
    u32 old_size = t->size, size = old_size ? old_size * 2 : MIN_SIZE;
    struct hash_link **buckets = kzalloc(size * sizeof(*buckets)), **old = t->buckets;

    if (!buckets)
        return;
    t->buckets = buckets;
    t->size = size;
    for (u32 i = 0; i < old_size; i++) {
        for (struct hash_link *l = old[i], *next; l; l = next) {
            next = l->next;
            chain(t, l);
        }
    }
    kfree(old);
}

int hashtab_add(struct hashtab *t, struct hash_link *l, u32 hash)
{
    if (t->count >= t->size)
        grow(t);
    if (!t->size)
        return -ENOMEM;
    l->hash = hash;
    chain(t, l);
    t->count++;
    return 0;
}

void hashtab_del(struct hashtab *t, struct hash_link *l)
{
    if (!l->at)
        return;
    *l->at = l->next;
    if (l->next)
        l->next->at = l->at;
    l->at = NULL;
    t->count--;
}

void hashtab_destroy(struct hashtab *t)
{
    kfree(t->buckets);
    *t = (struct hashtab){0};
}
