/* SPDX-License-Identifier: Apache-2.0
 *
 * What the hosted machine adds to machine.h. Included by common code, so no libc here: a task is a
 * host thread, an address space a set of stub processes, a spinlock a small futex mutex.
 */
#pragma once

#include "sentry/lib/list.h"
#include "vmm/abi/types.h"

/* Fill this much of the stub around a fault; also what mm should make present when it is cheap. */
#define MACHINE_FAULT_AROUND (64 * 1024UL)
#define MACHINE_FILE_AROUND  HUGE_SIZE
#define MACHINE_HUGE_PAGES   0
/* Whether a fault says reliably that it was no write. */
#define MACHINE_SEES_WRITES 0
/* Whether a fault costs so much that fork should also copy the entries of mapped files. */
#define MACHINE_COPY_FILE_ENTRIES 1

/* 0 free, 1 held, 2 held and somebody sleeps. Never spun on: its holder may not be running. */
struct spinlock {
    u32 word;
};

void spinlock_sleep(struct spinlock *l); /* thread.c: the contended ends */
void spinlock_wake(struct spinlock *l);

static inline bool spin_trylock_raw(struct spinlock *l)
{
    u32 zero = 0;

    return __atomic_compare_exchange_n(&l->word, &zero, 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static inline void spin_lock_raw(struct spinlock *l)
{
    if (!spin_trylock_raw(l))
        spinlock_sleep(l);
}

static inline void spin_unlock_raw(struct spinlock *l)
{
    if (__atomic_exchange_n(&l->word, 0, __ATOMIC_RELEASE) == 2)
        spinlock_wake(l);
}

/* Where the newest FPU state of a task is. */
enum fpu_place { FPU_MEMORY, FPU_STUB, FPU_BOTH };

/* What is counted, for the log at the end. */
enum machine_stat {
    STAT_SYSCALLS, /* stops of stubs: for a system call */
    STAT_FAULTS,   /* for a page fault that mm handled */
    STAT_REFILLS,  /* for one that only needed the stub to be filled */
    STAT_OTHERS,
    STAT_CALLS, /* calls made in stubs */
    STAT_PAGES, /* pages that they mapped */
    STAT_MOVES, /* to another CPU */
    STAT_COUNT
};

/*
 * The machine's part of a task. Private to the task's own host thread, except where noted.
 */
struct mthread {
    u32 park;    /* token, any thread: 0 none, 1 there, 2 none and the task sleeps */
    u32 kick;    /* any thread: leave user mode */
    u32 in_user; /* written by self, read by kickers: 1 stub runs, 2 and somebody waits for its stop
                  */
    u32 started; /* futex: machine_thread_start() was called */
    int host_tid;
    int stub;        /* process that runs the application for us, stopped unless in_user; 0: none */
    int newborn;     /* stub that was made for us and that we have not seized yet */
    int cpu;         /* host thread and stub are bound to it; index, < machine_ncpus */
    int load_cpu;    /* where it counts in the load while it is awake */
    bool runnable;   /* counts at all */
    bool regs_valid; /* `regs` is what the stub has */
    u8 fpu;          /* enum fpu_place */
    u8 stuck;        /* fills at the same place that did not help */
    u32 fpu_wanted;  /* any thread: futex, see machine_fpu_read() */
    u64 refill;      /* fault that was handed up: fill the stub there before it runs, 0 none */
    u64 stuck_at;
    u64 crowded_since;  /* TSC: others want this cpu; last time we looked at it */
    u64 crowded_cpu;    /* CPU time that it had used when that began */
    u32 move_to;        /* any thread: cpu + 1 that the balancer wants us on, 0 none */
    u64 stay_until;     /* TSC: has left a crowd, is not pulled back before */
    struct task *waker; /* who woke it the last times, only compared; written by wakers */
    u32 wakes;          /* how often in a row */
    u32 entries;        /* into user mode, so far */
    u32 entries_seen;   /* at the balancer's last tick; its lock */
    u64 stats[STAT_COUNT];
    struct mm *space;       /* whose mspace the stub belongs to */
    struct list space_link; /* in space->mspace.threads; its lock */
    struct list all_link;   /* of all user tasks; the balancer's lock */
    void (*entry)(struct task *t);
    struct uregs regs; /* registers in the stub, see regs_valid */
    void **unwind;     /* back to the bottom of the host thread's stack */
};

/* Which pages of an address space its stubs have mapped; fillmap.c. Guarded by mspace.lock. */
struct fillmap {
    struct fill_chunk *slots;
    u32 size, used;
    bool unknown; /* out of memory once: anything may be mapped */
};

#define MSPACE_PENDING 16

/*
 * The machine's part of an address space. The stubs in it share one host address space, a cache
 * of the page tables. lock is held across calls in a stub, and is taken before mm->pt_lock.
 */
struct mspace {
    struct spinlock lock;
    struct list threads; /* of mthread.space_link: tasks with a stub here */
    int spare;           /* stub process with this address space that no task has taken yet */
    unsigned nstubs;     /* processes with this address space, also those not seized yet; atomic */
    /* Ranges that must be unmapped before any stub here runs; count read without the lock. */
    u32 npending;
    struct {
        u64 start, end;
    } pending[MSPACE_PENDING];
    struct fillmap filled;
};

extern __thread struct task *current_task;
#define current current_task

extern u64 phys_base;

unsigned cpu_id(void);

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}
