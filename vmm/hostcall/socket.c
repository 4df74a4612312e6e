// SPDX-License-Identifier: Apache-2.0
//
// Sockets of the network namespace that the sandbox was given (--network=host; without it every
// call here fails). Tables say which kinds of sockets, options, control messages and ioctls there
// are. Sockets never block; what was not made here (a standard stream that is a socket) cannot be
// used by these calls.

#include "vmm/hostcall/stub.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vmm/abi/socket.h"
#include "vmm/hostcall/fd.h"
#include "vmm/hostcall/socket.h"
#include "vmm/log.h"

#define BACKLOG_MAX 65535
#define SEND_FLAGS  (MSG_OOB | MSG_DONTROUTE | MSG_EOR | MSG_CONFIRM | MSG_MORE)
#define RECV_FLAGS  (MSG_OOB | MSG_PEEK | MSG_TRUNC | MSG_ERRQUEUE)

static bool allowed; /* set once, before the guest runs */

void hostcall_allow_network(void)
{
    allowed = true;
}

static const struct kind {
    int family, type, protocol;
} kinds[] = {
    {AF_INET, SOCK_STREAM, IPPROTO_TCP},   {AF_INET6, SOCK_STREAM, IPPROTO_TCP},
    {AF_INET, SOCK_DGRAM, IPPROTO_UDP},    {AF_INET6, SOCK_DGRAM, IPPROTO_UDP},
    {AF_INET, SOCK_DGRAM, IPPROTO_ICMP},   {AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6},
    {AF_NETLINK, SOCK_RAW, NETLINK_ROUTE},
};

/* An option that may be asked for, and set when set_min is not 0; lengths of values to set. */
struct option {
    int level, name;
    socklen_t set_min, set_max;
};

