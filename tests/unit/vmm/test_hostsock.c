// SPDX-License-Identifier: Apache-2.0
//
// The stub's sockets without a guest: kinds, families, lengths, options, control messages, netlink
// requests and ioctls that are forged, and a descriptor that is a socket but not one of these.

#include <check.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "vmm/abi/socket.h"
#include "vmm/hostcall/fd.h"
#include "vmm/hostcall/hostcall.h"
#include "vmm/hostcall/socket.h"
#include "vmm/memory.h"

#define RAM MIB(64)
#define BUF (RAM_GPA + MIB(1))
#define MSG (RAM_GPA + MIB(2))
#define END (RAM_GPA + RAM)

static struct hostcall last;

static s64 call_(u32 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    last = (struct hostcall){.nr = nr, .arg = {a, b, c, d, e, f}};
    hostcall_dispatch(&last);
    return last.ret;
}

#define CALL6(nr, a, b, c, d, e, f, ...) call_(HC_##nr, a, b, c, d, e, f)
#define CALL(nr, ...)                    CALL6(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define IS(want, ...)                    ck_assert_int_eq(CALL(__VA_ARGS__), want)

static void *host(u64 pa)
{
    return (char *)memory_base() + pa;
}

static struct host_msg *msg(u32 len)
{
    struct host_msg *m = host(MSG);

    memset(m, 0, sizeof(*m));
    m->data = BUF;
    m->len = len;
    return m;
}

static void setup(void)
{
    ck_assert_int_eq(memory_init(MEMORY_SHARED, RAM), 0);
    ck_assert_int_eq(hostcall_init(-1, -1), 0);
}

static void setup_allowed(void)
{
    setup();
    hostcall_allow_network();
}

static void put_loopback(u16 port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};

    memcpy(host(BUF), &a, sizeof(a));
}

static u64 udp(void)
{
    s64 fd = CALL(SOCKET, AF_INET, SOCK_DGRAM, IPPROTO_UDP);

    ck_assert_int_ge(fd, 0);
    return (u64)fd;
}

