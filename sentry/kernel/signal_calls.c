// SPDX-License-Identifier: Apache-2.0
/*
 * The system calls of signals, except sigreturn and sigaltstack (signal_frame.c).
 */
#include "sentry/kernel/internal.h"
#include "sentry/syscall/syscall.h"

#define SA_KNOWN                                                                       \
    (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | \
     SA_RESETHAND | SA_RESTORER)

static bool valid_signal(int sig)
{
    return sig >= 1 && sig <= NSIGNALS;
}

/* ---- actions and masks ---- */

/* What is ignored now is no longer pending. */
static void drop_ignored(struct process *p, int sig)
{
    struct task *t;

    signal_discard_locked(&p->shared_pending, SIGBIT(sig));
    list_for_each (t, &p->threads, thread_link)
        signal_discard_locked(&t->pending, SIGBIT(sig));
}

SYSCALL4(rt_sigaction, int, sig, uva_t, act, uva_t, oldact, u64, setsize)
{
    struct ksigaction new, old, *a;
    struct sighand *s;

    if (setsize != sizeof(sigset64_t))
        return -EINVAL;
    if (act && copy_from_user(&new, act, sizeof(new)))
        return -EFAULT;
    if (!valid_signal(sig) || (act && (SIGBIT(sig) & SIG_KERNEL_UNBLOCKABLE)))
        return -EINVAL;
    s = sighand_lock(current);
    a = &s->action[sig - 1];
    old = *a;
    if (act) {
        new.mask &= ~SIG_KERNEL_UNBLOCKABLE;
        new.flags &= SA_KNOWN;
        *a = new;
        if (new.handler == (uva_t)SIG_IGN ||
            (new.handler == (uva_t)SIG_DFL &&signal_default_ignored(sig))) {
            drop_ignored(current->process, sig);
            signal_recalc();
        }
    }
    sighand_unlock(s);
    if (oldact && copy_to_user(oldact, &old, sizeof(old)))
        return -EFAULT;
    return 0;
}

SYSCALL4(rt_sigprocmask, int, how, uva_t, set, uva_t, oldset, u64, setsize)
{
    sigset64_t old = current->blocked, new;

    if (setsize != sizeof(sigset64_t))
        return -EINVAL;
    if (set) {
        if (get_user(new, set))
            return -EFAULT;
        switch (how) {
        case SIG_BLOCK:
            new |= old;
            break;
        case SIG_UNBLOCK:
            new = old & ~new;
            break;
        case SIG_SETMASK:
            break;
        default:
            return -EINVAL;
        }
        signal_set_blocked(current, new);
    }
    if (oldset && put_user(old, oldset))
        return -EFAULT;
    return 0;
}

SYSCALL2(rt_sigpending, uva_t, set, u64, setsize)
{
    sigset64_t pending;

    if (setsize > sizeof(sigset64_t))
        return -EINVAL;
    pending = signal_pending_set() & current->blocked;
    return copy_to_user(set, &pending, setsize);
}

/* ---- waiting ---- */

static s64 wait_for_signal(void)
{
    current->state = TASK_SLEEPING;
    while (!signal_pending(current))
        machine_park(U64_MAX);
    current->state = TASK_RUNNING;
    return -ERESTARTNOHAND;
}

SYSCALL2(rt_sigsuspend, uva_t, set, u64, setsize)
{
    sigset64_t mask;

    if (setsize != sizeof(mask))
        return -EINVAL;
    if (get_user(mask, set))
        return -EFAULT;
    signal_mask_temporarily(mask);
    return wait_for_signal();
}

SYSCALL0(pause)
{
    return wait_for_signal();
}

static int take_awaited(sigset64_t set, siginfo_t *info)
{
    struct task *t = current;
    struct sighand *s = sighand_lock(t);
    int sig = signal_dequeue_locked(set, info);

    t->sigwait = sig ? 0 : set;
    sighand_unlock(s);
    return sig;
}

static int stop_awaiting(sigset64_t set, siginfo_t *info)
{
    struct task *t = current;
    struct sighand *s = sighand_lock(t);
    int sig = signal_dequeue_locked(set, info);

    t->sigwait = 0;
    signal_recalc();
    sighand_unlock(s);
    return sig;
}

/* What interrupted the wait was one of the awaited signals, or one that must be delivered. */
static bool deliverable(void)
{
    struct sighand *s = sighand_lock(current);

    signal_recalc();
    sighand_unlock(s);
    return signal_pending(current);
}

static s64 wait_for_set(sigset64_t set, u64 deadline, siginfo_t *info)
{
    int sig = take_awaited(set, info), err = 0;

    current->state = TASK_SLEEPING;
    while (!sig && !err) {
        if (deliverable())
            err = -EINTR;
        else if (machine_park(deadline) == -ETIMEDOUT)
            err = -EAGAIN;
        sig = take_awaited(set, info);
    }
    current->state = TASK_RUNNING;
    if (!sig)
        sig = stop_awaiting(set, info);
    signal_taken(sig, info);
    return sig ? sig : err;
}

