// SPDX-License-Identifier: Apache-2.0
//
// TCP over loopback: connecting in all ways, ending in all ways, flags of send and receive, what
// poll says at each step.

#include "t.h"
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static struct sockaddr_in v4(const char *ip, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

    inet_pton(AF_INET, ip, &a.sin_addr);
    return a;
}

static int port_of(int fd)
{
    struct sockaddr_in6 a;
    socklen_t n = sizeof(a);

    must(getsockname(fd, (void *)&a, &n) == 0);
    return ntohs(a.sin6_port);
}

static int listener(const char *ip, int backlog)
{
    struct sockaddr_in a = v4(ip, 0);
    int l = socket(AF_INET, SOCK_STREAM, 0);

    must(bind(l, (void *)&a, sizeof(a)) == 0 && listen(l, backlog) == 0);
    return l;
}

static void pair(int s[2])
{
    int l = listener("127.0.0.1", 5);
    struct sockaddr_in a = v4("127.0.0.1", port_of(l));

    s[0] = socket(AF_INET, SOCK_STREAM, 0);
    must(connect(s[0], (void *)&a, sizeof(a)) == 0);
    s[1] = accept(l, NULL, NULL);
    must(s[1] >= 0);
    close(l);
}

static int events(int fd)
{
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0};

    poll(&p, 1, 0);
    return p.revents;
}

/* What a wire needs a moment for, loopback too. */
static int events_wait(int fd, int want)
{
    for (int i = 0; i < 100 && (events(fd) & want) != want; i++)
        t_msleep(10);
    return events(fd);
}

static int so_error(int fd)
{
    int e = -1;
    socklen_t n = sizeof(e);

    getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n);
    return e;
}

static int tcp_state(int fd)
{
    struct tcp_info i;
    socklen_t n = sizeof(i);

    return getsockopt(fd, SOL_TCP, TCP_INFO, &i, &n) == 0 ? i.tcpi_state : -1;
}

