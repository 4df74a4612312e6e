// SPDX-License-Identifier: Apache-2.0
/*
 * Taking signals on the way to user mode: default actions, group stop, handlers, and what becomes
 * of the system call that was interrupted.
 */
#include <asm/unistd.h>
#include "sentry/kernel/internal.h"

#define SYSCALL_INSN_SIZE 2

/* ---- group stop ---- */

/* The signals that a shell's child gets when it stops or goes on. Tasklist lock held. */
static void tell_parent_locked(struct process *p, int why)
{
    struct process *parent = p->parent;
    struct ksigaction *a;
    struct sighand *s;
    siginfo_t info;
    u64 utime, stime;

    if (!parent)
        return;
    process_times_locked(p, &utime, &stime);
    memset(&info, 0, sizeof(info));
    info.si_signo = SIGCHLD;
    info.si_code = why;
    info.si_pid = p->pid;
    info.si_uid = p->leader ? task_uid(p->leader) : 0;
    info.si_status = why == CLD_CONTINUED ? SIGCONT : p->stop_signal;
    info.si_utime = (s64)(utime / TICK_NS);
    info.si_stime = (s64)(stime / TICK_NS);
    s = process_lock(parent);
    a = &s->action[SIGCHLD - 1];
    if (a->handler != (uva_t)SIG_IGN && !(a->flags & SA_NOCLDSTOP))
        signal_queue_locked(parent, NULL, SIGCHLD, &info);
    sighand_unlock(s);
    wake_all(&parent->child_wait);
}

void notify_parent_stop(struct process *p, int why)
{
    spin_lock(&tasklist_lock);
    tell_parent_locked(p, why);
    spin_unlock(&tasklist_lock);
}

/* current no longer has to stop; true when it was the last one and the parent must be told. */
bool stop_leave_locked(struct task *t)
{
    struct process *p = t->process;

    if (!t->stop_wanted)
        return false;
    t->stop_wanted = false;
    if (--p->stop_count || p->stop_state != STOP_PENDING)
        return false;
    p->stop_state = STOP_DONE;
    p->stop_reported = false;
    return true;
}

/* Take part in the group stop. The lock is held on entry and dropped. */
static void stop_here(struct sighand *s)
{
    struct task *t = current;
    bool last;

    t->stopped = true;
    last = stop_leave_locked(t);
    sighand_unlock(s);
    if (last)
        notify_parent_stop(t->process, CLD_STOPPED);
    t->state = TASK_STOPPED;
    while (__atomic_load_n(&t->stopped, __ATOMIC_ACQUIRE))
        machine_park(U64_MAX);
    t->state = TASK_RUNNING;
}

static void stop_begin(struct process *p, int sig)
{
    struct task *t;

    p->stop_state = STOP_PENDING;
    p->stop_signal = sig;
    p->stop_count = 0;
    p->continued = false;
    list_for_each (t, &p->threads, thread_link) {
        if (t->exiting)
            continue;
        t->stop_wanted = true;
        p->stop_count++;
        if (t != current)
            signal_wake(t);
    }
}

/*
 * A stop signal with the default action. The lock is held on entry and dropped. The terminal's
 * stop signals do not stop a process group that no shell would continue.
 */
static void default_stop(struct sighand *s, int sig)
{
    struct task *t = current;

    if (sig != SIGSTOP) {
        sighand_unlock(s);
        if (current_pgrp_orphaned())
            return;
        s = sighand_lock(t);
    }
    /* A SIGCONT or SIGKILL that came meanwhile wins. */
    if (t->stop_dequeued && !t->process->exiting && t->process->stop_state == STOP_NONE)
        stop_begin(t->process, sig);
    signal_recalc();
    sighand_unlock(s);
}

/* ---- choosing ---- */

static void log_fatal(int sig, const siginfo_t *info)
{
    struct task *t = current;

    if (SIGBIT(sig) & (SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGFPE)))
        log_info("%s[%d] dies of signal %d code %d addr %lx: rip %lx rsp %lx", t->comm, t->tid, sig,
                 info->si_code, (u64)info->si_addr, t->regs.rip, t->regs.rsp);
}

