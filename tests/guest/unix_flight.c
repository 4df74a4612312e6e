// SPDX-License-Identifier: Apache-2.0
//
// AF_UNIX under strain: descriptors that only messages refer to are closed, limits on what is in
// flight, empty datagrams fill a queue, huge time-outs, two threads that connect one socket.

#include "t.h"
#include <pthread.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

static int send_fds(int sock, const int *fds, int n)
{
    char byte = 'x', space[CMSG_SPACE(8 * sizeof(int))] = {0};
    struct iovec iov = {&byte, 1};
    struct msghdr mh = {.msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = space,
                        .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

    *c = (struct cmsghdr){CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    return sendmsg(sock, &mh, MSG_DONTWAIT) == 1 ? 0 : -1;
}

/* All write ends of the pipe are closed, soon (the collector may be a thread of its own). */
static bool ends(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    for (int i = 0; i < 100; i++) {
        close(socket(AF_UNIX, SOCK_DGRAM, 0)); /* closing a socket is what starts it */
        if (poll(&p, 1, 50) == 1)
            return (p.revents & POLLHUP) != 0;
    }
    return false;
}

static struct sockaddr_un name_of(const char *what, socklen_t *len)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    *len = offsetof(struct sockaddr_un, sun_path) + 1 +
           sprintf(a.sun_path + 1, "rf-flight-%s-%d", what, getpid());
    return a;
}

static void cycles(void)
{
    int s[2], q[2], p[2], fds[4];

    must(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && pipe(p) == 0);
    memcpy(fds, (int[]){s[0], s[1], p[1]}, 12);
    ok(send_fds(s[1], fds, 3) == 0, "a pair goes into its own queue");
    close(s[0]), close(s[1]), close(p[1]);
    ok(ends(p[0]), "and is closed");
    close(p[0]);

    must(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, q) == 0);
    must(pipe(p) == 0);
    ok(send_fds(s[1], (int[]){q[0], p[1]}, 2) == 0 && send_fds(q[1], (int[]){s[0]}, 1) == 0,
       "each in the other's queue");
    close(s[0]), close(q[0]), close(p[1]);
    ok(ends(p[0]), "even with their peers open");
    close(s[1]), close(q[1]), close(p[0]);

    must(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 &&
         socketpair(AF_UNIX, SOCK_STREAM, 0, q) == 0);
    must(pipe(p) == 0);
    must(send_fds(s[1], (int[]){s[0], p[1]}, 2) == 0 && send_fds(q[1], (int[]){s[0]}, 1) == 0);
    close(s[0]), close(s[1]), close(p[1]);
    struct pollfd pf = {p[0], POLLIN, 0};
    close(socket(AF_UNIX, SOCK_DGRAM, 0));
    ok(poll(&pf, 1, 50) == 0, "what a live socket can still receive stays");
    close(q[0]), close(q[1]);
    ok(ends(p[0]), "until that one goes");
    close(p[0]);
}

static void waiting(void)
{
    socklen_t len;
    struct sockaddr_un a = name_of("listen", &len);
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), p[2];

    must(bind(l, (void *)&a, len) == 0 && listen(l, 2) == 0 && pipe(p) == 0);
    must(connect(c, (void *)&a, len) == 0);
    ok(send_fds(c, (int[]){l, c, p[1]}, 3) == 0, "a listener waits for itself in its backlog");
    close(l), close(c), close(p[1]);
    ok(ends(p[0]), "and is closed");
    close(p[0]);
}

static void too_many(void *unused)
{
    struct rlimit r = {20, 20};
    int s[2], n = 0;

    if (geteuid() == 0)
        must(setresgid(54321, 54321, 54321) == 0 && setresuid(54321, 54321, 54321) == 0);
    must(setrlimit(RLIMIT_NOFILE, &r) == 0);
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
    while (n < 200 && send_fds(s[0], (int[]){0}, 1) == 0)
        n++;
    ok(errno == ETOOMANYREFS, "too many in flight: ETOOMANYREFS");
    ok(n == 21, "%d were taken", n);
    close(s[1]);
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
    ok(send_fds(s[0], (int[]){0}, 1) == 0, "room again when they have landed");
}

static void *drain_later(void *fd)
{
    char c;

    t_msleep(30);
    while (recv(*(int *)fd, &c, 1, MSG_DONTWAIT) >= 0)
        ;
    return NULL;
}

