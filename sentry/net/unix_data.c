// SPDX-License-Identifier: Apache-2.0
/*
 * AF_UNIX: moving data. A message is copied into a buffer of its own at the sender and out of it at
 * the receiver; the receiver's queue is bounded by its SO_RCVBUF and senders wait for room there.
 */
#include "sentry/kernel/sysctl.h"
#include "sentry/kernel/task.h"
#include "sentry/net/unix.h"

#define SKB_OVERHEAD 768 /* what Linux counts for the smallest message */

#define DGRAM_MAX 212960u /* a datagram larger than the default buffer is EMSGSIZE, as on Linux */

void unix_flush(struct unix_sock *u)
{
    struct list gone;
    struct unix_skb *skb, *next;

    list_init(&gone);
    spin_lock(&u->lock);
    list_for_each_safe (skb, next, &u->queue, link) {
        list_del(&skb->link);
        list_add_tail(&gone, &skb->link);
    }
    u->queued = u->nqueued = u->cost = 0;
    spin_unlock(&u->lock);
    list_for_each_safe (skb, next, &gone, link) {
        list_del(&skb->link);
        scm_free(skb->scm);
        kfree(skb);
    }
}

/* ---- sending ---- */

static struct unix_skb *skb_from_user(struct unix_sock *from, struct message *m, u64 n)
{
    struct unix_skb *skb = kmalloc(sizeof(*skb) + n);

    if (!skb)
        return ERR_PTR(-ENOMEM);
    skb->len = (u32)n;
    skb->off = 0;
    skb->cost = (u32)n + SKB_OVERHEAD;
    skb->scm = NULL;
    skb->name_len = from->name_len;
    memcpy(skb->name, from->name, from->name_len);
    if (copy_from_uio(skb->data, &m->uio, n) != n) {
        kfree(skb);
        return ERR_PTR(-EFAULT);
    }
    return skb;
}

bool unix_may_send(struct unix_sock *u, struct unix_sock *to)
{
    struct unix_sock *peer = __atomic_load_n(&to->peer, __ATOMIC_RELAXED);

    return to->type != SOCK_DGRAM || !peer || peer == u;
}

/*
 * A sender may fill the queue up to its SO_SNDBUF (the last message may go beyond); one that the
 * receiver is not connected to only up to a number of messages.
 */
bool unix_has_room(struct unix_sock *u, struct unix_sock *to, u32 sndbuf)
{
    if (to->type == SOCK_DGRAM && to->peer != u &&
        to->nqueued > sysctl_number("net.unix.max_dgram_qlen", 0, 10))
        return false;
    return to->cost < sndbuf;
}

/* 0: queued (skb and its control data now belong to the receiver); -EAGAIN: no room. */
static int enqueue(struct socket *s, struct unix_sock *to, struct unix_skb *skb)
{
    int err = 0;

    spin_lock(&to->lock);
    if (to->state == UNIX_CLOSED)
        err = to->type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE;
    else if (to->shut_read)
        err = -EPIPE;
    else if (!unix_has_room(s->private, to, s->sndbuf))
        err = -EAGAIN;
    else {
        list_add_tail(&to->queue, &skb->link);
        to->queued += skb->len;
        to->cost += skb->cost;
        to->nqueued++;
    }
    spin_unlock(&to->lock);
    if (!err)
        waitq_wake(&to->wait, POLLIN | POLLRDNORM, ~0u);
    return err;
}

static bool may_try(struct socket *s, struct unix_sock *to)
{
    return to->state == UNIX_CLOSED || to->shut_read || unix_has_room(s->private, to, s->sndbuf);
}

static int enqueue_wait(struct socket *s, struct unix_sock *to, struct unix_skb *skb, u32 flags)
{
    struct unix_sock *u = s->private;
    u64 deadline = socket_deadline(s->snd_timeout);

    for (;;) {
        int err = u->shut_write ? -EPIPE : enqueue(s, to, skb);

        if (err != -EAGAIN || (flags & MSG_DONTWAIT))
            return err;
        err = wait_event_deadline(&to->wait, may_try(s, to) || u->shut_write, deadline);
        if (err)
            return err == -ETIMEDOUT ? -EAGAIN : err;
    }
}

static int skb_attach_scm(struct unix_skb *skb, struct message *m)
{
    int err = m->scm ? scm_take_off(m->scm) : 0;

    if (err)
        return err;
    skb->scm = m->scm;
    m->scm = NULL;
    return 0;
}

