// SPDX-License-Identifier: Apache-2.0
/*
 * UDP over loopback. udp(7).
 */
#include <linux/udp.h>
#include "sentry/kernel/task.h"
#include "sentry/net/inet/dgram.h"

#define UDP_MAX4   65507u
#define UDP_MAX6   65527u
#define ERRORS_MAX 64

static u32 udp_score(const struct inet_sock *in, const struct inet_addr *to,
                     const struct inet_addr *from)
{
    u32 n = inet_covers(in, to);

    if (n && in->state == TCP_ESTABLISHED)
        return inet_same(&in->remote, from) ? n + 8 : 0;
    return n;
}

/* Nobody has that port: the sender learns of it when it is connected, or wants to know. */
static void unreachable(struct dgram_sock *u, struct dgram *d, const struct inet_addr *dst)
{
    bool v4 = inet_is4(dst), queued = false;

    spin_lock(&u->in.lock);
    if ((v4 && u->in.opt.recverr) || (u->in.family == AF_INET6 && u->in.opt.recverr6)) {
        u32 n = 0;
        struct dgram *e;

        list_for_each (e, &u->errors, link)
            n++;
        if (n < ERRORS_MAX) {
            d->pkt.err.number = ECONNREFUSED;
            d->pkt.err.origin = v4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6;
            d->pkt.err.type = v4 ? ICMP_DEST_UNREACH : ICMPV6_DEST_UNREACH;
            d->pkt.err.code = v4 ? ICMP_PORT_UNREACH : ICMPV6_PORT_UNREACH;
            d->from = *dst;
            list_add_tail(&u->errors, &d->link);
            queued = true;
        }
    }
    if (queued || u->in.state == TCP_ESTABLISHED)
        u->in.error = ECONNREFUSED;
    spin_unlock(&u->in.lock);
    if (!queued)
        kfree(d);
    waitq_wake(&u->in.wait, POLLERR | POLLIN, ~0u);
}

/* Everybody that a broadcast reaches gets a copy. */
struct broadcast {
    const struct inet_addr *to, *from;
    struct inet_sock *found[64];
    u32 n;
};

static void collect(struct inet_sock *in, void *arg)
{
    struct broadcast *b = arg;

    if (in->local.port != b->to->port || b->n == ARRAY_SIZE(b->found) ||
        !udp_score(in, b->to, b->from))
        return;
    ref_get(&in->refs);
    b->found[b->n++] = in;
}

static void deliver_all(struct dgram *d, const struct inet_addr *to, const struct inet_addr *from)
{
    struct broadcast b = {.to = to, .from = from};

    inet_for_each(&udp_ports, collect, NULL, &b);
    for (u32 i = 0; i < b.n; i++) {
        struct dgram *copy = kmalloc(sizeof(*d) + d->len);

        if (copy) {
            memcpy(copy, d, sizeof(*d) + d->len);
            ref_init(&copy->refs, 1);
            dgram_deliver((struct dgram_sock *)b.found[i], copy);
        }
        inet_put(b.found[i]);
    }
    kfree(d);
}

static void transmit(struct dgram_sock *u, struct dgram *d, const struct inet_addr *dst)
{
    struct inet_addr src = d->from;
    struct inet_sock *to;

    if (inet_is_broadcast(dst)) {
        deliver_all(d, dst, &src);
        return;
    }
    to = inet_find(&udp_ports, dst, &src, udp_score);
    if (to) {
        dgram_deliver((struct dgram_sock *)to, d);
        inet_put(to);
    } else {
        unreachable(u, d, dst);
    }
}

/* Take the parts that were collected so far; NULL: none. */
static struct dgram *take_pending(struct dgram_sock *u, struct inet_addr *dst)
{
    struct dgram *d;

    spin_lock(&u->in.lock);
    d = u->pending;
    u->pending = NULL;
    if (d)
        *dst = u->pending_to;
    spin_unlock(&u->in.lock);
    return d;
}

