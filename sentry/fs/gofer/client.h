/* SPDX-License-Identifier: Apache-2.0
 *
 * The client of the gofer: a file system whose names and attributes come from the gofer and whose
 * data comes from donated host descriptors, without the gofer.
 *
 * A tree is taken to be ours alone (exclusive): attributes, links and missing names are cached for
 * good, and a file is named to the gofer by its path from the root. In one that is shared with
 * others of the host, what is cached under a name is checked whenever the name is looked up.
 */
#pragma once

#include "gofer/codec.h"
#include "sentry/fs/gofer.h"
#include "sentry/lib/hashtab.h"

struct gofer_node;

/*
 * A name that a file is known by. Owned by its node, guarded by conn->lock. In a read-only tree the
 * first one that was found is enough; where names come and go all of them are kept.
 */
struct gofer_place {
    struct gofer_place *next;
    struct gofer_node *dir; /* held through its inode */
    u32 len;
    char name[];
};

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
    u32 next_fid;
    u8 *request, *reply; /* GOFER_MSG_MAX each, physically contiguous */
};

/* A mounted tree; sb->private. Lives as long as the super block. */
struct gofer_tree {
    struct gofer_conn *conn;
    struct super *sb;
    u32 mount; /* the gofer's index */
    u32 fid;   /* of the root */
    bool readonly, shared;
    struct spinlock lock; /* nodes, devs */
    struct hashtab nodes; /* gofer_node.hash_link by (dev, ino) */
    /* Host devices (file systems mounted below the root) and what we call them; [0]: the root's. */
    struct {
        u64 host, ours;
    } devs[GOFER_DEVS];
    u32 ndevs;
};

struct gofer_chunk;

/*
 * The file system's part of an inode; inode->private. Freed with the inode.
 * dev, ino: constant. host_fd, opens, idle_link, heat: lock.
 * chunks, nvmas, top: the window's lock.
 */
struct gofer_node {
    struct inode *inode;
    struct gofer_tree *tree;
    struct hash_link hash_link;
    u64 dev, ino;

    struct gofer_place *place; /* names; NULL: the root, or removed. conn->lock */
    char *link;                /* symbolic links: target, once known */

    struct mutex lock;
    s32 host_fd[2]; /* read-only, read-write; -1: none */
    u32 opens;
    struct list idle_link;   /* descriptors are kept for the next open */
    u64 heat;                /* bytes copied from the file so far */
    u64 next;                /* where a sequential reader will go on; a hint */
    struct gofer_data *data; /* what was read last, or all of a small file; data_lock (data.c) */
    struct list data_link;   /* nodes that have data; data_lock */

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
    int err;            /* what was wrong while the request was put together */
};

struct gofer_conn *gofer_conn_get(u32 index); /* ERR_PTR(-ENOMEM, -EBADF) */
/*
 * A request: begin writes the fixed part, whose fid is the root's, then strings and send follow.
 * conn->lock is held from begin to the end of looking at the reply.
 */
void gofer_call_begin(struct gofer_call *c, u16 type, const void *fixed, size_t n);
/* The path of n, or of a name in it (len 0: n itself). */
void gofer_call_path(struct gofer_call *c, const struct gofer_node *n, const char *name,
                     size_t len);
/*
 * Round trip. 0 or the gofer's errno; -ENAMETOOLONG and -ENOENT for a path that cannot be said,
 * -EIO when there is no sense in what came back.
 */
int gofer_call_send(struct gofer_call *c);
/* Bind t->fid to the root of the tree. conn->lock not held. */
int gofer_attach(struct gofer_tree *t, struct gofer_attach_rep *rep);

/* ---- place.c ---- */

/* A place that is in no list yet; NULL: no memory. */
struct gofer_place *gofer_place_new(struct gofer_node *dir, const char *name, size_t len);
void gofer_place_free(struct gofer_place *p); /* NULL is fine; not under conn->lock */
/* n has this name now; consumes p. Under conn->lock, or before n is published. */
void gofer_place_add(struct gofer_node *n, struct gofer_place *p);
/* n has lost a name: its place, to be freed, or NULL. conn->lock held. */
struct gofer_place *gofer_place_take(struct gofer_node *n, const struct gofer_node *dir,
                                     const char *name, size_t len);
/* n was found under this name: it is remembered if it has to be. 0 or -ENOMEM. */
int gofer_place_found(struct gofer_node *n, struct gofer_node *dir, const char *name, size_t len);

/* ---- inode.c, dir.c, file.c ---- */

extern const struct inode_ops gofer_dir_ops, gofer_shared_dir_ops, gofer_file_iops, gofer_link_ops,
    gofer_special_ops;
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
/* The same for a file that we know, in a shared tree: contents that have changed are forgotten. */
void gofer_attr_refresh(struct inode *i, const struct gofer_attr *a);
int gofer_setattr(struct inode *i, const struct attr *a, u32 valid);
/* The host knows the size better than we. */
void gofer_refresh_size(struct inode *i);

/* Close what idle files keep open; the node goes. */
void gofer_file_evict(struct gofer_node *n);

/* Have a descriptor for n's data; n->lock held. */
int gofer_need_fd(struct gofer_node *n);

/* The descriptor to read from; -errno. Between file_get and file_put it stays open. */
s64 gofer_data_fd(struct gofer_node *n);

/* ---- data.c: contents of small files, and reading ahead ---- */

/* The host's pread and pwrite, counted for the container's figures. Bytes or -errno. */
s64 gofer_pread(u64 fd, pa_t to, u64 len, u64 pos);
s64 gofer_pwrite(u64 fd, pa_t from, u64 len, u64 pos);

/* Bytes of a file from pos on. Counted by its users; never changes. */
struct gofer_data {
    refcount_t refs;
    u32 len;
    u64 pos;
    u8 bytes[];
};

/*
 * The contents of n around pos, with a reference; want: how much is asked for; hot: do not get them
 * for this. NULL: they should be read some other way.
 */
struct gofer_data *gofer_data_get(struct gofer_node *n, u64 pos, u64 want, bool hot);
void gofer_data_put(struct gofer_data *d);
void gofer_data_drop(struct gofer_node *n); /* the node goes */

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
