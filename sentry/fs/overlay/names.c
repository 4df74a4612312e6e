// SPDX-License-Identifier: Apache-2.0
/*
 * The table of a directory's changed names.
 */
#include "sentry/fs/overlay/overlay.h"

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
    struct hash_link *l;
    u32 h;

    if (!t->table.count)
        return NULL;
    h = hash_name(name, len);
    for (l = hashtab_first(&t->table, h); l; l = l->next) {
        struct overlay_name *n = container_of(l, struct overlay_name, hash_link);
        if (l->hash == h && n->len == len && !memcmp(n->name, name, len))
            return n;
    }
    return NULL;
}

struct overlay_name *overlay_name_add(struct overlay_names *t, const char *name, size_t len)
{
    struct overlay_name *n = kzalloc(sizeof(*n) + len);

    if (!n)
        return NULL;
    n->len = (u8)len;
    memcpy(n->name, name, len);
    if (hashtab_add(&t->table, &n->hash_link, hash_name(name, len))) {
        kfree(n);
        return NULL;
    }
    list_add_tail(&t->all, &n->link);
    return n;
}

void overlay_name_remove(struct overlay_names *t, struct overlay_name *n)
{
    hashtab_del(&t->table, &n->hash_link);
    list_del(&n->link);
    kfree(n);
}

void overlay_names_free(struct overlay_names *t)
{
    while (!list_empty(&t->all)) {
        struct overlay_name *n = list_first(&t->all, struct overlay_name, link);
        inode_put(n->inode);
        overlay_name_remove(t, n);
    }
    hashtab_destroy(&t->table);
}