/* `part` behind what was collected before: one datagram, or -EMSGSIZE, -ENOMEM. Consumes both. */
static struct dgram *join(struct dgram *before, struct dgram *part, u32 max)
{
    u32 n = before->len + part->len;
    struct dgram *d = n <= max ? kmalloc(sizeof(*d) + n) : NULL;

    if (d) {
        memcpy(d, before, sizeof(*d) + before->len);
        memcpy(d->data + before->len, part->data, part->len);
        d->len = n;
        ref_init(&d->refs, 1);
        list_init(&d->link);
    }
    kfree(before);
    kfree(part);
    return d ? d : ERR_PTR(n <= max ? -ENOMEM : -EMSGSIZE);
}

static s64 udp_send(struct socket *s, struct message *m)
{
    struct dgram_sock *u = dgram_sk(s);
    struct inet_addr dst, src;
    struct dgram *d, *before;
    s64 n = (s64)m->uio.left;
    u32 max;
    int err;

    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (m->uio.left > 0xffff)
        return -EMSGSIZE;
    err = dgram_target(s, m, &dst, &src);
    max = !err && inet_is4(&dst) ? UDP_MAX4 : UDP_MAX6;
    if (!err && m->uio.left > max)
        err = -EMSGSIZE;
    if (!err)
        err = inet_take_error(&u->in);
    if (!err && u->in.shut_write)
        err = -EPIPE;
    if (err)
        return err;
    d = dgram_from_user(u, m, &dst, &src);
    if (IS_ERR(d))
        return PTR_ERR(d);
    before = take_pending(u, &dst); /* the first part decides where it goes */
    if (before)
        d = join(before, d, max);
    if (IS_ERR(d))
        return PTR_ERR(d);
    if (!(m->flags & MSG_MORE) && !u->cork) {
        transmit(u, d, &dst);
        return n;
    }
    spin_lock(&u->in.lock);
    before = u->pending;
    u->pending = d;
    u->pending_to = dst;
    spin_unlock(&u->in.lock);
    kfree(before); /* of somebody who collects at the same time */
    return n;
}

static void uncork(struct dgram_sock *u)
{
    struct inet_addr dst;
    struct dgram *d = take_pending(u, &dst);

    if (d)
        transmit(u, d, &dst);
}

static int udp_setopt(struct socket *s, int level, int name, const void *value, u32 len)
{
    int v;

    if (level != SOL_UDP)
        return inet_setopt(s, level, name, value, len);
    if (len < sizeof(v))
        return -EINVAL;
    memcpy(&v, value, sizeof(v));
    switch (name) {
    case UDP_CORK:
        dgram_sk(s)->cork = v != 0;
        if (!v)
            uncork(dgram_sk(s));
        return 0;
    case UDP_NO_CHECK6_TX:
    case UDP_NO_CHECK6_RX:
        dgram_sk(s)->no_check = v != 0;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int udp_getopt(struct socket *s, int level, int name, void *value, u32 *len)
{
    int v;

    if (level != SOL_UDP)
        return inet_getopt(s, level, name, value, len);
    switch (name) {
    case UDP_CORK:
        v = dgram_sk(s)->cork;
        break;
    case UDP_NO_CHECK6_TX:
    case UDP_NO_CHECK6_RX:
        v = dgram_sk(s)->no_check;
        break;
    default:
        return -ENOPROTOOPT;
    }
    memcpy(value, &v, sizeof(v));
    *len = MIN(*len, (u32)sizeof(v));
    return 0;
}

static const struct socket_ops udp_ops = {
    .bind = inet_bind,
    .connect = dgram_connect,
    .send = udp_send,
    .receive = dgram_receive,
    .shutdown = dgram_shutdown,
    .name = inet_name,
    .poll = dgram_poll,
    .ioctl = dgram_ioctl,
    .setopt = udp_setopt,
    .getopt = udp_getopt,
    .cmsg_in = inet_cmsg_in,
    .cmsg_out = inet_cmsg_out,
    .release = dgram_release,
};

int udp_create(struct socket *s)
{
    return dgram_create(s, &udp_ports, &udp_ops);
}
