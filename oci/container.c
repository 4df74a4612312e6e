// SPDX-License-Identifier: Apache-2.0
/*
 * The end of a container, wherever its life has got to, and talking to its sandbox until then.
 */
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include "oci/cgroup.h"
#include "oci/container.h"
#include "oci/hooks.h"
#include "oci/oci.h"

#define MONITORS_MAX 1024
#define REAP_MS      100
#define DEATH_MS     10000 /* a killed process that is still there then waits for a dead disk */

void container_kill_monitors(const struct state *s)
{
    static struct process_id monitors[MONITORS_MAX];
    size_t n = state_monitors(s, monitors, MONITORS_MAX);

    for (size_t i = 0; i < n; i++)
        process_signal(monitors[i], SIGKILL); /* -ESRCH is what we want */
    for (size_t i = 0; i < n; i++) {
        process_wait(monitors[i], DEATH_MS);
        for (int ms = 0; process_of(monitors[i].pid).start == monitors[i].start && ms < REAP_MS;
             ms++) /* a zombie: its parent shall have seen that first */
            nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

void container_kill(const struct state *s)
{
    container_kill_monitors(s);
    process_signal(s->sandbox, SIGKILL);
    process_signal(s->gofer, SIGKILL);
    process_wait(s->sandbox, DEATH_MS);
    process_wait(s->gofer, DEATH_MS);
}

int container_destroy(struct state *s)
{
    struct json_object *cgroups, *ready;
    int err, status = 0;

    container_kill(s);
    if (s->doc && json_object_object_get_ex(s->doc, "cgroups", &cgroups)) {
        err = cgroup_remove(cgroups);
        if (err)
            status = fail("container \"%s\": a control group stays: %s", s->id, strerror(-err));
    }
    if (s->doc && json_object_object_get_ex(s->doc, "ready", &ready))
        hooks_run_all(s, STATUS_STOPPED, "poststop");
    err = state_remove(s);
    if (err)
        status = fail("container \"%s\": cannot remove its state: %s", s->id, strerror(-err));
    return status;
}

int container_open(const char *id, bool lock, struct state *s)
{
    if (state_open(id, lock, false, s))
        return STATUS_FAILED;
    if (state_status(s) == STATUS_STOPPED)
        return fail("container not running");
    return 0;
}

int container_connect(const struct state *s)
{
    char path[PATH_MAX];

    if ((size_t)snprintf(path, sizeof(path), "%s/control.sock", s->dir) >= sizeof(path))
        return -ENAMETOOLONG;
    return control_connect(path);
}

int container_request(const struct state *s, struct control_message *m, void *reply, size_t cap)
{
    autoclose int sock = container_connect(s);
    unsigned kind = m->kind;
    int err;

    if (sock < 0)
        return sock == -ECONNREFUSED || sock == -ENOENT
                   ? fail("container not running")
                   : fail("cannot connect to the sandbox: %s", strerror(-sock));
    err = control_request(sock, m, NULL, reply, cap);
    if (err == -ECONNRESET || err == -EPIPE)
        return fail("container not running");
    if (err == -EBADMSG || (!err && m->kind != kind))
        return fail("the sandbox sent a reply that is none");
    return err < 0 ? err : 0;
}

int pid_file_write(const char *path, int pid)
{
    char tmp[PATH_MAX], text[16];
    int n = snprintf(text, sizeof(text), "%d", pid), fd;

    if ((size_t)snprintf(tmp, sizeof(tmp), "%s.new", path) >= sizeof(tmp))
        return fail("--pid-file %s: name too long", path);
    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd >= 0 && write(fd, text, (size_t)n) == n && !close(fd) && !rename(tmp, path))
        return 0;
    fail("--pid-file %s: %s", path, strerror(errno));
    unlink(tmp);
    return STATUS_FAILED;
}

int signal_number(const char *name)
{
    static const char *const names[] = {
        [SIGHUP] = "HUP",   [SIGINT] = "INT",       [SIGQUIT] = "QUIT", [SIGILL] = "ILL",
        [SIGTRAP] = "TRAP", [SIGABRT] = "ABRT",     [SIGBUS] = "BUS",   [SIGFPE] = "FPE",
        [SIGKILL] = "KILL", [SIGUSR1] = "USR1",     [SIGSEGV] = "SEGV", [SIGUSR2] = "USR2",
        [SIGPIPE] = "PIPE", [SIGALRM] = "ALRM",     [SIGTERM] = "TERM", [SIGSTKFLT] = "STKFLT",
        [SIGCHLD] = "CHLD", [SIGCONT] = "CONT",     [SIGSTOP] = "STOP", [SIGTSTP] = "TSTP",
        [SIGTTIN] = "TTIN", [SIGTTOU] = "TTOU",     [SIGURG] = "URG",   [SIGXCPU] = "XCPU",
        [SIGXFSZ] = "XFSZ", [SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF", [SIGWINCH] = "WINCH",
        [SIGIO] = "IO",     [SIGPWR] = "PWR",       [SIGSYS] = "SYS",
    };
    char *end;
    long n = strtol(name, &end, 10);

    if (end != name && !*end)
        return n >= 0 && n <= 64 ? (int)n : -1;
    if (!strncasecmp(name, "SIG", 3))
        name += 3;
    if (!strncasecmp(name, "RTMIN", 5) || !strncasecmp(name, "RTMAX", 5)) {
        long base = !strncasecmp(name, "RTMIN", 5) ? 34 : 64;

        n = name[5] ? strtol(name + 5, &end, 10) : 0;
        if (name[5] && (*end || end == name + 5))
            return -1;
        return base + n >= 34 && base + n <= 64 ? (int)(base + n) : -1;
    }
    for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i] && !strcasecmp(name, names[i]))
            return (int)i;
    return -1;
}
