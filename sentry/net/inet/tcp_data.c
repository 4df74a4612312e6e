// SPDX-License-Identifier: Apache-2.0
/*
 * TCP over loopback: moving bytes. A send copies into chunks and hangs them into the receiver's
 * queue; small sends fill up the last chunk.
 */
#include <asm/ioctls.h>
#include <linux/sockios.h>
#include "sentry/kernel/task.h"
#include "sentry/net/inet/tcp.h"
#include "sentry/net/netdev.h"

#define CHUNK_SMALL  256u /* sends up to here go through the stack, into a shared chunk */
#define CHUNK_SHARED 3968u
#define CHUNK_MAX    (64u << 10)
#define QUEUE_AUTO   (1u << 20) /* room in a queue whose ends have not set their buffers */

void tcp_purge(struct tcp_sock *t)
{
    struct tcp_chunk *c, *next;
    struct list gone;

    list_init(&gone);
    spin_lock(&t->in.lock);
    list_for_each_safe (c, next, &t->queue, link) {
        list_del(&c->link);
        list_add_tail(&gone, &c->link);
    }
    t->queued = 0;
    spin_unlock(&t->in.lock);
    list_for_each_safe (c, next, &gone, link)
        kfree(c);
}

/* ---- sending ---- */

static u32 room(const struct tcp_sock *peer, u32 cap)
{
    return peer->queued < cap ? cap - peer->queued : 0;
}

/* Enough to begin with: small pieces would only make both ends run in turns. */
static bool has_room(const struct tcp_sock *peer, u32 cap)
{
    return room(peer, cap) >= MAX(cap / 3, 1u);
}

/* Bytes that may be under way to the peer: its receive buffer and our send buffer together. */
static u32 capacity(struct socket *s, struct tcp_sock *peer)
{
    u32 rcv = 0, cap;
    bool locked = s->buf_locked;

    spin_lock(&peer->in.lock); /* its socket may be closing */
    if (peer->in.socket) {
        rcv = peer->in.socket->rcvbuf / 2;
        locked |= peer->in.socket->buf_locked;
    }
    cap = peer->cap = locked ? s->sndbuf / 2 + rcv : QUEUE_AUTO;
    spin_unlock(&peer->in.lock);
    return cap;
}

bool tcp_writable(struct socket *s)
{
    struct tcp_sock *t = tcp_sk(s), *peer = tcp_peer_get(t);
    bool ok = !peer || has_room(peer, capacity(s, peer));

    tcp_put(peer);
    return ok;
}

/* May t send now? 0, or -errno (-EPIPE is a SIGPIPE, too). */
static int may_send(struct tcp_sock *t)
{
    int err = 0;

    spin_lock(&t->in.lock);
    if (t->in.error) {
        err = -t->in.error;
        t->in.error = 0;
    } else if (t->in.shut_write ||
               (t->in.state != TCP_ESTABLISHED && t->in.state != TCP_CLOSE_WAIT)) {
        err = -EPIPE;
    }
    spin_unlock(&t->in.lock);
    return err;
}

enum added { ADDED, NO_ROOM, GONE };

/*
 * Append n bytes that `from` sends; *fresh is a chunk to use when the last one has no room (NULL
 * then). GONE: `to` is no longer from's peer.
 */
static enum added append(struct tcp_sock *to, struct tcp_sock *from, const u8 *data, u32 n,
                         struct tcp_chunk **fresh)
{
    struct tcp_chunk *c = NULL;
    enum added r = ADDED;

    spin_lock(&to->in.lock);
    if (!list_empty(&to->queue))
        c = list_last(&to->queue, struct tcp_chunk, link);
    if (to->peer != from) {
        r = GONE;
    } else if (c && c->size - c->len >= n) {
        memcpy(c->data + c->len, data, n);
        c->len += n;
    } else if (*fresh) {
        c = *fresh;
        *fresh = NULL;
        memcpy(c->data, data, n);
        c->len = n;
        list_add_tail(&to->queue, &c->link);
    } else {
        r = NO_ROOM;
    }
    if (r == ADDED) {
        to->queued += n;
        to->bytes_received += n;
    }
    spin_unlock(&to->in.lock);
    return r;
}

static struct tcp_chunk *chunk_new(u32 size)
{
    struct tcp_chunk *c = kmalloc(sizeof(*c) + size);

    if (c) {
        c->len = c->off = 0;
        c->size = size;
    }
    return c;
}

