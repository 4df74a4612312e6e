/* SPDX-License-Identifier: Apache-2.0
 *
 * The fake kernel for tests of sentry/fs: see kernel.c.
 */
#pragma once

#include "fake.h"

extern struct cred *fake_cred; /* of the current task; starts as root with all capabilities */

/* After fake_start(): credentials and an empty descriptor table for the current task. */
void fake_kernel_start(void);
/* Drop them, and the file system context of the task. */
void fake_kernel_stop(void);
