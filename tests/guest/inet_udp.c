// SPDX-License-Identifier: Apache-2.0
//
// UDP over loopback: borders, addresses, errors that come back, what control messages tell, ping
// sockets.

#include "t.h"
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static struct sockaddr_in v4(const char *ip, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

    inet_pton(AF_INET, ip, &a.sin_addr);
    return a;
}

static struct sockaddr_in6 v6(const char *ip, int port)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    inet_pton(AF_INET6, ip, &a.sin6_addr);
    return a;
}

static int port_of(int fd)
{
    struct sockaddr_in6 a;
    socklen_t n = sizeof(a);

    must(getsockname(fd, (void *)&a, &n) == 0);
    return ntohs(a.sin6_port);
}

static int bound(const char *ip)
{
    struct sockaddr_in a = v4(ip, 0);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    must(bind(fd, (void *)&a, sizeof(a)) == 0);
    return fd;
}

static int events(int fd, int want)
{
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};

    for (int i = 0; i < 100; i++) {
        poll(&p, 1, 0);
        if ((p.revents & want) == want)
            break;
        t_msleep(5);
    }
    return p.revents;
}

static void datagrams(void)
{
    static char big[70000];
    int s = bound("127.0.0.1"), c = socket(AF_INET, SOCK_DGRAM, 0), n;
    struct sockaddr_in a = v4("127.0.0.1", port_of(s)), b = {0};
    socklen_t len = sizeof(b);
    char buf[16];

    ok(events(c, 0) == POLLOUT, "a fresh socket: POLLOUT");
    fails(send(c, "x", 1, 0), EDESTADDRREQ);
    fails(recv(s, buf, 1, MSG_DONTWAIT), EAGAIN);
    ok(sendto(c, "hello", 5, 0, (void *)&a, sizeof(a)) == 5, "sendto");
    ok(port_of(c) >= 1024, "and the sender has a port");
    ok(events(s, POLLIN) == (POLLIN | POLLOUT), "POLLIN");
    ok(ioctl(s, FIONREAD, &n) == 0 && n == 5, "FIONREAD");
    ok(recvfrom(s, buf, 16, MSG_PEEK, (void *)&b, &len) == 5 && ntohs(b.sin_port) == port_of(c) &&
           b.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && len == sizeof(b),
       "peek, with address");
    ok(recv(s, buf, 2, MSG_TRUNC) == 5 && !memcmp(buf, "he", 2), "MSG_TRUNC");
    ok(recv(s, buf, 2, MSG_DONTWAIT) == -1, "the rest is gone");
    sendto(c, "", 0, 0, (void *)&a, sizeof(a));
    sendto(c, "two", 3, 0, (void *)&a, sizeof(a));
    ok(events(s, POLLIN) & POLLIN && recv(s, buf, 16, 0) == 0, "an empty one");
    ok(recv(s, buf, 16, 0) == 3, "and the next");
    ok(sendto(c, big, 65507, 0, (void *)&a, sizeof(a)) == 65507, "the longest");
    ok(recv(s, big, sizeof(big), 0) == 65507, "arrives");
    fails(sendto(c, big, 65508, 0, (void *)&a, sizeof(a)), EMSGSIZE);
    a.sin_port = 0;
    fails(sendto(c, "x", 1, 0, (void *)&a, sizeof(a)), EINVAL);
    a = v4("127.0.0.1", port_of(s));
    fails(sendto(c, "x", 1, 0, (void *)&a, 8), EINVAL);
    a.sin_family = AF_UNIX;
    fails(sendto(c, "x", 1, 0, (void *)&a, sizeof(a)), EAFNOSUPPORT);
    fails(listen(c, 1), EOPNOTSUPP);
    fails(accept(c, NULL, NULL), EOPNOTSUPP);
    fails(send(c, "x", 1, MSG_OOB), EOPNOTSUPP);
    a = v4("127.255.255.255", port_of(s));
    fails(sendto(c, "x", 1, 0, (void *)&a, sizeof(a)), EACCES);
    n = 1024;
    must(setsockopt(s, SOL_SOCKET, SO_RCVBUF, &n, sizeof(n)) == 0);
    a = v4("127.0.0.1", port_of(s));
    for (int i = 0; i < 1000; i++)
        must(sendto(c, "12345678", 8, 0, (void *)&a, sizeof(a)) == 8);
    t_msleep(20);
    for (n = 0; recv(s, buf, 16, MSG_DONTWAIT) == 8; n++)
        ;
    ok(n > 0 && n < 100, "what does not fit is dropped");
    close(c);
    close(s);
}

