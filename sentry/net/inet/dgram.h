/* SPDX-License-Identifier: Apache-2.0
 *
 * Datagrams over loopback: UDP and ping sockets.
 */
#pragma once

#include "sentry/net/inet/inet.h"

/* One datagram, or one error that came back. Held by its queue and by a reader that peeks. */
struct dgram {
    refcount_t refs;
    struct list link;
    struct inet_addr from; /* of an error: where it was sent to */
    struct packet_info pkt;
    u32 len;
    u8 data[];
};

struct dgram_sock {
    struct inet_sock in;       /* first */
    struct list queue, errors; /* of dgram; in.lock */
    u32 queued, cost;          /* bytes in queue, and what counts against SO_RCVBUF */
    u32 drops;
    bool no_check, cork;   /* UDP_CORK */
    struct dgram *pending; /* MSG_MORE: parts of a datagram so far; in.lock */
    struct inet_addr pending_to;
};

static inline struct dgram_sock *dgram_sk(struct socket *s)
{
    return (struct dgram_sock *)s->private;
}
int dgram_create(struct socket *s, struct port_table *table, const struct socket_ops *ops);
/* Put d (consumed) into u's queue, or drop it when that is full. */
void dgram_deliver(struct dgram_sock *u, struct dgram *d);
/* The message as a datagram, ready to be delivered; ERR_PTR. */
struct dgram *dgram_from_user(struct dgram_sock *u, struct message *m, const struct inet_addr *dst,
                              const struct inet_addr *src);
/* Where m goes: its own address, or the one that the socket is connected to; and from where. */
int dgram_target(struct socket *s, struct message *m, struct inet_addr *dst, struct inet_addr *src);
int dgram_connect(struct socket *s, const u8 *addr, u32 len, bool nonblock);
s64 dgram_receive(struct socket *s, struct message *m);
int dgram_shutdown(struct socket *s, int how);
u32 dgram_poll(struct socket *s, struct poll_table *pt);
s64 dgram_ioctl(struct socket *s, u32 cmd, u64 arg);
void dgram_release(struct socket *s);
