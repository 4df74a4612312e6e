// SPDX-License-Identifier: Apache-2.0
//
// stat, lstat, fstat, newfstatat, statx, statfs, fstatfs, access, faccessat2.

#include <linux/capability.h>
#include <linux/securebits.h>
#include "sentry/fs/internal.h"
#include "sentry/syscall/syscall.h"

#define NS (s64) NSEC_PER_SEC

static s64 sec_of(s64 ns)
{
    return ns >= 0 ? ns / NS : -((NS - 1 - ns) / NS);
}

static u32 nsec_of(s64 ns)
{
    return (u32)(ns - sec_of(ns) * NS);
}

static s64 put_stat(const struct attr *a, u64 dev, uva_t out)
{
    struct stat st = {
        .st_dev = dev,
        .st_ino = a->ino,
        .st_nlink = a->nlink,
        .st_mode = a->mode,
        .st_uid = a->uid,
        .st_gid = a->gid,
        .st_rdev = a->rdev,
        .st_size = (s64)a->size,
        .st_blksize = a->blksize,
        .st_blocks = (s64)a->blocks,
        .st_atime = (u64)sec_of(a->atime),
        .st_atime_nsec = nsec_of(a->atime),
        .st_mtime = (u64)sec_of(a->mtime),
        .st_mtime_nsec = nsec_of(a->mtime),
        .st_ctime = (u64)sec_of(a->ctime),
        .st_ctime_nsec = nsec_of(a->ctime),
    };

    return copy_to_user(out, &st, sizeof(st));
}

/* Attributes by path, or of the descriptor itself with an empty path. */
static int path_attr(int dirfd, uva_t name, u32 lookup, struct attr *a, u64 *dev)
{
    struct path p;
    int err = path_lookup_user(dirfd, name, lookup, &p);

    if (err)
        return err;
    err = inode_getattr(p.dentry->inode, a);
    *dev = a->dev ? a->dev : p.dentry->inode->sb->dev;
    path_put(&p);
    return err;
}

static int fd_attr(int fd, struct attr *a, u64 *dev)
{
    struct vfs_file *f = fd_get_any(fd);

    if (!f)
        return -EBADF;
    int err = inode_getattr(f->inode, a);
    *dev = a->dev ? a->dev : f->inode->sb->dev;
    file_put(f);
    return err;
}

static s64 stat_path(int dirfd, uva_t name, u32 lookup, uva_t out)
{
    struct attr a;
    u64 dev;
    int err = path_attr(dirfd, name, lookup, &a, &dev);

    return err ? err : put_stat(&a, dev, out);
}

static s64 stat_fd(int fd, uva_t out)
{
    struct attr a;
    u64 dev;
    int err = fd_attr(fd, &a, &dev);

    return err ? err : put_stat(&a, dev, out);
}

SYSCALL2(stat, uva_t, name, uva_t, out)
{
    return stat_path(AT_FDCWD, name, LOOKUP_FOLLOW, out);
}

SYSCALL2(lstat, uva_t, name, uva_t, out)
{
    return stat_path(AT_FDCWD, name, 0, out);
}

SYSCALL2(fstat, int, fd, uva_t, out)
{
    return stat_fd(fd, out);
}

/* LOOKUP_* from AT_* of the stat family; negative for unknown ones. */
static int at_lookup(u32 flags)
{
    if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
        return -EINVAL;
    return (flags & AT_SYMLINK_NOFOLLOW ? 0 : (int)LOOKUP_FOLLOW) |
           (flags & AT_EMPTY_PATH ? (int)LOOKUP_EMPTY : 0);
}

/* Is it fstat in disguise: AT_EMPTY_PATH with an empty (or, since 6.11, NULL) name? */
static int empty_name(u32 flags, int dirfd, uva_t name)
{
    char c;

    if (!(flags & AT_EMPTY_PATH) || dirfd < 0)
        return 0;
    if (!name)
        return 1;
    if (get_user(c, name))
        return -EFAULT;
    return c == 0;
}

SYSCALL4(newfstatat, int, dirfd, uva_t, name, uva_t, out, u32, flags)
{
    int lookup = at_lookup(flags), empty = empty_name(flags, dirfd, name);

    if (lookup < 0 || empty < 0)
        return lookup < 0 ? lookup : empty;
    return empty ? stat_fd(dirfd, out) : stat_path(dirfd, name, (u32)lookup, out);
}

static struct statx_timestamp stamp(s64 ns)
{
    return (struct statx_timestamp){.tv_sec = sec_of(ns), .tv_nsec = nsec_of(ns)};
}

