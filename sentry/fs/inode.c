// SPDX-License-Identifier: Apache-2.0
//
// Inodes: life, attributes, permissions.

#include <linux/capability.h>
#include "sentry/fs/locks.h"
#include "sentry/fs/internal.h"

#define DAY_NS (86400 * (s64)NSEC_PER_SEC)

static struct slab_cache *inode_cache;

void inode_init(void)
{
    inode_cache = slab_cache_create("inode", sizeof(struct inode), 64);
}

struct inode *inode_new(struct super *sb, const struct inode_ops *ops, const struct file_ops *fops,
                        u32 mode)
{
    struct inode *i = slab_alloc(inode_cache);

    if (!i)
        return NULL;
    ref_init(&i->refs, 1);
    i->sb = sb;
    i->ops = ops;
    i->fops = fops;
    rwsem_init(&i->lock);
    mapping_init(&i->mapping);
    i->attr.mode = mode;
    i->attr.nlink = 1;
    i->attr.blksize = PAGE_SIZE;
    i->attr.ino = __atomic_fetch_add(&sb->next_ino, 1, __ATOMIC_RELAXED);
    i->attr.atime = i->attr.mtime = i->attr.ctime = i->attr.btime = (s64)clock_realtime();
    return i;
}

void inode_get(struct inode *i)
{
    ref_get(&i->refs);
}

void inode_put(struct inode *i)
{
    if (!i || !ref_put(&i->refs))
        return;
    if (i->ops->evict)
        i->ops->evict(i);
    flock_list_free(i);
    slab_free(inode_cache, i);
}

int inode_getattr(struct inode *i, struct attr *a)
{
    if (i->ops->getattr)
        return i->ops->getattr(i, a);
    *a = i->attr; /* fields are independent words: a torn copy is a legal snapshot of each */
    return 0;
}

void attr_apply(struct inode *i, const struct attr *a, u32 valid)
{
    s64 now = (s64)clock_realtime();

    if (valid & ATTR_MODE)
        i->attr.mode = (i->attr.mode & S_IFMT) | (a->mode & 07777);
    if (valid & ATTR_UID)
        i->attr.uid = a->uid;
    if (valid & ATTR_GID)
        i->attr.gid = a->gid;
    if (valid & ATTR_SIZE) {
        i->attr.size = a->size;
        i->attr.mtime = now;
    }
    if (valid & ATTR_ATIME)
        i->attr.atime = a->atime;
    if (valid & ATTR_MTIME)
        i->attr.mtime = a->mtime;
    i->attr.ctime = now;
}

int inode_setattr(struct inode *i, const struct attr *a, u32 valid)
{
    int err = 0;

    if (i->flags & INODE_IMMUTABLE)
        return -EPERM;
    down_write(&i->lock);
    if (i->ops->setattr)
        err = i->ops->setattr(i, a, valid);
    else
        attr_apply(i, a, valid);
    up_write(&i->lock);
    return err;
}

void inode_modified(struct inode *i)
{
    s64 now = (s64)clock_realtime();

    i->attr.mtime = i->attr.ctime = now;
    if ((i->attr.mode & (S_ISUID | S_ISGID)) && S_ISREG(i->attr.mode) && !capable(CAP_FSETID)) {
        i->attr.mode &= ~S_ISUID;
        if (i->attr.mode & S_IXGRP)
            i->attr.mode &= ~S_ISGID;
    }
}

void file_accessed(struct vfs_file *f)
{
    struct attr *a = &f->inode->attr;

    if ((f->flags & O_NOATIME) || (f->path.mnt->flags & MS_NOATIME) ||
        (f->path.mnt->flags & MS_RDONLY))
        return;
    if (a->atime > a->mtime && a->atime > a->ctime) {
        s64 now = (s64)clock_realtime();
        if (now - a->atime < DAY_NS)
            return;
        a->atime = now;
        return;
    }
    a->atime = (s64)clock_realtime();
}

void inode_init_owner(struct inode *i, const struct inode *dir, u32 mode)
{
    const struct cred *c = current->cred;

    i->attr.uid = c->fsuid;
    i->attr.gid = c->fsgid;
    if (dir && (dir->attr.mode & S_ISGID)) {
        i->attr.gid = dir->attr.gid;
        if (S_ISDIR(mode))
            mode |= S_ISGID;
    }
    i->attr.mode = mode;
}

static bool cred_capable(const struct cred *c, int cap)
{
    return c->cap_effective & (1ULL << cap);
}

int attr_permission(const struct attr *a, const struct cred *c, u32 want)
{
    u32 mode = a->mode;

    if (c->fsuid == a->uid)
        mode >>= 6;
    else if (c->fsgid == a->gid || in_group(c, a->gid))
        mode >>= 3;
    if (likely(!(want & ~mode & 7)))
        return 0;
    bool search = want == MAY_READ || (S_ISDIR(a->mode) && !(want & MAY_WRITE));
    bool exec_ok = !(want & MAY_EXEC) || S_ISDIR(a->mode) || (a->mode & 0111);
    if (exec_ok && cred_capable(c, CAP_DAC_OVERRIDE))
        return 0;
    if (search && cred_capable(c, CAP_DAC_READ_SEARCH))
        return 0;
    return -EACCES;
}

int inode_permission(struct inode *i, u32 want)
{
    return attr_permission(&i->attr, current->cred, want);
}
