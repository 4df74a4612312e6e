// SPDX-License-Identifier: Apache-2.0
/*
 * The control channel. Requests come one at a time on the event thread, and none of the handlers
 * waits for anything but locks; what takes time (starting a process, its end) is answered by who
 * brings it about.
 */
#include "sentry/kernel/control.h"
#include "sentry/fs/tty/tty.h"
#include "sentry/fs/vfs.h"
#include "sentry/kernel/container.h"
#include "sentry/kernel/internal.h"
#include "sentry/kernel/start.h"
#include "vmm/abi/control.h"

#define LAUNCHER  0
#define REPLY_MAX KIB(128) /* of payload: fits into a socket's buffer as the host has it */
#define FD_NONE   (~0u)
#define NOBODY    (~0u) /* connection that has gone */
#define EXECS_MAX 4096
#define WAITS_MAX 4096

/* A process that a connection asked for. From the request to the process' end. */
struct control_exec {
    struct list link;
    u32 conn, tag;
    int pid;         /* 0: not yet */
    bool started;    /* the requester has its pid */
    struct tty *tty; /* its console, with a reference */
};

/* A request that is answered when a process ends. */
struct control_wait {
    struct list link;
    u32 conn, tag;
    int pid;
};

/* Guards everything below, and that a connection's number still means the one that was meant. */
static struct mutex lock;
static struct list execs = LIST_INIT(execs), waits = LIST_INIT(waits);
static u32 nexecs, nwaits;
static u32 interest; /* nexecs + nwaits; atomic, so that other ends of processes cost nothing */
static struct tty *console; /* set once, before the first process runs */

/* ---- sending ---- */

static void send(u32 conn, const struct control_message *m, const void *payload)
{
    char *buf;
    s64 err;

    if (conn == NOBODY)
        return;
    buf = kmalloc(sizeof(*m) + m->length);
    if (!buf) {
        log_warn("no memory to answer on control connection %u", conn);
        return;
    }
    memcpy(buf, m, sizeof(*m));
    if (m->length)
        memcpy(buf + sizeof(*m), payload, m->length);
    err = HOSTCALL(HC_CONTROL_SEND, conn, virt_to_phys(buf), sizeof(*m) + m->length);
    kfree(buf);
    if (err && conn != LAUNCHER)
        log_info("control connection %u does not take an answer: error %ld", conn, -err);
}

static void reply(u32 conn, const struct control_message *to, s64 a, s64 b, const void *payload,
                  size_t len)
{
    struct control_message m = {
        .kind = to->kind, .tag = to->tag, .a = a, .b = b, .length = (u32)len};

    send(conn, &m, payload);
}

static void reply_text(u32 conn, u32 kind, u32 tag, s64 a, const char *text)
{
    struct control_message m = {
        .kind = kind, .tag = tag, .a = a, .length = text ? (u32)strlen(text) : 0};

    send(conn, &m, text);
}

void control_created(int err, const char *text)
{
    reply_text(LAUNCHER, CONTROL_CREATED, 0, err, text);
}

/* ---- processes that were asked for ---- */

static void count(void)
{
    __atomic_store_n(&interest, nexecs + nwaits, __ATOMIC_RELEASE);
}

static struct control_exec *exec_new(u32 conn, u32 tag)
{
    struct control_exec *x = nexecs < EXECS_MAX ? kzalloc(sizeof(*x)) : NULL;

    if (!x)
        return NULL;
    x->conn = conn;
    x->tag = tag;
    list_add_tail(&execs, &x->link);
    nexecs++;
    count();
    return x;
}

static void exec_forget(struct control_exec *x)
{
    struct tty *tty = x->tty;

    list_del(&x->link);
    nexecs--;
    count();
    kfree(x);
    if (tty) {
        console_release(tty);
        tty_put(tty);
    }
}

static struct control_exec *exec_find(int pid)
{
    struct control_exec *x;

    list_for_each (x, &execs, link)
        if (x->pid == pid)
            return x;
    return NULL;
}

void control_exec_console(struct control_exec *x, struct tty *tty)
{
    mutex_lock(&lock);
    x->tty = tty;
    mutex_unlock(&lock);
}

static int kill_process(int pid, int sig)
{
    struct process *p = process_find_get(pid);
    int err;

    if (!p)
        return -ESRCH;
    err = sig ? signal_send_process(p, sig, NULL) : 0;
    process_put(p);
    return err;
}

void control_exec_done(struct control_exec *x, int err, const char *text)
{
    mutex_lock(&lock);
    if (err) {
        reply_text(x->conn, CONTROL_EXEC, x->tag, err, text);
        exec_forget(x);
    } else {
        x->started = true;
        reply_text(x->conn, CONTROL_EXEC, x->tag, x->pid, NULL);
        if (x->conn == NOBODY) /* it went while the process was being made */
            kill_process(x->pid, SIGKILL);
    }
    mutex_unlock(&lock);
}

