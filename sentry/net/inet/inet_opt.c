// SPDX-License-Identifier: Apache-2.0
/*
 * Options of levels IP and IPV6: tables of where each is kept. ip(7), ipv6(7).
 */
#include <asm/socket.h>
#include <linux/capability.h>
#include "sentry/kernel/task.h"
#include "sentry/net/inet/inet.h"

enum kind { FLAG, BYTE, HOPS, INDEX };

/* An integer option. Constant. */
struct option {
    int name;
    enum kind kind;
    u16 at; /* in struct inet_options */
    s32 min, max;
};
#define AT(field) offsetof(struct inet_options, field)

static const struct option ip_options[] = {
    {IP_TOS, BYTE, AT(tos), 0, 255},
    {IP_TTL, BYTE, AT(ttl), 1, 255},
    {IP_RECVTTL, FLAG, AT(recvttl), 0, 0},
    {IP_RECVTOS, FLAG, AT(recvtos), 0, 0},
    {IP_PKTINFO, FLAG, AT(pktinfo), 0, 0},
    {IP_RECVERR, FLAG, AT(recverr), 0, 0},
    {IP_RECVORIGDSTADDR, FLAG, AT(recvorigdst), 0, 0},
    {IP_FREEBIND, FLAG, AT(freebind), 0, 0},
    {IP_TRANSPARENT, FLAG, AT(transparent), 0, 0},
    {IP_MTU_DISCOVER, BYTE, AT(mtu_discover), 0, 5},
    {IP_MULTICAST_TTL, BYTE, AT(mc_ttl), 0, 255},
    {IP_MULTICAST_LOOP, FLAG, AT(mc_loop), 0, 0},
    {IP_MULTICAST_ALL, FLAG, AT(mc_all), 0, 0},
};

static const struct option ipv6_options[] = {
    {IPV6_UNICAST_HOPS, HOPS, AT(hops), -1, 255},
    {IPV6_MULTICAST_HOPS, HOPS, AT(mc_hops), -1, 255},
    {IPV6_MULTICAST_LOOP, FLAG, AT(mc6_loop), 0, 0},
    {IPV6_MULTICAST_IF, INDEX, AT(mc_index), 0, LO_INDEX},
    {IPV6_MTU_DISCOVER, BYTE, AT(mtu_discover6), 0, 5},
    {IPV6_RECVERR, FLAG, AT(recverr6), 0, 0},
    {IPV6_V6ONLY, FLAG, AT(v6only), 0, 0},
    {IPV6_RECVPKTINFO, FLAG, AT(recvpktinfo6), 0, 0},
    {IPV6_RECVHOPLIMIT, FLAG, AT(recvhops6), 0, 0},
    {IPV6_RECVTCLASS, FLAG, AT(recvtclass6), 0, 0},
    {IPV6_TCLASS, BYTE, AT(tclass), 0, 255},
};

static const struct option *find(const struct inet_sock *in, int level, int name)
{
    const struct option *o = level == SOL_IP ? ip_options : ipv6_options;
    size_t n = level == SOL_IP ? ARRAY_SIZE(ip_options) : ARRAY_SIZE(ipv6_options);

    if (level != SOL_IP && (level != SOL_IPV6 || in->family != AF_INET6))
        return NULL;
    for (size_t i = 0; i < n; i++, o++)
        if (o->name == name)
            return o;
    return NULL;
}

static void store(void *at, enum kind kind, s32 v)
{
    switch (kind) {
    case FLAG:
        *(bool *)at = v != 0;
        break;
    case BYTE:
        *(u8 *)at = (u8)v;
        break;
    case HOPS:
        *(s16 *)at = (s16)v;
        break;
    case INDEX:
        *(u32 *)at = (u32)v;
    }
}

static s32 load(const void *at, enum kind kind)
{
    switch (kind) {
    case FLAG:
        return *(const bool *)at;
    case BYTE:
        return *(const u8 *)at;
    case HOPS:
        return *(const s16 *)at;
    default:
        return (s32) * (const u32 *)at;
    }
}