static void connected(void)
{
    int s = bound("127.0.0.1"), c = socket(AF_INET, SOCK_DGRAM, 0), o = bound("127.0.0.1");
    struct sockaddr_in a = v4("127.0.0.1", port_of(s)), b;
    socklen_t len = sizeof(b);
    char buf[16];

    ok(connect(c, (void *)&a, sizeof(a)) == 0, "connect");
    ok(getpeername(c, (void *)&b, &len) == 0 && b.sin_port == a.sin_port, "getpeername");
    ok(getsockname(c, (void *)&b, &len) == 0 && b.sin_addr.s_addr == htonl(INADDR_LOOPBACK),
       "getsockname");
    ok(send(c, "abc", 3, 0) == 3 && recv(s, buf, 16, 0) == 3, "send");
    a = v4("127.0.0.1", port_of(c));
    ok(sendto(o, "strange", 7, 0, (void *)&a, sizeof(a)) == 7, "somebody else sends");
    ok(sendto(s, "peer", 4, 0, (void *)&a, sizeof(a)) == 4, "the peer sends");
    ok(recv(c, buf, 16, 0) == 4, "only the peer is heard");
    b = v4("127.0.0.1", port_of(o));
    ok(sendto(c, "x", 1, 0, (void *)&b, sizeof(b)) == 1 && recv(o, buf, 16, 0) == 1,
       "but others can be sent to");
    ok(shutdown(c, SHUT_RD) == 0 && recv(c, buf, 16, 0) == 0, "SHUT_RD");
    ok(shutdown(c, SHUT_WR) == 0, "SHUT_WR");
    fails(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
    close(c);
    c = socket(AF_INET, SOCK_DGRAM, 0);
    fails(shutdown(c, SHUT_RDWR), ENOTCONN);
    close(c);
    c = socket(AF_INET, SOCK_DGRAM, 0);
    a = v4("127.0.0.1", port_of(s));
    must(connect(c, (void *)&a, sizeof(a)) == 0);
    a.sin_family = AF_UNSPEC;
    ok(connect(c, (void *)&a, sizeof(a)) == 0, "AF_UNSPEC disconnects");
    fails(getpeername(c, (void *)&b, &len), ENOTCONN);
    ok(port_of(c) == 0, "and the port is free");
    close(c);
    close(o);
    close(s);
}

static void refused(void)
{
    int s = bound("127.0.0.1"), c = socket(AF_INET, SOCK_DGRAM, 0), one = 1, e;
    struct sockaddr_in a = v4("127.0.0.1", port_of(s));
    socklen_t len = sizeof(e);
    char buf[16], control[256];
    struct iovec iov = {buf, sizeof(buf)};
    struct sockaddr_in from;
    struct msghdr mh = {.msg_name = &from,
                        .msg_namelen = sizeof(from),
                        .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control,
                        .msg_controllen = sizeof(control)};

    close(s);
    ok(sendto(c, "x", 1, 0, (void *)&a, sizeof(a)) == 1, "to nobody");
    t_msleep(10);
    ok(events(c, 0) == POLLOUT, "who is not connected does not learn of it");
    must(connect(c, (void *)&a, sizeof(a)) == 0);
    ok(send(c, "x", 1, 0) == 1, "connected, to nobody");
    ok(events(c, POLLERR) & POLLERR, "POLLERR");
    fails(send(c, "x", 1, 0), ECONNREFUSED);
    ok(send(c, "x", 1, 0) == 1 && (events(c, POLLERR) & POLLERR), "again");
    fails(recv(c, buf, 1, 0), ECONNREFUSED);
    send(c, "x", 1, 0);
    events(c, POLLERR);
    ok(getsockopt(c, SOL_SOCKET, SO_ERROR, &e, &len) == 0 && e == ECONNREFUSED, "SO_ERROR");
    close(c);

    c = socket(AF_INET, SOCK_DGRAM, 0);
    must(setsockopt(c, SOL_IP, IP_RECVERR, &one, sizeof(one)) == 0);
    sendto(c, "payload", 7, 0, (void *)&a, sizeof(a));
    ok(events(c, POLLERR) & POLLERR, "IP_RECVERR: POLLERR without a connection");
    ok(recvmsg(c, &mh, MSG_ERRQUEUE) == 7 && !memcmp(buf, "payload", 7), "what was sent");
    ok((mh.msg_flags & MSG_ERRQUEUE) && from.sin_port == a.sin_port, "and where to");
    struct cmsghdr *h = CMSG_FIRSTHDR(&mh);
    struct sock_extended_err *x = (void *)CMSG_DATA(h);
    struct sockaddr_in *off = (void *)(x + 1);
    ok(h->cmsg_level == SOL_IP && h->cmsg_type == IP_RECVERR && x->ee_errno == ECONNREFUSED &&
           x->ee_origin == SO_EE_ORIGIN_ICMP && x->ee_type == ICMP_DEST_UNREACH &&
           x->ee_code == ICMP_PORT_UNREACH && off->sin_addr.s_addr == htonl(INADDR_LOOPBACK),
       "the error itself");
    fails(recvmsg(c, &mh, MSG_ERRQUEUE), EAGAIN);
    ok(events(c, 0) == POLLOUT, "quiet again");
    close(c);
}

static void show_control(struct msghdr *mh, const char *what)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(mh); h; h = CMSG_NXTHDR(mh, h)) {
        int v = 0;

        if (h->cmsg_level == SOL_IP && h->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo *p = (void *)CMSG_DATA(h);
            ok(p->ipi_addr.s_addr == htonl(INADDR_LOOPBACK) && p->ipi_ifindex == 1,
               "%s: IP_PKTINFO", what);
        } else if (h->cmsg_level == SOL_IPV6 && h->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo *p = (void *)CMSG_DATA(h);
            char s[64];
            ok(p->ipi6_ifindex == 1, "%s: IPV6_PKTINFO %s", what,
               inet_ntop(AF_INET6, &p->ipi6_addr, s, sizeof(s)));
        } else if (h->cmsg_level == SOL_SOCKET) {
            struct timeval *tv = (void *)CMSG_DATA(h);
            ok(labs(tv->tv_sec - time(NULL)) < 10, "%s: time stamp, %d bytes", what,
               (int)h->cmsg_len);
        } else if (h->cmsg_level == SOL_IP && h->cmsg_type == IP_ORIGDSTADDR) {
            struct sockaddr_in *a = (void *)CMSG_DATA(h);
            ok(a->sin_addr.s_addr == htonl(INADDR_LOOPBACK), "%s: IP_ORIGDSTADDR", what);
        } else {
            memcpy(&v, CMSG_DATA(h), h->cmsg_len - sizeof(*h) < 4 ? h->cmsg_len - sizeof(*h) : 4);
            t_say("%s: level %d type %d value %d", what, h->cmsg_level, h->cmsg_type, v);
        }
    }
}

