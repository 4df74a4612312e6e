/* SPDX-License-Identifier: Apache-2.0
 *
 * The client of the gofer: a file system whose names and attributes come from the gofer and whose
 * data comes from donated host descriptors, without the gofer.
 *
 * The tree is taken to be ours alone (exclusive): attributes, links and missing names are cached
 * for good. So a fid is nothing but a shortcut: each directory knows its parent and its name, and
 * gets a fid when one is needed; the least recently used ones are let go.
 */
#pragma once

#include "gofer/codec.h"
#include "sentry/fs/gofer.h"

struct gofer_node;

#define GOFER_DEVS 64

/*
 * A connection; several mounts may share one. Lives for ever. lock guards everything, the message
 * buffers included: the gofer answers one request at a time anyway. Nothing that may fault on user
 * memory happens under it.
 */
struct gofer_conn {
    struct mutex lock;
    u32 index;
    u16 tag;
    u8 *request, *reply; /* GOFER_MSG_MAX each, physically contiguous */
    struct list dirs;    /* gofer_node.fid_link of those with a fid; least recently used first */
    u32 nfids, fid_limit;
    u32 next_fid;   /* numbers from here on were never used */
    u32 *free_fids; /* numbers that are free on both sides */
    u32 nfree;
    u32 stale[64]; /* fids of nobody any more, to be clunked together */
    u32 nstale;
};

/* A mounted tree; sb->private. Lives as long as the super block. */
struct gofer_tree {
    struct gofer_conn *conn;
    struct super *sb;
    u32 mount; /* the gofer's index */
    bool readonly;
    struct spinlock lock; /* nodes, devs */
    struct list *nodes;   /* hash table of gofer_node.hash_link by (dev, ino) */
    /* Host devices (file systems mounted below the root) and what we call them; [0]: the root's. */
    struct {
        u64 host, ours;
    } devs[GOFER_DEVS];
    u32 ndevs;
};

struct gofer_chunk;

/*
 * The file system's part of an inode; inode->private. Freed with the inode.
 * dev, ino: constant. fid, fid_link, parent, name: conn->lock. host_fd, opens, idle_link, heat:
 * lock. chunks, nvmas: the window's lock.
 */
struct gofer_node {
    struct inode *inode;
    struct gofer_tree *tree;
    struct list hash_link;
    u64 dev, ino;

    struct gofer_node *parent; /* held through its inode; NULL: the root, or removed */
    char *name;                /* name in parent */
    char *link;                /* symbolic links: target, once known */
    u32 fid;
    struct list fid_link;

    struct mutex lock;
    s32 host_fd[2]; /* read-only, read-write; -1: none */
    u32 opens;
    struct list idle_link; /* descriptors are kept for the next open */
    u64 heat;              /* bytes copied from the file so far */

    struct gofer_chunk **chunks; /* by index of 2 MiB in the file */
    u64 nchunks;                 /* length of that array */
    u32 nvmas;                   /* mappings; pins the chunks */
    struct inode *top;           /* inode that mappings belong to: an overlay's, or our own */
};

static inline struct gofer_node *node_of(const struct inode *i)
{
    return i->private;
}

/* ---- conn.c ---- */

/* One request and its answer; lives on the stack between call_begin and call_end. */
struct gofer_call {
    struct gofer_conn *conn;
    struct gofer_writer w;
    struct gofer_msg m; /* reply; points into the connection's buffer until call_end */
    s32 fd;             /* donated descriptor (index in the host's table), -1: none; the caller's */
    u32 dir;            /* fid that the request is about, for the caller's use */
};

struct gofer_conn *gofer_conn_get(u32 index); /* ERR_PTR(-ENOMEM, -EBADF) */
/* Write the fixed part of a request. conn->lock is held from call_begin to call_end. */
void gofer_call_begin(struct gofer_call *c, u16 type, const void *fixed, size_t n);
/* Round trip. 0, the gofer's errno, or -EIO when there is no sense in what it says. */
int gofer_call_send(struct gofer_call *c);

/* The fid of a directory node (or -errno), walking to it when it has none. conn->lock held. */
s64 gofer_node_fid(struct gofer_conn *conn, struct gofer_node *n);
/* Bind a tree's root. conn->lock held. */
int gofer_attach(struct gofer_conn *conn, u32 mount, u32 *fid, struct gofer_attach_rep *rep);
/* n has no fid any more. conn->lock held. */
void gofer_fid_drop(struct gofer_conn *conn, struct gofer_node *n);

/* ---- inode.c, dir.c, file.c ---- */

extern const struct inode_ops gofer_dir_ops, gofer_file_iops, gofer_link_ops, gofer_special_ops;
extern const struct file_ops gofer_dir_fops, gofer_file_fops;

/*
 * The inode of the file with these attributes, found or made, with a reference; ERR_PTR(-ENOMEM).
 * parent and name are where it was found (NULL: the root of a mount); link, if known, is the target
 * of a symbolic link.
 */
struct inode *gofer_inode(struct gofer_tree *t, const struct gofer_attr *a,
                          struct gofer_node *parent, const char *name, size_t namelen,
                          const struct gofer_str *link);
void gofer_evict(struct inode *i);
/* Take over what the gofer says about a file. */
void gofer_attr_update(struct inode *i, const struct gofer_attr *a);
int gofer_setattr(struct inode *i, const struct attr *a, u32 valid);
/* The host knows the size better than we. */
void gofer_refresh_size(struct inode *i);

/* Close what idle files keep open; the node goes. */
void gofer_file_evict(struct gofer_node *n);

/* ---- window.c ---- */

/* Where a chunk is in the file window, pinned until gofer_chunk_put(); NULL: no room, or not
 * mappable. */
struct gofer_chunk *gofer_chunk_get(struct gofer_node *n, u64 index, bool map);
void gofer_chunk_put(struct gofer_chunk *c);
pa_t gofer_chunk_pa(const struct gofer_chunk *c);
bool gofer_chunk_writable(const struct gofer_chunk *c);
/* Whether stores reach the file now: the chunk is mapped anew if it must be. c is pinned. */
bool gofer_chunk_make_writable(struct gofer_chunk *c);
/* Forget all chunks of n (the last reference goes, or the descriptor behind them changes). */
void gofer_chunks_drop(struct gofer_node *n);
