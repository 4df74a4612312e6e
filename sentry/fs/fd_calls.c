// SPDX-License-Identifier: Apache-2.0
//
// Calls on descriptors: close, dup, fcntl, flock, ioctl.

#include <asm/ioctls.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include "sentry/fs/internal.h"
#include "sentry/fs/locks.h"
#include "sentry/syscall/syscall.h"

SYSCALL1(close, int, fd)
{
    return fd_close(fd);
}

SYSCALL3(close_range, u32, first, u32, last, u32, flags)
{
    if ((flags & ~(u32)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) || first > last)
        return -EINVAL;
    if (flags & CLOSE_RANGE_UNSHARE) {
        struct files *own = files_copy(current->files), *old;
        if (!own)
            return -ENOMEM;
        spin_lock(&current->lock);
        old = current->files;
        current->files = own;
        spin_unlock(&current->lock);
        files_put(old);
    }
    fd_close_range(first, last, flags & CLOSE_RANGE_CLOEXEC);
    return 0;
}

static s64 do_dup(struct vfs_file *f, int from, bool cloexec)
{
    int fd = fd_alloc(from, cloexec);

    if (fd >= 0) {
        file_get(f);
        fd_install(fd, f);
    }
    return fd;
}

SYSCALL1(dup, int, fd)
{
    struct vfs_file *f = fd_get_any(fd);

    if (!f)
        return -EBADF;
    s64 ret = do_dup(f, 0, false);
    file_put(f);
    return ret;
}

static s64 dup_to(int oldfd, int newfd, bool cloexec)
{
    struct vfs_file *f = fd_get_any(oldfd);

    if (!f)
        return -EBADF;
    s64 ret = fd_replace(newfd, f, cloexec);
    file_put(f);
    return ret;
}

SYSCALL2(dup2, int, oldfd, int, newfd)
{
    if (oldfd == newfd)
        return fd_cloexec(oldfd, -1) < 0 ? -EBADF : newfd;
    return dup_to(oldfd, newfd, false);
}

SYSCALL3(dup3, int, oldfd, int, newfd, u32, flags)
{
    if ((flags & ~(u32)O_CLOEXEC) || oldfd == newfd)
        return -EINVAL;
    return dup_to(oldfd, newfd, flags & O_CLOEXEC);
}

SYSCALL2(flock, int, fd, int, op)
{
    struct vfs_file *f = fd_get(fd);

    if (!f)
        return -EBADF;
    s64 ret = file_flock(f, op);
    file_put(f);
    return ret;
}

/* ---- fcntl ---- */

#define SETFL_MASK (u32)(O_APPEND | O_NONBLOCK | FASYNC | O_DIRECT | O_NOATIME)

static s64 set_flags(struct vfs_file *f, u32 flags)
{
    if ((flags & O_NOATIME) && !(f->flags & O_NOATIME) &&
        current->cred->fsuid != f->inode->attr.uid && !capable(CAP_FOWNER))
        return -EPERM;
    spin_lock(&f->lock);
    f->flags = (f->flags & ~SETFL_MASK) | (flags & SETFL_MASK);
    spin_unlock(&f->lock);
    return 0;
}

static s64 get_owner_ex(struct vfs_file *f, uva_t arg)
{
    struct f_owner_ex o = {.type = F_OWNER_PID, .pid = f->owner_pid};

    if (o.pid < 0) {
        o.type = F_OWNER_PGRP;
        o.pid = -o.pid;
    }
    return copy_to_user(arg, &o, sizeof(o));
}

static s64 set_owner_ex(struct vfs_file *f, uva_t arg)
{
    struct f_owner_ex o;

    if (copy_from_user(&o, arg, sizeof(o)))
        return -EFAULT;
    if (o.type != F_OWNER_TID && o.type != F_OWNER_PID && o.type != F_OWNER_PGRP)
        return -EINVAL;
    if (o.pid < 0)
        return -EINVAL;
    f->owner_pid = o.type == F_OWNER_PGRP ? -o.pid : o.pid;
    return 0;
}