START_TEST(without_network)
{
    int s[2];

    IS(-ENOSYS, SOCKET, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    int fd = hfile_install(s[0]);
    ck_assert_int_ge(fd, 0);
    for (u32 nr = HC_SOCK_BIND; nr <= HC_SOCK_IOCTL; nr++)
        ck_assert_int_eq(call_(nr, (u64)fd, 0, 0, 0, 0, 0), -ENOSYS);
}
END_TEST

START_TEST(kinds)
{
    const u64 bad[][3] = {
        {AF_UNIX, SOCK_STREAM, 0},
        {AF_INET, SOCK_RAW, IPPROTO_ICMP},
        {AF_INET, SOCK_RAW, IPPROTO_RAW},
        {AF_PACKET, SOCK_RAW, 0},
        {AF_VSOCK, SOCK_STREAM, 0},
        {AF_ALG, SOCK_SEQPACKET, 0},
        {AF_NETLINK, SOCK_RAW, NETLINK_AUDIT},
        {AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER},
        {AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP},
        {AF_INET, SOCK_STREAM, 0},
        {AF_INET, SOCK_STREAM, IPPROTO_SCTP},
        {AF_INET | 1ULL << 32, SOCK_STREAM, IPPROTO_TCP},
        {~0ULL, ~0ULL, ~0ULL},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        IS(-EPROTONOSUPPORT, SOCKET, bad[i][0], bad[i][1], bad[i][2]);
    ck_assert_int_ge(CALL(SOCKET, AF_INET, SOCK_STREAM, IPPROTO_TCP), 0);
    ck_assert_int_ge(CALL(SOCKET, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), 0);
}
END_TEST

START_TEST(not_ours)
{
    int s[2], fd;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    fd = hfile_install(s[0]);
    for (u32 nr = HC_SOCK_BIND; nr <= HC_SOCK_IOCTL; nr++) {
        ck_assert_int_eq(call_(nr, (u64)fd, 0, 0, 0, 0, 0), -ENOTSOCK);
        ck_assert_int_eq(call_(nr, 77, 0, 0, 0, 0, 0), -EBADF);
        ck_assert_int_eq(call_(nr, ~0ULL, 0, 0, 0, 0, 0), -EBADF);
    }
}
END_TEST

START_TEST(addresses)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "\0abstract"};
    struct sockaddr_nl nl = {.nl_family = AF_NETLINK};
    u64 fd = udp(), nfd = (u64)CALL(SOCKET, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

    put_loopback(0);
    for (int i = 0; i < 2; i++) {
        u32 nr = i ? HC_SOCK_CONNECT : HC_SOCK_BIND;

        ck_assert_int_eq(call_(nr, fd, BUF, 0, 0, 0, 0), -EINVAL);
        ck_assert_int_eq(call_(nr, fd, BUF, 1, 0, 0, 0), -EINVAL);
        ck_assert_int_eq(call_(nr, fd, BUF, 129, 0, 0, 0), -EINVAL);
        ck_assert_int_eq(call_(nr, fd, BUF, ~0ULL, 0, 0, 0), -EINVAL);
        ck_assert_int_eq(call_(nr, fd, END - 8, 16, 0, 0, 0), -EFAULT);
        ck_assert_int_eq(call_(nr, fd, IMAGE_GPA, 16, 0, 0, 0), -EFAULT);
        ck_assert_int_eq(call_(nr, fd, 0, 16, 0, 0, 0), -EFAULT);
        memcpy(host(BUF), &un, sizeof(un));
        ck_assert_int_eq(call_(nr, fd, BUF, sizeof(un), 0, 0, 0), -EAFNOSUPPORT);
        memcpy(host(BUF), &nl, sizeof(nl));
        ck_assert_int_eq(call_(nr, fd, BUF, sizeof(nl), 0, 0, 0), -EAFNOSUPPORT);
        nl.nl_groups = 1;
        memcpy(host(BUF), &nl, sizeof(nl));
        ck_assert_int_eq(call_(nr, nfd, BUF, sizeof(nl), 0, 0, 0), -EPERM);
        nl.nl_groups = 0;
        put_loopback(0);
        ck_assert_int_eq(call_(nr, nfd, BUF, 16, 0, 0, 0), -EAFNOSUPPORT);
    }
    IS(0, SOCK_BIND, fd, BUF, 16);
    IS(16, SOCK_NAME, fd, 0, BUF);
    IS(-EFAULT, SOCK_NAME, fd, 0, END - 4);
    IS(-ENOTCONN, SOCK_NAME, fd, 1, BUF);
    IS(-EINVAL, SOCK_LISTEN, fd, 1 << 20);
    IS(-EINVAL, SOCK_SHUTDOWN, fd, 3);
    IS(-EOPNOTSUPP, SOCK_ACCEPT, fd);
}
END_TEST

START_TEST(options)
{
    const struct {
        u64 level, name;
    } bad[] = {
        {SOL_SOCKET, SO_ATTACH_FILTER},
        {SOL_SOCKET, SO_BINDTODEVICE},
        {SOL_SOCKET, SO_MARK},
        {SOL_SOCKET, SO_PEERCRED},
        {SOL_SOCKET, SO_SNDBUFFORCE},
        {SOL_IP, IP_HDRINCL},
        {SOL_IP, 64 /* IPT_SO_SET_REPLACE */},
        {SOL_TCP, TCP_ULP},
        {SOL_TCP, TCP_MD5SIG},
        {SOL_TCP, TCP_ZEROCOPY_RECEIVE},
        {SOL_TCP, TCP_REPAIR},
        {SOL_PACKET, 1},
        {~0ULL, ~0ULL},
        {SOL_SOCKET | 1ULL << 32, SO_REUSEADDR},
    };
    u64 fd = udp();
    int one = 1;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        IS(-ENOPROTOOPT, SOCK_SETOPT, fd, bad[i].level, bad[i].name, BUF, 4);
        IS(-ENOPROTOOPT, SOCK_GETOPT, fd, bad[i].level, bad[i].name, BUF, 4);
    }
    memcpy(host(BUF), &one, sizeof(one));
    IS(-ENOPROTOOPT, SOCK_SETOPT, fd, SOL_SOCKET, SO_ERROR, BUF, 4);
    IS(-EINVAL, SOCK_SETOPT, fd, SOL_SOCKET, SO_REUSEADDR, BUF, 3);
    IS(-EFAULT, SOCK_SETOPT, fd, SOL_SOCKET, SO_REUSEADDR, END - 2, 4);
    IS(0, SOCK_SETOPT, fd, SOL_SOCKET, SO_REUSEADDR, BUF, 4);
    IS(0, SOCK_SETOPT, fd, SOL_SOCKET, SO_REUSEADDR, BUF, ~0ULL);
    IS(4, SOCK_GETOPT, fd, SOL_SOCKET, SO_REUSEADDR, BUF, ~0ULL);
    IS(-EFAULT, SOCK_GETOPT, fd, SOL_SOCKET, SO_REUSEADDR, END - 2, 4);
    IS(2, SOCK_GETOPT, fd, SOL_SOCKET, SO_TYPE, BUF, 2);
}
END_TEST

