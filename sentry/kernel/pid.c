// SPDX-License-Identifier: Apache-2.0
/*
 * Identifiers: the table of pid numbers, lookup, process groups and sessions. A number stays
 * taken while a task has it or a process group or session is named after it.
 */
#include "sentry/fs/tty/tty.h"
#include "sentry/kernel/internal.h"
#include "sentry/mm/mm.h"
#include "sentry/syscall/syscall.h"

#define CHUNK 256

/* Guarded by the tasklist lock. */
struct pid_slot {
    struct task *task;
    u32 users; /* processes that name it as group or session, and reservations */
};

struct spinlock tasklist_lock = SPINLOCK_INIT;
struct list all_processes = LIST_INIT(all_processes);
struct process *init_process;

/* In chunks, made when first used and kept; tasklist lock. */
static struct pid_slot *chunks[PID_MAX / CHUNK];
static int last_pid;

static struct pid_slot *slot(int pid)
{
    if (pid <= 0 || pid >= PID_MAX || !chunks[pid / CHUNK])
        return NULL;
    return &chunks[pid / CHUNK][pid % CHUNK];
}

static struct pid_slot *slot_make(int pid)
{
    struct pid_slot **chunk = &chunks[pid / CHUNK];

    if (!*chunk)
        *chunk = kzalloc(CHUNK * sizeof(**chunk));
    return *chunk ? &(*chunk)[pid % CHUNK] : NULL;
}

int pid_reserve(void)
{
    int pid = -EAGAIN;

    spin_lock(&tasklist_lock);
    for (int tries = 0; tries < PID_MAX; tries++) {
        int n = last_pid + 1 < PID_MAX ? last_pid + 1 : 2;
        struct pid_slot *s = slot_make(n);

        last_pid = n;
        if (!s)
            break;
        if (!s->task && !s->users) {
            s->users = 1;
            pid = n;
            break;
        }
    }
    spin_unlock(&tasklist_lock);
    return pid;
}

void pid_unreserve(int pid)
{
    slot(pid)->users--;
}

void pid_publish(int pid, struct task *t)
{
    slot(pid)->task = t;
    slot(pid)->users--;
}

void pid_withdraw(int pid)
{
    slot(pid)->task = NULL;
}

void pid_move(int pid, struct task *t)
{
    slot(pid)->task = t;
}

static void rename_group(int *where, int pid)
{
    if (*where)
        slot(*where)->users--;
    if (pid)
        slot(pid)->users++;
    *where = pid;
}

void process_set_group(struct process *p, int pgrp)
{
    rename_group(&p->pgrp, pgrp);
}

void process_set_session(struct process *p, int sid)
{
    rename_group(&p->sid, sid);
}

static struct task *task_find(int tid)
{
    struct pid_slot *s = slot(tid);

    return s ? s->task : NULL;
}

struct task *task_find_get(int tid)
{
    struct task *t;

    spin_lock(&tasklist_lock);
    t = task_find(tid);
    if (t)
        task_get(t);
    spin_unlock(&tasklist_lock);
    return t;
}

struct process *process_find(int pid)
{
    struct task *t = task_find(pid);

    return t && t->process->pid == pid ? t->process : NULL;
}

struct process *process_find_get(int pid)
{
    struct process *p;

    spin_lock(&tasklist_lock);
    p = process_find(pid);
    if (p)
        ref_get(&p->refs);
    spin_unlock(&tasklist_lock);
    return p;
}

bool pgrp_orphaned(int pgrp, const struct process *ignored)
{
    struct process *p;

    list_for_each (p, &all_processes, all_link) {
        if (p->pgrp != pgrp || p == ignored || !p->nthreads || !p->parent)
            continue;
        if (p->parent->pgrp != pgrp && p->parent->sid == p->sid)
            return false;
    }
    return true;
}

bool pgrp_has_stopped(int pgrp)
{
    struct process *p;

    list_for_each (p, &all_processes, all_link) {
        if (p->pgrp == pgrp && __atomic_load_n(&p->stop_state, __ATOMIC_RELAXED) == STOP_DONE)
            return true;
    }
    return false;
}

bool current_pgrp_orphaned(void)
{
    bool orphaned;

    spin_lock(&tasklist_lock);
    orphaned = pgrp_orphaned(current->process->pgrp, NULL);
    spin_unlock(&tasklist_lock);
    return orphaned;
}

SYSCALL0(getpid)
{
    return current->process->pid;
}

SYSCALL0(gettid)
{
    return current->tid;
}

SYSCALL0(getppid)
{
    struct process *parent;
    int pid;

    spin_lock(&tasklist_lock);
    parent = current->process->parent;
    pid = parent ? parent->pid : 0;
    spin_unlock(&tasklist_lock);
    return pid;
}

static bool is_group_of_session(int pgrp, int sid)
{
    struct process *p;

    list_for_each (p, &all_processes, all_link) {
        if (p->pgrp == pgrp && p->sid == sid)
            return true;
    }
    return false;
}

static int set_group(int pid, int pgrp)
{
    struct process *me = current->process, *p = process_find(pid);

    if (!p || (p != me && p->parent != me))
        return -ESRCH;
    if (p != me) {
        if (p->sid != me->sid)
            return -EPERM;
        if (p->did_exec)
            return -EACCES;
    }
    if (p->sid == p->pid)
        return -EPERM;
    if (pgrp != pid && !is_group_of_session(pgrp, me->sid))
        return -EPERM;
    process_set_group(p, pgrp);
    return 0;
}

SYSCALL2(setpgid, int, pid, int, pgid)
{
    int err;

    if (!pid)
        pid = current->process->pid;
    if (!pgid)
        pgid = pid;
    if (pgid < 0)
        return -EINVAL;
    spin_lock(&tasklist_lock);
    err = set_group(pid, pgid);
    spin_unlock(&tasklist_lock);
    return err;
}

/* Group or session of pid, 0 meaning the caller. */
static s64 group_of(int pid, bool session)
{
    struct task *t;
    s64 ret = -ESRCH;

    spin_lock(&tasklist_lock);
    t = pid ? task_find(pid) : current;
    if (t)
        ret = session ? t->process->sid : t->process->pgrp;
    spin_unlock(&tasklist_lock);
    return ret;
}

SYSCALL1(getpgid, int, pid)
{
    return group_of(pid, false);
}

SYSCALL0(getpgrp)
{
    return group_of(0, false);
}

SYSCALL1(getsid, int, pid)
{
    return group_of(pid, true);
}

SYSCALL0(setsid)
{
    struct process *p = current->process, *other;
    struct tty *tty = NULL;
    s64 ret = -EPERM;

    spin_lock(&tasklist_lock);
    if (p->sid == p->pid)
        goto out;
    list_for_each (other, &all_processes, all_link) {
        if (other->pgrp == p->pid)
            goto out;
    }
    process_set_session(p, p->pid);
    process_set_group(p, p->pid);
    tty = p->tty;
    p->tty = NULL;
    ret = p->pid;
out:
    spin_unlock(&tasklist_lock);
    if (tty)
        tty_put(tty);
    return ret;
}
