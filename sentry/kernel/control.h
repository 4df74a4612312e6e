/* SPDX-License-Identifier: Apache-2.0
 *
 * The control channel: what runsc asks of the running container, and what it is told
 * (vmm/abi/control.h).
 */
#pragma once

#include "sentry/kernel/kernel.h"
#include "sentry/kernel/task.h"

/* Who asked for a process, and is told when it ends. Owned by control.c, guarded by its lock. */
struct control_exec;

/* A connection has something to say, or has ended. On the event thread. */
void control_event(u32 conn);

/* The terminal of the container itself, for window sizes and the signals of its keys. */
void control_set_console(struct tty *tty);
/* The host's terminal has another size. */
void control_window_changed(void);

/* Tell the launcher that the container is created, or (err < 0) why it cannot be. */
void control_created(int err, const char *text);
/* The first process has ended with this wait status: answers who waits for it. */
void control_ended(int status);
/*
 * A process that was asked for runs (err = 0), or cannot run, for the reason in text: then it is
 * about to end, and nobody is told any more. tty: its console with a reference, or NULL.
 */
void control_exec_done(struct control_exec *x, int err, const char *text);
void control_exec_console(struct control_exec *x, struct tty *tty);
/* A process has ended. May sleep. */
void control_process_ended(int pid, int status);

/* ---- debug.c: texts for runsc debug ---- */

/* Text of at most size bytes into buf; its length or -errno. what: enum control_debug. */
s64 debug_text(u32 what, s64 arg, char *buf, size_t size);
/* struct control_process of the processes with a pid above `after`, in order; how many. */
struct control_process;
size_t debug_processes(int after, struct control_process *out, size_t max);
