// SPDX-License-Identifier: Apache-2.0
//
// Timers: setitimer, alarm, POSIX timers, timerfd.

#include "t.h"
#include <sys/timerfd.h>

static volatile int fired;
static siginfo_t last;

static void on_signal(int sig, siginfo_t *si, void *uc)
{
    fired++;
    last = *si;
}

static void wait_for(int n)
{
    for (int i = 0; i < 3000 && fired < n; i++)
        usleep(1000);
}

static void itimers(void)
{
    struct itimerval it = {{0, 10000}, {0, 20000}}, old, off = {};
    int64_t t0 = t_now_ms();

    fired = 0;
    ok(setitimer(ITIMER_REAL, &it, NULL) == 0, "setitimer");
    ok(getitimer(ITIMER_REAL, &old) == 0 && old.it_interval.tv_usec == 10000 &&
           old.it_value.tv_usec <= 20000,
       "getitimer");
    wait_for(5);
    ok(fired >= 5 && t_now_ms() - t0 >= 59, "repeats");
    ok(setitimer(ITIMER_REAL, &off, &old) == 0 && old.it_interval.tv_usec == 10000, "stop");
    int n = fired;
    t_msleep(40);
    ok(fired == n, "stopped");
    ok(alarm(10) == 0 && alarm(0) == 10, "alarm tells what was left");
    ok(ualarm(10000, 0) == 0, "ualarm");
    fired = 0;
    wait_for(1);
    ok(fired == 1, "once");
    it.it_value.tv_usec = 1000000;
    fails(setitimer(ITIMER_REAL, &it, NULL), EINVAL);
    fails(setitimer(9, &off, NULL), EINVAL);
    alarm(1);
    pid_t pid = fork();
    if (pid == 0)
        _exit(alarm(0));
    int st;
    waitpid(pid, &st, 0);
    ok(t_exited(st, 0) && alarm(0) == 1, "not inherited");
    it = (struct itimerval){{0, 0}, {0, 30000}};
    fired = 0;
    setitimer(ITIMER_VIRTUAL, &it, NULL);
    int64_t end = t_now_ms() + 3000;
    while (!fired && t_now_ms() < end)
        ;
    ok(fired == 1, "ITIMER_VIRTUAL counts work");
}

static void posix_timers(void)
{
    timer_t t;
    struct sigevent ev = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 99};
    struct itimerspec its = {{0, 10000000}, {0, 10000000}}, cur;

    ok(timer_create(CLOCK_MONOTONIC, &ev, &t) == 0, "timer_create");
    fired = 0;
    ok(timer_settime(t, 0, &its, NULL) == 0, "timer_settime");
    wait_for(3);
    ok(fired >= 3 && last.si_code == SI_TIMER && last.si_value.sival_int == 99,
       "fires with its value");
    ok(timer_gettime(t, &cur) == 0 && cur.it_interval.tv_nsec == 10000000, "timer_gettime");
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    t_msleep(60);
    fired = 0;
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    ok(fired == 1 && timer_getoverrun(t) >= 1, "overruns are counted, not queued");
    ok(timer_delete(t) == 0, "timer_delete");
    fails(timer_delete(t), EINVAL);
    fails(timer_settime((timer_t)999, 0, &its, NULL), EINVAL);
}

static void timer_fds(void)
{
    struct itimerspec its = {{0, 10000000}, {0, 20000000}}, cur;
    uint64_t n = 0;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct pollfd p = {.fd = fd, .events = POLLIN};

    must(fd >= 0);
    fails(read(fd, &n, 8), EAGAIN);
    ok(timerfd_settime(fd, 0, &its, NULL) == 0, "timerfd_settime");
    ok(poll(&p, 1, 0) == 0 && poll(&p, 1, 5000) == 1, "poll");
    ok(read(fd, &n, 8) == 8 && n >= 1, "read gives expirations");
    fails(read(fd, &n, 8) == 8 ? read(fd, &n, 8) : -1, EAGAIN);
    fcntl(fd, F_SETFL, 0);
    ok(read(fd, &n, 8) == 8 && n >= 1, "blocking read");
    t_msleep(50);
    ok(read(fd, &n, 8) == 8 && n >= 4, "several at once");
    ok(timerfd_gettime(fd, &cur) == 0 && cur.it_interval.tv_nsec == 10000000, "timerfd_gettime");
    fails(read(fd, &n, 4), EINVAL);
    its = (struct itimerspec){};
    ok(timerfd_settime(fd, 0, &its, NULL) == 0 && poll(&p, 1, 30) == 0, "disarmed");
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    its.it_value = now;
    ok(timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL) == 0 && read(fd, &n, 8) == 8 && n == 1,
       "absolute, passed");
    close(fd);
    fails(timerfd_create(99, 0), EINVAL);
    fails(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};

    sigaction(SIGALRM, &sa, NULL);
    sigaction(SIGVTALRM, &sa, NULL);
    sigaction(SIGUSR1, &sa, NULL);
    itimers();
    posix_timers();
    timer_fds();
    return t_done();
}
