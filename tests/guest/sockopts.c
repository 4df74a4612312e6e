// SPDX-License-Identifier: Apache-2.0
//
// Socket options: the default of each, what each value becomes, on every kind of socket.

#include "t.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <net/if.h>
#include <sys/socket.h>

#define O(level, name) level, name, #name

static const struct {
    int level, name;
    const char *text;
    int values[6];
} options[] = {
    {O(SOL_SOCKET, SO_TYPE), {1}},
    {O(SOL_SOCKET, SO_DOMAIN), {1}},
    {O(SOL_SOCKET, SO_PROTOCOL), {1}},
    {O(SOL_SOCKET, SO_ERROR), {1}},
    {O(SOL_SOCKET, SO_ACCEPTCONN), {1}},
    {O(SOL_SOCKET, SO_REUSEADDR), {1, 7, 0}},
    {O(SOL_SOCKET, SO_REUSEPORT), {1, 0}},
    {O(SOL_SOCKET, SO_KEEPALIVE), {1, -1, 0}},
    {O(SOL_SOCKET, SO_BROADCAST), {1, 0}},
    {O(SOL_SOCKET, SO_DONTROUTE), {1, 0}},
    {O(SOL_SOCKET, SO_OOBINLINE), {1, 0}},
    {O(SOL_SOCKET, SO_TIMESTAMP), {1, 0}},
    {O(SOL_SOCKET, SO_PRIORITY), {3, 6, 0}},
    {O(SOL_SOCKET, SO_RCVLOWAT), {5, 0, 1}},
    {O(SOL_SOCKET, SO_SNDLOWAT), {5}},
    {O(SOL_SOCKET, 9999), {1}},
    {O(SOL_IP, IP_TOS), {16, 255, 3, 0}},
    {O(SOL_IP, IP_TTL), {33, 0, 256, -1, 64}},
    {O(SOL_IP, IP_MULTICAST_TTL), {5, 256, -1, 1}},
    {O(SOL_IP, IP_MULTICAST_LOOP), {0, 1}},
    {O(SOL_IP, IP_PKTINFO), {1, 0}},
    {O(SOL_IP, IP_RECVTTL), {1, 0}},
    {O(SOL_IP, IP_RECVTOS), {1, 0}},
    {O(SOL_IP, IP_RECVERR), {1, 0}},
    {O(SOL_IP, IP_FREEBIND), {1, 0}},
    {O(SOL_IP, IP_MTU_DISCOVER), {0, 2, 9, 1}},
    {O(SOL_IP, IP_MTU), {1}},
    {O(SOL_IP, 999), {1}},
    {O(SOL_IPV6, IPV6_V6ONLY), {1, 0}},
    {O(SOL_IPV6, IPV6_UNICAST_HOPS), {5, 0, 256, -1}},
    {O(SOL_IPV6, IPV6_MULTICAST_HOPS), {5, 256, -1}},
    {O(SOL_IPV6, IPV6_MULTICAST_LOOP), {0, 1}},
    {O(SOL_IPV6, IPV6_RECVPKTINFO), {1, 0}},
    {O(SOL_IPV6, IPV6_RECVHOPLIMIT), {1, 0}},
    {O(SOL_IPV6, IPV6_RECVTCLASS), {1, 0}},
    {O(SOL_IPV6, IPV6_TCLASS), {16, 256, -1}},
    {O(SOL_IPV6, IPV6_RECVERR), {1, 0}},
    {O(SOL_IPV6, 999), {1}},
    {O(SOL_TCP, TCP_NODELAY), {1, 0}},
    {O(SOL_TCP, TCP_CORK), {1, 0}},
    {O(SOL_TCP, TCP_KEEPIDLE), {10, 0, 32768}},
    {O(SOL_TCP, TCP_KEEPINTVL), {10, 0, 32768}},
    {O(SOL_TCP, TCP_KEEPCNT), {3, 0, 128}},
    {O(SOL_TCP, TCP_SYNCNT), {3, 0, 128}},
    {O(SOL_TCP, TCP_USER_TIMEOUT), {1000, -1, 0}},
    {O(SOL_TCP, TCP_LINGER2), {10, -1, 500, 0}},
    {O(SOL_TCP, TCP_DEFER_ACCEPT), {1, 5, 0}},
    {O(SOL_TCP, 999), {1}},
};

static void show(int fd, int i, const char *kind, const char *when)
{
    int v = -77;
    socklen_t n = sizeof(v);
    int r = getsockopt(fd, options[i].level, options[i].name, &v, &n);

    if (r)
        t_say("%s %s %s: %s", kind, options[i].text, when, strerrorname_np(errno));
    else
        t_say("%s %s %s: %d (%d bytes)", kind, options[i].text, when, v, (int)n);
}

