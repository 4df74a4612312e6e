// SPDX-License-Identifier: Apache-2.0
//
// The dentry cache: names that were looked up, found or not. One hash table; names that nobody uses
// wait in an LRU list of bounded length. A dentry without references stays findable until it is
// reclaimed; its inode goes with it. Inodes are never put with the lock held, because that may
// sleep.

#include "sentry/fs/internal.h"

#define HASH_BUCKETS 8192
#define UNUSED_MAX   32768
#define SHRINK_BATCH 64

/* Guards hash chains, lru, children lists, names, parents and the step of refs to and from zero. */
static struct spinlock dcache_lock;
static struct list hash_table[HASH_BUCKETS];
static struct list lru = LIST_INIT(lru); /* unused ones; the oldest is the last */
static unsigned nr_unused;
static struct slab_cache *dentry_cache;

void dcache_init(void)
{
    dentry_cache = slab_cache_create("dentry", sizeof(struct dentry), 64);
}

void dcache_lock_names(void)
{
    spin_lock(&dcache_lock);
}

void dcache_unlock_names(void)
{
    spin_unlock(&dcache_lock);
}

static u32 name_hash(const struct dentry *dir, const char *name, size_t len)
{
    u64 h = (u64)dir * 0x9e3779b97f4a7c15ULL, w;

    for (; len >= 8; len -= 8, name += 8) {
        memcpy(&w, name, 8);
        h = (h ^ w) * 0x9e3779b97f4a7c15ULL;
        h ^= h >> 29;
    }
    for (w = 0; len; len--)
        w = w << 8 | (u8)*name++;
    h = (h ^ w) * 0x9e3779b97f4a7c15ULL;
    return (u32)(h >> 32);
}

static struct list *bucket(u32 hash)
{
    struct list *b = &hash_table[hash % HASH_BUCKETS];

    if (!b->next)
        list_init(b);
    return b;
}

static bool hashed(const struct dentry *d)
{
    return !list_empty(&d->hash_link);
}

