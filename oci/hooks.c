// SPDX-License-Identifier: Apache-2.0
/*
 * Hooks: each is a child with the state on its standard input, killed when its time is over. What
 * it writes to standard error becomes part of the message when it fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "oci/hooks.h"
#include "oci/oci.h"

typedef struct json_object json;

static const char *const kinds[] = {"prestart",       "createRuntime", "createContainer",
                                    "startContainer", "poststart",     "poststop"};

/* ---- form ---- */

static int check_strings(json *hook, const char *kind, size_t i, const char *name)
{
    json *a;

    if (!json_object_object_get_ex(hook, name, &a) || !a)
        return 0;
    if (!json_object_is_type(a, json_type_array))
        return fail("config.json: hooks.%s[%zu].%s must be an array", kind, i, name);
    for (size_t k = 0; k < json_object_array_length(a); k++)
        if (!json_object_is_type(json_object_array_get_idx(a, k), json_type_string))
            return fail("config.json: hooks.%s[%zu].%s[%zu] must be a string", kind, i, name, k);
    return 0;
}

static int check_hook(json *hook, const char *kind, size_t i)
{
    json *v;

    if (!json_object_is_type(hook, json_type_object))
        return fail("config.json: hooks.%s[%zu] must be an object", kind, i);
    if (!json_object_object_get_ex(hook, "path", &v) || !json_object_is_type(v, json_type_string) ||
        json_object_get_string(v)[0] != '/')
        return fail("config.json: hooks.%s[%zu].path must be an absolute path", kind, i);
    if (json_object_object_get_ex(hook, "timeout", &v) && v &&
        (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) <= 0))
        return fail("config.json: hooks.%s[%zu].timeout must be a positive number", kind, i);
    return check_strings(hook, kind, i, "args") ? STATUS_FAILED
                                                : check_strings(hook, kind, i, "env");
}

int hooks_check(json *hooks)
{
    if (!hooks)
        return 0;
    if (!json_object_is_type(hooks, json_type_object))
        return fail("config.json: hooks must be an object");
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        json *list;

        if (!json_object_object_get_ex(hooks, kinds[k], &list) || !list)
            continue;
        if (!json_object_is_type(list, json_type_array))
            return fail("config.json: hooks.%s must be an array", kinds[k]);
        for (size_t i = 0; i < json_object_array_length(list); i++)
            if (check_hook(json_object_array_get_idx(list, i), kinds[k], i))
                return STATUS_FAILED;
    }
    return 0;
}

/* ---- running ---- */

/* A strings member as a NULL-terminated vector; def alone where it is missing. */
static char **vector(json *hook, const char *name, const char *def)
{
    json *a = NULL;
    size_t n = 0;
    char **v;

    if (json_object_object_get_ex(hook, name, &a) && a)
        n = json_object_array_length(a);
    v = calloc(n + 2, sizeof(*v));
    if (!v)
        return NULL;
    for (size_t i = 0; i < n; i++)
        v[i] = (char *)json_object_get_string(json_object_array_get_idx(a, i));
    if (!n && def)
        v[0] = (char *)def;
    return v;
}

static void enter_namespaces(pid_t pid)
{
    static const struct {
        const char *name;
        int type;
    } spaces[] = {{"net", CLONE_NEWNET}, {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}};

    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
        char path[64];
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, spaces[i].name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || setns(fd, spaces[i].type)) {
            fprintf(stderr, "cannot enter %s: %s", path, strerror(errno));
            _exit(126);
        }
        close(fd);
    }
}

