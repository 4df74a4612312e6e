// SPDX-License-Identifier: Apache-2.0
//
// Which binds to one port go together: all pairs of addresses, with all mixes of SO_REUSEADDR and
// SO_REUSEPORT, for UDP and for TCP with and without a listener.

#include "t.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static const struct {
    const char *ip;
    int family;
    bool only6;
} addrs[] = {
    {"0.0.0.0", AF_INET, false},
    {"127.0.0.1", AF_INET, false},
    {"127.0.0.2", AF_INET, false},
    {"::", AF_INET6, false},
    {"::", AF_INET6, true},
    {"::1", AF_INET6, false},
    {"::ffff:127.0.0.1", AF_INET6, false},
};
#define N ((int)(sizeof(addrs) / sizeof(addrs[0])))

static socklen_t address(int i, int port, struct sockaddr_storage *ss)
{
    struct sockaddr_in *a = (void *)ss;
    struct sockaddr_in6 *a6 = (void *)ss;

    memset(ss, 0, sizeof(*ss));
    ss->ss_family = addrs[i].family;
    a->sin_port = htons(port); /* at the same place in both */
    if (addrs[i].family == AF_INET)
        inet_pton(AF_INET, addrs[i].ip, &a->sin_addr);
    else
        inet_pton(AF_INET6, addrs[i].ip, &a6->sin6_addr);
    return addrs[i].family == AF_INET ? sizeof(*a) : sizeof(*a6);
}

static int make(int i, int type, int flags)
{
    int fd = socket(addrs[i].family, type, 0), one = 1;

    must(fd >= 0);
    if (flags & 1)
        must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
    if (flags & 2)
        must(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) == 0);
    if (addrs[i].only6)
        must(setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0);
    return fd;
}

/* "." = both bind, "l" = but only the first may listen, "x" = EADDRINUSE, "?" = something else */
static char try(int i, int fi, int j, int fj, int type, bool listens)
{
    struct sockaddr_storage a;
    socklen_t n = address(i, 0, &a);
    int s = make(i, type, fi), t = make(j, type, fj);
    char r = '?';

    must(bind(s, (void *)&a, n) == 0);
    must(getsockname(s, (void *)&a, &n) == 0);
    if (listens)
        must(listen(s, 5) == 0);
    n = address(j, ntohs(((struct sockaddr_in *)&a)->sin_port), &a);
    if (bind(t, (void *)&a, n) == 0)
        r = type == SOCK_STREAM && listen(t, 5) ? (errno == EADDRINUSE ? 'l' : '?') : '.';
    else if (errno == EADDRINUSE)
        r = 'x';
    close(s);
    close(t);
    return r;
}

static void matrix(int type, bool listens, const char *what)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            char line[17] = "";

            for (int f = 0; f < 16; f++)
                for (int tries = 0; tries < 4 && line[f] != '.'; tries++) /* a stranger's port? */
                    line[f] = try(i, f & 3, j, f >> 2, type, listens);
            t_say("%s %s%s, then %s%s: %s", what, addrs[i].ip, addrs[i].only6 ? " only" : "",
                  addrs[j].ip, addrs[j].only6 ? " only" : "", line);
        }
}

static void errors(void)
{
    struct sockaddr_storage a;
    struct sockaddr_in *in = (void *)&a;
    int s = socket(AF_INET, SOCK_STREAM, 0), t = socket(AF_INET6, SOCK_STREAM, 0);
    socklen_t n = address(1, 0, &a);

    fails(bind(s, (void *)&a, 8), EINVAL);
    fails(bind(t, (void *)&a, n), EINVAL);
    in->sin_addr.s_addr = htonl(0x0a010203);
    fails(bind(s, (void *)&a, n), EADDRNOTAVAIL);
    in->sin_family = AF_INET6;
    fails(bind(s, (void *)&a, n), EAFNOSUPPORT);
    in->sin_family = AF_UNSPEC;
    fails(bind(s, (void *)&a, n), EAFNOSUPPORT);
    in->sin_addr.s_addr = 0;
    ok(bind(s, (void *)&a, n) == 0, "AF_UNSPEC and any address");
    fails(bind(s, (void *)&a, n), EINVAL);
    fails(setsockopt(t, SOL_IPV6, IPV6_V6ONLY, &n, 2), EINVAL);
    n = address(3, 0, &a);
    must(bind(t, (void *)&a, n) == 0);
    int one = 1;
    fails(setsockopt(t, SOL_IPV6, IPV6_V6ONLY, &one, sizeof(one)), EINVAL);
    close(t);
    t = socket(AF_INET6, SOCK_STREAM, 0);
    must(setsockopt(t, SOL_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0);
    n = address(6, 0, &a);
    fails(bind(t, (void *)&a, n), EINVAL);
    close(t);
    close(s);
    s = socket(AF_INET, SOCK_STREAM, 0);
    ok(listen(s, 1) == 0, "listen without bind");
    n = sizeof(a);
    ok(getsockname(s, (void *)&a, &n) == 0 && in->sin_port && !in->sin_addr.s_addr, "gets a port");
    close(s);
}

/* A server that closes first leaves its port occupied for a while. */
static void time_wait(void)
{
    struct sockaddr_storage a;
    socklen_t n = address(1, 0, &a);
    int one = 1, l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);

    must(bind(l, (void *)&a, n) == 0 && listen(l, 1) == 0 && !getsockname(l, (void *)&a, &n));
    must(connect(c, (void *)&a, n) == 0);
    int s = accept(l, NULL, NULL);
    close(l);
    l = socket(AF_INET, SOCK_STREAM, 0);
    fails(bind(l, (void *)&a, n), EADDRINUSE);
    close(s);
    t_msleep(50);
    close(c);
    t_msleep(50);
    fails(bind(l, (void *)&a, n), EADDRINUSE);
    must(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
    fails(bind(l, (void *)&a, n), EADDRINUSE); /* the old socket did not allow it */
    close(l);
    for (int i = 0; i < 2; i++) {
        l = socket(AF_INET, SOCK_STREAM, 0);
        must(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
        if (i == 0)
            n = address(1, 0, &a);
        ok(bind(l, (void *)&a, n) == 0, "a server that reuses its address, start %d", i);
        must(listen(l, 1) == 0 && !getsockname(l, (void *)&a, &n));
        c = socket(AF_INET, SOCK_STREAM, 0);
        must(connect(c, (void *)&a, n) == 0);
        s = accept(l, NULL, NULL);
        close(s);
        t_msleep(20);
        close(c);
        close(l);
    }
}

int main(void)
{
    errors();
    time_wait();
    matrix(SOCK_DGRAM, false, "udp");
    matrix(SOCK_STREAM, false, "tcp");
    matrix(SOCK_STREAM, true, "tcp listening");
    return t_done();
}
