// SPDX-License-Identifier: Apache-2.0
/*
 * Sending signals: what happens at once, whether it is ignored, where it is queued, who is woken,
 * and who may send.
 */
#include <linux/capability.h>
#include "sentry/kernel/internal.h"
#include "sentry/mm/mm.h"

#define SIG_IGNORED_BY_DEFAULT \
    (SIGBIT(SIGCONT) | SIGBIT(SIGCHLD) | SIGBIT(SIGWINCH) | SIGBIT(SIGURG))

/* From the task's and the process's queues. */
static void pending_remove_everywhere(struct process *p, sigset64_t set)
{
    struct task *t;

    signal_discard_locked(&p->shared_pending, set);
    list_for_each (t, &p->threads, thread_link)
        signal_discard_locked(&t->pending, set);
}

bool signal_default_ignored(int sig)
{
    return SIGBIT(sig) & SIG_IGNORED_BY_DEFAULT;
}

static bool action_ignores(const struct sighand *s, int sig)
{
    uva_t handler = s->action[sig - 1].handler;

    return handler == (uva_t)SIG_IGN || (handler == (uva_t)SIG_DFL && signal_default_ignored(sig));
}

/* A blocked signal is kept even if it is ignored now: that may change before it is unblocked. */
static bool is_ignored(const struct task *t, int sig)
{
    if ((t->blocked | t->sigwait) & SIGBIT(sig))
        return false;
    return action_ignores(t->sighand, sig);
}

bool signal_ignored_or_blocked(int sig)
{
    struct sighand *s = sighand_lock(current);
    bool yes = (current->blocked & SIGBIT(sig)) || s->action[sig - 1].handler == (uva_t)SIG_IGN;

    sighand_unlock(s);
    return yes;
}

static void resume_all(struct process *p)
{
    struct task *t;

    list_for_each (t, &p->threads, thread_link) {
        t->stop_wanted = false;
        t->stop_dequeued = false;
        if (t->stopped) {
            __atomic_store_n(&t->stopped, false, __ATOMIC_RELEASE);
            signal_wake(t);
        }
    }
    p->stop_count = 0;
}

/* Effects that a signal has when it is sent, even if nobody ever takes it. */
static void send_effects(struct process *p, int sig)
{
    struct task *t;

    if (SIGBIT(sig) & SIG_STOPS) {
        pending_remove_everywhere(p, SIGBIT(SIGCONT));
    } else if (sig == SIGCONT) {
        int was = p->stop_state;

        pending_remove_everywhere(p, SIG_STOPS);
        resume_all(p);
        p->stop_state = STOP_NONE;
        if (was == STOP_NONE)
            return;
        p->continued = was == STOP_DONE;
        p->stop_notify = was == STOP_DONE ? CLD_CONTINUED : CLD_STOPPED;
        list_for_each (t, &p->threads, thread_link) {
            if (!t->exiting) {
                signal_wake(t);
                break;
            }
        }
    }
}

static bool wants(const struct task *t, int sig)
{
    if (t->exiting || (t->blocked & ~t->sigwait & SIGBIT(sig)))
        return false;
    if (sig == SIGKILL)
        return true;
    return !t->stopped && (t == current || !signal_pending(t));
}

void process_kill_locked(struct process *p, int code)
{
    struct task *t;

    if (p->exiting)
        return;
    p->exiting = true;
    p->exit_code = code;
    resume_all(p);
    list_for_each (t, &p->threads, thread_link) {
        if (t->exiting)
            continue;
        t->pending.set |= SIGBIT(SIGKILL);
        signal_wake(t);
    }
}

/* Wake who shall take a signal that was just queued; a deadly one kills the process at once. */
static void wake_for(struct process *p, struct task *only, int sig)
{
    struct sighand *s = p->sighand;
    struct task *t, *chosen = NULL;

    if (only) {
        chosen = wants(only, sig) ? only : NULL;
    } else {
        list_for_each (t, &p->threads, thread_link) {
            if (wants(t, sig)) {
                chosen = t;
                break;
            }
        }
    }
    wake_all(&signalfd_waitq);
    if (!chosen)
        return;
    if (sig == SIGKILL ||
        (s->action[sig - 1].handler == (uva_t)SIG_DFL && !signal_default_ignored(sig) &&
         !(SIGBIT(sig) & (SIG_STOPS | SIG_SYNCHRONOUS)) &&
         !((chosen->blocked | chosen->sigwait) & SIGBIT(sig)))) {
        process_kill_locked(p, sig);
        return;
    }
    signal_wake(chosen);
}

/* The thread whose mask decides whether a signal to the process is ignored. */
static struct task *first_thread(struct process *p)
{
    return list_empty(&p->threads) ? NULL : list_first(&p->threads, struct task, thread_link);
}

static bool from_user(const siginfo_t *info)
{
    return info && info->si_code <= 0;
}