SYSCALL5(statx, int, dirfd, uva_t, name, u32, flags, u32, mask, uva_t, out)
{
    int lookup = at_lookup(flags), empty = empty_name(flags, dirfd, name);
    struct attr a;
    u64 dev;

    if (mask & STATX__RESERVED)
        return -EINVAL;
    if (lookup < 0 || empty < 0)
        return lookup < 0 ? lookup : empty;
    if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
        return -EINVAL;
    int err = empty ? fd_attr(dirfd, &a, &dev) : path_attr(dirfd, name, (u32)lookup, &a, &dev);
    if (err)
        return err;
    struct statx x = {
        .stx_mask = STATX_BASIC_STATS | (a.btime ? STATX_BTIME : 0),
        .stx_blksize = a.blksize,
        .stx_nlink = a.nlink,
        .stx_uid = a.uid,
        .stx_gid = a.gid,
        .stx_mode = (u16)a.mode,
        .stx_ino = a.ino,
        .stx_size = a.size,
        .stx_blocks = a.blocks,
        .stx_atime = stamp(a.atime),
        .stx_btime = stamp(a.btime),
        .stx_ctime = stamp(a.ctime),
        .stx_mtime = stamp(a.mtime),
        .stx_rdev_major = dev_major(a.rdev),
        .stx_rdev_minor = dev_minor(a.rdev),
        .stx_dev_major = dev_major(dev),
        .stx_dev_minor = dev_minor(dev),
    };
    return copy_to_user(out, &x, sizeof(x));
}

/* ---- statfs ---- */

#define ST_VALID    0x20
#define ST_NODEV    4
#define ST_NOEXEC   8
#define ST_RELATIME 0x1000
#define ST_NOATIME  0x400

static s64 put_statfs(const struct path *p, uva_t out)
{
    struct super *sb = p->mnt->sb;
    struct statfs st = {.f_bsize = PAGE_SIZE, .f_frsize = PAGE_SIZE, .f_namelen = NAME_MAX};

    st.f_type = (long)sb->magic;
    st.f_fsid.val[0] = (int)sb->dev;
    int err = sb->ops && sb->ops->statfs ? sb->ops->statfs(sb, &st) : 0;
    if (err)
        return err;
    u32 m = p->mnt->flags | (sb->flags & MS_RDONLY);
    st.f_flags = ST_VALID | (long)(m & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)) |
                 (m & MS_NOATIME ? ST_NOATIME : ST_RELATIME);
    return copy_to_user(out, &st, sizeof(st));
}

SYSCALL2(statfs, uva_t, name, uva_t, out)
{
    struct path p;
    s64 err = path_lookup_user(AT_FDCWD, name, LOOKUP_FOLLOW, &p);

    if (err)
        return err;
    err = put_statfs(&p, out);
    path_put(&p);
    return err;
}

SYSCALL2(fstatfs, int, fd, uva_t, out)
{
    struct vfs_file *f = fd_get_any(fd);

    if (!f)
        return -EBADF;
    s64 err = put_statfs(&f->path, out);
    file_put(f);
    return err;
}

/* ---- access: with the real instead of the effective identity ---- */

/* Credentials for access(2) when they differ from current's; NULL when they do not. */
static struct cred *real_cred(void)
{
    struct cred *c = current->cred, *real;
    u64 caps = c->uid ? 0 : c->cap_permitted;

    if (c->securebits & SECBIT_NO_SETUID_FIXUP)
        caps = c->cap_effective;
    if (c->fsuid == c->uid && c->fsgid == c->gid && c->cap_effective == caps)
        return NULL;
    real = cred_copy(c, c->ngroups);
    if (!real)
        return ERR_PTR(-ENOMEM);
    real->fsuid = c->uid;
    real->fsgid = c->gid;
    real->cap_effective = caps;
    return real;
}

static struct cred *swap_cred(struct cred *c)
{
    struct cred *old = current->cred;

    spin_lock(&current->lock);
    current->cred = c;
    spin_unlock(&current->lock);
    return old;
}

static s64 check_access(int dirfd, uva_t name, u32 mode, u32 lookup)
{
    struct path p;
    s64 err = path_lookup_user(dirfd, name, lookup, &p);

    if (err)
        return err;
    struct inode *i = p.dentry->inode;
    if ((mode & MAY_EXEC) && S_ISREG(i->attr.mode) && (p.mnt->flags & MS_NOEXEC))
        err = -EACCES;
    if (!err)
        err = inode_permission(i, mode);
    if (!err && (mode & MAY_WRITE) &&
        (S_ISREG(i->attr.mode) || S_ISDIR(i->attr.mode) || S_ISLNK(i->attr.mode)))
        err = path_writable(&p);
    path_put(&p);
    return err;
}

static s64 do_access(int dirfd, uva_t name, u32 mode, u32 flags)
{
    struct cred *real = NULL, *saved = NULL;
    u32 lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
                 (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);

    if (mode & ~7u)
        return -EINVAL;
    if (flags & ~(u32)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if (!(flags & AT_EACCESS))
        real = real_cred();
    if (IS_ERR(real))
        return PTR_ERR(real);
    if (real)
        saved = swap_cred(real);
    s64 err = check_access(dirfd, name, mode, lookup);
    if (real) {
        swap_cred(saved);
        cred_put(real);
    }
    return err;
}

SYSCALL2(access, uva_t, name, u32, mode)
{
    return do_access(AT_FDCWD, name, mode, 0);
}

SYSCALL3(faccessat, int, dirfd, uva_t, name, u32, mode)
{
    return do_access(dirfd, name, mode, 0);
}

SYSCALL4(faccessat2, int, dirfd, uva_t, name, u32, mode, u32, flags)
{
    return do_access(dirfd, name, mode, flags);
}
