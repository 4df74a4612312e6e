// SPDX-License-Identifier: Apache-2.0
/*
 * Tasks and processes as objects: making, counting references, freeing; threads of the Sentry
 * itself; CPU time.
 */
#include "sentry/fs/vfs.h"
#include "sentry/kernel/internal.h"
#include "sentry/mm/mm.h"

/* Threads of the Sentry belong to a process that nobody can see. */
static struct process kernel_process = {
    .refs = {1},
    .threads = LIST_INIT(kernel_process.threads),
    .children = LIST_INIT(kernel_process.children),
    .sibling = LIST_INIT(kernel_process.sibling),
    .all_link = LIST_INIT(kernel_process.all_link),
    .posix_timers = LIST_INIT(kernel_process.posix_timers),
    .rlimits = {[0 ... RLIM_NLIMITS - 1] = {U64_MAX, U64_MAX}},
};

struct task *task_alloc(void)
{
    struct task *t = kzalloc(sizeof(*t));

    if (!t)
        return NULL;
    t->fpu = kzalloc(MAX(machine_fpu_size, 512u));
    if (!t->fpu) {
        kfree(t);
        return NULL;
    }
    machine_fpu_init(t->fpu);
    ref_init(&t->refs, 1);
    list_init(&t->thread_link);
    sigpending_init(&t->pending);
    t->altstack.ss_flags = SS_DISABLE;
    t->cpus_allowed = machine_ncpus >= 64 ? U64_MAX : (1ULL << machine_ncpus) - 1;
    t->start_time = machine_clock_mono();
    t->acct_stamp = t->start_time;
    return t;
}

void task_get(struct task *t)
{
    ref_get(&t->refs);
}

void task_put(struct task *t)
{
    if (!ref_put(&t->refs))
        return;
    sigpending_flush(&t->pending);
    if (t->cred)
        cred_put(t->cred);
    if (t->sighand)
        sighand_put(t->sighand);
    if (t->process)
        process_put(t->process);
    kfree(t->fpu);
    kfree(t);
}

void task_discard(struct task *t)
{
    if (t->mm)
        mm_put(t->mm);
    if (t->files)
        files_put(t->files);
    if (t->fs)
        fs_context_put(t->fs);
    t->mm = NULL;
    t->files = NULL;
    t->fs = NULL;
    task_put(t);
}

struct process *process_alloc(void)
{
    struct process *p = kzalloc(sizeof(*p));

    if (!p)
        return NULL;
    ref_init(&p->refs, 1);
    list_init(&p->threads);
    list_init(&p->children);
    list_init(&p->sibling);
    list_init(&p->all_link);
    list_init(&p->posix_timers);
    sigpending_init(&p->shared_pending);
    waitq_init(&p->child_wait);
    waitq_init(&p->stop_wait);
    p->dumpable = true;
    itimer_init(p);
    return p;
}

void process_put(struct process *p)
{
    if (!ref_put(&p->refs))
        return;
    sigpending_flush(&p->shared_pending);
    if (p->sighand)
        sighand_put(p->sighand);
    kfree(p);
}

static void kthread_entry(struct task *t)
{
    t->kthread_fn(t->kthread_arg);
    machine_thread_exit();
}

struct task *kthread_start(const char *name, void (*fn)(void *), void *arg)
{
    struct task *t = task_alloc();

    if (!t)
        return NULL;
    snprintf_(t->comm, sizeof(t->comm), "%s", name);
    ref_get(&kernel_process.refs);
    t->process = &kernel_process;
    t->cred = cred_initial();
    t->sighand = sighand_new(NULL);
    t->kthread_fn = fn;
    t->kthread_arg = arg;
    if (!t->cred || !t->sighand || machine_thread_create(t, kthread_entry)) {
        task_put(t);
        return NULL;
    }
    machine_thread_start(t);
    return t;
}

u32 task_uid(struct task *t)
{
    u32 uid;

    spin_lock(&t->lock);
    uid = t->cred->uid;
    spin_unlock(&t->lock);
    return uid;
}

u64 task_cpu_time(const struct task *t)
{
    return task_utime(t) + task_stime(t);
}

void process_times_locked(struct process *p, u64 *utime, u64 *stime)
{
    struct task *t;

    *utime = p->utime_dead;
    *stime = p->stime_dead;
    list_for_each (t, &p->threads, thread_link) {
        *utime += task_utime(t);
        *stime += task_stime(t);
    }
}

void process_times(struct process *p, u64 *utime, u64 *stime)
{
    if (p == current->process)
        account_kernel(current);
    spin_lock(&tasklist_lock);
    process_times_locked(p, utime, stime);
    spin_unlock(&tasklist_lock);
}

void task_exec_reset(const char *comm)
{
    struct task *t = current;
    struct process *p = t->process;

    posix_timers_delete(p);
    t->altstack = (stack_t){.ss_flags = SS_DISABLE};
    t->rseq = 0;
    t->restart.fn = NULL;
    t->set_child_tid = 0;
    spin_lock(&t->lock);
    memset(t->comm, 0, sizeof(t->comm));
    memcpy(t->comm, comm, strnlen(comm, sizeof(t->comm) - 1));
    spin_unlock(&t->lock);
    spin_lock(&tasklist_lock);
    t->exit_signal = SIGCHLD;
    p->did_exec = true;
    p->dumpable = true;
    spin_unlock(&tasklist_lock);
}
