// SPDX-License-Identifier: Apache-2.0
//
// Corners of processes: orphaned groups, peeking at stopped children, CPU-time limits and timers,
// capabilities, clone flags that libc does not use, self-disarming signal stacks.

#include "t.h"
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <ucontext.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static volatile int calls;

static void count(int sig)
{
    calls++;
}

static void handle(int sig, void (*fn)(int), int flags)
{
    struct sigaction sa = {.sa_handler = fn, .sa_flags = flags};

    must(sigaction(sig, &sa, NULL) == 0);
}

/* A stopped grandchild in a group of its own, whose parent exits: SIGHUP, then SIGCONT. */
static void orphaned_group(void *arg)
{
    int p[2], st, pid;

    must(pipe(p) == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    if (fork() == 0) {
        must(setsid() > 0);
        pid = fork();
        if (pid == 0) {
            must(setpgid(0, 0) == 0);
            signal(SIGHUP, SIG_DFL);
            raise(SIGSTOP);
            _exit(7);
        }
        must(waitpid(pid, &st, WUNTRACED) == pid && WIFSTOPPED(st));
        must(write(p[1], &pid, sizeof(pid)) == sizeof(pid));
        _exit(0);
    }
    must(read(p[0], &pid, sizeof(pid)) == sizeof(pid));
    for (int i = 0; i < 2; i++) {
        int got = wait(&st);
        if (got == pid)
            ok(t_killed(st, SIGHUP), "an orphaned stopped group is hung up");
        else
            ok(t_exited(st, 0), "its shell has gone");
    }
}

static void peek_stopped(void *arg)
{
    siginfo_t si;
    int pid = fork(), st;

    if (pid == 0) {
        raise(SIGSTOP);
        t_msleep(200);
        _exit(3);
    }
    ok(waitid(P_PID, pid, &si, WSTOPPED | WNOWAIT) == 0 && si.si_code == CLD_STOPPED &&
           si.si_status == SIGSTOP && si.si_pid == pid,
       "peek at a stopped child");
    ok(waitid(P_ALL, 0, &si, WSTOPPED) == 0 && si.si_code == CLD_STOPPED, "take the report");
    si.si_pid = 1;
    ok(waitid(P_ALL, 0, &si, WSTOPPED | WNOHANG) == 0 && si.si_pid == 0, "there is no second one");
    kill(pid, SIGCONT);
    ok(waitid(P_PID, pid, &si, WCONTINUED) == 0 && si.si_code == CLD_CONTINUED &&
           si.si_status == SIGCONT,
       "continued");
    ok(waitid(P_PID, pid, &si, WEXITED) == 0 && si.si_code == CLD_EXITED && si.si_status == 3,
       "exited");
    fails(waitpid(pid, &st, 0), ECHILD);
}

static void spin_ms(int ms)
{
    struct timespec ts;
    int64_t end;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    end = ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + ms;
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    while (ts.tv_sec * 1000 + ts.tv_nsec / 1000000 < end);
}

static void spin_for_ever(void *arg)
{
    struct rlimit rl = {1, 2};

    must(setrlimit(RLIMIT_CPU, &rl) == 0);
    if (arg)
        signal(SIGXCPU, SIG_IGN);
    for (;;)
        calls++;
}

static void cpu_timers(void *arg)
{
    struct itimerval it = {{0, 20000}, {0, 20000}}, off = {{0, 0}, {0, 0}}, old;
    struct rusage a, b;
    clockid_t clock;
    struct timespec ts;
    int pid;

    handle(SIGPROF, count, SA_RESTART);
    calls = 0;
    must(setitimer(ITIMER_PROF, &it, NULL) == 0);
    spin_ms(150);
    must(setitimer(ITIMER_PROF, &off, &old) == 0);
    ok(calls >= 1 && calls <= 10, "ITIMER_PROF");
    ok(old.it_interval.tv_usec == 20000, "its interval");
    calls = 0;
    must(setitimer(ITIMER_PROF, &it, NULL) == 0);
    t_msleep(100);
    ok(calls <= 1, "sleeping uses no CPU time");
    must(setitimer(ITIMER_PROF, &off, NULL) == 0);
    getrusage(RUSAGE_SELF, &a);
    spin_ms(50);
    getrusage(RUSAGE_SELF, &b);
    ok((b.ru_utime.tv_sec - a.ru_utime.tv_sec + b.ru_stime.tv_sec - a.ru_stime.tv_sec) * 1000000 +
               b.ru_utime.tv_usec - a.ru_utime.tv_usec + b.ru_stime.tv_usec - a.ru_stime.tv_usec >=
           40000,
       "getrusage counts work");
    pid = fork();
    if (pid == 0) {
        spin_ms(60);
        pause();
    }
    must(clock_getcpuclockid(pid, &clock) == 0);
    do
        must(clock_gettime(clock, &ts) == 0);
    while (ts.tv_sec == 0 && ts.tv_nsec < 50000000);
    ok(true, "the CPU clock of a child moves");
    kill(pid, SIGKILL);
    must(wait4(pid, NULL, 0, &a) == pid);
    ok(a.ru_utime.tv_sec * 1000000 + a.ru_utime.tv_usec + a.ru_stime.tv_sec * 1000000 +
               a.ru_stime.tv_usec >=
           50000,
       "and wait4 tells what it used");
}

static void capabilities(void *arg)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2], e[2];

    must(syscall(SYS_capget, &h, d) == 0);
    ok(d[0].permitted & 1u << CAP_CHOWN, "root has capabilities");
    ok(prctl(PR_CAPBSET_READ, CAP_KILL) == 1 && prctl(PR_CAPBSET_DROP, CAP_KILL) == 0 &&
           prctl(PR_CAPBSET_READ, CAP_KILL) == 0,
       "dropped from the bounding set");
    fails(prctl(PR_CAPBSET_READ, 99), EINVAL);
    e[0] = d[0];
    e[1] = d[1];
    e[0].effective &= ~(1u << CAP_CHOWN);
    ok(syscall(SYS_capset, &h, e) == 0 && syscall(SYS_capget, &h, e) == 0 &&
           !(e[0].effective & 1u << CAP_CHOWN),
       "capset lowers");
    ok(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0) == 0, "not ambient");
    ok(prctl(PR_SET_KEEPCAPS, 1) == 0 && prctl(PR_GET_KEEPCAPS) == 1, "keep capabilities");
    must(setresuid(1000, 1000, 1000) == 0);
    must(syscall(SYS_capget, &h, e) == 0);
    ok(e[0].permitted & 1u << CAP_SETUID && !e[0].effective, "kept, but not effective");
    e[0].permitted = e[1].permitted = 0;
    ok(syscall(SYS_capset, &h, e) == 0, "all gone");
    fails(syscall(SYS_capset, &h, d), EPERM);
    fails(setuid(0), EPERM);
    h.version = 1;
    fails(syscall(SYS_capget, &h, d), EINVAL);
    ok(h.version == _LINUX_CAPABILITY_VERSION_3, "capget tells its version");
}

