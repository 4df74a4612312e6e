/* SPDX-License-Identifier: Apache-2.0
 *
 * /dev: the memory devices, and the names that a fresh /dev gets.
 */
#pragma once

#include "sentry/fs/vfs.h"

/* Register null, zero, full, random, urandom. */
void dev_mem_init(void);
/* Make the standard nodes and links in the directory "/dev"; 0 or the first error. */
int dev_populate(void);
