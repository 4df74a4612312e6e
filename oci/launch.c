// SPDX-License-Identifier: Apache-2.0
/*
 * From a description of a container to its running processes: the gofer, the sandbox, and this
 * process, which passes signals on and reports how it ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "gofer/gofer.h"
#include "oci/control.h"
#include "oci/oci.h"

#define MEMORY_MIN 8 /* MiB: the Sentry itself and a small program */

/* A running container, seen from the process that waits for it. */
struct session {
    pid_t gofer, sandbox;
    int control; /* to the sandbox */
    int signals; /* signalfd */
    int tty;     /* the terminal of the container, -1 = none */
    bool stopped;
};

void launch_defaults(struct launch *l)
{
    struct sandbox_config *c = &l->sandbox;

    memset(l, 0, sizeof(*l));
    c->kvm_fd = c->control_fd = c->control_listen_fd = c->sync_fd = c->log_fd = -1;
    c->release = flags.release;
    c->version = "#1 SMP Sun Jan 10 15:06:54 PST 2016";
    c->cpus = flags.cpus;
    c->ram_bytes = (uint64_t)flags.memory << 20;
    c->strace = flags.strace;
    c->crash = flags.crash;
    c->network = !strcmp(flags.network, "host")      ? NETWORK_HOST
                 : !strcmp(flags.network, "sandbox") ? NETWORK_SANDBOX
                                                     : NETWORK_NONE;
    c->namespaces = (struct sandbox_namespaces){
        .net = c->network == NETWORK_HOST ? NAMESPACE_KEEP : NAMESPACE_NEW,
        .ipc = NAMESPACE_NEW,
        .uts = NAMESPACE_NEW,
    };
    c->debug = flags.debug ? 2 : 0;
    for (int i = 0; i < 16; i++) {
        struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};
        getrlimit((__rlimit_resource_t)i, &r);
        c->process.rlimits[i] = (struct sandbox_rlimit){r.rlim_cur, r.rlim_max};
    }
    for (int i = 0; i < 3; i++)
        c->stdio[i] = fcntl(i, F_GETFD) < 0 ? -1 : i;
}

static int choose_platform(struct sandbox_config *c)
{
    enum platform want = !strcmp(flags.platform, "kvm")      ? PLATFORM_KVM
                         : !strcmp(flags.platform, "ptrace") ? PLATFORM_PTRACE
                                                             : PLATFORM_AUTO;
    char why[256] = "";
    int err = platform_choose(want, &c->platform, &c->kvm_fd, why, sizeof(why));

    if (err)
        return fail("%s", why);
    if (c->log_fd >= 0 && why[0])
        dprintf(c->log_fd, "%s: %s\n", c->id, why);
    return 0;
}

/* Fork the gofer over the mounts that have a host path; *sock is the sandbox's end. */
static int start_gofer(const struct launch *l, int log_fd, pid_t *pid, int *sock)
{
    struct gofer_mount mounts[64];
    int pair[2];
    size_t n = 0;

    for (size_t i = 0; i < l->nmounts; i++)
        if (l->mounts[i].source) {
            if (n == 64)
                return fail("more than 64 mounts from the host");
            mounts[n++] = (struct gofer_mount){
                .source = l->mounts[i].source,
                .readonly = l->mounts[i].readonly || !strcmp(l->mounts[i].type, "overlay"),
            };
        }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return fail("cannot make a socket pair: %s", strerror(errno));
    *pid = fork();
    if (*pid < 0)
        return fail("cannot fork: %s", strerror(errno));
    if (*pid == 0) {
        struct gofer_config cfg = {
            .sock = pair[1],
            .log_fd = log_fd >= 0 ? log_fd : STDERR_FILENO,
            .mounts = mounts,
            .nmounts = n,
            .user_namespace = geteuid() != 0,
            .uid = geteuid(),
            .gid = getegid(),
            .die_with_parent = true,
        };
        _exit(gofer_main(&cfg));
    }
    close(pair[1]);
    *sock = pair[0];
    return 0;
}

static int start_sandbox(struct launch *l, int gofer_sock, struct session *s)
{
    struct sandbox_mount mounts[64];
    struct sandbox_config *c = &l->sandbox;
    int pair[2];
    unsigned attach = 0;

    if (l->nmounts > 64)
        return fail("more than 64 mounts");
    for (size_t i = 0; i < l->nmounts; i++)
        mounts[i] = (struct sandbox_mount){
            .destination = l->mounts[i].destination,
            .type = l->mounts[i].type,
            .options = l->mounts[i].options,
            .conn = l->mounts[i].source ? 0 : -1,
            .attach = l->mounts[i].source ? attach++ : 0,
            .readonly = l->mounts[i].readonly,
        };
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return fail("cannot make a socket pair: %s", strerror(errno));
    s->sandbox = fork();
    if (s->sandbox < 0)
        return fail("cannot fork: %s", strerror(errno));
    if (s->sandbox == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(pair[0]);
        c->control_fd = pair[1];
        c->mounts = mounts;
        c->nmounts = l->nmounts;
        c->gofer_fds = &gofer_sock;
        c->ngofers = 1;
        sandbox_run(c);
    }
    close(pair[1]);
    s->control = pair[0];
    return 0;
}

/* ---- while it runs ---- */

static void tell(const struct session *s, uint32_t kind, int64_t a, int64_t b)
{
    const struct control_message m = {.kind = kind, .a = a, .b = b};

    /* The sandbox may have ended in between: then its status is all that matters. */
    (void)!control_send(s->control, &m, NULL, NULL, 0);
}

