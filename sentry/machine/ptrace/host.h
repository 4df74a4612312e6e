/* SPDX-License-Identifier: Apache-2.0
 *
 * What host.c and crash.c, which include libc, offer to the rest of the ptrace machine.
 */
#pragma once

#include <stdbool.h>

/* Run thread_main(task) on a new, detached host thread. 0 or -errno. */
int host_thread_start(void *task);
/* Start machine_clock, if the TSC is good enough. */
void host_clock_init(void);
/* thread.c */
void thread_main(void *task);

/*
 * Get ready to report a fault of the Sentry itself: keep the program's own symbols at hand (before
 * the file system is gone). Failure only costs the names in a back trace.
 */
void crash_prepare(void);
/* From now on SIGSEGV & co. in this process end in a report and a non-zero status. */
void crash_catch(void);
