// SPDX-License-Identifier: Apache-2.0
/*
 * The end of a container, wherever its life has got to.
 */
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "oci/cgroup.h"
#include "oci/container.h"
#include "oci/hooks.h"
#include "oci/oci.h"

#define MONITORS_MAX 1024
#define DEATH_MS     10000 /* a killed process that is still there then waits for a dead disk */

void container_kill(const struct state *s)
{
    static struct process_id monitors[MONITORS_MAX];
    size_t n = state_monitors(s, monitors, MONITORS_MAX);

    process_signal(s->sandbox, SIGKILL); /* -ESRCH is what we want */
    process_signal(s->gofer, SIGKILL);
    for (size_t i = 0; i < n; i++)
        process_signal(monitors[i], SIGKILL);
    process_wait(s->sandbox, DEATH_MS);
    process_wait(s->gofer, DEATH_MS);
}

int container_destroy(struct state *s)
{
    struct json_object *cgroups, *ready;
    int err, status = 0;

    container_kill(s);
    if (s->doc && json_object_object_get_ex(s->doc, "cgroups", &cgroups)) {
        err = cgroup_remove(cgroups);
        if (err)
            status = fail("container \"%s\": a control group stays: %s", s->id, strerror(-err));
    }
    if (s->doc && json_object_object_get_ex(s->doc, "ready", &ready))
        hooks_run_all(s, STATUS_STOPPED, "poststop");
    err = state_remove(s);
    if (err)
        status = fail("container \"%s\": cannot remove its state: %s", s->id, strerror(-err));
    return status;
}
