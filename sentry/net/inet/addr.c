// SPDX-License-Identifier: Apache-2.0
/*
 * Internet addresses: one form for both families, and the user's forms. ip(7), ipv6(7).
 */
#include "sentry/net/inet/inet.h"

#define SIN6_LEN_MIN 24 /* RFC 2133: without the scope */

static const u8 mapped[12] = {[10] = 0xff, [11] = 0xff};

const struct inet_addr inet_any4 = {.ip = {[10] = 0xff, [11] = 0xff}};
const struct inet_addr inet_any6 = {.ip = {0}};
const struct inet_addr inet_loop4 = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};
const struct inet_addr inet_loop6 = {.ip = {[15] = 1}};

bool inet_is4(const struct inet_addr *a)
{
    return !memcmp(a->ip, mapped, sizeof(mapped));
}

bool inet_same_ip(const struct inet_addr *a, const struct inet_addr *b)
{
    return !memcmp(a->ip, b->ip, sizeof(a->ip));
}

bool inet_same(const struct inet_addr *a, const struct inet_addr *b)
{
    return a->port == b->port && inet_same_ip(a, b);
}

bool inet_is_any(const struct inet_addr *a)
{
    return inet_same_ip(a, &inet_any4) || inet_same_ip(a, &inet_any6);
}

bool inet_is_multicast(const struct inet_addr *a)
{
    return inet_is4(a) ? (a->ip[12] & 0xf0) == 0xe0 : a->ip[0] == 0xff;
}

u32 inet_v4(const struct inet_addr *a)
{
    u32 be;

    memcpy(&be, a->ip + 12, 4);
    return be;
}

struct inet_addr inet_from_v4(u32 be, u16 port)
{
    struct inet_addr a = inet_any4;

    memcpy(a.ip + 12, &be, 4);
    a.port = port;
    return a;
}

static u16 swap16(u16 v)
{
    return __builtin_bswap16(v);
}

static int parse4(const u8 *sa, u32 len, struct inet_addr *out)
{
    struct sockaddr_in in;

    if (len < sizeof(in))
        return -EINVAL;
    memcpy(&in, sa, sizeof(in));
    *out = inet_from_v4(in.sin_addr.s_addr, swap16(in.sin_port));
    return in.sin_family == AF_INET ? 0 : in.sin_family == AF_UNSPEC ? 1 : -EAFNOSUPPORT;
}

static int parse6(const u8 *sa, u32 len, struct inet_addr *out)
{
    struct sockaddr_in6 in6 = {0};

    if (len < SIN6_LEN_MIN)
        return -EINVAL;
    memcpy(&in6, sa, MIN(len, (u32)sizeof(in6)));
    memcpy(out->ip, &in6.sin6_addr, sizeof(out->ip));
    out->port = swap16(in6.sin6_port);
    out->scope = in6.sin6_scope_id;
    return in6.sin6_family == AF_INET6 ? 0 : -EAFNOSUPPORT;
}

bool inet_unspec(const u8 *sa, u32 len)
{
    return len >= 2 && !sa[0] && !sa[1];
}

int inet_parse(int family, const u8 *sa, u32 len, struct inet_addr *out)
{
    *out = family == AF_INET ? inet_any4 : inet_any6;
    return family == AF_INET ? parse4(sa, len, out) : parse6(sa, len, out);
}

int inet_parse_dgram(int family, const u8 *sa, u32 len, struct inet_addr *out)
{
    if (len >= 2 && sa[0] == AF_INET && !sa[1])
        family = AF_INET;
    return inet_parse(family, sa, len, out);
}

u32 inet_format(int family, const struct inet_addr *a, u8 *sa)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = swap16(a->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = swap16(a->port)};

    if (family == AF_INET) {
        in.sin_addr.s_addr = inet_v4(a);
        memcpy(sa, &in, sizeof(in));
        return sizeof(in);
    }
    memcpy(&in6.sin6_addr, a->ip, sizeof(a->ip));
    in6.sin6_scope_id = a->scope;
    memcpy(sa, &in6, sizeof(in6));
    return sizeof(in6);
}