/* A send that brought no control data still carries the sender's credentials for SO_PASSCRED. */
static void skb_default_cred(struct unix_skb *skb, struct unix_sock *to)
{
    bool wanted;

    spin_lock(&to->lock); /* the socket may be closing */
    wanted = to->socket && to->socket->passcred;
    spin_unlock(&to->lock);
    if (skb->scm || !wanted)
        return;
    skb->scm = kzalloc(sizeof(*skb->scm));
    if (skb->scm)
        skb->scm->cred =
            (struct ucred){(u32)current->process->pid, current->cred->uid, current->cred->gid};
}

/* One piece to `to`; bytes or -errno. */
static s64 send_piece(struct socket *s, struct unix_sock *to, struct message *m, u64 n)
{
    struct unix_skb *skb = skb_from_user(s->private, m, n);
    int err;

    if (IS_ERR(skb))
        return PTR_ERR(skb);
    err = skb_attach_scm(skb, m);
    if (!err) {
        skb_default_cred(skb, to);
        err = enqueue_wait(s, to, skb, m->flags);
    }
    if (!err)
        return (s64)n;
    scm_free(skb->scm);
    kfree(skb);
    return err;
}

static s64 send_stream(struct socket *s, struct message *m)
{
    struct unix_sock *u = s->private, *peer = unix_peer_get(u);
    s64 total = 0, n = 0;

    if (m->name_len) {
        unix_put(peer);
        return peer ? -EISCONN : -EOPNOTSUPP;
    }
    if (!peer)
        return u->shut_write ? -EPIPE : -ENOTCONN;
    while (m->uio.left) {
        n = send_piece(s, peer, m, MIN(m->uio.left, (u64)UNIX_SKB_MAX));
        if (n < 0)
            break;
        total += n;
    }
    unix_put(peer);
    return total ? total : n;
}

static s64 send_packet(struct socket *s, struct message *m)
{
    struct unix_sock *u = s->private, *to;
    s64 n;

    if (m->name_len && u->type == SOCK_DGRAM) {
        to = unix_lookup(m->name, m->name_len, u->type);
        if (IS_ERR(to))
            return PTR_ERR(to);
    } else {
        to = unix_peer_get(u);
        if (!to && u->reset && u->type == SOCK_DGRAM) {
            u->reset = false;
            return -ECONNREFUSED;
        }
        if (!to)
            return u->shut_write ? -EPIPE : -ENOTCONN;
    }
    if (m->uio.left > MIN(DGRAM_MAX, s->sndbuf))
        n = -EMSGSIZE;
    else if (!unix_may_send(u, to))
        n = -EPERM;
    else
        n = send_piece(s, to, m, m->uio.left);
    unix_put(to);
    return n;
}

s64 unix_send(struct socket *s, struct message *m)
{
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    return s->type == SOCK_STREAM ? send_stream(s, m) : send_packet(s, m);
}

/* ---- receiving ---- */

static bool data_ready(struct unix_sock *u)
{
    return !list_empty(&u->queue) || u->shut_read || (u->type == SOCK_DGRAM && u->reset);
}

/* The skb behind `prev` (NULL: the first), or NULL. With u->reading held it stays where it is. */
static struct unix_skb *next_skb(struct unix_sock *u, struct unix_skb *prev)
{
    struct list *l;

    spin_lock(&u->lock);
    l = prev ? prev->link.next : u->queue.next;
    spin_unlock(&u->lock);
    return l == &u->queue ? NULL : container_of(l, struct unix_skb, link);
}

static struct spinlock senders_lock = SPINLOCK_INIT; /* all lists of senders */

void unix_want_room(struct unix_sock *u, struct unix_sock *to)
{
    spin_lock(&senders_lock);
    if (list_empty(&u->sender_link))
        ref_get(&u->refs);
    list_del(&u->sender_link);
    list_add_tail(&to->senders, &u->sender_link);
    spin_unlock(&senders_lock);
}

void unix_wake_senders(struct unix_sock *to)
{
    while (!list_empty(&to->senders)) {
        struct unix_sock *u = NULL;

        spin_lock(&senders_lock);
        if (!list_empty(&to->senders)) {
            u = list_first(&to->senders, struct unix_sock, sender_link);
            list_del(&u->sender_link);
        }
        spin_unlock(&senders_lock);
        if (u)
            waitq_wake(&u->wait, POLLOUT | POLLWRNORM, ~0u);
        unix_put(u);
    }
}

/* n more bytes of skb were read; free it when it is empty (a packet goes as a whole). */
static void consume(struct unix_sock *u, struct unix_skb *skb, u32 n)
{
    bool gone = skb->off + n == skb->len;
    struct unix_sock *peer;

    spin_lock(&u->lock);
    skb->off += n;
    u->queued -= n;
    if (gone) {
        list_del(&skb->link);
        u->cost -= skb->cost;
        u->nqueued--;
    }
    spin_unlock(&u->lock);
    if (!gone)
        return;
    scm_free(skb->scm);
    kfree(skb);
    waitq_wake(&u->wait, POLLOUT | POLLWRNORM, ~0u); /* senders wait here */
    peer = unix_peer_get(u);
    if (peer)
        waitq_wake(&peer->wait, POLLOUT | POLLWRNORM, ~0u); /* its pollers */
    unix_put(peer);
    unix_wake_senders(u);
}

