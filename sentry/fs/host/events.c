// SPDX-License-Identifier: Apache-2.0
/*
 * Events from the host: one kernel thread waits in HC_EVENT_WAIT and hands out what comes.
 */
#include "sentry/fs/gofer.h"
#include "sentry/fs/host/host.h"
#include "sentry/kernel/control.h"
#include "sentry/kernel/task.h"

#define MAX_STREAMS 4096
#define EVENT_BATCH 64

/* Watched streams by cookie; lock guards the table and keeps a stream alive during ready(). */
static struct spinlock streams_lock = SPINLOCK_INIT;
static struct host_stream *streams[MAX_STREAMS];

int host_stream_init(struct host_stream *s, u32 fd)
{
    s64 err;
    u32 i;

    s->fd = fd;
    s->always_ready = false;
    waitq_init(&s->wq);
    spin_lock(&streams_lock);
    for (i = 0; i < MAX_STREAMS && streams[i]; i++)
        ;
    if (i < MAX_STREAMS)
        streams[i] = s;
    spin_unlock(&streams_lock);
    if (i == MAX_STREAMS)
        return -ENFILE;
    s->index = i;
    err = HOSTCALL(HC_POLL_ADD, fd, POLLIN | POLLOUT | POLLHUP | POLLERR, i);
    if (err == -EPERM) { /* epoll refuses what never blocks */
        s->always_ready = true;
        return 0;
    }
    if (err < 0)
        host_stream_destroy(s);
    return (int)err;
}

void host_stream_destroy(struct host_stream *s)
{
    HOSTCALL(HC_POLL_DEL, s->fd);
    spin_lock(&streams_lock);
    if (streams[s->index] == s)
        streams[s->index] = NULL;
    spin_unlock(&streams_lock);
}

static void stream_event(u64 cookie, u32 events)
{
    struct host_stream *s;

    if (cookie >= MAX_STREAMS)
        return;
    spin_lock(&streams_lock);
    s = streams[cookie];
    if (s && s->ready)
        s->ready(s, events);
    else if (s)
        waitq_wake(&s->wq, events, ~0u);
    spin_unlock(&streams_lock);
}

static void dispatch(const struct host_event *e)
{
    switch (e->kind) {
    case HOST_EVENT_POLL:
        stream_event(e->a, (u32)e->b);
        break;
    case HOST_EVENT_CONTROL:
        control_event((u32)e->a);
        break;
    case HOST_EVENT_WINSZ:
        control_window_changed();
        break;
    case HOST_EVENT_WINDOW:
        gofer_window_lost(e->a, e->b);
        break;
    default:
        log_debug("host event %u is nobody's business", e->kind);
    }
}

static void event_loop(void *unused)
{
    struct page *page = page_alloc(0, 0);
    struct host_event *events, batch[EVENT_BATCH];

    if (!page)
        panic("no memory for host events");
    events = page_virt(page);
    for (;;) {
        s64 n = HOSTCALL_WAIT(HC_EVENT_WAIT, virt_to_phys(events), EVENT_BATCH);

        if (n < 0) {
            log_warn("waiting for host events: error %ld", -n);
            return;
        }
        n = MIN(n, (s64)EVENT_BATCH);
        memcpy(batch, events, (size_t)n * sizeof(batch[0]));
        for (s64 i = 0; i < n; i++)
            dispatch(&batch[i]);
    }
}

void host_events_start(void)
{
    if (!kthread_start("host-events", event_loop, NULL))
        panic("cannot start the host event thread");
}