/* Commands that work on O_PATH descriptors too. */
static s64 fcntl_fd(struct vfs_file *f, int fd, u32 cmd, u64 arg, bool *done)
{
    *done = true;
    switch (cmd) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        if (arg >= rlimit(RLIMIT_NOFILE) || arg > INT32_MAX)
            return -EINVAL;
        return do_dup(f, (int)arg, cmd == F_DUPFD_CLOEXEC);
    case F_GETFD:
        return fd_cloexec(fd, -1);
    case F_SETFD:
        fd_cloexec(fd, arg & FD_CLOEXEC);
        return 0;
    case F_GETFL:
        return f->flags;
    default:
        *done = false;
        return 0;
    }
}

static s64 do_fcntl(struct vfs_file *f, u32 cmd, u64 arg)
{
    switch (cmd) {
    case F_SETFL:
        return set_flags(f, (u32)arg);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return fcntl_lock(f, cmd, arg);
    case F_SETOWN:
        f->owner_pid = (int)arg;
        return 0;
    case F_GETOWN:
        return f->owner_pid;
    case F_SETOWN_EX:
        return set_owner_ex(f, arg);
    case F_GETOWN_EX:
        return get_owner_ex(f, arg);
    case F_SETSIG:
        if (arg > NSIGNALS)
            return -EINVAL;
        f->owner_sig = (int)arg;
        return 0;
    case F_GETSIG:
        return f->owner_sig;
    case F_SETPIPE_SZ:
    case F_GETPIPE_SZ:
        return pipe_fcntl(f, cmd, arg);
    case F_ADD_SEALS:
    case F_GET_SEALS:
        return memfd_fcntl(f, cmd, arg);
    case F_GETLEASE:
        return F_UNLCK;
    default:
        return -EINVAL;
    }
}

SYSCALL3(fcntl, int, fd, u32, cmd, u64, arg)
{
    struct vfs_file *f = fd_get_any(fd);
    bool done;

    if (!f)
        return -EBADF;
    s64 ret = fcntl_fd(f, fd, cmd, arg, &done);
    if (!done)
        ret = f->mode & FMODE_PATH ? -EBADF : do_fcntl(f, cmd, arg);
    file_put(f);
    return ret;
}

/* ---- ioctl ---- */

static s64 ioctl_flag(struct vfs_file *f, u32 flag, uva_t arg)
{
    int on;

    if (get_user(on, arg))
        return -EFAULT;
    spin_lock(&f->lock);
    f->flags = on ? f->flags | flag : f->flags & ~flag;
    spin_unlock(&f->lock);
    return 0;
}

static s64 ioctl_regular(struct vfs_file *f, u32 cmd, uva_t arg)
{
    struct attr a;
    int err = inode_getattr(f->inode, &a);

    if (err)
        return err;
    if (cmd == FIOQSIZE)
        return put_user((s64)a.size, arg);
    s64 left = (s64)(a.size - f->pos);
    return put_user((int)MIN(MAX(left, (s64)0), (s64)INT32_MAX), arg);
}

SYSCALL3(ioctl, int, fd, u32, cmd, u64, arg)
{
    struct vfs_file *f = fd_get(fd);
    s64 ret;

    if (!f)
        return -EBADF;
    switch (cmd) {
    case FIOCLEX:
    case FIONCLEX:
        fd_cloexec(fd, cmd == FIOCLEX);
        ret = 0;
        break;
    case FIONBIO:
        ret = ioctl_flag(f, O_NONBLOCK, arg);
        break;
    case FIOASYNC:
        ret = ioctl_flag(f, FASYNC, arg);
        break;
    default:
        if ((cmd == FIONREAD || cmd == FIOQSIZE) && S_ISREG(f->inode->attr.mode))
            ret = ioctl_regular(f, cmd, arg);
        else
            ret = f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
    }
    file_put(f);
    return ret;
}
