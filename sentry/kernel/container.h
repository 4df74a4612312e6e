/* SPDX-License-Identifier: Apache-2.0
 *
 * The container: its life (created, running, stopped), its count of tasks, and whether it is
 * paused. There is one in a sandbox; its processes are all processes there are.
 */
#pragma once

#include "sentry/kernel/task.h"

enum container_state { CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_STOPPED };

/* From the boot information. */
void container_init(void);
enum container_state container_state(void);

/* Let the first process run: 0, or -EALREADY. */
int container_start(void);
/* current, the first process, waits for that. False when it was killed instead. */
bool container_wait_start(void);
void container_stopped(void);

/* ---- tasks and their limit (the pids controller of control groups) ---- */

/* One task more: 0, or -EAGAIN at the limit. */
int container_charge(void);
/* The same for a task that comes from outside: it may exceed the limit, as on Linux. */
void container_charge_always(void);
void container_uncharge(void);
void container_set_pids_limit(u64 limit); /* U64_MAX: none */
u64 container_pids(u64 *limit);

/* ---- pause ---- */

/* Stop every task at the border to user mode, until container_resume(). 0, or -EALREADY. */
int container_pause(void);
int container_resume(void);
bool container_paused(void);
/* current has WORK_PAUSE: sleep while the container is paused, unless it is killed. */
void container_pause_here(void);

/* ---- figures ---- */

/* A process leaves the tree: its CPU time counts for the container from now on. Tasklist lock. */
void container_account(u64 utime, u64 stime);
/* Bytes that came from files and streams of the host, and that went there. */
void container_count_io(s64 read, s64 written);
struct control_stats;
void container_stats(struct control_stats *st);
