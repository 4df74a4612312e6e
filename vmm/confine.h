/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes from the sandbox process everything that it does not need, before a guest instruction runs.
 */
#pragma once

#include "vmm/sandbox.h"

/*
 * Enter the host namespaces that cfg names, and a mount namespace of our own; closes what was
 * joined. The process must have one thread. An ordinary user becomes one without rights in a user
 * namespace. 0, or -errno when a namespace to join cannot be joined; a kernel that makes no new
 * ones for us is only logged.
 */
int confine_namespaces(const struct sandbox_namespaces *ns);

/*
 * An empty root, no capabilities (but for binding to low ports with NETWORK_HOST), no_new_privs,
 * resource limits. After confine_namespaces(). 0 or -errno; what the kernel refuses to an ordinary
 * user and is not essential is only logged.
 */
int confine_process(enum platform p, enum sandbox_network network);

/* The last step: the seccomp list of the platform, with the calls of host sockets
 * only for NETWORK_HOST. 0 or -errno. */
int confine_syscalls(enum platform p, enum sandbox_network network);