static void control(struct host_msg *m, int level, int type, size_t n)
{
    struct cmsghdr h = {CMSG_LEN(n), level, type};

    memcpy(m->control, &h, sizeof(h));
    m->control_len = (u32)CMSG_SPACE(n);
}

START_TEST(messages)
{
    u64 a = udp(), b = udp();
    struct host_msg *m;
    struct sockaddr_in name;

    put_loopback(0);
    IS(0, SOCK_BIND, a, BUF, 16);
    IS(16, SOCK_NAME, a, 0, BUF);
    memcpy(&name, host(BUF), sizeof(name));
    m = msg(5);
    memcpy(m->name, &name, sizeof(name));
    m->name_len = sizeof(name);
    memcpy(host(BUF), "hello", 5);
    IS(5, SOCK_SEND, b, MSG);
    m = msg(100);
    m->control_len = sizeof(m->control);
    IS(5, SOCK_RECV, a, MSG);
    ck_assert_int_eq(m->name_len, sizeof(name));
    msg(100);
    IS(-EAGAIN, SOCK_RECV, a, MSG);

    IS(-EFAULT, SOCK_SEND, b, END - 8);
    IS(-EFAULT, SOCK_RECV, b, 0);
    msg(~0u);
    IS(-EINVAL, SOCK_SEND, b, MSG);
    IS(-EINVAL, SOCK_RECV, b, MSG);
    msg(100)->data = END - 50;
    IS(-EFAULT, SOCK_SEND, b, MSG);
    IS(-EFAULT, SOCK_RECV, b, MSG);
    msg(1)->name_len = 129;
    IS(-EINVAL, SOCK_SEND, b, MSG);
    msg(1)->control_len = ~0u;
    IS(-EINVAL, SOCK_SEND, b, MSG);
    IS(-EINVAL, SOCK_RECV, b, MSG);
    msg(1)->flags = MSG_ZEROCOPY;
    IS(-EINVAL, SOCK_SEND, b, MSG);
    msg(1)->flags = MSG_WAITALL;
    IS(-EINVAL, SOCK_RECV, b, MSG);
    control(msg(1), SOL_SOCKET, SCM_RIGHTS, 4);
    IS(-EINVAL, SOCK_SEND, b, MSG);
    control(msg(1), SOL_SOCKET, SO_MARK, 4);
    IS(-EINVAL, SOCK_SEND, b, MSG);
    control(msg(1), SOL_IP, IP_TTL, 200);
    IS(-EINVAL, SOCK_SEND, b, MSG);
    m = msg(1);
    control(m, SOL_IP, IP_TTL, 4);
    m->control[0] = 15; /* shorter than its own header */
    IS(-EINVAL, SOCK_SEND, b, MSG);
    control(m, SOL_IP, IP_TTL, 4);
    memset(m->control, 0xff, 8);
    IS(-EINVAL, SOCK_SEND, b, MSG);
    m = msg(1);
    m->name[0] = AF_UNIX;
    m->name_len = 16;
    IS(-EAFNOSUPPORT, SOCK_SEND, b, MSG);
}
END_TEST