static void connecting(void)
{
    struct sockaddr_in a, b;
    socklen_t n = sizeof(b);
    int l, c, s;

    c = socket(AF_INET, SOCK_STREAM, 0);
    ok(events(c) == (POLLOUT | POLLHUP), "a fresh socket: POLLOUT and POLLHUP");
    fails(recv(c, &s, 1, 0), ENOTCONN);
    fails(send(c, &s, 1, MSG_NOSIGNAL), EPIPE);
    fails(getpeername(c, (void *)&b, &n), ENOTCONN);
    fails(accept(c, NULL, NULL), EINVAL);
    ok(getsockname(c, (void *)&b, &n) == 0 && b.sin_port == 0 && n == sizeof(b), "it has no name");
    l = listener("127.0.0.1", 5);
    a = v4("127.0.0.1", port_of(l));
    ok(events(l) == 0, "nobody waits");
    ok(tcp_state(l) == TCP_LISTEN, "state LISTEN");
    fails(recv(l, &s, 1, 0), ENOTCONN);
    fails(connect(l, (void *)&a, sizeof(a)), EISCONN);
    ok(connect(c, (void *)&a, sizeof(a)) == 0, "connect");
    ok(events(l) == POLLIN, "somebody waits");
    fails(connect(c, (void *)&a, sizeof(a)), EISCONN);
    n = sizeof(b);
    s = accept4(l, (void *)&b, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ok(s >= 0 && n == sizeof(b) && ntohs(b.sin_port) == port_of(c), "accept tells the peer");
    ok(fcntl(s, F_GETFL) == (O_RDWR | O_NONBLOCK) && fcntl(s, F_GETFD) == FD_CLOEXEC, "and flags");
    ok(getpeername(c, (void *)&b, &n) == 0 && b.sin_port == a.sin_port, "getpeername");
    ok(getsockname(c, (void *)&b, &n) == 0 && b.sin_addr.s_addr == htonl(INADDR_LOOPBACK),
       "getsockname");
    ok(tcp_state(c) == TCP_ESTABLISHED && tcp_state(s) == TCP_ESTABLISHED, "state ESTABLISHED");
    ok(events(c) == POLLOUT && events(s) == POLLOUT, "both may be written");
    close(s);
    close(c);
    close(l);
    c = socket(AF_INET, SOCK_STREAM, 0);
    fails(connect(c, (void *)&a, sizeof(a)), ECONNREFUSED);
    ok(so_error(c) == 0 && events(c) == (POLLOUT | POLLHUP), "and all is as before");
    l = listener("0.0.0.0", 5);
    a = v4("0.0.0.0", port_of(l));
    ok(connect(c, (void *)&a, sizeof(a)) == 0, "a second try, to any address");
    n = sizeof(b);
    ok(getpeername(c, (void *)&b, &n) == 0 && b.sin_addr.s_addr == htonl(INADDR_LOOPBACK),
       "is loopback");
    close(c);
    close(l);
    fails(connect(c, (void *)&a, sizeof(a)), EBADF);
    c = socket(AF_INET, SOCK_STREAM, 0);
    fails(connect(c, (void *)&a, 4), EINVAL);
    a.sin_family = AF_INET6;
    fails(connect(c, (void *)&a, sizeof(a)), EAFNOSUPPORT);
    close(c);
}

static void nonblocking(void)
{
    int l = listener("127.0.0.1", 5), c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in a = v4("127.0.0.1", port_of(l));

    fails(connect(c, (void *)&a, sizeof(a)), EINPROGRESS);
    ok(events_wait(c, POLLOUT) == POLLOUT && so_error(c) == 0, "POLLOUT tells the end");
    ok(connect(c, (void *)&a, sizeof(a)) == 0, "and so does the next call");
    fails(connect(c, (void *)&a, sizeof(a)), EISCONN);
    fails(recv(c, &a, 1, 0), EAGAIN);
    fcntl(l, F_SETFL, O_NONBLOCK);
    int s = accept(l, NULL, NULL);
    ok(s >= 0, "accept");
    fails(accept(l, NULL, NULL), EAGAIN);
    close(s);
    close(c);
    close(l);
    c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    fails(connect(c, (void *)&a, sizeof(a)), EINPROGRESS);
    ok(events_wait(c, POLLERR) == (POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP),
       "refused: everything");
    ok(so_error(c) == ECONNREFUSED && so_error(c) == 0, "SO_ERROR tells why, once");
    close(c);
    c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    fails(connect(c, (void *)&a, sizeof(a)), EINPROGRESS);
    events_wait(c, POLLERR);
    fails(connect(c, (void *)&a, sizeof(a)), ECONNREFUSED);
    close(c);
}

static void data(void)
{
    static char big[300000], in[300000];
    struct iovec iov[2] = {{in, 2}, {in + 2, 98}};
    struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2};
    int s[2], n;
    char buf[64];

    pair(s);
    ok(write(s[0], "abc", 3) == 3 && send(s[0], "def", 3, MSG_MORE) == 3 &&
           send(s[0], "", 0, 0) == 0,
       "send");
    write(s[0], "!", 1);
    events_wait(s[1], POLLIN);
    for (int i = 0; i < 100 && (ioctl(s[1], FIONREAD, &n), n) < 7; i++)
        t_msleep(5);
    ok(n == 7, "FIONREAD");
    ok(recv(s[1], buf, 4, MSG_PEEK) == 4 && !memcmp(buf, "abcd", 4), "peek");
    ok(recv(s[1], buf, 64, MSG_PEEK) == 7, "peek at all");
    ok(recv(s[1], buf, 2, 0) == 2 && recv(s[1], NULL, 1, MSG_TRUNC) == 1, "MSG_TRUNC drops");
    ok(recvmsg(s[1], &mh, 0) == 4 && !memcmp(in, "def!", 4) && mh.msg_flags == 0, "recvmsg");
    fails(recv(s[1], buf, 1, MSG_DONTWAIT), EAGAIN);
    fails(recv(s[1], buf, 0, MSG_DONTWAIT), EAGAIN);
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 4; i++) {
            t_msleep(20);
            must(write(s[0], "12345", 5) == 5);
        }
        _exit(0);
    }
    ok(recv(s[1], buf, 20, MSG_WAITALL) == 20, "MSG_WAITALL");
    waitpid(pid, NULL, 0);
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 7 + i / 251);
    pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 20; i++)
            must(write(s[0], big, sizeof(big)) == sizeof(big));
        _exit(0);
    }
    bool same = true;
    for (int i = 0; i < 20; i++)
        same &=
            recv(s[1], in, sizeof(in), MSG_WAITALL) == sizeof(in) && !memcmp(in, big, sizeof(in));
    ok(same, "6 MB arrive as they were sent");
    waitpid(pid, NULL, 0);
    long total = 0, r;
    while ((r = send(s[0], big, sizeof(big), MSG_DONTWAIT)) > 0)
        total += r;
    ok(r == -1 && errno == EAGAIN && total > 50000, "a full pipe");
    ok(!(events(s[0]) & POLLOUT), "no POLLOUT");
    while (total > 0 && (r = recv(s[1], in, sizeof(in), 0)) > 0)
        total -= r;
    ok(total == 0 && (events_wait(s[0], POLLOUT) & POLLOUT), "POLLOUT when it was read");
    fails(send(s[0], (void *)8, 10, 0), EFAULT);
    write(s[0], "x", 1);
    fails(recv(s[1], (void *)8, 1, 0), EFAULT);
    n = 64;
    must(setsockopt(s[1], SOL_SOCKET, SO_RCVLOWAT, &n, 4) == 0);
    recv(s[1], buf, 1, MSG_DONTWAIT);
    write(s[0], "0123456789", 10);
    t_msleep(20);
    ok(!(events(s[1]) & POLLIN), "SO_RCVLOWAT keeps poll quiet");
    close(s[0]);
    close(s[1]);
}

