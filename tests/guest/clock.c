// SPDX-License-Identifier: Apache-2.0
//
// Clocks and sleeping: monotonic time never goes back, sleeps last as long as asked, clocks agree
// with each other.

#include "t.h"
#include <pthread.h>
#include <sys/resource.h>
#include <sys/times.h>

static int64_t ns(clockid_t id)
{
    struct timespec ts;

    must(clock_gettime(id, &ts) == 0);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int64_t ns_syscall(clockid_t id)
{
    struct timespec ts;

    must(syscall(SYS_clock_gettime, id, &ts) == 0);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void *monotonic(void *arg)
{
    int64_t last = 0, now, back = 0;

    for (int i = 0; i < 200000; i++) {
        now = ns(CLOCK_MONOTONIC);
        back += now < last;
        last = now;
    }
    return (void *)back;
}

static void clocks(void)
{
    pthread_t t[2];
    void *r1, *r2;
    struct timespec ts;
    struct timeval tv;

    pthread_create(&t[0], NULL, monotonic, NULL);
    pthread_create(&t[1], NULL, monotonic, NULL);
    pthread_join(t[0], &r1);
    pthread_join(t[1], &r2);
    ok(!r1 && !r2, "monotonic time never goes back");
    int64_t a = ns(CLOCK_MONOTONIC), b = ns_syscall(CLOCK_MONOTONIC), c = ns(CLOCK_MONOTONIC);
    ok(a <= b && b <= c, "vDSO and system call agree");
    a = ns(CLOCK_REALTIME), b = ns_syscall(CLOCK_REALTIME), c = ns(CLOCK_REALTIME);
    ok(a <= b && b <= c, "also on real time");
    ok(a > 1600000000LL * 1000000000, "a year after 2020");
    gettimeofday(&tv, NULL);
    ok(llabs(tv.tv_sec * 1000000LL + tv.tv_usec - ns(CLOCK_REALTIME) / 1000) < 500000,
       "gettimeofday");
    ok(llabs(time(NULL) - tv.tv_sec) <= 1, "time");
    int64_t m0 = ns(CLOCK_MONOTONIC), r0 = ns(CLOCK_REALTIME);
    t_msleep(100);
    int64_t dm = ns(CLOCK_MONOTONIC) - m0, dr = ns(CLOCK_REALTIME) - r0;
    ok(dm >= 100000000 && llabs(dm - dr) < 20000000, "both run at the same speed");
    ok(llabs(ns(CLOCK_MONOTONIC_COARSE) - ns(CLOCK_MONOTONIC)) < 100000000, "coarse clock");
    ok(ns(CLOCK_BOOTTIME) >= ns(CLOCK_MONOTONIC) - 1000000, "boot time");
    ok(llabs(ns(CLOCK_MONOTONIC_RAW) - ns(CLOCK_MONOTONIC)) < 100000000000LL, "raw clock");
    ok(clock_getres(CLOCK_MONOTONIC, &ts) == 0 && ts.tv_sec == 0 && ts.tv_nsec == 1, "resolution");
    fails(clock_gettime(99, &ts), EINVAL);
    fails(clock_getres(99, &ts), EINVAL);
    fails(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 8), EFAULT);
}

static void sleeps(void)
{
    struct timespec ts = {0, 50000000}, at, bad = {0, -1};
    int64_t t0 = ns(CLOCK_MONOTONIC);

    ok(nanosleep(&ts, NULL) == 0, "nanosleep");
    ok(ns(CLOCK_MONOTONIC) - t0 >= 50000000, "lasts at least 50 ms");
    ok(ns(CLOCK_MONOTONIC) - t0 < 1000000000, "and not a second");
    fails(nanosleep(&bad, NULL), EINVAL);
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += 30000000;
    if (at.tv_nsec >= 1000000000)
        at.tv_sec++, at.tv_nsec -= 1000000000;
    ok(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == 0,
       "clock_nanosleep to a time");
    ok(ns(CLOCK_MONOTONIC) >= at.tv_sec * 1000000000LL + at.tv_nsec, "not before it");
    ok(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == 0, "a time that has passed");
    clock_gettime(CLOCK_REALTIME, &at);
    ok(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL) == 0, "on real time");
    ts = (struct timespec){0, 0};
    ok(nanosleep(&ts, NULL) == 0, "no time at all");
}

static void cpu_time(void)
{
    int64_t p0 = ns(CLOCK_PROCESS_CPUTIME_ID), t0 = ns(CLOCK_THREAD_CPUTIME_ID),
            end = t_now_ms() + 150;
    struct rusage ru;
    struct tms tms;

    while (t_now_ms() < end)
        ;
    ok(ns(CLOCK_PROCESS_CPUTIME_ID) - p0 > 20000000, "work costs process time");
    ok(ns(CLOCK_THREAD_CPUTIME_ID) - t0 > 20000000, "and thread time");
    p0 = ns(CLOCK_PROCESS_CPUTIME_ID);
    t_msleep(100);
    ok(ns(CLOCK_PROCESS_CPUTIME_ID) - p0 < 60000000, "sleep does not");
    ok(getrusage(RUSAGE_SELF, &ru) == 0 &&
           ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec > 10000,
       "getrusage");
    ok(getrusage(RUSAGE_CHILDREN, &ru) == 0 && getrusage(RUSAGE_THREAD, &ru) == 0, "of others");
    fails(getrusage(55, &ru), EINVAL);
    ok(times(&tms) > 0, "times");
}

int main(void)
{
    clocks();
    sleeps();
    cpu_time();
    return t_done();
}