static const struct option options[] = {
    {SOL_SOCKET, SO_ERROR, 0, 0},
    {SOL_SOCKET, SO_TYPE, 0, 0},
    {SOL_SOCKET, SO_DOMAIN, 0, 0},
    {SOL_SOCKET, SO_PROTOCOL, 0, 0},
    {SOL_SOCKET, SO_ACCEPTCONN, 0, 0},
    {SOL_SOCKET, SO_REUSEADDR, 4, 4},
    {SOL_SOCKET, SO_REUSEPORT, 4, 4},
    {SOL_SOCKET, SO_KEEPALIVE, 4, 4},
    {SOL_SOCKET, SO_BROADCAST, 4, 4},
    {SOL_SOCKET, SO_DONTROUTE, 4, 4},
    {SOL_SOCKET, SO_OOBINLINE, 4, 4},
    {SOL_SOCKET, SO_SNDBUF, 4, 4},
    {SOL_SOCKET, SO_RCVBUF, 4, 4},
    {SOL_SOCKET, SO_RCVLOWAT, 4, 4},
    {SOL_SOCKET, SO_LINGER, 8, 8},
    {SOL_SOCKET, SO_PRIORITY, 4, 4},
    {SOL_SOCKET, SO_TIMESTAMP, 4, 4},
    {SOL_SOCKET, SO_TIMESTAMPNS, 4, 4},
    {SOL_SOCKET, SO_RXQ_OVFL, 4, 4},
    {SOL_SOCKET, SO_INCOMING_CPU, 4, 4},
    {SOL_IP, IP_TOS, 1, 4},
    {SOL_IP, IP_TTL, 1, 4},
    {SOL_IP, IP_MTU, 0, 0},
    {SOL_IP, IP_PKTINFO, 1, 4},
    {SOL_IP, IP_RECVTTL, 1, 4},
    {SOL_IP, IP_RECVTOS, 1, 4},
    {SOL_IP, IP_RECVERR, 1, 4},
    {SOL_IP, IP_RECVORIGDSTADDR, 1, 4},
    {SOL_IP, IP_FREEBIND, 1, 4},
    {SOL_IP, IP_BIND_ADDRESS_NO_PORT, 4, 4},
    {SOL_IP, IP_MTU_DISCOVER, 1, 4},
    {SOL_IP, IP_MULTICAST_TTL, 1, 4},
    {SOL_IP, IP_MULTICAST_LOOP, 1, 4},
    {SOL_IP, IP_MULTICAST_ALL, 1, 4},
    {SOL_IP, IP_MULTICAST_IF, 4, 12},
    {SOL_IP, IP_ADD_MEMBERSHIP, 8, 12},
    {SOL_IP, IP_DROP_MEMBERSHIP, 8, 12},
    {SOL_IPV6, IPV6_V6ONLY, 4, 4},
    {SOL_IPV6, IPV6_UNICAST_HOPS, 4, 4},
    {SOL_IPV6, IPV6_MTU, 0, 0},
    {SOL_IPV6, IPV6_MULTICAST_HOPS, 4, 4},
    {SOL_IPV6, IPV6_MULTICAST_LOOP, 4, 4},
    {SOL_IPV6, IPV6_MULTICAST_IF, 4, 4},
    {SOL_IPV6, IPV6_ADD_MEMBERSHIP, 20, 20},
    {SOL_IPV6, IPV6_DROP_MEMBERSHIP, 20, 20},
    {SOL_IPV6, IPV6_RECVPKTINFO, 4, 4},
    {SOL_IPV6, IPV6_RECVHOPLIMIT, 4, 4},
    {SOL_IPV6, IPV6_RECVTCLASS, 4, 4},
    {SOL_IPV6, IPV6_TCLASS, 4, 4},
    {SOL_IPV6, IPV6_RECVERR, 4, 4},
    {SOL_IPV6, IPV6_MTU_DISCOVER, 4, 4},
    {SOL_IPV6, IPV6_DONTFRAG, 4, 4},
    {SOL_IPV6, IPV6_FREEBIND, 4, 4},
    {SOL_TCP, TCP_NODELAY, 4, 4},
    {SOL_TCP, TCP_CORK, 4, 4},
    {SOL_TCP, TCP_QUICKACK, 4, 4},
    {SOL_TCP, TCP_MAXSEG, 4, 4},
    {SOL_TCP, TCP_KEEPIDLE, 4, 4},
    {SOL_TCP, TCP_KEEPINTVL, 4, 4},
    {SOL_TCP, TCP_KEEPCNT, 4, 4},
    {SOL_TCP, TCP_SYNCNT, 4, 4},
    {SOL_TCP, TCP_LINGER2, 4, 4},
    {SOL_TCP, TCP_DEFER_ACCEPT, 4, 4},
    {SOL_TCP, TCP_USER_TIMEOUT, 4, 4},
    {SOL_TCP, TCP_NOTSENT_LOWAT, 4, 4},
    {SOL_TCP, TCP_FASTOPEN, 4, 4},
    {SOL_TCP, TCP_FASTOPEN_CONNECT, 4, 4},
    {SOL_TCP, TCP_CONGESTION, 1, 16},
    {SOL_TCP, TCP_INFO, 0, 0},
    {SOL_UDP, UDP_CORK, 4, 4},
    {SOL_UDP, UDP_SEGMENT, 4, 4},
    {SOL_UDP, UDP_GRO, 4, 4},
    {SOL_NETLINK, NETLINK_CAP_ACK, 4, 4},
    {SOL_NETLINK, NETLINK_EXT_ACK, 4, 4},
    {SOL_NETLINK, NETLINK_GET_STRICT_CHK, 4, 4},
};

/* Control messages that may be sent: none that carries a descriptor or a pointer. */
static const struct {
    int level, type;
    size_t min, max;
} controls[] = {
    {SOL_IP, IP_PKTINFO, 12, 12},    {SOL_IP, IP_TTL, 4, 4},
    {SOL_IP, IP_TOS, 1, 4},          {SOL_IPV6, IPV6_PKTINFO, 20, 20},
    {SOL_IPV6, IPV6_HOPLIMIT, 4, 4}, {SOL_IPV6, IPV6_TCLASS, 4, 4},
    {SOL_UDP, UDP_SEGMENT, 2, 2},
};

static const unsigned long int_ioctls[] = {FIONREAD, TIOCOUTQ, SIOCATMARK};
static const unsigned long ifreq_ioctls[] = {
    SIOCGIFNAME,    SIOCGIFINDEX,  SIOCGIFFLAGS, SIOCGIFADDR,   SIOCGIFDSTADDR, SIOCGIFBRDADDR,
    SIOCGIFNETMASK, SIOCGIFMETRIC, SIOCGIFMTU,   SIOCGIFTXQLEN, SIOCGIFHWADDR,  SIOCGIFMAP,
};

/* A socket that was made here, referenced; NULL and *r for anything else. */
static struct hfile *net_get(u64 index, s64 *r)
{
    struct hfile *f;

    *r = -ENOSYS;
    if (!allowed)
        return NULL;
    f = hfile_get(index);
    *r = f ? -ENOTSOCK : -EBADF;
    if (f && f->net_family)
        return f;
    if (f)
        hfile_put(f);
    return NULL;
}