static void ending(void)
{
    char buf[16];
    int s[2];

    pair(s);
    write(s[0], "last", 4);
    ok(shutdown(s[0], SHUT_WR) == 0, "half close");
    fails(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    ok(events_wait(s[1], POLLRDHUP) == (POLLIN | POLLOUT | POLLRDHUP), "POLLRDHUP there");
    ok(read(s[1], buf, 16) == 4 && read(s[1], buf, 16) == 0 && read(s[1], buf, 16) == 0,
       "data, then the end, again and again");
    for (int i = 0; i < 100 && tcp_state(s[0]) != TCP_FIN_WAIT2; i++)
        t_msleep(5);
    ok(tcp_state(s[0]) == TCP_FIN_WAIT2 && tcp_state(s[1]) == TCP_CLOSE_WAIT, "states");
    ok(write(s[1], "back", 4) == 4 && read(s[0], buf, 16) == 4, "the other way still works");
    ok(events(s[0]) == 0 || events(s[0]) == POLLOUT, "no hang-up yet");
    close(s[1]);
    ok(events_wait(s[0], POLLHUP) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP), "POLLHUP");
    ok(read(s[0], buf, 16) == 0 && tcp_state(s[0]) == TCP_CLOSE, "end, closed");
    fails(getpeername(s[0], (void *)buf, &(socklen_t){16}), ENOTCONN);
    fails(shutdown(s[0], SHUT_RDWR), ENOTCONN);
    close(s[0]);

    pair(s);
    close(s[1]);
    events_wait(s[0], POLLIN);
    ok(write(s[0], "x", 1) == 1, "a write to a closed peer goes");
    events_wait(s[0], POLLHUP);
    ok(so_error(s[0]) == EPIPE, "but is answered by a reset");
    fails(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    ok(read(s[0], buf, 1) == 0, "reading gives the end");
    close(s[0]);

    pair(s);
    write(s[0], "unread", 6);
    events_wait(s[1], POLLIN);
    close(s[1]);
    ok((events_wait(s[0], POLLERR) & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP),
       "closed with data unread: a reset");
    fails(recv(s[0], buf, 1, 0), ECONNRESET);
    ok(recv(s[0], buf, 1, 0) == 0, "told once");
    fails(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    close(s[0]);

    pair(s);
    struct linger l = {1, 0};
    must(setsockopt(s[1], SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
    write(s[1], "seen", 4);
    close(s[1]);
    events_wait(s[0], POLLERR);
    ok(read(s[0], buf, 16) == 4, "SO_LINGER 0: what had come can be read");
    fails(send(s[0], "x", 1, MSG_NOSIGNAL), ECONNRESET);
    close(s[0]);

    pair(s);
    ok(shutdown(s[0], SHUT_RD) == 0 && read(s[0], buf, 1) == 0, "SHUT_RD: an end of our own");
    write(s[1], "more", 4);
    events_wait(s[0], POLLIN);
    t_msleep(20);
    ok(read(s[0], buf, 16) == 4, "but what comes can be read");
    close(s[0]);
    close(s[1]);
}

static void died(void *arg)
{
    int s[2];

    pair(s);
    shutdown(s[0], SHUT_WR);
    write(s[0], "x", 1);
}

static void unaccepted(void)
{
    int l = listener("127.0.0.1", 5), c = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = v4("127.0.0.1", port_of(l));
    char b;

    must(connect(c, (void *)&a, sizeof(a)) == 0);
    ok(write(c, "early", 5) == 5, "data before accept");
    close(l);
    events_wait(c, POLLERR);
    fails(read(c, &b, 1), ECONNRESET);
    close(c);
    l = listener("127.0.0.1", 0);
    a = v4("127.0.0.1", port_of(l));
    int c1 = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), last, n = 1;
    last = c1;
    for (; n < 10; n++) {
        last = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(last, (void *)&a, sizeof(a));
        t_msleep(20);
        if (!(events(last) & POLLOUT))
            break;
    }
    ok(n < 10, "a backlog is finite");
    fails(connect(last, (void *)&a, sizeof(a)), EALREADY);
    fails(send(last, "x", 1, MSG_NOSIGNAL), EAGAIN);
    ok(shutdown(l, SHUT_RD) == 0, "shutdown ends listening");
    fails(accept(l, NULL, NULL), EINVAL);
    ok(listen(l, 3) == 0, "listen again");
    close(c1);
    close(last);
    close(l);
}

static void urgent(void)
{
    char buf[16];
    int s[2], n;

    pair(s);
    fails(recv(s[1], buf, 1, MSG_OOB | MSG_DONTWAIT), EINVAL);
    ok(send(s[0], "abc", 3, MSG_OOB) == 3, "send urgent data");
    ok(events_wait(s[1], POLLPRI) & POLLPRI, "POLLPRI");
    ok(recv(s[1], buf, 16, MSG_OOB) == 1 && buf[0] == 'c', "receive it");
    fails(recv(s[1], buf, 16, MSG_OOB), EINVAL);
    write(s[0], "de", 2);
    t_msleep(20);
    ok(recv(s[1], buf, 16, 0) == 2 && !memcmp(buf, "ab", 2), "reading stops at the mark");
    ok(ioctl(s[1], SIOCATMARK, &n) == 0 && n == 1, "SIOCATMARK");
    ok(recv(s[1], buf, 16, 0) == 2 && !memcmp(buf, "de", 2), "and goes on behind it");
    n = 1;
    must(setsockopt(s[1], SOL_SOCKET, SO_OOBINLINE, &n, 4) == 0);
    send(s[0], "x", 1, MSG_OOB);
    events_wait(s[1], POLLIN);
    ok(recv(s[1], buf, 16, 0) == 1 && buf[0] == 'x', "SO_OOBINLINE");
    close(s[0]);
    close(s[1]);
}

static void disconnecting(void)
{
    struct sockaddr a = {.sa_family = AF_UNSPEC};
    char b;
    int s[2];

    pair(s);
    ok(connect(s[0], &a, sizeof(a)) == 0, "AF_UNSPEC disconnects");
    events_wait(s[1], POLLERR);
    fails(read(s[1], &b, 1), ECONNRESET);
    fails(send(s[0], "x", 1, MSG_NOSIGNAL), ECONNRESET);
    fails(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    int l = listener("127.0.0.1", 1);
    struct sockaddr_in to = v4("127.0.0.1", port_of(l));
    ok(connect(s[0], (void *)&to, sizeof(to)) == 0, "and it may connect again");
    close(l);
    close(s[0]);
    close(s[1]);
}

static void self(void)
{
    int c = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = v4("127.0.0.1", 0);
    char b[4];

    must(bind(c, (void *)&a, sizeof(a)) == 0);
    a = v4("127.0.0.1", port_of(c));
    ok(connect(c, (void *)&a, sizeof(a)) == 0, "a socket connects to itself");
    ok(write(c, "me", 2) == 2 && read(c, b, 4) == 2, "and talks to itself");
    close(c);
}

static void *late_close(void *arg)
{
    t_msleep(30);
    shutdown(*(int *)arg, SHUT_RDWR);
    return NULL;
}

static void blocked(void)
{
    static char big[1 << 20];
    struct timeval tv = {0, 50000};
    pthread_t t;
    int s[2];
    char b;

    pair(s);
    must(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
    fails(read(s[0], &b, 1), EAGAIN);
    must(setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == 0);
    long r;
    while ((r = send(s[0], big, sizeof(big), 0)) == sizeof(big))
        ;
    ok(r > 0 || errno == EAGAIN, "SO_SNDTIMEO");
    pthread_create(&t, NULL, late_close, &s[1]);
    ok(read(s[1], &b, 1) == 1, "a reader");
    pthread_join(t, NULL);
    close(s[0]);
    close(s[1]);
    pair(s);
    pthread_create(&t, NULL, late_close, &s[1]);
    ok(read(s[1], &b, 1) == 0, "shutdown wakes a reader");
    pthread_join(t, NULL);
    int l = listener("127.0.0.1", 1);
    pthread_create(&t, NULL, late_close, &l);
    fails(accept(l, NULL, NULL), EINVAL);
    pthread_join(t, NULL);
}

static void edges(void)
{
    struct epoll_event e = {EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP, {0}};
    int s[2], ep = epoll_create1(0);
    char buf[8];

    pair(s);
    must(epoll_ctl(ep, EPOLL_CTL_ADD, s[1], &e) == 0);
    ok(epoll_wait(ep, &e, 1, 1000) == 1 && e.events == EPOLLOUT, "the first edge");
    ok(epoll_wait(ep, &e, 1, 0) == 0, "is told once");
    write(s[0], "ab", 2);
    ok(epoll_wait(ep, &e, 1, 1000) == 1 && e.events == (EPOLLIN | EPOLLOUT), "data");
    ok(read(s[1], buf, 1) == 1 && epoll_wait(ep, &e, 1, 0) == 0, "a rest is no edge");
    write(s[0], "c", 1);
    ok(epoll_wait(ep, &e, 1, 1000) == 1, "more data is");
    close(s[0]);
    ok(epoll_wait(ep, &e, 1, 1000) == 1 && (e.events & EPOLLRDHUP), "and so is the end");
    close(s[1]);
}

int main(void)
{
    connecting();
    nonblocking();
    data();
    ending();
    ok(t_killed(t_child(died, NULL), SIGPIPE), "SIGPIPE");
    unaccepted();
    urgent();
    disconnecting();
    self();
    blocked();
    edges();
    return t_done();
}
