/* SPDX-License-Identifier: Apache-2.0
 *
 * The sandbox' network interfaces, as ioctl(2), netlink and /proc/net show them.
 */
#pragma once

#include "sentry/net/socket.h"

/* An interface. Constant; there is only loopback so far. */
struct netdev {
    const char *name;
    u32 index, flags, mtu;
    u16 type; /* ARPHRD_* */
    u32 txqlen;
};

/* An address of an interface. */
struct netdev_addr {
    u32 index;
    int family;
    u8 ip[16];
    u8 prefix, scope;
};

extern const struct netdev netdevs[];
extern const struct netdev_addr netdev_addrs[];
extern const unsigned netdev_count, netdev_addr_count;

/* What has passed an interface; loopback's both ways are the same. */
void netdev_stats(const struct netdev *d, u64 *packets, u64 *bytes);
void netdev_count_lo(u64 bytes);

/* SIOCGIF* and their relatives on any socket; -ENOTTY for other commands. */
s64 netdev_ioctl(struct socket *s, u32 cmd, u64 arg);
