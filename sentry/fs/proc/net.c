// SPDX-License-Identifier: Apache-2.0
//
// proc: /proc/PID/net: the sandbox' sockets, interfaces and routes. Lines are put together while a
// table's lock is held, so they go into memory that was had before (struct lines).

#include "sentry/fs/proc/proc.h"
#include "sentry/net/inet/dgram.h"
#include "sentry/net/inet/tcp.h"
#include "sentry/net/netdev.h"
#include "sentry/net/unix.h"

#define HEADING(fn, text)                                  \
    static int fn(struct seq *s, const struct proc_ctx *c) \
    {                                                      \
        (void)c;                                           \
        seq_puts(s, text);                                 \
        return 0;                                          \
    }

HEADING(show_route,
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\t"
        "IRTT                                                       \n")
HEADING(show_arp,
        "IP address       HW type     Flags       HW address            Mask     Device\n")
HEADING(show_protocols,
        "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io "
        "in de sh ss gs se re sp bi br ha uh gp em\n")
HEADING(show_raw,
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid "
        " timeout inode ref pointer drops\n")
HEADING(show_empty, "")

/* Fixed room for lines, since nothing may be allocated under the lock; full: what is behind is
 * counted and the whole is done again with more room. */
struct lines {
    char *buf;
    size_t len, cap, need;
    int family; /* of the sockets that are wanted */
    u32 n;
};

__attribute__((format(printf, 2, 3))) static void line(struct lines *l, const char *fmt, ...)
{
    char text[320];
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    n = (size_t)vsnprintf_(text, sizeof(text), fmt, ap);
    va_end(ap);
    n = MIN(n, sizeof(text) - 1);
    l->need += n;
    if (l->need > l->cap)
        return;
    memcpy(l->buf + l->len, text, n);
    l->len += n;
}

/* Run `fill` with enough room and append what it made to s. */
static int collect(struct seq *s, int family, void (*fill)(struct lines *l))
{
    size_t cap = 16384;

    for (;;) {
        struct lines l = {.buf = kmalloc(cap), .cap = cap, .family = family};

        if (!l.buf)
            return -ENOMEM;
        fill(&l);
        if (l.need <= l.cap)
            seq_write(s, l.buf, l.len);
        kfree(l.buf);
        if (l.need <= l.cap)
            return 0;
        cap = l.need + l.need / 4;
    }
}

/* ---- AF_INET ---- */

/* An address as four-byte words of the host, as the tables have it. */
static void put_address(char *out, size_t size, int family, const struct inet_addr *a)
{
    u32 w[4];

    memcpy(w, a->ip, sizeof(w));
    if (family == AF_INET)
        snprintf_(out, size, "%08X:%04X", w[3], a->port);
    else
        snprintf_(out, size, "%08X%08X%08X%08X:%04X", w[0], w[1], w[2], w[3], a->port);
}

static void inet_line(struct lines *l, const struct inet_addr *local,
                      const struct inet_addr *remote, int state, u32 rx, u32 uid, u64 ino,
                      const char *tail)
{
    char a[48], b[48];

    put_address(a, sizeof(a), l->family, local);
    put_address(b, sizeof(b), l->family, remote);
    line(l, "%4u: %s %s %02X %08X:%08X 00:00000000 00000000 %5u        0 %lu %s\n", l->n++, a, b,
         (unsigned)state, 0u, rx, uid, ino, tail);
}

static void tcp_line(struct inet_sock *in, void *arg)
{
    struct tcp_sock *t = (struct tcp_sock *)in;
    struct lines *l = arg;

    if (in->family == l->family && in->state != TCP_CLOSE)
        inet_line(l, &in->local, &in->remote, in->state,
                  in->state == TCP_LISTEN ? t->nbacklog : t->queued, in->socket->uid,
                  in->socket->ino, "1 0000000000000000 20 4 30 10 -1");
}

static void time_wait_line(struct time_wait *w, void *arg)
{
    struct lines *l = arg;

    if (w->family == l->family)
        inet_line(l, &w->local, &w->remote, TCP_TIME_WAIT, 0, 0, 0, "3 0000000000000000");
}

static void fill_tcp(struct lines *l)
{
    inet_for_each(&tcp_ports, tcp_line, time_wait_line, l);
}

static void udp_line(struct inet_sock *in, void *arg)
{
    struct dgram_sock *u = (struct dgram_sock *)in;
    struct lines *l = arg;
    char tail[48];

    snprintf_(tail, sizeof(tail), "2 0000000000000000 %u", u->drops);
    if (in->family == l->family)
        inet_line(l, &in->local, &in->remote, in->state, u->cost, in->socket->uid, in->socket->ino,
                  tail);
}

static void fill_udp(struct lines *l)
{
    inet_for_each(&udp_ports, udp_line, NULL, l);
}

static void fill_icmp(struct lines *l)
{
    inet_for_each(&ping_ports, udp_line, NULL, l);
}

#define TABLE(fn, heading, family, fill)                   \
    static int fn(struct seq *s, const struct proc_ctx *c) \
    {                                                      \
        (void)c;                                           \
        seq_puts(s, heading);                              \
        return collect(s, family, fill);                   \
    }

TABLE(show_tcp,
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid "
      " timeout inode                                                     \n",
      AF_INET, fill_tcp)
TABLE(show_tcp6,
      "  sl  local_address                         remote_address                      "
      "  st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
      AF_INET6, fill_tcp)
