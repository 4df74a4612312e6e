// SPDX-License-Identifier: Apache-2.0
//
// Gofer round trips. A connection carries one request at a time; the messages themselves are
// between the Sentry and the gofer, the stub only moves them and takes the descriptor that a reply
// donates.

#include "vmm/hostcall/stub.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/hostcall/fd.h"

#define GOFERS_MAX  64
#define MESSAGE_MAX KIB(128)
#define CONTROL_FDS 4 /* more than the protocol ever sends; surplus ones are closed */

/* A connection. Lives as long as the process; lock: one round trip at a time. */
struct gofer {
    int fd;
    pthread_mutex_t lock;
};

static struct gofer gofers[GOFERS_MAX];
static size_t ngofers;

int hostcall_set_gofers(const int *fds, size_t n)
{
    if (n > GOFERS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < n; i++) {
        gofers[i].fd = fds[i];
        pthread_mutex_init(&gofers[i].lock, NULL);
    }
    ngofers = n;
    return 0;
}

/* First descriptor of the reply, -1 without one. */
static int donated(struct msghdr *msg)
{
    int first = -1;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (first < 0)
                first = fd;
            else
                close(fd);
        }
    }
    return first;
}

static s64 round_trip(struct gofer *g, struct iovec *req, struct iovec *reply, int *fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * CONTROL_FDS)];
    } control;
    struct msghdr out = {.msg_iov = req, .msg_iovlen = 1};
    struct msghdr in = {.msg_iov = reply,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = sizeof(control)};
    ssize_t n;

    do {
        n = sendmsg(g->fd, &out, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    do {
        n = recvmsg(g->fd, &in, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    *fd = donated(&in);
    if (n == 0)
        return -ECONNRESET;
    if (in.msg_flags & MSG_CTRUNC) /* no room for a descriptor in our own table */
        return -EMFILE;
    return in.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

s64 hc_GOFER(struct hostcall *hc)
{
    struct iovec req = {.iov_base = memory_translate(GPA(hc->arg[1]), hc->arg[2]),
                        .iov_len = hc->arg[2]};
    struct iovec reply = {.iov_base = memory_translate(GPA(hc->arg[3]), hc->arg[4]),
                          .iov_len = hc->arg[4]};
    struct gofer *g;
    int fd = -1;
    s64 r;

    hc->out[0] = (u64)-1;
    if (hc->arg[0] >= ngofers)
        return -EBADF;
    if (hc->arg[2] > MESSAGE_MAX || hc->arg[4] > MESSAGE_MAX)
        return -EINVAL;
    if (!req.iov_base || !reply.iov_base)
        return -EFAULT;
    g = &gofers[hc->arg[0]];
    pthread_mutex_lock(&g->lock);
    r = round_trip(g, &req, &reply, &fd);
    pthread_mutex_unlock(&g->lock);
    if (fd < 0)
        return r;
    if (r < 0) {
        close(fd);
        return r;
    }
    fd = hfile_install(fd);
    if (fd < 0)
        return fd;
    hc->out[0] = (u64)fd;
    return r;
}
