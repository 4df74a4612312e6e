/* SPDX-License-Identifier: Apache-2.0
 *
 * What more than one command does with a container.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "oci/control.h"
#include "oci/state.h"

/*
 * Make sure that nothing of the container runs any more: sandbox, gofer, monitors of execs. Waits
 * for their end.
 */
void container_kill(const struct state *s);

/*
 * End the processes that stand for execs, and wait for it: whoever waits for them and for the
 * sandbox must see them end before it, as the kernel orders it in a pid namespace.
 */
void container_kill_monitors(const struct state *s);

/*
 * The whole end: processes, control groups, poststop hooks (when it got as far as having some), the
 * state directory. 0, or STATUS_FAILED after a message when something stays behind.
 */
int container_destroy(struct state *s);

/*
 * Open the state of a container whose sandbox is there. 0, or STATUS_FAILED after a message:
 * engines look for `container not running` and `does not exist`. state_close() is due in both
 * cases.
 */
int container_open(const char *id, bool lock, struct state *s);

/* Connect to its sandbox. Descriptor, or -errno. */
int container_connect(const struct state *s);

/*
 * One request to its sandbox. 0; -errno of the Sentry without a message, for the caller to word it;
 * STATUS_FAILED after a message when the sandbox is gone or says nonsense.
 */
int container_request(const struct state *s, struct control_message *m, void *reply, size_t cap);

/* Write a pid as engines want it: in place at once. 0, or STATUS_FAILED after a message. */
int pid_file_write(const char *path, int pid);

/* Number of a signal by number or name ("9", "KILL", "SIGKILL", "RTMIN+3"), or -1. */
int signal_number(const char *name);
