// SPDX-License-Identifier: Apache-2.0
//
// poll, select, epoll, eventfd: readiness, time-outs, edge and one-shot triggers, what close does.

#include "t.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>

static void polls(void)
{
    int p[2], st;
    int64_t t0 = t_now_ms();

    must(pipe(p) == 0);
    struct pollfd f[3] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}, {-1, POLLIN, 77}};
    ok(poll(f, 1, 50) == 0 && t_now_ms() - t0 >= 49, "poll times out");
    ok(poll(f, 3, 0) == 1 && f[0].revents == 0 && f[1].revents == POLLOUT && f[2].revents == 0,
       "writable");
    pid_t pid = fork();
    if (pid == 0) {
        t_msleep(30);
        write(p[1], "x", 1);
        _exit(0);
    }
    ok(poll(f, 1, 5000) == 1 && f[0].revents == POLLIN, "woken by a writer");
    waitpid(pid, &st, 0);
    f[0].fd = 500;
    ok(poll(f, 1, 0) == 1 && f[0].revents == POLLNVAL, "POLLNVAL");
    t0 = t_now_ms();
    struct timespec ts = {0, 30000000};
    ok(ppoll(NULL, 0, &ts, NULL) == 0 && t_now_ms() - t0 >= 29, "ppoll as a sleep");
    f[0] = (struct pollfd){open("/dev/null", O_RDWR), POLLIN | POLLOUT, 0};
    ok(poll(f, 1, 0) == 1 && f[0].revents == (POLLIN | POLLOUT), "/dev/null is always ready");
    fails(poll((struct pollfd *)8, 1, 0), EFAULT);
    close(p[0]);
    close(p[1]);
}

static void selects(void)
{
    int p[2];
    fd_set r, w;
    struct timeval tv = {0, 30000};

    must(pipe(p) == 0);
    FD_ZERO(&r);
    FD_ZERO(&w);
    FD_SET(p[0], &r);
    FD_SET(p[1], &w);
    ok(select(p[1] + 1, &r, &w, NULL, NULL) == 1 && !FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w),
       "select");
    FD_SET(p[0], &r);
    ok(select(p[0] + 1, &r, NULL, NULL, &tv) == 0 && !FD_ISSET(p[0], &r), "times out");
    write(p[1], "x", 1);
    FD_SET(p[0], &r);
    ok(select(p[0] + 1, &r, NULL, NULL, NULL) == 1 && FD_ISSET(p[0], &r), "readable");
    close(p[1]);
    close(p[0]);
    FD_SET(p[0], &r);
    tv = (struct timeval){};
    fails(select(p[0] + 1, &r, NULL, NULL, &tv), EBADF);
    fails(select(-1, NULL, NULL, NULL, &tv), EINVAL);
    tv.tv_usec = -1;
    fails(select(0, NULL, NULL, NULL, &tv), EINVAL);
}

