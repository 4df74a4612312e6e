/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the ptrace machine.
 */
#pragma once

#include "sentry/kernel/task.h"
#include "sentry/machine/ptrace/hostsys.h"
#include "sentry/machine/ptrace/stub.h"
#include "sentry/mm/mm.h"

/* ---- space.c: stubs and what they have mapped ---- */

/*
 * Give current a stub in its address space, with nothing mapped that the page tables do not
 * have. False: impossible, or the stub died; current's process has been killed.
 */
bool space_enter(struct mthread *mt);
/*
 * Map what the page tables have at and around addr into current's stub. 1 done, 0 when they have
 * nothing there, -EFAULT when what they have cannot be mapped (truncated file), other -errno.
 */
int space_fill(struct mthread *mt, uva_t addr);
/* The entry for addr of current's mm; 0: none. */
pte_t space_pte(uva_t addr);
/* current's stub is gone: kill the process (the host's OOM killer, say, has ended it). */
void space_lost(struct mthread *mt);
/* End current's stub. */
void space_leave(struct mthread *mt);
/* A stub in current's address space for t. 0 or -errno. */
int space_share(struct mthread *mt, struct task *t);

/* ---- run.c ---- */

/* current is out of user mode: tell who waits for that. */
void user_left(struct mthread *mt);

/* ---- fpu.c ---- */

void fpu_init(void);
/* Whether an SSE exception is what current was stopped for (else the x87). */
bool fpu_simd_pending(void);
/* t->fpu into the stub when it is newer. */
void fpu_load(struct task *t);
/* Serve a machine_fpu_read() of somebody else. */
void fpu_serve(struct mthread *mt);

/* ---- balance.c: which CPU a task and its stub are bound to ---- */

void balance_init(unsigned want_cpus);
/* Where t, which current makes, should begin; -1: wherever there is room. */
int balance_place(const struct task *t);
void balance_add(struct task *t);
void balance_remove(struct task *t);
/* current begins to / ceases to want its CPU. */
void balance_run(struct mthread *mt);
void balance_sleep(struct mthread *mt);
/* current is about to wake t, which sleeps. */
void balance_wake(struct task *t);
/* Before user mode: move to another CPU when told to or when this one is crowded. */
void balance_check(struct mthread *mt);
/* Bind current's new stub. */
void balance_bind(struct mthread *mt);
/* Timer thread: next time it wants balance_tick() (U64_MAX: no need). */
u64 balance_deadline(void);
void balance_tick(void);
bool balance_crowded(const struct mthread *mt);
/* Counters of all tasks so far into the log. */
void balance_log_stats(void);

/* ---- thread.c ---- */

void timer_thread(void) __attribute__((noreturn));
void timer_wake(void);
