/* SPDX-License-Identifier: Apache-2.0
 *
 * Single paths of the container as the boot information wants them: boot_paths.c, init.c.
 */
#pragma once

#include "sentry/fs/vfs.h"

/* Devices, working directory, read-only and masked paths. After the mounts. 0 or -errno. */
int boot_paths(struct boot_failure *why);

/* mkdir -p of a directory / of the directory that holds a path. Where the file system cannot have
 * it, a directory in memory stands in. 0 or -errno. */
int make_directory(const char *path);
int make_parents(const char *path);

/* Copy the directory `from` with its owner and mode into what is mounted at `to`. 0 or -errno. */
int copy_up(const struct path *from, const char *to);