static void control(void)
{
    int s = bound("0.0.0.0"), c = bound("127.0.0.1"), one = 1, ttl = 33, tos = 0x10;
    struct sockaddr_in a = v4("127.0.0.1", port_of(s));
    char buf[16], space[256];
    struct iovec iov = {buf, sizeof(buf)};
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

    for (int o = 0; o < 4; o++) {
        const int names[] = {IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_RECVORIGDSTADDR};
        ok(setsockopt(s, SOL_IP, names[o], &one, sizeof(one)) == 0, "option %d", names[o]);
    }
    struct timeval tv;
    ioctl(s, SIOCGSTAMP, &tv); /* the first call asks for time stamps */
    sendto(c, "x", 1, 0, (void *)&a, sizeof(a));
    recv(s, buf, 1, 0);
    ok(ioctl(s, SIOCGSTAMP, &tv) == 0 && labs(tv.tv_sec - time(NULL)) < 10, "SIOCGSTAMP");
    must(setsockopt(s, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof(one)) == 0);
    must(setsockopt(c, SOL_IP, IP_TTL, &ttl, sizeof(ttl)) == 0);
    must(setsockopt(c, SOL_IP, IP_TOS, &tos, sizeof(tos)) == 0);
    sendto(c, "x", 1, 0, (void *)&a, sizeof(a));
    mh.msg_control = space;
    mh.msg_controllen = sizeof(space);
    ok(recvmsg(s, &mh, 0) == 1 && !(mh.msg_flags & MSG_CTRUNC), "receive");
    show_control(&mh, "v4");
    sendto(c, "x", 1, 0, (void *)&a, sizeof(a));
    mh.msg_controllen = 40;
    ok(recvmsg(s, &mh, 0) == 1 && (mh.msg_flags & MSG_CTRUNC), "MSG_CTRUNC");
    char out[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int))] = {0};
    struct iovec oiov = {"out", 3};
    struct msghdr om = {.msg_name = &a,
                        .msg_namelen = sizeof(a),
                        .msg_iov = &oiov,
                        .msg_iovlen = 1,
                        .msg_control = out,
                        .msg_controllen = sizeof(out)};
    struct cmsghdr *h = CMSG_FIRSTHDR(&om);
    struct in_pktinfo info = {.ipi_spec_dst = {htonl(0x7f000002)}};
    *h = (struct cmsghdr){CMSG_LEN(sizeof(info)), SOL_IP, IP_PKTINFO};
    memcpy(CMSG_DATA(h), &info, sizeof(info));
    h = CMSG_NXTHDR(&om, h);
    *h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_IP, IP_TTL};
    ttl = 7;
    memcpy(CMSG_DATA(h), &ttl, sizeof(ttl));
    int any = bound("0.0.0.0");
    ok(sendmsg(any, &om, 0) == 3, "a source of our own choice");
    struct sockaddr_in from;
    mh.msg_name = &from;
    mh.msg_namelen = sizeof(from);
    mh.msg_controllen = sizeof(space);
    ok(recvmsg(s, &mh, 0) == 3 && from.sin_addr.s_addr == htonl(0x7f000002), "arrives as such");
    show_control(&mh, "chosen");
    close(any);
    close(s);
    close(c);
}

