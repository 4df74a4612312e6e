/* SPDX-License-Identifier: Apache-2.0
 *
 * Locks. Spinlocks (struct spinlock, from the machine) guard short sections that never sleep;
 * mutexes and rwsems park the task. Every lock has a rank; a task may only take a lock of a higher
 * rank than those it holds (checked in debug builds, -Dlockdep=true).
 */
#pragma once

#include "sentry/lib/lib.h"
#include "sentry/machine/machine.h"

/* In the order in which they may be taken (outer first). */
enum lock_rank {
    RANK_NAMESPACE = 1, /* mount table, rename */
    RANK_INODE,         /* inode contents and directory entries; parent before child */
    RANK_INODE_CHILD,
    RANK_FILE, /* file position, epoll, pipe, tty, socket */
    RANK_FILE_2,
    RANK_MM,      /* mm->lock */
    RANK_MAPPING, /* inode->mapping lock: list of vmas, page lookup */
    RANK_FILES,   /* descriptor table */
    RANK_FUTEX,
    RANK_TASKLIST, /* process tree, groups, sessions */
    RANK_SIGNAL,   /* process->siglock */
    RANK_DCACHE,
    RANK_PTE, /* mm->pt_lock */
    RANK_WAITQ,
    RANK_WAITQ_2, /* nested: epoll callbacks */
    RANK_TIMER,
    RANK_SLAB,
    RANK_PAGE,
    RANK_SCHED,
    RANK_LOG,
};

/* spin_init, spin_lock, spin_unlock: see machine_arch.h for the raw operations. */
static inline void spin_lock(struct spinlock *l)
{
    spin_lock_raw(l);
}
static inline void spin_unlock(struct spinlock *l)
{
    spin_unlock_raw(l);
}
#define SPINLOCK_INIT \
    {                 \
        0             \
    }

/*
 * Sleeping mutex. Owned by the task that locked it; FIFO among sleepers. Zero-initialised is
 * unlocked.
 */
struct mutex {
    struct spinlock lock;
    struct task *owner;
    struct list waiters; /* of struct mutex_waiter; lazily initialised */
};
void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);

/* Reader/writer lock that sleeps; writers are not starved. */
struct rwsem {
    struct spinlock lock;
    s32 count; /* -1: a writer; n > 0: readers */
    struct list waiters;
};
void rwsem_init(struct rwsem *s);
void down_read(struct rwsem *s);
void up_read(struct rwsem *s);
void down_write(struct rwsem *s);
void up_write(struct rwsem *s);
