// SPDX-License-Identifier: Apache-2.0
//
// The stack grows by use up to its limit, and what lies far below it is not the stack.

#include "t.h"
#include <sys/resource.h>

static int deep(int n)
{
    volatile char pad[8192];

    pad[0] = n;
    pad[8191] = n;
    return n ? deep(n - 1) + (pad[0] == (char)n) : 0;
}

static void small_limit(void *arg)
{
    struct rlimit rl = {1 << 20, RLIM_INFINITY};

    setrlimit(RLIMIT_STACK, &rl);
    deep(64);
    t_say("512 KiB are fine");
    deep(200);
    t_say("not reached");
}

int main(void)
{
    char *low = (char *)((uintptr_t)__builtin_frame_address(0) - (4 << 20));

    ok(t_killed(t_child(small_limit, NULL), SIGSEGV), "RLIMIT_STACK ends it");
    ok(deep(600) == 600, "almost 5 MiB deep");
    low[0] = 1;
    ok(low[0] == 1, "a place far below the stack pointer, inside the limit");
    return t_done();
}
