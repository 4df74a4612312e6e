// SPDX-License-Identifier: Apache-2.0
//
// epoll_ctl(2) and epoll_wait(2). Waiting takes items off the ready list, asks their files, and
// puts those back that are level-triggered and still ready.

#include "sentry/fs/epoll.h"
#include "sentry/syscall/syscall.h"

#define MAX_NESTING 4

/* ---- epoll_ctl ---- */

/* Would watching `at` from ep make a loop, or nest too deep? epoll_mutex held. */
static int check_nesting(struct epoll *ep, struct epoll *at, int depth)
{
    struct epoll_item *it;
    int err = 0;

    if (at == ep || depth > MAX_NESTING)
        return -ELOOP;
    mutex_lock(&at->mutex);
    for (u32 i = 0; i < at->nbuckets && !err; i++) {
        list_for_each (it, &at->buckets[i], hash_link) {
            if (file_is_epoll(it->file))
                err = check_nesting(ep, it->file->private, depth + 1);
            if (err)
                break;
        }
    }
    mutex_unlock(&at->mutex);
    return err;
}

static int ctl_add(struct epoll *ep, struct vfs_file *f, int fd, struct epoll_event *ev)
{
    bool nested = file_is_epoll(f);
    int err = 0;

    if (ev->events & EPOLLEXCLUSIVE &&
        (nested || ev->events & ~(u32)(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP |
                                       EPOLLET | EPOLLEXCLUSIVE)))
        return -EINVAL;
    if (nested) {
        mutex_lock(&epoll_mutex);
        err = check_nesting(ep, f->private, 1);
    }
    if (!err) {
        mutex_lock(&ep->mutex);
        err = epoll_item_add(ep, f, fd, ev);
        mutex_unlock(&ep->mutex);
    }
    if (nested)
        mutex_unlock(&epoll_mutex);
    return err;
}

static int ctl_change(struct epoll *ep, struct vfs_file *f, int fd, struct epoll_event *ev)
{
    struct epoll_item *it;
    int err = -ENOENT;

    mutex_lock(&ep->mutex);
    it = epoll_find(ep, f, fd);
    if (it && ev) {
        err = ev->events & EPOLLEXCLUSIVE ? -EINVAL : epoll_item_modify(ep, it, ev);
    } else if (it) {
        epoll_item_remove(ep, it);
        err = 0;
    }
    mutex_unlock(&ep->mutex);
    return err;
}

static s64 ctl(struct vfs_file *ef, struct vfs_file *f, int op, int fd, struct epoll_event *ev)
{
    if (!f->ops->poll)
        return -EPERM;
    if (ef == f || !file_is_epoll(ef))
        return -EINVAL;
    switch (op) {
    case EPOLL_CTL_ADD:
        return ctl_add(ef->private, f, fd, ev);
    case EPOLL_CTL_MOD:
        return ctl_change(ef->private, f, fd, ev);
    case EPOLL_CTL_DEL:
        return ctl_change(ef->private, f, fd, NULL);
    default:
        return -EINVAL;
    }
}

SYSCALL4(epoll_ctl, int, epfd, int, op, int, fd, uva_t, event)
{
    struct epoll_event ev = {0};
    struct vfs_file *ef, *f;
    s64 ret = -EBADF;

    if (op != EPOLL_CTL_DEL && copy_from_user(&ev, event, sizeof(ev)))
        return -EFAULT;
    ef = fd_get(epfd);
    f = fd_get(fd);
    if (ef && f)
        ret = ctl(ef, f, op, fd, &ev);
    if (f)
        file_put(f);
    if (ef)
        file_put(ef);
    return ret;
}

/* ---- epoll_wait ---- */

static struct epoll_item *next_ready(struct epoll *ep, struct list *batch)
{
    struct epoll_item *it = NULL;

    spin_lock(&ep->lock);
    if (!list_empty(batch)) {
        it = list_first(batch, struct epoll_item, ready_link);
        list_del(&it->ready_link);
        it->ready = false; /* what happens from now on makes it ready again */
    }
    spin_unlock(&ep->lock);
    return it;
}

/* Report one item. 1, 0 when it is not ready after all, -EFAULT. */
static int report(struct epoll *ep, struct epoll_item *it, uva_t to)
{
    struct epoll_event ev = {.events = epoll_ask(it), .data = it->data};
    bool fault;

    if (!ev.events)
        return 0;
    fault = copy_to_user(to, &ev, sizeof(ev));
    if (!fault && it->events & EPOLLONESHOT) {
        __atomic_store_n(&it->events, it->events & EPOLL_PRIVATE, __ATOMIC_SEQ_CST);
    } else if (fault || !(it->events & EPOLLET)) {
        spin_lock(&ep->lock);
        epoll_mark_ready(ep, it);
        spin_unlock(&ep->lock);
    }
    return fault ? -EFAULT : 1;
}

