// SPDX-License-Identifier: Apache-2.0
//
// What the Sentry waits for: an epoll set holds the descriptors it asked about, an outer one adds
// the control channel, window size changes of the container's terminal, and a pipe of events that
// the stub itself posts (one write of one record is atomic, also from a signal handler, and the
// pipe bounds the queue).

#include "vmm/hostcall/stub.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vmm/hostcall/control.h"
#include "vmm/hostcall/event.h"

#define EVENTS_MAX      64
#define SOURCES_AT_ONCE 16

static int outer = -1, inner = -1, terminal = -1, posted[2] = {-1, -1};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* hfile.polled */

int event_watch(int fd, enum event_source source, u32 index)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = (u64)index << 32 | source};

    return epoll_ctl(outer, EPOLL_CTL_ADD, fd, &ev) == 0 ? 0 : -errno;
}

void event_unwatch(int fd)
{
    epoll_ctl(outer, EPOLL_CTL_DEL, fd, NULL);
}

int event_init(void)
{
    int r;

    outer = epoll_create1(EPOLL_CLOEXEC);
    inner = epoll_create1(EPOLL_CLOEXEC);
    if (outer < 0 || inner < 0 || pipe2(posted, O_CLOEXEC | O_NONBLOCK) != 0)
        return -errno;
    r = event_watch(inner, EVENT_GUEST, 0);
    return r ? r : event_watch(posted[0], EVENT_POSTED, 0);
}

int event_watch_window_size(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -errno;
    terminal = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return terminal < 0 ? -errno : event_watch(terminal, EVENT_TERMINAL, 0);
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

static unsigned take_window_size(struct host_event *out)
{
    struct signalfd_siginfo si;

    if (read(terminal, &si, sizeof(si)) != (ssize_t)sizeof(si))
        return 0;
    *out = (struct host_event){.kind = HOST_EVENT_WINSZ};
    return 1;
}

/* What one ready descriptor of the outer set has to say: at most max events. */
static unsigned take(u64 which, struct host_event *out, unsigned max)
{
    if (!max && (which & 0xffffffff) != EVENT_LISTENER)
        return 0; /* next time */
    switch ((enum event_source)(which & 0xffffffff)) {
    case EVENT_GUEST:
        return take_guest(out, max);
    case EVENT_POSTED:
        return take_posted(out, max);
    case EVENT_TERMINAL:
        return take_window_size(out);
    case EVENT_LISTENER:
        control_accept();
        return 0;
    case EVENT_CONTROL: /* again and again, until it is received or closed */
        *out = (struct host_event){.kind = HOST_EVENT_CONTROL, .a = which >> 32};
        return 1;
    }
    return 0;
}

s64 hc_EVENT_WAIT(struct hostcall *hc)
{
    struct host_event out[EVENTS_MAX];
    struct epoll_event src[SOURCES_AT_ONCE];
    unsigned n = 0, max = (unsigned)hc->arg[1];
    s64 r;

    if (hc->arg[1] == 0 || hc->arg[1] > EVENTS_MAX)
        return -EINVAL;
    if (!memory_translate(GPA(hc->arg[0]), max * sizeof(out[0])))
        return -EFAULT;
    while (n == 0) {
        int ready = epoll_wait(outer, src, SOURCES_AT_ONCE, -1);

        if (ready < 0 && errno != EINTR)
            return -errno;
        for (int i = 0; i < ready; i++)
            n += take(src[i].data.u64, out + n, max - n);
    }
    r = stub_copy_out(hc->arg[0], out, n * sizeof(out[0]));
    return r ? r : n;
}