static int enqueue(struct process *p, struct sigpending *to, int sig, const siginfo_t *info)
{
    struct sigqueue *q = NULL;

    if (p->nsigqueued < p->rlimits[RLIMIT_SIGPENDING].cur || !from_user(info) || sig < SIGRTMIN)
        q = kmalloc(sizeof(*q));
    if (!q) {
        if (sig >= SIGRTMIN && from_user(info) && info->si_code != SI_USER)
            return -EAGAIN;
        to->set |= SIGBIT(sig); /* the signal arrives, what it carries does not */
        return 0;
    }
    q->embedded = false;
    q->process = p;
    p->nsigqueued++;
    if (info) {
        q->info = *info;
    } else {
        memset(&q->info, 0, sizeof(q->info));
        q->info.si_code = SI_KERNEL;
    }
    q->info.si_signo = sig;
    list_add_tail(&to->queue, &q->link);
    to->set |= SIGBIT(sig);
    return 0;
}

int signal_queue_locked(struct process *p, struct task *t, int sig, const siginfo_t *info)
{
    struct sigpending *to = t ? &t->pending : &p->shared_pending;
    struct task *decides = t ? t : first_thread(p);
    int err;

    if (!decides || (t && t->exiting))
        return 0;
    send_effects(p, sig);
    if (is_ignored(decides, sig))
        return 0;
    if (sig < SIGRTMIN && (to->set & SIGBIT(sig)))
        return 0;
    err = enqueue(p, to, sig, info);
    if (!err)
        wake_for(p, t, sig);
    return err;
}

enum timer_signal signal_queue_timer(struct process *p, struct task *t, struct sigqueue *q)
{
    struct sigpending *to = t ? &t->pending : &p->shared_pending;
    struct task *decides = t ? t : first_thread(p);
    int sig = q->info.si_signo;

    if (!list_empty(&q->link))
        return TIMER_STILL_QUEUED;
    if (!decides || (t && t->exiting))
        return TIMER_IGNORED;
    send_effects(p, sig);
    if (is_ignored(decides, sig))
        return TIMER_IGNORED;
    list_add_tail(&to->queue, &q->link);
    to->set |= SIGBIT(sig);
    wake_for(p, t, sig);
    return TIMER_QUEUED;
}

void signal_unqueue_timer(struct process *p, struct task *t, struct sigqueue *q)
{
    struct sigpending *from = t ? &t->pending : &p->shared_pending;
    struct sigqueue *other;

    if (list_empty(&q->link))
        return;
    list_del(&q->link);
    list_for_each (other, &from->queue, link) {
        if (other->info.si_signo == q->info.si_signo)
            return;
    }
    from->set &= ~SIGBIT(q->info.si_signo);
}

int signal_send_task(struct task *t, int sig, const siginfo_t *info)
{
    struct sighand *s = sighand_lock(t);
    int err = signal_queue_locked(t->process, t, sig, info);

    sighand_unlock(s);
    return err;
}

int signal_send_process(struct process *p, int sig, const siginfo_t *info)
{
    struct sighand *s = process_lock(p);
    int err = signal_queue_locked(p, NULL, sig, info);

    sighand_unlock(s);
    return err;
}

int signal_send_pgrp(int pgrp, int sig, const siginfo_t *info)
{
    struct process *p;
    int ret = -ESRCH;

    spin_lock(&tasklist_lock);
    list_for_each (p, &all_processes, all_link) {
        if (p->pgrp != pgrp)
            continue;
        signal_send_process(p, sig, info);
        ret = 0;
    }
    spin_unlock(&tasklist_lock);
    return ret;
}

void signal_force(int sig, int code, uva_t addr, u32 trapno, u64 error)
{
    struct task *t = current;
    struct ksigaction *a;
    struct sighand *s;
    siginfo_t info;

    memset(&info, 0, sizeof(info));
    info.si_signo = sig;
    info.si_code = code;
    info.si_addr = (void *)addr;
    t->trap_nr = trapno;
    t->trap_error = error;
    t->trap_addr = addr;
    s = sighand_lock(t);
    a = &s->action[sig - 1];
    if ((t->blocked & SIGBIT(sig)) || a->handler == (uva_t)SIG_IGN) {
        a->handler = (uva_t)SIG_DFL;
        t->blocked &= ~SIGBIT(sig);
    }
    signal_queue_locked(t->process, t, sig, &info);
    signal_recalc();
    sighand_unlock(s);
}

/* ---- permission ---- */

void siginfo_user(siginfo_t *info, int sig, int code)
{
    memset(info, 0, sizeof(*info));
    info->si_signo = sig;
    info->si_code = code;
    info->si_pid = current->process->pid;
    info->si_uid = current->cred->uid;
}

int signal_permission(struct task *t, int sig)
{
    const struct cred *me = current->cred;
    struct cred *c;
    bool ok;

    if (t->process == current->process)
        return 0;
    c = task_cred_get(t);
    ok = me->euid == c->suid || me->euid == c->uid || me->uid == c->suid || me->uid == c->uid ||
         capable(CAP_KILL) || (sig == SIGCONT && t->process->sid == current->process->sid);
    cred_put(c);
    return ok ? 0 : -EPERM;
}