static void pass_on(const struct session *s, int sig)
{
    tell(s, CONTROL_SIGNAL, CONTROL_PID_FOREGROUND, sig);
}

static void tell_window_size(const struct session *s)
{
    struct winsize w;

    if (s->tty >= 0 && !ioctl(s->tty, TIOCGWINSZ, &w))
        tell(s, CONTROL_WINDOW, 0, (int64_t)w.ws_row << 16 | w.ws_col);
}

/* Stop like any other command of the caller's shell, the application with us. */
static void stop(struct session *s, int sig)
{
    pass_on(s, sig);
    terminal_restore();
    raise(SIGSTOP);
    if (s->tty >= 0)
        terminal_raw(s->tty);
    pass_on(s, SIGCONT);
}

static void handle_signal(struct session *s, const struct signalfd_siginfo *si)
{
    switch (si->ssi_signo) {
    case SIGCHLD:
    case SIGCONT:
        break;
    case SIGWINCH:
        tell_window_size(s);
        break;
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        stop(s, (int)si->ssi_signo);
        break;
    default:
        pass_on(s, (int)si->ssi_signo);
    }
}

/* Block what we pass on (and SIGCHLD) and read it from a descriptor. */
static int catch_signals(sigset_t *old)
{
    sigset_t set;

    sigfillset(&set);
    sigdelset(&set, SIGKILL);
    sigdelset(&set, SIGSTOP);
    sigdelset(&set, SIGSEGV);
    sigdelset(&set, SIGBUS);
    sigdelset(&set, SIGILL);
    sigdelset(&set, SIGFPE);
    sigdelset(&set, SIGABRT);
    sigdelset(&set, SIGTRAP);
    sigdelset(&set, SIGSYS);
    if (sigprocmask(SIG_BLOCK, &set, old))
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Take what the sandbox says. True when it is the container's end: its status goes to *status. */
static bool told_the_end(struct session *s, int *status)
{
    struct control_message m;
    char text[1024];
    int err = control_receive(s->control, &m, text, sizeof(text) - 1);

    if (err == -EBADMSG)
        return false;
    if (err) { /* it died without a word: waitpid() knows how */
        close(s->control);
        s->control = -1;
        return false;
    }
    if (m.kind == CONTROL_CREATED && m.a) {
        control_printable(text);
        terminal_restore();
        fail("%s", text);
    }
    if (m.kind != CONTROL_ENDED)
        return false;
    *status = WIFSIGNALED((int)m.a) ? 128 + WTERMSIG((int)m.a) : WEXITSTATUS((int)m.a);
    return true;
}

static bool readable(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    return fd >= 0 && poll(&p, 1, 0) > 0;
}

/*
 * Exit status of the container. The sandbox tells it before it ends; we do not wait until the
 * kernel has taken the machine apart. Both it and the gofer are killed when we end, should they
 * still be there.
 */
static int wait_sandbox(struct session *s)
{
    struct signalfd_siginfo si;
    int status, told;

    for (;;) {
        struct pollfd p[2] = {{s->signals, POLLIN, 0}, {s->control, POLLIN, 0}};
        pid_t pid = waitpid(s->sandbox, &status, WNOHANG);

        while (readable(s->control)) /* its last words come before its end */
            if (told_the_end(s, &told))
                return told;
        p[1].fd = s->control;
        if (pid == s->sandbox && WIFEXITED(status))
            return WEXITSTATUS(status);
        if (pid == s->sandbox) { /* no application can cause that: say so */
            fail("the sandbox was killed by signal %d (%s)%s", WTERMSIG(status),
                 strsignal(WTERMSIG(status)),
                 WTERMSIG(status) == SIGSYS ? ": a system call that it may not make" : "");
            return 128 + WTERMSIG(status);
        }
        if (pid < 0)
            return STATUS_FAILED;
        if (poll(p, 2, -1) > 0 && p[0].revents && read(s->signals, &si, sizeof(si)) == sizeof(si))
            handle_signal(s, &si);
    }
}

int launch(struct launch *l)
{
    struct session s = {.control = -1, .signals = -1, .tty = -1};
    struct sandbox_config *c = &l->sandbox;
    int gofer_sock = -1, status;
    sigset_t old;

    if (flags.memory && flags.memory < MEMORY_MIN)
        return fail("--memory: %u MiB are too few; %d is the least", flags.memory, MEMORY_MIN);
    c->log_fd = log_open_debug("boot", c->id, false);
    if (c->log_fd < -1)
        return fail("cannot open the debug log %s: %s", flags.debug_log, strerror(-c->log_fd));
    if (choose_platform(c))
        return STATUS_FAILED;
    status = start_gofer(l, c->log_fd, &s.gofer, &gofer_sock);
    if (status)
        return status;
    c->process.console =
        c->stdio[0] >= 0 && c->stdio[1] >= 0 && isatty(c->stdio[0]) && isatty(c->stdio[1]);
    s.signals = catch_signals(&old);
    if (s.signals < 0)
        return fail("cannot watch signals: %s", strerror(errno));
    status = start_sandbox(l, gofer_sock, &s);
    if (!status) {
        close(gofer_sock);
        if (c->process.console) {
            s.tty = c->stdio[0];
            terminal_raw(s.tty);
        }
        status = wait_sandbox(&s);
        terminal_restore();
    }
    if (s.gofer > 0)
        kill(s.gofer, SIGKILL);
    sigprocmask(SIG_SETMASK, &old, NULL);
    return status;
}
