/* SPDX-License-Identifier: Apache-2.0
 *
 * AF_NETLINK: sockets that ask the kernel. netlink.c is the transport, rtnetlink.c answers.
 */
#pragma once

#include <linux/netlink.h>
#include "sentry/fs/seq.h"
#include "sentry/net/socket.h"

/* One datagram for the application. Owned by the queue. */
struct netlink_msg {
    struct list link;
    u32 len;
    u8 data[];
};

/* Owned by its socket. lock guards the queue. */
struct netlink_sock {
    struct socket *socket;
    struct spinlock lock;
    struct waitq wait;
    struct list queue; /* of netlink_msg */
    u32 queued;
    u32 port;         /* our address; 0: not bound */
    struct list link; /* all sockets with a port */
    u32 groups;
    bool cap_ack, ext_ack, strict, pktinfo, no_enobufs, broadcast_error;
};

/*
 * Answers under construction: messages are appended to one text, which goes out as one datagram.
 * On the stack of the sender of the request.
 */
struct netlink_reply {
    struct netlink_sock *to;
    const struct nlmsghdr *request;
    struct seq seq;
};

/* Begin a message (its header and `n` bytes of body); its offset, for netlink_end(). */
size_t netlink_begin(struct netlink_reply *r, u16 type, u16 flags, const void *body, size_t n);
void netlink_attr(struct netlink_reply *r, u16 type, const void *data, size_t n);
void netlink_attr32(struct netlink_reply *r, u16 type, u32 v);
void netlink_end(struct netlink_reply *r, size_t at);

/*
 * Answer the request `h` (h->nlmsg_len bytes, checked): 0 (an acknowledgement when one was asked
 * for), 1 when all was said, or -errno for an error message.
 */
int rtnetlink_request(struct netlink_reply *r, const struct nlmsghdr *h);
