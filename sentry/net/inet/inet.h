/* SPDX-License-Identifier: Apache-2.0
 *
 * AF_INET and AF_INET6: what TCP, UDP and ping sockets share. Both ends of what is made here are in
 * the sandbox; route.c says which way an address goes, and is where a stack comes in.
 */
#pragma once

#include <linux/in.h>
#include <linux/in6.h>
#include "sentry/net/socket.h"

#define LO_INDEX 1
#define LO_MTU   65536

/* An address of either family: IPv4 in its v4-mapped form. Port in host order. */
struct inet_addr {
    u8 ip[16];
    u16 port;
    u32 scope; /* interface, IPv6 only */
};

/* What headers have that do not go with ours: linux/icmp.h, icmpv6.h, errqueue.h, ipv6.h. */
#define ICMP_ECHOREPLY      0
#define ICMP_DEST_UNREACH   3
#define ICMP_PORT_UNREACH   3
#define ICMP_ECHO           8
#define ICMP_HEADER         8
#define ICMPV6_DEST_UNREACH 1
#define ICMPV6_PORT_UNREACH 4
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY   129
#define SO_EE_ORIGIN_ICMP   2
#define SO_EE_ORIGIN_ICMP6  3
struct sock_error { /* sock_extended_err */
    u32 number;
    u8 origin, type, code, pad;
    u32 info, data;
};
struct in6_pktinfo_ {
    struct in6_addr ipi6_addr;
    s32 ipi6_ifindex;
};

/* States as Linux numbers them (TCP_INFO, /proc/net/tcp); UDP uses ESTABLISHED and CLOSE. */
enum {
    TCP_ESTABLISHED = 1,
    TCP_SYN_SENT,
    TCP_SYN_RECV,
    TCP_FIN_WAIT1,
    TCP_FIN_WAIT2,
    TCP_TIME_WAIT,
    TCP_CLOSE,
    TCP_CLOSE_WAIT,
    TCP_LAST_ACK,
    TCP_LISTEN,
    TCP_CLOSING,
};

/* IP_* and IPV6_* options as they were set. Written under inet_sock.lock. */
struct inet_options {
    u8 tos, ttl, mc_ttl, tclass; /* ttl 0: the default */
    s16 hops, mc_hops;           /* -1: the default */
    u32 mc_index;
    bool mc_loop, mc6_loop, mc_all;
    bool pktinfo, recvttl, recvtos, recverr, recvorigdst, freebind, transparent, hdrincl;
    bool recvpktinfo6, recvhops6, recvtclass6, recverr6, v6only;
    u8 mtu_discover, mtu_discover6;
};

/*
 * What every socket of the family has; TCP, UDP and ping put theirs behind it. Referenced by its
 * socket and by whoever deals with it as a peer. lock guards the changing fields but the links of
 * the port table, which has a lock of its own.
 */
struct inet_sock {
    refcount_t refs;
    struct socket *socket; /* NULL once closed; lock, or while in the port table its lock */
    int family, type, protocol;
    struct mutex control; /* one bind, connect, listen, shutdown at a time; outside of all others */
    struct spinlock lock;
    struct waitq wait;
    int state;
    int error; /* positive errno; SO_ERROR */
    bool shut_read, shut_write;
    struct inet_addr local, remote; /* port 0: not bound, not connected */
    bool bound_ip, bound_port;      /* bind(2) named it */
    struct port_table *table;       /* the protocol's */
    struct inet_port *port;         /* bound: table->lock */
    struct list port_link;          /* in port->socks or port->conns */
    bool passive;                   /* accepted: in conns */
    struct inet_options opt;
    void (*destroy)(struct inet_sock *in); /* last reference */
};

void inet_init_sock(struct inet_sock *in, struct socket *s, struct port_table *table);
void inet_put(struct inet_sock *in);
static inline struct inet_sock *inet_sk(struct socket *s)
{
    return s->private;
}
/* Take (and clear) the pending error: 0 or -errno. */
int inet_take_error(struct inet_sock *in);
void inet_set_error(struct inet_sock *in, int err);

/* ---- addr.c ---- */

extern const struct inet_addr inet_any4, inet_any6, inet_loop4, inet_loop6;
bool inet_is4(const struct inet_addr *a);
bool inet_is_any(const struct inet_addr *a); /* of either family */
bool inet_is_multicast(const struct inet_addr *a);
bool inet_same_ip(const struct inet_addr *a, const struct inet_addr *b);
bool inet_same(const struct inet_addr *a, const struct inet_addr *b); /* with port */
u32 inet_v4(const struct inet_addr *a);                               /* network order */
struct inet_addr inet_from_v4(u32 be, u16 port);
/* The sockaddr says AF_UNSPEC, which disconnects. */
bool inet_unspec(const u8 *sa, u32 len);
/*
 * From the user's sockaddr for a socket of `family`: 0, -EINVAL (length), -EAFNOSUPPORT; 1 when it
 * says AF_UNSPEC to a socket of AF_INET. The dgram one also takes IPv4 addresses for AF_INET6.
 */
