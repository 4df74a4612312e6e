/* SPDX-License-Identifier: Apache-2.0
 *
 * Kernel parameters of /proc/sys that a container's configuration may set (linux.sysctl). Constant
 * once the first process runs.
 */
#pragma once

#include "sentry/lib/lib.h"

/*
 * Apply the boot information's list. 0, or -errno with a reason that names the key: -ENOENT when
 * there is no such parameter here, -EINVAL for a value that it cannot have.
 */
int sysctl_boot(char *why, size_t size);

/* Value as text without newline, by the dotted name; NULL: none of that name. */
const char *sysctl_text(const char *name);
/* The n-th number of a value (from 0); def when there is none. */
u64 sysctl_number(const char *name, unsigned n, u64 def);
