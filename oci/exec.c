// SPDX-License-Identifier: Apache-2.0
/*
 * runsc exec: one more process in a running container. This process, or with --detach a child of
 * it, stands for the new one on the host: it passes signals and window sizes on, ends with its exit
 * status, and when it is killed the Sentry kills the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "oci/console.h"
#include "oci/container.h"
#include "oci/exec.h"
#include "oci/oci.h"
#include "oci/spec.h"

static struct {
    const char *process, *cwd, *user, *pid_file, *internal_pid_file, *console_socket;
    struct string_list env, gids, caps;
    bool detach, tty, no_new_privs, ignore_paused;
    unsigned preserve_fds;
} args;

static const struct option options[] = {
    {"process", OPTION_STRING, &args.process, "file with the process as JSON (-: standard input)",
     NULL},
    {"p", OPTION_STRING, &args.process, NULL, NULL},
    {"cwd", OPTION_STRING, &args.cwd, "working directory", NULL},
    {"env", OPTION_LIST, &args.env, "an environment variable, NAME=VALUE; may be repeated", NULL},
    {"e", OPTION_LIST, &args.env, NULL, NULL},
    {"user", OPTION_STRING, &args.user, "UID[:GID]", NULL},
    {"u", OPTION_STRING, &args.user, NULL, NULL},
    {"additional-gids", OPTION_LIST, &args.gids, "further groups; may be repeated", NULL},
    {"g", OPTION_LIST, &args.gids, NULL, NULL},
    {"cap", OPTION_LIST, &args.caps, "a capability to add; may be repeated", NULL},
    {"c", OPTION_LIST, &args.caps, NULL, NULL},
    {"no-new-privs", OPTION_BOOL, &args.no_new_privs, "set no_new_privs", NULL},
    {"tty", OPTION_BOOL, &args.tty, "give it a terminal", NULL},
    {"t", OPTION_BOOL, &args.tty, NULL, NULL},
    {"console-socket", OPTION_STRING, &args.console_socket, "socket that gets its terminal", NULL},
    {"detach", OPTION_BOOL, &args.detach, "do not wait for its end", NULL},
    {"d", OPTION_BOOL, &args.detach, NULL, NULL},
    {"pid-file", OPTION_STRING, &args.pid_file, "file for the pid that stands for it on the host",
     NULL},
    {"internal-pid-file", OPTION_STRING, &args.internal_pid_file,
     "file for its pid in the container", NULL},
    {"ignore-paused", OPTION_BOOL, &args.ignore_paused, "also when the container is paused", NULL},
    {"preserve-fds", OPTION_UINT, &args.preserve_fds, "not supported but for 0", NULL},
    {"apparmor", OPTION_NOTHING, NULL, NULL, NULL},
    {"process-label", OPTION_NOTHING, NULL, NULL, NULL},
    {"cgroup", OPTION_NOTHING, NULL, NULL, NULL},
    {0},
};

static const char usage[] =
    "runsc exec [flags] ID COMMAND [ARGUMENT...]\n"
    "       runsc exec [flags] --process FILE ID\n\n"
    "Runs a process in a container, with the environment, user and rights of its first one where "
    "the flags\nor FILE do not say otherwise. Ends with its exit status.";

/* The exec'd process, as the one that stands for it knows it. */
struct monitor {
    int sock;    /* connection of its own to the sandbox */
    int signals; /* signalfd */
    int tty;     /* its terminal on the host, or -1 */
    int64_t pid; /* in the container */
};

/* ---- what to run ---- */

/* Add or replace NAME=VALUE. */
static void set_env(json_object *env, const char *word)
{
    size_t n = strcspn(word, "=") + 1;

    for (size_t i = 0; i < json_object_array_length(env); i++) {
        const char *old = json_object_get_string(json_object_array_get_idx(env, i));

        if (!strncmp(old, word, n)) {
            json_object_array_put_idx(env, i, json_object_new_string(word));
            return;
        }
    }
    json_object_array_add(env, json_object_new_string(word));
}

