/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages between runsc and the Sentry over a sandbox's control socket (SOCK_SEQPACKET: one
 * message each). The stub only moves them; the Sentry checks them, and runsc checks what comes
 * back, because a Sentry may have been taken over.
 */
#pragma once

#include "vmm/abi/layout.h"
#include "vmm/abi/types.h"

#define CONTROL_VERSION     1
#define CONTROL_MESSAGE_MAX KIB(256) /* header and payload */
#define CONTROL_FDS         3        /* descriptors with a message: standard input, output, error */

/*
 * Header of every message; all in host byte order. `length` bytes of payload follow. A reply
 * carries the request's kind and tag; a = 0 or a negative errno, and then the payload may be a
 * text for the user.
 */
struct control_message {
    u32 kind; /* enum control_kind */
    u32 tag;  /* the requester's; 0 in what the Sentry says unasked */
    s64 a, b;
    u32 length;
    u32 pad;
};

enum control_kind {
    /* Unasked, on the launcher's connection. */
    CONTROL_CREATED = 1, /* a: 0, or why the first process cannot be started; payload: text */
    CONTROL_ENDED = 2,   /* a: wait status of the first process; the sandbox ends with it */

    /* Requests. */
    CONTROL_START = 16,  /* let the first process run */
    CONTROL_SIGNAL = 17, /* a: pid, or CONTROL_PID_*; b: signal (0: is it there?) */
    CONTROL_EXEC = 18,   /* payload: device tree of a process; descriptors: its 0, 1, 2. Also
                          * before CONTROL_START (hooks that run inside).
                          * reply a: its pid; a CONTROL_EXITED follows on this connection. When
                          * the connection closes before, the process is killed. */
    CONTROL_EXITED = 19, /* a: pid, b: wait status; never a request */
    CONTROL_WINDOW =
        20, /* a: pid of an exec with a console (0: the container's), b: rows << 16 | columns */
    CONTROL_WAIT = 21,      /* a: pid (0: first process); reply when it has ended, b: wait status */
    CONTROL_PROCESSES = 22, /* a: only those with a pid above it. reply: b: how many, in order of
                             * pid; payload is struct control_process[b]. Ask again until b = 0. */
    CONTROL_STATS = 23,     /* reply: payload is struct control_stats */
    CONTROL_PAUSE = 24,     /* stop every task of the container until CONTROL_RESUME */
    CONTROL_RESUME = 25,
    CONTROL_UPDATE = 26, /* a: pids limit (-1: none) */
    CONTROL_DEBUG = 27,  /* a: enum control_debug; reply: payload is text */
};

/* Whom a signal is for, besides the process with that pid. */
#define CONTROL_PID_FIRST 0
#define CONTROL_PID_ALL   (-1)
#define CONTROL_PID_FOREGROUND                                         \
    (-2) /* who would get ^C at the container's terminal, or the first \
          */

enum control_debug {
    CONTROL_DEBUG_STACKS = 1, /* every task: where it is, what it waits for */
    CONTROL_DEBUG_STRACE_ON = 2,
    CONTROL_DEBUG_STRACE_OFF = 3,
    CONTROL_DEBUG_LEVEL = 4, /* b: log level */
    CONTROL_DEBUG_EXITS = 5, /* exits and hostcalls by reason */
};

/* One process, for ps. */
struct control_process {
    s32 pid, ppid;
    u32 uid, threads;
    u64 start_ns; /* CLOCK_MONOTONIC, which sandbox and host have in common */
    u64 utime_ns, stime_ns;
    u64 rss, vsize; /* bytes */
    char comm[16], tty[16];
    char state; /* as in /proc/PID/stat */
    char pad[7];
};

/* Figures of the container, for events --stats. */
struct control_stats {
    u64 cpu_user_ns, cpu_kernel_ns;
    u64 memory, memory_peak; /* bytes used by its processes and tmpfs files */
    u64 pids, pids_limit;    /* tasks; limit ~0: none */
    u64 read_bytes, write_bytes;
};
