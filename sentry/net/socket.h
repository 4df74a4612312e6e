/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets: the layer between the system calls and the protocol families. socket(7).
 */
#pragma once

#include <linux/socket.h>
#include "sentry/fs/uio.h"
#include "sentry/fs/vfs.h"

/* What <linux/socket.h> leaves to libc. */
#define AF_UNSPEC        0
#define AF_UNIX          1
#define AF_INET          2
#define AF_INET6         10
#define AF_NETLINK       16
#define SOCK_STREAM      1
#define SOCK_DGRAM       2
#define SOCK_RAW         3
#define SOCK_SEQPACKET   5
#define SOCK_TYPE_MASK   15
#define SOCK_CLOEXEC     02000000
#define SOCK_NONBLOCK    04000
#define MSG_OOB          1
#define MSG_PEEK         2
#define MSG_DONTROUTE    4
#define MSG_CTRUNC       8
#define MSG_TRUNC        0x20
#define MSG_DONTWAIT     0x40
#define MSG_EOR          0x80
#define MSG_WAITALL      0x100
#define MSG_ERRQUEUE     0x2000
#define MSG_CONFIRM      0x800
#define MSG_NOSIGNAL     0x4000
#define MSG_MORE         0x8000
#define MSG_WAITFORONE   0x10000
#define MSG_CMSG_CLOEXEC 0x40000000
#define SHUT_RD          0
#define SHUT_WR          1
#define SHUT_RDWR        2
#define SOL_SOCKET       1
#define SCM_RIGHTS       1
#define SCM_CREDENTIALS  2

#define SOMAXCONN  4096
#define SOL_IP     0
#define SOL_TCP    6
#define SOL_UDP    17
#define SOL_IPV6   41
#define SOL_ICMPV6 58

#define SCM_MAX_FD   253
#define SOCKADDR_MAX 128

struct socket;

/* Credentials as SCM_CREDENTIALS and SO_PEERCRED carry them. */
struct ucred {
    u32 pid, uid, gid;
};

/* Control data in flight. Owned by the message it travels with; scm_free() drops the files. */
struct scm {
    struct ucred cred;
    struct scm *next; /* to be freed: scm_free() */
    bool in_flight;   /* in a queue and counted there: unix_gc.c */
    u32 uid;          /* who is charged for it then */
    u32 nfiles;
    struct vfs_file *files[];
};

/* What came with a packet, or is to go with it (IP_PKTINFO and the like). */
struct packet_info {
    u64 stamp;           /* ns since the epoch when it arrived; 0: not known */
    u8 src[16], dst[16]; /* IPv4 as v4-mapped; sending: src is wished when has_src */
    u16 dst_port;
    bool v4, has_src, has_tos;
    s16 ttl; /* sending: 0 = the socket's */
    u8 tos;
    u32 ifindex;
    struct {        /* from the error queue: an error came back for what was sent to dst */
        u32 number; /* errno, 0: this is no error */
        u8 origin, type, code;
    } err;
};

/* One send or receive; lives on the caller's stack. */
struct message {
    struct uio uio;
    u8 name[SOCKADDR_MAX]; /* address: in for sending, out for receiving */
    u32 name_len;          /* 0: none */
    struct scm *scm;       /* sending: consumed on success; receiving: the receiver's */
    u32 flags;             /* MSG_* of the call */
    u32 out_flags;         /* MSG_TRUNC, MSG_EOR, … of a receive */
    struct packet_info pkt;
    struct host_control *control; /* kmalloc'ed, of sockets of the host; message_done() */
};

/* Control messages as the host has them. */
struct host_control {
    u32 len;
    u8 data[512];
};

/* Where the control messages of a receive go; on the caller's stack. */
struct cmsg_room {
    uva_t at;
    u64 size, used;
    bool truncated;
};

