/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring 0 machine: what sentry/machine/machine.h wants from it. Per-CPU data is found through
 * the GS base. The Sentry runs with interrupts off (but for the idle loop), so a spinlock is a
 * word; a CPU that waits for one serves the TLB shootdowns of the others meanwhile.
 */
#pragma once

#include "sentry/lib/list.h"

/* Physical memory is mapped as a whole. */
#define phys_base DIRECT_MAP_VA

#define MACHINE_FAULT_AROUND      (16 * PAGE_SIZE)
#define MACHINE_FILE_AROUND       MACHINE_FAULT_AROUND
#define MACHINE_HUGE_PAGES        1
#define MACHINE_SEES_WRITES       1
#define MACHINE_COPY_FILE_ENTRIES 0

/* The machine's part of a task; private to sentry/machine/ring0. */
struct mthread {
    u64 ksp;   /* first: switch.S. Saved stack pointer while not running */
    u64 stack; /* lowest address of the kernel stack */
    void (*entry)(struct task *t);
    u32 token;            /* PARK_*, atomic */
    u32 on_cpu;           /* atomic: the stack is in use by CPU `cpu` */
    u32 cpu;              /* runs, is queued, or ran last there */
    u32 fpu_cpu;          /* CPU whose registers hold t->fpu's content, or NO_CPU */
    struct list run_link; /* in that CPU's run queue, under its lock */
    u64 vruntime;         /* weighted ns; under the run queue's lock, or private while running */
    u64 queued_at;        /* when it was put into the queue */
};

/* The machine's part of an address space. */
struct mspace {
    u64 cpus; /* atomic: CPUs whose CR3 is mm->pgd */
};

struct spinlock {
    u32 v;
};

static inline struct task *get_current(void)
{
    struct task *t;

    /* Not volatile: a task sees itself for its whole life. */
    __asm__("movq %%gs:8, %0" : "=r"(t));
    return t;
}
#define current get_current()

static inline unsigned cpu_id(void)
{
    unsigned n;

    __asm__ volatile("movl %%gs:40, %0" : "=r"(n));
    return n;
}

void tlb_serve(void);

static inline void cpu_relax(void)
{
    u64 wanted;

    __asm__ volatile("pause\n\tmovq %%gs:48, %0" : "=r"(wanted) : : "memory");
    if (__builtin_expect(wanted != 0, 0))
        tlb_serve();
}

static inline bool spin_trylock_raw(struct spinlock *l)
{
    return __atomic_exchange_n(&l->v, 1, __ATOMIC_ACQUIRE) == 0;
}

static inline void spin_lock_raw(struct spinlock *l)
{
    while (!spin_trylock_raw(l))
        while (__atomic_load_n(&l->v, __ATOMIC_RELAXED))
            cpu_relax();
}

static inline void spin_unlock_raw(struct spinlock *l)
{
    __atomic_store_n(&l->v, 0, __ATOMIC_RELEASE);
}
