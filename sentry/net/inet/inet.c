// SPDX-License-Identifier: Apache-2.0
/*
 * AF_INET and AF_INET6: which protocol a socket gets, names, errors.
 */
#include "sentry/net/host.h"
#include "sentry/net/inet/inet.h"
#include "sentry/kernel/sysctl.h"
#include "sentry/kernel/task.h"

#define PROTOCOL_MAX 263 /* IPPROTO_MAX */

void inet_init_sock(struct inet_sock *in, struct socket *s, struct port_table *table)
{
    ref_init(&in->refs, 1);
    in->socket = s;
    in->family = s->family;
    in->type = s->type;
    in->protocol = s->protocol;
    in->table = table;
    in->local = in->remote = s->family == AF_INET ? inet_any4 : inet_any6;
    in->opt.hops = in->opt.mc_hops = -1;
    in->opt.mc_ttl = 1;
    in->opt.mc_loop = in->opt.mc6_loop = in->opt.mc_all = true;
    in->opt.mtu_discover = s->type == SOCK_RAW ? 0 : 1;
    in->opt.mtu_discover6 = 1;
    mutex_init(&in->control);
    waitq_init(&in->wait);
    list_init(&in->port_link);
    s->private = in;
}

void inet_put(struct inet_sock *in)
{
    if (in && ref_put(&in->refs))
        in->destroy(in);
}

int inet_take_error(struct inet_sock *in)
{
    int e;

    spin_lock(&in->lock);
    e = in->error;
    in->error = 0;
    spin_unlock(&in->lock);
    return -e;
}

static bool may_ping(void)
{
    const char *range = "net.ipv4.ping_group_range";
    u32 gid = current->cred->egid;

    return gid >= sysctl_number(range, 0, 1) && gid <= sysctl_number(range, 1, 0);
}

/* The protocol's own creator; NULL and *err when there is none. */
static int (*choose(struct socket *s, int *err))(struct socket *)
{
    int icmp = s->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6, p = s->protocol;

    *err = -EPROTONOSUPPORT;
    if (p < 0 || p >= PROTOCOL_MAX) {
        *err = -EINVAL;
    } else if (s->type == SOCK_STREAM) {
        if (!p || p == IPPROTO_TCP) {
            s->protocol = IPPROTO_TCP;
            return tcp_create;
        }
    } else if (s->type == SOCK_DGRAM) {
        if (!p || p == IPPROTO_UDP) {
            s->protocol = IPPROTO_UDP;
            return udp_create;
        }
        *err = p == icmp ? -EACCES : *err;
        if (p == icmp && may_ping())
            return ping_create;
    } else if (s->type == SOCK_RAW) {
        if (p)
            *err = -EPERM; /* no raw sockets, as without CAP_NET_RAW */
    } else {
        *err = -ESOCKTNOSUPPORT;
    }
    return NULL;
}

static int inet_create(struct socket *s)
{
    int err;
    int (*create)(struct socket *) = choose(s, &err);

    if (!create) {
        log_info("socket of family %d, type %d, protocol %d refused", s->family, s->type,
                 s->protocol);
        return err;
    }
    return host_network() ? host_socket_create(s) : create(s);
}

const struct socket_family inet_family = {AF_INET, inet_create};
const struct socket_family inet6_family = {AF_INET6, inet_create};

int inet_bind(struct socket *s, const u8 *addr, u32 len)
{
    struct inet_sock *in = inet_sk(s);
    struct inet_addr a;
    int err = inet_parse(in->family, addr, len, &a);

    if (err == 1) /* old programs leave the family out */
        err = inet_is_any(&a) ? 0 : -EAFNOSUPPORT;
    if (err)
        return err;
    if (in->family == AF_INET6 && inet_is4(&a) && in->opt.v6only)
        return -EINVAL;
    if (!inet_is_local(&a) && !inet_is_multicast(&a) && !in->opt.freebind && !in->opt.transparent)
        return -EADDRNOTAVAIL;
    mutex_lock(&in->control);
    err = in->state == TCP_CLOSE ? inet_bind_port(in, &a) : -EINVAL;
    mutex_unlock(&in->control);
    return err;
}

int inet_name(struct socket *s, bool peer, u8 *addr)
{
    struct inet_sock *in = inet_sk(s);
    struct inet_addr a;

    spin_lock(&in->lock);
    a = peer ? in->remote : in->local;
    if (peer && (!a.port || in->state == TCP_CLOSE || in->state == TCP_SYN_SENT))
        a.port = 0;
    spin_unlock(&in->lock);
    if (peer && !a.port)
        return -ENOTCONN;
    return (int)inet_format(in->family, &a, addr);
}
