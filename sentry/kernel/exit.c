// SPDX-License-Identifier: Apache-2.0
/*
 * The end of threads and processes: what they give back, who inherits their children, who is told.
 * The end of the first process is the end of the sandbox.
 */
#include "sentry/fs/tty/tty.h"
#include "sentry/fs/vfs.h"
#include "sentry/kernel/container.h"
#include "sentry/kernel/control.h"
#include "sentry/kernel/internal.h"
#include "sentry/mm/mm.h"
#include "sentry/syscall/syscall.h"

/* How long the other processes may take to go when the first one has ended. */
#define SANDBOX_END_GRACE (2 * NSEC_PER_SEC)

/* ---- leaving the tree ---- */

/* No queue of t is used any more. Tasklist lock held. */
static void unlink_task(struct task *t)
{
    struct sighand *s = sighand_lock(t);

    list_del(&t->thread_link);
    signal_discard_locked(&t->pending, ~0ull);
    sighand_unlock(s);
    pid_withdraw(t->tid);
    container_uncharge();
    t->state = TASK_DEAD;
}

void process_release(struct process *p)
{
    struct task *leader = p->leader;

    unlink_task(leader);
    container_account(p->utime_dead, p->stime_dead);
    p->leader = NULL;
    list_del(&p->all_link);
    list_del(&p->sibling);
    process_set_group(p, 0);
    process_set_session(p, 0);
    p->parent = NULL;
    task_put(leader);
    process_put(p);
}

/* ---- telling the parent ---- */

/* Wait status of a process all of whose threads have ended. */
int process_status(const struct process *p)
{
    return p->exiting ? p->exit_code : p->leader->exit_code;
}

static void death_siginfo(struct process *p, int sig, siginfo_t *info)
{
    int status = process_status(p);

    memset(info, 0, sizeof(*info));
    info->si_signo = sig;
    info->si_pid = p->pid;
    info->si_uid = task_uid(p->leader);
    info->si_utime = (s64)(p->utime_dead / TICK_NS);
    info->si_stime = (s64)(p->stime_dead / TICK_NS);
    info->si_code = status & 0x80 ? CLD_DUMPED : status & 0x7f ? CLD_KILLED : CLD_EXITED;
    info->si_status = status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
}

/* p is dead. True when nobody will wait for it. Tasklist lock held. */
static bool notify_parent_death(struct process *p)
{
    struct process *parent = p->parent;
    int sig = p->leader->exit_signal;
    bool autoreap = false, send = sig > 0;
    struct ksigaction *a;
    struct sighand *s;
    siginfo_t info;

    if (!parent)
        return true;
    s = process_lock(parent);
    a = &s->action[SIGCHLD - 1];
    if (sig == SIGCHLD && (a->handler == (uva_t)SIG_IGN || (a->flags & SA_NOCLDWAIT))) {
        autoreap = true;
        send = a->handler != (uva_t)SIG_IGN;
    }
    if (send) {
        death_siginfo(p, sig, &info);
        signal_queue_locked(parent, NULL, sig, &info);
    }
    sighand_unlock(s);
    wake_all(&parent->child_wait);
    return autoreap;
}

/* ---- children and groups ---- */

static struct process *new_parent(struct process *p)
{
    for (struct process *up = p->parent; up; up = up->parent) {
        if (up->child_subreaper && up->nthreads)
            return up;
    }
    return init_process;
}

/* A group that lost its last connection to a shell while stopped: hang up and go on. */
static void kill_if_orphaned(int pgrp, const struct process *ignored)
{
    struct process *p;

    if (!pgrp_orphaned(pgrp, ignored) || !pgrp_has_stopped(pgrp))
        return;
    list_for_each (p, &all_processes, all_link) {
        if (p->pgrp != pgrp)
            continue;
        signal_send_process(p, SIGHUP, NULL);
        signal_send_process(p, SIGCONT, NULL);
    }
}

static void reparent_children(struct process *p)
{
    struct process *heir = new_parent(p);

    while (!list_empty(&p->children)) {
        struct process *c = list_first(&p->children, struct process, sibling);
        int pgrp = c->pgrp;
        bool other_group = pgrp != p->pgrp && c->sid == p->sid;

        list_del(&c->sibling);
        list_add_tail(&heir->children, &c->sibling);
        c->parent = heir;
        c->leader->exit_signal = SIGCHLD;
        if (c->leader->pdeath_signal)
            signal_send_process(c, (int)c->leader->pdeath_signal, NULL);
        if (!c->nthreads && notify_parent_death(c))
            process_release(c);
        if (other_group)
            kill_if_orphaned(pgrp, NULL);
    }
}

/* ---- the sandbox ---- */

static bool others_alive(void)
{
    struct process *p;
    bool alive = false;

    spin_lock(&tasklist_lock);
    list_for_each (p, &all_processes, all_link)
        alive |= p != init_process && p->nthreads;
    spin_unlock(&tasklist_lock);
    return alive;
}

static _Noreturn void end_sandbox(int status)
{
    u64 deadline = machine_clock_mono() + SANDBOX_END_GRACE;
    struct process *p;

    spin_lock(&tasklist_lock);
    list_for_each (p, &all_processes, all_link) {
        if (p != init_process)
            signal_send_process(p, SIGKILL, NULL);
    }
    spin_unlock(&tasklist_lock);
    while (others_alive() && machine_clock_mono() < deadline)
        machine_park(machine_clock_mono() + NSEC_PER_SEC / 1000);
    log_info("the first process ended with status %x", status);
    container_stopped();
    control_ended(status);
    machine_exit(status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff);
}

