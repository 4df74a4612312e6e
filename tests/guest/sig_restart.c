// SPDX-License-Identifier: Apache-2.0
//
// Interrupted system calls: which return EINTR, which start again with SA_RESTART, and SIGCHLD with
// its details.

#include "t.h"
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>

static volatile int calls;
static siginfo_t chld;

static void handler(int sig)
{
    calls++;
}

static void set(int flags)
{
    struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};

    sigaction(SIGALRM, &sa, NULL);
    calls = 0;
}

/* A child that interrupts its parent after 30 ms and writes to fd after 60. */
static pid_t helper(int fd)
{
    pid_t pid = fork();

    if (pid == 0) {
        t_msleep(30);
        kill(getppid(), SIGALRM);
        t_msleep(60);
        if (fd >= 0)
            write(fd, "x", 1);
        _exit(3);
    }
    return pid;
}

static void reads(int in, int out, const char *what)
{
    char c = 0;

    set(0);
    pid_t pid = helper(out);
    ssize_t n = read(in, &c, 1);
    ok(n == -1 && errno == EINTR, "%s: read without SA_RESTART: EINTR", what);
    waitpid(pid, NULL, 0);
    ok(read(in, &c, 1) == 1, "%s: the data comes later", what);
    set(SA_RESTART);
    pid = helper(out);
    n = read(in, &c, 1);
    ok(n == 1 && c == 'x' && calls == 1, "%s: read with SA_RESTART goes on", what);
    waitpid(pid, NULL, 0);
}

static void waits(void)
{
    int st;

    set(0);
    pid_t pid = helper(-1);
    fails(waitpid(pid, &st, 0), EINTR);
    ok(waitpid(pid, &st, 0) == pid, "waitpid again");
    set(SA_RESTART);
    pid = helper(-1);
    ok(waitpid(pid, &st, 0) == pid && t_exited(st, 3) && calls == 1, "waitpid with SA_RESTART");
}

static void never_restarted(void)
{
    struct timespec ts = {5, 0}, rem = {};
    struct timeval tv = {5, 0};
    struct pollfd p = {.fd = -1};
    struct epoll_event ev;
    sigset_t empty;

    sigemptyset(&empty);
    set(SA_RESTART);
    int ep = epoll_create1(0);
    pid_t pid = helper(-1);
    fails(nanosleep(&ts, &rem), EINTR);
    ok(rem.tv_sec == 4, "nanosleep tells what was left");
    waitpid(pid, NULL, 0);
    pid = helper(-1);
    fails(poll(&p, 1, 5000), EINTR);
    waitpid(pid, NULL, 0);
    pid = helper(-1);
    fails(select(0, NULL, NULL, NULL, &tv), EINTR);
    waitpid(pid, NULL, 0);
    pid = helper(-1);
    fails(epoll_wait(ep, &ev, 1, 5000), EINTR);
    waitpid(pid, NULL, 0);
    pid = helper(-1);
    fails(pause(), EINTR);
    waitpid(pid, NULL, 0);
    pid = helper(-1);
    ok(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &rem) == EINTR, "clock_nanosleep: EINTR");
    waitpid(pid, NULL, 0);
}

static void nanosleep_goes_on(void)
{
    int64_t t0 = t_now_ms();
    struct timespec ts = {0, 150000000};

    signal(SIGALRM, SIG_IGN);
    pid_t pid = helper(-1);
    ok(nanosleep(&ts, NULL) == 0 && t_now_ms() - t0 >= 149, "an ignored signal interrupts nothing");
    waitpid(pid, NULL, 0);
    pid = fork();
    if (pid == 0) {
        ts = (struct timespec){0, 200000000};
        _exit(nanosleep(&ts, NULL) == 0 ? 0 : 1);
    }
    t_msleep(50);
    kill(pid, SIGSTOP);
    t_msleep(30);
    kill(pid, SIGCONT);
    int st;
    waitpid(pid, &st, 0);
    ok(t_exited(st, 0), "stop and continue do not end a sleep");
}

static void on_chld(int sig, siginfo_t *si, void *uc)
{
    chld = *si;
    calls++;
}

static void sigchld(void)
{
    struct sigaction sa = {.sa_sigaction = on_chld, .sa_flags = SA_SIGINFO | SA_RESTART};
    int st;

    calls = 0;
    sigaction(SIGCHLD, &sa, NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(77);
    waitpid(pid, &st, 0);
    ok(calls == 1 && chld.si_code == CLD_EXITED && chld.si_status == 77 && chld.si_pid == pid,
       "SIGCHLD: exited");
    pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    kill(pid, SIGSTOP);
    waitpid(pid, &st, WUNTRACED);
    ok(calls == 2 && chld.si_code == CLD_STOPPED && chld.si_status == SIGSTOP, "SIGCHLD: stopped");
    kill(pid, SIGKILL);
    waitpid(pid, &st, 0);
    ok(calls >= 3 && chld.si_code == CLD_KILLED && chld.si_status == SIGKILL, "SIGCHLD: killed");
    sa.sa_flags |= SA_NOCLDSTOP;
    sigaction(SIGCHLD, &sa, NULL);
    calls = 0;
    pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    kill(pid, SIGSTOP);
    waitpid(pid, &st, WUNTRACED);
    ok(calls == 0, "SA_NOCLDSTOP");
    kill(pid, SIGKILL);
    waitpid(pid, &st, 0);
    sa.sa_flags |= SA_NOCLDWAIT;
    sigaction(SIGCHLD, &sa, NULL);
    if (fork() == 0)
        _exit(0);
    fails(wait(&st), ECHILD);
}

int main(void)
{
    int p[2], s[2];

    must(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    reads(p[0], p[1], "pipe");
    reads(s[0], s[1], "socket");
    waits();
    never_restarted();
    nanosleep_goes_on();
    sigchld();
    return t_done();
}