static int set_user(json_object *process)
{
    json_object *user = json_object_new_object(), *old, *mask;
    char *end;
    unsigned long uid = strtoul(args.user, &end, 10), gid = 0;

    if (*end == ':')
        gid = strtoul(end + 1, &end, 10);
    if (*end || end == args.user || uid >= UINT32_MAX || gid >= UINT32_MAX)
        return fail("--user %s: UID[:GID] in numbers is needed", args.user);
    json_object_object_add(user, "uid", json_object_new_int64((int64_t)uid));
    json_object_object_add(user, "gid", json_object_new_int64((int64_t)gid));
    if (json_object_object_get_ex(process, "user", &old) &&
        json_object_object_get_ex(old, "umask", &mask))
        json_object_object_add(user, "umask", json_object_get(mask));
    json_object_object_add(process, "user", user);
    return 0;
}

static int add_gids(json_object *process)
{
    json_object *user, *list = json_object_new_array();

    if (!json_object_object_get_ex(process, "user", &user)) {
        user = json_object_new_object();
        json_object_object_add(process, "user", user);
    }
    for (size_t i = 0; i < args.gids.n; i++) {
        const char *at = args.gids.items[i];

        for (char *end; *at; at = *end ? end + 1 : end) { /* "1,2" is fine too */
            unsigned long gid = strtoul(at, &end, 10);

            if (end == at || (*end && *end != ',') || gid >= UINT32_MAX) {
                json_object_put(list);
                return fail("--additional-gids %s: numbers are needed", args.gids.items[i]);
            }
            json_object_array_add(list, json_object_new_int64((int64_t)gid));
        }
    }
    json_object_object_add(user, "additionalGids", list);
    return 0;
}

static int add_caps(json_object *process)
{
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    json_object *caps;

    if (!json_object_object_get_ex(process, "capabilities", &caps)) {
        caps = json_object_new_object();
        json_object_object_add(process, "capabilities", caps);
    }
    for (size_t k = 0; k < 3; k++) {
        json_object *set;

        if (!json_object_object_get_ex(caps, sets[k], &set)) {
            set = json_object_new_array();
            json_object_object_add(caps, sets[k], set);
        }
        for (size_t i = 0; i < args.caps.n; i++) {
            if (spec_capability(args.caps.items[i]) < 0)
                return fail("--cap %s: unknown capability", args.caps.items[i]);
            json_object_array_add(set, json_object_new_string(args.caps.items[i]));
        }
    }
    return 0;
}

/* The container's process with what the flags change. The caller puts it; NULL after a message. */
static json_object *from_flags(const struct state *s, char **argv)
{
    json_object *own, *process = NULL, *list = json_object_new_array(), *env;

    if (!json_object_object_get_ex(s->doc, "process", &own) ||
        json_object_deep_copy(own, &process, NULL)) {
        json_object_put(list);
        fail("the container's state has no process");
        return NULL;
    }
    for (; *argv; argv++)
        json_object_array_add(list, json_object_new_string(*argv));
    json_object_object_add(process, "args", list);
    json_object_object_add(process, "terminal", json_object_new_boolean(args.tty));
    if (args.cwd)
        json_object_object_add(process, "cwd", json_object_new_string(args.cwd));
    if (args.no_new_privs)
        json_object_object_add(process, "noNewPrivileges", json_object_new_boolean(true));
    if (!json_object_object_get_ex(process, "env", &env)) {
        env = json_object_new_array();
        json_object_object_add(process, "env", env);
    }
    for (size_t i = 0; i < args.env.n; i++)
        set_env(env, args.env.items[i]);
    if ((args.user && set_user(process)) || (args.gids.n && add_gids(process)) ||
        (args.caps.n && add_caps(process))) {
        json_object_put(process);
        return NULL;
    }
    return process;
}

static int load(const struct state *s, char **argv, struct bundle *b, struct sandbox_process *p)
{
    int status;

    for (int i = 0; i < 16; i++)
        p->rlimits[i] = (struct sandbox_rlimit){~0ULL, ~0ULL};
    if (args.process)
        return bundle_load_process(args.process, b, p);
    *b = (struct bundle){.dir = "/"};
    b->json = from_flags(s, argv);
    status = b->json ? spec_process(b, b->json, p) : STATUS_FAILED;
    return status;
}

