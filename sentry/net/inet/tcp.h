/* SPDX-License-Identifier: Apache-2.0
 *
 * TCP over loopback: what its files share. A connection is two of these that know each other;
 * bytes go from one's send straight into the other's queue.
 */
#pragma once

#include "sentry/net/inet/inet.h"

/* Bytes in a queue; owned by it. */
struct tcp_chunk {
    struct list link;
    u32 len, off, size; /* filled up to, read up to, room */
    u8 data[];
};

/*
 * in.lock guards all but `reading`, which is taken outside of it. Peers' locks are held at once
 * only by connecting, in the order of their addresses. Timers, FIN and RST of a wire have no
 * counterpart here: what one end does changes the other's state at once.
 */
struct tcp_sock {
    struct inet_sock in;   /* first */
    struct tcp_sock *peer; /* reference; stays until our end is closed */
    struct mutex reading;  /* one reader at a time */
    struct list queue;     /* of tcp_chunk */
    u32 queued, cap;       /* bytes in it, and how many the last sender allowed */
    bool fin;              /* nothing comes behind the queue */
    bool connecting;       /* connect(2) has not yet told how it ended */
    bool orphan;           /* closed: what arrives is answered by a reset */
    struct ktimer timer;   /* SYN_SENT: gives up */

    u64 taken;     /* bytes read so far */
    u64 urgent_at; /* position of the urgent byte; valid with urgent != URGENT_NONE */
    enum { URGENT_NONE, URGENT_HERE, URGENT_READ } urgent;
    u8 urgent_byte;

    struct list backlog, backlog_link; /* listening: connections to accept, each with a reference */
    struct list syns, syn_link; /* listening: clients that wait for room in it, the same; tcp.c */
    u32 nbacklog, max_backlog;

    struct tcp_options {
        bool nodelay, cork, quickack, fastopen_connect;
        u8 defer_accept, syn_count;
        u32 keepidle, keepintvl, keepcnt, user_timeout, maxseg, notsent_lowat;
        s32 linger2;
        char congestion[16];
    } opt;
    u64 bytes_sent, bytes_received; /* TCP_INFO */
};

static inline struct tcp_sock *tcp_sk(struct socket *s)
{
    return (struct tcp_sock *)s->private;
}
static inline void tcp_put(struct tcp_sock *t)
{
    if (t)
        inet_put(&t->in);
}
struct tcp_sock *tcp_peer_get(struct tcp_sock *t);
/* t learns that its connection with `by` was reset: err is what its next call returns. */
void tcp_was_reset(struct tcp_sock *t, struct tcp_sock *by, int err);

/* tcp_data.c */
s64 tcp_send(struct socket *s, struct message *m);
s64 tcp_receive(struct socket *s, struct message *m);
void tcp_purge(struct tcp_sock *t);
bool tcp_writable(struct socket *s);
s64 tcp_ioctl(struct socket *s, u32 cmd, u64 arg);

/* tcp_opt.c */
int tcp_setopt(struct socket *s, int level, int name, const void *value, u32 len);
int tcp_getopt(struct socket *s, int level, int name, void *value, u32 *len);
void tcp_default_options(struct tcp_options *o);
