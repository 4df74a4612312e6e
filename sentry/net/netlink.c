// SPDX-License-Identifier: Apache-2.0
/*
 * AF_NETLINK: requests to the kernel and its answers. netlink(7). Only NETLINK_ROUTE has somebody
 * behind it, and nobody sends events, since nothing changes.
 */
#include "sentry/net/netlink.h"
#include <asm/ioctls.h>
#include "sentry/kernel/task.h"
#include "sentry/net/host.h"

#define REQUEST_MAX 65536u
#define SOL_NETLINK 270
#define GROUPS_MAX  32

static struct spinlock ports_lock = SPINLOCK_INIT;
static struct list ports = LIST_INIT(ports); /* of netlink_sock.link */

static struct netlink_sock *netlink_sk(struct socket *s)
{
    return s->private;
}

/* ---- names ---- */

static int take_port(struct netlink_sock *n, u32 port)
{
    struct netlink_sock *o;
    int err = 0;

    spin_lock(&ports_lock);
    if (n->port) {
        err = n->port == port ? 0 : -EINVAL;
    } else {
        list_for_each (o, &ports, link) {
            if (o->port == port)
                err = -EADDRINUSE;
        }
        if (!err) {
            n->port = port;
            list_add(&ports, &n->link);
        }
    }
    spin_unlock(&ports_lock);
    return err;
}

/* The process' number, or when it has such a socket already, something negative. */
static int autobind(struct netlink_sock *n)
{
    int err = n->port ? 0 : take_port(n, (u32)current->process->pid);

    for (u32 p = (u32)-4097; err == -EADDRINUSE && p > (u32)-70000; p--)
        err = take_port(n, p);
    return err;
}

static int parse(const u8 *addr, u32 len, struct sockaddr_nl *nl)
{
    if (len < sizeof(*nl))
        return -EINVAL;
    memcpy(nl, addr, sizeof(*nl));
    return nl->nl_family == AF_NETLINK ? 0 : -EINVAL;
}

static int netlink_bind(struct socket *s, const u8 *addr, u32 len)
{
    struct netlink_sock *n = netlink_sk(s);
    struct sockaddr_nl nl;
    int err = parse(addr, len, &nl);

    if (!err)
        err = nl.nl_pid ? take_port(n, nl.nl_pid) : autobind(n);
    if (!err)
        n->groups = nl.nl_groups;
    return err;
}

static int netlink_connect(struct socket *s, const u8 *addr, u32 len, bool nonblock)
{
    struct sockaddr_nl nl;
    int err;

    if (len >= 2 && !addr[0] && !addr[1])
        return 0;
    err = parse(addr, len, &nl);
    if (!err && nl.nl_pid)
        err = -ECONNREFUSED; /* only the kernel listens */
    return err ? err : autobind(netlink_sk(s));
}

static int netlink_name(struct socket *s, bool peer, u8 *addr)
{
    struct netlink_sock *n = netlink_sk(s);
    struct sockaddr_nl nl = {.nl_family = AF_NETLINK};

    if (!peer) {
        nl.nl_pid = n->port;
        nl.nl_groups = n->groups;
    }
    memcpy(addr, &nl, sizeof(nl));
    return sizeof(nl);
}

/* ---- answers ---- */

size_t netlink_begin(struct netlink_reply *r, u16 type, u16 flags, const void *body, size_t n)
{
    size_t at = r->seq.len;
    struct nlmsghdr h = {.nlmsg_type = type,
                         .nlmsg_flags = flags,
                         .nlmsg_seq = r->request->nlmsg_seq,
                         .nlmsg_pid = r->to->port};

    seq_write(&r->seq, &h, sizeof(h));
    seq_write(&r->seq, body, n);
    seq_write(&r->seq, "\0\0\0", NLMSG_ALIGN(n) - n);
    return at;
}

void netlink_attr(struct netlink_reply *r, u16 type, const void *data, size_t n)
{
    struct nlattr a = {.nla_len = (u16)(NLA_HDRLEN + n), .nla_type = type};

    seq_write(&r->seq, &a, sizeof(a));
    seq_write(&r->seq, data, n);
    seq_write(&r->seq, "\0\0\0", NLA_ALIGN(n) - n);
}

void netlink_attr32(struct netlink_reply *r, u16 type, u32 v)
{
    netlink_attr(r, type, &v, sizeof(v));
}

void netlink_end(struct netlink_reply *r, size_t at)
{
    u32 len = (u32)(r->seq.len - at);

    if (!r->seq.failed)
        memcpy(r->seq.buf + at, &len, sizeof(len));
}

