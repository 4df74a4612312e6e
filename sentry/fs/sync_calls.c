// SPDX-License-Identifier: Apache-2.0
//
// Size and durability of files: truncate, ftruncate, fallocate, fsync, sync, fadvise, readahead.

#include <linux/fadvise.h>
#include <linux/falloc.h>
#include "sentry/fs/internal.h"
#include "sentry/syscall/syscall.h"

SYSCALL2(truncate, uva_t, name, s64, size)
{
    struct path p;
    s64 err;

    if (size < 0)
        return -EINVAL;
    err = path_lookup_user(AT_FDCWD, name, LOOKUP_FOLLOW, &p);
    if (err)
        return err;
    struct inode *i = p.dentry->inode;
    if (S_ISDIR(i->attr.mode))
        err = -EISDIR;
    else if (!S_ISREG(i->attr.mode))
        err = -EINVAL;
    else
        err = path_writable(&p);
    if (!err)
        err = inode_permission(i, MAY_WRITE);
    if (!err)
        err = inode_claim(i, 1);
    if (!err) {
        err = do_truncate(i, (u64)size);
        __atomic_sub_fetch(&i->writers, 1, __ATOMIC_ACQ_REL);
    }
    path_put(&p);
    return err;
}

SYSCALL2(ftruncate, int, fd, s64, size)
{
    struct vfs_file *f;
    s64 err;

    if (size < 0)
        return -EINVAL;
    f = fd_get(fd);
    if (!f)
        return -EBADF;
    if (!S_ISREG(f->inode->attr.mode) || !(f->mode & FMODE_WRITE))
        err = -EINVAL;
    else
        err = do_truncate(f->inode, (u64)size);
    file_put(f);
    return err;
}

SYSCALL4(fallocate, int, fd, int, mode, s64, off, s64, len)
{
    struct vfs_file *f = fd_get(fd);
    s64 err;

    if (!f)
        return -EBADF;
    if (off < 0 || len <= 0)
        err = -EINVAL;
    else if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE |
                      FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE))
        err = -EOPNOTSUPP;
    else if ((mode & FALLOC_FL_PUNCH_HOLE) && mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
        err = -EOPNOTSUPP;
    else if (!(f->mode & FMODE_WRITE))
        err = -EBADF;
    else if (f->mode & FMODE_STREAM)
        err = -ESPIPE;
    else if (S_ISDIR(f->inode->attr.mode))
        err = -EISDIR;
    else if (!S_ISREG(f->inode->attr.mode))
        err = -ENODEV;
    else if (off > INT64_MAX - len)
        err = -EFBIG;
    else
        err = f->ops->fallocate ? f->ops->fallocate(f, mode, (u64)off, (u64)len) : -EOPNOTSUPP;
    file_put(f);
    return err;
}

static s64 do_fsync(int fd, bool datasync)
{
    struct vfs_file *f = fd_get(fd);

    if (!f)
        return -EBADF;
    s64 err = f->ops->fsync ? f->ops->fsync(f, datasync) : -EINVAL;
    file_put(f);
    return err;
}

SYSCALL1(fsync, int, fd)
{
    return do_fsync(fd, false);
}

SYSCALL1(fdatasync, int, fd)
{
    return do_fsync(fd, true);
}

SYSCALL4(sync_file_range, int, fd, s64, off, s64, len, u32, flags)
{
    if (off < 0 || len < 0 || off > INT64_MAX - len || (flags & ~7u))
        return -EINVAL;
    return do_fsync(fd, true);
}

static int sync_super(struct super *sb)
{
    return sb->ops && sb->ops->sync ? sb->ops->sync(sb) : 0;
}

SYSCALL0(sync)
{
    struct mount *m;

    for (unsigned n = 0; (m = mount_nth(n)); n++) {
        sync_super(m->sb); /* sync(2) reports nothing */
        mount_put(m);
    }
    return 0;
}

SYSCALL1(syncfs, int, fd)
{
    struct vfs_file *f = fd_get(fd);

    if (!f)
        return -EBADF;
    s64 err = sync_super(f->inode->sb);
    file_put(f);
    return err;
}

/* Advice: the caches behind files are the host's, which reads ahead by itself. */
SYSCALL4(fadvise64, int, fd, s64, off, s64, len, int, advice)
{
    struct vfs_file *f = fd_get(fd);
    s64 err = 0;

    (void)off;
    if (!f)
        return -EBADF;
    if (f->mode & FMODE_STREAM)
        err = -ESPIPE;
    else if (len < 0 || advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE)
        err = -EINVAL;
    file_put(f);
    return err;
}

SYSCALL3(readahead, int, fd, s64, off, u64, count)
{
    struct vfs_file *f = fd_get(fd);
    s64 err = 0;

    (void)off;
    (void)count;
    if (!f || !(f->mode & FMODE_READ))
        err = -EBADF;
    else if (!S_ISREG(f->inode->attr.mode))
        err = -EINVAL;
    file_put(f);
    return err;
}
