// SPDX-License-Identifier: Apache-2.0
/*
 * Out of memory: choose the process whose end frees most, weighted by oom_score_adj, and kill it.
 */
#include "sentry/mm/internal.h"

#define ADJ_MIN (-1000)

/* Pages that killing p would free, adjusted; negative: leave it alone. tasklist_lock held. */
static s64 badness(struct process *p)
{
    struct task *t;
    struct mm *mm = NULL;

    list_for_each (t, &p->threads, thread_link) {
        if ((mm = t->mm))
            break;
    }
    if (!mm || p->oom_score_adj == ADJ_MIN)
        return -1;
    return (s64)mm_rss(mm) + p->oom_score_adj * (s64)(pages_total() / 1000);
}

static struct mm *mm_of(struct process *p)
{
    struct task *t;

    list_for_each (t, &p->threads, thread_link) {
        if (t->mm)
            return t->mm;
    }
    return NULL;
}

/* Everybody who shares the victim's memory goes with it. */
static void kill_users(struct mm *mm)
{
    struct process *p;

    mm->oom_killed = true;
    list_for_each (p, &all_processes, all_link) {
        if (mm_of(p) == mm)
            signal_send_process(p, SIGKILL, NULL);
    }
}

bool oom_kill(void)
{
    struct process *p, *victim = NULL;
    s64 worst = -1;
    u64 rss = 0;
    char comm[16];
    int pid = 0;

    spin_lock(&tasklist_lock);
    list_for_each (p, &all_processes, all_link) {
        struct mm *mm = mm_of(p);
        if (mm && mm->oom_killed) { /* one is dying already: give it time */
            spin_unlock(&tasklist_lock);
            return true;
        }
        s64 b = badness(p);
        if (b > worst) {
            worst = b;
            victim = p;
        }
    }
    if (victim) {
        rss = mm_rss(mm_of(victim));
        pid = victim->pid;
        memcpy(comm, victim->leader->comm, sizeof(comm));
        kill_users(mm_of(victim));
    }
    spin_unlock(&tasklist_lock);
    if (victim)
        log_warn("out of memory: killed process %d (%.16s), %llu KiB resident of %llu KiB", pid,
                 comm, (unsigned long long)(rss * 4), (unsigned long long)(pages_total() * 4));
    return victim != NULL;
}
