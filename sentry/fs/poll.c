// SPDX-License-Identifier: Apache-2.0
//
// poll(2), select(2) and their relatives: ask every file, queueing up where it may be woken; sleep;
// ask again.

#include <linux/posix_types.h>
#include <linux/time.h>
#include "sentry/fs/internal.h"
#include "sentry/syscall/syscall.h"

#define POLL_INLINE   16
#define POLL_ALWAYS   (POLLERR | POLLHUP | POLLNVAL)
#define SELECT_IN     (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR | POLLNVAL)
#define SELECT_OUT    (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR | POLLNVAL)
#define SELECT_EXCEPT (POLLPRI | POLLNVAL)

/* One descriptor that is asked; file is held for the time of the call. */
struct poll_item {
    struct vfs_file *file; /* NULL: not open, or fd < 0 */
    int fd;
    u32 events, revents;
};

/* A place in a queue. */
struct poll_entry {
    struct waiter waiter;
    struct waitq *wq;
};

struct poll_block {
    struct poll_block *next;
    u32 n;
    struct poll_entry entry[30];
};

/* Where a call has queued up; on its stack. */
struct poll_queues {
    struct poll_table table;
    u32 ninline;
    int err;
    struct poll_block *more;
    struct poll_entry entry[POLL_INLINE];
};

/* ---- queueing ---- */

static struct poll_entry *entry_new(struct poll_queues *q)
{
    struct poll_block *b;

    if (q->ninline < POLL_INLINE)
        return &q->entry[q->ninline++];
    if (!q->more || q->more->n == ARRAY_SIZE(q->more->entry)) {
        b = kmalloc(sizeof(*b));
        if (!b)
            return NULL;
        b->n = 0;
        b->next = q->more;
        q->more = b;
    }
    return &q->more->entry[q->more->n++];
}

static void poll_queue(struct poll_table *pt, struct waitq *wq)
{
    struct poll_queues *q = container_of(pt, struct poll_queues, table);
    struct poll_entry *e = entry_new(q);

    if (!e) {
        q->err = -ENOMEM;
        return;
    }
    *e = (struct poll_entry){.waiter = {.task = current, .events = pt->events}, .wq = wq};
    waitq_add(wq, &e->waiter);
}

static void queues_leave(struct poll_queues *q)
{
    struct poll_block *next;

    for (u32 i = 0; i < q->ninline; i++)
        waitq_remove(q->entry[i].wq, &q->entry[i].waiter);
    for (struct poll_block *b = q->more; b; b = next) {
        for (u32 i = 0; i < b->n; i++)
            waitq_remove(b->entry[i].wq, &b->entry[i].waiter);
        next = b->next;
        kfree(b);
    }
}

/* ---- the loop ---- */

static int ask_all(struct poll_item *items, u32 n, struct poll_queues *q, bool queue)
{
    int ready = 0;

    for (u32 i = 0; i < n; i++) {
        struct poll_item *it = &items[i];
        u32 want = it->events | POLL_ALWAYS;

        if (!it->file) {
            ready += it->revents != 0;
            continue;
        }
        q->table.events = want;
        /* who has found something will not sleep */
        q->table.queue = queue && !ready ? poll_queue : NULL;
        it->revents = vfs_poll(it->file, &q->table) & want;
        ready += it->revents != 0;
    }
    return ready;
}

/* How many are ready; 0 at the deadline (0: do not wait); -ERESTARTNOHAND, -ENOMEM. */
static int poll_items(struct poll_item *items, u32 n, u64 deadline)
{
    struct poll_queues q = {.ninline = 0};
    bool last = deadline == 0;
    int ready = ask_all(items, n, &q, !last);

    while (!ready && !last && !q.err) {
        if (signal_pending(current)) {
            ready = -ERESTARTNOHAND;
            break;
        }
        last = machine_park(deadline) == -ETIMEDOUT;
        ready = ask_all(items, n, &q, false);
    }
    queues_leave(&q);
    return !ready && q.err ? q.err : ready;
}

static void items_put(struct poll_item *items, u32 n)
{
    for (u32 i = 0; i < n; i++)
        if (items[i].file)
            file_put(items[i].file);
}

/* ---- poll ---- */

struct user_pollfd {
    int fd;
    s16 events, revents;
};

static int pollfds_in(struct poll_item *items, uva_t from, u32 n)
{
    for (u32 i = 0; i < n; i++) {
        struct user_pollfd p;

        if (copy_from_user(&p, from + i * sizeof(p), sizeof(p)))
            return -EFAULT;
        items[i] = (struct poll_item){.fd = p.fd, .events = (u16)p.events};
    }
    for (u32 i = 0; i < n; i++) {
        if (items[i].fd < 0)
            continue;
        items[i].file = fd_get(items[i].fd);
        if (!items[i].file)
            items[i].revents = POLLNVAL;
    }
    return 0;
}

