// SPDX-License-Identifier: Apache-2.0
/*
 * Sockets of the host's network namespace. The stub makes the calls, never waits and checks all
 * that it is asked; waiting is done here, on the readiness that it reports. Data passes through a
 * buffer in RAM.
 */
#include "sentry/net/host.h"
#include <asm/ioctls.h>
#include <asm/socket.h>
#include <linux/sockios.h>
#include "sentry/fs/host/host.h"
#include "sentry/kernel/kernel.h"
#include "sentry/kernel/sysctl.h"
#include "sentry/kernel/task.h"
#include "sentry/net/inet/inet.h"
#include "vmm/abi/bootinfo.h"
#include "vmm/abi/socket.h"

#define CHUNK      (64u << 10)
#define SEND_FLAGS (MSG_OOB | MSG_DONTROUTE | MSG_EOR | MSG_CONFIRM | MSG_MORE)
#define RECV_FLAGS (MSG_OOB | MSG_PEEK | MSG_TRUNC | MSG_ERRQUEUE)

/* Owned by its socket. */
struct host_sock {
    struct host_stream stream;
};

/* A message on its way to or from the stub. Owned by the call that made it. */
struct transfer {
    struct host_msg msg;
    u8 data[];
};

static const struct socket_ops host_ops;

static struct host_sock *host_sk(struct socket *s)
{
    return s->private;
}

bool host_network(void)
{
    return boot.network == BOOT_NETWORK_HOST;
}

/* Take over the stub's descriptor. */
static int attach(struct socket *s, u32 fd)
{
    struct host_sock *h = kzalloc(sizeof(*h));
    int err = h ? host_stream_init(&h->stream, fd) : -ENOMEM;

    if (err) {
        kfree(h);
        HOSTCALL(HC_FD_CLOSE, fd);
        return err;
    }
    s->private = h;
    s->ops = &host_ops;
    return 0;
}

int host_socket_create(struct socket *s)
{
    int type = s->family == AF_NETLINK ? SOCK_RAW : s->type;
    s64 fd = HOSTCALL(HC_SOCKET, (u64)s->family, (u64)type, (u64)s->protocol);

    return fd < 0 ? (int)fd : attach(s, (u32)fd);
}

static int wait_for(struct socket *s, u32 events, u64 deadline)
{
    struct host_stream *st = &host_sk(s)->stream;
    int err;

    if (signal_pending_current()) /* also when poll and the call never agree */
        return -ERESTARTSYS;
    err = wait_event_deadline(&st->wq, host_stream_poll(st, events | POLLHUP | POLLERR), deadline);
    return err == -ETIMEDOUT ? -EAGAIN : err;
}

/* A small thing from or to the stub: `n` bytes of a kmalloc'ed block. */
static u8 *block(const void *from, size_t n)
{
    u8 *b = kzalloc(MAX(n, (size_t)8));

    if (b && from)
        memcpy(b, from, n);
    return b;
}

static int with_address(struct socket *s, u32 call, const u8 *addr, u32 len)
{
    u8 *b = block(addr, len);
    s64 r = b ? HOSTCALL(call, host_sk(s)->stream.fd, virt_to_phys(b), len) : -ENOMEM;

    kfree(b);
    return (int)r;
}

static int host_bind(struct socket *s, const u8 *addr, u32 len)
{
    if (s->family != AF_NETLINK && len >= 4 && !inet_may_bind((u16)(addr[2] << 8 | addr[3])))
        return -EACCES;
    return with_address(s, HC_SOCK_BIND, addr, len);
}

static int host_connect(struct socket *s, const u8 *addr, u32 len, bool nonblock)
{
    int err = with_address(s, HC_SOCK_CONNECT, addr, len);

    if (nonblock || (err != -EINPROGRESS && err != -EALREADY))
        return err;
    err = wait_for(s, POLLOUT, socket_deadline(s->snd_timeout));
    if (err)
        return err == -EAGAIN ? -EINPROGRESS : s->snd_timeout ? -EINTR : err;
    return with_address(s, HC_SOCK_CONNECT, addr, len); /* now it tells how it ended */
}

