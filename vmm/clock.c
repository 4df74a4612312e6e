// SPDX-License-Identifier: Apache-2.0
//
// Finds the frequency of the time stamp counter. Cheap sources first: CPUID leaves, then what the
// kernel tells every perf_event reader, and a measurement against CLOCK_MONOTONIC as a last resort.

#include "vmm/clock.h"

#include <cpuid.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define MEASURE_NS 4000000

static u64 from_cpuid(void)
{
    unsigned a, b, c, d;

    if (__get_cpuid(0x15, &a, &b, &c, &d) && a && b && c)
        return (u64)c * b / a / 1000;
    if (__get_cpuid(1, &a, &b, &c, &d) && (c & 1U << 31)) {
        __cpuid(0x40000000, a, b, c, d);
        if (a >= 0x40000010 && a < 0x40000100) {
            __cpuid(0x40000010, a, b, c, d);
            return a;
        }
    }
    return 0;
}

static u64 from_perf(void)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                   .size = sizeof(attr),
                                   .config = PERF_COUNT_SW_DUMMY,
                                   .exclude_kernel = 1};
    struct perf_event_mmap_page *p;
    u64 khz = 0;
    int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);

    if (fd < 0)
        return 0;
    p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED) {
        if (p->cap_user_time && p->time_mult)
            khz = (1000000ULL << p->time_shift) / p->time_mult;
        munmap(p, 4096);
    }
    close(fd);
    return khz;
}

/* A point in time on both clocks. */
struct sample {
    u64 ns, tsc;
};

static struct sample first; /* of clock_start() */

/* The best of a few readings: the one that took the shortest time is the most exact. */
static struct sample take_sample(void)
{
    struct sample best = {0};
    u64 shortest = ~0ULL;

    for (int i = 0; i < 8; i++) {
        struct timespec t;
        u64 before = __rdtsc(), after;

        clock_gettime(CLOCK_MONOTONIC, &t);
        after = __rdtsc();
        if (after - before >= shortest)
            continue;
        shortest = after - before;
        best.tsc = before + shortest / 2;
        best.ns = (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
    }
    return best;
}

void clock_start(void)
{
    if (!first.ns)
        first = take_sample();
}

static u64 by_measuring(void)
{
    struct sample now;

    clock_start();
    do {
        now = take_sample();
    } while (now.ns - first.ns < MEASURE_NS);
    return (u64)((unsigned __int128)(now.tsc - first.tsc) * 1000000 / (now.ns - first.ns));
}

u64 clock_tsc_khz(void)
{
    u64 khz = from_cpuid();

    if (!khz)
        khz = from_perf();
    if (!khz)
        khz = by_measuring();
    return khz;
}
