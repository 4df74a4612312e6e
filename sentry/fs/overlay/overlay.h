/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of the overlay: a tree that begins as a view of a read-only one (the lower) and keeps
 * every change in memory.
 *
 * An inode of the overlay stands over an inode of the lower, or over none when it was made here.
 * What changes is kept where it belongs: attributes in the inode, contents page by page, names in a
 * table of the directory they are in. Nothing is copied up; a file that was appended to costs the
 * pages that were written, and a directory of the lower may be renamed like any other.
 */
#pragma once

#include "sentry/fs/gofer.h"
#include "sentry/fs/pagetree.h"
#include "sentry/fs/vfs.h"
#include "sentry/lib/hashtab.h"

/* A name that differs from the lower directory. Owned by its directory, guarded by its inode->lock.
 */
struct overlay_name {
    struct list link; /* overlay_names.all, in the order of making */
    struct hash_link hash_link;
    u8 len;
    bool shadows;        /* the lower directory has this name too */
    struct inode *inode; /* held; NULL: whiteout */
    char name[];
};

/* All of a directory. */
struct overlay_names {
    struct list all;
    struct hashtab table;
};

/* A mounted overlay; sb->private. */
struct overlay {
    struct super *lower;  /* held */
    struct spinlock lock; /* nodes */
    struct hashtab nodes; /* overlay_node.hash_link by lower inode */
};

/*
 * The overlay's part of an inode; inode->private. Inodes over a lower one are found again by it as
 * long as they live, and live on when they have changed (pinned).
 */
struct overlay_node {
    struct inode *inode;
    struct inode *lower;        /* held, constant; NULL: made here */
    struct hash_link hash_link; /* overlay.lock */
    u32 pinned;                 /* atomic; holds a reference to the inode */

    struct overlay_names names; /* directories; inode->lock */

    struct mutex lock;     /* regular files: lower_len with pages and size; inside mm->lock */
    struct pagetree pages; /* what was written; a hole shows the lower file up to lower_len */
    u64 lower_len;         /* bytes of the lower file that still count */
    bool private_maps;     /* mappings get pages of ours only: somebody may write */

    char *target; /* symbolic links made here */
};

static inline struct overlay_node *ovl_node(const struct inode *i)
{
    return i->private;
}

/* ---- inode.c ---- */

/* The inode over `lower` (whose reference is consumed), found or made; ERR_PTR(-ENOMEM). */
struct inode *overlay_wrap(struct super *sb, struct inode *lower);
/* A new inode that belongs into dir. NULL: no memory. */
struct inode *overlay_new(struct inode *dir, u32 mode);
/* i has changed, so that it must not be forgotten; or its last name went. */
void overlay_pin(struct inode *i);
void overlay_unpin(struct inode *i);
int overlay_setattr(struct inode *i, const struct attr *a, u32 valid);
void overlay_evict(struct inode *i);

/* ---- names.c ---- */

void overlay_names_init(struct overlay_names *t);
void overlay_names_free(struct overlay_names *t);
struct overlay_name *overlay_name_find(const struct overlay_names *t, const char *name, size_t len);
/* A new one without an inode; the name is not there yet. NULL: no memory. */
struct overlay_name *overlay_name_add(struct overlay_names *t, const char *name, size_t len);
void overlay_name_remove(struct overlay_names *t, struct overlay_name *n); /* and free it */

/* ---- dir.c, file.c ---- */

extern const struct inode_ops overlay_dir_ops, overlay_file_iops, overlay_link_ops,
    overlay_special_ops;
extern const struct file_ops overlay_dir_fops, overlay_file_fops;

/* Change the size; i->lock held for write. */
int overlay_truncate(struct inode *i, u64 size);