static int host_listen(struct socket *s, int backlog)
{
    u32 max = (u32)sysctl_number("net.core.somaxconn", 0, SOMAXCONN);

    return (int)HOSTCALL(HC_SOCK_LISTEN, host_sk(s)->stream.fd,
                         MIN(MIN((u32)backlog, max), 65535u));
}

static struct socket *host_accept(struct socket *s, bool nonblock)
{
    u64 deadline = socket_deadline(s->rcv_timeout);
    struct socket *a;
    s64 fd;
    int err;

    for (;;) {
        fd = HOSTCALL(HC_SOCK_ACCEPT, host_sk(s)->stream.fd);
        if (fd != -EAGAIN || nonblock)
            break;
        fd = wait_for(s, POLLIN, deadline);
        if (fd)
            break;
    }
    if (fd < 0)
        return ERR_PTR(fd);
    a = socket_alloc(s->family, s->type, s->protocol);
    if (!a) {
        HOSTCALL(HC_FD_CLOSE, (u64)fd);
        return ERR_PTR(-ENOMEM);
    }
    socket_inherit(a, s);
    err = attach(a, (u32)fd);
    if (err) {
        socket_free(a);
        return ERR_PTR(err);
    }
    return a;
}

/* ---- moving data ---- */

static struct transfer *transfer_new(u32 len, u32 flags)
{
    struct transfer *t = kmalloc(sizeof(*t) + len);

    if (t) {
        memset(&t->msg, 0, sizeof(t->msg));
        t->msg.data = virt_to_phys(t->data);
        t->msg.len = len;
        t->msg.flags = flags;
    }
    return t;
}

/* Hand t to the stub until all of it is gone. Bytes, or -errno when none went. */
static s64 push(struct socket *s, struct transfer *t, u32 flags, u64 deadline)
{
    u32 done = 0;

    for (;;) {
        s64 r = HOSTCALL(HC_SOCK_SEND, host_sk(s)->stream.fd, virt_to_phys(&t->msg));

        if (r == -EAGAIN && !(flags & MSG_DONTWAIT)) {
            r = wait_for(s, POLLOUT, deadline);
            if (!r)
                continue;
        }
        if (r < 0)
            return done ? (s64)done : r;
        r = MIN(r, (s64)t->msg.len);
        done += (u32)r;
        t->msg.data += (u64)r;
        t->msg.len -= (u32)r;
        if (!t->msg.len || s->type != SOCK_STREAM)
            return done;
    }
}

/* One message, or a piece of a stream. Bytes or -errno. */
static s64 send_piece(struct socket *s, struct message *m, u32 n, u32 flags, u64 deadline)
{
    struct transfer *t = transfer_new(n, flags & SEND_FLAGS);
    s64 r;

    if (!t)
        return -ENOMEM;
    t->msg.name_len = m->name_len;
    memcpy(t->msg.name, m->name, m->name_len);
    if (m->control) {
        t->msg.control_len = m->control->len;
        memcpy(t->msg.control, m->control->data, m->control->len);
    }
    if (copy_from_uio(t->data, &m->uio, n) != n)
        r = -EFAULT;
    else
        r = push(s, t, m->flags, deadline);
    kfree(t);
    return r;
}

static s64 host_send(struct socket *s, struct message *m)
{
    u64 deadline = socket_deadline(s->snd_timeout), total = 0;
    s64 n;

    if (s->type != SOCK_STREAM)
        return m->uio.left > CHUNK * 2 ? -EMSGSIZE
                                       : send_piece(s, m, (u32)m->uio.left, m->flags, deadline);
    do {
        u32 want = (u32)MIN(m->uio.left, (u64)CHUNK);
        bool last = want == m->uio.left;

        /* the urgent byte is the last of all */
        n = send_piece(s, m, want, last ? m->flags : m->flags & ~(u32)MSG_OOB, deadline);
        total += n > 0 ? (u64)n : 0;
        if (n < (s64)want)
            break;
    } while (m->uio.left);
    return total ? (s64)total : n;
}