/* Answer who waits for pid. */
static void answer_waits(int pid, int status)
{
    struct control_wait *w, *next;

    list_for_each_safe (w, next, &waits, link) {
        struct control_message m = {.kind = CONTROL_WAIT, .tag = w->tag, .b = status};

        if (w->pid != pid)
            continue;
        send(w->conn, &m, NULL);
        list_del(&w->link);
        kfree(w);
        nwaits--;
    }
    count();
}

void control_process_ended(int pid, int status)
{
    struct control_message m = {.kind = CONTROL_EXITED, .a = pid, .b = status};
    struct control_exec *x;

    if (likely(!__atomic_load_n(&interest, __ATOMIC_ACQUIRE)))
        return;
    mutex_lock(&lock);
    x = exec_find(pid);
    if (x && x->started)
        send(x->conn, &m, NULL);
    if (x)
        exec_forget(x);
    answer_waits(pid, status);
    mutex_unlock(&lock);
}

void control_ended(int status)
{
    struct control_message m = {.kind = CONTROL_ENDED, .a = status};

    mutex_lock(&lock);
    answer_waits(init_process->pid, status);
    send(LAUNCHER, &m, NULL);
    mutex_unlock(&lock);
}

/* ---- signals and terminals ---- */

void control_set_console(struct tty *tty)
{
    console = tty;
}

void control_window_changed(void)
{
    if (console)
        console_refresh(console);
}

static int signal_all(int sig)
{
    struct process *p;
    int err = -ESRCH;

    spin_lock(&tasklist_lock);
    list_for_each (p, &all_processes, all_link) {
        if (!p->nthreads)
            continue;
        err = 0;
        if (sig)
            signal_send_process(p, sig, NULL);
    }
    spin_unlock(&tasklist_lock);
    return err;
}

static s64 do_signal(const struct control_message *m)
{
    if (m->b < 0 || m->b > NSIGNALS)
        return -EINVAL;
    if (!init_process || container_state() == CONTAINER_STOPPED)
        return -ESRCH;
    if (m->a == CONTROL_PID_FOREGROUND && console &&
        (m->b == SIGINT || m->b == SIGQUIT || m->b == SIGTSTP)) {
        tty_signal(console, (int)m->b);
        return 0;
    }
    if (m->a == CONTROL_PID_FIRST || m->a == CONTROL_PID_FOREGROUND)
        return m->b ? signal_send_process(init_process, (int)m->b, NULL) : 0;
    if (m->a == CONTROL_PID_ALL)
        return signal_all((int)m->b);
    return m->a > 0 && m->a < PID_MAX ? kill_process((int)m->a, (int)m->b) : -ESRCH;
}

static s64 do_window(const struct control_message *m)
{
    struct winsize ws = {.ws_row = (u16)(m->b >> 16), .ws_col = (u16)m->b};
    struct control_exec *x;
    struct tty *tty = NULL;

    mutex_lock(&lock);
    x = m->a ? exec_find((int)m->a) : NULL;
    tty = m->a ? x ? x->tty : NULL : console;
    if (tty)
        tty_get(tty);
    mutex_unlock(&lock);
    if (!tty)
        return -ENOTTY;
    tty_set_winsize(tty, &ws);
    tty_put(tty);
    return 0;
}

/* ---- waiting ---- */

/* Status of a process that has ended and is still there; false: it runs. -ESRCH by *found. */
static bool has_ended(int pid, int *status, bool *found)
{
    struct process *p;
    bool ended;

    spin_lock(&tasklist_lock);
    p = process_find(pid);
    *found = p;
    ended = p && !p->nthreads;
    if (ended)
        *status = process_status(p);
    spin_unlock(&tasklist_lock);
    return ended;
}

static void do_wait(u32 conn, const struct control_message *m)
{
    struct control_wait *w;
    int pid = m->a ? (int)m->a : 1, status;
    bool found;

    mutex_lock(&lock);
    if (has_ended(pid, &status, &found)) {
        reply(conn, m, 0, status, NULL, 0);
    } else if (!found || m->a < 0 || m->a >= PID_MAX) {
        reply(conn, m, -ESRCH, 0, NULL, 0);
    } else if (nwaits >= WAITS_MAX || !(w = kzalloc(sizeof(*w)))) {
        reply(conn, m, -ENOMEM, 0, NULL, 0);
    } else {
        *w = (struct control_wait){.conn = conn, .tag = m->tag, .pid = pid};
        list_add_tail(&waits, &w->link);
        nwaits++;
        count();
    }
    mutex_unlock(&lock);
}

/* ---- processes ---- */

/* The process takes over descriptors and text. */
static int make_process(struct control_exec *x, const void *text, size_t len, const u32 *fds)
{
    struct start *s = start_new(text, len, fds, x);
    int pid;

    if (IS_ERR(s))
        return (int)PTR_ERR(s);
    pid = start_process(s);
    if (pid < 0)
        start_free(s);
    else
        x->pid = pid;
    return pid;
}

