// SPDX-License-Identifier: Apache-2.0
/*
 * Ping sockets: socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) sends echo requests, and loopback answers
 * at once. icmp(7).
 */
#include "sentry/net/inet/dgram.h"

#define PING_MAX 65507u

static u16 checksum(const u8 *p, u32 n)
{
    u32 sum = 0;

    for (u32 i = 0; i + 1 < n; i += 2)
        sum += (u32)p[i] << 8 | p[i + 1];
    if (n & 1)
        sum += (u32)p[n - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (u16)~sum;
}

/* Turn the request into its reply. The checksum of ICMPv6 is not shown to the application. */
static int answer(struct dgram *d, bool v4, u16 id)
{
    u8 *h = d->data;
    u16 sum;

    if (h[0] != (v4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST) || h[1])
        return -EINVAL;
    h[0] = v4 ? ICMP_ECHOREPLY : ICMPV6_ECHO_REPLY;
    h[2] = h[3] = 0;
    h[4] = (u8)(id >> 8);
    h[5] = (u8)id;
    sum = checksum(h, d->len);
    h[2] = (u8)(sum >> 8);
    h[3] = (u8)sum;
    return 0;
}

static s64 ping_send(struct socket *s, struct message *m)
{
    struct dgram_sock *u = dgram_sk(s);
    struct inet_addr dst, src;
    s64 n = (s64)m->uio.left;
    struct dgram *d;
    int err;

    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (m->uio.left > PING_MAX)
        return -EMSGSIZE;
    if (m->uio.left < ICMP_HEADER)
        return -EINVAL;
    err = dgram_target(s, m, &dst, &src);
    if (!err && inet_is4(&dst) != (u->in.family == AF_INET))
        err = -EINVAL;
    if (err)
        return err;
    d = dgram_from_user(u, m, &src, &dst); /* the reply's way */
    if (IS_ERR(d))
        return PTR_ERR(d);
    d->from.port = 0;
    err = answer(d, u->in.family == AF_INET, u->in.local.port);
    if (err) {
        kfree(d);
        return err;
    }
    dgram_deliver(u, d);
    return n;
}

static const struct socket_ops ping_ops = {
    .bind = inet_bind,
    .connect = dgram_connect,
    .send = ping_send,
    .receive = dgram_receive,
    .shutdown = dgram_shutdown,
    .name = inet_name,
    .poll = dgram_poll,
    .ioctl = dgram_ioctl,
    .setopt = inet_setopt,
    .getopt = inet_getopt,
    .cmsg_in = inet_cmsg_in,
    .cmsg_out = inet_cmsg_out,
    .release = dgram_release,
};

int ping_create(struct socket *s)
{
    return dgram_create(s, &ping_ports, &ping_ops);
}
