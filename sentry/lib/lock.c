// SPDX-License-Identifier: Apache-2.0
/*
 * Sleeping locks on top of the machine's park token. Unlocking hands the lock to the first
 * sleeper, so nobody starves. A sleeper cannot know whether the tokens that it took were meant
 * for the lock or for a wait loop further out, so it gives one back when it has the lock.
 */
#include "sentry/lib/lock.h"

/* A sleeping task, on its own stack; the lock's spinlock guards it. */
struct sleeper {
    struct list link;
    struct task *task;
    bool writer;
    bool granted; /* set once, by who hands over */
};

static void sleep_until_granted(struct spinlock *lock, struct sleeper *s)
{
    while (!__atomic_load_n(&s->granted, __ATOMIC_ACQUIRE))
        machine_park(U64_MAX);
    /* Whoever granted still holds the spinlock while it wakes us: wait until it is done with us. */
    spin_lock(lock);
    spin_unlock(lock);
    machine_unpark(current);
}

static void grant(struct sleeper *s)
{
    struct task *t = s->task;

    list_del(&s->link);
    __atomic_store_n(&s->granted, true, __ATOMIC_RELEASE);
    machine_unpark(t);
}

static void enqueue(struct list *waiters, struct sleeper *s)
{
    s->task = current;
    if (!waiters->next)
        list_init(waiters);
    list_add_tail(waiters, &s->link);
}

static bool nobody_waits(const struct list *waiters)
{
    return !waiters->next || list_empty(waiters);
}

void mutex_init(struct mutex *m)
{
    *m = (struct mutex){0};
}

bool mutex_trylock(struct mutex *m)
{
    bool ok;

    spin_lock(&m->lock);
    ok = !m->owner;
    if (ok)
        m->owner = current;
    spin_unlock(&m->lock);
    return ok;
}

void mutex_lock(struct mutex *m)
{
    struct sleeper s = {0};

    spin_lock(&m->lock);
    if (likely(!m->owner)) {
        m->owner = current;
        spin_unlock(&m->lock);
        return;
    }
    BUG_ON(m->owner == current);
    enqueue(&m->waiters, &s);
    spin_unlock(&m->lock);
    sleep_until_granted(&m->lock, &s);
}

void mutex_unlock(struct mutex *m)
{
    spin_lock(&m->lock);
    BUG_ON(m->owner != current);
    if (likely(nobody_waits(&m->waiters))) {
        m->owner = NULL;
    } else {
        struct sleeper *s = list_first(&m->waiters, struct sleeper, link);
        m->owner = s->task;
        grant(s);
    }
    spin_unlock(&m->lock);
}

void rwsem_init(struct rwsem *s)
{
    *s = (struct rwsem){0};
}

void down_read(struct rwsem *sem)
{
    struct sleeper s = {0};

    spin_lock(&sem->lock);
    if (likely(sem->count >= 0 && nobody_waits(&sem->waiters))) {
        sem->count++;
        spin_unlock(&sem->lock);
        return;
    }
    enqueue(&sem->waiters, &s);
    spin_unlock(&sem->lock);
    sleep_until_granted(&sem->lock, &s);
}

void down_write(struct rwsem *sem)
{
    struct sleeper s = {.writer = true};

    spin_lock(&sem->lock);
    if (likely(sem->count == 0)) {
        sem->count = -1;
        spin_unlock(&sem->lock);
        return;
    }
    enqueue(&sem->waiters, &s);
    spin_unlock(&sem->lock);
    sleep_until_granted(&sem->lock, &s);
}

/* The lock became free, or only readers hold it: let in who is first, and all readers next to it.
 */
static void hand_over(struct rwsem *sem)
{
    while (!nobody_waits(&sem->waiters)) {
        struct sleeper *s = list_first(&sem->waiters, struct sleeper, link);

        if (s->writer) {
            if (sem->count)
                return;
            sem->count = -1;
            grant(s);
            return;
        }
        sem->count++;
        grant(s);
    }
}

void up_read(struct rwsem *sem)
{
    spin_lock(&sem->lock);
    BUG_ON(sem->count <= 0);
    if (--sem->count == 0)
        hand_over(sem);
    spin_unlock(&sem->lock);
}

void up_write(struct rwsem *sem)
{
    spin_lock(&sem->lock);
    BUG_ON(sem->count != -1);
    sem->count = 0;
    hand_over(sem);
    spin_unlock(&sem->lock);
}