static void do_exec(u32 conn, const struct control_message *m, const void *text, u32 *fds)
{
    struct control_exec *x;
    int err = -EAGAIN;

    if (!init_process ||
        container_state() == CONTAINER_STOPPED) { /* startContainer hooks run before */
        reply_text(conn, m->kind, m->tag, -ESRCH, "container is not running");
        return;
    }
    mutex_lock(&lock);
    x = exec_new(conn, m->tag);
    if (x)
        err = make_process(x, text, m->length, fds);
    if (err < 0) {
        reply(conn, m, err, 0, NULL, 0);
        if (x)
            exec_forget(x);
    } else {
        fds[0] = fds[1] = fds[2] = FD_NONE; /* they are the process' */
    }
    mutex_unlock(&lock);
}

/* ---- figures and texts ---- */

static void do_processes(u32 conn, const struct control_message *m)
{
    struct control_process *list = kmalloc(REPLY_MAX);
    size_t n;

    if (!list) {
        reply(conn, m, -ENOMEM, 0, NULL, 0);
        return;
    }
    n = debug_processes((int)m->a, list, REPLY_MAX / sizeof(*list));
    reply(conn, m, 0, (s64)n, list, n * sizeof(*list));
    kfree(list);
}

static void do_stats(u32 conn, const struct control_message *m)
{
    struct control_stats st;

    container_stats(&st);
    reply(conn, m, 0, 0, &st, sizeof(st));
}

static void do_debug(u32 conn, const struct control_message *m)
{
    char *text = kmalloc(REPLY_MAX);
    s64 n = text ? debug_text((u32)m->a, m->b, text, REPLY_MAX) : -ENOMEM;

    reply(conn, m, MIN(n, (s64)0), 0, text, n > 0 ? (size_t)n : 0);
    kfree(text);
}

/* ---- receiving ---- */

static void handle(u32 conn, const struct control_message *m, const void *payload, u32 *fds)
{
    s64 ret;

    switch (m->kind) {
    case CONTROL_START:
        ret = container_start();
        break;
    case CONTROL_SIGNAL:
        ret = do_signal(m);
        break;
    case CONTROL_EXEC:
        do_exec(conn, m, payload, fds);
        return;
    case CONTROL_WINDOW:
        ret = do_window(m);
        break;
    case CONTROL_WAIT:
        do_wait(conn, m);
        return;
    case CONTROL_PROCESSES:
        do_processes(conn, m);
        return;
    case CONTROL_STATS:
        do_stats(conn, m);
        return;
    case CONTROL_PAUSE:
        ret = container_pause();
        break;
    case CONTROL_RESUME:
        ret = container_resume();
        break;
    case CONTROL_UPDATE:
        container_set_pids_limit(m->a > 0 ? (u64)m->a : U64_MAX);
        ret = 0;
        break;
    case CONTROL_DEBUG:
        do_debug(conn, m);
        return;
    default:
        ret = -ENOSYS;
    }
    reply(conn, m, ret, 0, NULL, 0);
}

/* The other side has gone: what it asked for goes, too. */
static void hang_up(u32 conn)
{
    struct control_exec *x;
    struct control_wait *w, *next;

    mutex_lock(&lock);
    list_for_each (x, &execs, link) {
        if (x->conn != conn)
            continue;
        x->conn = NOBODY;
        if (x->started)
            kill_process(x->pid, SIGKILL);
    }
    list_for_each_safe (w, next, &waits, link) {
        if (w->conn != conn)
            continue;
        list_del(&w->link);
        kfree(w);
        nwaits--;
    }
    count();
    HOSTCALL(HC_CONTROL_CLOSE, conn);
    mutex_unlock(&lock);
}

static void close_descriptors(const u32 *fds)
{
    for (int i = 0; i < CONTROL_FDS; i++)
        if (fds[i] != FD_NONE)
            HOSTCALL(HC_FD_CLOSE, fds[i]);
}

void control_event(u32 conn)
{
    static struct control_message *buf; /* the event thread's; kept */
    u32 fds[CONTROL_FDS];
    struct hostcall hc;
    struct control_message m;
    s64 n;

    if (!buf)
        buf = kmalloc(CONTROL_MESSAGE_MAX);
    if (!buf) {
        log_warn("no memory for a control message");
        hang_up(conn);
        return;
    }
    hc = (struct hostcall){.nr = HC_CONTROL_RECV,
                           .arg = {conn, virt_to_phys(buf), CONTROL_MESSAGE_MAX}};
    n = host_call(&hc);
    if (n == -EAGAIN)
        return;
    if (n <= 0) {
        if (n && n != -ECONNRESET)
            log_warn("control connection %u: bad message: error %ld", conn, -n);
        hang_up(conn);
        return;
    }
    fds[0] = (u32)hc.out[0];
    fds[1] = (u32)(hc.out[0] >> 32);
    fds[2] = (u32)hc.out[1];
    m = *buf;
    if ((size_t)n < sizeof(m) || m.length != (size_t)n - sizeof(m)) {
        log_warn("control connection %u: a message of %ld bytes makes no sense", conn, n);
        hang_up(conn);
    } else {
        handle(conn, &m, buf + 1, fds);
    }
    close_descriptors(fds);
}
