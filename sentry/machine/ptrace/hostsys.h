/* SPDX-License-Identifier: Apache-2.0
 *
 * System calls of the host, without libc: most of this machine includes Sentry headers, whose
 * names (struct sigaction, siginfo_t, ...) are those of libc. Results are negative errno.
 */
#pragma once

#include <linux/futex.h>
#include <linux/ptrace.h>
#include <linux/wait.h>
#include <asm/ptrace-abi.h>
#include <asm/unistd.h>

#include "vmm/abi/types.h"

static inline long host_syscall(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    long ret;
    register u64 r10 __asm__("r10") = d;
    register u64 r8 __asm__("r8") = e;
    register u64 r9 __asm__("r9") = f;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}

#define HOST_SYSCALL_(nr, a, b, c, d, e, f, ...) \
    host_syscall(nr, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (u64)(f))
#define HOST_SYSCALL(nr, ...) HOST_SYSCALL_(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)

static inline long host_ptrace(long request, int tid, u64 addr, u64 data)
{
    return host_syscall(__NR_ptrace, (u64)request, (u64)tid, addr, data, 0, 0);
}

/* Status of a tracee of this very thread, or negative errno. */
static inline int host_wait(int tid)
{
    int status;
    long r;

    do
        r = host_syscall(__NR_wait4, (u64)tid, (u64)&status, __WALL | __WNOTHREAD, 0, 0, 0);
    while (r == -4 /* EINTR */);
    return r < 0 ? (int)r : status;
}

u64 machine_clock_mono(void);

struct host_timespec {
    s64 sec, nsec;
};

/*
 * Sleep while *word == value, until about `deadline` of machine_clock_mono() (~0: for ever); the
 * host's clock may differ by a little. 0 or -errno.
 */
static inline long host_futex_wait(u32 *word, u32 value, u64 deadline)
{
    u64 now = deadline == ~0ULL ? 0 : machine_clock_mono(),
        ns = deadline > now ? deadline - now : 0;
    struct host_timespec ts = {(s64)(ns / 1000000000), (s64)(ns % 1000000000)};

    return host_syscall(__NR_futex, (u64)word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, value,
                        deadline == ~0ULL ? 0 : (u64)&ts, 0, 0);
}

static inline void host_futex_wake(u32 *word, u32 n)
{
    host_syscall(__NR_futex, (u64)word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, n, 0, 0, 0);
}
