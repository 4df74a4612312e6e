// SPDX-License-Identifier: Apache-2.0
/*
 * The container as an object, see container.h.
 */
#include "sentry/kernel/container.h"
#include "sentry/kernel/internal.h"
#include "sentry/kernel/kernel.h"
#include "sentry/mm/mm.h"
#include "vmm/abi/control.h"

/* Lives as long as the sandbox. */
static struct {
    u32 state;            /* enum container_state; atomic */
    u64 tasks, limit;     /* atomic */
    u64 read, written;    /* bytes; atomic */
    bool paused;          /* changed under the tasklist lock, atomic reads */
    u64 utime, stime;     /* of processes that have gone; tasklist lock */
    struct waitq started; /* first process: until the state is not CREATED */
    struct waitq resumed;
} container = {.limit = U64_MAX};

void container_init(void)
{
    waitq_init(&container.started);
    waitq_init(&container.resumed);
    container.limit = boot.pids_limit;
    container.state = boot.start ? CONTAINER_RUNNING : CONTAINER_CREATED;
}

enum container_state container_state(void)
{
    return (enum container_state)__atomic_load_n(&container.state, __ATOMIC_ACQUIRE);
}

/* ---- life ---- */

int container_start(void)
{
    u32 created = CONTAINER_CREATED;

    if (!__atomic_compare_exchange_n(&container.state, &created, CONTAINER_RUNNING, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return -EALREADY;
    wake_all(&container.started);
    return 0;
}

static bool killed(struct task *t)
{
    sigset64_t all = __atomic_load_n(&t->pending.set, __ATOMIC_RELAXED) |
                     __atomic_load_n(&t->process->shared_pending.set, __ATOMIC_RELAXED);

    return (all & SIGBIT(SIGKILL)) || __atomic_load_n(&t->process->exiting, __ATOMIC_RELAXED);
}

bool container_wait_start(void)
{
    struct task *t = current;

    wait_event_uninterruptible(&container.started,
                               container_state() != CONTAINER_CREATED || killed(t));
    return !killed(t);
}

void container_stopped(void)
{
    __atomic_store_n(&container.state, CONTAINER_STOPPED, __ATOMIC_RELEASE);
}

/* ---- tasks ---- */

int container_charge(void)
{
    u64 limit = __atomic_load_n(&container.limit, __ATOMIC_RELAXED);

    if (__atomic_add_fetch(&container.tasks, 1, __ATOMIC_ACQ_REL) <= limit)
        return 0;
    container_uncharge();
    log_info("%s[%d] hits the limit of %lu tasks", current->comm, current->tid, limit);
    return -EAGAIN;
}

void container_charge_always(void)
{
    __atomic_add_fetch(&container.tasks, 1, __ATOMIC_ACQ_REL);
}

void container_uncharge(void)
{
    __atomic_sub_fetch(&container.tasks, 1, __ATOMIC_ACQ_REL);
}

void container_set_pids_limit(u64 limit)
{
    __atomic_store_n(&container.limit, limit, __ATOMIC_RELAXED);
}

u64 container_pids(u64 *limit)
{
    *limit = __atomic_load_n(&container.limit, __ATOMIC_RELAXED);
    return __atomic_load_n(&container.tasks, __ATOMIC_RELAXED);
}

/* ---- pause ---- */

bool container_paused(void)
{
    return __atomic_load_n(&container.paused, __ATOMIC_ACQUIRE);
}

/* Who sleeps in a system call goes on sleeping, and stops on the way back to user mode. */
int container_pause(void)
{
    struct process *p;
    struct task *t;
    int ret = 0;

    spin_lock(&tasklist_lock);
    if (container.paused)
        ret = -EALREADY;
    __atomic_store_n(&container.paused, true, __ATOMIC_RELEASE);
    list_for_each (p, &all_processes, all_link) {
        list_for_each (t, &p->threads, thread_link) {
            __atomic_or_fetch(&t->work, WORK_PAUSE, __ATOMIC_ACQ_REL);
            machine_kick(t);
        }
    }
    spin_unlock(&tasklist_lock);
    return ret;
}

int container_resume(void)
{
    bool was;

    spin_lock(&tasklist_lock);
    was = container.paused;
    __atomic_store_n(&container.paused, false, __ATOMIC_RELEASE);
    spin_unlock(&tasklist_lock);
    wake_all(&container.resumed);
    return was ? 0 : -EALREADY;
}

void container_pause_here(void)
{
    struct task *t = current;

    t->state = TASK_SLEEPING;
    wait_event_uninterruptible(&container.resumed, !container_paused() || killed(t));
    t->state = TASK_RUNNING;
    /* The next pause sets it again, after it has set what we look at here. */
    __atomic_and_fetch(&t->work, ~WORK_PAUSE, __ATOMIC_ACQ_REL);
    if (container_paused() && !killed(t))
        __atomic_or_fetch(&t->work, WORK_PAUSE, __ATOMIC_ACQ_REL);
}

/* ---- figures ---- */

void container_account(u64 utime, u64 stime)
{
    container.utime += utime;
    container.stime += stime;
}

void container_count_io(s64 read, s64 written)
{
    if (read)
        __atomic_add_fetch(&container.read, (u64)read, __ATOMIC_RELAXED);
    if (written)
        __atomic_add_fetch(&container.written, (u64)written, __ATOMIC_RELAXED);
}

void container_stats(struct control_stats *st)
{
    struct process *p;

    memset(st, 0, sizeof(*st));
    spin_lock(&tasklist_lock);
    st->cpu_user_ns = container.utime;
    st->cpu_kernel_ns = container.stime;
    list_for_each (p, &all_processes, all_link) {
        u64 utime, stime;

        process_times_locked(p, &utime, &stime);
        st->cpu_user_ns += utime;
        st->cpu_kernel_ns += stime;
    }
    spin_unlock(&tasklist_lock);
    st->memory = (pages_total() - pages_free()) * PAGE_SIZE;
    st->memory_peak = MAX(pages_peak() * PAGE_SIZE, st->memory);
    st->read_bytes = __atomic_load_n(&container.read, __ATOMIC_RELAXED);
    st->write_bytes = __atomic_load_n(&container.written, __ATOMIC_RELAXED);
    st->pids = container_pids(&st->pids_limit);
}
