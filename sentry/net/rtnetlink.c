// SPDX-License-Identifier: Apache-2.0
/*
 * NETLINK_ROUTE: what `ip` and getifaddrs() ask about interfaces, addresses and routes.
 * rtnetlink(7). Nothing can be changed.
 */
#include <linux/capability.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include "sentry/kernel/task.h"
#include "sentry/net/inet/inet.h"
#include "sentry/net/netdev.h"
#include "sentry/net/netlink.h"

/* The body of h after its header into out, as far as it goes; the rest is 0. */
static void body(const struct nlmsghdr *h, void *out, size_t n)
{
    memset(out, 0, n);
    memcpy(out, h + 1, MIN(n, h->nlmsg_len - sizeof(*h)));
}

/* Attribute `type` behind a body of `skip` bytes; its length in *len, or NULL. */
static const u8 *attr_find(const struct nlmsghdr *h, size_t skip, u16 type, u32 *len)
{
    const u8 *p = (const u8 *)(h + 1);
    size_t end = h->nlmsg_len - sizeof(*h), off = NLMSG_ALIGN(skip);

    while (off < end && end - off >= NLA_HDRLEN) {
        struct nlattr a;

        memcpy(&a, p + off, sizeof(a));
        if (a.nla_len < NLA_HDRLEN || a.nla_len > end - off)
            return NULL;
        if ((a.nla_type & NLA_TYPE_MASK) == type) {
            *len = a.nla_len - NLA_HDRLEN;
            return p + off + NLA_HDRLEN;
        }
        off += NLA_ALIGN(a.nla_len);
    }
    return NULL;
}

static int done(struct netlink_reply *r)
{
    s32 zero = 0;

    netlink_end(r, netlink_begin(r, NLMSG_DONE, NLM_F_MULTI, &zero, sizeof(zero)));
    return 1;
}

/* ---- links ---- */

static void put_link(struct netlink_reply *r, const struct netdev *d, u16 flags)
{
    struct ifinfomsg m = {.ifi_type = d->type, .ifi_index = (s32)d->index, .ifi_flags = d->flags};
    size_t at = netlink_begin(r, RTM_NEWLINK, flags, &m, sizeof(m));
    struct rtnl_link_stats64 st = {0};
    u8 mac[6] = {0}, zero = 0, one = 1;
    u64 packets, bytes;

    netdev_stats(d, &packets, &bytes);
    st.rx_packets = st.tx_packets = packets;
    st.rx_bytes = st.tx_bytes = bytes;
    netlink_attr(r, IFLA_IFNAME, d->name, strlen(d->name) + 1);
    netlink_attr32(r, IFLA_TXQLEN, d->txqlen);
    netlink_attr(r, IFLA_OPERSTATE, &zero, 1);
    netlink_attr(r, IFLA_LINKMODE, &zero, 1);
    netlink_attr32(r, IFLA_MTU, d->mtu);
    netlink_attr32(r, IFLA_GROUP, 0);
    netlink_attr32(r, IFLA_PROMISCUITY, 0);
    netlink_attr32(r, IFLA_NUM_TX_QUEUES, 1);
    netlink_attr32(r, IFLA_NUM_RX_QUEUES, 1);
    netlink_attr(r, IFLA_CARRIER, &one, 1);
    netlink_attr(r, IFLA_QDISC, "noqueue", 8);
    netlink_attr(r, IFLA_ADDRESS, mac, sizeof(mac));
    netlink_attr(r, IFLA_BROADCAST, mac, sizeof(mac));
    netlink_attr(r, IFLA_STATS64, &st, sizeof(st));
    netlink_end(r, at);
}

static bool named(const struct netdev *d, const u8 *name, u32 len)
{
    return name && len && strlen(d->name) == strnlen((const char *)name, len) &&
           !memcmp(d->name, name, strlen(d->name));
}