static s64 finish(struct hfile *f, s64 r)
{
    if (r < 0)
        r = -errno;
    hfile_put(f);
    return r;
}

s64 hc_SOCKET(struct hostcall *hc)
{
    if (!allowed)
        return -ENOSYS;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct kind *k = &kinds[i];
        int fd;

        if (hc->arg[0] != (u64)k->family || hc->arg[1] != (u64)k->type ||
            hc->arg[2] != (u64)k->protocol)
            continue;
        fd = socket(k->family, k->type | SOCK_NONBLOCK | SOCK_CLOEXEC, k->protocol);
        return fd < 0 ? -errno : hfile_install_net(fd, k->family);
    }
    return -EPROTONOSUPPORT;
}

/* The address, copied and checked: its length, or -errno. */
static s64 take_address(struct sockaddr_storage *ss, const void *from, u64 len, int family)
{
    if (len < sizeof(ss->ss_family) || len > sizeof(*ss))
        return -EINVAL;
    if (!from)
        return -EFAULT;
    memset(ss, 0, sizeof(*ss));
    memcpy(ss, from, len);
    if (ss->ss_family != AF_UNSPEC && ss->ss_family != AF_INET && ss->ss_family != AF_INET6 &&
        ss->ss_family != AF_NETLINK)
        return -EAFNOSUPPORT;
    if ((family == AF_NETLINK) != (ss->ss_family == AF_NETLINK) && ss->ss_family != AF_UNSPEC)
        return -EAFNOSUPPORT;
    if (ss->ss_family == AF_NETLINK && ((struct sockaddr_nl *)ss)->nl_groups)
        return -EPERM; /* questions only */
    return (s64)len;
}

static s64 with_address(struct hostcall *hc, int (*call)(int, const struct sockaddr *, socklen_t))
{
    struct sockaddr_storage ss;
    struct hfile *f;
    s64 r;

    f = net_get(hc->arg[0], &r);
    if (!f)
        return r;
    r = hc->arg[2] > sizeof(ss) ? -EINVAL
                                : take_address(&ss, memory_translate(GPA(hc->arg[1]), hc->arg[2]),
                                               hc->arg[2], f->net_family);
    if (r < 0) {
        hfile_put(f);
        return r;
    }
    return finish(f, call(f->fd, (struct sockaddr *)&ss, (socklen_t)r));
}

s64 hc_SOCK_BIND(struct hostcall *hc)
{
    return with_address(hc, bind);
}

s64 hc_SOCK_CONNECT(struct hostcall *hc)
{
    return with_address(hc, connect);
}

s64 hc_SOCK_LISTEN(struct hostcall *hc)
{
    struct hfile *f;
    s64 r;

    if (hc->arg[1] > BACKLOG_MAX)
        return -EINVAL;
    f = net_get(hc->arg[0], &r);
    return f ? finish(f, listen(f->fd, (int)hc->arg[1])) : r;
}

s64 hc_SOCK_ACCEPT(struct hostcall *hc)
{
    struct hfile *f;
    int fd, family;
    s64 r;

    f = net_get(hc->arg[0], &r);
    if (!f)
        return r;
    family = f->net_family;
    fd = accept4(f->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    r = finish(f, fd);
    return r < 0 ? r : hfile_install_net(fd, family);
}

s64 hc_SOCK_SHUTDOWN(struct hostcall *hc)
{
    struct hfile *f;
    s64 r;

    if (hc->arg[1] > SHUT_RDWR)
        return -EINVAL;
    f = net_get(hc->arg[0], &r);
    return f ? finish(f, shutdown(f->fd, (int)hc->arg[1])) : r;
}

s64 hc_SOCK_NAME(struct hostcall *hc)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    struct hfile *f;
    s64 r;

    f = net_get(hc->arg[0], &r);
    if (!f)
        return r;
    r = finish(f, hc->arg[1] ? getpeername(f->fd, (struct sockaddr *)&ss, &len)
                             : getsockname(f->fd, (struct sockaddr *)&ss, &len));
    if (r < 0)
        return r;
    if (len > sizeof(ss))
        len = sizeof(ss);
    r = stub_copy_out(hc->arg[2], &ss, len);
    return r ? r : len;
}

/* ---- options ---- */

static const struct option *option_find(u64 level, u64 name)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (level == (u64)options[i].level && name == (u64)options[i].name)
            return &options[i];
    log_line(LOG_INFO, "socket option %llu of level %llu refused", (unsigned long long)name,
             (unsigned long long)level);
    return NULL;
}