/* The same, with a new chunk when one is needed. 0, -ENOMEM, -ECONNRESET: gone. */
static int append_alloc(struct tcp_sock *to, struct tcp_sock *from, const u8 *data, u32 n)
{
    struct tcp_chunk *fresh = NULL;
    enum added r = append(to, from, data, n, &fresh);

    if (r == NO_ROOM) {
        fresh = chunk_new(CHUNK_SHARED);
        if (!fresh)
            return -ENOMEM;
        r = append(to, from, data, n, &fresh);
        kfree(fresh);
    }
    return r == GONE ? -ECONNRESET : 0;
}

static int send_small(struct tcp_sock *to, struct tcp_sock *from, struct uio *uio, u32 n)
{
    u8 data[CHUNK_SMALL];

    if (copy_from_uio(data, uio, n) != n)
        return -EFAULT;
    return append_alloc(to, from, data, n);
}

/* n bytes in a chunk of their own; how many, or -errno. */
static s64 send_large(struct tcp_sock *to, struct tcp_sock *from, struct uio *uio, u32 n)
{
    struct tcp_chunk *c = chunk_new(n);
    bool gone;

    if (!c && n > PAGE_SIZE)
        c = chunk_new(n = PAGE_SIZE - sizeof(*c));
    if (!c)
        return -ENOMEM;
    n = (u32)copy_from_uio(c->data, uio, n);
    if (!n) {
        kfree(c);
        return -EFAULT;
    }
    c->len = n;
    spin_lock(&to->in.lock);
    gone = to->peer != from;
    if (!gone) {
        list_add_tail(&to->queue, &c->link);
        to->queued += n;
        to->bytes_received += n;
    }
    spin_unlock(&to->in.lock);
    if (gone)
        kfree(c);
    return gone ? -ECONNRESET : (s64)n;
}

/* The last byte of a send with MSG_OOB: where it is, and what, unless it is to stay in line. */
static int send_urgent(struct tcp_sock *to, struct tcp_sock *from, struct uio *uio)
{
    bool in_line;
    int err = 0;
    u8 byte;

    if (copy_from_uio(&byte, uio, 1) != 1)
        return -EFAULT;
    spin_lock(&to->in.lock);
    in_line = to->in.socket && to->in.socket->oobinline;
    if (to->peer == from) {
        to->urgent_at = to->taken + to->queued;
        to->urgent_byte = byte;
        to->urgent = URGENT_HERE;
    } else {
        err = -ECONNRESET;
    }
    spin_unlock(&to->in.lock);
    if (!err && in_line)
        err = append_alloc(to, from, &byte, 1);
    waitq_wake(&to->in.wait, POLLPRI | POLLIN | POLLRDNORM, ~0u);
    return err;
}

/* Some of what is left, when there is room. Bytes, -EAGAIN, or another error. */
static s64 send_some(struct socket *s, struct tcp_sock *peer, struct message *m, u32 cap)
{
    struct tcp_sock *t = tcp_sk(s);
    u64 before = m->uio.left, left = before - (m->flags & MSG_OOB ? 1 : 0);
    u32 n = (u32)MIN(MIN(left, (u64)room(peer, cap)), (u64)CHUNK_MAX);
    s64 r = -ECONNRESET;

    if (peer->peer != t) {
        m->uio.left -= MIN(before, (u64)CHUNK_MAX);
    } else if (!left) {
        r = send_urgent(peer, t, &m->uio);
        r = r ? r : 1;
    } else if (!n) {
        return -EAGAIN;
    } else if (n > CHUNK_SMALL) {
        r = send_large(peer, t, &m->uio, n);
    } else {
        r = send_small(peer, t, &m->uio, n);
        r = r ? r : n;
    }
    if (r == -ECONNRESET) { /* it answers with a reset, and we do not wait for that */
        tcp_was_reset(t, peer, ECONNRESET);
        return (s64)(before - m->uio.left);
    }
    if (r > 0) {
        netdev_count_lo((u64)r);
        waitq_wake(&peer->in.wait, POLLIN | POLLRDNORM, ~0u);
    }
    return r;
}

static int wait_connected(struct socket *s, struct message *m)
{
    struct tcp_sock *t = tcp_sk(s);
    int err;

    if (t->in.state != TCP_SYN_SENT)
        return 0;
    if (m->flags & MSG_DONTWAIT)
        return -EAGAIN;
    err = wait_event_deadline(&t->in.wait, t->in.state != TCP_SYN_SENT,
                              socket_deadline(s->snd_timeout));
    return err == -ETIMEDOUT ? -EAGAIN : err;
}