static void all(int family, int type, const char *kind)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        int fd = socket(family, type, 0);

        must(fd >= 0);
        show(fd, (int)i, kind, "default");
        for (int k = 0; k < 6 && (k == 0 || options[i].values[k - 1]); k++) {
            int v = options[i].values[k];
            char when[64];

            if (setsockopt(fd, options[i].level, options[i].name, &v, sizeof(v)))
                t_say("%s %s = %d: %s", kind, options[i].text, v, strerrorname_np(errno));
            snprintf(when, sizeof(when), "after %d", v);
            show(fd, (int)i, kind, when);
        }
        close(fd);
    }
}

static void buffers(int family, int type, const char *kind)
{
    int fd = socket(family, type, 0), v, opts[] = {SO_SNDBUF, SO_RCVBUF};
    const int values[] = {0, 1000, 5000, 100000};
    socklen_t n = sizeof(v);

    for (int o = 0; o < 2; o++)
        for (int i = 0; i < 4; i++) {
            v = values[i];
            must(setsockopt(fd, SOL_SOCKET, opts[o], &v, sizeof(v)) == 0);
            must(getsockopt(fd, SOL_SOCKET, opts[o], &v, &n) == 0);
            t_say("%s %s %d: %d", kind, o ? "SO_RCVBUF" : "SO_SNDBUF", values[i], v);
        }
    close(fd);
}

static void others(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), v = 1;
    struct linger l = {1, 30}, got = {0};
    socklen_t n = sizeof(got);
    unsigned char b;
    char name[16] = "reno";
    struct ifreq r = {.ifr_name = "lo"};

    ok(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_LINGER, &got, &n) == 0 && got.l_onoff &&
           got.l_linger == 30,
       "SO_LINGER");
    fails(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, 4), EINVAL);
    fails(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &v, 3), EINVAL);
    fails(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, (void *)8, 4), EFAULT);
    fails(setsockopt(fd, SOL_TCP, TCP_NODELAY, &v, 3), EINVAL);
    b = 9;
    ok(setsockopt(fd, SOL_IP, IP_TTL, &b, 1) == 0, "a byte for IP_TTL");
    n = 1;
    ok(getsockopt(fd, SOL_IP, IP_TTL, &b, &n) == 0 && b == 9 && n == 1, "and one back");
    n = 2;
    ok(getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &n) == 0 && n == 2, "a short buffer gets a part");
    n = -1;
    fails(getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &n), EINVAL);
    ok(setsockopt(fd, SOL_TCP, TCP_CONGESTION, "reno", 4) == 0, "TCP_CONGESTION");
    n = sizeof(name);
    ok(getsockopt(fd, SOL_TCP, TCP_CONGESTION, name, &n) == 0 && !strcmp(name, "reno") && n == 16,
       "and back");
    fails(setsockopt(fd, SOL_TCP, TCP_CONGESTION, "nonsense", 8), ENOENT);
    ok(ioctl(fd, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING)) ==
                                               (IFF_UP | IFF_LOOPBACK | IFF_RUNNING),
       "SIOCGIFFLAGS");
    ok(ioctl(fd, SIOCGIFADDR, &r) == 0 &&
           ((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK),
       "SIOCGIFADDR");
    ok(ioctl(fd, SIOCGIFNETMASK, &r) == 0 &&
           ((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr == htonl(0xff000000),
       "SIOCGIFNETMASK");
    ok(ioctl(fd, SIOCGIFMTU, &r) == 0 && r.ifr_mtu == 65536, "SIOCGIFMTU");
    ok(ioctl(fd, SIOCGIFHWADDR, &r) == 0 && r.ifr_hwaddr.sa_family == 772, "SIOCGIFHWADDR");
    ok(ioctl(fd, SIOCGIFINDEX, &r) == 0 && r.ifr_ifindex == 1, "SIOCGIFINDEX");
    memset(r.ifr_name, 0, sizeof(r.ifr_name));
    r.ifr_ifindex = 1;
    ok(ioctl(fd, SIOCGIFNAME, &r) == 0 && !strcmp(r.ifr_name, "lo"), "SIOCGIFNAME");
    strcpy(r.ifr_name, "nonsense");
    fails(ioctl(fd, SIOCGIFFLAGS, &r), ENODEV);
    fails(ioctl(fd, 0x5678, &r), ENOTTY);
    close(fd);
    fails(socket(AF_INET, 99, 0), EINVAL);
    fails(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    fails(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
    fails(socket(AF_INET, SOCK_STREAM, -1), EINVAL);
    fails(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
    fails(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
    fails(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){0}), EOPNOTSUPP);
}

int main(void)
{
    all(AF_INET, SOCK_STREAM, "tcp");
    all(AF_INET6, SOCK_STREAM, "tcp6");
    all(AF_INET, SOCK_DGRAM, "udp");
    all(AF_INET6, SOCK_DGRAM, "udp6");
    buffers(AF_INET, SOCK_STREAM, "tcp");
    buffers(AF_INET, SOCK_DGRAM, "udp");
    buffers(AF_UNIX, SOCK_STREAM, "unix");
    others();
    return t_done();
}