static s64 request(u64 fd, u16 type, u32 len, u32 total)
{
    struct {
        struct nlmsghdr h;
        struct ifinfomsg m;
    } r = {.h = {.nlmsg_len = len, .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};

    memset(host(BUF), 0, 65536);
    memcpy(host(BUF), &r, sizeof(r));
    msg(total);
    return CALL(SOCK_SEND, fd, MSG);
}

START_TEST(netlink)
{
    u64 fd = (u64)CALL(SOCKET, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    struct nlmsghdr second = {.nlmsg_len = 32, .nlmsg_type = RTM_NEWLINK};

    ck_assert_int_eq(request(fd, RTM_GETLINK, 32, 32), 32);
    msg(65536);
    ck_assert_int_gt(CALL(SOCK_RECV, fd, MSG), 32);
    ck_assert_int_eq(request(fd, RTM_NEWLINK, 32, 32), -EPERM);
    ck_assert_int_eq(request(fd, RTM_DELADDR, 32, 32), -EPERM);
    ck_assert_int_eq(request(fd, RTM_NEWROUTE, 32, 32), -EPERM);
    ck_assert_int_eq(request(fd, NLMSG_DONE, 32, 32), -EPERM);
    ck_assert_int_eq(request(fd, RTM_GETLINK, 8, 32), -EPERM);
    ck_assert_int_eq(request(fd, RTM_GETLINK, 33, 32), -EPERM);
    ck_assert_int_eq(request(fd, RTM_GETLINK, ~0u, 32), -EPERM);
    ck_assert_int_eq(request(fd, RTM_GETLINK, 32, 0), -EPERM);
    ck_assert_int_eq(request(fd, RTM_GETLINK, 32, HOST_NETLINK_MAX + 1), -EMSGSIZE);
    request(fd, RTM_GETLINK, 32, 32);
    memcpy((char *)host(BUF) + 32, &second, sizeof(second));
    msg(64);
    IS(-EPERM, SOCK_SEND, fd, MSG); /* behind a question that is allowed */
}
END_TEST

START_TEST(ioctls)
{
    u64 fd = udp();
    struct ifreq r = {.ifr_name = "lo"};

    memcpy(host(BUF), &r, sizeof(r));
    IS(0, SOCK_IOCTL, fd, SIOCGIFFLAGS, BUF);
    IS(0, SOCK_IOCTL, fd, FIONREAD);
    IS(-ENOTTY, SOCK_IOCTL, fd, SIOCSIFFLAGS, BUF);
    IS(-ENOTTY, SOCK_IOCTL, fd, TIOCSTI, BUF);
    IS(-ENOTTY, SOCK_IOCTL, fd, ~0ULL, BUF);
    IS(-EFAULT, SOCK_IOCTL, fd, SIOCGIFFLAGS, END - 8);
    IS(-EINVAL, SOCK_IOCTL, fd, SIOCGIFCONF, BUF, 8);
    IS(-EFAULT, SOCK_IOCTL, fd, SIOCGIFCONF, END - 8, 4096);
    ck_assert_int_ge(CALL(SOCK_IOCTL, fd, SIOCGIFCONF, BUF, 4096), 40);
    memset(host(BUF), 'x', sizeof(r));
    IS(-ENODEV, SOCK_IOCTL, fd, SIOCGIFFLAGS, BUF);
}
END_TEST

START_TEST(garbage)
{
    const u64 odd[] = {0,   1,   2,       3,  4,       6,      10,     16,    17,  18,
                       BUF, MSG, END - 4, 40, 1 << 12, 0x8913, 0x8912, ~0ULL, 128, 1ULL << 32};

    srandom(1);
    for (int i = 0; i < 20000; i++) {
        u32 nr = HC_SOCKET + (u32)random() % (HC_SOCK_IOCTL - HC_SOCKET + 1);
        u64 a[6];

        for (int j = 0; j < 6; j++)
            a[j] = odd[(size_t)random() % (sizeof(odd) / sizeof(odd[0]))];
        for (size_t j = 0; j < sizeof(struct host_msg); j++)
            if (random() % 8 == 0)
                ((u8 *)host(MSG))[j] = (u8)random();
        call_(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        if (i % 50 == 0)
            for (u64 j = 0; j < 64; j++)
                hfile_close(j);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("hostsock");
    TCase *closed = tcase_create("closed"), *t = tcase_create("all");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(closed, setup, NULL);
    tcase_add_test(closed, without_network);
    suite_add_tcase(s, closed);
    tcase_add_checked_fixture(t, setup_allowed, NULL);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, kinds);
    tcase_add_test(t, not_ours);
    tcase_add_test(t, addresses);
    tcase_add_test(t, options);
    tcase_add_test(t, messages);
    tcase_add_test(t, netlink);
    tcase_add_test(t, ioctls);
    tcase_add_test(t, garbage);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
