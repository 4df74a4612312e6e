// SPDX-License-Identifier: Apache-2.0
//
// fork and wait: statuses, options, order, orphans, vfork.

#include "t.h"
#include <sys/prctl.h>
#include <sys/resource.h>

static void codes(void)
{
    static const int code[] = {0, 1, 42, 127, 255, 256 + 3};

    for (unsigned i = 0; i < sizeof(code) / sizeof(*code); i++) {
        int st;
        pid_t pid = fork();
        if (pid == 0)
            _exit(code[i]);
        ok(waitpid(pid, &st, 0) == pid && t_exited(st, code[i] & 255), "exit %d", code[i]);
    }
    static const int sig[] = {SIGKILL, SIGTERM, SIGUSR1, SIGALRM, SIGINT};
    for (unsigned i = 0; i < sizeof(sig) / sizeof(*sig); i++) {
        int st;
        pid_t pid = fork();
        if (pid == 0)
            for (;;)
                pause();
        kill(pid, sig[i]);
        ok(waitpid(pid, &st, 0) == pid && t_killed(st, sig[i]), "signal %d", sig[i]);
    }
}

static void options(void)
{
    int st;
    siginfo_t si = {};
    struct rusage ru;
    struct t_gate g;

    fails(waitpid(-1, &st, 0), ECHILD);
    fails(waitpid(1 << 29, &st, 0), ECHILD);
    t_gate_init(&g);
    pid_t pid = fork();
    if (pid == 0) {
        t_gate_pass(&g);
        _exit(9);
    }
    ok(waitpid(pid, &st, WNOHANG) == 0, "WNOHANG: not yet");
    fails(waitpid(pid, &st, 0x1000), EINVAL);
    t_gate_open(&g);
    ok(waitid(P_PID, pid, &si, WEXITED | WNOWAIT) == 0 && si.si_code == CLD_EXITED &&
           si.si_status == 9 && si.si_pid == pid,
       "waitid WNOWAIT");
    ok(kill(pid, 0) == 0, "a zombie can still be signalled");
    ok(wait4(pid, &st, 0, &ru) == pid && t_exited(st, 9), "wait4");
    fails(kill(pid, 0), ESRCH);
    fails(waitpid(pid, &st, 0), ECHILD);
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        _exit(3);
    }
    setpgid(pid, pid);
    ok(waitpid(-pid, &st, 0) == pid && t_exited(st, 3), "wait for a group");
    fails(waitid(P_PID, pid, &si, 0), EINVAL);
}

static void stops(void)
{
    int st;
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    kill(pid, SIGSTOP);
    ok(waitpid(pid, &st, WUNTRACED) == pid && WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP, "stopped");
    ok(waitpid(pid, &st, WUNTRACED | WNOHANG) == 0, "reported once");
    kill(pid, SIGCONT);
    ok(waitpid(pid, &st, WCONTINUED) == pid && WIFCONTINUED(st), "continued");
    kill(pid, SIGSTOP);
    waitpid(pid, &st, WUNTRACED);
    kill(pid, SIGTERM);
    ok(waitpid(pid, &st, WNOHANG) == 0, "a stopped process keeps SIGTERM waiting");
    kill(pid, SIGCONT);
    ok(waitpid(pid, &st, 0) == pid && t_killed(st, SIGTERM), "and takes it when continued");
    pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    kill(pid, SIGSTOP);
    waitpid(pid, &st, WUNTRACED);
    kill(pid, SIGKILL);
    ok(waitpid(pid, &st, 0) == pid && t_killed(st, SIGKILL), "SIGKILL ends a stopped process");
}

static void orphans(void *arg)
{
    struct t_gate g;
    int p[2], st;
    char c = 0;
    pid_t me = getpid();

    must(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    t_gate_init(&g);
    must(pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0) {
            t_gate_pass(&g);
            c = getppid() == me ? 'r' : 'o';
            write(p[1], &c, 1);
            _exit(5);
        }
        _exit(0);
    }
    waitpid(pid, &st, 0);
    t_gate_open(&g);
    ok(read(p[0], &c, 1) == 1 && c == 'r', "an orphan's parent is the subreaper");
    ok(wait(&st) > 0 && t_exited(st, 5), "which reaps it");
}

static void auto_reap(void *arg)
{
    int st;

    signal(SIGCHLD, SIG_IGN);
    pid_t pid = fork();
    if (pid == 0)
        _exit(1);
    fails(waitpid(pid, &st, 0), ECHILD);
    signal(SIGCHLD, SIG_DFL);
    pid = fork();
    if (pid == 0)
        _exit(1);
    ok(waitpid(pid, &st, 0) == pid, "with the default action children can be waited for");
}

static void vforks(void)
{
    volatile int shared = 0;
    int st;
    pid_t pid = vfork();

    if (pid == 0) {
        shared = 1;
        _exit(6);
    }
    ok(shared == 1, "a vfork child shares memory, and the parent waits");
    ok(waitpid(pid, &st, 0) == pid && t_exited(st, 6), "its status");
    pid = vfork();
    if (pid == 0) {
        execl("/bin/true", "true", NULL);
        _exit(127);
    }
    ok(waitpid(pid, &st, 0) == pid && t_exited(st, 0), "vfork and exec");
}

/* The number of processes in a full binary tree below and with this one. */
static int tree(int depth)
{
    int sum = 1, st;

    for (int i = 0; i < 2 && depth > 0; i++)
        if (fork() == 0)
            _exit(tree(depth - 1));
    while (wait(&st) > 0)
        sum += WEXITSTATUS(st);
    return sum;
}

static void whole_tree(void *arg)
{
    ok(tree(5) == 63, "a tree of 63 processes");
}

int main(void)
{
    codes();
    options();
    stops();
    ok(t_exited(t_child(orphans, NULL), 0), "orphans");
    ok(t_exited(t_child(auto_reap, NULL), 0), "SIGCHLD ignored");
    vforks();
    ok(t_exited(t_child(whole_tree, NULL), 0), "tree");
    return t_done();
}
