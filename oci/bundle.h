/* SPDX-License-Identifier: Apache-2.0
 *
 * config.json of an OCI bundle, as far as runsc run needs it.
 */
#pragma once

#include "oci/oci.h"

struct json_object;

/* A loaded bundle. Strings live in the JSON document or in `owned`; all of it goes with
 * bundle_free(). */
struct bundle {
    struct json_object *json;
    struct launch_mount *mounts;
    size_t nmounts;
    const char **argv, **envp;
    const char ***options; /* one list a mount */
    uint32_t *groups;
    char *rootfs;
    char **owned; /* absolute sources of bind mounts */
    size_t nowned;
};

/* Read DIR/config.json into l (after launch_defaults). 0, or STATUS_FAILED after a message that
 * names the field. */
int bundle_load(const char *dir, struct bundle *b, struct launch *l);
void bundle_free(struct bundle *b);
