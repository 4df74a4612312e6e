// SPDX-License-Identifier: Apache-2.0
/*
 * Host threads, and the clock: what needs libc, and so no header of the Sentry that redefines
 * libc's types.
 */
#include "sentry/machine/ptrace/host.h"

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

u64 machine_clock_mono(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
}
