// SPDX-License-Identifier: Apache-2.0
/*
 * Waiting for children: wait4 and waitid.
 */
#include <linux/wait.h>
#include "sentry/kernel/internal.h"
#include "sentry/mm/mm.h"
#include "sentry/syscall/syscall.h"

/* What is waited for, and what was found; on the stack of the waiting task. */
struct wait_request {
    int which; /* P_ALL, P_PID, P_PGID */
    int id;
    u32 options; /* W*; WEXITED etc. say which events count */
    /* The answer: */
    int pid, status; /* status as wait4 reports it */
    u32 uid;
    struct rusage usage;
};

static bool is_wanted(const struct process *c, const struct wait_request *w)
{
    bool clone_child = c->leader->exit_signal != SIGCHLD;

    if (w->which == P_PID && c->pid != w->id)
        return false;
    if (w->which == P_PGID && c->pgrp != w->id)
        return false;
    return (w->options & __WALL) || clone_child == !!(w->options & __WCLONE);
}

static void found(struct process *c, struct wait_request *w, int status)
{
    u64 utime, stime;

    w->pid = c->pid;
    w->status = status;
    w->uid = task_uid(c->leader);
    process_times_locked(c, &utime, &stime);
    rusage_fill(&w->usage, utime + c->cutime, stime + c->cstime, c->min_flt_dead, c->maj_flt_dead,
                c->maxrss);
}

static void reap(struct process *c, struct wait_request *w)
{
    struct process *p = current->process;

    found(c, w, process_status(c));
    if (w->options & WNOWAIT)
        return;
    p->cutime += c->utime_dead + c->cutime;
    p->cstime += c->stime_dead + c->cstime;
    p->cmin_flt += c->min_flt_dead + c->cmin_flt;
    p->cmaj_flt += c->maj_flt_dead + c->cmaj_flt;
    p->cmaxrss = MAX(p->cmaxrss, MAX(c->maxrss, c->cmaxrss));
    process_release(c);
}

/* Does c have something to report? Then take it. Tasklist lock held. */
static bool check_child(struct process *c, struct wait_request *w)
{
    bool take = !(w->options & WNOWAIT), hit = false;
    struct sighand *s;

    if (!c->nthreads) {
        if (w->options & WEXITED)
            reap(c, w);
        return w->options & WEXITED;
    }
    s = process_lock(c);
    if ((w->options & WSTOPPED) && c->stop_state == STOP_DONE && !c->stop_reported) {
        c->stop_reported = take;
        found(c, w, c->stop_signal << 8 | 0x7f);
        hit = true;
    } else if ((w->options & WCONTINUED) && c->continued) {
        c->continued = !take;
        found(c, w, 0xffff);
        hit = true;
    }
    sighand_unlock(s);
    return hit;
}

/* 1: found; 0: not yet; -ECHILD: there is nobody to wait for. */
static int check_children(struct wait_request *w)
{
    struct process *c, *next;
    int ret = -ECHILD;

    spin_lock(&tasklist_lock);
    list_for_each_safe (c, next, &current->process->children, sibling) {
        if (!is_wanted(c, w))
            continue;
        ret = check_child(c, w);
        if (ret)
            break;
    }
    spin_unlock(&tasklist_lock);
    return ret;
}

/* The child's pid, 0 with WNOHANG, or -errno. */
static s64 wait_for_child(struct wait_request *w)
{
    struct waitq *wq = &current->process->child_wait;
    struct waiter me = {.task = current};
    s64 ret;

    waitq_add(wq, &me);
    for (;;) {
        ret = check_children(w);
        if (ret)
            break;
        if (w->options & WNOHANG)
            break;
        if (signal_pending(current)) {
            ret = -ERESTARTSYS;
            break;
        }
        machine_park(U64_MAX);
    }
    waitq_remove(wq, &me);
    return ret > 0 ? w->pid : ret;
}

SYSCALL4(wait4, int, pid, uva_t, status, int, options, uva_t, rusage)
{
    struct wait_request w = {.which = P_ALL, .options = (u32)options | WEXITED};
    s64 ret;

    if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
        return -EINVAL;
    if (pid == (int)0x80000000)
        return -ESRCH;
    if (pid > 0) {
        w.which = P_PID;
        w.id = pid;
    } else if (pid != -1) {
        w.which = P_PGID;
        w.id = pid ? -pid : current->process->pgrp;
    }
    ret = wait_for_child(&w);
    if (ret <= 0)
        return ret;
    if (status && put_user(w.status, status))
        return -EFAULT;
    if (rusage && copy_to_user(rusage, &w.usage, sizeof(w.usage)))
        return -EFAULT;
    return ret;
}

static void child_siginfo(const struct wait_request *w, siginfo_t *info)
{
    int st = w->status;

    info->si_signo = SIGCHLD;
    info->si_pid = w->pid;
    info->si_uid = w->uid;
    if (st == 0xffff) {
        info->si_code = CLD_CONTINUED;
        info->si_status = SIGCONT;
    } else if ((st & 0xff) == 0x7f) {
        info->si_code = CLD_STOPPED;
        info->si_status = st >> 8 & 0xff;
    } else if (st & 0x7f) {
        info->si_code = st & 0x80 ? CLD_DUMPED : CLD_KILLED;
        info->si_status = st & 0x7f;
    } else {
        info->si_code = CLD_EXITED;
        info->si_status = st >> 8 & 0xff;
    }
}

SYSCALL5(waitid, int, which, int, id, uva_t, uinfo, int, options, uva_t, rusage)
{
    struct wait_request w = {.which = which, .id = id, .options = (u32)options};
    siginfo_t info;
    s64 ret;

    if (options &
        ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
        return -EINVAL;
    if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
        return -EINVAL;
    switch (which) {
    case P_ALL:
        break;
    case P_PID:
        if (id <= 0)
            return -EINVAL;
        break;
    case P_PGID:
        if (id < 0)
            return -EINVAL;
        if (!id)
            w.id = current->process->pgrp;
        break;
    default:
        return -EINVAL;
    }
    ret = wait_for_child(&w);
    if (ret < 0)
        return ret;
    memset(&info, 0, sizeof(info));
    if (ret)
        child_siginfo(&w, &info);
    if (ret && rusage && copy_to_user(rusage, &w.usage, sizeof(w.usage)))
        return -EFAULT;
    if (uinfo && copy_to_user(uinfo, &info, sizeof(info)))
        return -EFAULT;
    return 0;
}
