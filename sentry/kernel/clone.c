// SPDX-License-Identifier: Apache-2.0
/*
 * New threads and processes: clone, clone3, fork, vfork, unshare. The child is complete before
 * anybody can see it; what fails before that point is undone, after it nothing fails.
 */
#include <linux/capability.h>
#include <linux/sched.h>
#include "sentry/fs/tty/tty.h"
#include "sentry/fs/vfs.h"
#include "sentry/kernel/container.h"
#include "sentry/kernel/internal.h"
#include "sentry/mm/mm.h"
#include "sentry/syscall/syscall.h"

#define CLONE_NAMESPACES                                                                          \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
     CLONE_NEWNET)
#define CLONE_KNOWN                                                                   \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_PIDFD | CLONE_PTRACE | \
     CLONE_VFORK | CLONE_PARENT | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |       \
     CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_DETACHED | CLONE_UNTRACED |   \
     CLONE_CHILD_SETTID | CLONE_IO | CLONE_CLEAR_SIGHAND | CLONE_NAMESPACES)

/* The parent's wait in vfork(2); shared by both sides, freed by the last. */
struct vfork_wait {
    refcount_t refs;
    struct task *parent; /* held */
    bool done;           /* atomic */
};

static void vfork_wait_put(struct vfork_wait *w)
{
    if (!ref_put(&w->refs))
        return;
    task_put(w->parent);
    kfree(w);
}

static struct vfork_wait *vfork_wait_new(void)
{
    struct vfork_wait *w = kzalloc(sizeof(*w));

    if (!w)
        return NULL;
    ref_init(&w->refs, 1);
    task_get(current);
    w->parent = current;
    return w;
}

void vfork_done(struct task *t)
{
    struct vfork_wait *w = t->vfork;

    if (!w)
        return;
    t->vfork = NULL;
    __atomic_store_n(&w->done, true, __ATOMIC_RELEASE);
    machine_unpark(w->parent);
    vfork_wait_put(w);
}

/* Until the child execs or exits; only the end of our own process cuts it short. */
static void vfork_sleep(struct vfork_wait *w)
{
    current->state = TASK_SLEEPING;
    while (!__atomic_load_n(&w->done, __ATOMIC_ACQUIRE) && !current->process->exiting)
        machine_park(U64_MAX);
    current->state = TASK_RUNNING;
}

void task_mm_release(void)
{
    struct task *t = current;
    uva_t tid_at = t->clear_child_tid;

    futex_exit(t);
    t->clear_child_tid = 0;
    if (tid_at && ref_read(&t->mm->users) > 1) {
        /* A bad address is the application's loss. */
        if (!put_user((int)0, tid_at))
            futex_wake_address(tid_at);
    }
    vfork_done(t);
}

/* ---- checks ---- */

static int check_flags(const struct clone_params *p)
{
    u64 f = p->flags;

    if (f & ~(u64)CLONE_KNOWN)
        return -EINVAL;
    if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
        return -EINVAL;
    if ((f & CLONE_SIGHAND) && (!(f & CLONE_VM) || (f & CLONE_CLEAR_SIGHAND)))
        return -EINVAL;
    if ((f & CLONE_PARENT) && !current->process->parent)
        return -EINVAL;
    if ((f & CLONE_SETTLS) && p->tls >= USER_END)
        return -EPERM;
    if (f & (CLONE_NAMESPACES | CLONE_PIDFD)) {
        log_info("clone of %s[%d] with flags %lx refused", current->comm, current->tid, f);
        return -EINVAL;
    }
    return 0;
}

/* RLIMIT_NPROC counts the threads of the real user. */
static bool too_many_tasks(void)
{
    u64 limit = rlimit(RLIMIT_NPROC), n = 0;
    u32 uid = current->cred->uid;
    struct process *p;

    if (limit == RLIM64_INFINITY || !uid || capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN))
        return false;
    spin_lock(&tasklist_lock);
    list_for_each (p, &all_processes, all_link) {
        if (p->leader && task_uid(p->leader) == uid)
            n += MAX(p->nthreads, 1u);
    }
    spin_unlock(&tasklist_lock);
    return n >= limit;
}