/* What comes first, with the lock held; true when it was dealt with and the lock dropped. */
static bool handle_group_events(struct sighand *s)
{
    struct task *t = current;
    struct process *p = t->process;
    int why = p->stop_notify;

    if (p->exiting) {
        sighand_unlock(s);
        process_exit(p->exit_code);
    }
    if (why) {
        p->stop_notify = 0;
        sighand_unlock(s);
        notify_parent_stop(p, why);
        return true;
    }
    if (t->stop_wanted) {
        stop_here(s);
        return true;
    }
    return false;
}

/* The next signal that has a handler; 0 when there is none. Default actions happen in here. */
static int next_signal(struct ksigaction *ka, siginfo_t *info)
{
    struct task *t = current;

    for (;;) {
        struct sighand *s = sighand_lock(t);
        struct ksigaction *a;
        int sig;

        if (handle_group_events(s))
            continue;
        sig = signal_dequeue_locked(~t->blocked, info);
        if (!sig) {
            signal_recalc();
            sighand_unlock(s);
            return 0;
        }
        a = &s->action[sig - 1];
        *ka = *a;
        if (a->handler > (uva_t)SIG_IGN && (a->flags & SA_RESETHAND))
            a->handler = (uva_t)SIG_DFL;
        if (ka->handler == (uva_t)SIG_DFL && (SIGBIT(sig) & SIG_STOPS)) {
            default_stop(s, sig);
            signal_taken(sig, info);
            continue;
        }
        sighand_unlock(s);
        signal_taken(sig, info);
        if (ka->handler == (uva_t)SIG_IGN ||
            (ka->handler == (uva_t)SIG_DFL && signal_default_ignored(sig)))
            continue;
        if (ka->handler == (uva_t)SIG_DFL) {
            log_fatal(sig, info);
            process_exit(sig);
        }
        return sig;
    }
}

/* ---- the interrupted call ---- */

static void call_again(struct uregs *r, u64 nr)
{
    r->rax = nr;
    r->rip -= SYSCALL_INSN_SIZE;
}

/* ka: the handler that runs first, or NULL when none does. */
static void fix_interrupted_call(const struct ksigaction *ka)
{
    struct task *t = current;
    struct uregs *r = &t->regs;

    if (!t->in_syscall)
        return;
    t->in_syscall = false;
    switch (-(s64)r->rax) {
    case ERESTARTNOINTR:
        call_again(r, r->orig_rax);
        break;
    case ERESTARTSYS:
        if (ka && !(ka->flags & SA_RESTART))
            r->rax = (u64)-EINTR;
        else
            call_again(r, r->orig_rax);
        break;
    case ERESTARTNOHAND:
        if (ka)
            r->rax = (u64)-EINTR;
        else
            call_again(r, r->orig_rax);
        break;
    case ERESTART_RESTARTBLOCK:
        if (ka)
            r->rax = (u64)-EINTR;
        else
            call_again(r, __NR_restart_syscall);
        break;
    }
}

static void run_handler(const struct ksigaction *ka, siginfo_t *info)
{
    struct task *t = current;
    int sig = info->si_signo;
    sigset64_t saved = t->restore_blocked ? t->saved_blocked : t->blocked, mask;

    t->restore_blocked = false;
    fix_interrupted_call(ka);
    if (signal_frame_push(ka, info, saved)) {
        struct sighand *s = sighand_lock(t);

        /* No room for the frame of a SIGSEGV handler: the default action ends it. */
        if (sig == SIGSEGV)
            s->action[SIGSEGV - 1].handler = (uva_t)SIG_DFL;
        sighand_unlock(s);
        signal_force(SIGSEGV, SI_KERNEL, 0, t->trap_nr, t->trap_error);
        return;
    }
    mask = t->blocked | ka->mask;
    if (!(ka->flags & SA_NODEFER))
        mask |= SIGBIT(sig);
    signal_set_blocked(t, mask);
}

void signal_deliver(void)
{
    struct ksigaction ka;
    siginfo_t info;

    if (next_signal(&ka, &info)) {
        run_handler(&ka, &info);
        return;
    }
    fix_interrupted_call(NULL);
    signal_restore_mask();
}
