// SPDX-License-Identifier: Apache-2.0
/*
 * Options of level TCP, and TCP_INFO. tcp(7). What has no meaning without a wire (delays, probes)
 * is kept and told, as Linux does on loopback.
 */
#include <linux/tcp.h>
#include "sentry/kernel/sysctl.h"
#include "sentry/net/inet/tcp.h"

#define MSS_CLOSED 536u
#define MSS_LO4    65483u /* the interface's MTU without headers and timestamps */
#define MSS_LO6    65463u
#define HZ_        1000u

enum kind { FLAG, NUMBER, SMALL };

/* An integer option. Constant. */
struct option {
    int name;
    enum kind kind;
    u16 at; /* in struct tcp_options */
    s32 min, max;
};
#define AT(field) offsetof(struct tcp_options, field)

static const struct option options[] = {
    {TCP_NODELAY, FLAG, AT(nodelay), 0, 0},
    {TCP_CORK, FLAG, AT(cork), 0, 0},
    {TCP_QUICKACK, FLAG, AT(quickack), 0, 0},
    {TCP_FASTOPEN_CONNECT, FLAG, AT(fastopen_connect), 0, 1},
    {TCP_KEEPIDLE, NUMBER, AT(keepidle), 1, 32767},
    {TCP_KEEPINTVL, NUMBER, AT(keepintvl), 1, 32767},
    {TCP_KEEPCNT, NUMBER, AT(keepcnt), 1, 127},
    {TCP_USER_TIMEOUT, NUMBER, AT(user_timeout), 0, 0x7fffffff},
    {TCP_SYNCNT, SMALL, AT(syn_count), 1, 127},
    {TCP_NOTSENT_LOWAT, NUMBER, AT(notsent_lowat), -0x7fffffff - 1, 0x7fffffff},
};

void tcp_default_options(struct tcp_options *o)
{
    *o =
        (struct tcp_options){.quickack = true,
                             .syn_count = 6,
                             .keepidle = (u32)sysctl_number("net.ipv4.tcp_keepalive_time", 0, 7200),
                             .keepintvl = (u32)sysctl_number("net.ipv4.tcp_keepalive_intvl", 0, 75),
                             .keepcnt = (u32)sysctl_number("net.ipv4.tcp_keepalive_probes", 0, 9),
                             .linger2 = 60,
                             .notsent_lowat = ~0u,
                             .congestion = "cubic"};
}

static const struct option *find(int name)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (options[i].name == name)
            return &options[i];
    return NULL;
}

static int set_congestion(struct tcp_sock *t, const char *value, u32 len)
{
    char name[16] = "";

    memcpy(name, value, MIN(len, (u32)sizeof(name) - 1));
    if (strcmp(name, "cubic") && strcmp(name, "reno"))
        return -ENOENT;
    spin_lock(&t->in.lock);
    memcpy(t->opt.congestion, name, sizeof(name));
    spin_unlock(&t->in.lock);
    return 0;
}

