/* SPDX-License-Identifier: Apache-2.0
 *
 * Between epoll.c (instances and what they watch) and epoll_calls.c (epoll_ctl, epoll_wait).
 */
#pragma once

#include <linux/eventpoll.h>
#include "sentry/fs/internal.h"

#define EPOLL_PRIVATE (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP)

struct epoll_entry;

/* One watched file; owned by its instance, guarded by its mutex. Goes before its file does. */
struct epoll_item {
    struct list hash_link;  /* in ep->buckets */
    struct list file_link;  /* in file->epoll_links; file->lock */
    struct list ready_link; /* ep->lock */
    bool ready;             /* on the ready list; ep->lock */
    struct epoll *ep;
    struct vfs_file *file;
    int fd;
    u32 events; /* 0 but for private bits: one-shot that has fired */
    u64 data;
    struct epoll_entry *entries;
    int err; /* while it is made: no memory for an entry */
};

/* An epoll instance: private of its file. */
struct epoll {
    struct mutex mutex;
    struct spinlock lock;
    struct list ready;
    struct waitq waiters;   /* tasks in epoll_wait */
    struct waitq poll_wait; /* those who watch the instance itself */
    struct list *buckets;   /* items by descriptor */
    u32 nbuckets, nitems;
};

/* Guards files that go, instances that go, and instances that watch instances. */
extern struct mutex epoll_mutex;

bool file_is_epoll(const struct vfs_file *f);
/* With ep->mutex held: */
struct epoll_item *epoll_find(const struct epoll *ep, const struct vfs_file *f, int fd);
int epoll_item_add(struct epoll *ep, struct vfs_file *f, int fd, const struct epoll_event *ev);
int epoll_item_modify(struct epoll *ep, struct epoll_item *it, const struct epoll_event *ev);
void epoll_item_remove(struct epoll *ep, struct epoll_item *it);
/* The events that it waits for and that hold now. */
u32 epoll_ask(struct epoll_item *it);
/* Put on the ready list; false: it is there already. ep->lock held. */
bool epoll_mark_ready(struct epoll *ep, struct epoll_item *it);
