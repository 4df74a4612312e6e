// SPDX-License-Identifier: Apache-2.0
/*
 * Processes made by hand, from a description of what they are to be; then an exec.
 */
#include "sentry/kernel/start.h"
#include "sentry/fs/host/host.h"
#include "sentry/fs/vfs.h"
#include "sentry/kernel/container.h"
#include "sentry/kernel/control.h"
#include "sentry/kernel/internal.h"
#include "sentry/kernel/program.h"
#include "sentry/mm/mm.h"
#include "sentry/syscall/strace.h"
#include "vmm/abi/control.h"

/* As a shell reports a command that it cannot start. */
#define STATUS_NOT_FOUND      127
#define STATUS_NOT_EXECUTABLE 126

#define WHY_MAX 512

void kernel_init(void)
{
    time_init();
    futex_init();
    uts_init();
    container_init();
    strace_enabled = boot.strace;
}

/* ---- failing ---- */

static int failure_status(int err)
{
    return err == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
}

/* Tell whoever reads the process' own standard error. */
static void complain(const char *path, int err)
{
    char line[WHY_MAX];
    struct vfs_file *f = fd_get(2);
    int n = snprintf_(line, sizeof(line), "exec %s: %s\n", path, error_text(err));
    struct uio u;

    log_info("exec %s: error %d", path, -err);
    if (!f)
        return;
    uio_kernel(&u, line, (u64)MIN(n, (int)sizeof(line) - 1));
    if (file_write(f, &u, NULL) < 0)
        log_info("standard error cannot be written");
    file_put(f);
}

/* current cannot become what it was to be: say why, and end. */
static _Noreturn void give_up(struct control_exec *x, int err, const char *why)
{
    log_info("%s", why);
    if (!x) {
        control_created(err, why);
        machine_exit(failure_status(err));
    }
    control_exec_done(x, err, why);
    process_exit(failure_status(err) << 8);
}

/* ---- the new process' own part ---- */

static int set_up_stdio(struct start *s)
{
    struct tty *console;
    int err = stdio_init(&s->info, !s->exec, &console);

    if (err || !console)
        return err;
    if (s->exec)
        control_exec_console(s->exec, console);
    else
        control_set_console(console);
    return 0;
}

static void process_entry(struct task *t)
{
    struct start *s = t->kthread_arg;
    struct control_exec *x = s->exec;
    struct exec_args a;
    char *why = kmalloc(WHY_MAX);
    int err = why ? set_up_stdio(s) : -ENOMEM;

    t->acct_stamp = machine_clock_mono();
    if (err)
        give_up(x, err, "standard input and output cannot be set up");
    err = program_prepare(&s->info, &a, why, WHY_MAX);
    if (err)
        give_up(x, err, why);
    kfree(why);
    start_free(s);
    if (!x) {
        control_created(0, NULL);
        if (!container_wait_start())
            process_exit(SIGKILL);
    }
    err = task_exec(&a);
    if (err && x) {
        control_exec_done(x, err, error_text(err));
        process_exit(failure_status(err) << 8);
    }
    if (err) {
        complain(a.path, err);
        process_exit(failure_status(err) << 8);
    }
    if (x)
        control_exec_done(x, 0, NULL);
    program_free(&a);
    task_loop();
}

/* ---- making it ---- */

/* Credentials as the process is described; NULL: no memory. */
static struct cred *info_cred(const struct process_info *info)
{
    struct cred *root = cred_initial(), *c = root ? cred_copy(root, info->ngroups) : NULL;

    if (root)
        cred_put(root);
    if (!c)
        return NULL;
    c->uid = c->euid = c->suid = c->fsuid = info->uid;
    c->gid = c->egid = c->sgid = c->fsgid = info->gid;
    for (u32 i = 0; i < info->ngroups; i++) {
        const u8 *g = info->groups + 4 * i;
        c->groups[i] = (u32)g[0] << 24 | (u32)g[1] << 16 | (u32)g[2] << 8 | g[3];
    }
    groups_sort(c->groups, c->ngroups);
    c->cap_bounding = info->caps.bounding & CAP_ALL;
    c->cap_permitted = info->caps.permitted & CAP_ALL;
    c->cap_inheritable = info->caps.inheritable & CAP_ALL;
    c->cap_effective = info->caps.effective & c->cap_permitted;
    c->cap_ambient = info->caps.ambient & c->cap_permitted & c->cap_inheritable;
    return c;
}

