/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes from the sandbox process everything that it does not need, before a guest instruction runs.
 */
#pragma once

#include "vmm/sandbox.h"

/*
 * Namespaces of its own, an empty root, no capabilities, no_new_privs, resource limits. The
 * process must have one thread. 0 or -errno; what the kernel refuses to an ordinary user and
 * is not essential is only logged.
 */
int confine_process(enum platform p);

/* The last step: the seccomp list of sandbox.c's platforms. 0 or -errno. */
int confine_syscalls(enum platform p);
