/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking a Sentry for one more process.
 */
#pragma once

#include <stdint.h>
#include "vmm/sandbox.h"

/*
 * Start p with these descriptors (-1: closed; borrowed) over a connection of its own. *pid: what it
 * is called in the container. CONTROL_EXITED will come on the connection; when that is closed
 * before, the process is killed. 0, or STATUS_FAILED after a message.
 */
int exec_request(int sock, const struct sandbox_process *p, const int stdio[3], int64_t *pid);

/*
 * Wait for its end at most ms (0: for ever). Its wait status, or -ETIMEDOUT, or -ECONNRESET when
 * the sandbox has gone.
 */
int exec_wait(int sock, int64_t pid, int64_t ms);
