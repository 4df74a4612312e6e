// SPDX-License-Identifier: Apache-2.0
/*
 * Resource limits and usage.
 */
#include <linux/capability.h>
#include <linux/time.h>
#include "sentry/kernel/internal.h"
#include "sentry/mm/mm.h"
#include "sentry/syscall/syscall.h"

#define NR_OPEN_MAX (1024 * 1024)

u64 rlimit(int which)
{
    return __atomic_load_n(&current->process->rlimits[which].cur, __ATOMIC_RELAXED);
}

/* new and old may be NULL. May current do that to p? The caller has checked. */
static int change_limit(struct process *p, u32 which, const struct rlimit64 *new,
                        struct rlimit64 *old)
{
    struct rlimit64_ *l;
    struct sighand *s;
    int err = 0;

    if (which >= RLIM_NLIMITS)
        return -EINVAL;
    if (new &&new->rlim_cur > new->rlim_max)
        return -EINVAL;
    if (new &&which == RLIMIT_NOFILE &&new->rlim_max > NR_OPEN_MAX)
        return -EPERM;
    s = process_lock(p);
    l = &p->rlimits[which];
    if (old)
        *old = (struct rlimit64){.rlim_cur = l->cur, .rlim_max = l->max};
    if (new) {
        if (new->rlim_max > l->max && !capable(CAP_SYS_RESOURCE)) {
            err = -EPERM;
        } else {
            l->cur = new->rlim_cur;
            l->max = new->rlim_max;
        }
    }
    sighand_unlock(s);
    if (!err && new &&which == RLIMIT_CPU)
        cpu_timers_start(p);
    return err;
}

SYSCALL2(getrlimit, u32, which, uva_t, to)
{
    struct rlimit64 l;
    int err = change_limit(current->process, which, NULL, &l);

    if (err)
        return err;
    return copy_to_user(to, &l, sizeof(l));
}

SYSCALL2(setrlimit, u32, which, uva_t, from)
{
    struct rlimit64 l;

    if (copy_from_user(&l, from, sizeof(l)))
        return -EFAULT;
    return change_limit(current->process, which, &l, NULL);
}

static bool may_change_limits_of(struct task *t)
{
    const struct cred *me = current->cred;
    struct cred *c = task_cred_get(t);
    bool same = me->uid == c->euid && me->uid == c->suid && me->uid == c->uid &&
                me->gid == c->egid && me->gid == c->sgid && me->gid == c->gid;

    cred_put(c);
    return same || capable(CAP_SYS_RESOURCE);
}

SYSCALL4(prlimit64, int, pid, u32, which, uva_t, unew, uva_t, uold)
{
    struct rlimit64 new, old;
    struct task *t = current;
    int err = 0;

    if (unew && copy_from_user(&new, unew, sizeof(new)))
        return -EFAULT;
    if (pid) {
        t = task_find_get(pid);
        if (!t)
            return -ESRCH;
        if (t->process != current->process && !may_change_limits_of(t))
            err = -EPERM;
    }
    if (!err)
        err = change_limit(t->process, which, unew ? &new : NULL, &old);
    if (pid)
        task_put(t);
    if (!err && uold && copy_to_user(uold, &old, sizeof(old)))
        return -EFAULT;
    return err;
}

/* ---- usage ---- */

static struct __kernel_old_timeval to_timeval(u64 ns)
{
    return (struct __kernel_old_timeval){.tv_sec = (s64)(ns / NSEC_PER_SEC),
                                         .tv_usec = (s64)(ns % NSEC_PER_SEC / 1000)};
}

void rusage_fill(struct rusage *ru, u64 utime, u64 stime, u64 min_flt, u64 maj_flt, u64 maxrss)
{
    memset(ru, 0, sizeof(*ru));
    ru->ru_utime = to_timeval(utime);
    ru->ru_stime = to_timeval(stime);
    ru->ru_minflt = (s64)min_flt;
    ru->ru_majflt = (s64)maj_flt;
    ru->ru_maxrss = (s64)maxrss;
}

u64 mm_peak_kib(const struct mm *mm)
{
    s64 now = __atomic_load_n(&mm->rss_anon, __ATOMIC_RELAXED) +
              __atomic_load_n(&mm->rss_file, __ATOMIC_RELAXED);
    s64 peak = __atomic_load_n(&mm->rss_peak, __ATOMIC_RELAXED);

    return (u64)MAX(peak, now) * (PAGE_SIZE / 1024);
}

static u64 maxrss_now(void)
{
    return MAX(current->process->maxrss, mm_peak_kib(current->mm));
}

static void usage_of_process(struct rusage *ru)
{
    struct process *p = current->process;
    u64 utime, stime, min_flt, maj_flt, nvcsw = 0, nivcsw = 0;
    struct task *t;

    account_kernel(current);
    spin_lock(&tasklist_lock);
    process_times_locked(p, &utime, &stime);
    min_flt = p->min_flt_dead;
    maj_flt = p->maj_flt_dead;
    list_for_each (t, &p->threads, thread_link) {
        min_flt += t->min_flt;
        maj_flt += t->maj_flt;
        nvcsw += t->nvcsw;
        nivcsw += t->nivcsw;
    }
    spin_unlock(&tasklist_lock);
    rusage_fill(ru, utime, stime, min_flt, maj_flt, maxrss_now());
    ru->ru_nvcsw = (s64)nvcsw;
    ru->ru_nivcsw = (s64)nivcsw;
}

SYSCALL2(getrusage, int, who, uva_t, to)
{
    const struct process *p = current->process;
    const struct task *t = current;
    struct rusage ru;

    switch (who) {
    case RUSAGE_SELF:
        usage_of_process(&ru);
        break;
    case RUSAGE_CHILDREN:
        rusage_fill(&ru, p->cutime, p->cstime, p->cmin_flt, p->cmaj_flt, p->cmaxrss);
        break;
    case RUSAGE_THREAD:
        account_kernel(current);
        rusage_fill(&ru, t->utime, t->stime, t->min_flt, t->maj_flt, maxrss_now());
        ru.ru_nvcsw = (s64)t->nvcsw;
        ru.ru_nivcsw = (s64)t->nivcsw;
        break;
    default:
        return -EINVAL;
    }
    return copy_to_user(to, &ru, sizeof(ru));
}
