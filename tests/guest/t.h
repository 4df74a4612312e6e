// SPDX-License-Identifier: Apache-2.0
//
// The few helpers of the guest programs. Each program tests one property of the Linux ABI, prints
// one line per check and exits with 0 when all hold. The lines must be the same on every kernel
// that is right: no process ids, no addresses, no times. Output goes out unbuffered, line by line,
// so that it survives forks and crashes.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define T_UNUSED __attribute__((unused))

static int t_failed;
static char t_dir[64];
static pid_t t_dir_owner;

T_UNUSED __attribute__((format(printf, 1, 2))) static void t_say(const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
    va_end(ap);
    if (n > (int)sizeof(line) - 2)
        n = sizeof(line) - 2;
    line[n++] = '\n';
    if (write(1, line, n) != n)
        _exit(99);
}

T_UNUSED __attribute__((format(printf, 3, 4))) static bool t_ok(bool good, int line,
                                                                const char *fmt, ...)
{
    char what[400];
    int e = errno;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    if (good) {
        t_say("ok %s", what);
    } else {
        t_say("FAIL line %d: %s (errno %d %s)", line, what, e, strerrorname_np(e));
        t_failed++;
    }
    errno = e;
    return good;
}

/* One check with one line of output. */
#define ok(cond, ...) t_ok((cond), __LINE__, __VA_ARGS__)
/* A call that must succeed (-1 or NULL means failure is up to the caller: EXPR is the condition);
 * silent when it holds. */
#define must(cond)                                    \
    do {                                              \
        if (!(cond)) {                                \
            t_ok(false, __LINE__, "must: %s", #cond); \
            _exit(98);                                \
        }                                             \
    } while (0)
/* A call that must return -1 with the given errno. */
#define fails(expr, want)                                              \
    do {                                                               \
        errno = 0;                                                     \
        bool t_r = (long)(expr) == -1;                                 \
        t_ok(t_r &&errno == (want), __LINE__, "%s: %s", #expr, #want); \
    } while (0)

T_UNUSED static int t_done(void)
{
    t_say(t_failed ? "some checks failed" : "done");
    return t_failed ? 1 : 0;
}

T_UNUSED static int t_rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

T_UNUSED static void t_rm_dir(void)
{
    if (getpid() != t_dir_owner)
        return;
    if (chdir("/") == 0)
        nftw(t_dir, t_rm_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes a scratch directory, removed at exit, and goes there. */
T_UNUSED static const char *t_scratch(void)
{
    strcpy(t_dir, "/tmp/t.XXXXXX");
    must(mkdtemp(t_dir));
    t_dir_owner = getpid();
    atexit(t_rm_dir);
    must(chdir(t_dir) == 0);
    return t_dir;
}

/* Runs fn in a child and returns its wait status. A child that returns from fn exits with 0. */
T_UNUSED static int t_child(void (*fn)(void *), void *arg)
{
    int st;
    pid_t pid = fork();

    must(pid >= 0);
    if (pid == 0) {
        t_failed = 0;
        fn(arg);
        _exit(t_failed ? 1 : 0);
    }
    must(waitpid(pid, &st, 0) == pid);
    return st;
}

T_UNUSED static bool t_exited(int st, int code)
{
    return WIFEXITED(st) && WEXITSTATUS(st) == code;
}

T_UNUSED static bool t_killed(int st, int sig)
{
    return WIFSIGNALED(st) && WTERMSIG(st) == sig;
}

T_UNUSED static void t_write_file(const char *path, const void *data, size_t size, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

    must(fd >= 0);
    must(write(fd, data, size) == (ssize_t)size);
    must(close(fd) == 0);
}

T_UNUSED static void t_msleep(int ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000L};

    while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
        ;
}

T_UNUSED static int64_t t_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* One byte over a pipe: the usual way to order two processes. */
struct t_gate {
    int fd[2];
};

T_UNUSED static void t_gate_init(struct t_gate *g)
{
    must(pipe(g->fd) == 0);
}

T_UNUSED static void t_gate_open(struct t_gate *g)
{
    must(write(g->fd[1], "x", 1) == 1);
}

T_UNUSED static void t_gate_pass(struct t_gate *g)
{
    char c;
    ssize_t n;

    do
        n = read(g->fd[0], &c, 1);
    while (n < 0 && errno == EINTR);
    must(n == 1);
}
