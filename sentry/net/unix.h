/* SPDX-License-Identifier: Apache-2.0
 *
 * AF_UNIX: what its two files share.
 */
#pragma once

#include "sentry/net/socket.h"

#define UNIX_PATH_MAX 108
#define UNIX_SKB_MAX  32768 /* a stream send is cut into pieces of this size */

/* One message, or a piece of a stream. Owned by the queue it is in. */
struct unix_skb {
    struct list link;
    u32 len, off; /* bytes, and how many of them were read */
    u32 cost;     /* counted against the sender's SO_SNDBUF */
    struct scm *scm;
    u8 name[2 + UNIX_PATH_MAX + 1]; /* sender's address */
    u32 name_len;
    u8 data[];
};

enum unix_state { UNIX_FREE, UNIX_LISTEN, UNIX_CONNECTED, UNIX_CLOSED };

/*
 * An endpoint. Referenced by its socket, its peer, the name it is bound to and connections in a
 * backlog. lock guards all but refs; two endpoints' locks are only held at once by
 * connecting (in the order of addresses) and the collector (a listener's, then a waiting one's).
 */
struct unix_sock {
    refcount_t refs;
    struct socket *socket; /* NULL once closed */
    int type;
    struct spinlock lock;
    enum unix_state state;
    struct unix_sock *peer; /* reference */
    struct mutex reading;   /* taken around taking from the queue; outside of lock */
    struct list queue;      /* of unix_skb */
    u32 queued;             /* bytes in it */
    u32 nqueued, cost;      /* messages in it, and the sum of their costs */
    bool shut_read, shut_write, reset;
    struct waitq wait;   /* readers, accepters, pollers, and writers waiting for room here */
    struct list backlog; /* listening: of unix_sock.backlog_link, each holds a reference */
    struct list backlog_link;
    int nbacklog, max_backlog;
    u8 name[2 + UNIX_PATH_MAX + 1];
    u32 name_len;           /* 0: unbound (an address is 2 bytes then) */
    struct list bound_link; /* abstract names; bound_lock */
    struct path bound;      /* held when bound to a path */
    struct ucred cred, peer_cred;
    bool passcred;
    /* Those who poll for room here, each with a reference, and we at such a place; unix_data.c */
    struct list senders, sender_link;
    struct mutex binding; /* one bind at a time */
    struct list all_link; /* of those with a socket; unix.c */
    struct {              /* while its file is in flight; unix_gc.c's lock */
        struct list link;
        struct vfs_file *file;
        u32 in_flight, left;
        bool suspect;
    } gc;
};

extern const struct socket_ops unix_ops;

struct unix_sock *unix_new(struct socket *s);
void unix_put(struct unix_sock *u);
/* Peer with a reference, or NULL. */
struct unix_sock *unix_peer_get(struct unix_sock *u);

/* Call fn for every endpoint with a socket; a spinlock is held. */
void unix_for_each(void (*fn)(struct unix_sock *u, void *arg), void *arg);
/* Whether a datagram socket takes messages of u: it is not connected to somebody else. */
bool unix_may_send(struct unix_sock *u, struct unix_sock *to);
/* Whether a sender with this SO_SNDBUF may put one more message into to's queue. */
bool unix_has_room(struct unix_sock *u, struct unix_sock *to, u32 sndbuf);
/* Free sockets that only messages in their own queues refer to. unix_gc.c */
void unix_gc(void);

/* unix_name.c */
int unix_bind(struct socket *s, const u8 *addr, u32 len);
void unix_unbind(struct unix_sock *u);
/* The endpoint that owns a name, with a reference; ERR_PTR(-ECONNREFUSED, -ENOENT, …). */
struct unix_sock *unix_lookup(const u8 *addr, u32 len, int type);

/* unix_data.c */
s64 unix_send(struct socket *s, struct message *m);
s64 unix_receive(struct socket *s, struct message *m);
void unix_flush(struct unix_sock *u);
/* u, which polls, is to be woken when there is room in to's queue. */
void unix_want_room(struct unix_sock *u, struct unix_sock *to);
void unix_wake_senders(struct unix_sock *to);
