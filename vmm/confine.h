/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes from the sandbox process everything that it does not need, before a guest instruction runs.
 */
#pragma once

#include "vmm/sandbox.h"

/*
 * Namespaces of its own, an empty root, no capabilities, no_new_privs, resource limits. The
 * process must have one thread. 0 or -errno; what the kernel refuses to an ordinary user and
 * is not essential is only logged. With NETWORK_HOST the network namespace stays the one it is in.
 */
int confine_process(enum platform p, enum sandbox_network network);

/* The last step: the seccomp list of the platform, with the calls of host sockets
 * only for NETWORK_HOST. 0 or -errno. */
int confine_syscalls(enum platform p, enum sandbox_network network);
