// SPDX-License-Identifier: Apache-2.0
/*
 * Bugs on purpose (runsc --debug-crash), to see that a failing Sentry says where and ends the
 * sandbox.
 */
#include "sentry/kernel/kernel.h"
#include "sentry/kernel/task.h"

/* A read of an address that nobody maps. */
static __attribute__((noinline)) u64 crash_fault(void)
{
    u64 nowhere = 0x18;

    __asm__("" : "+r"(nowhere)); /* the compiler need not know */
    return *(volatile u64 *)nowhere;
}

/* Recursion until the stack's guard page. */
static __attribute__((noinline)) u64 crash_stack(u64 depth)
{
    volatile u8 frame[256];

    frame[depth & 255] = (u8)depth;
    if (depth == U64_MAX)
        return 0;
    return crash_stack(depth + 1) + frame[(depth + 1) & 255];
}

static void crash_thread(void *kind)
{
    /* let the application run first: it must go down with us */
    machine_park(machine_clock_mono() + NSEC_PER_SEC / 10);
    if (!strcmp(kind, "fault"))
        crash_fault();
    else if (!strcmp(kind, "stack"))
        crash_stack(0);
    panic("crash test");
}

void crash_test_start(const char *kind)
{
    if (!kthread_start("crash", crash_thread, (void *)kind))
        panic("no memory for the crash test");
}