static void put_error(struct netlink_reply *r, int err)
{
    struct nlmsgerr e = {.error = err, .msg = *r->request};
    bool whole = err && !r->to->cap_ack;
    size_t at = netlink_begin(r, NLMSG_ERROR, whole ? 0 : NLM_F_CAPPED, &e, sizeof(e));

    if (whole)
        seq_write(&r->seq, r->request + 1, r->request->nlmsg_len - sizeof(*r->request));
    netlink_end(r, at);
}

/* What was said so far becomes a datagram. */
static int flush(struct netlink_reply *r)
{
    struct netlink_msg *m;
    int err = r->seq.failed ? -ENOMEM : 0;

    if (!err && r->seq.len) {
        m = kmalloc(sizeof(*m) + r->seq.len);
        err = m ? 0 : -ENOMEM;
        if (m) {
            m->len = (u32)r->seq.len;
            memcpy(m->data, r->seq.buf, r->seq.len);
            spin_lock(&r->to->lock);
            list_add_tail(&r->to->queue, &m->link);
            r->to->queued += m->len;
            spin_unlock(&r->to->lock);
            waitq_wake(&r->to->wait, POLLIN | POLLRDNORM, ~0u);
        }
    }
    seq_free(&r->seq);
    r->seq = (struct seq){0};
    return err;
}

static int serve(struct netlink_sock *n, const u8 *buf, u64 len)
{
    u64 off = 0;
    int err = 0;

    while (!err && len - off >= sizeof(struct nlmsghdr)) {
        const struct nlmsghdr *h = (const void *)(buf + off);
        struct netlink_reply r = {.to = n, .request = h};
        int ret = 0;

        if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > len - off)
            break;
        if ((h->nlmsg_flags & NLM_F_REQUEST) && h->nlmsg_type >= NLMSG_MIN_TYPE)
            ret = rtnetlink_request(&r, h);
        if (ret < 0 || (!ret && (h->nlmsg_flags & NLM_F_ACK)))
            put_error(&r, ret);
        err = flush(&r);
        if (NLMSG_ALIGN((u64)h->nlmsg_len) >= len - off)
            break;
        off += NLMSG_ALIGN((u64)h->nlmsg_len);
    }
    return err;
}

/* ---- moving data ---- */

static s64 netlink_send(struct socket *s, struct message *m)
{
    struct netlink_sock *n = netlink_sk(s);
    s64 len = (s64)m->uio.left;
    struct sockaddr_nl nl;
    int err = 0;
    u8 *buf;

    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (m->name_len) {
        err = parse(m->name, m->name_len, &nl);
        if (!err && nl.nl_pid)
            err = -ECONNREFUSED;
        else if (!err && nl.nl_groups)
            err = -EPERM;
    }
    if (!err)
        err = autobind(n);
    if (!err && m->uio.left > REQUEST_MAX)
        err = -EMSGSIZE;
    if (err)
        return err;
    if (n->queued > s->rcvbuf)
        return -ENOBUFS; /* it asks and asks and reads no answer */
    buf = kmalloc((u64)len + 1);
    if (!buf)
        return -ENOMEM;
    if (copy_from_uio(buf, &m->uio, (u64)len) != (u64)len)
        err = -EFAULT;
    else
        err = serve(n, buf, (u64)len);
    kfree(buf);
    return err ? err : len;
}

static struct netlink_msg *wait_msg(struct socket *s, u32 flags, int *err)
{
    struct netlink_sock *n = netlink_sk(s);
    u64 deadline = socket_deadline(s->rcv_timeout);

    for (;;) {
        struct netlink_msg *m = NULL;

        spin_lock(&n->lock);
        if (!list_empty(&n->queue)) {
            m = list_first(&n->queue, struct netlink_msg, link);
            list_del(&m->link);
            n->queued -= m->len;
        }
        spin_unlock(&n->lock);
        if (m)
            return m;
        *err = -EAGAIN;
        if (flags & MSG_DONTWAIT)
            return NULL;
        *err = wait_event_deadline(&n->wait, !list_empty(&n->queue), deadline);
        if (*err) {
            *err = *err == -ETIMEDOUT ? -EAGAIN : *err;
            return NULL;
        }
    }
}