s64 hc_SOCK_SETOPT(struct hostcall *hc)
{
    const struct option *o = option_find(hc->arg[1], hc->arg[2]);
    u8 value[HOST_OPTION_MAX];
    u64 len = hc->arg[4];
    struct hfile *f;
    void *from;
    s64 r;

    f = net_get(hc->arg[0], &r);
    if (!f)
        return r;
    r = !o || !o->set_min ? -ENOPROTOOPT : len < o->set_min ? -EINVAL : 0;
    if (!r && len > o->set_max)
        len = o->set_max;
    from = r ? NULL : memory_translate(GPA(hc->arg[3]), len);
    if (!r && !from)
        r = -EFAULT;
    if (r) {
        hfile_put(f);
        return r;
    }
    memcpy(value, from, len);
    return finish(f, setsockopt(f->fd, o->level, o->name, value, (socklen_t)len));
}

s64 hc_SOCK_GETOPT(struct hostcall *hc)
{
    const struct option *o = option_find(hc->arg[1], hc->arg[2]);
    u8 value[HOST_OPTION_MAX] = {0};
    socklen_t len = sizeof(value);
    struct hfile *f;
    s64 r;

    f = net_get(hc->arg[0], &r);
    if (!f)
        return r;
    if (!o) {
        hfile_put(f);
        return -ENOPROTOOPT;
    }
    if (hc->arg[4] < len)
        len = (socklen_t)hc->arg[4];
    r = finish(f, getsockopt(f->fd, o->level, o->name, value, &len));
    if (r < 0)
        return r;
    r = stub_copy_out(hc->arg[3], value, len);
    return r ? r : len;
}

/* ---- messages ---- */

/* The control messages of m (a private copy) are of the table. */
static s64 check_controls(struct host_msg *m)
{
    size_t off = 0;

    while (m->control_len - off >= sizeof(struct cmsghdr)) {
        struct cmsghdr h;
        size_t n, i;

        memcpy(&h, m->control + off, sizeof(h));
        if (h.cmsg_len < sizeof(h) || h.cmsg_len > m->control_len - off)
            return -EINVAL;
        n = h.cmsg_len - sizeof(h);
        for (i = 0; i < sizeof(controls) / sizeof(controls[0]); i++)
            if (h.cmsg_level == controls[i].level && h.cmsg_type == controls[i].type &&
                n >= controls[i].min && n <= controls[i].max)
                break;
        if (i == sizeof(controls) / sizeof(controls[0]))
            return -EINVAL;
        if (CMSG_ALIGN(h.cmsg_len) >= m->control_len - off)
            return 0;
        off += CMSG_ALIGN(h.cmsg_len);
    }
    return 0;
}

/* The message in guest memory: a private copy in *m, its data in *iov. */
static s64 take_msg(u64 pa, struct host_msg *m, struct iovec *iov)
{
    const void *from = memory_translate(GPA(pa), sizeof(*m));

    if (!from)
        return -EFAULT;
    memcpy(m, from, sizeof(*m));
    if (m->len > HC_IO_MAX || m->name_len > sizeof(m->name) || m->control_len > sizeof(m->control))
        return -EINVAL;
    iov->iov_len = m->len;
    iov->iov_base = memory_translate(GPA(m->data), m->len);
    return iov->iov_base || !m->len ? 0 : -EFAULT;
}

/* Requests that only ask. data is private. */
static bool only_asks(const u8 *data, size_t len)
{
    size_t off = 0;

    while (len - off >= sizeof(struct nlmsghdr)) {
        struct nlmsghdr h;

        memcpy(&h, data + off, sizeof(h));
        if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len - off)
            break; /* as the kernel does: what is behind is no message */
        if (h.nlmsg_type < RTM_BASE || h.nlmsg_type > RTM_MAX || (h.nlmsg_type & 3) != 2)
            return false;
        if (NLMSG_ALIGN(h.nlmsg_len) >= len - off)
            return true;
        off += NLMSG_ALIGN(h.nlmsg_len);
    }
    return off > 0;
}

/* Netlink requests are checked, so they are copied first: the guest must not change them. */
static s64 send_netlink(struct hfile *f, const struct iovec *iov)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    u8 *copy;
    s64 r;

    if (iov->iov_len > HOST_NETLINK_MAX)
        return -EMSGSIZE;
    copy = malloc(iov->iov_len + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, iov->iov_base, iov->iov_len);
    r = -EPERM;
    if (only_asks(copy, iov->iov_len)) {
        r = sendto(f->fd, copy, iov->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL,
                   (struct sockaddr *)&kernel, sizeof(kernel));
        if (r < 0)
            r = -errno;
    }
    free(copy);
    return r;
}

