// SPDX-License-Identifier: Apache-2.0
/*
 * Signals: handlers, queues, masks. Sending is in signal_send.c, delivery in signal_deliver.c, the
 * system calls in signal_calls.c. The word "process" stands for the thread group.
 */
#include "sentry/kernel/internal.h"
#include "sentry/mm/mm.h"

/* One for all: a queue in the sighand would go while epoll instances of others still wait on it. */
struct waitq signalfd_waitq = {SPINLOCK_INIT, LIST_INIT(signalfd_waitq.waiters)};

/* ---- handlers and locking ---- */

struct sighand *sighand_new(const struct sighand *copy_of)
{
    struct sighand *s = kzalloc(sizeof(*s));

    if (!s)
        return NULL;
    ref_init(&s->refs, 1);
    if (copy_of)
        memcpy(s->action, copy_of->action, sizeof(s->action));
    return s;
}

void sighand_put(struct sighand *s)
{
    while (s && ref_put(&s->refs)) {
        struct sighand *older = s->superseded;

        kfree(s);
        s = older;
    }
}

/*
 * An exec may replace the sighand between our look and our lock; the old one stays allocated
 * as long as the new one, so looking is safe.
 */
static struct sighand *lock_at(struct sighand **where)
{
    for (;;) {
        struct sighand *s = __atomic_load_n(where, __ATOMIC_ACQUIRE);

        spin_lock(&s->lock);
        if (likely(s == __atomic_load_n(where, __ATOMIC_RELAXED)))
            return s;
        spin_unlock(&s->lock);
    }
}

struct sighand *sighand_lock(struct task *t)
{
    return lock_at(&t->sighand);
}

struct sighand *process_lock(struct process *p)
{
    return lock_at(&p->sighand);
}

/* exec: nobody else may share the handlers; those that are not "ignore" become the default. */
int sighand_reset_for_exec(struct task *t)
{
    struct process *p = t->process;
    struct sighand *old = t->sighand;

    /* The task and the process hold one reference each. */
    if (ref_read(&old->refs) > 2) {
        struct sighand *fresh = sighand_new(old);

        if (!fresh)
            return -ENOMEM;
        fresh->superseded = old; /* the task's reference */
        ref_get(&fresh->refs);
        spin_lock(&old->lock);
        __atomic_store_n(&p->sighand, fresh, __ATOMIC_RELEASE);
        __atomic_store_n(&t->sighand, fresh, __ATOMIC_RELEASE);
        spin_unlock(&old->lock);
        sighand_put(old); /* the process's */
    }
    sighand_lock(t);
    for (int i = 0; i < NSIGNALS; i++) {
        struct ksigaction *a = &t->sighand->action[i];
        uva_t handler = a->handler == (uva_t)SIG_IGN ? a->handler : (uva_t)SIG_DFL;

        *a = (struct ksigaction){.handler = handler};
    }
    sighand_unlock(t->sighand);
    return 0;
}

/* ---- queues ---- */

void sigpending_init(struct sigpending *p)
{
    p->set = 0;
    list_init(&p->queue);
}

static void entry_free(struct sigqueue *q)
{
    if (q->embedded)
        return;
    if (q->process)
        q->process->nsigqueued--;
    kfree(q);
}

void sigpending_flush(struct sigpending *p)
{
    while (!list_empty(&p->queue)) {
        struct sigqueue *q = list_first(&p->queue, struct sigqueue, link);

        list_del(&q->link);
        /* The process may be gone already; nobody counts any more. */
        q->process = NULL;
        entry_free(q);
    }
    p->set = 0;
}

void signal_discard_locked(struct sigpending *p, sigset64_t set)
{
    struct sigqueue *q, *next;

    if (!(p->set & set))
        return;
    p->set &= ~set;
    list_for_each_safe (q, next, &p->queue, link) {
        if (!(SIGBIT(q->info.si_signo) & set))
            continue;
        list_del(&q->link);
        entry_free(q);
    }
}

static int first_signal(sigset64_t set)
{
    if (set & SIG_SYNCHRONOUS)
        set &= SIG_SYNCHRONOUS;
    return set ? __builtin_ctzll(set) + 1 : 0;
}

