// SPDX-License-Identifier: Apache-2.0
/*
 * Seizing, driving and ending stub processes.
 */
#include "sentry/machine/ptrace/stub.h"

#include <linux/errno.h>
#include <linux/sched.h>

#include "sentry/machine/machine.h"
#include "sentry/machine/ptrace/hostsys.h"

#define SIGTRAP 5
#define SIGKILL 9

static bool stopped(int status)
{
    return (status & 0xff) == 0x7f;
}

int stub_seize(int tid)
{
    int status;
    long r = host_ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);

    if (r < 0)
        goto fail;
    r = host_ptrace(PTRACE_INTERRUPT, tid, 0, 0);
    if (r < 0)
        goto fail;
    for (;;) {
        status = host_wait(tid);
        if (status < 0 || !stopped(status)) {
            r = status < 0 ? status : -ESRCH;
            goto fail;
        }
        if (status >> 16 == PTRACE_EVENT_STOP)
            return 0;
        r = host_ptrace(PTRACE_CONT, tid, 0, 0);
        if (r < 0)
            goto fail;
    }
fail:
    stub_kill(tid);
    return (int)r;
}

long stub_call(int tid, u64 entry, long nr, const u64 arg[6], bool *kicked)
{
    struct uregs r = {
        .rip = entry,
        .rax = (u64)nr,
        .orig_rax = U64_MAX,
        .rdi = arg[0],
        .rsi = arg[1],
        .rdx = arg[2],
        .r10 = arg[3],
        .r8 = arg[4],
        .r9 = arg[5],
        .rbp = (u64)stub_parent, /* for a new stub */
        .cs = USER_CS,
        .ss = USER_DS,
        .eflags = 0x202,
    };
    int status;

    if (host_ptrace(PTRACE_SETREGS, tid, 0, (u64)&r) < 0)
        return -ESRCH;
    for (;;) {
        if (host_ptrace(PTRACE_CONT, tid, 0, 0) < 0)
            return -ESRCH;
        status = host_wait(tid);
        if (status < 0 || !stopped(status))
            return -ESRCH;
        if (status >> 8 == SIGTRAP)
            break;
        if (status >> 8 == STUB_KICK)
            *kicked = true; /* the call goes on or is restarted */
    }
    if (host_ptrace(PTRACE_GETREGS, tid, 0, (u64)&r) < 0)
        return -ESRCH;
    return (long)r.rax;
}

int stub_clone(int tid, bool share, bool *kicked)
{
    u64 flags = CLONE_PARENT | CLONE_FILES | CLONE_FS;
    u64 arg[6] = {share ? flags | CLONE_VM | CLONE_SIGHAND : flags};

    return (int)stub_call(tid, STUB_CLONE, __NR_clone, arg, kicked);
}

void stub_kill(int tid)
{
    int status;
    long r;

    /* Its end may have been waited for already, and the number be another's by now. */
    if (host_ptrace(PTRACE_INTERRUPT, tid, 0, 0) == -ESRCH &&
        host_syscall(__NR_wait4, (u64)tid, (u64)&status, __WALL | WNOHANG, 0, 0, 0) != 0)
        return;
    host_syscall(__NR_kill, (u64)tid, SIGKILL, 0, 0, 0, 0);
    do
        r = host_syscall(__NR_wait4, (u64)tid, (u64)&status, __WALL, 0, 0, 0);
    while (r == -EINTR || (r == tid && stopped(status)));
}
