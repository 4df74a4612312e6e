/* SPDX-License-Identifier: Apache-2.0
 *
 * config.json of an OCI bundle, read and checked.
 */
#pragma once

#include "oci/launch.h"

struct json_object;

enum namespace_kind {
    NS_MOUNT,
    NS_PID,
    NS_NETWORK,
    NS_IPC,
    NS_UTS,
    NS_USER,
    NS_CGROUP,
    NS_TIME,
    NS_COUNT
};

/* An entry of linux.namespaces. */
struct bundle_namespace {
    bool wanted;
    const char *path; /* to join; NULL: a new one */
};

/*
 * A loaded bundle. Strings live in the JSON document or in what is kept; all of it goes with
 * bundle_free().
 */
struct bundle {
    struct json_object *json;
    const char *dir;    /* absolute */
    const char *rootfs; /* absolute */
    struct launch_mount *mounts;
    size_t nmounts;
    bool terminal;
    unsigned rows, columns; /* of consoleSize; 0: not given */
    bool has_oom_score_adj;
    struct bundle_namespace namespaces[NS_COUNT];
    const char *cgroups_path;      /* NULL: not given */
    struct json_object *resources; /* these three: NULL when not given, borrowed from json */
    struct json_object *hooks, *annotations;
    void **kept;
    size_t nkept;
};

/*
 * Read DIR/config.json into l (after launch_defaults). 0, or STATUS_FAILED after a message that
 * names the field. bundle_free() is due in both cases.
 */
int bundle_load(const char *dir, struct bundle *b, struct launch *l);

/* The same for a process document alone, as exec --process has it ("-": standard input). */
int bundle_load_process(const char *path, struct bundle *b, struct sandbox_process *p);

void bundle_free(struct bundle *b);