static void brother(void *arg)
{
    int pid, st, p[2];

    must(pipe(p) == 0);
    pid = fork();
    if (pid == 0) {
        int b = syscall(SYS_clone, CLONE_PARENT | SIGUSR1, NULL, NULL, NULL, 0);
        if (b == 0)
            _exit(getppid() == pid ? 1 : 5);
        must(write(p[1], &b, sizeof(b)) == sizeof(b));
        _exit(6);
    }
    must(read(p[0], &st, sizeof(st)) == sizeof(st));
    pid = st;
    ok(waitpid(pid, &st, __WALL) == pid && t_exited(st, 5), "CLONE_PARENT makes a brother");
    must(wait(&st) > 0);
    ok(t_exited(st, 6), "who made it");
    fails(syscall(SYS_clone, CLONE_THREAD, NULL, NULL, NULL, 0), EINVAL);
    fails(syscall(SYS_clone, CLONE_SIGHAND, NULL, NULL, NULL, 0), EINVAL);
    pid = syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
    if (pid == 0)
        _exit(8);
    t_msleep(20);
    fails(waitpid(pid, &st, 0), ECHILD);
    ok(waitpid(pid, &st, __WCLONE) == pid && t_exited(st, 8), "__WCLONE");
}

static stack_t seen, uc_seen;

static void look_at_stack(int sig, siginfo_t *si, void *uc)
{
    sigaltstack(NULL, &seen);
    uc_seen = ((ucontext_t *)uc)->uc_stack;
}

static void signal_stack(void *arg)
{
    static char room[65536];
    stack_t ss = {.ss_sp = room, .ss_size = sizeof(room)}, old;
    struct sigaction sa = {.sa_sigaction = look_at_stack, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    ok(sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE, "none at first");
    must(sigaltstack(&ss, NULL) == 0);
    must(sigaction(SIGUSR1, &sa, NULL) == 0);
    raise(SIGUSR1);
    ok(seen.ss_flags == SS_ONSTACK && uc_seen.ss_sp == room, "on it");
    ss.ss_flags = (int)SS_AUTODISARM;
    must(sigaltstack(&ss, NULL) == 0);
    raise(SIGUSR1);
    ok(seen.ss_flags == SS_DISABLE && uc_seen.ss_flags == (int)SS_AUTODISARM, "disarmed meanwhile");
    ok(sigaltstack(NULL, &old) == 0 && old.ss_sp == room && old.ss_flags == (int)SS_AUTODISARM,
       "and armed again");
    ss.ss_size = 100;
    ss.ss_flags = 0;
    fails(sigaltstack(&ss, NULL), ENOMEM);
    ss.ss_flags = 99;
    fails(sigaltstack(&ss, NULL), EINVAL);
    handle(SIGUSR2, count, SA_RESETHAND);
    calls = 0;
    raise(SIGUSR2);
    ok(calls == 1, "SA_RESETHAND: once");
    must(sigaction(SIGUSR2, NULL, &sa) == 0);
    ok(sa.sa_handler == SIG_DFL, "then the default");
}

int main(void)
{
    ok(t_exited(t_child(orphaned_group, NULL), 0), "orphaned group");
    ok(t_exited(t_child(peek_stopped, NULL), 0), "peek");
    ok(t_killed(t_child(spin_for_ever, NULL), SIGXCPU), "RLIMIT_CPU: SIGXCPU");
    ok(t_killed(t_child(spin_for_ever, (void *)1), SIGKILL), "then SIGKILL");
    ok(t_exited(t_child(cpu_timers, NULL), 0), "CPU timers");
    ok(t_exited(t_child(capabilities, NULL), 0), "capabilities");
    ok(t_exited(t_child(brother, NULL), 0), "clone");
    ok(t_exited(t_child(signal_stack, NULL), 0), "signal stack");
    return t_done();
}
