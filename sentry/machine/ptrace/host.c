// SPDX-License-Identifier: Apache-2.0
/*
 * Host threads, and the clock: what needs libc, and so no header of the Sentry that redefines
 * libc's types.
 */
#include "sentry/machine/ptrace/host.h"

#include <cpuid.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "sentry/machine/machine.h"

#define ALT_STACK  (32 * 1024UL)
#define STACK_SIZE (128 * 1024UL + ALT_STACK)

static void *start_thread(void *task)
{
    char alt[ALT_STACK]; /* the far end from where a stack overflows */
    stack_t ss = {.ss_sp = alt, .ss_size = sizeof(alt)};

    sigaltstack(&ss, NULL);
    thread_main(task);
    ss.ss_flags = SS_DISABLE;
    sigaltstack(&ss, NULL);
    return NULL;
}

int host_thread_start(void *task)
{
    pthread_attr_t attr;
    pthread_t thread;
    int r = pthread_attr_init(&attr);

    if (r)
        return -r;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    r = pthread_create(&thread, &attr, start_thread, task);
    pthread_attr_destroy(&attr);
    return -r;
}

/* ---- the clock: CLOCK_MONOTONIC at the start, then the TSC, so that the vDSO can show the same
 * ---- */

#define INVARIANT_TSC (1u << 8) /* CPUID 0x80000007, EDX */

struct machine_clock machine_clock;

static u64 host_clock(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
}

void host_clock_init(void)
{
    unsigned a, b, c, d;
    u64 before;

    if (!machine_tsc_khz || !__get_cpuid(0x80000007, &a, &b, &c, &d) || !(d & INVARIANT_TSC))
        return;
    before = rdtsc();
    machine_clock.ns_base = host_clock();
    machine_clock.tsc_base = before + (rdtsc() - before) / 2;
    machine_clock.mult = (1000000ULL << 32) / machine_tsc_khz;
}

u64 machine_clock_mono(void)
{
    u64 delta;

    if (!machine_clock.mult)
        return host_clock();
    delta = rdtsc() - machine_clock.tsc_base;
    if ((s64)delta < 0) /* the CPUs' counters are a little apart */
        delta = 0;
    return machine_clock.ns_base + (u64)((unsigned __int128)delta * machine_clock.mult >> 32);
}
