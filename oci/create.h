/* SPDX-License-Identifier: Apache-2.0
 *
 * Making a container from a bundle, for create and run.
 */
#pragma once

#include "oci/bundle.h"
#include "oci/launch.h"
#include "oci/state.h"

/* What the flags of create and run say. */
struct create_args {
    const char *bundle, *pid_file, *console_socket, *user_log;
    unsigned preserve_fds;
    bool no_new_keyring, no_pivot; /* accepted: nothing here depends on them */
};

/* A container being made: owned by the command that makes it, until creation_end(). */
struct creation {
    struct state state;
    struct bundle bundle;
    struct launch launch;
    struct launched processes;
    char *dir;   /* of the bundle, absolute */
    int signals; /* of the foreground; -1: none */
    sigset_t old_signals;
};

/*
 * Everything up to a container whose first process can be started: state, control groups, hooks,
 * processes. start: its first process runs at once, and nobody waits for CREATED. A failure leaves
 * nothing behind: STATUS_FAILED after a message. creation_end() is due in both cases.
 */
int creation_run(struct creation *c, const struct create_args *args, const char *id, bool detached,
                 bool start);
void creation_end(struct creation *c);

/* Let the first process of a created container run, with the hooks around it. */
int creation_start(struct state *s);