static s64 receive_piece(struct socket *s, struct message *m, u64 deadline)
{
    u32 room = (u32)MIN(m->uio.left, (u64)(s->type == SOCK_STREAM ? CHUNK : CHUNK * 2));
    struct transfer *t = transfer_new(room, m->flags & RECV_FLAGS);
    u32 have;
    s64 r;

    if (!t)
        return -ENOMEM;
    t->msg.control_len = sizeof(t->msg.control);
    for (;;) {
        r = HOSTCALL(HC_SOCK_RECV, host_sk(s)->stream.fd, virt_to_phys(&t->msg));
        if (r != -EAGAIN || m->flags & (MSG_DONTWAIT | MSG_ERRQUEUE))
            break;
        r = 0; /* who waits on a datagram socket that was shut down gets an end of file */
        if (s->type != SOCK_STREAM && host_stream_poll(&host_sk(s)->stream, POLLRDHUP) & POLLRDHUP)
            break;
        r = wait_for(s, POLLIN, deadline);
        if (r)
            break;
    }
    if (r >= 0) {
        have = (u32)MIN((u64)r, (u64)room);
        if (s->type == SOCK_STREAM && m->flags & MSG_TRUNC)
            m->uio.left -= have;
        else if (copy_to_uio(&m->uio, t->data, have) != have)
            r = -EFAULT;
        m->out_flags |= t->msg.flags & ~(u32)MSG_CMSG_CLOEXEC;
        m->name_len = MIN(t->msg.name_len, (u32)sizeof(m->name));
        memcpy(m->name, t->msg.name, m->name_len);
        if (t->msg.control_len && !m->control)
            m->control = kmalloc(sizeof(*m->control));
        if (t->msg.control_len && m->control) {
            m->control->len = MIN(t->msg.control_len, (u32)sizeof(m->control->data));
            memcpy(m->control->data, t->msg.control, m->control->len);
        }
    }
    kfree(t);
    return r;
}

static s64 host_receive(struct socket *s, struct message *m)
{
    u64 deadline = socket_deadline(s->rcv_timeout), total = 0;
    bool all = s->type == SOCK_STREAM && m->flags & MSG_WAITALL && !(m->flags & MSG_PEEK);
    bool more = s->type == SOCK_STREAM && !(m->flags & (MSG_PEEK | MSG_OOB));
    u32 flags = m->flags;
    s64 n;

    do { /* a large buffer takes several pieces, the later ones without waiting */
        n = receive_piece(s, m, deadline);
        if (n <= 0)
            break;
        total += (u64)n;
        if (!all)
            m->flags |= MSG_DONTWAIT;
        if (!all && (u64)n < CHUNK)
            break;
    } while (more && m->uio.left);
    m->flags = flags;
    return total ? (s64)total : n;
}

/* ---- control messages ---- */

#define CMSG_ROUND(n) (((n) + 7) & ~7ULL)

struct cmsg_header {
    u64 len;
    s32 level, type;
};

static int host_cmsg_in(struct socket *s, struct message *m, int level, int type, const u8 *data,
                        u64 len)
{
    struct cmsg_header h = {sizeof(h) + len, level, type};

    if (level == SOL_SOCKET)
        return type == SCM_RIGHTS || type == SCM_CREDENTIALS ? 0 : -EINVAL;
    if (s->type == SOCK_STREAM || s->family == AF_NETLINK)
        return 0;
    if (!m->control)
        m->control = kzalloc(sizeof(*m->control));
    if (!m->control)
        return -ENOMEM;
    if (len > sizeof(m->control->data) ||
        CMSG_ROUND(h.len) > sizeof(m->control->data) - m->control->len)
        return -EINVAL;
    memcpy(m->control->data + m->control->len, &h, sizeof(h));
    memcpy(m->control->data + m->control->len + sizeof(h), data, len);
    m->control->len += (u32)CMSG_ROUND(h.len);
    return 0;
}