static int get_link(struct netlink_reply *r, const struct nlmsghdr *h)
{
    struct ifinfomsg m;
    const u8 *name;
    u32 len = 0;

    body(h, &m, sizeof(m));
    if (h->nlmsg_flags & NLM_F_DUMP) {
        for (unsigned i = 0; i < netdev_count; i++)
            put_link(r, &netdevs[i], NLM_F_MULTI);
        return done(r);
    }
    name = attr_find(h, sizeof(m), IFLA_IFNAME, &len);
    if (!name)
        name = attr_find(h, sizeof(m), IFLA_ALT_IFNAME, &len);
    if (m.ifi_index <= 0 && !name)
        return -EINVAL;
    for (unsigned i = 0; i < netdev_count; i++) {
        if (m.ifi_index > 0 ? netdevs[i].index == (u32)m.ifi_index
                            : named(&netdevs[i], name, len)) {
            put_link(r, &netdevs[i], 0);
            return 1;
        }
    }
    return -ENODEV;
}

/* ---- addresses ---- */

static void put_address(struct netlink_reply *r, const struct netdev_addr *a)
{
    struct ifaddrmsg m = {.ifa_family = (u8)a->family,
                          .ifa_prefixlen = a->prefix,
                          .ifa_flags = IFA_F_PERMANENT,
                          .ifa_scope = a->scope,
                          .ifa_index = a->index};
    struct ifa_cacheinfo c = {.ifa_prefered = ~0u, .ifa_valid = ~0u};
    size_t n = a->family == AF_INET ? 4 : 16;
    size_t at = netlink_begin(r, RTM_NEWADDR, NLM_F_MULTI, &m, sizeof(m));

    netlink_attr(r, IFA_ADDRESS, a->ip, n);
    if (a->family == AF_INET) {
        netlink_attr(r, IFA_LOCAL, a->ip, n);
        netlink_attr(r, IFA_LABEL, netdevs[0].name, strlen(netdevs[0].name) + 1);
    }
    netlink_attr32(r, IFA_FLAGS, IFA_F_PERMANENT);
    netlink_attr(r, IFA_CACHEINFO, &c, sizeof(c));
    netlink_end(r, at);
}

static int get_address(struct netlink_reply *r, const struct nlmsghdr *h)
{
    struct ifaddrmsg m;

    body(h, &m, sizeof(m));
    if (!(h->nlmsg_flags & NLM_F_DUMP))
        return -EOPNOTSUPP;
    for (unsigned i = 0; i < netdev_addr_count; i++) {
        const struct netdev_addr *a = &netdev_addrs[i];

        if ((!m.ifa_family || m.ifa_family == a->family) &&
            (!r->to->strict || !m.ifa_index || m.ifa_index == a->index))
            put_address(r, a);
    }
    return done(r);
}

/* ---- routes and rules ---- */

static void put_route(struct netlink_reply *r, const struct inet_addr *dst, u8 prefix, u8 table,
                      const struct inet_addr *src, u16 flags)
{
    bool v4 = inet_is4(dst);
    struct rtmsg m = {.rtm_family = v4 ? AF_INET : AF_INET6,
                      .rtm_dst_len = prefix,
                      .rtm_table = table,
                      .rtm_protocol = RTPROT_KERNEL,
                      .rtm_scope = v4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
                      .rtm_type = RTN_LOCAL};
    size_t at = netlink_begin(r, RTM_NEWROUTE, flags, &m, sizeof(m)), skip = v4 ? 12 : 0;

    netlink_attr32(r, RTA_TABLE, table);
    netlink_attr(r, RTA_DST, dst->ip + skip, sizeof(dst->ip) - skip);
    if (src)
        netlink_attr(r, RTA_PREFSRC, src->ip + skip, sizeof(src->ip) - skip);
    netlink_attr32(r, RTA_OIF, LO_INDEX);
    netlink_end(r, at);
}

