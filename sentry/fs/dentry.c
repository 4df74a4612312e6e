// SPDX-License-Identifier: Apache-2.0
//
// The life of dentries. A dentry without references stays findable, in an LRU list of bounded
// length, until it is reclaimed; its inode goes with it. Inodes are never put with the lock held,
// because that may sleep.

#include "sentry/fs/dcache.h"

#define UNUSED_MAX   32768
#define SHRINK_BATCH 64

static struct list lru = LIST_INIT(lru); /* unused ones; the oldest is the last */
static unsigned nr_unused;
static struct slab_cache *dentry_cache;

void dcache_init(void)
{
    dentry_cache = slab_cache_create("dentry", sizeof(struct dentry), 64);
}

static struct dentry *dentry_make(struct super *sb, struct dentry *parent, const char *name,
                                  size_t len)
{
    struct dentry *d = slab_alloc(dentry_cache);

    if (!d)
        return NULL;
    d->name = d->inline_name;
    if (len >= sizeof(d->inline_name)) {
        d->name = kmalloc(len + 1);
        if (!d->name) {
            slab_free(dentry_cache, d);
            return NULL;
        }
    }
    memcpy(d->name, name, len);
    d->name[len] = 0;
    d->name_len = (u32)len;
    ref_init(&d->refs, 1);
    d->sb = sb;
    d->parent = parent ? parent : d;
    list_init(&d->hash_link);
    list_init(&d->sibling);
    list_init(&d->children);
    list_init(&d->lru);
    return d;
}

struct dentry *dentry_alloc(struct dentry *dir, const char *name, size_t len)
{
    struct dentry *d = dentry_make(dir->sb, dir, name, len);

    if (!d)
        return NULL;
    dentry_get(dir);
    d->hash = dentry_hash(dir, name, len);
    return d;
}

struct dentry *dentry_new_root(struct super *sb, struct inode *root)
{
    struct dentry *d = dentry_make(sb, NULL, "/", 1);

    if (!d) {
        inode_put(root);
        return NULL;
    }
    d->inode = root;
    return d;
}

struct dentry *dentry_new_pseudo(const char *name, struct inode *i)
{
    struct dentry *d = dentry_make(i->sb, NULL, name, strlen(name));

    if (!d) {
        inode_put(i);
        return NULL;
    }
    d->flags = DENTRY_PSEUDO;
    d->inode = i;
    return d;
}

static void dentry_free(struct dentry *d)
{
    if (d->sb->ops && d->sb->ops->dentry_free)
        d->sb->ops->dentry_free(d);
    inode_put(d->inode);
    if (d->name != d->inline_name)
        kfree(d->name);
    slab_free(dentry_cache, d);
}

static void lru_remove(struct dentry *d)
{
    if (!list_empty(&d->lru)) {
        list_del(&d->lru);
        nr_unused--;
    }
}

/* Take a dentry without references out of every list. Locked. */
static void dentry_unlink(struct dentry *d)
{
    lru_remove(d);
    list_del(&d->hash_link);
    list_del(&d->sibling);
}

void dentry_get(struct dentry *d)
{
    ref_get(&d->refs);
}

/* Drop a reference unless it is the last one. */
static bool put_not_last(struct dentry *d)
{
    u32 n = ref_read(&d->refs);

    while (n > 1)
        if (__atomic_compare_exchange_n(&d->refs.n, &n, n - 1, true, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return true;
    return false;
}

void dentry_put(struct dentry *d)
{
    while (d && !put_not_last(d)) {
        spin_lock(&dcache_lock);
        if (!ref_put(&d->refs)) {
            spin_unlock(&dcache_lock);
            return;
        }
        if (dentry_hashed(d)) {
            if (list_empty(&d->lru)) {
                list_add(&lru, &d->lru);
                nr_unused++;
            }
            bool full = nr_unused > UNUSED_MAX;
            spin_unlock(&dcache_lock);
            if (full)
                dcache_shrink(SHRINK_BATCH);
            return;
        }
        dentry_unlink(d);
        spin_unlock(&dcache_lock);
        struct dentry *parent = d->parent != d ? d->parent : NULL;
        dentry_free(d);
        d = parent;
    }
}

/* Free a list (linked by lru) of dentries that are in no other list any more. */
static void free_batch(struct list *batch)
{
    while (!list_empty(batch)) {
        struct dentry *d = list_first(batch, struct dentry, lru);
        struct dentry *parent = d->parent;
        list_del(&d->lru);
        dentry_free(d);
        dentry_put(parent);
    }
}

void dcache_shrink(unsigned n)
{
    struct list batch = LIST_INIT(batch);

    spin_lock(&dcache_lock);
    while (n && !list_empty(&lru)) {
        struct dentry *d = list_last(&lru, struct dentry, lru);
        lru_remove(d);
        if (ref_read(&d->refs))
            continue; /* came into use again; goes back to the list when it is put */
        dentry_unlink(d);
        list_add_tail(&batch, &d->lru);
        n--;
    }
    spin_unlock(&dcache_lock);
    free_batch(&batch);
}

void dentry_drop_children(struct dentry *dir)
{
    struct dentry *d, *tmp;
    bool again = true;

    while (again) {
        struct list batch = LIST_INIT(batch);
        struct dentry *sub = NULL;
        again = false;
        spin_lock(&dcache_lock);
        list_for_each_safe (d, tmp, &dir->children, sibling) {
            if (!ref_read(&d->refs)) {
                dentry_unlink(d);
                list_add_tail(&batch, &d->lru);
            }
        }
        list_for_each (d, &dir->children, sibling) {
            /* A directory that only its own children hold: empty it first, then look again. */
            if (!list_empty(&d->children) && !(d->flags & DENTRY_MOUNTED)) {
                struct dentry *c = list_first(&d->children, struct dentry, sibling);
                if (!ref_read(&c->refs)) {
                    dentry_get(d);
                    sub = d;
                    break;
                }
            }
        }
        spin_unlock(&dcache_lock);
        free_batch(&batch);
        if (sub) {
            dentry_drop_children(sub);
            dentry_put(sub);
            again = true;
        }
    }
}

void dentry_free_tree(struct dentry *root)
{
    struct dentry *d = root;

    for (;;) {
        spin_lock(&dcache_lock);
        while (!list_empty(&d->children))
            d = list_first(&d->children, struct dentry, sibling);
        if (ref_read(&d->refs) > 1) {
            spin_unlock(&dcache_lock);
            log_warn("vfs: %s/%s is still in use after unmount", d->sb->type, d->name);
            return;
        }
        dentry_unlink(d);
        if (d != d->parent)
            ref_put(&d->parent->refs);
        spin_unlock(&dcache_lock);
        struct dentry *up = d->parent;
        bool last = d == root;
        dentry_free(d);
        if (last)
            return;
        d = up;
    }
}

void path_get(const struct path *p)
{
    mount_get(p->mnt);
    dentry_get(p->dentry);
}

void path_put(const struct path *p)
{
    if (p->dentry)
        dentry_put(p->dentry);
    if (p->mnt)
        mount_put(p->mnt);
}