static int set_other(struct tcp_sock *t, int name, s32 v)
{
    switch (name) {
    case TCP_MAXSEG:
        if (v && (v < 88 || v > 32767))
            return -EINVAL;
        t->opt.maxseg = (u32)v;
        return 0;
    case TCP_LINGER2:
        t->opt.linger2 = v < 0 ? -1 : v > 120 ? 120 : v ? v : 60;
        return 0;
    case TCP_DEFER_ACCEPT: /* kept in retransmissions: 1, 3, 7, … seconds */
        t->opt.defer_accept = 0;
        for (s32 s = 1, next = 1; v > 0 && t->opt.defer_accept < 255; s += next) {
            t->opt.defer_accept++;
            if (s >= v)
                break;
            next = MIN(next * 2, 120);
        }
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

int tcp_setopt(struct socket *s, int level, int name, const void *value, u32 len)
{
    struct tcp_sock *t = tcp_sk(s);
    const struct option *o = find(name);
    u8 *at = (u8 *)&t->opt + (o ? o->at : 0);
    s32 v;

    if (level != SOL_TCP)
        return inet_setopt(s, level, name, value, len);
    if (name == TCP_CONGESTION)
        return len ? set_congestion(t, value, len) : -EINVAL;
    if (len < sizeof(v))
        return -EINVAL;
    memcpy(&v, value, sizeof(v));
    if (!o)
        return set_other(t, name, v);
    if ((o->kind != FLAG || o->max) && (v < o->min || v > o->max))
        return -EINVAL;
    spin_lock(&t->in.lock);
    if (o->kind == FLAG)
        *(bool *)at = v != 0;
    else if (o->kind == SMALL)
        *at = (u8)v;
    else
        memcpy(at, &v, sizeof(v));
    spin_unlock(&t->in.lock);
    return 0;
}

static u32 mss(const struct tcp_sock *t)
{
    u32 n = inet_is4(&t->in.remote) ? MSS_LO4 : MSS_LO6;

    if (t->in.state == TCP_CLOSE || t->in.state == TCP_LISTEN || t->in.state == TCP_SYN_SENT)
        return t->opt.maxseg ? t->opt.maxseg : MSS_CLOSED;
    return t->opt.maxseg ? MIN(n, t->opt.maxseg) : n;
}

static int get_info(struct socket *s, void *value, u32 *len)
{
    struct tcp_sock *t = tcp_sk(s);
    struct tcp_info i = {0};

    spin_lock(&t->in.lock);
    i.tcpi_state = (u8)t->in.state;
    if (t->in.state == TCP_LISTEN) {
        i.tcpi_unacked = t->nbacklog;
        i.tcpi_sacked = t->max_backlog;
    }
    i.tcpi_snd_mss = i.tcpi_advmss = mss(t);
    i.tcpi_rcv_mss = MIN(mss(t), 536u);
    i.tcpi_pmtu = t->peer ? LO_MTU : 0;
    i.tcpi_rto = HZ_ * 1000;
    i.tcpi_snd_cwnd = 10;
    i.tcpi_snd_ssthresh = 0x7fffffff;
    i.tcpi_reordering = 3;
    i.tcpi_rcv_space = s->rcvbuf / 2;
    i.tcpi_bytes_sent = i.tcpi_bytes_acked = t->bytes_sent;
    i.tcpi_bytes_received = t->bytes_received;
    spin_unlock(&t->in.lock);
    *len = MIN(*len, (u32)sizeof(i));
    memcpy(value, &i, *len);
    return 0;
}

static s32 defer_seconds(const struct tcp_sock *t)
{
    s32 s = 0, next = 1;

    for (u8 n = t->opt.defer_accept; n; n--) {
        s += next;
        next = MIN(next * 2, 120);
    }
    return s;
}

int tcp_getopt(struct socket *s, int level, int name, void *value, u32 *len)
{
    struct tcp_sock *t = tcp_sk(s);
    const struct option *o = find(name);
    const u8 *at = (const u8 *)&t->opt + (o ? o->at : 0);
    s32 v;

    if (level != SOL_TCP)
        return inet_getopt(s, level, name, value, len);
    if (o && o->kind == FLAG)
        v = *(const bool *)at;
    else if (o && o->kind == SMALL)
        v = *at;
    else if (o)
        memcpy(&v, at, sizeof(v));
    else if (name == TCP_MAXSEG)
        v = (s32)mss(t);
    else if (name == TCP_LINGER2)
        v = t->opt.linger2;
    else if (name == TCP_DEFER_ACCEPT)
        v = defer_seconds(t);
    else if (name == TCP_INFO)
        return get_info(s, value, len);
    else if (name == TCP_CONGESTION) {
        *len = MIN(*len, (u32)sizeof(t->opt.congestion));
        memcpy(value, t->opt.congestion, *len);
        return 0;
    } else
        return -ENOPROTOOPT;
    memcpy(value, &v, sizeof(v));
    *len = MIN(*len, (u32)sizeof(v));
    return 0;
}