/* Groups need an interface that takes multicast, and loopback does not. */
static int set_group(int level, int name, u32 len)
{
    if (level == SOL_IP && (name == IP_ADD_MEMBERSHIP || name == IP_DROP_MEMBERSHIP))
        return len < sizeof(struct ip_mreq) ? -EINVAL
               : name == IP_ADD_MEMBERSHIP  ? -ENODEV
                                            : -EADDRNOTAVAIL;
    if (level == SOL_IPV6 && (name == IPV6_ADD_MEMBERSHIP || name == IPV6_DROP_MEMBERSHIP))
        return len < sizeof(struct ipv6_mreq) ? -EINVAL
               : name == IPV6_ADD_MEMBERSHIP  ? -ENODEV
                                              : -EADDRNOTAVAIL;
    return -ENOPROTOOPT;
}

int inet_setopt(struct socket *s, int level, int name, const void *value, u32 len)
{
    struct inet_sock *in = inet_sk(s);
    const struct option *o = find(in, level, name);
    s32 v = 0;

    if (!o)
        return level == SOL_SOCKET ? -ENOPROTOOPT : set_group(level, name, len);
    if (len >= sizeof(v))
        memcpy(&v, value, sizeof(v));
    else if (len && level == SOL_IP)
        v = *(const u8 *)value;
    else
        return -EINVAL;
    if (name == IP_TRANSPARENT && level == SOL_IP && v && !capable(CAP_NET_ADMIN) &&
        !capable(CAP_NET_RAW))
        return -EPERM;
    if (name == IP_MULTICAST_TTL && level == SOL_IP && s->type == SOCK_STREAM)
        return -EINVAL;
    if (name == IPV6_MULTICAST_HOPS && level == SOL_IPV6 && s->type == SOCK_STREAM)
        return -ENOPROTOOPT;
    if (name == IPV6_V6ONLY && level == SOL_IPV6 && in->port)
        return -EINVAL;
    if (o->kind == BYTE && v == -1 && name != IP_MTU_DISCOVER && name != IPV6_MTU_DISCOVER)
        v = name == IP_MULTICAST_TTL && level == SOL_IP ? 1 : 0;
    else if (o->kind == BYTE && name == IP_TOS && level == SOL_IP)
        v &= 255;
    else if (o->kind != FLAG && (v < o->min || v > o->max))
        return o->kind == INDEX ? -ENODEV : -EINVAL;
    if (s->type == SOCK_STREAM && name == IP_TOS && level == SOL_IP)
        v &= ~3; /* the ECN bits are TCP's */
    spin_lock(&in->lock);
    store((u8 *)&in->opt + o->at, o->kind, v);
    spin_unlock(&in->lock);
    return 0;
}

int inet_getopt(struct socket *s, int level, int name, void *value, u32 *len)
{
    struct inet_sock *in = inet_sk(s);
    const struct option *o = find(in, level, name);
    s32 v;

    if (level == SOL_SOCKET && name == SO_ERROR) {
        v = -inet_take_error(in);
    } else if (o) {
        v = load((u8 *)&in->opt + o->at, o->kind);
        if ((name == IP_TTL && level == SOL_IP && !v) || (name == IPV6_UNICAST_HOPS && v < 0))
            v = 64;
        if (level == SOL_IPV6 && name == IPV6_MULTICAST_HOPS && v < 0)
            v = 1;
    } else if ((level == SOL_IP && name == IP_MTU) || (level == SOL_IPV6 && name == IPV6_MTU)) {
        if (in->state == TCP_CLOSE)
            return -ENOTCONN;
        v = LO_MTU;
    } else {
        return in->family == AF_INET && level != SOL_IP && level != SOL_SOCKET ? -EOPNOTSUPP
                                                                               : -ENOPROTOOPT;
    }
    if (level == SOL_IP && *len >= 1 && *len < sizeof(v) && v >= 0 && v <= 255) {
        *(u8 *)value = (u8)v;
        *len = 1;
        return 0;
    }
    memcpy(value, &v, sizeof(v));
    *len = MIN(*len, (u32)sizeof(v));
    return 0;
}
