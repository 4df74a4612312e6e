// SPDX-License-Identifier: Apache-2.0
//
// The control channel as the stub sees it: connections, of which number 0 is the launcher's, and
// messages that it moves without reading them. What a message says is between runsc and the Sentry;
// that it is one, how long it is and how many descriptors came with it is checked here.

#include "vmm/hostcall/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vmm/abi/control.h"
#include "vmm/hostcall/event.h"
#include "vmm/hostcall/fd.h"
#include "vmm/hostcall/stub.h"
#include "vmm/log.h"

#define NONE (-1)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int conns[CONTROL_CONNECTIONS];    /* descriptors, NONE = free; guarded by lock */
static bool brought[CONTROL_CONNECTIONS]; /* descriptors came: a `runsc exec`; guarded by lock */
static int listener = NONE;
static uid_t owner; /* whose connections are taken */

int control_init(int launcher, int listen_fd)
{
    int r = 0;

    for (unsigned i = 0; i < CONTROL_CONNECTIONS; i++)
        conns[i] = NONE;
    conns[0] = launcher;
    listener = listen_fd;
    owner = geteuid();
    if (launcher >= 0)
        r = event_watch(launcher, EVENT_CONTROL, 0);
    if (!r && listener >= 0 && fcntl(listener, F_SETFL, O_NONBLOCK))
        r = -errno;
    if (!r && listener >= 0)
        r = event_watch(listener, EVENT_LISTENER, 0);
    return r;
}

/* Connection 0 stays the launcher's, also when it has gone. */
static int add_connection(int fd)
{
    unsigned i;
    int r;

    pthread_mutex_lock(&lock);
    for (i = 1; i < CONTROL_CONNECTIONS && conns[i] != NONE; i++)
        ;
    if (i < CONTROL_CONNECTIONS) {
        conns[i] = fd;
        brought[i] = false;
    }
    pthread_mutex_unlock(&lock);
    if (i == CONTROL_CONNECTIONS)
        return -ENFILE;
    r = event_watch(fd, EVENT_CONTROL, i);
    if (!r)
        return 0;
    pthread_mutex_lock(&lock);
    conns[i] = NONE;
    pthread_mutex_unlock(&lock);
    return r;
}

void control_accept(void)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    int r, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return; /* it went away again */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) || peer.uid != owner)
        r = -EPERM;
    else
        r = add_connection(fd);
    if (!r)
        return;
    log_line(LOG_WARN, "control socket: connection refused: %s",
             r == -EPERM    ? "another user's"
             : r == -ENFILE ? "too many"
                            : strerror(-r));
    close(fd);
}

/* Indexes of the descriptors that came with a message; -E2BIG when there were more. */
static int take_descriptors(struct msghdr *msg, s64 index[CONTROL_FDS])
{
    int r = msg->msg_flags & MSG_CTRUNC ? -E2BIG : 0;
    unsigned n = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (r || n == CONTROL_FDS) {
                r = r ? r : -E2BIG;
                close(fd);
                continue;
            }
            fd = hfile_install(fd);
            if (fd < 0)
                r = fd;
            else
                index[n++] = fd;
        }
    }
    while (r && n > 0) {
        hfile_close((u64)index[--n]);
        index[n] = -1;
    }
    return r;
}

static s64 receive(int fd, struct iovec *iov, s64 index[CONTROL_FDS])
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * CONTROL_FDS)];
    } control;
    struct msghdr msg = {.msg_iov = iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int r;

    if (n < 0)
        return -errno;
    r = take_descriptors(&msg, index);
    if (!r && (msg.msg_flags & MSG_TRUNC))
        r = -EMSGSIZE;
    for (int i = 0; r && i < CONTROL_FDS; i++)
        if (index[i] >= 0)
            hfile_close((u64)index[i]);
    return r ? r : n;
}

/* The descriptor of a connection; the lock is held until connection_end(). */
static int connection_begin(u64 index)
{
    pthread_mutex_lock(&lock);
    return index < CONTROL_CONNECTIONS ? conns[index] : NONE;
}

static void connection_end(void)
{
    pthread_mutex_unlock(&lock);
}

s64 hc_CONTROL_RECV(struct hostcall *hc)
{
    struct iovec iov = {.iov_base = memory_translate(GPA(hc->arg[1]), hc->arg[2]),
                        .iov_len = hc->arg[2]};
    s64 index[CONTROL_FDS] = {-1, -1, -1}, r = -EBADF;
    int fd;

    if (hc->arg[2] > CONTROL_MESSAGE_MAX)
        return -EINVAL;
    if (!iov.iov_base)
        return -EFAULT;
    fd = connection_begin(hc->arg[0]);
    if (fd != NONE)
        r = receive(fd, &iov, index);
    if (r >= 0 && index[0] >= 0)
        brought[hc->arg[0]] = true;
    connection_end();
    if (r < 0)
        return r;
    hc->out[0] = (u32)index[0] | (u64)index[1] << 32;
    hc->out[1] = (u32)index[2];
    return r;
}

s64 hc_CONTROL_SEND(struct hostcall *hc)
{
    const void *text = memory_translate(GPA(hc->arg[1]), hc->arg[2]);
    s64 r = -EBADF;
    int fd;

    if (hc->arg[2] > CONTROL_MESSAGE_MAX)
        return -EINVAL;
    if (!text)
        return -EFAULT;
    fd = connection_begin(hc->arg[0]);
    if (fd != NONE)
        r = send(fd, text, hc->arg[2], MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
    connection_end();
    return r;
}

s64 hc_CONTROL_CLOSE(struct hostcall *hc)
{
    int fd = connection_begin(hc->arg[0]);

    if (fd != NONE) {
        event_unwatch(fd);
        conns[hc->arg[0]] = NONE;
        close(fd);
    }
    connection_end();
    return fd != NONE ? 0 : -EBADF;
}

void control_farewell(int ms)
{
    const struct control_message m = {.kind = CONTROL_ENDED};
    struct pollfd p[CONTROL_CONNECTIONS];
    struct timespec now;
    s64 end = 0;
    nfds_t n = 0;

    if (pthread_mutex_trylock(&lock) != 0)
        return; /* we end in the middle of something: no time for manners */
    for (unsigned i = 1; i < CONTROL_CONNECTIONS; i++)
        if (conns[i] != NONE && brought[i] &&
            send(conns[i], &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(m))
            p[n++] = (struct pollfd){.fd = conns[i], .events = 0};
    while (n > 0) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        s64 left = now.tv_sec * 1000 + now.tv_nsec / 1000000;

        end = end ? end : left + ms;
        left = end - left;
        if (left <= 0 || poll(p, n, (int)left) <= 0)
            break;
        for (nfds_t i = 0; i < n;)
            if (p[i].revents)
                p[i] = p[--n];
            else
                i++;
    }
    pthread_mutex_unlock(&lock);
}