/* ---- a thread ends ---- */

/*
 * From now on t takes no signals; those that only it would have taken go to others. True when no
 * thread of the process is left that does not exit.
 */
static bool stop_taking_signals(struct task *t)
{
    struct sighand *s = sighand_lock(t);
    bool last_to_stop, last;

    t->exiting = true;
    signal_retarget_locked(t, ~t->blocked);
    last_to_stop = stop_leave_locked(t);
    last = --t->process->nalive == 0;
    sighand_unlock(s);
    if (last_to_stop && !last)
        notify_parent_stop(t->process, CLD_STOPPED);
    return last;
}

static void give_back(struct task *t)
{
    struct files *files = t->files;
    struct fs_context *fs = t->fs;
    struct mm *mm = t->mm;

    if (mm) {
        task_mm_release();
        mspace_switch(NULL);
        spin_lock(&tasklist_lock);
        t->process->maxrss = MAX(t->process->maxrss, mm_peak_kib(mm));
        t->mm = NULL;
        spin_unlock(&tasklist_lock);
        mm_put(mm);
    }
    spin_lock(&t->lock);
    t->files = NULL;
    t->fs = NULL;
    spin_unlock(&t->lock);
    if (files)
        files_put(files);
    if (fs)
        fs_context_put(fs);
}

void task_exit_unborn(void)
{
    give_back(current);
    machine_thread_exit();
}

static void fold_accounts(struct task *t, struct process *p)
{
    account_kernel(t);
    p->utime_dead += t->utime;
    p->stime_dead += t->stime;
    p->min_flt_dead += t->min_flt;
    p->maj_flt_dead += t->maj_flt;
    __atomic_store_n(&t->utime, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&t->stime, 0, __ATOMIC_RELAXED);
    t->min_flt = t->maj_flt = 0;
}

/* The last thread of p is gone. Tasklist lock held. */
static void process_died(struct process *p)
{
    reparent_children(p);
    if (p->parent && p->parent->pgrp != p->pgrp && p->parent->sid == p->sid)
        kill_if_orphaned(p->pgrp, p);
    if (notify_parent_death(p))
        process_release(p);
}

static void exit_notify(struct task *t)
{
    struct process *p = t->process;
    bool leader = p->leader == t, died;
    int pid = p->pid, status = 0;
    struct sighand *s;

    spin_lock(&tasklist_lock);
    fold_accounts(t, p);
    t->state = TASK_ZOMBIE;
    if (!leader)
        unlink_task(t);
    s = process_lock(p);
    p->nthreads--;
    if (p->exec_task && p->nthreads == 1)
        machine_unpark(p->exec_task);
    sighand_unlock(s);
    died = !p->nthreads;
    if (died) {
        status = process_status(p);
        process_died(p); /* p may be gone now, but for our reference */
    }
    spin_unlock(&tasklist_lock);
    if (died)
        control_process_ended(pid, status);
    if (!leader)
        task_put(t); /* the tree's reference */
}

static void drop_exe(struct process *p)
{
    struct vfs_file *exe;

    spin_lock(&tasklist_lock);
    exe = p->exe;
    p->exe = NULL;
    spin_unlock(&tasklist_lock);
    if (exe)
        file_put(exe);
}

void task_exit(int code)
{
    struct task *t = current;
    struct process *p = t->process;
    bool last;

    t->exit_code = code;
    last = stop_taking_signals(t);
    give_back(t);
    if (last) {
        timers_exit(p);
        drop_exe(p);
        tty_disassociate(true);
        if (p == init_process)
            end_sandbox(process_status(p));
    }
    exit_notify(t);
    machine_thread_exit();
}

void process_exit(int code)
{
    struct task *t = current;
    struct process *p = t->process;
    struct sighand *s = sighand_lock(t);

    if (p->exiting)
        code = p->exit_code;
    else if (!p->exec_task || p->exec_task == t)
        process_kill_locked(p, code);
    sighand_unlock(s);
    task_exit(code);
}

SYSCALL1(exit, int, status)
{
    task_exit((status & 0xff) << 8);
}

SYSCALL1(exit_group, int, status)
{
    process_exit((status & 0xff) << 8);
}

/* ---- exec in a process with threads ---- */

/* current takes the place and the number of the leader, which is a zombie. Tasklist lock held. */
static void become_leader(struct task *t)
{
    struct process *p = t->process;
    struct task *old = p->leader;
    struct sighand *s;
    int tid = t->tid;

    unlink_task(old);
    s = sighand_lock(t);
    p->leader = t;
    t->exit_signal = old->exit_signal;
    t->start_time = old->start_time;
    t->tid = p->pid;
    sighand_unlock(s);
    pid_withdraw(tid);
    pid_move(p->pid, t);
    task_put(old);
}

int process_kill_other_threads(void)
{
    struct task *t = current, *other;
    struct process *p = t->process;
    struct sighand *s = sighand_lock(t);

    if (p->exiting || p->exec_task) {
        sighand_unlock(s);
        return -EAGAIN;
    }
    p->exec_task = t;
    list_for_each (other, &p->threads, thread_link) {
        if (other == t || other->exiting)
            continue;
        other->pending.set |= SIGBIT(SIGKILL);
        signal_wake(other);
    }
    while (p->nthreads > 1) {
        sighand_unlock(s);
        machine_park(U64_MAX);
        s = sighand_lock(t);
    }
    p->exec_task = NULL;
    sighand_unlock(s);
    spin_lock(&tasklist_lock);
    if (p->leader != t)
        become_leader(t);
    spin_unlock(&tasklist_lock);
    return p->exiting ? -EAGAIN : 0;
}