/* ---- the parts of the child ---- */

static void copy_private(struct task *t, const struct clone_params *p)
{
    struct task *me = current;

    machine_fpu_read(me); /* before the registers: it brings the bases up to date, too */
    t->regs = me->regs;
    t->regs.rax = 0;
    if (p->stack)
        t->regs.rsp = p->stack + p->stack_size;
    if (p->flags & CLONE_SETTLS)
        t->regs.fs_base = p->tls;
    memcpy(t->fpu, me->fpu, machine_fpu_size);
    machine_fpu_write(t);
    memcpy(t->comm, me->comm, sizeof(t->comm));
    t->blocked = me->restore_blocked ? me->saved_blocked : me->blocked;
    if (!(p->flags & CLONE_VM) || (p->flags & CLONE_VFORK))
        t->altstack = me->altstack;
    if (p->flags & CLONE_CHILD_SETTID)
        t->set_child_tid = p->child_tid;
    if (p->flags & CLONE_CHILD_CLEARTID)
        t->clear_child_tid = p->child_tid;
    if (!(p->flags & CLONE_VM)) {
        t->rseq = me->rseq;
        t->rseq_len = me->rseq_len;
        t->rseq_sig = me->rseq_sig;
    }
    t->cpus_allowed = me->cpus_allowed;
    t->nice = me->nice;
    t->policy = me->policy;
    t->rt_priority = me->rt_priority;
    t->personality = me->personality;
    t->no_new_privs = me->no_new_privs;
    t->timer_slack = t->default_timer_slack = me->timer_slack;
}

static int copy_shared(struct task *t, u64 flags)
{
    struct task *me = current;

    t->cred = cred_get(me->cred);
    if (flags & CLONE_FILES) {
        files_get(me->files);
        t->files = me->files;
    } else {
        t->files = files_copy(me->files);
    }
    if (flags & CLONE_FS) {
        fs_context_get(me->fs);
        t->fs = me->fs;
    } else {
        t->fs = fs_context_copy(me->fs);
    }
    if (!t->files || !t->fs)
        return -ENOMEM;
    if (flags & CLONE_VM) {
        mm_get(me->mm);
        t->mm = me->mm;
    } else {
        t->mm = mm_fork(me->mm);
    }
    return t->mm ? 0 : -ENOMEM;
}

static void clear_handlers(struct sighand *s)
{
    for (int i = 0; i < NSIGNALS; i++) {
        if (s->action[i].handler != (uva_t)SIG_IGN)
            s->action[i] = (struct ksigaction){0};
    }
}

/* The process that the new task belongs to: ours, or a new one that nobody sees yet. */
static int join_process(struct task *t, u64 flags)
{
    struct process *mine = current->process, *p;
    struct sighand *s;

    if (flags & CLONE_SIGHAND) {
        t->sighand = current->sighand;
        ref_get(&t->sighand->refs);
    } else {
        s = sighand_lock(current);
        t->sighand = sighand_new(s);
        sighand_unlock(s);
        if (!t->sighand)
            return -ENOMEM;
        if (flags & CLONE_CLEAR_SIGHAND)
            clear_handlers(t->sighand);
    }
    if (flags & CLONE_THREAD) {
        ref_get(&mine->refs);
        t->process = mine;
        return 0;
    }
    p = process_alloc();
    if (!p)
        return -ENOMEM;
    t->process = p;
    p->sighand = t->sighand;
    ref_get(&p->sighand->refs);
    p->dumpable = mine->dumpable;
    p->oom_score_adj = mine->oom_score_adj;
    s = process_lock(mine);
    memcpy(p->rlimits, mine->rlimits, sizeof(p->rlimits));
    sighand_unlock(s);
    return 0;
}

/* ---- publication; tasklist lock held ---- */

