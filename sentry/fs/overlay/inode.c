// SPDX-License-Identifier: Apache-2.0
/*
 * Inodes of the overlay: over one of the lower tree, or made here.
 */
#include "sentry/fs/overlay/overlay.h"
#include "sentry/kernel/task.h"

#define NEW_INODES (1ULL << 40) /* inode numbers from here on are ours: the host's are smaller */

static struct overlay *overlay_of(const struct super *sb)
{
    return sb->private;
}

static const struct inode_ops *ops_for(u32 mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return &overlay_dir_ops;
    case S_IFREG:
        return &overlay_file_iops;
    case S_IFLNK:
        return &overlay_link_ops;
    }
    return &overlay_special_ops;
}

static struct inode *inode_make(struct super *sb, u32 mode)
{
    const struct file_ops *fops = S_ISDIR(mode)   ? &overlay_dir_fops
                                  : S_ISREG(mode) ? &overlay_file_fops
                                                  : NULL;
    struct overlay_node *n = kzalloc(sizeof(*n));
    struct inode *i = n ? inode_new(sb, ops_for(mode), fops, mode) : NULL;

    if (!i) {
        kfree(n);
        return NULL;
    }
    n->inode = i;
    mutex_init(&n->lock);
    overlay_names_init(&n->names);
    i->private = n;
    return i;
}

struct inode *overlay_new(struct inode *dir, u32 mode)
{
    struct inode *i = inode_make(dir->sb, mode);

    if (!i)
        return NULL;
    i->attr.ino += NEW_INODES;
    i->attr.dev = dir->attr.dev;
    inode_init_owner(i, dir, mode);
    if (S_ISDIR(mode)) {
        i->attr.nlink = 2;
        i->attr.size = PAGE_SIZE; /* as on a disk */
        i->attr.blocks = PAGE_SIZE / 512;
    }
    return i;
}

/* o->lock held. */
static struct inode *find_locked(struct overlay *o, const struct inode *lower)
{
    struct hash_link *l;

    for (l = hashtab_first(&o->nodes, hash_u64((u64)lower)); l; l = l->next) {
        struct overlay_node *n = container_of(l, struct overlay_node, hash_link);
        if (n->lower == lower && ref_get_unless_zero(&n->inode->refs))
            return n->inode;
    }
    return NULL;
}

struct inode *overlay_wrap(struct super *sb, struct inode *lower)
{
    struct overlay *o = overlay_of(sb);
    struct inode *i, *other;
    int err = 0;

    spin_lock(&o->lock);
    i = find_locked(o, lower);
    spin_unlock(&o->lock);
    if (i) {
        inode_put(lower);
        return i;
    }
    i = inode_make(sb, lower->attr.mode);
    if (!i) {
        inode_put(lower);
        return ERR_PTR(-ENOMEM);
    }
    i->attr = lower->attr;
    ovl_node(i)->lower = lower;
    ovl_node(i)->lower_len = lower->attr.size;
    spin_lock(&o->lock);
    other = find_locked(o, lower);
    if (!other)
        err = hashtab_add(&o->nodes, &ovl_node(i)->hash_link, hash_u64((u64)lower));
    spin_unlock(&o->lock);
    if (other || err) {
        inode_put(i);
        return other ? other : ERR_PTR(err);
    }
    if (S_ISREG(i->attr.mode))
        gofer_set_top(lower, NULL, i);
    return i;
}

void overlay_pin(struct inode *i)
{
    struct overlay_node *n = ovl_node(i);

    if (n->lower && i->attr.nlink && !__atomic_exchange_n(&n->pinned, 1, __ATOMIC_ACQ_REL))
        inode_get(i);
}

void overlay_unpin(struct inode *i)
{
    if (__atomic_exchange_n(&ovl_node(i)->pinned, 0, __ATOMIC_ACQ_REL))
        inode_put(i);
}

void overlay_evict(struct inode *i)
{
    struct overlay_node *n = ovl_node(i);
    struct overlay *o = overlay_of(i->sb);

    spin_lock(&o->lock);
    hashtab_del(&o->nodes, &n->hash_link);
    spin_unlock(&o->lock);
    if (n->lower && S_ISREG(i->attr.mode))
        gofer_set_top(n->lower, i, NULL);
    overlay_names_free(&n->names);
    pagetree_remove(&n->pages, 0, U64_MAX);
    inode_put(n->lower);
    kfree(n->target);
    kfree(n);
}

int overlay_setattr(struct inode *i, const struct attr *a, u32 valid)
{
    int err = valid & ATTR_SIZE ? overlay_truncate(i, a->size) : 0;

    if (err)
        return err;
    attr_apply(i, a, valid);
    overlay_pin(i);
    return 0;
}

static s64 readlink_op(struct inode *i, char *buf, size_t size)
{
    struct overlay_node *n = ovl_node(i);
    size_t len;

    if (!n->target)
        return n->lower->ops->readlink(n->lower, buf, size);
    len = MIN(strlen(n->target), size);
    memcpy(buf, n->target, len);
    return (s64)len;
}

const struct inode_ops overlay_link_ops = {
    .readlink = readlink_op,
    .setattr = overlay_setattr,
    .evict = overlay_evict,
};

const struct inode_ops overlay_special_ops = {
    .setattr = overlay_setattr,
    .evict = overlay_evict,
};
