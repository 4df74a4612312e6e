/* SPDX-License-Identifier: Apache-2.0
 *
 * The control groups of a container on the host. A record (JSON array, kept in the state) names the
 * directories, so that whoever deletes the container finds them; v1 has one for each hierarchy, v2
 * one in all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct json_object;

/*
 * Where the container's groups go; nothing is made yet. path: linux.cgroupsPath (absolute: below
 * the root of the hierarchies, else below our own group; with systemd: slice:prefix:name), may be
 * NULL when resources ask for something. *record is an empty array where no group is wanted. 0, or
 * STATUS_FAILED after a message.
 */
int cgroup_plan(const char *path, const char *id, struct json_object *resources,
                struct json_object **record);

/*
 * Make the directories and set the limits. What may not be made is left out of the record unless
 * resources ask for a limit. 0, or STATUS_FAILED after a message; the caller removes what is there.
 */
int cgroup_make(struct json_object *record, struct json_object *resources);

/* Change limits of groups that exist; what resources do not name stays. */
int cgroup_update(struct json_object *record, struct json_object *resources);

/* Put a process in. 0, or STATUS_FAILED after a message. */
int cgroup_attach(struct json_object *record, pid_t pid);

/* Take the directories away, whoever is left in them has to be dying. 0 or -errno. */
int cgroup_remove(struct json_object *record);

/* The directory of a controller, or NULL; *v2: it is a unified one. */
const char *cgroup_dir(struct json_object *record, const char *controller, bool *v2);

/* Content of a file of a controller's directory as a number; def when there is none. */
uint64_t cgroup_number(struct json_object *record, const char *controller, const char *file,
                       uint64_t def);
/* The number behind a word of such a file ("nr_throttled 7"). */
uint64_t cgroup_word(struct json_object *record, const char *controller, const char *file,
                     const char *word, uint64_t def);

/* ---- between cgroup.c and the two versions ---- */

/* Write to DIR/FILE. 0 or -errno. */
int cgroup_write(const char *dir, const char *file, const char *value);
/* The same with a message about what was asked for. 0 or STATUS_FAILED. */
int cgroup_limit(const char *dir, const char *file, const char *value, const char *field);
/* A number of resources: section.name. false: not given, null, or (with zero_unset) 0. */
bool cgroup_asked(struct json_object *resources, const char *section, const char *name,
                  bool zero_unset, int64_t *value);
const char *cgroup_asked_text(struct json_object *resources, const char *section, const char *name);

int cgroup_v1_prepare(const char *controllers, const char *dir); /* a fresh cpuset needs values */
int cgroup_v1_set(const char *controllers, const char *dir, struct json_object *resources);
int cgroup_v2_prepare(const char *mount, const char *dir); /* controllers of the parents */
int cgroup_v2_set(const char *dir, struct json_object *resources);

/* Call set for each device throttle in resources.blockIO; "major:minor rate". */
int cgroup_each_throttle(struct json_object *resources, const char *name, const char *dir,
                         int (*set)(const char *dir, const char *name, const char *value));
