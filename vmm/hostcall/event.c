// SPDX-License-Identifier: Apache-2.0
//
// What the Sentry waits for: an epoll set holds the descriptors it asked about, an outer one adds
// the CLI's control socket and a pipe of events that the stub itself posts (one write of one record
// is atomic, also from a signal handler, and the pipe bounds the queue).

#include "vmm/hostcall/stub.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/hostcall/event.h"
#include "vmm/log.h"
#include "vmm/sandbox.h"

#define EVENTS_MAX 64

enum source { SOURCE_GUEST, SOURCE_CONTROL, SOURCE_POSTED };

static int outer = -1, inner = -1, control = -1, posted[2] = {-1, -1};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* hfile.polled */

static int watch(int fd, enum source src)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = src};

    return epoll_ctl(outer, EPOLL_CTL_ADD, fd, &ev) == 0 ? 0 : -errno;
}

int event_init(int control_fd)
{
    int r;

    control = control_fd;
    outer = epoll_create1(EPOLL_CLOEXEC);
    inner = epoll_create1(EPOLL_CLOEXEC);
    if (outer < 0 || inner < 0 || pipe2(posted, O_CLOEXEC | O_NONBLOCK) != 0)
        return -errno;
    r = watch(inner, SOURCE_GUEST);
    if (!r)
        r = watch(posted[0], SOURCE_POSTED);
    if (!r && control >= 0)
        r = watch(control, SOURCE_CONTROL);
    return r;
}

bool event_post(u32 kind, u64 a, u64 b)
{
    struct host_event ev = {.kind = kind, .a = a, .b = b};
    int saved = errno;
    bool ok = write(posted[1], &ev, sizeof(ev)) == (ssize_t)sizeof(ev);

    errno = saved;
    return ok;
}

s64 hc_POLL_ADD(struct hostcall *hc)
{
    struct epoll_event ev = {.events =
                                 (u32)hc->arg[1] & (EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP),
                             .data.u64 = hc->arg[2]};
    struct hfile *f = hfile_get(hc->arg[0]);
    s64 r = 0;

    if (!f)
        return -EBADF;
    ev.events |= EPOLLET;
    pthread_mutex_lock(&lock);
    if (epoll_ctl(inner, f->polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, f->fd, &ev) == 0)
        f->polled = true;
    else
        r = -errno;
    pthread_mutex_unlock(&lock);
    hfile_put(f);
    return r;
}

void event_forget(struct hfile *f)
{
    pthread_mutex_lock(&lock);
    if (f->polled)
        epoll_ctl(inner, EPOLL_CTL_DEL, f->fd, NULL);
    f->polled = false;
    pthread_mutex_unlock(&lock);
}

s64 hc_POLL_DEL(struct hostcall *hc)
{
    struct hfile *f = hfile_get(hc->arg[0]);

    if (!f)
        return -EBADF;
    event_forget(f);
    hfile_put(f);
    return 0;
}

static unsigned take_guest(struct host_event *out, unsigned max)
{
    struct epoll_event ev[EVENTS_MAX];
    int n = epoll_wait(inner, ev, (int)max, 0);

    for (int i = 0; i < n; i++)
        out[i] = (struct host_event){
            .kind = HOST_EVENT_POLL, .a = ev[i].data.u64, .b = ev[i].events & 0xffff};
    return n > 0 ? (unsigned)n : 0;
}

static unsigned take_posted(struct host_event *out, unsigned max)
{
    ssize_t n = read(posted[0], out, max * sizeof(*out));

    return n > 0 ? (unsigned)((size_t)n / sizeof(*out)) : 0;
}

static unsigned take_control(struct host_event *out, unsigned max)
{
    struct sandbox_control m;
    unsigned n = 0;

    while (n < max) {
        ssize_t len = recv(control, &m, sizeof(m), MSG_DONTWAIT);

        if (len < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (len <= 0) { /* the CLI is gone: the sandbox goes on without it */
            epoll_ctl(outer, EPOLL_CTL_DEL, control, NULL);
            break;
        }
        if (len != (ssize_t)sizeof(m) ||
            (m.kind != HOST_EVENT_SIGNAL && m.kind != HOST_EVENT_WINSZ &&
             m.kind != HOST_EVENT_COMMAND)) {
            log_line(LOG_WARN, "control socket: bad message of %zd bytes", len);
            continue;
        }
        out[n++] = (struct host_event){.kind = m.kind, .a = m.a, .b = m.b};
    }
    return n;
}

s64 hc_EVENT_WAIT(struct hostcall *hc)
{
    struct host_event out[EVENTS_MAX];
    struct epoll_event src[3];
    unsigned n = 0, max = (unsigned)hc->arg[1];
    s64 r;

    if (hc->arg[1] == 0 || hc->arg[1] > EVENTS_MAX)
        return -EINVAL;
    if (!memory_translate(GPA(hc->arg[0]), max * sizeof(out[0])))
        return -EFAULT;
    while (n == 0) {
        int ready = epoll_wait(outer, src, 3, -1);

        if (ready < 0 && errno != EINTR)
            return -errno;
        for (int i = 0; i < ready && n < max; i++) {
            if (src[i].data.u64 == SOURCE_GUEST)
                n += take_guest(out + n, max - n);
            else if (src[i].data.u64 == SOURCE_CONTROL)
                n += take_control(out + n, max - n);
            else
                n += take_posted(out + n, max - n);
        }
    }
    r = stub_copy_out(hc->arg[0], out, n * sizeof(out[0]));
    return r ? r : n;
}
