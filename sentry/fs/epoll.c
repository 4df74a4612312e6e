// SPDX-License-Identifier: Apache-2.0
//
// epoll(7). An item per watched (file, descriptor) hangs in the wait queues of its file; a wake-up
// there puts it on the ready list of its epoll instance. Waiting takes items off the list, asks
// their files and keeps those on it that are level-triggered and still ready.
//
// Locks: epoll_mutex (files that go, instances that go, instances watched by instances), then the
// instance's mutex (its items), then the wait queues' locks, then the instance's spinlock (ready
// list).

#include "sentry/fs/epoll.h"
#include "sentry/syscall/syscall.h"

#define MIN_BUCKETS 16u

/* A place of an item in one of its file's queues. */
struct epoll_entry {
    struct waiter waiter;
    struct waitq *wq;
    struct epoll_item *item;
    struct epoll_entry *next;
};

struct mutex epoll_mutex;

/* ---- the table of items ---- */

static struct list *bucket(const struct epoll *ep, int fd)
{
    return &ep->buckets[(u32)fd & (ep->nbuckets - 1)];
}

static int grow(struct epoll *ep)
{
    u32 n = ep->nbuckets ? ep->nbuckets * 2 : MIN_BUCKETS, had = ep->nbuckets;
    struct list *old = ep->buckets, *new = kmalloc(n * sizeof(*new));
    struct epoll_item *it, *next;

    if (!new)
        return -ENOMEM;
    for (u32 i = 0; i < n; i++)
        list_init(&new[i]);
    ep->buckets = new;
    ep->nbuckets = n;
    for (u32 i = 0; i < had; i++) {
        list_for_each_safe (it, next, &old[i], hash_link) {
            list_del(&it->hash_link);
            list_add(bucket(ep, it->fd), &it->hash_link);
        }
    }
    kfree(old);
    return 0;
}

struct epoll_item *epoll_find(const struct epoll *ep, const struct vfs_file *f, int fd)
{
    struct epoll_item *it;

    list_for_each (it, bucket(ep, fd), hash_link)
        if (it->fd == fd && it->file == f)
            return it;
    return NULL;
}

/* ---- readiness ---- */

static void wake_instance(struct epoll *ep)
{
    waitq_wake(&ep->waiters, POLLIN, 1);
    waitq_wake(&ep->poll_wait, POLLIN | POLLRDNORM, ~0u);
}

/* Put on the ready list; false: it is there already. ep->lock held. */
bool epoll_mark_ready(struct epoll *ep, struct epoll_item *it)
{
    if (it->ready)
        return false;
    it->ready = true;
    list_add_tail(&ep->ready, &it->ready_link);
    return true;
}

static void make_ready(struct epoll *ep, struct epoll_item *it)
{
    bool fresh;

    spin_lock(&ep->lock);
    fresh = epoll_mark_ready(ep, it);
    spin_unlock(&ep->lock);
    if (fresh)
        wake_instance(ep);
}

/* The file's queue was woken; its lock is held. */
static bool on_wake(struct waiter *w, u32 events)
{
    struct epoll_item *it = container_of(w, struct epoll_entry, waiter)->item;
    struct epoll *ep = it->ep;
    u32 want = __atomic_load_n(&it->events, __ATOMIC_RELAXED) & ~EPOLL_PRIVATE;
    bool waited;

    if (!(want & events))
        return false;
    spin_lock(&ep->lock);
    epoll_mark_ready(ep, it);
    spin_unlock(&ep->lock);
    waited = !list_empty(&ep->waiters.waiters);
    wake_instance(ep);
    return waited;
}

/* Queueing of an item that is being made. */
struct epoll_table {
    struct poll_table table;
    struct epoll_item *item;
};

static void epoll_queue(struct poll_table *pt, struct waitq *wq)
{
    struct epoll_item *it = container_of(pt, struct epoll_table, table)->item;
    struct epoll_entry *e = kzalloc(sizeof(*e));

    if (!e) {
        it->err = -ENOMEM;
        return;
    }
    e->waiter.func = on_wake;
    e->waiter.exclusive = it->events & EPOLLEXCLUSIVE;
    e->wq = wq;
    e->item = it;
    e->next = it->entries;
    it->entries = e;
    waitq_add(wq, &e->waiter);
}

u32 epoll_ask(struct epoll_item *it)
{
    struct poll_table none = {.events = it->events};

    return vfs_poll(it->file, &none) & it->events & ~EPOLL_PRIVATE;
}

/* ---- items ---- */

/* ep->mutex held, and the item's file cannot go meanwhile. */
void epoll_item_remove(struct epoll *ep, struct epoll_item *it)
{
    struct epoll_entry *next;

    for (struct epoll_entry *e = it->entries; e; e = next) {
        next = e->next;
        waitq_remove(e->wq, &e->waiter);
        kfree(e);
    }
    spin_lock(&it->file->lock);
    list_del(&it->file_link);
    spin_unlock(&it->file->lock);
    spin_lock(&ep->lock);
    if (it->ready)
        list_del(&it->ready_link);
    spin_unlock(&ep->lock);
    list_del(&it->hash_link);
    ep->nitems--;
    kfree(it);
}