#define UDP_HEADING                                                                       \
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid " \
    " timeout inode ref pointer drops             \n"
#define UDP6_HEADING                                                                   \
    "  sl  local_address                         remote_address                      " \
    "  st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
TABLE(show_udp, UDP_HEADING, AF_INET, fill_udp)
TABLE(show_udp6, UDP6_HEADING, AF_INET6, fill_udp)
TABLE(show_icmp, UDP_HEADING, AF_INET, fill_icmp)
TABLE(show_icmp6, UDP6_HEADING, AF_INET6, fill_icmp)

/* ---- AF_UNIX ---- */

static void unix_line(struct unix_sock *u, void *arg)
{
    char name[UNIX_PATH_MAX + 2] = "";
    struct lines *l = arg;
    bool listens;

    spin_lock(&u->lock);
    listens = u->state == UNIX_LISTEN;
    if (u->name_len > 2) {
        name[0] = ' ';
        memcpy(name + 1, u->name + 2, u->name_len - 2);
        name[u->name_len - 1] = '\0';
        for (u32 i = 1; i < u->name_len - 1 && !u->name[2]; i++)
            if (!name[i])
                name[i] = '@';
    }
    if (u->socket)
        line(l, "0000000000000000: %08X 00000000 %08X %04X %02X %5lu%s\n", ref_read(&u->refs) + 1,
             listens ? 0x10000u : 0u, (unsigned)u->type, u->state == UNIX_CONNECTED ? 3u : 1u,
             u->socket->ino, name);
    spin_unlock(&u->lock);
}

static void fill_unix(struct lines *l)
{
    unix_for_each(unix_line, l);
}

TABLE(show_unix, "Num       RefCount Protocol Flags    Type St Inode Path\n", AF_UNIX, fill_unix)

/* ---- interfaces ---- */

static int show_dev(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_puts(s, "Inter-|   Receive                                                |  Transmit\n"
                " face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
                "packets errs drop fifo colls carrier compressed\n");
    for (unsigned i = 0; i < netdev_count; i++) {
        u64 packets, bytes;

        netdev_stats(&netdevs[i], &packets, &bytes);
        seq_printf(s,
                   "%6s: %7lu %7lu    0    0    0     0          0         0 %8lu %7lu    0    0   "
                   " 0     0       0          0\n",
                   netdevs[i].name, bytes, packets, bytes, packets);
    }
    return 0;
}

static int show_if_inet6(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    for (unsigned i = 0; i < netdev_addr_count; i++) {
        const struct netdev_addr *a = &netdev_addrs[i];

        if (a->family != AF_INET6)
            continue;
        for (int k = 0; k < 16; k++)
            seq_printf(s, "%02x", a->ip[k]);
        seq_printf(s, " %02x %02x 10 80 %8s\n", a->index, a->prefix, netdevs[a->index - 1].name);
    }
    return 0;
}

static void count(struct inet_sock *in, void *arg)
{
    ((u32 *)arg)[in->family == AF_INET6]++;
}

static void count_waiting(struct time_wait *w, void *arg)
{
    ((u32 *)arg)[2]++;
}

static void count_unix(struct unix_sock *u, void *arg)
{
    (*(u32 *)arg)++;
}

static int show_sockstat(struct seq *s, const struct proc_ctx *c)
{
    u32 tcp[3] = {0}, udp[3] = {0}, local = 0;

    (void)c;
    inet_for_each(&tcp_ports, count, count_waiting, tcp);
    inet_for_each(&udp_ports, count, NULL, udp);
    unix_for_each(count_unix, &local);
    seq_printf(s,
               "sockets: used %u\nTCP: inuse %u orphan 0 tw %u alloc %u mem 0\n"
               "UDP: inuse %u mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n",
               tcp[0] + tcp[1] + udp[0] + udp[1] + local, tcp[0], tcp[2], tcp[0] + tcp[1], udp[0]);
    return 0;
}

static int show_sockstat6(struct seq *s, const struct proc_ctx *c)
{
    u32 tcp[3] = {0}, udp[3] = {0};

    (void)c;
    inet_for_each(&tcp_ports, count, count_waiting, tcp);
    inet_for_each(&udp_ports, count, NULL, udp);
    seq_printf(s,
               "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse 0\nRAW6: inuse 0\n"
               "FRAG6: inuse 0 memory 0\n",
               tcp[1], udp[1]);
    return 0;
}

const struct proc_entry proc_net_children[] = {
    PROC_FILE("arp", 0444, show_arp),
    PROC_FILE("dev", 0444, show_dev),
    PROC_FILE("icmp", 0444, show_icmp),
    PROC_FILE("icmp6", 0444, show_icmp6),
    PROC_FILE("if_inet6", 0444, show_if_inet6),
    PROC_FILE("ipv6_route", 0444, show_empty),
    PROC_FILE("protocols", 0444, show_protocols),
    PROC_FILE("raw", 0444, show_raw),
    PROC_FILE("raw6", 0444, show_raw),
    PROC_FILE("route", 0444, show_route),
    PROC_FILE("sockstat", 0444, show_sockstat),
    PROC_FILE("sockstat6", 0444, show_sockstat6),
    PROC_FILE("tcp", 0444, show_tcp),
    PROC_FILE("tcp6", 0444, show_tcp6),
    PROC_FILE("udp", 0444, show_udp),
    PROC_FILE("udp6", 0444, show_udp6),
    PROC_FILE("unix", 0444, show_unix),
    {0},
};