static void publish_process(struct task *t, const struct clone_params *params)
{
    struct process *p = t->process, *mine = current->process;

    ref_get(&p->refs); /* the tree's */
    p->pid = t->tid;
    p->leader = t;
    p->exe = mine->exe;
    if (p->exe)
        file_get(p->exe);
    p->tty = mine->tty;
    if (p->tty)
        ref_get(&p->tty->refs);
    p->parent = params->flags & CLONE_PARENT ? mine->parent : mine;
    t->exit_signal = params->flags & CLONE_PARENT ? mine->leader->exit_signal : params->exit_signal;
    list_add_tail(&p->parent->children, &p->sibling);
    list_add_tail(&all_processes, &p->all_link);
    process_set_group(p, mine->pgrp);
    process_set_session(p, mine->sid);
}

/* A signal that is pending now would miss the child or miss us; so it goes first. */
static int publish(struct task *t, const struct clone_params *params)
{
    struct sighand *s;
    bool too_late;

    spin_lock(&tasklist_lock);
    s = sighand_lock(current);
    signal_recalc();
    too_late = signal_pending(current);
    if (!too_late && (params->flags & CLONE_THREAD)) {
        t->exit_signal = -1;
        list_add_tail(&t->process->threads, &t->thread_link);
        t->process->nthreads++;
        t->process->nalive++;
    }
    sighand_unlock(s);
    if (!too_late) {
        if (!(params->flags & CLONE_THREAD)) {
            list_add_tail(&t->process->threads, &t->thread_link);
            t->process->nthreads = t->process->nalive = 1;
            publish_process(t, params);
        }
        task_get(t); /* the tree's */
        pid_publish(t->tid, t);
        if (unlikely(container_paused()))
            t->work |= WORK_PAUSE;
    }
    spin_unlock(&tasklist_lock);
    return too_late ? -ERESTARTNOINTR : 0;
}

static void child_entry(struct task *t)
{
    if (t->stillborn)
        task_exit_unborn();
    t->acct_stamp = machine_clock_mono();
    /* As on Linux, a bad address is not reported. */
    if (t->set_child_tid && put_user(t->tid, t->set_child_tid))
        log_debug("clone: bad child_tid");
    task_loop();
}

static struct task *build_child(const struct clone_params *p, int *err)
{
    struct task *t = task_alloc();

    *err = -ENOMEM;
    if (!t)
        return NULL;
    copy_private(t, p);
    *err = copy_shared(t, p->flags);
    if (!*err)
        *err = join_process(t, p->flags);
    if (*err) {
        task_discard(t);
        return NULL;
    }
    return t;
}

static void unreserve(int tid)
{
    spin_lock(&tasklist_lock);
    pid_unreserve(tid);
    spin_unlock(&tasklist_lock);
}

long task_clone(const struct clone_params *p)
{
    struct vfork_wait *w = NULL;
    struct task *t;
    int err = check_flags(p), tid;

    if (err)
        return err;
    if (too_many_tasks() || container_charge())
        return -EAGAIN;
    tid = pid_reserve();
    if (tid < 0) {
        container_uncharge();
        return tid;
    }
    t = build_child(p, &err);
    if (!t)
        goto no_task;
    t->tid = tid;
    if (p->flags & CLONE_VFORK) {
        w = vfork_wait_new();
        err = -ENOMEM;
        if (!w)
            goto no_thread;
        ref_get(&w->refs);
        t->vfork = w;
    }
    err = machine_thread_create(t, child_entry);
    if (!err)
        err = publish(t, p);
    if (err)
        goto no_publish;
    if ((p->flags & CLONE_PARENT_SETTID) && put_user(tid, p->parent_tid))
        log_debug("clone: bad parent_tid");
    machine_thread_start(t);
    if (w) {
        vfork_sleep(w);
        vfork_wait_put(w);
    }
    return tid;

no_publish:
    if (w) {
        t->vfork = NULL;
        vfork_wait_put(w);
        vfork_wait_put(w);
    }
    if (err == -ERESTARTNOINTR) {
        /* Its thread exists already and has to end by itself. */
        t->stillborn = true;
        t->clear_child_tid = 0;
        machine_thread_start(t);
        goto no_task;
    }
no_thread:
    task_discard(t);
no_task:
    unreserve(tid);
    container_uncharge();
    return err;
}