static s64 netlink_receive(struct socket *s, struct message *m)
{
    struct netlink_sock *n = netlink_sk(s);
    struct sockaddr_nl from = {.nl_family = AF_NETLINK};
    struct netlink_msg *msg;
    int err = 0;
    u64 len;

    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    msg = wait_msg(s, m->flags, &err);
    if (!msg)
        return err;
    len = MIN((u64)msg->len, m->uio.left);
    if (copy_to_uio(&m->uio, msg->data, len) != len)
        err = -EFAULT;
    memcpy(m->name, &from, sizeof(from));
    m->name_len = sizeof(from);
    if (len < msg->len) {
        m->out_flags |= MSG_TRUNC;
        if (m->flags & MSG_TRUNC)
            len = msg->len;
    }
    if (m->flags & MSG_PEEK) {
        spin_lock(&n->lock);
        list_add(&n->queue, &msg->link);
        n->queued += msg->len;
        spin_unlock(&n->lock);
    } else {
        kfree(msg);
    }
    return err ? err : (s64)len;
}

static u32 netlink_poll(struct socket *s, struct poll_table *pt)
{
    struct netlink_sock *n = netlink_sk(s);

    poll_wait(pt, &n->wait);
    return POLLOUT | POLLWRNORM | (list_empty(&n->queue) ? 0 : POLLIN | POLLRDNORM);
}

static s64 netlink_ioctl(struct socket *s, u32 cmd, u64 arg)
{
    return -ENOTTY;
}

/* ---- options ---- */

static bool *flag_of(struct netlink_sock *n, int name)
{
    switch (name) {
    case NETLINK_CAP_ACK:
        return &n->cap_ack;
    case NETLINK_EXT_ACK:
        return &n->ext_ack;
    case NETLINK_GET_STRICT_CHK:
        return &n->strict;
    case NETLINK_PKTINFO:
        return &n->pktinfo;
    case NETLINK_NO_ENOBUFS:
        return &n->no_enobufs;
    case NETLINK_BROADCAST_ERROR:
        return &n->broadcast_error;
    default:
        return NULL;
    }
}

static int netlink_setopt(struct socket *s, int level, int name, const void *value, u32 len)
{
    struct netlink_sock *n = netlink_sk(s);
    bool *flag = flag_of(n, name);
    u32 v;

    if (level != SOL_NETLINK)
        return -ENOPROTOOPT;
    if (len < sizeof(v))
        return -EINVAL;
    memcpy(&v, value, sizeof(v));
    if (flag) {
        *flag = v != 0;
        return 0;
    }
    if (name != NETLINK_ADD_MEMBERSHIP && name != NETLINK_DROP_MEMBERSHIP)
        return -ENOPROTOOPT;
    if (!v || v > GROUPS_MAX)
        return -EINVAL;
    if (name == NETLINK_ADD_MEMBERSHIP)
        n->groups |= 1u << (v - 1);
    else
        n->groups &= ~(1u << (v - 1));
    return 0;
}

static int netlink_getopt(struct socket *s, int level, int name, void *value, u32 *len)
{
    struct netlink_sock *n = netlink_sk(s);
    bool *flag = flag_of(n, name);
    s32 v;

    if (level != SOL_NETLINK)
        return -ENOPROTOOPT;
    if (name == NETLINK_LIST_MEMBERSHIPS)
        v = (s32)n->groups;
    else if (flag)
        v = *flag;
    else
        return -ENOPROTOOPT;
    memcpy(value, &v, sizeof(v));
    *len = MIN(*len, (u32)sizeof(v));
    return 0;
}

static void netlink_release(struct socket *s)
{
    struct netlink_sock *n = netlink_sk(s);
    struct netlink_msg *m, *next;

    if (!n)
        return;
    spin_lock(&ports_lock);
    list_del(&n->link);
    spin_unlock(&ports_lock);
    list_for_each_safe (m, next, &n->queue, link)
        kfree(m);
    kfree(n);
}

static const struct socket_ops netlink_ops = {
    .bind = netlink_bind,
    .connect = netlink_connect,
    .send = netlink_send,
    .receive = netlink_receive,
    .name = netlink_name,
    .poll = netlink_poll,
    .ioctl = netlink_ioctl,
    .setopt = netlink_setopt,
    .getopt = netlink_getopt,
    .release = netlink_release,
};

static int netlink_create(struct socket *s)
{
    struct netlink_sock *n;

    if (s->type != SOCK_RAW && s->type != SOCK_DGRAM)
        return -ESOCKTNOSUPPORT;
    if (s->protocol != NETLINK_ROUTE) {
        log_info("netlink protocol %d refused: not supported", s->protocol);
        return -EPROTONOSUPPORT;
    }
    if (host_network())
        return host_socket_create(s);
    n = kzalloc(sizeof(*n));
    if (!n)
        return -ENOMEM;
    n->socket = s;
    waitq_init(&n->wait);
    list_init(&n->queue);
    list_init(&n->link);
    s->private = n;
    s->ops = &netlink_ops;
    return 0;
}

const struct socket_family netlink_family = {AF_NETLINK, netlink_create};
