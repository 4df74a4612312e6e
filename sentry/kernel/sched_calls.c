// SPDX-License-Identifier: Apache-2.0
/*
 * Scheduling calls: policies and priorities are remembered and shown, affinity and nice are
 * obeyed by the machine's scheduler.
 */
#include <linux/capability.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/time.h>
#include "sentry/kernel/internal.h"
#include "sentry/syscall/syscall.h"

#define RT_PRIO_MAX 99
#define RR_INTERVAL (NSEC_PER_SEC / 10)
#define NICE_MIN    (-20)
#define NICE_MAX    19

SYSCALL0(sched_yield)
{
    account_kernel(current);
    machine_yield();
    current->acct_stamp = machine_clock_mono();
    return 0;
}

/* pid 0: current. With a reference. */
static struct task *target(int pid)
{
    if (pid < 0)
        return NULL;
    if (pid)
        return task_find_get(pid);
    task_get(current);
    return current;
}

static bool same_owner(struct task *t)
{
    struct cred *c = task_cred_get(t);
    bool same = current->cred->euid == c->euid || current->cred->euid == c->uid;

    cred_put(c);
    return same || capable(CAP_SYS_NICE);
}

static bool is_realtime(int policy)
{
    return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool valid_policy(int policy)
{
    return policy == SCHED_NORMAL || policy == SCHED_BATCH || policy == SCHED_IDLE ||
           is_realtime(policy);
}

static int change_policy(struct task *t, int policy, int prio)
{
    if (!valid_policy(policy & ~SCHED_RESET_ON_FORK))
        return -EINVAL;
    policy &= ~SCHED_RESET_ON_FORK;
    if (is_realtime(policy) ? prio < 1 || prio > RT_PRIO_MAX : prio != 0)
        return -EINVAL;
    if (!same_owner(t))
        return -EPERM;
    if (is_realtime(policy) && !capable(CAP_SYS_NICE) && (u64)prio > rlimit(RLIMIT_RTPRIO))
        return -EPERM;
    t->policy = policy;
    t->rt_priority = prio;
    return 0;
}

SYSCALL3(sched_setscheduler, int, pid, int, policy, uva_t, uparam)
{
    struct sched_param p;
    struct task *t;
    int err;

    if (policy < 0 || pid < 0 || !uparam)
        return -EINVAL;
    if (copy_from_user(&p, uparam, sizeof(p)))
        return -EFAULT;
    t = target(pid);
    if (!t)
        return -ESRCH;
    err = change_policy(t, policy, p.sched_priority);
    task_put(t);
    return err;
}

SYSCALL2(sched_setparam, int, pid, uva_t, uparam)
{
    struct sched_param p;
    struct task *t;
    int err;

    if (pid < 0 || !uparam)
        return -EINVAL;
    if (copy_from_user(&p, uparam, sizeof(p)))
        return -EFAULT;
    t = target(pid);
    if (!t)
        return -ESRCH;
    err = change_policy(t, t->policy, p.sched_priority);
    task_put(t);
    return err;
}

SYSCALL1(sched_getscheduler, int, pid)
{
    struct task *t = target(pid);
    int policy;

    if (!t)
        return pid < 0 ? -EINVAL : -ESRCH;
    policy = t->policy;
    task_put(t);
    return policy;
}

SYSCALL2(sched_getparam, int, pid, uva_t, uparam)
{
    struct task *t = target(pid);
    struct sched_param p;

    if (!t)
        return pid < 0 ? -EINVAL : -ESRCH;
    p.sched_priority = t->rt_priority;
    task_put(t);
    return copy_to_user(uparam, &p, sizeof(p));
}

SYSCALL3(sched_setattr, int, pid, uva_t, uattr, u32, flags)
{
    struct sched_attr a = {0};
    struct task *t;
    u32 size;
    int err;

    if (pid < 0 || !uattr || flags)
        return -EINVAL;
    if (get_user(size, uattr))
        return -EFAULT;
    if (!size)
        size = SCHED_ATTR_SIZE_VER0;
    if (size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE)
        return -E2BIG;
    if (copy_from_user(&a, uattr, MIN((size_t)size, sizeof(a))))
        return -EFAULT;
    t = target(pid);
    if (!t)
        return -ESRCH;
    err = change_policy(t, (int)a.sched_policy, (int)a.sched_priority);
    if (!err && !is_realtime(t->policy) && a.sched_nice >= NICE_MIN && a.sched_nice <= NICE_MAX)
        t->nice = a.sched_nice;
    task_put(t);
    return err;
}

SYSCALL4(sched_getattr, int, pid, uva_t, uattr, u32, size, u32, flags)
{
    struct sched_attr a = {0};
    struct task *t;

    if (pid < 0 || !uattr || flags || size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE)
        return -EINVAL;
    t = target(pid);
    if (!t)
        return -ESRCH;
    a.size = (u32)MIN((size_t)size, sizeof(a));
    a.sched_policy = (u32)t->policy;
    a.sched_priority = (u32)t->rt_priority;
    a.sched_nice = t->nice;
    task_put(t);
    return copy_to_user(uattr, &a, a.size);
}

SYSCALL1(sched_get_priority_max, int, policy)
{
    if (!valid_policy(policy) && policy != SCHED_DEADLINE)
        return -EINVAL;
    return is_realtime(policy) ? RT_PRIO_MAX : 0;
}

SYSCALL1(sched_get_priority_min, int, policy)
{
    if (!valid_policy(policy) && policy != SCHED_DEADLINE)
        return -EINVAL;
    return is_realtime(policy) ? 1 : 0;
}

SYSCALL2(sched_rr_get_interval, int, pid, uva_t, to)
{
    struct task *t = target(pid);
    u64 ns;

    if (!t)
        return pid < 0 ? -EINVAL : -ESRCH;
    ns = t->policy == SCHED_RR ? RR_INTERVAL : 0;
    task_put(t);
    return timespec_to_user(to, ns);
}

/* ---- affinity ---- */

static u64 all_cpus(void)
{
    return machine_ncpus >= 64 ? U64_MAX : (1ull << machine_ncpus) - 1;
}

SYSCALL3(sched_setaffinity, int, pid, u64, len, uva_t, umask)
{
    u64 mask = 0;
    struct task *t;
    int err = 0;

    if (copy_from_user(&mask, umask, MIN(len, (u64)sizeof(mask))))
        return -EFAULT;
    t = target(pid);
    if (!t)
        return -ESRCH;
    mask &= all_cpus();
    if (!same_owner(t)) {
        err = -EPERM;
    } else if (!mask) {
        err = -EINVAL;
    } else {
        __atomic_store_n(&t->cpus_allowed, mask, __ATOMIC_RELEASE);
        machine_affinity_changed(t);
    }
    task_put(t);
    return err;
}

SYSCALL3(sched_getaffinity, int, pid, u64, len, uva_t, umask)
{
    struct task *t;
    u64 mask;

    if ((len & 7) || len * 8 < machine_ncpus)
        return -EINVAL;
    t = target(pid);
    if (!t)
        return -ESRCH;
    mask = t->cpus_allowed & all_cpus();
    task_put(t);
    if (copy_to_user(umask, &mask, sizeof(mask)))
        return -EFAULT;
    return sizeof(mask);
}

SYSCALL3(getcpu, uva_t, cpu, uva_t, node, uva_t, cache)
{
    u32 n = cpu_id(), zero = 0;

    if ((cpu && put_user(n, cpu)) || (node && put_user(zero, node)))
        return -EFAULT;
    return 0;
}

/* ---- nice ---- */

static bool concerns(const struct task *t, int which, u32 who)
{
    switch (which) {
    case PRIO_PROCESS:
        return (u32)t->tid == who;
    case PRIO_PGRP:
        return (u32)t->process->pgrp == who;
    default:
        return task_uid((struct task *)t) == who;
    }
}

static u32 default_who(int which)
{
    return which == PRIO_PROCESS ? (u32)current->tid
           : which == PRIO_PGRP  ? (u32)current->process->pgrp
                                 : current->cred->uid;
}

static int renice(struct task *t, int nice)
{
    if (!same_owner(t))
        return -EPERM;
    if (nice < t->nice && !capable(CAP_SYS_NICE) && (u64)(20 - nice) > rlimit(RLIMIT_NICE))
        return -EACCES;
    t->nice = nice;
    return 0;
}

SYSCALL3(setpriority, int, which, u32, who, int, nice)
{
    struct process *p;
    struct task *t;
    int err = -ESRCH;

    if (which < PRIO_PROCESS || which > PRIO_USER)
        return -EINVAL;
    if (!who)
        who = default_who(which);
    nice = MAX(NICE_MIN, MIN(NICE_MAX, nice));
    spin_lock(&tasklist_lock);
    list_for_each (p, &all_processes, all_link) {
        list_for_each (t, &p->threads, thread_link) {
            int e;

            if (!concerns(t, which, who))
                continue;
            e = renice(t, nice);
            if (err == -ESRCH || e)
                err = e;
        }
    }
    spin_unlock(&tasklist_lock);
    return err;
}

SYSCALL2(getpriority, int, which, u32, who)
{
    struct process *p;
    struct task *t;
    s64 best = -ESRCH;

    if (which < PRIO_PROCESS || which > PRIO_USER)
        return -EINVAL;
    if (!who)
        who = default_who(which);
    spin_lock(&tasklist_lock);
    list_for_each (p, &all_processes, all_link) {
        list_for_each (t, &p->threads, thread_link) {
            if (concerns(t, which, who))
                best = MAX(best, (s64)(20 - t->nice));
        }
    }
    spin_unlock(&tasklist_lock);
    return best;
}
