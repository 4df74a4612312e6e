// SPDX-License-Identifier: Apache-2.0
//
// Process groups and sessions, signals to groups.

#include "t.h"

static void session(void *arg)
{
    pid_t sid;

    ok((sid = setsid()) == getpid(), "setsid");
    ok(getsid(0) == sid && getpgrp() == sid, "leader of session and group");
    fails(setsid(), EPERM);
    fails(setpgid(0, 0), EPERM);
    pid_t pid = fork();
    if (pid == 0) {
        ok(getsid(0) == sid && getpgrp() == sid, "children stay in it");
        ok(setpgid(0, 0) == 0 && getpgrp() == getpid(), "setpgid");
        ok(getsid(0) == sid, "same session");
        fails(setpgid(0, 1 << 29), EPERM);
        _exit(t_failed);
    }
    int st;
    waitpid(pid, &st, 0);
    ok(t_exited(st, 0), "child");
    fails(open("/dev/tty", O_RDWR), ENXIO);
}

static void group_kill(void)
{
    struct t_gate ready, go;
    pid_t group = 0, pid[5];
    int st, killed = 0;

    t_gate_init(&ready);
    t_gate_init(&go);
    for (int i = 0; i < 5; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            setpgid(0, group);
            t_gate_open(&ready);
            if (i == 4)
                signal(SIGTERM, SIG_IGN);
            t_gate_open(&ready);
            t_gate_pass(&go);
            _exit(4);
        }
        if (!group)
            group = pid[i];
        t_gate_pass(&ready);
        t_gate_pass(&ready);
    }
    ok(kill(-group, 0) == 0, "the group exists");
    ok(kill(-group, SIGTERM) == 0, "kill the group");
    for (int i = 0; i < 4; i++)
        killed += waitpid(pid[i], &st, 0) == pid[i] && t_killed(st, SIGTERM);
    ok(killed == 4, "four died");
    ok(waitpid(pid[4], &st, WNOHANG) == 0, "the one that ignores it did not");
    t_gate_open(&go);
    ok(waitpid(-group, &st, 0) == pid[4] && t_exited(st, 4), "it exits by itself");
    fails(kill(-group, 0), ESRCH);
    fails(waitpid(-group, &st, 0), ECHILD);
}

static void errors(void)
{
    fails(setpgid(0, -1), EINVAL);
    fails(setpgid(1 << 29, 0), ESRCH);
    fails(getpgid(1 << 29), ESRCH);
    fails(getsid(1 << 29), ESRCH);
    fails(kill(1 << 29, 0), ESRCH);
    fails(kill(getpid(), 65), EINVAL);
    fails(kill(getpid(), -1), EINVAL);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sleep", "sleep", "10", NULL);
        _exit(1);
    }
    for (int i = 0; i < 500 && setpgid(pid, pid) == 0; i++)
        t_msleep(10);
    fails(setpgid(pid, pid), EACCES);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

int main(void)
{
    ok(t_exited(t_child(session, NULL), 0), "session");
    group_kill();
    errors();
    return t_done();
}