static struct process *info_process(struct task *t, const struct process_info *info)
{
    struct process *p = process_alloc();

    if (!p)
        return NULL;
    p->sighand = t->sighand;
    ref_get(&p->sighand->refs);
    p->leader = t;
    p->nthreads = p->nalive = 1;
    p->oom_score_adj = info->oom_score_adj;
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        p->rlimits[i].cur = info->rlimits[i][0];
        p->rlimits[i].max = info->rlimits[i][1];
    }
    return p;
}

/* A task with all that a process has, and no number yet; NULL: no memory. */
static struct task *build_task(const struct process_info *info)
{
    struct task *t = task_alloc();
    struct process *p;

    if (!t)
        return NULL;
    t->cred = info_cred(info);
    t->sighand = sighand_new(NULL);
    t->files = files_new();
    t->fs = fs_context_initial();
    p = t->sighand ? info_process(t, info) : NULL;
    t->process = p;
    if (!t->cred || !t->files || !t->fs || !p) {
        task_discard(t);
        return NULL;
    }
    t->exit_signal = SIGCHLD;
    t->no_new_privs = info->no_new_privs;
    t->fs->umask = info->umask;
    t->timer_slack = t->default_timer_slack = 50000;
    snprintf_(t->comm, sizeof(t->comm), "init");
    return t;
}

/* In a session of its own, child of nobody: as a process that was born outside of the container. */
static void publish(struct task *t, int pid)
{
    struct process *p = t->process;

    spin_lock(&tasklist_lock);
    t->tid = p->pid = pid;
    task_get(t); /* the tree's */
    ref_get(&p->refs);
    list_add_tail(&p->threads, &t->thread_link);
    list_add_tail(&all_processes, &p->all_link);
    process_set_group(p, pid);
    process_set_session(p, pid);
    pid_publish(pid, t);
    if (!init_process)
        init_process = p;
    if (container_paused())
        t->work |= WORK_PAUSE;
    spin_unlock(&tasklist_lock);
}

int start_process(struct start *s)
{
    struct task *t = build_task(&s->info);
    int pid, err;

    if (!t)
        return -ENOMEM;
    t->kthread_arg = s;
    pid = pid_reserve();
    err = pid < 0 ? pid : machine_thread_create(t, process_entry);
    if (err) {
        spin_lock(&tasklist_lock);
        if (pid > 0)
            pid_unreserve(pid);
        spin_unlock(&tasklist_lock);
        task_discard(t);
        return err;
    }
    container_charge_always();
    publish(t, pid);
    machine_thread_start(t);
    return pid;
}

/* ---- descriptions ---- */

/* Descriptors of a message in place of their indexes in it; each may be used once. */
static int place_descriptors(struct process_info *info, const u32 fds[3])
{
    u32 used = 0;

    for (int i = 0; i < 3; i++) {
        u32 n = info->stdio[i];

        if (n == ~0u)
            continue;
        if (n >= CONTROL_FDS || (used & 1u << n) || fds[n] == ~0u)
            return -EINVAL;
        used |= 1u << n;
        info->stdio[i] = fds[n];
    }
    return 0;
}

struct start *start_new(const void *blob, size_t len, const u32 fds[3], struct control_exec *exec)
{
    struct start *s = kzalloc(sizeof(*s));
    struct dt d;
    int err = -ENOMEM;

    if (!s)
        return ERR_PTR(-ENOMEM);
    s->exec = exec;
    s->blob = kmalloc(len + 1);
    if (!s->blob)
        goto fail;
    memcpy(s->blob, blob, len);
    err = dt_open(&d, s->blob, len);
    if (!err)
        err = bootinfo_process(&d, dt_child(&d, dt_root(&d), "chosen"), &s->info);
    if (!err)
        err = place_descriptors(&s->info, fds);
    if (!err)
        return s;
fail:
    start_free(s);
    return ERR_PTR(err);
}

void start_free(struct start *s)
{
    kfree(s->blob);
    kfree(s);
}

void start_first_process(void)
{
    struct start *s = kzalloc(sizeof(*s));

    if (!s)
        panic("no memory for the first process");
    s->info = boot.process;
    if (start_process(s) != 1)
        panic("cannot make the first process");
}
