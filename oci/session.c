// SPDX-License-Identifier: Apache-2.0
/*
 * This process while a sandbox runs in its foreground: it passes signals and window sizes on and
 * reports how the container ended.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "oci/control.h"
#include "oci/launch.h"

/* A running container, seen from the process that waits for it. */
struct session {
    pid_t sandbox;
    int control; /* to the sandbox */
    int signals; /* signalfd */
    int tty;     /* the terminal of the container, -1 = none */
};

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
            if (told_the_end(s, &told)) {
                if (flags.debug) /* the log ends with what it counted */
                    waitpid(s->sandbox, &status, 0);
                return told;
            }
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

int session_begin(sigset_t *old)
{
    int fd = catch_signals(old);

    if (fd < 0)
        fail("cannot watch signals: %s", strerror(errno));
    return fd;
}

int session_run(const struct launch *l, struct launched *p, int signals)
{
    struct session s = {
        .sandbox = p->sandbox, .control = p->control, .signals = signals, .tty = -1};
    int status;

    if (l->sandbox.process.console && !l->sandbox.own_terminal) {
        s.tty = l->sandbox.stdio[0];
        terminal_raw(s.tty);
    }
    status = wait_sandbox(&s);
    p->control = s.control;
    terminal_restore();
    return status;
}

int launch(struct launch *l)
{
    struct sandbox_config *c = &l->sandbox;
    struct launched p;
    sigset_t old;
    int status, signals;

    c->process.console =
        c->stdio[0] >= 0 && c->stdio[1] >= 0 && isatty(c->stdio[0]) && isatty(c->stdio[1]);
    status = launch_begin(l, &p);
    if (!status)
        status = launch_gofer(l, &p);
    if (!status) {
        signals = session_begin(&old);
        status = signals < 0 ? STATUS_FAILED : launch_sandbox(l, &p);
        if (!status)
            status = session_run(l, &p, signals);
        sigprocmask(SIG_SETMASK, &old, NULL);
    }
    if (p.gofer > 0)
        kill(p.gofer, SIGKILL);
    launch_end(&p);
    return status;
}
