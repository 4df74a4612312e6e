// SPDX-License-Identifier: Apache-2.0
//
// Moving data between guest RAM and host descriptors. Streams are never waited for: our own
// non-blocking descriptors are used as they are, on shared ones each call is made non-blocking by
// itself (the flags of the user's terminal or pipe belong to the user).

#include "vmm/hostcall/stub.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/hostcall/fd.h"

/* Linux pipes take up to this much without waiting once poll says that they are writable. */
#define PIPE_ATOMIC 4096

/* Descriptor and memory of a transfer; the caller drops the descriptor. */
static s64 io_args(struct hostcall *hc, struct hfile **f, struct iovec *iov)
{
    if (hc->arg[2] > HC_IO_MAX)
        return -EINVAL;
    iov->iov_len = hc->arg[2];
    iov->iov_base = memory_translate(GPA(hc->arg[1]), hc->arg[2]);
    if (!iov->iov_base && iov->iov_len)
        return -EFAULT;
    *f = hfile_get(hc->arg[0]);
    return *f ? 0 : -EBADF;
}

s64 hc_PREAD(struct hostcall *hc)
{
    struct hfile *f;
    struct iovec iov;
    s64 r = io_args(hc, &f, &iov);

    if (r)
        return r;
    r = pread(f->fd, iov.iov_base, iov.iov_len, (off_t)hc->arg[3]);
    if (r < 0)
        r = -errno;
    hfile_put(f);
    return r;
}

s64 hc_PWRITE(struct hostcall *hc)
{
    struct hfile *f;
    struct iovec iov;
    s64 r = io_args(hc, &f, &iov);

    if (r)
        return r;
    r = pwrite(f->fd, iov.iov_base, iov.iov_len, (off_t)hc->arg[3]);
    if (r < 0)
        r = -errno;
    hfile_put(f);
    return r;
}

static int ready(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    return poll(&p, 1, 0) > 0 ? p.revents : 0;
}

static ssize_t stream_read(struct hfile *f, struct iovec *iov)
{
    ssize_t n;

    if (f->nonblock || S_ISREG(f->mode))
        return readv(f->fd, iov, 1);
    if (S_ISSOCK(f->mode))
        return recv(f->fd, iov->iov_base, iov->iov_len, MSG_DONTWAIT);
    n = preadv2(f->fd, iov, 1, -1, RWF_NOWAIT);
    if (n >= 0 || errno != EOPNOTSUPP)
        return n;
    /* the rest returns what is there, once something is; another reader may still beat us to it */
    if (!ready(f->fd, POLLIN)) {
        errno = EAGAIN;
        return -1;
    }
    return readv(f->fd, iov, 1);
}

static ssize_t stream_write(struct hfile *f, struct iovec *iov)
{
    ssize_t n;

    if (f->nonblock || S_ISREG(f->mode))
        return writev(f->fd, iov, 1);
    if (S_ISSOCK(f->mode))
        return send(f->fd, iov->iov_base, iov->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    n = pwritev2(f->fd, iov, 1, -1, RWF_NOWAIT);
    if (n >= 0 || errno != EOPNOTSUPP)
        return n;
    if (!ready(f->fd, POLLOUT)) {
        errno = EAGAIN;
        return -1;
    }
    if (iov->iov_len > PIPE_ATOMIC)
        iov->iov_len = PIPE_ATOMIC;
    return writev(f->fd, iov, 1);
}

s64 hc_READ(struct hostcall *hc)
{
    struct hfile *f;
    struct iovec iov;
    s64 r = io_args(hc, &f, &iov);

    if (r)
        return r;
    r = stream_read(f, &iov);
    if (r < 0)
        r = -errno;
    hfile_put(f);
    return r;
}

s64 hc_WRITE(struct hostcall *hc)
{
    struct hfile *f;
    struct iovec iov;
    s64 r = io_args(hc, &f, &iov);

    if (r)
        return r;
    r = stream_write(f, &iov);
    if (r < 0)
        r = -errno;
    hfile_put(f);
    return r;
}

s64 hc_POLL_NOW(struct hostcall *hc)
{
    struct hfile *f = hfile_get(hc->arg[0]);
    s64 r;

    if (!f)
        return -EBADF;
    r = ready(f->fd, (short)hc->arg[1]);
    hfile_put(f);
    return r;
}

s64 hc_LSEEK(struct hostcall *hc)
{
    struct hfile *f = hfile_get(hc->arg[0]);
    s64 r;

    if (!f)
        return -EBADF;
    r = S_ISREG(f->mode) ? lseek(f->fd, (off_t)hc->arg[1], (int)hc->arg[2]) : -1;
    if (r < 0)
        r = S_ISREG(f->mode) ? -errno : -ESPIPE;
    hfile_put(f);
    return r;
}