static int pollfds_out(uva_t to, const struct poll_item *items, u32 n)
{
    for (u32 i = 0; i < n; i++) {
        u16 revents = (u16)items[i].revents;

        if (put_user(revents, to + i * sizeof(struct user_pollfd) + 6))
            return -EFAULT;
    }
    return 0;
}

static s64 do_poll(uva_t fds, u32 n, u64 deadline)
{
    struct poll_item few[POLL_INLINE], *items = few;
    s64 ret;

    if (n > rlimit(RLIMIT_NOFILE))
        return -EINVAL;
    if (n > ARRAY_SIZE(few) && !(items = kmalloc(n * sizeof(*items))))
        return -ENOMEM;
    ret = pollfds_in(items, fds, n);
    if (ret == 0) {
        ret = poll_items(items, n, deadline);
        if (ret >= 0 && pollfds_out(fds, items, n))
            ret = -EFAULT;
        items_put(items, n);
    }
    if (items != few)
        kfree(items);
    return ret;
}

static long poll_restart(struct restart_block *rb)
{
    s64 ret = do_poll(rb->addr, (u32)rb->arg[0], rb->deadline);

    return ret == -ERESTARTNOHAND ? -ERESTART_RESTARTBLOCK : ret;
}

SYSCALL3(poll, uva_t, fds, u32, n, int, timeout)
{
    struct restart_block *rb = &current->restart;
    u64 deadline = timeout < 0 ? U64_MAX : 0;
    s64 ret;

    if (timeout > 0)
        deadline = deadline_after((u64)timeout * 1000000);
    ret = do_poll(fds, n, deadline);
    if (ret != -ERESTARTNOHAND)
        return ret;
    rb->fn = poll_restart;
    rb->deadline = deadline;
    rb->addr = fds;
    rb->arg[0] = n;
    return -ERESTART_RESTARTBLOCK;
}

/* ---- timeouts and masks that the newer calls have in common ---- */

static int mask_from_user(uva_t mask, u64 size)
{
    sigset64_t set;

    if (!mask)
        return 0;
    if (size != sizeof(set))
        return -EINVAL;
    if (get_user(set, mask))
        return -EFAULT;
    signal_mask_temporarily(set);
    return 0;
}

static u64 deadline_from(u64 ns)
{
    return ns ? deadline_after(ns) : 0;
}

static u64 time_left(u64 deadline)
{
    u64 now = machine_clock_mono();

    return deadline > now ? deadline - now : 0;
}

SYSCALL5(ppoll, uva_t, fds, u32, n, uva_t, timeout, uva_t, mask, u64, size)
{
    u64 deadline = U64_MAX, ns;
    int err = 0;
    s64 ret;

    if (timeout) {
        err = timespec_from_user(timeout, &ns);
        deadline = err ? 0 : deadline_from(ns);
    }
    if (!err)
        err = mask_from_user(mask, size);
    if (err)
        return err;
    ret = do_poll(fds, n, deadline);
    if (timeout && timespec_to_user(timeout, time_left(deadline)) && ret == -ERESTARTNOHAND)
        return -EINTR; /* a restart would wait for the whole time again */
    return ret;
}

/* ---- select ---- */

#define SELECT_WORDS 16 /* bit sets up to so long stay on the stack */

/* The three bit sets, `words` long, in and out. */
struct fd_sets {
    u32 words;
    u64 *in[3], *out[3];
};

static const u32 select_events[3] = {SELECT_IN, SELECT_OUT, SELECT_EXCEPT};

static int sets_in(struct fd_sets *s, const uva_t user[3], u32 n)
{
    for (int i = 0; i < 3; i++) {
        if (user[i] && copy_from_user(s->in[i], user[i], s->words * sizeof(u64)))
            return -EFAULT;
        if (n % 64 && s->words)
            s->in[i][s->words - 1] &= (1ULL << n % 64) - 1;
    }
    return 0;
}

static u32 wanted(const struct fd_sets *s, u32 fd)
{
    u32 events = 0;

    for (int i = 0; i < 3; i++)
        if (s->in[i][fd / 64] >> fd % 64 & 1)
            events |= select_events[i];
    return events;
}

static u32 count_wanted(const struct fd_sets *s)
{
    u32 n = 0;

    for (u32 w = 0; w < s->words; w++)
        for (u64 left = s->in[0][w] | s->in[1][w] | s->in[2][w]; left; left &= left - 1)
            n++;
    return n;
}