/* ---- system calls ---- */

SYSCALL5(clone, u64, flags, uva_t, stack, uva_t, parent_tid, uva_t, child_tid, uva_t, tls)
{
    struct clone_params p = {
        .flags = (u32)flags & ~(u64)CSIGNAL,
        .exit_signal = (int)(flags & CSIGNAL),
        .stack = stack,
        .parent_tid = parent_tid,
        .child_tid = child_tid,
        .tls = tls,
    };

    if (p.exit_signal > NSIGNALS)
        return -EINVAL;
    return task_clone(&p);
}

SYSCALL0(fork)
{
    return task_clone(&(struct clone_params){.exit_signal = SIGCHLD});
}

SYSCALL0(vfork)
{
    return task_clone(
        &(struct clone_params){.flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD});
}

/* A structure of `size` bytes, of which we know sizeof(*to); what we do not know must be zero. */
static int copy_extensible(void *to, size_t known, uva_t from, u64 size)
{
    u8 rest[64];

    if (size > PAGE_SIZE)
        return -E2BIG;
    memset(to, 0, known);
    if (copy_from_user(to, from, MIN(size, (u64)known)))
        return -EFAULT;
    for (u64 at = known; at < size;) {
        u64 n = MIN(size - at, (u64)sizeof(rest));

        if (copy_from_user(rest, from + at, n))
            return -EFAULT;
        for (u64 i = 0; i < n; i++) {
            if (rest[i])
                return -E2BIG;
        }
        at += n;
    }
    return 0;
}

SYSCALL2(clone3, uva_t, uargs, u64, size)
{
    struct clone_args a;
    struct clone_params p;
    int err;

    if (size < CLONE_ARGS_SIZE_VER0)
        return -EINVAL;
    err = copy_extensible(&a, sizeof(a), uargs, size);
    if (err)
        return err;
    if (a.set_tid || a.set_tid_size || a.cgroup || (a.flags & (CLONE_DETACHED | CSIGNAL)))
        return -EINVAL;
    if (a.exit_signal > NSIGNALS || ((a.flags & (CLONE_THREAD | CLONE_PARENT)) && a.exit_signal))
        return -EINVAL;
    if (!a.stack != !a.stack_size)
        return -EINVAL;
    p = (struct clone_params){
        .flags = a.flags,
        .exit_signal = (int)a.exit_signal,
        .stack = a.stack,
        .stack_size = a.stack_size,
        .parent_tid = a.parent_tid,
        .child_tid = a.child_tid,
        .tls = a.tls,
        .pidfd = a.pidfd,
    };
    return task_clone(&p);
}

static int unshare_files(void)
{
    struct files *copy = files_copy(current->files), *old;

    if (!copy)
        return -ENOMEM;
    spin_lock(&current->lock);
    old = current->files;
    current->files = copy;
    spin_unlock(&current->lock);
    files_put(old);
    return 0;
}

static int unshare_fs(void)
{
    struct fs_context *copy = fs_context_copy(current->fs), *old;

    if (!copy)
        return -ENOMEM;
    spin_lock(&current->lock);
    old = current->fs;
    current->fs = copy;
    spin_unlock(&current->lock);
    fs_context_put(old);
    return 0;
}

SYSCALL1(unshare, u64, flags)
{
    int err = 0;

    if (flags &
        ~(u64)(CLONE_FILES | CLONE_FS | CLONE_SYSVSEM | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) {
        log_info("unshare of %s[%d] with flags %lx refused", current->comm, current->tid, flags);
        return -EINVAL;
    }
    if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) && current->process->nthreads > 1)
        return -EINVAL;
    if (flags & CLONE_FILES)
        err = unshare_files();
    if (!err && (flags & CLONE_FS))
        err = unshare_fs();
    return err;
}
