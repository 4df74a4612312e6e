// SPDX-License-Identifier: Apache-2.0
//
// chmod, chown and utimes families, umask.

#include <linux/capability.h>
#include <linux/time.h>
#include "sentry/fs/internal.h"
#include "sentry/syscall/syscall.h"

#define AT_LOOKUP_FLAGS (u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)
#define UTIME_NOW       ((1 << 30) - 1)
#define UTIME_OMIT      ((1 << 30) - 2)

static u32 at_lookup(u32 flags)
{
    return (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
           (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
}

static bool is_owner(const struct inode *i)
{
    return current->cred->fsuid == i->attr.uid || capable(CAP_FOWNER);
}

/* Run fn on what a path or descriptor names. */
typedef int (*attr_fn)(const struct path *p, const struct attr *a, u32 valid);

static int on_path(int dirfd, uva_t name, u32 flags, attr_fn fn, const struct attr *a, u32 valid)
{
    struct path p;
    int err = path_lookup_user(dirfd, name, at_lookup(flags), &p);

    if (err)
        return err;
    err = fn(&p, a, valid);
    path_put(&p);
    return err;
}

static int on_fd(int fd, attr_fn fn, const struct attr *a, u32 valid)
{
    struct vfs_file *f = fd_get(fd);

    if (!f)
        return -EBADF;
    int err = fn(&f->path, a, valid);
    file_put(f);
    return err;
}

/* ---- mode ---- */

static int set_mode(const struct path *p, const struct attr *a, u32 valid)
{
    struct inode *i = p->dentry->inode;
    struct attr n = *a;
    int err = path_writable(p);

    if (!err && S_ISLNK(i->attr.mode))
        err = -EOPNOTSUPP;
    if (!err && !is_owner(i))
        err = -EPERM;
    if (err)
        return err;
    const struct cred *c = current->cred;
    if (c->fsgid != i->attr.gid && !in_group(c, i->attr.gid) && !capable(CAP_FSETID))
        n.mode &= ~(u32)S_ISGID;
    return inode_setattr(i, &n, valid);
}

static s64 do_chmod(int dirfd, uva_t name, u32 mode, u32 flags)
{
    struct attr a = {.mode = mode & 07777};

    if (flags & ~AT_LOOKUP_FLAGS)
        return -EINVAL;
    return on_path(dirfd, name, flags, set_mode, &a, ATTR_MODE);
}

SYSCALL2(chmod, uva_t, name, u32, mode)
{
    return do_chmod(AT_FDCWD, name, mode, 0);
}

SYSCALL2(fchmod, int, fd, u32, mode)
{
    struct attr a = {.mode = mode & 07777};

    return on_fd(fd, set_mode, &a, ATTR_MODE);
}

SYSCALL3(fchmodat, int, dirfd, uva_t, name, u32, mode)
{
    return do_chmod(dirfd, name, mode, 0);
}

SYSCALL4(fchmodat2, int, dirfd, uva_t, name, u32, mode, u32, flags)
{
    return do_chmod(dirfd, name, mode, flags);
}

SYSCALL1(umask, u32, mask)
{
    return __atomic_exchange_n(&current->fs->umask, mask & 0777, __ATOMIC_RELAXED);
}

/* ---- owner ---- */

static int set_owner(const struct path *p, const struct attr *a, u32 valid)
{
    struct inode *i = p->dentry->inode;
    const struct cred *c = current->cred;
    struct attr n = *a;
    int err = path_writable(p);

    if (err || !valid)
        return err;
    if (!capable(CAP_CHOWN)) {
        bool mine = c->fsuid == i->attr.uid;
        if ((valid & ATTR_UID) && !(mine && n.uid == i->attr.uid))
            return -EPERM;
        if ((valid & ATTR_GID) &&
            !(mine && (n.gid == i->attr.gid || n.gid == c->fsgid || in_group(c, n.gid))))
            return -EPERM;
    }
    if (!S_ISDIR(i->attr.mode) && (i->attr.mode & (S_ISUID | S_ISGID))) {
        n.mode = i->attr.mode & ~(u32)S_ISUID;
        if (i->attr.mode & S_IXGRP)
            n.mode &= ~(u32)S_ISGID;
        valid |= ATTR_MODE;
    }
    return inode_setattr(i, &n, valid);
}

static u32 owner_attr(struct attr *a, u32 uid, u32 gid)
{
    a->uid = uid;
    a->gid = gid;
    return (uid != ~0u ? ATTR_UID : 0) | (gid != ~0u ? ATTR_GID : 0);
}

static s64 do_chown(int dirfd, uva_t name, u32 uid, u32 gid, u32 flags)
{
    struct attr a;
    u32 valid = owner_attr(&a, uid, gid);

    if (flags & ~AT_LOOKUP_FLAGS)
        return -EINVAL;
    return on_path(dirfd, name, flags, set_owner, &a, valid);
}

SYSCALL3(chown, uva_t, name, u32, uid, u32, gid)
{
    return do_chown(AT_FDCWD, name, uid, gid, 0);
}

SYSCALL3(lchown, uva_t, name, u32, uid, u32, gid)
{
    return do_chown(AT_FDCWD, name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

SYSCALL3(fchown, int, fd, u32, uid, u32, gid)
{
    struct attr a;
    u32 valid = owner_attr(&a, uid, gid);

    return on_fd(fd, set_owner, &a, valid);
}

SYSCALL5(fchownat, int, dirfd, uva_t, name, u32, uid, u32, gid, u32, flags)
{
    return do_chown(dirfd, name, uid, gid, flags);
}

/* ---- times ---- */

#define TIMES_NOW (1u << 31) /* both "now": write permission is enough */

static int set_times(const struct path *p, const struct attr *a, u32 valid)
{
    struct inode *i = p->dentry->inode;
    int err = path_writable(p);

    if (!err && (valid & TIMES_NOW) && !is_owner(i))
        err = inode_permission(i, MAY_WRITE);
    else if (!err && !is_owner(i))
        err = -EPERM;
    valid &= ~TIMES_NOW;
    return err || !valid ? err : inode_setattr(i, a, valid);
}

/* sec and sub-second parts (in ns, or UTIME_NOW/UTIME_OMIT) of atime and mtime; NULL: now. */
static s64 do_utimes(int dirfd, uva_t name, const s64 t[2][2], u32 flags)
{
    s64 now = (s64)clock_realtime();
    struct attr a = {.atime = now, .mtime = now};
    u32 valid = ATTR_ATIME | ATTR_MTIME;
    bool only_now = !t || (t[0][1] == UTIME_NOW && t[1][1] == UTIME_NOW);

    for (int k = 0; t && k < 2; k++) {
        s64 *to = k ? &a.mtime : &a.atime;
        if (t[k][1] == UTIME_OMIT)
            valid &= ~(k ? ATTR_MTIME : ATTR_ATIME);
        else if (t[k][1] == UTIME_NOW)
            continue;
        else if (t[k][1] < 0 || t[k][1] >= (s64)NSEC_PER_SEC)
            return -EINVAL;
        else if (__builtin_mul_overflow(t[k][0], (s64)NSEC_PER_SEC, to) ||
                 __builtin_add_overflow(*to, t[k][1], to))
            *to = t[k][0] < 0 ? INT64_MIN : INT64_MAX;
    }
    if (!valid)
        return 0;
    if (only_now)
        valid |= TIMES_NOW;
    if (!name && dirfd != AT_FDCWD)
        return flags ? -EINVAL : on_fd(dirfd, set_times, &a, valid);
    if (flags & ~AT_LOOKUP_FLAGS)
        return -EINVAL;
    return on_path(dirfd, name, flags, set_times, &a, valid);
}

SYSCALL4(utimensat, int, dirfd, uva_t, name, uva_t, times, u32, flags)
{
    s64 t[2][2]; /* struct timespec[2] */

    if (times && copy_from_user(t, times, sizeof(t)))
        return -EFAULT;
    return do_utimes(dirfd, name, times ? t : NULL, flags);
}

static s64 utimes_us(int dirfd, uva_t name, uva_t times)
{
    s64 t[2][2]; /* struct timeval[2] */

    if (times) {
        if (copy_from_user(t, times, sizeof(t)))
            return -EFAULT;
        for (int k = 0; k < 2; k++) {
            if (t[k][1] < 0 || t[k][1] >= 1000000)
                return -EINVAL;
            t[k][1] *= 1000;
        }
    }
    return do_utimes(dirfd, name, times ? t : NULL, 0);
}

SYSCALL2(utimes, uva_t, name, uva_t, times)
{
    return utimes_us(AT_FDCWD, name, times);
}

SYSCALL3(futimesat, int, dirfd, uva_t, name, uva_t, times)
{
    return utimes_us(dirfd, name, times);
}

SYSCALL2(utime, uva_t, name, uva_t, times)
{
    s64 u[2], t[2][2];

    if (times) {
        if (copy_from_user(u, times, sizeof(u)))
            return -EFAULT;
        t[0][0] = u[0];
        t[1][0] = u[1];
        t[0][1] = t[1][1] = 0;
    }
    return do_utimes(AT_FDCWD, name, times ? t : NULL, 0);
}