static _Noreturn void child(json *hook, const struct state *s, bool inside, int in, int err)
{
    json *v;
    const char *path = json_object_object_get_ex(hook, "path", &v) ? json_object_get_string(v) : "";
    char **argv = vector(hook, "args", path), **envp = vector(hook, "env", NULL);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    sigset_t none;

    dup2(in, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    syscall(SYS_close_range, 3, ~0U, 0);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    if (inside)
        enter_namespaces(s->sandbox.pid);
    if (argv && envp)
        execve(path, argv, envp);
    fprintf(stderr, "cannot execute %s: %s", path, strerror(errno));
    _exit(127);
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Collect what the child says until it ends; kill it at the deadline (ms, 0: none). */
static bool watch(pid_t pid, int err, int64_t timeout_ms, char *said, size_t size, int *status)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int64_t end = timeout_ms ? now_ms() + timeout_ms : 0;
    bool in_time = true;
    size_t n = 0;

    for (;;) {
        struct pollfd p[2] = {{pidfd, POLLIN, 0}, {err, POLLIN, 0}};
        int64_t left = end ? end - now_ms() : -1;
        ssize_t got;

        if (end && left <= 0) {
            in_time = false;
            kill(-pid, SIGKILL);
            kill(pid, SIGKILL);
            break;
        }
        if (poll(p, 2, (int)left) < 0 && errno != EINTR)
            break;
        if (p[1].revents) {
            char rest[512];

            got = n < size - 1 ? read(err, said + n, size - 1 - n) : read(err, rest, sizeof(rest));
            if (got > 0 && n < size - 1)
                n += (size_t)got;
            if (got <= 0)
                err = -1; /* poll() ignores it from here on */
        } else if (p[0].revents) {
            break;
        }
    }
    said[n] = 0;
    if (pidfd >= 0)
        close(pidfd);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
    return in_time;
}

/* The state as a file to read from. Descriptor or -errno. */
int hooks_input(const struct state *s, enum status st)
{
    json *o = state_report(s, st);
    const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE);
    int fd = memfd_create("state", MFD_CLOEXEC);

    if (fd >= 0 &&
        (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || lseek(fd, 0, SEEK_SET)))
        warn("hooks: the state does not fit");
    json_object_put(o);
    return fd < 0 ? -errno : fd;
}

static int run_hook(json *hook, const struct state *s, const char *kind, size_t i, bool inside,
                    int in)
{
    char said[1024] = "";
    int pipes[2], status = 0;
    json *v;
    int64_t timeout =
        json_object_object_get_ex(hook, "timeout", &v) && v ? json_object_get_int64(v) : 0;
    bool in_time;
    pid_t pid;

    if (timeout > 86400)
        timeout = 86400;
    if (pipe2(pipes, O_CLOEXEC))
        return fail("hooks: cannot make a pipe: %s", strerror(errno));
    lseek(in, 0, SEEK_SET);
    pid = fork();
    if (pid == 0)
        child(hook, s, inside, in, pipes[1]);
    close(pipes[1]);
    if (pid < 0) {
        close(pipes[0]);
        return fail("hooks: cannot fork: %s", strerror(errno));
    }
    in_time = watch(pid, pipes[0], timeout * 1000, said, sizeof(said), &status);
    close(pipes[0]);
    if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    printable(said);
    if (!in_time)
        return fail("hooks.%s[%zu] took longer than %lld s", kind, i, (long long)timeout);
    if (WIFSIGNALED(status))
        return fail("hooks.%s[%zu] was killed by signal %d: %s", kind, i, WTERMSIG(status), said);
    return fail("hooks.%s[%zu] ended with exit status %d: %s", kind, i, WEXITSTATUS(status), said);
}

/* The list of a kind in the state's copy of config.json. */
json *hooks_list(const struct state *s, const char *kind)
{
    json *hooks, *list;

    if (!json_object_object_get_ex(s->doc, "hooks", &hooks) ||
        !json_object_object_get_ex(hooks, kind, &list) || !list)
        return NULL;
    return json_object_is_type(list, json_type_array) && json_object_array_length(list) ? list
                                                                                        : NULL;
}

static int run_list(const struct state *s, enum status st, const char *kind, bool inside, bool all)
{
    json *list = hooks_list(s, kind);
    int in, err = 0;

    if (!list)
        return 0;
    in = hooks_input(s, st);
    if (in < 0)
        return fail("hooks: cannot hand over the state: %s", strerror(-in));
    for (size_t i = 0; i < json_object_array_length(list) && (all || !err); i++)
        err |= run_hook(json_object_array_get_idx(list, i), s, kind, i, inside, in);
    close(in);
    return err;
}

int hooks_run(const struct state *s, enum status st, const char *kind, bool in_container)
{
    return run_list(s, st, kind, in_container, false);
}

void hooks_run_all(const struct state *s, enum status st, const char *kind)
{
    run_list(s, st, kind, false, true);
}