static int get_route(struct netlink_reply *r, const struct nlmsghdr *h)
{
    struct inet_addr dst = {0}, src;
    const u8 *p;
    struct rtmsg m;
    u32 len = 0;
    int err;

    body(h, &m, sizeof(m));
    if (h->nlmsg_flags & NLM_F_DUMP) {
        struct inet_addr net = inet_from_v4(127, 0);

        if (m.rtm_family == AF_UNSPEC || m.rtm_family == AF_INET) {
            put_route(r, &net, 8, RT_TABLE_LOCAL, &inet_loop4, NLM_F_MULTI);
            put_route(r, &inet_loop4, 32, RT_TABLE_LOCAL, &inet_loop4, NLM_F_MULTI);
        }
        if (m.rtm_family == AF_UNSPEC || m.rtm_family == AF_INET6)
            put_route(r, &inet_loop6, 128, RT_TABLE_LOCAL, NULL, NLM_F_MULTI);
        return done(r);
    }
    if (m.rtm_family != AF_INET && m.rtm_family != AF_INET6)
        return -EOPNOTSUPP;
    dst = m.rtm_family == AF_INET ? inet_any4 : inet_any6;
    p = attr_find(h, sizeof(m), RTA_DST, &len);
    if (p && len == (m.rtm_family == AF_INET ? 4 : 16))
        memcpy(dst.ip + 16 - len, p, len);
    err = inet_route(&dst, &src);
    if (err)
        return err;
    put_route(r, &dst, m.rtm_family == AF_INET ? 32 : 128, RT_TABLE_LOCAL, &src, 0);
    return 1;
}

/* The rules that every Linux starts with. */
static int get_rule(struct netlink_reply *r, const struct nlmsghdr *h)
{
    static const struct {
        u32 priority;
        u8 table;
        bool six;
    } rules[] = {
        {0, RT_TABLE_LOCAL, true}, {32766, RT_TABLE_MAIN, true}, {32767, RT_TABLE_DEFAULT, false}};
    struct fib_rule_hdr m;

    body(h, &m, sizeof(m));
    if (!(h->nlmsg_flags & NLM_F_DUMP))
        return -EOPNOTSUPP;
    for (u8 family = AF_INET; family <= AF_INET6; family += AF_INET6 - AF_INET) {
        if (m.family && m.family != family)
            continue;
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
            struct fib_rule_hdr out = {
                .family = family, .table = rules[i].table, .action = FR_ACT_TO_TBL};
            size_t at;

            if (family == AF_INET6 && !rules[i].six)
                continue;
            at = netlink_begin(r, RTM_NEWRULE, NLM_F_MULTI, &out, sizeof(out));
            netlink_attr32(r, FRA_TABLE, rules[i].table);
            netlink_attr32(r, FRA_SUPPRESS_PREFIXLEN, ~0u);
            if (rules[i].priority)
                netlink_attr32(r, FRA_PRIORITY, rules[i].priority);
            netlink_end(r, at);
        }
    }
    return done(r);
}

int rtnetlink_request(struct netlink_reply *r, const struct nlmsghdr *h)
{
    if (h->nlmsg_len < sizeof(*h) + sizeof(struct rtgenmsg))
        return 0; /* Linux takes it for nothing, too */
    switch (h->nlmsg_type) {
    case RTM_GETLINK:
        return get_link(r, h);
    case RTM_GETADDR:
        return get_address(r, h);
    case RTM_GETROUTE:
        return get_route(r, h);
    case RTM_GETRULE:
        return get_rule(r, h);
    case RTM_GETNEIGH:
    case RTM_GETQDISC:
        return h->nlmsg_flags & NLM_F_DUMP ? done(r) : -EOPNOTSUPP;
    }
    if (h->nlmsg_type > RTM_MAX)
        return -EOPNOTSUPP;
    if ((h->nlmsg_type & 3) != 2 && !capable(CAP_NET_ADMIN)) /* not one that gets */
        return -EPERM;
    log_info("netlink route message %u is not supported", h->nlmsg_type);
    return -EOPNOTSUPP;
}
