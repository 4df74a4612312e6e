// SPDX-License-Identifier: Apache-2.0
//
// The dentry cache: names that were looked up, found or not, in one hash table under one lock.
// dentry.c has their life and how they are forgotten.

#include "sentry/fs/dcache.h"

#define HASH_BUCKETS 8192

struct spinlock dcache_lock;
static struct list hash_table[HASH_BUCKETS];

void dcache_lock_names(void)
{
    spin_lock(&dcache_lock);
}

void dcache_unlock_names(void)
{
    spin_unlock(&dcache_lock);
}

u32 dentry_hash(const struct dentry *dir, const char *name, size_t len)
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
    child = find_borrowed(d, name, len, dentry_hash(d, name, len));
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
    u32 hash = dentry_hash(dir, name, len);

    spin_lock(&dcache_lock);
    struct dentry *d = find_locked(dir, name, len, hash);
    spin_unlock(&dcache_lock);
    return d;
}

static void add_locked(struct dentry *d)
{
    if (!dentry_hashed(d))
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

struct dentry *dentry_place(struct dentry *d, char name[NAME_MAX + 1])
{
    spin_lock(&dcache_lock);
    struct dentry *parent = d->parent;
    ref_get(&parent->refs);
    memcpy(name, d->name, d->name_len + 1);
    spin_unlock(&dcache_lock);
    return parent;
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
