/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of pipes, for splice.c.
 */
#pragma once

#include "sentry/fs/internal.h"

/* Bytes [off, off + len) of a page, on which it holds a reference; not appended to while there are
 * others. */
struct pipe_buf {
    struct page *page;
    u32 off, len;
    bool packet; /* O_DIRECT: read as a whole, nothing is appended */
};

/*
 * A pipe, shared by the open files of both ends; lock guards all but the queues. Lives while a
 * file has it open, in inode->pipe (the inode's lock guards that pointer and `files`).
 */
struct pipe {
    struct mutex lock;
    struct waitq readers_wait; /* for data or the last writer's end; also poll */
    struct waitq writers_wait; /* for room or the last reader's end; also poll */
    struct pipe_buf *bufs;
    u32 size;       /* slots, a power of two */
    u32 head, tail; /* next to fill, next to read; free-running */
    u32 readers, writers;
    u32 files;
    u64 reader_count, writer_count; /* how often that end was opened */
    struct page *spare;
};

/* The pipe that f is an end of, or NULL. */
struct pipe *pipe_of(const struct vfs_file *f);

static inline bool pipe_empty(const struct pipe *p)
{
    return __atomic_load_n(&p->head, __ATOMIC_ACQUIRE) ==
           __atomic_load_n(&p->tail, __ATOMIC_ACQUIRE);
}

static inline bool pipe_full(const struct pipe *p)
{
    return __atomic_load_n(&p->head, __ATOMIC_ACQUIRE) -
               __atomic_load_n(&p->tail, __ATOMIC_ACQUIRE) >=
           p->size;
}

static inline struct pipe_buf *pipe_slot(struct pipe *p, u32 i)
{
    return &p->bufs[i & (p->size - 1)];
}

/*
 * Wait until there is something to read (1), or never will be (0); -EAGAIN with nowait;
 * -ERESTARTSYS. Room to write: the same, but -EPIPE (and the signal) when nobody reads. Without the
 * lock: the state may have changed again.
 */
int pipe_wait_data(struct pipe *p, bool nowait);
int pipe_wait_room(struct pipe *p, bool nowait);
/* With the lock held: */
void pipe_push(struct pipe *p, const struct pipe_buf *b); /* there is room; takes b's reference */
void pipe_consume(struct pipe *p, u32 n);                 /* n bytes of the first buffer */