static int host_cmsg_out(struct socket *s, struct message *m, struct cmsg_room *room)
{
    u32 off = 0, end = m->control ? m->control->len : 0;
    int err = 0;

    while (!err && end - off >= sizeof(struct cmsg_header)) {
        struct cmsg_header h;

        memcpy(&h, m->control->data + off, sizeof(h));
        if (h.len < sizeof(h) || h.len > end - off)
            break;
        if (h.level != SOL_SOCKET || h.type != SCM_RIGHTS)
            err = cmsg_put(room, h.level, h.type, m->control->data + off + sizeof(h),
                           h.len - sizeof(h));
        if (CMSG_ROUND(h.len) >= end - off)
            break;
        off += (u32)CMSG_ROUND(h.len);
    }
    return err;
}

/* ---- the rest ---- */

static int host_shutdown(struct socket *s, int how)
{
    int err = (int)HOSTCALL(HC_SOCK_SHUTDOWN, host_sk(s)->stream.fd, (u64)how);

    wake_all(&host_sk(s)->stream.wq); /* who waits looks again */
    return err;
}

static int host_name(struct socket *s, bool peer, u8 *addr)
{
    u8 *b = block(NULL, HOST_SOCKADDR_MAX);
    s64 n = b ? HOSTCALL(HC_SOCK_NAME, host_sk(s)->stream.fd, peer, virt_to_phys(b)) : -ENOMEM;

    if (n > 0) {
        n = MIN(n, (s64)SOCKADDR_MAX);
        memcpy(addr, b, (size_t)n);
    }
    kfree(b);
    return (int)n;
}

static u32 host_poll(struct socket *s, struct poll_table *pt)
{
    struct host_stream *st = &host_sk(s)->stream;

    poll_wait(pt, &st->wq);
    return host_stream_poll(st, POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM);
}

static bool host_listening(struct socket *s)
{
    u8 *b = block(NULL, 8);
    bool yes = b &&
               HOSTCALL(HC_SOCK_GETOPT, host_sk(s)->stream.fd, SOL_SOCKET, SO_ACCEPTCONN,
                        virt_to_phys(b), 4) == 4 &&
               b[0];

    kfree(b);
    return yes;
}

static int int_ioctl(struct socket *s, u32 cmd, u64 arg)
{
    struct hostcall hc = {.nr = HC_SOCK_IOCTL, .arg = {host_sk(s)->stream.fd, cmd}};
    s64 r = host_call(&hc);

    return r < 0 ? (int)r : put_user((s32)hc.out[0], arg);
}

static s64 get_stamp(struct socket *s, u32 cmd, u64 arg)
{
    struct hostcall hc = {.nr = HC_SOCK_IOCTL, .arg = {host_sk(s)->stream.fd, cmd}};
    s64 r = host_call(&hc);

    return r < 0 ? r : copy_to_user(arg, hc.out, sizeof(hc.out));
}

static s64 host_ioctl(struct socket *s, u32 cmd, u64 arg)
{
    if (cmd == SIOCGSTAMP_OLD || cmd == SIOCGSTAMPNS_OLD)
        return get_stamp(s, cmd, arg);
    return cmd == FIONREAD || cmd == TIOCOUTQ || cmd == SIOCATMARK ? int_ioctl(s, cmd, arg)
                                                                   : -ENOTTY;
}

/* Options that are the Sentry's own business on every socket. */
static bool ours(int level, int name)
{
    return level == SOL_SOCKET &&
           (name == SO_RCVTIMEO_OLD || name == SO_SNDTIMEO_OLD || name == SO_RCVTIMEO_NEW ||
            name == SO_SNDTIMEO_NEW || name == SO_PASSCRED || name == SO_MARK || name == SO_DEBUG ||
            name == SO_TYPE || name == SO_DOMAIN || name == SO_PROTOCOL || name == SO_PEERCRED ||
            name == SO_SNDLOWAT);
}