/* Wait for data: 1 = there is some, 0 = end of file, or -errno. */
static int wait_data(struct socket *s, struct unix_sock *u, u32 flags, u64 deadline)
{
    int err;

    for (;;) {
        if (!list_empty(&u->queue))
            return 1;
        if (u->reset) {
            u->reset = false;
            return u->type == SOCK_DGRAM ? 0 : -ECONNRESET;
        }
        if (u->shut_read)
            return 0;
        if (u->type != SOCK_DGRAM && u->state != UNIX_CONNECTED)
            return -ENOTCONN;
        if (flags & MSG_DONTWAIT)
            return -EAGAIN;
        err = wait_event_deadline(&u->wait, data_ready(u), deadline);
        if (err)
            return err == -ETIMEDOUT ? -EAGAIN : err;
    }
}

static void take_scm(struct unix_skb *skb, struct message *m)
{
    if (m->flags & MSG_PEEK) {
        m->scm = scm_peek(skb->scm);
    } else {
        m->scm = scm_take(&skb->scm);
    }
}

/*
 * The first skb, waiting for one as the flags say; u->reading is held then. NULL: *r is 0 at the
 * end of file, or -errno.
 */
static struct unix_skb *first_skb(struct socket *s, u32 flags, u64 deadline, s64 *r)
{
    struct unix_sock *u = s->private;

    for (;;) {
        struct unix_skb *skb;

        *r = wait_data(s, u, flags, deadline);
        if (*r <= 0)
            return NULL;
        mutex_lock(&u->reading);
        skb = next_skb(u, NULL);
        if (skb)
            return skb;
        mutex_unlock(&u->reading); /* another reader was faster */
    }
}

static s64 receive_packet(struct socket *s, struct message *m)
{
    struct unix_sock *u = s->private;
    struct unix_skb *skb;
    s64 n;

    skb = first_skb(s, m->flags, socket_deadline(s->rcv_timeout), &n);
    if (!skb)
        return n;
    n = (s64)MIN((u64)skb->len, m->uio.left);
    if (copy_to_uio(&m->uio, skb->data, (u64)n) != (u64)n) {
        n = -EFAULT;
        goto out;
    }
    m->name_len = skb->name_len;
    memcpy(m->name, skb->name, skb->name_len);
    if (n < skb->len)
        m->out_flags |= MSG_TRUNC;
    if (u->type == SOCK_SEQPACKET)
        m->out_flags |= MSG_EOR;
    if (m->flags & MSG_TRUNC)
        n = skb->len;
    take_scm(skb, m);
    if (!(m->flags & MSG_PEEK))
        consume(u, skb, skb->len);
out:
    mutex_unlock(&u->reading);
    return n;
}

/*
 * Copy what is there, from skb on, until the buffer is full or control data ends the run: it stays
 * with its bytes. Bytes or -EFAULT.
 */
static s64 take_stream(struct unix_sock *u, struct unix_skb *skb, struct message *m)
{
    bool peek = m->flags & MSG_PEEK;
    s64 total = 0;

    while (skb && m->uio.left && !(skb->scm && (m->scm || total))) {
        u64 n = MIN((u64)(skb->len - skb->off), m->uio.left);
        struct unix_skb *next = NULL;

        if (copy_to_uio(&m->uio, skb->data + skb->off, n) != n)
            return total ? total : -EFAULT;
        total += (s64)n;
        if (skb->scm)
            take_scm(skb, m);
        if (m->uio.left && !m->scm)
            next = next_skb(u, skb);
        if (!peek)
            consume(u, skb, (u32)n);
        skb = next;
    }
    return total;
}

static s64 receive_stream(struct socket *s, struct message *m)
{
    struct unix_sock *u = s->private;
    u64 deadline = socket_deadline(s->rcv_timeout);
    s64 total = 0, n = 0;

    while (m->uio.left) {
        struct unix_skb *skb = first_skb(s, m->flags, deadline, &n);

        if (!skb)
            break;
        n = take_stream(u, skb, m);
        mutex_unlock(&u->reading);
        if (n < 0)
            break;
        total += n;
        if (!(m->flags & MSG_WAITALL) || (m->flags & MSG_PEEK) || m->scm)
            break;
    }
    return total ? total : n;
}

s64 unix_receive(struct socket *s, struct message *m)
{
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    return s->type == SOCK_STREAM ? receive_stream(s, m) : receive_packet(s, m);
}
