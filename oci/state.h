/* SPDX-License-Identifier: Apache-2.0
 *
 * What runsc knows about a container between two of its commands: a directory ROOT/ID with
 * state.json (replaced atomically), lock, control.sock and one file exec-PID-START for each
 * detached exec. Whether a container runs is computed from its processes, never read from a file.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct json_object;

/* A process that cannot be mistaken for another that has got its pid. pid 0: none. */
struct process_id {
    pid_t pid;
    uint64_t start; /* clock ticks since boot, field 22 of /proc/PID/stat */
};

enum status {
    STATUS_CREATING, /* somebody is at it */
    STATUS_CREATED,
    STATUS_RUNNING,
    STATUS_PAUSED,
    STATUS_STOPPED,
};

/*
 * The state of one container, owned by one command. The fields are those of the file that change;
 * doc has these and the rest (bundle, annotations, hooks, cgroups ...), as read or last saved.
 */
struct state {
    const char *id; /* borrowed from doc or the caller */
    char *dir;
    int lock; /* descriptor of the lock file, -1 = not held */
    struct json_object *doc;
    struct process_id sandbox, gofer;
    bool started, paused;
};

/* As runc: letters, digits and "_+-.", not "." or "..". */
bool state_valid_id(const char *id);

/* Make ROOT/ID, hold its lock, start an empty document. 0, or STATUS_FAILED after a message. */
int state_create(const char *id, struct state *s);

/*
 * Read the state of a container, with its lock held if asked for. 0, or STATUS_FAILED after the
 * message `container "ID" does not exist`. A container without a readable state.json (its creator
 * was killed) is an error too, unless broken_ok: then doc is NULL.
 */
int state_open(const char *id, bool lock, bool broken_ok, struct state *s);

/* Does ROOT/ID exist at all? */
bool state_exists(const char *id);

/* Write state.json. 0, or STATUS_FAILED after a message. */
int state_save(struct state *s);

enum status state_status(const struct state *s);
const char *status_name(enum status st);

/* Take the directory away; what is in it by other hands too. 0 or -errno. */
int state_remove(struct state *s);
void state_close(struct state *s); /* lets go of the lock */

/* The document that `runsc state` prints and that hooks get; the caller puts it. */
struct json_object *state_report(const struct state *s, enum status st);

/* Call fn for each name below the root that is a container; stops at the first non-zero. */
int state_each(int (*fn)(const char *id, void *arg), void *arg);

/* Remember and forget the process that stands for a detached exec; 0 or -errno. */
int state_add_monitor(const struct state *s, struct process_id p);
void state_drop_monitor(const char *dir, struct process_id p);
/* Living monitors: at most max; returns how many there are. */
size_t state_monitors(const struct state *s, struct process_id *out, size_t max);

/* ---- processes ---- */

/* Identity of a living process; pid 0 in the result: there is none. */
struct process_id process_of(pid_t pid);
/* It exists and is no zombie. */
bool process_alive(struct process_id p);
/* 0 or -errno (-ESRCH: it has gone). */
int process_signal(struct process_id p, int sig);
/* Wait until it has gone; false: it is still there after ms. */
bool process_wait(struct process_id p, int ms);
