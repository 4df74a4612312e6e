/* SPDX-License-Identifier: Apache-2.0
 *
 * What more than one command does with a container.
 */
#pragma once

#include "oci/state.h"

/*
 * Make sure that nothing of the container runs any more: sandbox, gofer, monitors of execs. Waits
 * for their end.
 */
void container_kill(const struct state *s);

/*
 * The whole end: processes, control groups, poststop hooks (when it got as far as having some), the
 * state directory. 0, or STATUS_FAILED after a message when something stays behind.
 */
int container_destroy(struct state *s);

/* Connect to the sandbox of a container. Descriptor, or -errno. */
int container_connect(const struct state *s);
