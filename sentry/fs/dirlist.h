/* SPDX-License-Identifier: Apache-2.0
 *
 * A directory's listing, taken once and read out in pieces: for file systems whose positions do not
 * survive changes or that have to merge several directories. The position of an entry is its
 * index + 2, so seekdir(3) works; rewinding takes a new listing.
 */
#pragma once

#include "sentry/fs/vfs.h"

struct dirlist_entry {
    u64 ino;
    u32 name; /* offset in names */
    u8 len, type;
};

/* Owned by an open directory (file->private), guarded by its position lock. Zeroed is empty. */
struct dirlist {
    struct dirlist_entry *entries;
    char *names;
    u32 count, cap;
    u32 names_len, names_cap;
};

/* Append an entry; 0 or -ENOMEM. */
int dirlist_add(struct dirlist *l, const char *name, size_t len, u64 ino, u8 type);
void dirlist_free(struct dirlist *l); /* its contents */

/* file_ops.readdir with a function that fills the list, without "." and "..". */
int dirlist_readdir(struct vfs_file *f, struct dir_emitter *e,
                    int (*fill)(struct dentry *dir, struct dirlist *l));
/* file_ops.release */
void dirlist_release(struct vfs_file *f);