static int items_from_sets(const struct fd_sets *s, struct poll_item *items, u32 *count)
{
    u32 n = 0;
    int err = 0;

    for (u32 w = 0; w < s->words && !err; w++) {
        for (u64 left = s->in[0][w] | s->in[1][w] | s->in[2][w]; left; left &= left - 1) {
            u32 fd = w * 64 + (u32)__builtin_ctzl(left);
            struct vfs_file *f = fd_get((int)fd);

            if (!f) {
                err = -EBADF;
                break;
            }
            items[n++] = (struct poll_item){.file = f, .fd = (int)fd, .events = wanted(s, fd)};
        }
    }
    *count = n;
    return err;
}

static int sets_out(struct fd_sets *s, const uva_t user[3], const struct poll_item *items, u32 n)
{
    int bits = 0;

    for (u32 k = 0; k < n; k++) {
        u32 fd = (u32)items[k].fd;

        for (int i = 0; i < 3; i++) {
            if (!(s->in[i][fd / 64] >> fd % 64 & 1) || !(items[k].revents & select_events[i]))
                continue;
            s->out[i][fd / 64] |= 1ULL << fd % 64;
            bits++;
        }
    }
    for (int i = 0; i < 3; i++)
        if (user[i] && copy_to_user(user[i], s->out[i], s->words * sizeof(u64)))
            return -EFAULT;
    return bits;
}

static s64 select_sets(struct fd_sets *s, const uva_t user[3], u32 n, u64 deadline)
{
    struct poll_item few[POLL_INLINE], *items = few;
    u32 count;
    s64 ret = sets_in(s, user, n);

    if (ret)
        return ret;
    count = count_wanted(s);
    if (count > ARRAY_SIZE(few) && !(items = kmalloc(count * sizeof(*items))))
        return -ENOMEM;
    ret = items_from_sets(s, items, &count);
    if (ret == 0)
        ret = poll_items(items, count, deadline);
    if (ret >= 0)
        ret = sets_out(s, user, items, count);
    items_put(items, count);
    if (items != few)
        kfree(items);
    return ret;
}

static s64 do_select(int n, const uva_t user[3], u64 deadline)
{
    u64 few[6 * SELECT_WORDS], *words = few;
    struct fd_sets s;
    s64 ret;

    if (n < 0)
        return -EINVAL;
    n = (int)MIN((u32)n, files_max(current->files));
    s.words = ((u32)n + 63) / 64;
    if (s.words * 6 > ARRAY_SIZE(few) && !(words = kmalloc(s.words * 6 * sizeof(u64))))
        return -ENOMEM;
    memset(words, 0, MAX(s.words, 1u) * 6 * sizeof(u64));
    for (u32 i = 0; i < 3; i++) {
        s.in[i] = words + i * s.words;
        s.out[i] = words + (3 + i) * s.words;
    }
    ret = select_sets(&s, user, (u32)n, deadline);
    if (words != few)
        kfree(words);
    return ret;
}

SYSCALL5(select, int, n, uva_t, in, uva_t, out, uva_t, except, uva_t, timeout)
{
    const uva_t user[3] = {in, out, except};
    u64 deadline = U64_MAX, left, ns;
    struct __kernel_old_timeval tv;
    struct __kernel_timespec ts;
    s64 ret;

    if (timeout) {
        if (copy_from_user(&tv, timeout, sizeof(tv)))
            return -EFAULT;
        ts.tv_sec = tv.tv_sec + tv.tv_usec / 1000000;
        ts.tv_nsec = tv.tv_usec % 1000000 * 1000;
        if (timespec_to_ns(&ts, &ns))
            return -EINVAL;
        deadline = deadline_from(ns);
    }
    ret = do_select(n, user, deadline);
    if (!timeout)
        return ret;
    left = time_left(deadline);
    tv.tv_sec = (s64)(left / NSEC_PER_SEC);
    tv.tv_usec = (s64)(left % NSEC_PER_SEC / 1000);
    if (copy_to_user(timeout, &tv, sizeof(tv)) && ret == -ERESTARTNOHAND)
        return -EINTR;
    return ret;
}

SYSCALL6(pselect6, int, n, uva_t, in, uva_t, out, uva_t, except, uva_t, timeout, uva_t, sig)
{
    const uva_t user[3] = {in, out, except};
    u64 deadline = U64_MAX, ns, mask[2] = {0, 0};
    int err = 0;
    s64 ret;

    if (sig && copy_from_user(mask, sig, sizeof(mask)))
        return -EFAULT;
    if (timeout) {
        err = timespec_from_user(timeout, &ns);
        deadline = err ? 0 : deadline_from(ns);
    }
    if (!err)
        err = mask_from_user(mask[0], mask[1]);
    if (err)
        return err;
    ret = do_select(n, user, deadline);
    if (timeout && timespec_to_user(timeout, time_left(deadline)) && ret == -ERESTARTNOHAND)
        return -EINTR;
    return ret;
}