static void list_move_all(struct list *to, struct list *from)
{
    while (!list_empty(from)) {
        struct list *n = from->prev;

        list_del(n);
        list_add(to, n);
    }
}

/* Report what is ready now. How many, or -EFAULT when it is none. */
static int collect(struct epoll *ep, uva_t events, int max)
{
    struct list batch = LIST_INIT(batch);
    struct epoll_item *it;
    int n = 0, r = 0;
    bool more;

    mutex_lock(&ep->mutex);
    spin_lock(&ep->lock);
    list_move_all(&batch, &ep->ready);
    spin_unlock(&ep->lock);
    while (n < max && r >= 0 && (it = next_ready(ep, &batch))) {
        r = report(ep, it, events + (u64)n * sizeof(struct epoll_event));
        n += r > 0;
    }
    spin_lock(&ep->lock);
    list_move_all(&ep->ready, &batch);
    more = !list_empty(&ep->ready);
    spin_unlock(&ep->lock);
    mutex_unlock(&ep->mutex);
    if (more && n)
        waitq_wake(&ep->waiters, POLLIN, 1);
    return n ? n : MIN(r, 0);
}

static bool anything_ready(struct epoll *ep)
{
    bool any;

    spin_lock(&ep->lock);
    any = !list_empty(&ep->ready);
    spin_unlock(&ep->lock);
    return any;
}

static int wait_ready(struct epoll *ep, u64 deadline)
{
    struct waiter w = {.task = current, .exclusive = true};
    int err = 0;

    waitq_add(&ep->waiters, &w);
    while (!anything_ready(ep)) {
        if (signal_pending(current)) {
            err = -EINTR;
            break;
        }
        if (machine_park(deadline) == -ETIMEDOUT) {
            err = anything_ready(ep) ? 0 : -ETIMEDOUT;
            break;
        }
    }
    waitq_remove(&ep->waiters, &w);
    return err;
}

/* deadline 0: do not wait. */
static s64 do_wait(int epfd, uva_t events, int max, u64 deadline)
{
    struct vfs_file *f;
    s64 ret = 0;

    if (max <= 0 || (u64)max > 0x7fffffff / sizeof(struct epoll_event))
        return -EINVAL;
    f = fd_get(epfd);
    if (!f)
        return -EBADF;
    if (!file_is_epoll(f)) {
        file_put(f);
        return -EINVAL;
    }
    for (;;) {
        if (anything_ready(f->private))
            ret = collect(f->private, events, max);
        if (ret || !deadline)
            break;
        ret = wait_ready(f->private, deadline);
        if (ret == -ETIMEDOUT) {
            ret = 0;
            break;
        }
        if (ret)
            break;
    }
    file_put(f);
    return ret;
}

static u64 deadline_of_ms(int ms)
{
    if (ms < 0)
        return U64_MAX;
    return ms ? deadline_after((u64)ms * 1000000) : 0;
}

static s64 wait_masked(int epfd, uva_t events, int max, u64 deadline, uva_t mask, u64 size)
{
    sigset64_t set;

    if (mask) {
        if (size != sizeof(set))
            return -EINVAL;
        if (get_user(set, mask))
            return -EFAULT;
        signal_mask_temporarily(set);
    }
    return do_wait(epfd, events, max, deadline);
}

SYSCALL4(epoll_wait, int, epfd, uva_t, events, int, max, int, timeout)
{
    return do_wait(epfd, events, max, deadline_of_ms(timeout));
}

SYSCALL6(epoll_pwait, int, epfd, uva_t, events, int, max, int, timeout, uva_t, mask, u64, size)
{
    return wait_masked(epfd, events, max, deadline_of_ms(timeout), mask, size);
}

SYSCALL6(epoll_pwait2, int, epfd, uva_t, events, int, max, uva_t, timeout, uva_t, mask, u64, size)
{
    u64 deadline = U64_MAX, ns;

    if (timeout) {
        int err = timespec_from_user(timeout, &ns);
        if (err)
            return err;
        deadline = ns ? deadline_after(ns) : 0;
    }
    return wait_masked(epfd, events, max, deadline, mask, size);
}
