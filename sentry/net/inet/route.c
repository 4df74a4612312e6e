// SPDX-License-Identifier: Apache-2.0
/*
 * Which way an address goes. Here is only loopback: both ends of every connection are in the
 * sandbox. A stack adds its interfaces to these two functions; sockets of the host's stack
 * (--network=host) are chosen when they are made, see inet.c.
 */
#include "sentry/net/inet/inet.h"

static bool is_loopback(const struct inet_addr *a)
{
    return inet_is4(a) ? a->ip[12] == 127 : inet_same_ip(a, &inet_loop6);
}

int inet_route(struct inet_addr *dst, struct inet_addr *src)
{
    u16 port = dst->port;

    if (inet_is_any(dst)) {
        *dst = inet_is4(dst) ? inet_loop4 : inet_loop6;
        dst->port = port;
    }
    if (!is_loopback(dst))
        return -ENETUNREACH;
    *src = inet_is4(dst) ? inet_loop4 : inet_loop6;
    return 0;
}

bool inet_is_local(const struct inet_addr *a)
{
    return inet_is_any(a) || is_loopback(a);
}

bool inet_is_broadcast(const struct inet_addr *a)
{
    return inet_is4(a) && inet_v4(a) == 0xffffff7f; /* 127.255.255.255 */
}
