// SPDX-License-Identifier: Apache-2.0
/*
 * The sandbox' network interfaces and the ioctls that ask about them. netdevice(7).
 */
#include "sentry/net/netdev.h"
#include <linux/capability.h>
#include <linux/in.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include "sentry/kernel/task.h"
#include "sentry/net/host.h"

#define ARPHRD_LOOPBACK 772
#define NAME_SIZE       16
#define FLAG_UP         1u
#define FLAG_LOOP       8u
#define FLAG_RUN        0x40u
#define FLAG_LOWER      0x10000u
#define IFREQ_SIZE      40

const struct netdev netdevs[] = {
    {"lo", 1, FLAG_UP | FLAG_LOOP | FLAG_RUN | FLAG_LOWER, 65536, ARPHRD_LOOPBACK, 1000},
};
const unsigned netdev_count = ARRAY_SIZE(netdevs);

const struct netdev_addr netdev_addrs[] = {
    {1, AF_INET, {127, 0, 0, 1}, 8, RT_SCOPE_HOST},
    {1, AF_INET6, {[15] = 1}, 128, RT_SCOPE_HOST},
};
const unsigned netdev_addr_count = ARRAY_SIZE(netdev_addrs);

static u64 lo_packets, lo_bytes; /* atomic */

void netdev_count_lo(u64 bytes)
{
    __atomic_fetch_add(&lo_packets, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&lo_bytes, bytes, __ATOMIC_RELAXED);
}

void netdev_stats(const struct netdev *d, u64 *packets, u64 *bytes)
{
    *packets = __atomic_load_n(&lo_packets, __ATOMIC_RELAXED);
    *bytes = __atomic_load_n(&lo_bytes, __ATOMIC_RELAXED);
}

/* struct ifreq of the ABI. */
struct ifreq_ {
    char name[NAME_SIZE];
    union {
        struct sockaddr_in addr;
        s16 flags;
        s32 value;
        struct {
            u16 family;
            u8 data[14];
        } hw;
        u8 raw[IFREQ_SIZE - NAME_SIZE];
    };
};

static const struct netdev *find(const struct ifreq_ *r, u32 cmd)
{
    for (unsigned i = 0; i < netdev_count; i++) {
        if (cmd == SIOCGIFNAME ? netdevs[i].index == (u32)r->value
                               : !strncmp(netdevs[i].name, r->name, NAME_SIZE))
            return &netdevs[i];
    }
    return NULL;
}

static const struct netdev_addr *address_of(const struct netdev *d)
{
    for (unsigned i = 0; i < netdev_addr_count; i++) {
        if (netdev_addrs[i].index == d->index && netdev_addrs[i].family == AF_INET)
            return &netdev_addrs[i];
    }
    return NULL;
}

static int fill_address(const struct netdev *d, u32 cmd, struct ifreq_ *r)
{
    const struct netdev_addr *a = address_of(d);

    if (!a)
        return -EADDRNOTAVAIL;
    r->addr = (struct sockaddr_in){.sin_family = AF_INET};
    if (cmd == SIOCGIFNETMASK)
        r->addr.sin_addr.s_addr = __builtin_bswap32(a->prefix ? ~0u << (32 - a->prefix) : 0);
    else if (cmd != SIOCGIFBRDADDR)
        memcpy(&r->addr.sin_addr, a->ip, 4);
    return 0;
}

/* SIOCGIFCONF: all interfaces with an IPv4 address. */
static s64 list_addresses(u64 arg)
{
    struct {
        s32 len, pad;
        u64 buf;
    } conf;
    s32 used = 0;

    if (copy_from_user(&conf, arg, sizeof(conf)))
        return -EFAULT;
    for (unsigned i = 0; i < netdev_count; i++) {
        struct ifreq_ r = {0};

        memcpy(r.name, netdevs[i].name, strlen(netdevs[i].name));
        if (fill_address(&netdevs[i], SIOCGIFADDR, &r))
            continue;
        if (conf.buf) {
            if (conf.len - used < IFREQ_SIZE)
                break;
            if (copy_to_user(conf.buf + (u64)used, &r, sizeof(r)))
                return -EFAULT;
        }
        used += IFREQ_SIZE;
    }
    return put_user(used, arg);
}

static int fill(struct socket *s, const struct netdev *d, u32 cmd, struct ifreq_ *r)
{
    switch (cmd) {
    case SIOCGIFNAME:
        memset(r->name, 0, NAME_SIZE);
        memcpy(r->name, d->name, strlen(d->name));
        return 0;
    case SIOCGIFINDEX:
        r->value = (s32)d->index;
        return 0;
    case SIOCGIFFLAGS:
        r->flags = (s16)d->flags;
        return 0;
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFBRDADDR:
    case SIOCGIFNETMASK:
        return s->family == AF_INET || s->family == AF_INET6 ? fill_address(d, cmd, r) : -ENOTTY;
    case SIOCGIFMETRIC:
        r->value = 0;
        return 0;
    case SIOCGIFMTU:
        r->value = (s32)d->mtu;
        return 0;
    case SIOCGIFTXQLEN:
        r->value = (s32)d->txqlen;
        return 0;
    case SIOCGIFHWADDR:
        memset(&r->hw, 0, sizeof(r->hw));
        r->hw.family = d->type;
        return 0;
    case SIOCGIFMAP:
        memset(r->raw, 0, sizeof(r->raw));
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

/* Is it one of the ioctls on interfaces? *change: it would change something. */
static bool known(u32 cmd, bool *change)
{
    switch (cmd) {
    case SIOCGIFNAME:
    case SIOCGIFINDEX:
    case SIOCGIFFLAGS:
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFBRDADDR:
    case SIOCGIFNETMASK:
    case SIOCGIFMETRIC:
    case SIOCGIFMTU:
    case SIOCGIFTXQLEN:
    case SIOCGIFHWADDR:
    case SIOCGIFMAP:
    case SIOCETHTOOL:
        *change = false;
        return true;
    case SIOCSIFFLAGS:
    case SIOCSIFADDR:
    case SIOCSIFDSTADDR:
    case SIOCSIFBRDADDR:
    case SIOCSIFNETMASK:
    case SIOCSIFMETRIC:
    case SIOCSIFMTU:
    case SIOCSIFHWADDR:
    case SIOCSIFNAME:
    case SIOCSIFTXQLEN:
        *change = true;
        return true;
    default:
        return false;
    }
}

s64 netdev_ioctl(struct socket *s, u32 cmd, u64 arg)
{
    const struct netdev *d;
    struct ifreq_ r;
    bool change;
    int err;

    BUILD_ASSERT(sizeof(r) == IFREQ_SIZE);
    if (host_network() && (cmd == SIOCGIFCONF || (known(cmd, &change) && !change)))
        return host_netdev_ioctl(s, cmd, arg);
    if (cmd == SIOCGIFCONF)
        return list_addresses(arg);
    if (!known(cmd, &change))
        return -ENOTTY;
    if (copy_from_user(&r, arg, sizeof(r)))
        return -EFAULT;
    if (change && !capable(CAP_NET_ADMIN))
        return -EPERM;
    r.name[NAME_SIZE - 1] = '\0';
    d = find(&r, cmd);
    if (!d)
        return -ENODEV;
    if (change) {
        log_info("changing interface %s (ioctl %#x) is not supported", d->name, cmd);
        return -EOPNOTSUPP;
    }
    err = fill(s, d, cmd, &r);
    return err ? err : copy_to_user(arg, &r, sizeof(r));
}
