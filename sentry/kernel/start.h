/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes that nobody forks: the container's first one, and those that runsc exec adds.
 */
#pragma once

#include "sentry/kernel/kernel.h"
#include "sentry/kernel/task.h"

struct control_exec;

/* A process on its way. Owned by who made it, then by the process itself until it runs. */
struct start {
    struct process_info info;
    void *blob;                /* the device tree that info points into; NULL: the boot's */
    struct control_exec *exec; /* NULL: the first process */
};

/*
 * From the device tree of CONTROL_EXEC and the descriptors that came with it; both stay the
 * caller's until start_process() has succeeded. ERR_PTR(-EINVAL, -ENOMEM).
 */
struct start *start_new(const void *blob, size_t len, const u32 fds[3], struct control_exec *exec);
void start_free(struct start *s);
/*
 * Make the process and let it go: its pid, or -errno. What goes wrong later it says itself,
 * by control_exec_done() or control_created().
 */
int start_process(struct start *s);
/* The container's first one, from the boot information. */
void start_first_process(void);