static void collected(void)
{
    int s = bound("127.0.0.1"), c = socket(AF_INET, SOCK_DGRAM, 0), v = 1;
    struct sockaddr_in a = v4("127.0.0.1", port_of(s));
    static char big[60000];
    char buf[16];

    must(connect(c, (void *)&a, sizeof(a)) == 0);
    ok(send(c, "ab", 2, MSG_MORE) == 2 && send(c, "cd", 2, MSG_MORE) == 2, "MSG_MORE");
    fails(recv(s, buf, 16, MSG_DONTWAIT), EAGAIN);
    ok(send(c, "e", 1, 0) == 1 && recv(s, buf, 16, 0) == 5 && !memcmp(buf, "abcde", 5), "is one");
    must(setsockopt(c, SOL_UDP, UDP_CORK, &v, sizeof(v)) == 0);
    send(c, "fg", 2, 0);
    send(c, "h", 1, 0);
    fails(recv(s, buf, 16, MSG_DONTWAIT), EAGAIN);
    v = 0;
    must(setsockopt(c, SOL_UDP, UDP_CORK, &v, sizeof(v)) == 0);
    ok(recv(s, buf, 16, 0) == 3 && !memcmp(buf, "fgh", 3), "UDP_CORK");
    must(send(c, big, sizeof(big), MSG_MORE) == sizeof(big));
    fails(send(c, big, sizeof(big), 0), EMSGSIZE);
    close(c);
    close(s);
}

