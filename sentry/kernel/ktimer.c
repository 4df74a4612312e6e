// SPDX-License-Identifier: Apache-2.0
/*
 * Timers: a pairing heap by expiry under one lock, linked through the timers so that starting one
 * cannot fail. The machine is told each new earliest deadline and calls ktimers_run() then.
 * Callbacks run without the lock, so they may take signal locks and start timers;
 * ktimer_cancel() waits for one that is running.
 */
#include "sentry/kernel/wait.h"

static struct spinlock timer_lock = SPINLOCK_INIT;
/* Guarded by timer_lock. */
static struct ktimer *root;    /* earliest */
static struct ktimer *running; /* whose callback runs now */
static bool runner_active;     /* one CPU at a time runs callbacks */

/* Both are roots of heaps, or NULL; the later becomes the first child of the earlier. */
static struct ktimer *merge(struct ktimer *a, struct ktimer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->expires < a->expires) {
        struct ktimer *tmp = a;
        a = b;
        b = tmp;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    a->child = b;
    return a;
}

/* One heap from a list of siblings: pairs from the left, then all from the right. */
static struct ktimer *merge_siblings(struct ktimer *first)
{
    struct ktimer *pairs = NULL, *all = NULL;

    while (first) {
        struct ktimer *a = first, *b = a->next;

        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = merge(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        struct ktimer *next = pairs->next;

        pairs->next = NULL;
        all = merge(all, pairs);
        pairs = next;
    }
    return all;
}

static void heap_remove(struct ktimer *t)
{
    struct ktimer *below = merge_siblings(t->child);

    if (t == root) {
        root = below;
    } else {
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next)
            t->next->prev = t->prev;
        root = merge(root, below);
    }
    t->child = t->next = t->prev = NULL;
    t->armed = false;
}

static u64 earliest(void)
{
    return root ? root->expires : U64_MAX;
}

void ktimer_init(struct ktimer *t, void (*func)(struct ktimer *t))
{
    *t = (struct ktimer){.func = func};
}

void ktimer_start(struct ktimer *t, u64 expires)
{
    u64 before;

    spin_lock(&timer_lock);
    before = earliest();
    if (t->armed)
        heap_remove(t);
    t->expires = expires;
    t->armed = true;
    root = merge(root, t);
    /* Under the lock, so that two CPUs cannot tell the machine in the wrong order. */
    if (earliest() < before)
        machine_timer_set(earliest());
    spin_unlock(&timer_lock);
}

bool ktimer_cancel(struct ktimer *t)
{
    bool armed;

    spin_lock(&timer_lock);
    while (running == t) {
        spin_unlock(&timer_lock);
        cpu_relax();
        spin_lock(&timer_lock);
    }
    armed = t->armed;
    if (armed)
        heap_remove(t);
    spin_unlock(&timer_lock);
    return armed;
}

u64 ktimer_expires(struct ktimer *t)
{
    u64 expires;

    spin_lock(&timer_lock);
    expires = t->armed ? t->expires : U64_MAX;
    spin_unlock(&timer_lock);
    return expires;
}

u64 ktimers_run(u64 now)
{
    u64 next = U64_MAX;

    spin_lock(&timer_lock);
    if (runner_active) {
        /* The CPU that is at it goes on until nothing is due, then sets the machine's timer. */
        spin_unlock(&timer_lock);
        return next;
    }
    runner_active = true;
    while (root && root->expires <= now) {
        struct ktimer *t = root;

        heap_remove(t);
        running = t;
        spin_unlock(&timer_lock);
        t->func(t);
        spin_lock(&timer_lock);
        running = NULL;
        now = MAX(now, machine_clock_mono());
    }
    runner_active = false;
    next = earliest();
    machine_timer_set(next);
    spin_unlock(&timer_lock);
    return next;
}