int epoll_item_add(struct epoll *ep, struct vfs_file *f, int fd, const struct epoll_event *ev)
{
    struct epoll_item *it;
    struct epoll_table pt = {.table.queue = epoll_queue};
    u32 now;
    int err;

    if (epoll_find(ep, f, fd))
        return -EEXIST;
    if (ep->nitems >= ep->nbuckets * 2 && (err = grow(ep)))
        return err;
    it = kzalloc(sizeof(*it));
    if (!it)
        return -ENOMEM;
    it->ep = ep;
    it->file = f;
    it->fd = fd;
    it->events = ev->events | EPOLLERR | EPOLLHUP;
    it->data = ev->data;
    list_add(bucket(ep, fd), &it->hash_link);
    ep->nitems++;
    spin_lock(&f->lock);
    list_add(&f->epoll_links, &it->file_link);
    spin_unlock(&f->lock);
    pt.item = it;
    pt.table.events = it->events;
    now = vfs_poll(f, &pt.table) & it->events & ~EPOLL_PRIVATE;
    if (it->err) {
        err = it->err;
        epoll_item_remove(ep, it);
        return err;
    }
    if (now)
        make_ready(ep, it);
    return 0;
}

int epoll_item_modify(struct epoll *ep, struct epoll_item *it, const struct epoll_event *ev)
{
    if (it->events & EPOLLEXCLUSIVE)
        return -EINVAL;
    it->data = ev->data;
    __atomic_store_n(&it->events, ev->events | EPOLLERR | EPOLLHUP, __ATOMIC_SEQ_CST);
    if (epoll_ask(it))
        make_ready(ep, it);
    return 0;
}

/* ---- the instance as a file ---- */

static const struct file_ops epoll_ops;

bool file_is_epoll(const struct vfs_file *f)
{
    return f->ops == &epoll_ops;
}

/* Ready when an item on the list still is; those that are not leave it. */
static u32 epoll_poll(struct vfs_file *f, struct poll_table *pt)
{
    struct epoll *ep = f->private;
    u32 events = 0;

    poll_wait(pt, &ep->poll_wait);
    mutex_lock(&ep->mutex);
    while (!events) {
        struct epoll_item *it = NULL;

        spin_lock(&ep->lock);
        if (!list_empty(&ep->ready)) {
            it = list_first(&ep->ready, struct epoll_item, ready_link);
            list_del(&it->ready_link);
            it->ready = false;
        }
        spin_unlock(&ep->lock);
        if (!it)
            break;
        if (epoll_ask(it)) {
            spin_lock(&ep->lock);
            epoll_mark_ready(ep, it);
            spin_unlock(&ep->lock);
            events = POLLIN | POLLRDNORM;
        }
    }
    mutex_unlock(&ep->mutex);
    return events;
}

static void epoll_release(struct vfs_file *f)
{
    struct epoll *ep = f->private;
    struct epoll_item *it, *next;

    mutex_lock(&epoll_mutex);
    mutex_lock(&ep->mutex);
    for (u32 i = 0; i < ep->nbuckets; i++)
        list_for_each_safe (it, next, &ep->buckets[i], hash_link)
            epoll_item_remove(ep, it);
    mutex_unlock(&ep->mutex);
    mutex_unlock(&epoll_mutex);
    kfree(ep->buckets);
    kfree(ep);
}

void epoll_forget_file(struct vfs_file *f)
{
    mutex_lock(&epoll_mutex);
    while (!list_empty(&f->epoll_links)) {
        struct epoll_item *it = list_first(&f->epoll_links, struct epoll_item, file_link);
        struct epoll *ep = it->ep;

        mutex_lock(&ep->mutex);
        epoll_item_remove(ep, it);
        mutex_unlock(&ep->mutex);
    }
    mutex_unlock(&epoll_mutex);
}

static s64 epoll_fdinfo(struct vfs_file *f, char *buf, size_t size)
{
    struct epoll *ep = f->private;
    struct epoll_item *it;
    size_t n = 0;

    mutex_lock(&ep->mutex);
    for (u32 i = 0; i < ep->nbuckets; i++) {
        list_for_each (it, &ep->buckets[i], hash_link) {
            if (n + 80 < size)
                n += (size_t)snprintf_(buf + n, size - n, "tfd: %8d events: %8x data: %16lx\n",
                                       it->fd, it->events, it->data);
        }
    }
    mutex_unlock(&ep->mutex);
    return (s64)n;
}

static const struct file_ops epoll_ops = {
    .poll = epoll_poll,
    .release = epoll_release,
    .show_fdinfo = epoll_fdinfo,
};

static s64 epoll_make(u32 flags)
{
    struct epoll *ep;
    struct vfs_file *f;

    if (flags & ~(u32)EPOLL_CLOEXEC)
        return -EINVAL;
    ep = kzalloc(sizeof(*ep));
    if (!ep || grow(ep)) {
        kfree(ep);
        return -ENOMEM;
    }
    mutex_init(&ep->mutex);
    list_init(&ep->ready);
    waitq_init(&ep->waiters);
    waitq_init(&ep->poll_wait);
    f = file_new_anon("anon_inode:[eventpoll]", &epoll_ops, ep, O_RDWR);
    if (IS_ERR(f)) {
        kfree(ep->buckets);
        kfree(ep);
        return PTR_ERR(f);
    }
    return fd_install_new(f, flags & EPOLL_CLOEXEC);
}

SYSCALL1(epoll_create, int, size)
{
    return size <= 0 ? -EINVAL : epoll_make(0);
}

SYSCALL1(epoll_create1, u32, flags)
{
    return epoll_make(flags);
}
