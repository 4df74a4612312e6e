/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting the processes of a container, step by step: launch_begin(), then gofer and sandbox in
 * either order. A sandbox that waits for us takes three steps: it has been put into its control
 * groups (launch_step), its namespaces stand (launch_wait_step), the hooks have run (launch_step).
 */
#pragma once

#include <signal.h>
#include <sys/types.h>
#include "oci/oci.h"

struct json_object;

/* A mount of the container as the launcher wants it. Strings are borrowed. */
struct launch_mount {
    const char *destination, *type;
    const char *const *options;
    const char *source; /* host path behind it (served by the gofer), or NULL */
    bool readonly;
    bool shared; /* others change the files, too */
};

/* What to run and in what surroundings; borrowed by the launch_*() functions. */
struct launch {
    /* platform, kvm_fd, mounts, gofers, control_fd, sync_fd and log_fd are filled in here */
    struct sandbox_config sandbox;
    const struct launch_mount *mounts;
    size_t nmounts;
    bool detached;               /* the processes outlive this one */
    bool wait_for_us;            /* the sandbox takes the steps above */
    bool set_oom_score_adj;      /* process.oom_score_adj is for the host's process too */
    bool title;                  /* show what the container runs in lists of processes */
    struct json_object *cgroups; /* record of control groups to join, or NULL */
    /* Whose ids the container's are on the host, as /proc/PID/uid_map has it; NULL: the same. */
    const char *uid_map, *gid_map;
    unsigned gofer_uid, gofer_gid; /* what an ordinary user is in the container */
};

/* The processes, and our ends of what leads to them. launch_end() closes those. */
struct launched {
    pid_t gofer, sandbox;
    int control;       /* SOCK_SEQPACKET: vmm/abi/control.h */
    int sync;          /* with wait_for_us */
    int errors;        /* detached: what the sandbox says before the container is made */
    int gofer_ends[2]; /* of the socket between the two: the sandbox's, the gofer's */
};

/* Defaults that every container starts from: rlimits of the caller, release, stdio. */
void launch_defaults(struct launch *l);

/* Each: 0, or STATUS_FAILED after a message. What has been started is the caller's to kill. */
int launch_begin(struct launch *l, struct launched *p);
int launch_gofer(const struct launch *l, struct launched *p);
int launch_sandbox(struct launch *l, struct launched *p);

/* Let the sandbox take its next step; wait until it has. 0 or -errno: it has died. */
int launch_step(struct launched *p);
int launch_wait_step(struct launched *p);

/* The message of a detached sandbox that has died before the container was made. */
void launch_last_words(struct launched *p);
void launch_end(struct launched *p);

/* ---- session.c: the foreground ---- */

/* Catch the signals that are to be passed on, before the fork. A descriptor, or < 0 after a
 * message. */
int session_begin(sigset_t *old);

/*
 * Pass signals and window sizes on until the container ends: the exit status of its first process
 * (128 + n for a signal), or STATUS_FAILED after a message.
 */
int session_run(const struct launch *l, struct launched *p, int signals);

/* All of it, for a sandbox that lives as long as this process: runsc do. */
int launch(struct launch *l);
