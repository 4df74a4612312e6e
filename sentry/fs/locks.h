/* SPDX-License-Identifier: Apache-2.0
 *
 * File locks: fcntl(2) record locks (owned by a descriptor table, or by an open file description:
 * OFD) and flock(2). All locks of an inode are in one list, made at the first lock.
 */
#pragma once

#include "sentry/fs/vfs.h"

/*
 * fcntl(F_GETLK, F_SETLK, F_SETLKW and the OFD forms) with a struct flock at arg in user memory.
 */
s64 fcntl_lock(struct vfs_file *f, u32 cmd, uva_t arg);
/* flock(2): LOCK_SH, LOCK_EX, LOCK_UN, with LOCK_NB. */
int file_flock(struct vfs_file *f, int op);
/* A descriptor of the table `owner` was closed: its record locks on the file go. */
void locks_release_posix(struct vfs_file *f, struct files *owner);
/* The last reference to f goes: its flock and OFD locks go. */
void locks_release_file(struct vfs_file *f);
/* Freed inode: drop the (empty) list. */
void flock_list_free(struct inode *i);
/* n-th lock of the inode as /proc/locks and fdinfo show it; false at the end. */
bool locks_show(struct inode *i, unsigned n, char *buf, size_t size);