/* ---- standing for it ---- */

static void tell(const struct monitor *m, unsigned kind, int64_t b)
{
    struct control_message msg = {.kind = kind, .a = m->pid, .b = b};

    /* it may have ended in between: then its status is all that matters */
    (void)!control_send(m->sock, &msg, NULL, NULL, 0);
}

static void tell_window_size(const struct monitor *m)
{
    struct winsize w;

    if (m->tty >= 0 && !ioctl(m->tty, TIOCGWINSZ, &w))
        tell(m, CONTROL_WINDOW, (int64_t)w.ws_row << 16 | w.ws_col);
}

static int catch_signals(void)
{
    static const int not_ours[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGILL,
                                   SIGFPE,  SIGABRT, SIGTRAP, SIGSYS, SIGCHLD};
    sigset_t set;

    sigfillset(&set);
    for (size_t i = 0; i < sizeof(not_ours) / sizeof(not_ours[0]); i++)
        sigdelset(&set, not_ours[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return -errno;
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Until it ends: its exit status, 137 when the whole sandbox went away. */
static int stand_by(struct monitor *m)
{
    struct control_message msg;
    struct signalfd_siginfo si;
    char text[256];

    for (;;) {
        struct pollfd p[2] = {{m->sock, POLLIN, 0}, {m->signals, POLLIN, 0}};

        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return STATUS_FAILED;
        if (p[1].revents && read(m->signals, &si, sizeof(si)) == sizeof(si)) {
            if (si.ssi_signo == SIGWINCH)
                tell_window_size(m);
            else if (m->tty < 0 || si.ssi_signo != SIGHUP)
                tell(m, CONTROL_SIGNAL, si.ssi_signo);
        }
        if (!p[0].revents)
            continue;
        if (control_receive(m->sock, &msg, text, sizeof(text) - 1))
            return 128 + SIGKILL;
        if (msg.kind == CONTROL_ENDED) /* all of it */
            return 128 + SIGKILL;
        if (msg.kind == CONTROL_EXITED && msg.a == m->pid) {
            int w = (int)msg.b;

            return WIFSIGNALED(w) ? 128 + WTERMSIG(w) : WEXITSTATUS(w);
        }
    }
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Let go of the caller's descriptors: engines wait for the ends of their pipes. */
static void drop_descriptors(const struct monitor *m, int ready)
{
    int keep[] = {m->sock, m->signals, m->tty, ready}, next = 3;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int i = 0; i < 3 && null >= 0; i++)
        dup2(null, i);
    qsort(keep, 4, sizeof(keep[0]), by_number);
    for (int i = 0; i < 4; i++) {
        if (keep[i] > next)
            syscall(SYS_close_range, next, keep[i] - 1, 0);
        if (keep[i] >= next)
            next = keep[i] + 1;
    }
    syscall(SYS_close_range, next, ~0U, 0);
}

/* Become the session that the terminal tells about its size. */
static void own_terminal(int tty)
{
    if (setsid() < 0 || ioctl(tty, TIOCSCTTY, 0))
        warn("exec: the terminal's size is not followed: %s", strerror(errno));
}

static int write_pids(const struct monitor *m, pid_t host)
{
    if (args.internal_pid_file && pid_file_write(args.internal_pid_file, (int)m->pid))
        return STATUS_FAILED;
    return args.pid_file ? pid_file_write(args.pid_file, host) : 0;
}

/* The child that stands for a detached process. Says on `ready` that all is well, then lives on. */
static _Noreturn void monitor_main(struct state *s, struct monitor *m, struct sandbox_process *p,
                                   int stdio[3], int ready)
{
    struct process_id self = process_of(getpid());
    int status;

    if (args.console_socket)
        own_terminal(m->tty);
    else
        setsid();
    prctl(PR_SET_NAME, "runsc-exec");
    m->signals = catch_signals();
    status = exec_request(m->sock, p, stdio, &m->pid);
    if (!status)
        status = write_pids(m, getpid());
    if (status)
        _exit(STATUS_FAILED);
    if (state_add_monitor(s, self))
        warn("exec: ps will not list this process");
    drop_descriptors(m, ready);
    (void)!write(ready, "", 1);
    close(ready);
    status = stand_by(m);
    state_drop_monitor(s->dir, self);
    _exit(status);
}

static int run_detached(struct state *s, struct monitor *m, struct sandbox_process *p, int stdio[3])
{
    int pipes[2], status;
    char byte;
    ssize_t n;
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC))
        return fail("cannot make a pipe: %s", strerror(errno));
    pid = fork();
    if (pid < 0)
        return fail("cannot fork: %s", strerror(errno));
    if (pid == 0) {
        close(pipes[0]);
        monitor_main(s, m, p, stdio, pipes[1]);
    }
    close(pipes[1]);
    do
        n = read(pipes[0], &byte, 1);
    while (n < 0 && errno == EINTR);
    close(pipes[0]);
    if (n == 1)
        return 0;
    if (waitpid(pid, &status, 0) == pid && WIFEXITED(status)) /* it has said why */
        return WEXITSTATUS(status);
    return fail("exec: the process that stands for the new one was killed");
}

static int run_here(struct monitor *m, struct sandbox_process *p, int stdio[3])
{
    bool raw = p->console && !args.console_socket;
    int status;

    m->signals = catch_signals();
    if (m->signals < 0)
        return fail("cannot watch signals: %s", strerror(-m->signals));
    if (args.console_socket)
        own_terminal(m->tty);
    status = exec_request(m->sock, p, stdio, &m->pid);
    if (!status)
        status = write_pids(m, getpid());
    if (status)
        return status;
    if (raw && m->tty >= 0)
        terminal_raw(m->tty);
    status = stand_by(m);
    terminal_restore();
    return status;
}

static int run(struct state *s, struct bundle *b, struct sandbox_process *p)
{
    struct monitor m = {.sock = -1, .signals = -1, .tty = -1};
    int stdio[3] = {0, 1, 2}, status;

    if (!b->terminal && args.console_socket)
        return fail("--console-socket: the process has no terminal");
    if (b->terminal && args.console_socket) {
        m.tty = console_make(args.console_socket, b->rows, b->columns);
        if (m.tty < 0)
            return STATUS_FAILED;
        stdio[0] = stdio[1] = stdio[2] = m.tty;
    } else if (b->terminal && args.detach) {
        return fail("cannot give a detached process a terminal without --console-socket");
    } else if (b->terminal && isatty(0)) {
        m.tty = 0;
    }
    p->console = b->terminal && m.tty >= 0;
    m.sock = container_connect(s);
    if (m.sock < 0)
        return fail("container not running");
    status = args.detach ? run_detached(s, &m, p, stdio) : run_here(&m, p, stdio);
    close(m.sock);
    return status;
}

int command_exec(int argc, char **argv)
{
    struct sandbox_process p = {0};
    struct bundle b = {0};
    struct state s;
    enum status st;
    int first = flags_parse(argc, argv, options, usage), status;

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first >= argc)
        return fail("exec: a container id is needed");
    if (!args.process && first + 1 >= argc)
        return fail("exec: a command is needed");
    if (args.preserve_fds)
        return fail("exec: --preserve-fds is not supported");
    status = state_open(argv[first], false, false, &s);
    if (!status) {
        st = state_status(&s);
        if (st == STATUS_PAUSED && !args.ignore_paused)
            status = fail("cannot exec in a paused container (--ignore-paused allows it)");
        else if (st == STATUS_STOPPED || st == STATUS_CREATING)
            status = fail("cannot exec in a %s container", status_name(st));
    }
    if (!status)
        status = load(&s, argv + first + 1, &b, &p);
    if (!status)
        status = run(&s, &b, &p);
    bundle_free(&b);
    state_close(&s);
    return status;
}
