/* SPDX-License-Identifier: Apache-2.0
 *
 * Files in memory: what the parts of tmpfs share.
 *
 * A directory's entries are dentries that tmpfs pins in the dentry cache; the directory keeps them
 * by a number that never changes while the name exists, so that positions of readdir stay good. A
 * file's pages are in a radix tree that the inode's mapping lock guards, because page faults come
 * with locks held that exclude the inode's own.
 */
#pragma once

#include "sentry/fs/vfs.h"
#include "sentry/lib/radix.h"

#define TMPFS_MAGIC 0x01021994

/* Per instance, in sb->private. Counters are atomic. */
struct tmpfs_super {
    u64 max_pages, pages; /* max 0: no limit but memory */
    u64 max_inodes, inodes;
};

/* One extended attribute; in tmpfs_inode.xattrs, under the inode's lock. */
struct tmpfs_xattr {
    struct list link;
    char *name;
    size_t size;
    u8 value[];
};

/* Per inode, in inode->private; freed by evict. */
struct tmpfs_inode {
    struct radix tree; /* file: struct page (mapping lock); directory: struct dentry (inode lock) */
    u64 npages;        /* mapping lock */
    u64 next_cookie;   /* directory */
    u64 nentries;
    u32 seals;         /* F_SEAL_*; inode lock */
    bool sealable;     /* from memfd_create: fcntl seals work */
    u32 writable_maps; /* shared mappings that may be written, atomic */
    char *target;      /* symbolic link */
    struct list xattrs;
};

static inline struct tmpfs_inode *tmpfs_i(const struct inode *i)
{
    return i->private;
}

extern const struct inode_ops tmpfs_dir_ops, tmpfs_file_ops, tmpfs_link_ops, tmpfs_special_ops;
extern const struct file_ops tmpfs_dir_fops, tmpfs_file_fops;

/* New inode of any type with private part; NULL when out of memory or inodes. Owner as for
 * something new in dir. */
struct inode *tmpfs_inode_new(struct super *sb, const struct inode *dir, u32 mode);
void tmpfs_evict(struct inode *i);
int tmpfs_setattr(struct inode *i, const struct attr *a, u32 valid);
/* Drop all pages from index on. The caller has lowered the size and swept the mappings. */
void tmpfs_free_pages(struct inode *i, u64 first, u64 last);
/* Account n pages of the instance; -ENOSPC. */
int tmpfs_charge(struct super *sb, u64 n);
void tmpfs_uncharge(struct super *sb, u64 n);

s64 tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int tmpfs_setxattr(struct inode *i, const char *name, const void *value, size_t size, u32 flags);
s64 tmpfs_listxattr(struct inode *i, char *buf, size_t size);
void tmpfs_free_xattrs(struct inode *i);

/* New instance; options as mount(2). ERR_PTR on failure. */
struct super *tmpfs_new(const char *type, const char *options);
void tmpfs_init(void);
/* The hidden instance behind memfd_create; 0 or -errno. */
int memfd_init(void);