int inet_parse(int family, const u8 *sa, u32 len, struct inet_addr *out);
int inet_parse_dgram(int family, const u8 *sa, u32 len, struct inet_addr *out);
/* The sockaddr that shows `a` to a socket of `family`; its length. */
u32 inet_format(int family, const struct inet_addr *a, u8 *sa);

/* ---- route.c ---- */

/*
 * The way to *dst: 0 when it is this sandbox' loopback (an unspecified dst becomes the loopback
 * address, *src the source that packets to it get), or -ENETUNREACH.
 */
int inet_route(struct inet_addr *dst, struct inet_addr *src);
/* May a socket bind to it? */
bool inet_is_local(const struct inet_addr *a);
/* Packets to it go to everybody who listens. */
bool inet_is_broadcast(const struct inet_addr *a);

/* ---- port.c ---- */

#define PORT_HASH       1024
#define PORT_FIRST      32768 /* net.ipv4.ip_local_port_range */
#define PORT_LAST       60999
#define PORT_PRIVILEGED 1024

/* A port in use. Lives while sockets are in it. */
struct inet_port {
    struct list link;
    u16 number;
    struct list socks, conns; /* of inet_sock.port_link; conns: accepted connections */
};

/* A connection that has ended but still occupies its port for a minute. */
struct time_wait {
    struct list link;
    struct inet_addr local, remote;
    int family;
    u64 expires;
    bool reuse;
};

struct port_table {
    struct spinlock lock;
    struct list hash[PORT_HASH]; /* lazily initialised */
    struct list time_wait;       /* oldest first */
    u32 ntime_wait;
    bool stream; /* a listener excludes others that reuse its address */
};
extern struct port_table tcp_ports, udp_ports, ping_ports;

/* Has current the right to that port? */
bool inet_may_bind(u16 number);
/* bind(2) with an address that was checked; port 0: any free one. 0, -EADDRINUSE, -EACCES, … */
int inet_bind_port(struct inet_sock *in, const struct inet_addr *a);
/* Have a local port, at random. 0 or -EAGAIN. */
int inet_autobind(struct inet_sock *in);
/* An accepted connection shares the port of its listener. */
int inet_inherit_port(struct inet_sock *in, struct inet_sock *listener);
void inet_unbind(struct inet_sock *in);
/* Turn to LISTEN unless somebody else listens there: -EADDRINUSE. */
int inet_start_listen(struct inet_sock *in);
/* A bound socket already has this pair of addresses. */
bool inet_pair_taken(struct inet_sock *in, const struct inet_addr *local,
                     const struct inet_addr *remote);
/*
 * Who gets what `from` sends to `to`, with a reference, or NULL: of those for which score() is
 * highest (0: not at all), the last bound; at random among those with SO_REUSEPORT.
 */
struct inet_sock *inet_find(struct port_table *t, const struct inet_addr *to,
                            const struct inet_addr *from,
                            u32 (*score)(const struct inet_sock *in, const struct inet_addr *to,
                                         const struct inet_addr *from));
/* Does the address that in is bound to take packets to `to`? 0: no; more: the nearer. */
u32 inet_covers(const struct inet_sock *in, const struct inet_addr *to);
void inet_add_time_wait(struct inet_sock *in);
/* Call fn for every socket (and with tw for what waits) of the table; table->lock is held. */
void inet_for_each(struct port_table *t, void (*fn)(struct inet_sock *in, void *arg),
                   void (*tw)(struct time_wait *w, void *arg), void *arg);

/* ---- inet.c, inet_opt.c, inet_cmsg.c: what the protocols' operations have in common ---- */

int inet_bind(struct socket *s, const u8 *addr, u32 len);
int inet_name(struct socket *s, bool peer, u8 *addr);
int inet_setopt(struct socket *s, int level, int name, const void *value, u32 len);
int inet_getopt(struct socket *s, int level, int name, void *value, u32 *len);
int inet_cmsg_in(struct socket *s, struct message *m, int level, int type, const u8 *data, u64 len);
int inet_cmsg_out(struct socket *s, struct message *m, struct cmsg_room *room);

int tcp_create(struct socket *s);
int udp_create(struct socket *s);
int ping_create(struct socket *s);
