// SPDX-License-Identifier: Apache-2.0
/*
 * Control messages of levels IP and IPV6: where a packet came from and went to, and errors.
 */
#include <asm/socket.h>
#include "sentry/net/inet/inet.h"

static int int_of(const u8 *data, u64 len, s32 *v)
{
    if (len != sizeof(*v))
        return -EINVAL;
    memcpy(v, data, sizeof(*v));
    return 0;
}

static int in_ip(struct message *m, int type, const u8 *data, u64 len)
{
    struct in_pktinfo info;
    struct inet_addr src;
    s32 v;

    switch (type) {
    case IP_PKTINFO:
        if (len != sizeof(info))
            return -EINVAL;
        memcpy(&info, data, sizeof(info));
        if (info.ipi_ifindex && info.ipi_ifindex != LO_INDEX)
            return -ENODEV;
        src = inet_from_v4(info.ipi_spec_dst.s_addr, 0);
        m->pkt.has_src = !inet_is_any(&src);
        memcpy(m->pkt.src, src.ip, sizeof(src.ip));
        return 0;
    case IP_TTL:
        if (int_of(data, len, &v) || v < 1 || v > 255)
            return -EINVAL;
        m->pkt.ttl = (s16)v;
        return 0;
    case IP_TOS:
        v = len == 1 ? *data : 0;
        if (len != 1 && int_of(data, len, &v))
            return -EINVAL;
        if (v < 0 || v > 255)
            return -EINVAL;
        m->pkt.has_tos = true;
        m->pkt.tos = (u8)v;
        return 0;
    default:
        return -EINVAL;
    }
}

static int in_ipv6(struct message *m, int type, const u8 *data, u64 len)
{
    struct in6_pktinfo_ info;
    struct inet_addr src;
    s32 v;

    switch (type) {
    case IPV6_PKTINFO:
        if (len < sizeof(info))
            return -EINVAL;
        memcpy(&info, data, sizeof(info));
        if (info.ipi6_ifindex && info.ipi6_ifindex != LO_INDEX)
            return -ENODEV;
        memcpy(src.ip, &info.ipi6_addr, sizeof(src.ip));
        m->pkt.has_src = !inet_is_any(&src);
        memcpy(m->pkt.src, src.ip, sizeof(src.ip));
        return 0;
    case IPV6_HOPLIMIT:
        if (int_of(data, len, &v) || v < -1 || v > 255)
            return -EINVAL;
        m->pkt.ttl = v == -1 ? 0 : (s16)v;
        return 0;
    case IPV6_TCLASS:
        if (int_of(data, len, &v) || v < -1 || v > 255)
            return -EINVAL;
        m->pkt.has_tos = true;
        m->pkt.tos = v == -1 ? 0 : (u8)v;
        return 0;
    default:
        return -EINVAL;
    }
}

int inet_cmsg_in(struct socket *s, struct message *m, int level, int type, const u8 *data, u64 len)
{
    if (level == SOL_SOCKET)
        return type == SCM_RIGHTS || type == SCM_CREDENTIALS ? 0 : -EINVAL;
    if (s->type == SOCK_STREAM)
        return 0; /* a stream has no packets to say this of */
    if (level == SOL_IP && (s->family == AF_INET || type == IP_PKTINFO))
        return in_ip(m, type, data, len);
    if (level == SOL_IPV6 && s->family == AF_INET6)
        return in_ipv6(m, type, data, len);
    return 0;
}

/* ---- to the application ---- */

static struct inet_addr address(const u8 *ip, u16 port)
{
    struct inet_addr a = {.port = port};

    memcpy(a.ip, ip, sizeof(a.ip));
    return a;
}

static int out_error(struct message *m, struct cmsg_room *room)
{
    struct {
        struct sock_error err;
        u8 offender[sizeof(struct sockaddr_in6)];
    } e = {.err = {.number = m->pkt.err.number,
                   .origin = m->pkt.err.origin,
                   .type = m->pkt.err.type,
                   .code = m->pkt.err.code}};
    struct inet_addr a = address(m->pkt.dst, 0); /* loopback itself refused it */
    int family = m->pkt.v4 ? AF_INET : AF_INET6;
    u32 n = inet_format(family, &a, e.offender);

    return cmsg_put(room, m->pkt.v4 ? SOL_IP : SOL_IPV6, m->pkt.v4 ? IP_RECVERR : IPV6_RECVERR, &e,
                    sizeof(e.err) + n);
}

static int out_ip(const struct inet_options *o, struct message *m, struct cmsg_room *room)
{
    const struct packet_info *p = &m->pkt;
    struct inet_addr dst = address(p->dst, p->dst_port);
    struct in_pktinfo info = {.ipi_ifindex = (s32)p->ifindex};
    u8 sa[sizeof(struct sockaddr_in6)];
    s32 ttl = p->ttl;
    int err = 0;

    info.ipi_spec_dst.s_addr = info.ipi_addr.s_addr = inet_v4(&dst);
    if (o->pktinfo)
        err = cmsg_put(room, SOL_IP, IP_PKTINFO, &info, sizeof(info));
    if (!err && o->recvttl)
        err = cmsg_put(room, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
    if (!err && o->recvtos)
        err = cmsg_put(room, SOL_IP, IP_TOS, &p->tos, 1);
    if (!err && o->recvorigdst)
        err = cmsg_put(room, SOL_IP, IP_ORIGDSTADDR, sa, inet_format(AF_INET, &dst, sa));
    return err;
}

static int out_ipv6(const struct inet_options *o, struct message *m, struct cmsg_room *room)
{
    const struct packet_info *p = &m->pkt;
    s32 hops = p->ttl, tclass = p->tos;
    int err = 0;

    if (o->recvhops6)
        err = cmsg_put(room, SOL_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
    if (!err && o->recvtclass6)
        err = cmsg_put(room, SOL_IPV6, IPV6_TCLASS, &tclass, sizeof(tclass));
    return err;
}

int inet_cmsg_out(struct socket *s, struct message *m, struct cmsg_room *room)
{
    const struct inet_options *o = &inet_sk(s)->opt;
    struct in6_pktinfo_ info = {.ipi6_ifindex = (s32)m->pkt.ifindex};
    int err = 0;

    if (s->type == SOCK_STREAM)
        return 0;
    if (m->pkt.err.number)
        return out_error(m, room);
    if (s->family == AF_INET6 && o->recvpktinfo6) {
        memcpy(&info.ipi6_addr, m->pkt.dst, sizeof(m->pkt.dst));
        err = cmsg_put(room, SOL_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    }
    if (err)
        return err;
    return m->pkt.v4 ? out_ip(o, m, room) : out_ipv6(o, m, room);
}