s64 tcp_send(struct socket *s, struct message *m)
{
    struct tcp_sock *t = tcp_sk(s), *peer;
    u64 deadline = socket_deadline(s->snd_timeout), total = 0;
    s64 n = wait_connected(s, m);

    if (n)
        return n;
    n = may_send(t);
    if (n)
        return n;
    peer = tcp_peer_get(t);
    if (!peer)
        return -EPIPE;
    u32 cap = capacity(s, peer);
    while (m->uio.left) {
        n = may_send(t);
        if (!n)
            n = send_some(s, peer, m, cap);
        if (n > 0) {
            total += (u64)n;
            continue;
        }
        if (n != -EAGAIN || (m->flags & MSG_DONTWAIT))
            break;
        n = wait_event_deadline(
            &peer->in.wait,
            has_room(peer, cap) || t->in.shut_write || t->in.error || peer->peer != t, deadline);
        if (n) {
            n = n == -ETIMEDOUT ? -EAGAIN : n;
            break;
        }
    }
    tcp_put(peer);
    t->bytes_sent += total;
    return total ? (s64)total : n;
}

/* ---- receiving ---- */

/* How many bytes from here on may be read at once: up to the urgent byte, which ends a run. */
static u32 readable(struct tcp_sock *t)
{
    if (t->urgent != URGENT_NONE && t->urgent_at > t->taken && t->urgent_at - t->taken < t->queued)
        return (u32)(t->urgent_at - t->taken);
    return t->queued;
}

static struct tcp_chunk *next_chunk(struct tcp_sock *t, struct tcp_chunk *prev, u32 *filled)
{
    struct tcp_chunk *c = NULL;
    struct list *l;

    spin_lock(&t->in.lock);
    l = prev ? prev->link.next : t->queue.next;
    if (l != &t->queue) {
        c = container_of(l, struct tcp_chunk, link);
        *filled = c->len;
    }
    spin_unlock(&t->in.lock);
    return c;
}

static void consume(struct tcp_sock *t, struct tcp_chunk *c, u32 n)
{
    struct tcp_sock *peer;
    bool gone, full;

    spin_lock(&t->in.lock);
    full = !has_room(t, t->cap);
    c->off += n;
    t->queued -= n;
    t->taken += n;
    full = full && has_room(t, t->cap);
    if (t->urgent == URGENT_READ && t->taken > t->urgent_at)
        t->urgent = URGENT_NONE;
    gone = c->off == c->len;
    if (gone)
        list_del(&c->link);
    spin_unlock(&t->in.lock);
    if (gone)
        kfree(c);
    if (!full)
        return;
    waitq_wake(&t->in.wait, POLLOUT | POLLWRNORM, ~0u); /* senders wait here */
    peer = tcp_peer_get(t);
    if (peer)
        waitq_wake(&peer->in.wait, POLLOUT | POLLWRNORM, ~0u); /* its pollers */
    tcp_put(peer);
}

/* Copy (or with MSG_TRUNC drop) what is there. Bytes or -EFAULT. t->reading is held. */
static s64 take(struct tcp_sock *t, struct message *m)
{
    bool peek = m->flags & MSG_PEEK;
    u64 left = MIN(m->uio.left, (u64)readable(t)), total = 0;
    struct tcp_chunk *c = NULL;
    u32 filled = 0;

    while (left && (c = next_chunk(t, peek ? c : NULL, &filled))) {
        u32 n = (u32)MIN((u64)(filled - c->off), left);

        if (m->flags & MSG_TRUNC)
            m->uio.left -= n;
        else if (copy_to_uio(&m->uio, c->data + c->off, n) != n)
            return total ? (s64)total : -EFAULT;
        total += n;
        left -= n;
        if (!peek)
            consume(t, c, n);
    }
    return (s64)total;
}

/* The queue is empty: what a receive returns instead of waiting. 1: wait. */
static int at_the_end(struct tcp_sock *t, bool nonblock)
{
    int r = 1;

    spin_lock(&t->in.lock);
    if (t->queued)
        r = 1;
    else if (t->fin)
        r = 0;
    else if (t->in.error) {
        r = -t->in.error;
        t->in.error = 0;
    } else if (t->in.shut_read)
        r = 0;
    else if (t->in.state == TCP_CLOSE)
        r = -ENOTCONN;
    else if (nonblock)
        r = -EAGAIN;
    spin_unlock(&t->in.lock);
    return r;
}