static void full_queues(void)
{
    socklen_t len;
    struct sockaddr_un a = name_of("queue", &len);
    int s[2], n = 0;
    pthread_t t;

    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
    while (n < 10000 && send(s[0], "", 0, MSG_DONTWAIT) == 0)
        n++;
    ok(n > 100 && n < 1000 && errno == EAGAIN, "empty datagrams fill a queue");
    close(s[0]), close(s[1]);
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    for (n = 0; n < 10000 && send(s[0], "x", 1, MSG_DONTWAIT) == 1; n++)
        ;
    ok(n > 100 && n < 1000 && errno == EAGAIN, "and so do single bytes");
    close(s[0]), close(s[1]);

    int srv = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0);
    must(bind(srv, (void *)&a, len) == 0 && connect(c, (void *)&a, len) == 0);
    for (n = 0; n < 10000 && send(c, "x", 1, MSG_DONTWAIT) == 1; n++)
        ;
    ok(n >= 10 && n < 600 && errno == EAGAIN, "a server's queue is bounded");
    struct pollfd p = {c, POLLOUT, 0};
    ok(poll(&p, 1, 0) == 0, "no POLLOUT for its client");
    must(pthread_create(&t, NULL, drain_later, &srv) == 0);
    ok(poll(&p, 1, 5000) == 1 && (p.revents & POLLOUT), "POLLOUT when it is drained");
    pthread_join(t, NULL);
    int other = socket(AF_UNIX, SOCK_DGRAM, 0);
    socklen_t clen;
    struct sockaddr_un ca = name_of("client", &clen);
    must(bind(c, (void *)&ca, clen) == 0 && connect(srv, (void *)&ca, clen) == 0);
    fails(sendto(other, "x", 1, 0, (void *)&a, len), EPERM);
    fails(connect(other, (void *)&a, len), EPERM);
    ok(send(c, "x", 1, 0) == 1, "who is its peer may send");
    close(other), close(srv), close(c);
}

static void *send_later(void *fd)
{
    t_msleep(50);
    must(send(*(int *)fd, "x", 1, 0) == 1);
    return NULL;
}

static void timeouts(void)
{
    struct timeval tv[] = {{INT64_MAX, 0}, {INT64_MAX / 1000, 999999}, {18446744074, 0}}, got;
    socklen_t len = sizeof(got);
    pthread_t t;
    int s[2];
    char c;

    must(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    for (int i = 0; i < 3; i++) {
        ok(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv[i], sizeof(tv[i])) == 0, "time-out %d", i);
        must(pthread_create(&t, NULL, send_later, &s[1]) == 0);
        ok(recv(s[0], &c, 1, 0) == 1, "does not come early");
        pthread_join(t, NULL);
    }
    must(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv[0], sizeof(tv[0])) == 0);
    ok(getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &got, &len) == 0 && !got.tv_sec && !got.tv_usec,
       "the longest is none");
    tv[0] = (struct timeval){-5, 0};
    ok(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv[0], sizeof(tv[0])) == 0, "less than 0");
    fails(recv(s[0], &c, 1, 0), EAGAIN);
    tv[0] = (struct timeval){0, 1000000};
    fails(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv[0], sizeof(tv[0])), EDOM);
}

static struct sockaddr_un race_name;
static socklen_t race_len;
static int race_sock, race_won, race_bad;
static pthread_barrier_t barrier;

static void *racer(void *unused)
{
    for (int i = 0; i < 100; i++) {
        pthread_barrier_wait(&barrier);
        if (connect(race_sock, (void *)&race_name, race_len) == 0)
            __sync_fetch_and_add(&race_won, 1);
        else if (errno != EISCONN && errno != EINVAL)
            race_bad = errno;
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static void race(void)
{
    int l = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), accepted = 0;
    pthread_t t[2];

    race_name = name_of("race", &race_len);
    must(bind(l, (void *)&race_name, race_len) == 0 && listen(l, 100) == 0);
    pthread_barrier_init(&barrier, NULL, 3);
    for (int i = 0; i < 2; i++)
        must(pthread_create(&t[i], NULL, racer, NULL) == 0);
    for (int i = 0; i < 100; i++) {
        int c;

        race_sock = socket(AF_UNIX, SOCK_STREAM, 0);
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        while ((c = accept(l, NULL, NULL)) >= 0) {
            accepted++;
            close(c);
        }
        close(race_sock);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    ok(race_won == 100 && accepted == 100 && !race_bad, "of two connects one wins (%d, %d)",
       race_won, accepted);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    cycles();
    waiting();
    ok(t_exited(t_child(too_many, NULL), 0), "limit");
    full_queues();
    timeouts();
    race();
    return t_done();
}