static void epolls(void)
{
    int p[2], s[2], ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {EPOLLIN, {.u64 = 0x1234567890abcdef}}, got[4];

    must(ep >= 0 && pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    ok(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev) == 0, "add");
    fails(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), EEXIST);
    fails(epoll_ctl(ep, EPOLL_CTL_MOD, s[0], &ev), ENOENT);
    fails(epoll_ctl(ep, EPOLL_CTL_DEL, s[0], NULL), ENOENT);
    fails(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev), EINVAL);
    fails(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &ev), EBADF);
    fails(epoll_ctl(p[0], EPOLL_CTL_ADD, s[0], &ev), EINVAL);
    int file = open("/proc/self/exe", O_RDONLY);
    fails(epoll_ctl(ep, EPOLL_CTL_ADD, file, &ev), EPERM);
    ok(epoll_wait(ep, got, 4, 20) == 0, "nothing yet");
    write(p[1], "ab", 2);
    ok(epoll_wait(ep, got, 4, 1000) == 1 && got[0].events == EPOLLIN &&
           got[0].data.u64 == ev.data.u64,
       "readable");
    ok(epoll_wait(ep, got, 4, 0) == 1, "level-triggered: again");
    ev.events = EPOLLIN | EPOLLET;
    ok(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev) == 0, "edge-triggered");
    ok(epoll_wait(ep, got, 4, 0) == 1 && epoll_wait(ep, got, 4, 0) == 0, "once");
    write(p[1], "c", 1);
    ok(epoll_wait(ep, got, 4, 0) == 1 && epoll_wait(ep, got, 4, 0) == 0,
       "and once more after a write");
    ev.events = EPOLLIN | EPOLLONESHOT;
    epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev);
    ok(epoll_wait(ep, got, 4, 0) == 1 && epoll_wait(ep, got, 4, 0) == 0, "one-shot");
    write(p[1], "d", 1);
    ok(epoll_wait(ep, got, 4, 0) == 0, "stays off");
    epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev);
    ok(epoll_wait(ep, got, 4, 0) == 1, "until armed again");
    ev = (struct epoll_event){EPOLLIN | EPOLLOUT | EPOLLRDHUP, {.fd = s[0]}};
    epoll_ctl(ep, EPOLL_CTL_ADD, s[0], &ev);
    ok(epoll_wait(ep, got, 4, 0) == 1 && got[0].events == EPOLLOUT, "socket writable");
    shutdown(s[1], SHUT_WR);
    ok(epoll_wait(ep, got, 4, 0) == 1 && got[0].events == (EPOLLIN | EPOLLOUT | EPOLLRDHUP),
       "EPOLLRDHUP");
    close(s[1]);
    ok(epoll_wait(ep, got, 4, 0) == 1 && (got[0].events & EPOLLHUP), "EPOLLHUP");
    close(s[0]);
    ok(epoll_wait(ep, got, 4, 0) == 0, "a closed descriptor leaves the set");
    pid_t pid = fork();
    if (pid == 0) {
        t_msleep(30);
        write(p[1], "e", 1);
        _exit(0);
    }
    epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &(struct epoll_event){EPOLLIN | EPOLLET, {.fd = 3}});
    while (epoll_wait(ep, got, 4, 0) > 0)
        ;
    ok(epoll_wait(ep, got, 4, 5000) == 1, "woken by a child");
    waitpid(pid, NULL, 0);
    struct pollfd pf = {ep, POLLIN, 0};
    ok(poll(&pf, 1, 0) == 0, "an epoll set can be polled: empty");
    write(p[1], "f", 1);
    ok(poll(&pf, 1, 0) == 1, "ready");
    fails(epoll_wait(ep, got, 0, 0), EINVAL);
    close(ep);
}

static void eventfds(void)
{
    uint64_t v = 0;
    int fd = eventfd(3, EFD_NONBLOCK);
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};

    must(fd >= 0);
    ok(read(fd, &v, 8) == 8 && v == 3, "the initial count");
    fails(read(fd, &v, 8), EAGAIN);
    v = 5;
    write(fd, &v, 8);
    write(fd, &v, 8);
    ok(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLOUT), "readable and writable");
    ok(read(fd, &v, 8) == 8 && v == 10, "counts add up");
    v = UINT64_MAX - 1;
    ok(write(fd, &v, 8) == 8, "the largest count");
    v = 1;
    fails(write(fd, &v, 8), EAGAIN);
    ok(poll(&p, 1, 0) == 1 && p.revents == POLLIN, "not writable");
    v = UINT64_MAX;
    fails(write(fd, &v, 8), EINVAL);
    fails(read(fd, &v, 4), EINVAL);
    close(fd);
    fd = eventfd(0, EFD_SEMAPHORE);
    v = 2;
    write(fd, &v, 8);
    ok(read(fd, &v, 8) == 8 && v == 1 && read(fd, &v, 8) == 8 && v == 1, "semaphore mode");
    pid_t pid = fork();
    if (pid == 0) {
        t_msleep(20);
        v = 1;
        _exit(write(fd, &v, 8) == 8 ? 0 : 1);
    }
    ok(read(fd, &v, 8) == 8 && v == 1, "blocks until written");
    waitpid(pid, NULL, 0);
    fails(eventfd(0, 2), EINVAL);
}

int main(void)
{
    polls();
    selects();
    epolls();
    eventfds();
    return t_done();
}
