/* SPDX-License-Identifier: Apache-2.0
 *
 * Host descriptors inside the sandbox: streams (pipes, terminals, sockets) whose readiness the host
 * reports as events, and the files that show them to the application.
 */
#pragma once

#include "sentry/fs/vfs.h"

struct tty;

/*
 * A host descriptor that is watched. Owned by its creator; registered in a table while it lives so
 * that events find it. ready() is called on the event thread and must not sleep.
 */
struct host_stream {
    u32 fd;            /* index in the stub's table */
    u32 index;         /* in our table: the cookie of its events */
    bool always_ready; /* regular file: the host has no events for it */
    struct waitq wq;
    void (*ready)(struct host_stream *s, u32 events); /* NULL: wake wq */
    void *private;
};

/* Watch a host descriptor. 0, -ENFILE, or what HC_POLL_ADD said. */
int host_stream_init(struct host_stream *s, u32 fd);
void host_stream_destroy(struct host_stream *s);
/* poll(2) events that hold now. */
u32 host_stream_poll(struct host_stream *s, u32 events);
/*
 * Read or write some bytes, from or to kernel memory in RAM (direct map). Never waits: -EAGAIN.
 */
s64 host_stream_read(struct host_stream *s, void *buf, size_t n);
s64 host_stream_write(struct host_stream *s, const void *buf, size_t n);

/* Start the kernel thread that takes the host's events. */
void host_events_start(void);
/*
 * Descriptors 0-2 of current: host streams, or a console, which is returned with a reference (else
 * NULL). first: it is the container's own. Takes info's descriptors over, also when it fails.
 */
struct process_info;
int stdio_init(const struct process_info *info, bool first, struct tty **console);

/* A file of the application on host descriptor fd ("host:[N]"); ERR_PTR on failure. */
struct vfs_file *host_file_new(u32 fd, u32 flags);
/*
 * The application sees these owners: its standard streams belong to it, so that it can open
 * /dev/stdout (runc changes the owner of the host's file for that).
 */
void host_file_own(struct vfs_file *f, u32 uid, u32 gid);
