// SPDX-License-Identifier: Apache-2.0
/*
 * Datagrams over loopback: queues, receiving, and what else UDP and ping sockets have in common.
 */
#include "sentry/net/inet/dgram.h"
#include <asm/ioctls.h>
#include "sentry/kernel/task.h"
#include "sentry/net/netdev.h"

#define DGRAM_OVERHEAD 768 /* what Linux counts for a small packet beside its data */

static void dgram_put(struct dgram *d)
{
    if (d && ref_put(&d->refs))
        kfree(d);
}

static void free_list(struct list *l)
{
    struct dgram *d, *next;

    list_for_each_safe (d, next, l, link) {
        list_del(&d->link);
        dgram_put(d);
    }
}

static void dgram_destroy(struct inet_sock *in)
{
    struct dgram_sock *u = (struct dgram_sock *)in;

    free_list(&u->queue);
    free_list(&u->errors);
    dgram_put(u->pending);
    kfree(u);
}

int dgram_create(struct socket *s, struct port_table *table, const struct socket_ops *ops)
{
    struct dgram_sock *u = kzalloc(sizeof(*u));

    if (!u)
        return -ENOMEM;
    inet_init_sock(&u->in, s, table);
    u->in.destroy = dgram_destroy;
    u->in.state = TCP_CLOSE;
    list_init(&u->queue);
    list_init(&u->errors);
    s->ops = ops;
    return 0;
}

void dgram_deliver(struct dgram_sock *u, struct dgram *d)
{
    bool taken = false;

    netdev_count_lo(d->len);
    spin_lock(&u->in.lock);
    if (u->in.socket && u->cost <= u->in.socket->rcvbuf) {
        list_add_tail(&u->queue, &d->link);
        u->queued += d->len;
        u->cost += d->len + DGRAM_OVERHEAD;
        taken = true;
    } else {
        u->drops++;
    }
    spin_unlock(&u->in.lock);
    if (taken)
        waitq_wake(&u->in.wait, POLLIN | POLLRDNORM, ~0u);
    else
        dgram_put(d);
}

/* ---- addressing ---- */

/* Source address of what goes to dst, as bound, wished by the message, or by the route. */
static int choose_source(struct inet_sock *in, struct message *m, struct inet_addr *dst,
                         struct inet_addr *src)
{
    int err;

    if (in->family == AF_INET6 && in->opt.v6only && inet_is4(dst))
        return -ENETUNREACH;
    if (inet_is_multicast(dst))
        return -ENETUNREACH;
    err = inet_route(dst, src);
    if (err)
        return err;
    if (m && m->pkt.has_src) {
        memcpy(src->ip, m->pkt.src, sizeof(src->ip));
        if (!inet_is_local(src))
            return -EINVAL;
    } else if (!inet_is_any(&in->local)) {
        if (inet_is4(&in->local) != inet_is4(dst))
            return inet_is4(dst) ? -EINVAL : -ENETUNREACH;
        *src = in->local;
    }
    if (inet_is_broadcast(dst) && !in->socket->broadcast)
        return -EACCES;
    return 0;
}

int dgram_target(struct socket *s, struct message *m, struct inet_addr *dst, struct inet_addr *src)
{
    struct inet_sock *in = inet_sk(s);
    int err = 0;

    if (m->name_len) {
        err = inet_parse_dgram(in->family, m->name, m->name_len, dst);
        if (err < 0)
            return err;
        if (!dst->port && in->table != &ping_ports)
            return -EINVAL;
    } else {
        spin_lock(&in->lock);
        *dst = in->remote;
        if (in->state != TCP_ESTABLISHED)
            err = -EDESTADDRREQ;
        spin_unlock(&in->lock);
        if (err)
            return err;
    }
    mutex_lock(&in->control);
    err = inet_autobind(in);
    if (!err)
        err = choose_source(in, m, dst, src);
    src->port = in->local.port;
    mutex_unlock(&in->control);
    return err;
}

