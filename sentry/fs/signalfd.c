// SPDX-License-Identifier: Apache-2.0
//
// signalfd(2): take blocked signals by reading a descriptor. Whose signals: those of the task that
// reads or polls, whoever made the descriptor.

#include <linux/signalfd.h>
#include "sentry/fs/internal.h"
#include "sentry/syscall/syscall.h"

/* What one open file accepts; mask is replaced atomically by signalfd4(). */
struct signalfd {
    sigset64_t mask;
};

static sigset64_t mask_of(const struct signalfd *s)
{
    return __atomic_load_n(&s->mask, __ATOMIC_RELAXED);
}

static void convert(struct signalfd_siginfo *out, const siginfo_t *in)
{
    memset(out, 0, sizeof(*out));
    out->ssi_signo = (u32)in->si_signo;
    out->ssi_errno = in->si_errno;
    out->ssi_code = in->si_code;
    switch (in->si_signo) {
    case SIGSEGV:
    case SIGBUS:
    case SIGILL:
    case SIGFPE:
    case SIGTRAP:
        if (in->si_code > 0) {
            out->ssi_addr = (u64)in->si_addr;
            return;
        }
        break;
    case SIGCHLD:
        out->ssi_pid = (u32)in->si_pid;
        out->ssi_uid = in->si_uid;
        out->ssi_status = in->si_status;
        out->ssi_utime = (u64)in->si_utime;
        out->ssi_stime = (u64)in->si_stime;
        return;
    }
    if (in->si_code == SI_TIMER) {
        out->ssi_tid = (u32)in->si_tid;
        out->ssi_overrun = (u32)in->si_overrun;
    } else {
        out->ssi_pid = (u32)in->si_pid;
        out->ssi_uid = in->si_uid;
    }
    out->ssi_ptr = (u64)in->si_ptr;
    out->ssi_int = in->si_int;
}

static s64 signalfd_read(struct vfs_file *f, struct uio *to, u64 *pos)
{
    struct signalfd *s = f->private;
    s64 done = 0;

    if (to->left < sizeof(struct signalfd_siginfo))
        return -EINVAL;
    while (to->left >= sizeof(struct signalfd_siginfo)) {
        struct signalfd_siginfo out;
        siginfo_t info;

        if (signal_dequeue(mask_of(s), &info)) {
            convert(&out, &info);
            if (copy_to_uio(to, &out, sizeof(out)) != sizeof(out))
                return done ? done : -EFAULT;
            done += (s64)sizeof(out);
            continue;
        }
        if (done)
            break;
        if (to->nowait)
            return -EAGAIN;
        int err = wait_event(&signalfd_waitq, signal_pending_set() & mask_of(s));
        if (err)
            return err;
    }
    return done;
}

static u32 signalfd_poll(struct vfs_file *f, struct poll_table *pt)
{
    poll_wait(pt, &signalfd_waitq);
    return signal_pending_set() & mask_of(f->private) ? POLLIN | POLLRDNORM : 0;
}

static void signalfd_release(struct vfs_file *f)
{
    kfree(f->private);
}

static s64 signalfd_fdinfo(struct vfs_file *f, char *buf, size_t size)
{
    return snprintf_(buf, size, "sigmask:\t%016lx\n", mask_of(f->private));
}

static const struct file_ops signalfd_ops = {
    .read = signalfd_read,
    .poll = signalfd_poll,
    .release = signalfd_release,
    .show_fdinfo = signalfd_fdinfo,
};

static s64 signalfd_change(int fd, sigset64_t mask)
{
    struct vfs_file *f = fd_get(fd);
    s64 ret = -EINVAL;

    if (!f)
        return -EBADF;
    if (f->ops == &signalfd_ops) {
        __atomic_store_n(&((struct signalfd *)f->private)->mask, mask, __ATOMIC_RELAXED);
        wake_all(&signalfd_waitq);
        ret = fd;
    }
    file_put(f);
    return ret;
}

static s64 do_signalfd(int fd, uva_t umask, u64 size, u32 flags)
{
    struct signalfd *s;
    struct vfs_file *f;
    sigset64_t mask;

    if (size != sizeof(mask) || flags & ~(u32)(SFD_CLOEXEC | SFD_NONBLOCK))
        return -EINVAL;
    if (get_user(mask, umask))
        return -EFAULT;
    mask &= ~SIG_KERNEL_UNBLOCKABLE;
    if (fd != -1)
        return signalfd_change(fd, mask);
    s = kzalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->mask = mask;
    f = file_new_anon("anon_inode:[signalfd]", &signalfd_ops, s, O_RDWR | (flags & O_NONBLOCK));
    if (IS_ERR(f)) {
        kfree(s);
        return PTR_ERR(f);
    }
    return fd_install_new(f, flags & SFD_CLOEXEC);
}

SYSCALL3(signalfd, int, fd, uva_t, mask, u64, size)
{
    return do_signalfd(fd, mask, size, 0);
}

SYSCALL4(signalfd4, int, fd, uva_t, mask, u64, size, u32, flags)
{
    return do_signalfd(fd, mask, size, flags);
}