/* What a family does. Negative errno; may sleep. NULL: EOPNOTSUPP. */
struct socket_ops {
    int (*bind)(struct socket *s, const u8 *addr, u32 len);
    int (*connect)(struct socket *s, const u8 *addr, u32 len, bool nonblock);
    int (*listen)(struct socket *s, int backlog);
    /* A connected socket of its own for the next connection; ERR_PTR. */
    struct socket *(*accept)(struct socket *s, bool nonblock);
    int (*pair)(struct socket *a, struct socket *b);
    s64 (*send)(struct socket *s, struct message *m);
    s64 (*receive)(struct socket *s, struct message *m);
    int (*shutdown)(struct socket *s, int how);
    int (*name)(struct socket *s, bool peer, u8 *addr); /* length or -errno */
    bool (*listening)(struct socket *s);
    u32 (*poll)(struct socket *s, struct poll_table *pt);
    s64 (*ioctl)(struct socket *s, u32 cmd, u64 arg);
    /*
     * -ENOPROTOOPT for SOL_SOCKET, and 1, leave it to sockopt.c; with all_options only 1 does.
     * value is *len bytes.
     */
    bool all_options;
    int (*setopt)(struct socket *s, int level, int name, const void *value, u32 len);
    int (*getopt)(struct socket *s, int level, int name, void *value, u32 *len);
    /* A control message of a send that is not SCM_*: 0 or -errno. NULL: all are EINVAL. */
    int (*cmsg_in)(struct socket *s, struct message *m, int level, int type, const u8 *data,
                   u64 len);
    /* Those of a receive, by cmsg_put(). 0 or -errno. */
    int (*cmsg_out)(struct socket *s, struct message *m, struct cmsg_room *room);
    void (*release)(struct socket *s);
};

/*
 * A socket. Owned by its open file description. Options are written under lock and
 * read without it.
 */
struct socket {
    const struct socket_ops *ops;
    int family, type, protocol;
    struct spinlock lock;
    int error; /* SO_ERROR */
    u32 sndbuf, rcvbuf;
    u64 snd_timeout, rcv_timeout; /* ns; 0: none */
    bool passcred, reuseaddr, reuseport, keepalive, broadcast, oobinline, dontroute, debug;
    bool timestamp, timestampns, rxq_ovfl,
        buf_locked; /* buf_locked: SO_SNDBUF or SO_RCVBUF was set */
    s32 rcvlowat, priority;
    u32 mark;
    u64 stamp;     /* of the last packet received, ns since the epoch */
    u32 uid;       /* who made it */
    u64 ino;       /* of its file; 0 before it has one */
    s32 linger;    /* seconds, -1 = off */
    void *private; /* the family's */
};

/* A family registers how to make its sockets. 0 or -errno. */
struct socket_family {
    int family;
    int (*create)(struct socket *s);
};
extern const struct socket_family unix_family, inet_family, inet6_family, netlink_family;

/* A bare socket, not yet on a file. NULL: no memory. socket_free() for one that never got a file.
 */
struct socket *socket_alloc(int family, int type, int protocol);
void socket_free(struct socket *s);
/* An accepted socket starts with the options of its listener. */
void socket_inherit(struct socket *s, const struct socket *listener);
/* A file on s, which it then owns; ERR_PTR (s is freed). flags: SOCK_NONBLOCK. */
struct vfs_file *socket_file(struct socket *s, int flags);
/* The socket behind a descriptor, with a reference on *f; ERR_PTR(-EBADF, -ENOTSOCK). */
struct socket *socket_from_fd(int fd, struct vfs_file **f);
/* The same for a file; NULL when it is no socket. */
struct socket *socket_of_file(struct vfs_file *f);
u64 socket_deadline(u64 timeout);

/* Free what a message has collected. */
void message_done(struct message *m);

/* ---- scm.c: control messages ---- */

/* Parse msg_control of a send into m->scm. */
int scm_from_user(struct message *m, uva_t control, u64 len, struct socket *s);
/* Hand m->scm to the receiver; *len: room in, used out. Adds MSG_CTRUNC to m->out_flags. */
int scm_to_user(struct socket *s, struct message *m, uva_t control, u64 *len);
/* One control message; what does not fit is cut (room->truncated). 0 or -EFAULT. */
int cmsg_put(struct cmsg_room *room, int level, int type, const void *data, u64 n);
void scm_free(struct scm *scm);
/* unix_gc.c: the files of scm go into a queue (-ETOOMANYREFS: the user has too many there). */
int scm_take_off(struct scm *scm);
/* They leave it: to be freed, or to the receiver. */
void scm_land(struct scm *scm);
struct scm *scm_take(struct scm **slot);
/* A copy for MSG_PEEK of what is in a queue; NULL when there is none or no memory. */
struct scm *scm_peek(const struct scm *scm);
/* A copy; NULL when there is none or no memory. */
struct scm *scm_copy(const struct scm *scm);