static int disconnect(struct inet_sock *in)
{
    if (!in->bound_port)
        inet_unbind(in);
    spin_lock(&in->lock);
    in->state = TCP_CLOSE;
    in->remote = in->family == AF_INET ? inet_any4 : inet_any6;
    if (!in->bound_ip) {
        u16 port = in->local.port;

        in->local = in->remote;
        in->local.port = port;
    }
    if (!in->bound_port)
        in->local.port = 0;
    spin_unlock(&in->lock);
    return 0;
}

static int do_connect(struct inet_sock *in, const u8 *addr, u32 len)
{
    struct inet_addr dst, src;
    int err;

    if (inet_unspec(addr, len))
        return disconnect(in);
    err = inet_parse_dgram(in->family, addr, len, &dst);
    if (err)
        return err;
    err = choose_source(in, NULL, &dst, &src);
    if (!err)
        err = inet_autobind(in);
    if (err)
        return err;
    spin_lock(&in->lock);
    src.port = in->local.port;
    in->local = src;
    in->remote = dst;
    in->state = TCP_ESTABLISHED;
    spin_unlock(&in->lock);
    return 0;
}

int dgram_connect(struct socket *s, const u8 *addr, u32 len, bool nonblock)
{
    struct inet_sock *in = inet_sk(s);
    int err;

    mutex_lock(&in->control);
    err = do_connect(in, addr, len);
    mutex_unlock(&in->control);
    return err;
}

/* ---- sending ---- */

struct dgram *dgram_from_user(struct dgram_sock *u, struct message *m, const struct inet_addr *dst,
                              const struct inet_addr *src)
{
    const struct inet_options *o = &u->in.opt;
    u32 n = (u32)m->uio.left;
    struct dgram *d = kmalloc(sizeof(*d) + n);
    bool v4 = inet_is4(dst);

    if (!d)
        return ERR_PTR(-ENOMEM);
    ref_init(&d->refs, 1);
    list_init(&d->link);
    d->from = *src;
    d->len = n;
    d->pkt = (struct packet_info){.stamp = clock_realtime(), .v4 = v4, .ifindex = LO_INDEX};
    memcpy(d->pkt.dst, dst->ip, sizeof(dst->ip));
    d->pkt.dst_port = dst->port;
    d->pkt.ttl = m->pkt.ttl > 0 ? m->pkt.ttl
                 : v4           ? (o->ttl ? o->ttl : 64)
                                : (s16)(o->hops >= 0 ? o->hops : 64);
    d->pkt.tos = m->pkt.has_tos ? m->pkt.tos : v4 ? o->tos : o->tclass;
    if (copy_from_uio(d->data, &m->uio, n) != n) {
        kfree(d);
        return ERR_PTR(-EFAULT);
    }
    return d;
}

/* ---- receiving ---- */

static struct dgram *take(struct dgram_sock *u, bool peek)
{
    struct dgram *d = NULL;

    spin_lock(&u->in.lock);
    if (!list_empty(&u->queue)) {
        d = list_first(&u->queue, struct dgram, link);
        if (peek) {
            ref_get(&d->refs);
        } else {
            list_del(&d->link);
            u->queued -= d->len;
            u->cost -= d->len + DGRAM_OVERHEAD;
        }
    }
    spin_unlock(&u->in.lock);
    return d;
}

static struct dgram *take_error(struct dgram_sock *u)
{
    struct dgram *d = NULL;

    spin_lock(&u->in.lock);
    if (!list_empty(&u->errors)) {
        d = list_first(&u->errors, struct dgram, link);
        list_del(&d->link);
        /* the next error becomes the pending one, as on Linux */
        u->in.error = list_empty(&u->errors)
                          ? 0
                          : (int)list_first(&u->errors, struct dgram, link)->pkt.err.number;
    }
    spin_unlock(&u->in.lock);
    return d;
}