/* Take the first entry of sig; the bit stays set while there are more. */
static void pending_take(struct sigpending *p, int sig, siginfo_t *info)
{
    struct sigqueue *q, *found = NULL;
    bool more = false;

    list_for_each (q, &p->queue, link) {
        if (q->info.si_signo != sig)
            continue;
        more = found;
        if (more)
            break;
        found = q;
    }
    if (!more)
        p->set &= ~SIGBIT(sig);
    if (found) {
        *info = found->info;
        list_del(&found->link);
        entry_free(found);
    } else {
        memset(info, 0, sizeof(*info));
        info->si_signo = sig;
        info->si_code = SI_USER;
    }
}

int signal_dequeue_locked(sigset64_t set, siginfo_t *info)
{
    struct task *t = current;
    struct process *p = t->process;
    int sig = first_signal(t->pending.set & set);

    if (sig) {
        pending_take(&t->pending, sig, info);
    } else {
        sig = first_signal(p->shared_pending.set & set);
        if (!sig)
            return 0;
        pending_take(&p->shared_pending, sig, info);
        if (sig == SIGALRM)
            itimer_signal_taken(p);
    }
    if (SIGBIT(sig) & SIG_STOPS)
        t->stop_dequeued = true;
    signal_recalc();
    return sig;
}

void signal_taken(int sig, const siginfo_t *info)
{
    if (sig && info->si_code == SI_TIMER)
        posix_timer_signal_taken(info->si_tid);
}

int signal_dequeue(sigset64_t set, siginfo_t *info)
{
    struct sighand *s = sighand_lock(current);
    int sig = signal_dequeue_locked(set & ~SIG_KERNEL_UNBLOCKABLE, info);

    sighand_unlock(s);
    signal_taken(sig, info);
    return sig;
}

sigset64_t signal_pending_set(void)
{
    struct sighand *s = sighand_lock(current);
    sigset64_t set = current->pending.set | current->process->shared_pending.set;

    sighand_unlock(s);
    return set;
}

/* ---- who has work ---- */

bool signal_pending(const struct task *t)
{
    return __atomic_load_n(&t->work, __ATOMIC_ACQUIRE) & WORK_SIGNAL;
}

void signal_wake(struct task *t)
{
    __atomic_or_fetch(&t->work, WORK_SIGNAL, __ATOMIC_ACQ_REL);
    machine_unpark(t);
    machine_kick(t);
}

static bool has_signal_work(const struct task *t)
{
    return ((t->pending.set | t->process->shared_pending.set) & ~t->blocked) || t->stop_wanted ||
           t->process->stop_notify;
}

void signal_recalc(void)
{
    struct task *t = current;

    if (has_signal_work(t))
        __atomic_or_fetch(&t->work, WORK_SIGNAL, __ATOMIC_ACQ_REL);
    else
        __atomic_and_fetch(&t->work, ~WORK_SIGNAL, __ATOMIC_ACQ_REL);
}

void signal_retarget_locked(struct task *self, sigset64_t set)
{
    struct process *p = self->process;
    struct task *t;

    set &= p->shared_pending.set;
    if (!set)
        return;
    list_for_each (t, &p->threads, thread_link) {
        if (t == self || t->exiting || !(set & ~t->blocked))
            continue;
        set &= t->blocked;
        signal_wake(t);
        if (!set)
            return;
    }
}

void signal_set_blocked(struct task *t, sigset64_t set)
{
    struct sighand *s = sighand_lock(t);

    set &= ~SIG_KERNEL_UNBLOCKABLE;
    signal_retarget_locked(t, set & ~t->blocked);
    t->blocked = set;
    signal_recalc();
    sighand_unlock(s);
}

void signal_mask_temporarily(sigset64_t set)
{
    current->saved_blocked = current->blocked;
    current->restore_blocked = true;
    signal_set_blocked(current, set);
}

void signal_restore_mask(void)
{
    if (!current->restore_blocked)
        return;
    current->restore_blocked = false;
    signal_set_blocked(current, current->saved_blocked);
}
