// SPDX-License-Identifier: Apache-2.0
/*
 * runsc pause and resume: stop the container's tasks, let them go on.
 */
#include <string.h>
#include "oci/container.h"
#include "oci/oci.h"

static const struct option options[] = {{0}};

static int change(const char *id, bool pause)
{
    const char *verb = pause ? "pause" : "resume";
    struct control_message m = {.kind = pause ? CONTROL_PAUSE : CONTROL_RESUME};
    enum status need = pause ? STATUS_RUNNING : STATUS_PAUSED, st;
    struct state s;
    int status = container_open(id, true, &s);

    if (!status) {
        st = state_status(&s);
        if (st != need)
            status = fail("cannot %s container \"%s\": it is %s", verb, id, status_name(st));
    }
    if (!status) {
        int err = container_request(&s, &m, NULL, 0);

        status = err < 0 ? fail("cannot %s: %s", verb, strerror(-err)) : err;
    }
    if (!status) {
        s.paused = pause;
        status = state_save(&s);
    }
    state_close(&s);
    return status;
}

static int command(int argc, char **argv, const char *usage, bool pause)
{
    int first = flags_parse(argc, argv, options, usage);

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first + 1 != argc)
        return fail("%s: exactly one container id is needed", argv[0]);
    return change(argv[first], pause);
}

int command_pause(int argc, char **argv)
{
    return command(argc, argv, "runsc pause ID\n\nStops every task of a running container.", true);
}

int command_resume(int argc, char **argv)
{
    return command(argc, argv, "runsc resume ID\n\nLets the tasks of a paused container go on.",
                   false);
}