/* The next datagram, waiting as the flags say. NULL: *r is 0 (shut down) or -errno. */
static struct dgram *next(struct socket *s, struct message *m, int *r)
{
    struct dgram_sock *u = dgram_sk(s);
    u64 deadline = socket_deadline(s->rcv_timeout);

    for (;;) {
        struct dgram *d;

        *r = inet_take_error(&u->in);
        if (*r)
            return NULL;
        d = take(u, m->flags & MSG_PEEK);
        if (d)
            return d;
        if (u->in.shut_read)
            return NULL;
        *r = -EAGAIN;
        if (m->flags & MSG_DONTWAIT)
            return NULL;
        *r = wait_event_deadline(
            &u->in.wait, !list_empty(&u->queue) || u->in.shut_read || u->in.error, deadline);
        if (*r) {
            *r = *r == -ETIMEDOUT ? -EAGAIN : *r;
            return NULL;
        }
    }
}

s64 dgram_receive(struct socket *s, struct message *m)
{
    struct dgram_sock *u = dgram_sk(s);
    struct dgram *d;
    int err = 0;
    u64 n;

    if (m->flags & MSG_ERRQUEUE) {
        d = take_error(u);
        if (!d)
            return -EAGAIN;
        m->out_flags |= MSG_ERRQUEUE;
    } else {
        d = next(s, m, &err);
        if (!d)
            return err;
        if (!s->timestamp && !s->timestampns)
            s->stamp = d->pkt.stamp;
    }
    n = MIN((u64)d->len, m->uio.left);
    if (copy_to_uio(&m->uio, d->data, n) != n) {
        dgram_put(d);
        return -EFAULT;
    }
    m->name_len = inet_format(u->in.family, &d->from, m->name);
    m->pkt = d->pkt;
    if (n < d->len) {
        m->out_flags |= MSG_TRUNC;
        if (m->flags & MSG_TRUNC)
            n = d->len;
    }
    dgram_put(d);
    return (s64)n;
}

/* ---- */

int dgram_shutdown(struct socket *s, int how)
{
    struct inet_sock *in = inet_sk(s);

    in->shut_read |= how != SHUT_WR;
    in->shut_write |= how != SHUT_RD;
    wake_all(&in->wait);
    return in->state == TCP_ESTABLISHED ? 0 : -ENOTCONN;
}

u32 dgram_poll(struct socket *s, struct poll_table *pt)
{
    struct dgram_sock *u = dgram_sk(s);
    u32 mask = POLLOUT | POLLWRNORM;

    poll_wait(pt, &u->in.wait);
    spin_lock(&u->in.lock);
    if (!list_empty(&u->queue) || u->in.shut_read)
        mask |= POLLIN | POLLRDNORM;
    if (u->in.shut_read)
        mask |= POLLRDHUP;
    if (u->in.shut_read && u->in.shut_write)
        mask |= POLLHUP;
    if (u->in.error || !list_empty(&u->errors))
        mask |= POLLERR;
    spin_unlock(&u->in.lock);
    return mask;
}

s64 dgram_ioctl(struct socket *s, u32 cmd, u64 arg)
{
    struct dgram_sock *u = dgram_sk(s);
    int n = 0;

    switch (cmd) {
    case FIONREAD:
        spin_lock(&u->in.lock);
        if (!list_empty(&u->queue))
            n = (int)list_first(&u->queue, struct dgram, link)->len;
        spin_unlock(&u->in.lock);
        return put_user(n, arg);
    case TIOCOUTQ:
        return put_user(n, arg);
    default:
        return -ENOTTY;
    }
}

void dgram_release(struct socket *s)
{
    struct dgram_sock *u = dgram_sk(s);

    if (!u)
        return;
    inet_unbind(&u->in);
    spin_lock(&u->in.lock);
    u->in.socket = NULL;
    spin_unlock(&u->in.lock);
    wake_all(&u->in.wait);
    inet_put(&u->in);
}