static int host_setopt(struct socket *s, int level, int name, const void *value, u32 len)
{
    u8 *b;
    s64 r;

    if (ours(level, name))
        return 1;
    b = block(value, len);
    r = b ? HOSTCALL(HC_SOCK_SETOPT, host_sk(s)->stream.fd, (u32)level, (u32)name, virt_to_phys(b),
                     len)
          : -ENOMEM;
    kfree(b);
    return (int)r;
}

static int host_getopt(struct socket *s, int level, int name, void *value, u32 *len)
{
    u8 *b;
    s64 r;

    if (ours(level, name))
        return 1;
    b = block(NULL, HOST_OPTION_MAX);
    r = b ? HOSTCALL(HC_SOCK_GETOPT, host_sk(s)->stream.fd, (u32)level, (u32)name, virt_to_phys(b),
                     *len)
          : -ENOMEM;
    if (r >= 0) {
        *len = MIN(*len, (u32)r);
        memcpy(value, b, *len);
        r = 0;
    }
    kfree(b);
    return (int)r;
}

static void host_release(struct socket *s)
{
    struct host_sock *h = host_sk(s);

    if (!h)
        return;
    host_stream_destroy(&h->stream);
    HOSTCALL(HC_FD_CLOSE, h->stream.fd);
    kfree(h);
}

static const struct socket_ops host_ops = {
    .all_options = true,
    .bind = host_bind,
    .connect = host_connect,
    .listen = host_listen,
    .accept = host_accept,
    .send = host_send,
    .receive = host_receive,
    .shutdown = host_shutdown,
    .name = host_name,
    .listening = host_listening,
    .poll = host_poll,
    .ioctl = host_ioctl,
    .setopt = host_setopt,
    .getopt = host_getopt,
    .cmsg_in = host_cmsg_in,
    .cmsg_out = host_cmsg_out,
    .release = host_release,
};

/* ---- interfaces ---- */

static s64 list_interfaces(u32 fd, u64 arg)
{
    struct {
        s32 len, pad;
        u64 buf;
    } conf;
    u32 cap = 64 * HOST_IFREQ;
    u8 *b;
    s64 n;

    if (copy_from_user(&conf, arg, sizeof(conf)))
        return -EFAULT;
    b = block(NULL, cap);
    n = b ? HOSTCALL(HC_SOCK_IOCTL, fd, SIOCGIFCONF, virt_to_phys(b), cap) : -ENOMEM;
    if (n >= 0 && conf.buf) {
        n = MIN(MIN(n, (s64)cap), (s64)MAX(conf.len, 0) / HOST_IFREQ * HOST_IFREQ);
        if (copy_to_user(conf.buf, b, (size_t)n))
            n = -EFAULT;
    }
    kfree(b);
    return n < 0 ? n : put_user((s32)n, arg);
}

static s64 ask_interface(u32 fd, u32 cmd, u64 arg)
{
    u8 *b = block(NULL, HOST_IFREQ);
    s64 r;

    if (!b)
        return -ENOMEM;
    r = copy_from_user(b, arg, HOST_IFREQ);
    if (!r)
        r = HOSTCALL(HC_SOCK_IOCTL, fd, cmd, virt_to_phys(b), HOST_IFREQ);
    if (!r)
        r = copy_to_user(arg, b, HOST_IFREQ);
    kfree(b);
    return r;
}

s64 host_netdev_ioctl(struct socket *s, u32 cmd, u64 arg)
{
    s64 fd, r;

    if (cmd >> 8 != SIOCGIFNAME >> 8)
        return -ENOTTY;
    fd = HOSTCALL(HC_SOCKET, AF_INET, SOCK_DGRAM, IPPROTO_UDP); /* s may be of any family */
    if (fd < 0)
        return fd;
    r = cmd == SIOCGIFCONF ? list_interfaces((u32)fd, arg) : ask_interface((u32)fd, cmd, arg);
    HOSTCALL(HC_FD_CLOSE, (u64)fd);
    return r;
}
