/* SPDX-License-Identifier: Apache-2.0
 *
 * A machine with one CPU and no user mode, for unit tests of the Sentry's common code.
 */
#pragma once

struct mthread {
    int unused;
};

/* What mspace_flush() was told, for tests. */
struct mspace {
    unsigned flushes;
    u64 flush_start, flush_end;
};

struct spinlock {
    unsigned locked;
};

extern struct task *fake_current;
#define current fake_current
extern u64 phys_base;

void spin_lock_raw(struct spinlock *l);
void spin_unlock_raw(struct spinlock *l);
bool spin_trylock_raw(struct spinlock *l);

static inline unsigned cpu_id(void)
{
    return 0;
}
static inline void cpu_relax(void) {}

extern u64 fake_fault_around;
extern bool fake_huge_pages;
#define MACHINE_FAULT_AROUND      fake_fault_around
#define MACHINE_FILE_AROUND  fake_fault_around
#define MACHINE_HUGE_PAGES   fake_huge_pages
#define MACHINE_SEES_WRITES       1
#define MACHINE_COPY_FILE_ENTRIES 0