SYSCALL4(rt_sigtimedwait, uva_t, uset, uva_t, uinfo, uva_t, timeout, u64, setsize)
{
    u64 deadline = U64_MAX, ns;
    siginfo_t info;
    sigset64_t set;
    s64 sig;

    if (setsize != sizeof(set))
        return -EINVAL;
    if (get_user(set, uset))
        return -EFAULT;
    set &= ~SIG_KERNEL_UNBLOCKABLE;
    if (timeout) {
        int err = timespec_from_user(timeout, &ns);
        if (err)
            return err;
        deadline = deadline_after(ns);
    }
    sig = wait_for_set(set, deadline, &info);
    if (sig > 0 && uinfo && copy_to_user(uinfo, &info, sizeof(info)))
        return -EFAULT;
    return sig;
}

/* ---- sending ---- */

/* To the process if whole, else to the thread. sig 0 only checks. */
static s64 send_checked(struct task *t, int sig, const siginfo_t *info, bool whole)
{
    int err = signal_permission(t, sig);

    if (err || !sig)
        return err;
    return whole ? signal_send_process(t->process, sig, info) : signal_send_task(t, sig, info);
}

static s64 kill_process(int pid, int sig, const siginfo_t *info)
{
    struct task *t = task_find_get(pid);
    s64 err;

    if (!t)
        return -ESRCH;
    err = send_checked(t, sig, info, true);
    task_put(t);
    return err;
}

/* Every process of a group, or (pgrp -1) every one but the first and the caller's. */
static s64 kill_many(int pgrp, int sig, const siginfo_t *info)
{
    struct process *p;
    bool found = false, sent = false;
    s64 err = 0;

    spin_lock(&tasklist_lock);
    list_for_each (p, &all_processes, all_link) {
        if (pgrp == -1 ? (p == init_process || p == current->process) : p->pgrp != pgrp)
            continue;
        if (!p->leader)
            continue;
        found = true;
        err = send_checked(p->leader, sig, info, true);
        if (!err)
            sent = true;
    }
    spin_unlock(&tasklist_lock);
    if (!found)
        return -ESRCH;
    return sent ? 0 : err;
}

SYSCALL2(kill, int, pid, int, sig)
{
    siginfo_t info;

    if (sig < 0 || sig > NSIGNALS)
        return -EINVAL;
    siginfo_user(&info, sig, SI_USER);
    if (pid > 0)
        return kill_process(pid, sig, &info);
    if (pid == -1)
        return kill_many(-1, sig, &info);
    if (pid == (int)0x80000000)
        return -ESRCH;
    return kill_many(pid ? -pid : current->process->pgrp, sig, &info);
}

/* tgid 0: any. */
static s64 send_to_thread(int tgid, int tid, int sig, const siginfo_t *info)
{
    struct task *t = task_find_get(tid);
    s64 err = -ESRCH;

    if (!t)
        return -ESRCH;
    if (!tgid || t->process->pid == tgid)
        err = send_checked(t, sig, info, false);
    task_put(t);
    return err;
}

SYSCALL3(tgkill, int, tgid, int, tid, int, sig)
{
    siginfo_t info;

    if (tgid <= 0 || tid <= 0 || sig < 0 || sig > NSIGNALS)
        return -EINVAL;
    siginfo_user(&info, sig, SI_TKILL);
    return send_to_thread(tgid, tid, sig, &info);
}

SYSCALL2(tkill, int, tid, int, sig)
{
    siginfo_t info;

    if (tid <= 0 || sig < 0 || sig > NSIGNALS)
        return -EINVAL;
    siginfo_user(&info, sig, SI_TKILL);
    return send_to_thread(0, tid, sig, &info);
}

/* A siginfo that the caller made up: nobody may pose as the kernel or as kill(2) to others. */
static s64 siginfo_from_user(uva_t uinfo, int sig, int pid, siginfo_t *info)
{
    if (sig < 0 || sig > NSIGNALS)
        return -EINVAL;
    if (copy_from_user(info, uinfo, sizeof(*info)))
        return -EFAULT;
    info->si_signo = sig;
    if ((info->si_code >= 0 || info->si_code == SI_TKILL) && pid != current->process->pid &&
        pid != current->tid)
        return -EPERM;
    return 0;
}

SYSCALL3(rt_sigqueueinfo, int, pid, int, sig, uva_t, uinfo)
{
    siginfo_t info;
    s64 err = siginfo_from_user(uinfo, sig, pid, &info);

    return err ? err : kill_process(pid, sig, &info);
}

SYSCALL4(rt_tgsigqueueinfo, int, tgid, int, tid, int, sig, uva_t, uinfo)
{
    siginfo_t info;
    s64 err;

    if (tgid <= 0 || tid <= 0)
        return -EINVAL;
    err = siginfo_from_user(uinfo, sig, tid, &info);
    return err ? err : send_to_thread(tgid, tid, sig, &info);
}

SYSCALL0(restart_syscall)
{
    struct restart_block *rb = &current->restart;

    return rb->fn ? rb->fn(rb) : -EINTR;
}
