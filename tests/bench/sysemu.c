// SPDX-License-Identifier: Apache-2.0
//
// The limit of anything that traps system calls with ptrace: a bare PTRACE_SYSEMU loop with tracer
// and stub on one CPU, which reads the registers, writes the one that holds the result and resumes:
// nothing that answers a call can do with less. Prints nanoseconds for one system call.

#define _GNU_SOURCE
#include <err.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES = 9, N = 5000 };

static int64_t now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void pin(void)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof(one), &one);
}

static void serve(pid_t pid)
{
    struct user_regs_struct regs;
    size_t result = offsetof(struct user, regs.rax);
    int st;

    if (ptrace(PTRACE_SYSEMU, pid, 0, 0) < 0 || waitpid(pid, &st, __WALL) != pid || !WIFSTOPPED(st))
        err(1, "PTRACE_SYSEMU");
    if (ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
        err(1, "PTRACE_GETREGS");
    if (ptrace(PTRACE_POKEUSER, pid, result, 1) < 0)
        err(1, "PTRACE_POKEUSER");
}

int main(void)
{
    double batch[BATCHES];
    int st;

    pin();
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        for (;;)
            syscall(SYS_getppid);
    }
    if (pid < 0 || waitpid(pid, &st, 0) != pid || !WIFSTOPPED(st))
        err(1, "stub");
    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
    for (int i = 0; i < BATCHES; i++) {
        int64_t t = now();
        for (int k = 0; k < N; k++)
            serve(pid);
        batch[i] = (double)(now() - t) / N;
    }
    qsort(batch, BATCHES, sizeof(*batch), compare);
    printf("%.1f\n", batch[BATCHES / 2]);
    kill(pid, SIGKILL);
    return 0;
}