static void six(void)
{
    int s = socket(AF_INET6, SOCK_DGRAM, 0), c = socket(AF_INET6, SOCK_DGRAM, 0), one = 1;
    struct sockaddr_in6 a = v6("::", 0), b;
    struct sockaddr_in a4;
    char buf[16], space[256], text[64];
    struct iovec iov = {buf, sizeof(buf)};
    struct msghdr mh = {.msg_name = &b, .msg_iov = &iov, .msg_iovlen = 1};

    must(bind(s, (void *)&a, sizeof(a)) == 0);
    must(setsockopt(s, SOL_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one)) == 0);
    must(setsockopt(s, SOL_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof(one)) == 0);
    must(setsockopt(s, SOL_IPV6, IPV6_RECVTCLASS, &one, sizeof(one)) == 0);
    a = v6("::1", port_of(s));
    for (int i = 0; i < 3; i++) {
        int fd = i == 2 ? socket(AF_INET, SOCK_DGRAM, 0) : c;
        if (i == 1)
            a = v6("::ffff:127.0.0.1", port_of(s));
        a4 = v4("127.0.0.1", port_of(s));
        if (i == 2)
            sendto(fd, "x", 1, 0, (void *)&a4, sizeof(a4));
        else
            ok(sendto(fd, "x", 1, 0, (void *)&a, sizeof(a)) == 1, "v6 way %d", i);
        mh.msg_control = space;
        mh.msg_controllen = sizeof(space);
        mh.msg_namelen = sizeof(b);
        must(recvmsg(s, &mh, 0) == 1);
        ok(mh.msg_namelen == sizeof(b), "v6 from %s",
           inet_ntop(AF_INET6, &b.sin6_addr, text, sizeof(text)));
        show_control(&mh, "v6");
    }
    a4 = v4("127.0.0.1", port_of(s));
    ok(sendto(c, "x", 1, 0, (void *)&a4, sizeof(a4)) == 1 && recv(s, buf, 1, 0) == 1,
       "a v4 address to a v6 socket");
    int o = socket(AF_INET6, SOCK_DGRAM, 0);
    must(setsockopt(o, SOL_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0);
    a = v6("::ffff:127.0.0.1", port_of(s));
    fails(sendto(o, "x", 1, 0, (void *)&a, sizeof(a)), ENETUNREACH);
    a = v6("::1", port_of(s));
    ok(connect(o, (void *)&a, sizeof(a)) == 0 && send(o, "x", 1, 0) == 1, "v6 only");
    close(o);
    close(s);
    close(c);
}

static void many(void)
{
    int s = bound("127.0.0.1"), c = bound("127.0.0.1");
    struct sockaddr_in a = v4("127.0.0.1", port_of(s)), from[8];
    char in[8][8], out[8][8];
    struct iovec ii[8], oi[8];
    struct mmsghdr im[8], om[8];
    struct timespec ts = {0, 50000000};

    for (int i = 0; i < 8; i++) {
        sprintf(out[i], "m%d", i);
        oi[i] = (struct iovec){out[i], i + 1};
        ii[i] = (struct iovec){in[i], 8};
        om[i] = (struct mmsghdr){{&a, sizeof(a), &oi[i], 1}};
        im[i] = (struct mmsghdr){{&from[i], sizeof(from[i]), &ii[i], 1}};
    }
    ok(sendmmsg(c, om, 5, 0) == 5 && om[4].msg_len == 5, "sendmmsg");
    ok(recvmmsg(s, im, 8, MSG_WAITFORONE, NULL) == 5 && im[4].msg_len == 5 &&
           from[4].sin_port == htons(port_of(c)),
       "recvmmsg, MSG_WAITFORONE");
    sendmmsg(c, om, 2, 0);
    ok(recvmmsg(s, im, 2, 0, &ts) == 2, "recvmmsg with a time-out");
    fails(recvmmsg(s, im, 2, MSG_DONTWAIT, NULL), EAGAIN);
    close(s);
    close(c);
}

int main(void)
{
    datagrams();
    connected();
    refused();
    control();
    collected();
    six();
    many();
    return t_done();
}
