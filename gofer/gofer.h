/* SPDX-License-Identifier: Apache-2.0
 *
 * What gofer/ offers to oci/: serve a container's files from this (already forked) process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A directory or file of the host that the Sentry may see; the index is what ATTACH names. */
struct gofer_mount {
    const char *source;
    bool readonly;
};

/* Everything a gofer needs to know; owned by the caller, read only. */
struct gofer_config {
    int sock;   /* connected SOCK_SEQPACKET socket; the other end goes to the sandbox */
    int log_fd; /* where to write messages, -1 = nowhere */
    const struct gofer_mount *mounts;
    size_t nmounts;
    bool user_namespace;      /* make one: needed when the caller is an ordinary user */
    unsigned uid, gid;        /* what the caller's ids appear as in that namespace */
    bool die_with_parent;     /* get SIGKILL when the calling process' parent thread ends */
    bool unconfined_for_test; /* no namespaces, no seccomp */
};

/*
 * Confine this process, then serve until the other end of the socket is closed. Every descriptor
 * but sock and log_fd is closed, a new session is started. Must be called in a process with a
 * single thread; the caller ends it with the returned exit status (0, or 1 after a message).
 * A process identifier namespace takes effect at a fork, so the caller may add one when it forks.
 */
int gofer_main(const struct gofer_config *cfg);