/* ---- life ---- */

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
    d->hash = name_hash(dir, name, len);
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
        if (hashed(d)) {
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

/* ---- finding ---- */

static struct dentry *find_borrowed(struct dentry *dir, const char *name, size_t len, u32 hash)
{
    struct dentry *d;

    list_for_each (d, bucket(hash), hash_link) {
        if (d->hash == hash && d->parent == dir && d->name_len == len &&
            !memcmp(d->name, name, len))
            return d;
    }
    return NULL;
}

static struct dentry *find_locked(struct dentry *dir, const char *name, size_t len, u32 hash)
{
    struct dentry *d = find_borrowed(dir, name, len, hash);

    if (d)
        ref_get(&d->refs);
    return d;
}

/* The next directory down, if going there needs nothing but the cache. Locked. */
static struct dentry *step_cached(struct dentry *d, const char *name, size_t len)
{
    struct inode *i = d->inode;
    struct dentry *child;

    if (!i || !S_ISDIR(i->attr.mode) || i->ops->revalidate || inode_permission(i, MAY_EXEC))
        return NULL;
    child = find_borrowed(d, name, len, name_hash(d, name, len));
    if (!child || !child->inode || !S_ISDIR(child->inode->attr.mode) ||
        (child->flags & DENTRY_MOUNTED))
        return NULL;
    return child;
}

const char *dcache_walk(struct dentry **at, const char *rest)
{
    struct dentry *d = *at, *child;

    spin_lock(&dcache_lock);
    for (;;) {
        const char *name = rest, *end, *next;
        while (*name == '/')
            name++;
        for (end = name; *end && *end != '/'; end++)
            ;
        for (next = end; *next == '/'; next++)
            ;
        if (!*next || name[0] == '.')
            break;
        child = step_cached(d, name, (size_t)(end - name));
        if (!child)
            break;
        d = child;
        rest = next;
    }
    if (d != *at)
        ref_get(&d->refs);
    spin_unlock(&dcache_lock);
    if (d != *at) {
        dentry_put(*at);
        *at = d;
    }
    return rest;
}

struct dentry *dentry_lookup_cached(struct dentry *dir, const char *name, size_t len)
{
    u32 hash = name_hash(dir, name, len);

    spin_lock(&dcache_lock);
    struct dentry *d = find_locked(dir, name, len, hash);
    spin_unlock(&dcache_lock);
    return d;
}

static void add_locked(struct dentry *d)
{
    if (!hashed(d))
        list_add(bucket(d->hash), &d->hash_link);
    if (list_empty(&d->sibling) && d->parent != d)
        list_add(&d->parent->children, &d->sibling);
    d->flags &= ~DENTRY_UNHASHED;
}

void dentry_add(struct dentry *d)
{
    spin_lock(&dcache_lock);
    add_locked(d);
    spin_unlock(&dcache_lock);
}

void dentry_prime(struct dentry *dir, const char *name, size_t len, struct inode *i)
{
    struct dentry *other = dentry_lookup_cached(dir, name, len);
    struct dentry *d = other ? NULL : dentry_alloc(dir, name, len);

    if (!d) {
        dentry_put(other);
        inode_put(i);
        return;
    }
    d->inode = i;
    spin_lock(&dcache_lock);
    other = find_locked(dir, name, len, d->hash);
    if (!other)
        add_locked(d);
    spin_unlock(&dcache_lock);
    dentry_put(other);
    dentry_put(d);
}

void dentry_drop(struct dentry *d)
{
    spin_lock(&dcache_lock);
    list_del(&d->hash_link);
    list_del(&d->sibling);
    d->flags |= DENTRY_UNHASHED;
    spin_unlock(&dcache_lock);
}

void dentry_instantiate(struct dentry *d, struct inode *i)
{
    BUG_ON(d->inode);
    __atomic_store_n(&d->inode, i, __ATOMIC_RELEASE);
}

void dentry_make_negative(struct dentry *d)
{
    struct inode *gone = NULL;

    spin_lock(&dcache_lock);
    if (ref_read(&d->refs) == 1 && list_empty(&d->children)) {
        gone = d->inode;
        d->inode = NULL;
    } else {
        list_del(&d->hash_link);
        list_del(&d->sibling);
        d->flags |= DENTRY_UNHASHED;
    }
    spin_unlock(&dcache_lock);
    inode_put(gone);
}

/* Ask the file system. dir->inode->lock is held. */
static struct dentry *lookup_slow(struct dentry *dir, const char *name, size_t len)
{
    struct dentry *d = dentry_alloc(dir, name, len), *other;

    if (!d)
        return ERR_PTR(-ENOMEM);
    int err = dir->inode->ops->lookup(dir->inode, d);
    if (err) {
        dentry_put(d);
        return ERR_PTR(err);
    }
    /* Two lookups may run side by side under the read lock: the first one in wins. */
    spin_lock(&dcache_lock);
    other = find_locked(dir, name, len, d->hash);
    if (!other)
        add_locked(d);
    spin_unlock(&dcache_lock);
    if (other) {
        dentry_put(d);
        return other;
    }
    return d;
}

/* Cached and still valid; a stale one is forgotten. */
static struct dentry *lookup_fast(struct dentry *dir, const char *name, size_t len)
{
    struct dentry *d = dentry_lookup_cached(dir, name, len);

    if (d && dir->inode->ops->revalidate && !(d->flags & (DENTRY_MOUNTED | DENTRY_STANDIN)) &&
        !dir->inode->ops->revalidate(d)) {
        dentry_drop(d);
        dentry_put(d);
        d = NULL;
    }
    return d;
}

static int child_check(struct dentry *dir, size_t len)
{
    if (len > NAME_MAX)
        return -ENAMETOOLONG;
    if (!dir->inode || !dir->inode->ops->lookup)
        return -ENOTDIR;
    return 0;
}

struct dentry *dentry_child_locked(struct dentry *dir, const char *name, size_t len)
{
    int err = child_check(dir, len);

    if (err)
        return ERR_PTR(err);
    struct dentry *d = lookup_fast(dir, name, len);
    if (d)
        return d;
    if (dir->inode->flags & INODE_DEAD)
        return ERR_PTR(-ENOENT);
    return lookup_slow(dir, name, len);
}

struct dentry *dentry_child(struct dentry *dir, const char *name, size_t len)
{
    int err = child_check(dir, len);

    if (err)
        return ERR_PTR(err);
    struct dentry *d = lookup_fast(dir, name, len);
    if (d)
        return d;
    down_read(&dir->inode->lock);
    if (dir->inode->flags & INODE_DEAD)
        d = ERR_PTR(-ENOENT);
    else
        d = lookup_slow(dir, name, len);
    up_read(&dir->inode->lock);
    return d;
}

/* ---- renaming ---- */

static void swap_names(struct dentry *a, struct dentry *b)
{
    char tmp[sizeof(a->inline_name)];
    char *aname = a->name, *bname = b->name;
    bool ainline = aname == a->inline_name, binline = bname == b->inline_name;
    u32 len = a->name_len;

    memcpy(tmp, a->inline_name, sizeof(tmp));
    memcpy(a->inline_name, b->inline_name, sizeof(tmp));
    memcpy(b->inline_name, tmp, sizeof(tmp));
    a->name = binline ? a->inline_name : bname;
    b->name = ainline ? b->inline_name : aname;
    a->name_len = b->name_len;
    b->name_len = len;
}

void dentry_move(struct dentry *from, struct dentry *to, bool exchange)
{
    spin_lock(&dcache_lock);
    list_del(&from->hash_link);
    list_del(&from->sibling);
    list_del(&to->hash_link);
    list_del(&to->sibling);
    swap_names(from, to);
    struct dentry *parent = from->parent;
    u32 hash = from->hash;
    from->parent = to->parent;
    from->hash = to->hash;
    to->parent = parent;
    to->hash = hash;
    from->flags &= ~DENTRY_UNHASHED;
    add_locked(from);
    if (exchange)
        add_locked(to);
    else if (to->inode)
        to->flags |= DENTRY_UNHASHED;
    spin_unlock(&dcache_lock);
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