s64 hc_SOCK_SEND(struct hostcall *hc)
{
    struct sockaddr_storage ss;
    struct host_msg m;
    struct iovec iov;
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
    struct hfile *f;
    s64 r, err;

    f = net_get(hc->arg[0], &r);
    if (!f)
        return r;
    err = take_msg(hc->arg[1], &m, &iov);
    if (!err && m.name_len) {
        r = take_address(&ss, m.name, m.name_len, f->net_family);
        err = r < 0 ? r : 0;
        mh.msg_name = &ss;
        mh.msg_namelen = m.name_len;
    }
    if (!err)
        err = m.flags & ~(u32)SEND_FLAGS ? -EINVAL : check_controls(&m);
    if (!err && f->net_family == AF_NETLINK) {
        err = send_netlink(f, &iov);
        hfile_put(f);
        return err;
    }
    if (err) {
        hfile_put(f);
        return err;
    }
    if (m.control_len) {
        mh.msg_control = m.control;
        mh.msg_controllen = m.control_len;
    }
    return finish(f, sendmsg(f->fd, &mh, (int)m.flags | MSG_DONTWAIT | MSG_NOSIGNAL));
}

s64 hc_SOCK_RECV(struct hostcall *hc)
{
    struct host_msg m;
    struct iovec iov;
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
    struct hfile *f;
    s64 r, err;

    f = net_get(hc->arg[0], &r);
    if (!f)
        return r;
    err = take_msg(hc->arg[1], &m, &iov);
    if (!err && m.flags & ~(u32)RECV_FLAGS)
        err = -EINVAL;
    if (err) {
        hfile_put(f);
        return err;
    }
    mh.msg_name = m.name;
    mh.msg_namelen = sizeof(m.name);
    mh.msg_control = m.control;
    mh.msg_controllen = m.control_len;
    r = finish(f, recvmsg(f->fd, &mh, (int)m.flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
    if (r < 0)
        return r;
    m.name_len = mh.msg_namelen;
    m.control_len = (u32)mh.msg_controllen;
    m.flags = (u32)mh.msg_flags;
    err = stub_copy_out(hc->arg[1], &m, sizeof(m));
    return err ? err : r;
}

/* ---- ioctls ---- */

static bool in_list(unsigned long cmd, const unsigned long *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == cmd)
            return true;
    return false;
}

static s64 interface_list(struct hfile *f, u64 pa, u64 cap)
{
    struct ifreq list[64];
    struct ifconf c = {.ifc_len = sizeof(list), .ifc_req = list};
    s64 r = finish(f, ioctl(f->fd, SIOCGIFCONF, &c));

    if (r < 0)
        return r;
    if (c.ifc_len < 0 || (u64)c.ifc_len > cap)
        return -EINVAL;
    r = stub_copy_out(pa, list, (size_t)c.ifc_len);
    return r ? r : c.ifc_len;
}

s64 hc_SOCK_IOCTL(struct hostcall *hc)
{
    unsigned long cmd = hc->arg[1];
    struct timespec stamp = {0};
    struct ifreq req;
    struct hfile *f;
    const void *from;
    int value = 0;
    s64 r;

    f = net_get(hc->arg[0], &r);
    if (!f)
        return r;
    if (in_list(cmd, int_ioctls, sizeof(int_ioctls) / sizeof(int_ioctls[0]))) {
        r = finish(f, ioctl(f->fd, cmd, &value));
        hc->out[0] = (u64)(u32)value;
        return r;
    }
    if (cmd == SIOCGSTAMP_OLD || cmd == SIOCGSTAMPNS_OLD) {
        r = finish(f, ioctl(f->fd, cmd, &stamp));
        hc->out[0] = (u64)stamp.tv_sec;
        hc->out[1] = (u64)stamp.tv_nsec; /* or microseconds */
        return r;
    }
    if (cmd == SIOCGIFCONF)
        return interface_list(f, hc->arg[2], hc->arg[3]);
    from = memory_translate(GPA(hc->arg[2]), sizeof(req));
    if (!from || !in_list(cmd, ifreq_ioctls, sizeof(ifreq_ioctls) / sizeof(ifreq_ioctls[0]))) {
        hfile_put(f);
        return from ? -ENOTTY : -EFAULT;
    }
    memcpy(&req, from, sizeof(req));
    req.ifr_name[IFNAMSIZ - 1] = 0;
    r = finish(f, ioctl(f->fd, cmd, &req));
    return r < 0 ? r : stub_copy_out(hc->arg[2], &req, sizeof(req));
}
