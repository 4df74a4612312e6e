// SPDX-License-Identifier: Apache-2.0
/*
 * The table of a directory's changed names: a list in the order of making, and hash chains once
 * there are a few.
 */
#include "sentry/fs/overlay/overlay.h"

#define MIN_BUCKETS 16

void overlay_names_init(struct overlay_names *t)
{
    list_init(&t->all);
}

static u32 hash_name(const char *name, size_t len)
{
    u32 h = 2166136261u;

    while (len--)
        h = (h ^ (u8)*name++) * 16777619u;
    return h;
}

struct overlay_name *overlay_name_find(const struct overlay_names *t, const char *name, size_t len)
{
    struct overlay_name *n;
    u32 h;

    if (!t->count)
        return NULL;
    h = hash_name(name, len);
    for (n = t->buckets[h % t->nbuckets]; n; n = n->next) {
        if (n->hash == h && n->len == len && !memcmp(n->name, name, len))
            return n;
    }
    return NULL;
}

struct overlay_name *overlay_name_new(const char *name, size_t len)
{
    struct overlay_name *n = kzalloc(sizeof(*n) + len + 1);

    if (!n)
        return NULL;
    list_init(&n->link);
    n->hash = hash_name(name, len);
    n->len = (u8)len;
    memcpy(n->name, name, len);
    return n;
}

/* Room for one more: without memory for a larger table the chains get longer. */
static int grow(struct overlay_names *t)
{
    u32 want = t->nbuckets ? t->nbuckets * 2 : MIN_BUCKETS;
    struct overlay_name **buckets, *n;

    if (t->count < t->nbuckets)
        return 0;
    buckets = kzalloc(want * sizeof(*buckets));
    if (!buckets)
        return t->nbuckets ? 0 : -ENOMEM;
    kfree(t->buckets);
    t->buckets = buckets;
    t->nbuckets = want;
    list_for_each (n, &t->all, link) {
        n->next = buckets[n->hash % want];
        buckets[n->hash % want] = n;
    }
    return 0;
}

int overlay_name_insert(struct overlay_names *t, struct overlay_name *n)
{
    struct overlay_name **b;
    int err = grow(t);

    if (err)
        return err;
    b = &t->buckets[n->hash % t->nbuckets];
    n->next = *b;
    *b = n;
    list_add_tail(&t->all, &n->link);
    t->count++;
    return 0;
}

void overlay_name_remove(struct overlay_names *t, struct overlay_name *n)
{
    struct overlay_name **p = &t->buckets[n->hash % t->nbuckets];

    while (*p != n)
        p = &(*p)->next;
    *p = n->next;
    list_del(&n->link);
    t->count--;
    kfree(n);
}

void overlay_names_free(struct overlay_names *t)
{
    while (!list_empty(&t->all)) {
        struct overlay_name *n = list_first(&t->all, struct overlay_name, link);
        list_del(&n->link);
        inode_put(n->inode);
        kfree(n);
    }
    kfree(t->buckets);
}