static s64 receive_urgent(struct socket *s, struct message *m)
{
    struct tcp_sock *t = tcp_sk(s);
    s64 r = 1;
    u8 byte;

    spin_lock(&t->in.lock);
    if (s->oobinline || t->urgent != URGENT_HERE)
        r = t->in.state == TCP_CLOSE && !t->fin ? -ENOTCONN : -EINVAL;
    byte = t->urgent_byte;
    if (r > 0 && !(m->flags & MSG_PEEK))
        t->urgent = t->taken > t->urgent_at ? URGENT_NONE : URGENT_READ;
    spin_unlock(&t->in.lock);
    if (r < 0)
        return r;
    m->out_flags |= MSG_OOB;
    if (!m->uio.left) {
        m->out_flags |= MSG_TRUNC;
        return 0;
    }
    return copy_to_uio(&m->uio, &byte, 1) == 1 ? 1 : -EFAULT;
}

/* Something else than data ends the wait. */
static bool over(const struct tcp_sock *t)
{
    return t->fin || t->in.error || t->in.shut_read || t->in.state == TCP_CLOSE;
}

/* Enough has come to go on: all that is wanted, or so much that the sender might be waiting. */
static bool enough(const struct tcp_sock *t, u64 wanted)
{
    return t->queued >= MIN(wanted, (u64)QUEUE_AUTO / 8);
}

static s64 take_locked(struct tcp_sock *t, struct message *m)
{
    s64 n;

    mutex_lock(&t->reading);
    n = t->in.state == TCP_SYN_SENT ? 0 : take(t, m);
    mutex_unlock(&t->reading);
    return n;
}

/* Look at the data without taking it; MSG_WAITALL waits until all of it is there. */
static s64 peek(struct socket *s, struct message *m, u64 target, u64 deadline)
{
    struct tcp_sock *t = tcp_sk(s);
    s64 n;

    for (;;) {
        if (enough(t, target) || (t->queued && (over(t) || m->flags & MSG_DONTWAIT)))
            n = take_locked(t, m);
        else
            n = 0;
        if (n)
            return n;
        n = at_the_end(t, m->flags & MSG_DONTWAIT);
        if (n <= 0)
            return n;
        n = wait_event_deadline(&t->in.wait, enough(t, target) || over(t), deadline);
        if (n && t->queued)
            return take_locked(t, m);
        if (n)
            return n == -ETIMEDOUT ? -EAGAIN : n;
    }
}

s64 tcp_receive(struct socket *s, struct message *m)
{
    struct tcp_sock *t = tcp_sk(s);
    u64 deadline = socket_deadline(s->rcv_timeout), total = 0, target;
    s64 n = 0;

    if (t->in.state == TCP_LISTEN)
        return -ENOTCONN;
    if (m->flags & MSG_OOB)
        return receive_urgent(s, m);
    if (!m->uio.left) { /* nothing is wanted, but waited for */
        n = t->queued ? 0 : at_the_end(t, m->flags & MSG_DONTWAIT);
        return n == 1 ? wait_event_deadline(&t->in.wait, t->queued || over(t), deadline) : n;
    }
    target = m->flags & MSG_WAITALL ? m->uio.left : MIN(MAX((u64)s->rcvlowat, 1UL), m->uio.left);
    if (m->flags & MSG_PEEK)
        return peek(s, m, target, deadline);
    while (m->uio.left) {
        n = take_locked(t, m);
        if (n < 0)
            break;
        total += (u64)n;
        if (total >= target || (total && t->urgent != URGENT_NONE))
            break;
        if (!n || t->queued == 0) {
            n = total && over(t) ? 0 : at_the_end(t, m->flags & MSG_DONTWAIT);
            if (n <= 0)
                break;
            n = wait_event_deadline(&t->in.wait, enough(t, target - total) || over(t), deadline);
            if (n == -ETIMEDOUT && t->queued)
                continue;
            if (n) {
                n = n == -ETIMEDOUT ? -EAGAIN : n;
                break;
            }
        }
    }
    return total ? (s64)total : n;
}

/* ---- */

s64 tcp_ioctl(struct socket *s, u32 cmd, u64 arg)
{
    struct tcp_sock *t = tcp_sk(s);
    int n = 0;

    switch (cmd) {
    case FIONREAD:
        if (t->in.state == TCP_LISTEN)
            return -EINVAL;
        n = (int)readable(t);
        return put_user(n, arg);
    case TIOCOUTQ:
    case SIOCOUTQNSD:
        return t->in.state == TCP_LISTEN ? -EINVAL : put_user(n, arg);
    case SIOCATMARK:
        n = t->urgent != URGENT_NONE && t->urgent_at == t->taken;
        return put_user(n, arg);
    default:
        return -ENOTTY;
    }
}
