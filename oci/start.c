// SPDX-License-Identifier: Apache-2.0
/*
 * runsc start: let the first process of a created container run.
 */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include "oci/container.h"
#include "oci/create.h"
#include "oci/hooks.h"

static const struct option options[] = {{0}};

int creation_start(struct state *s)
{
    struct control_message m = {.kind = CONTROL_START};
    char text[1024] = "";
    int err;

    if (hooks_run_inside(s))
        return STATUS_FAILED;
    err = container_request(s, &m, text, sizeof(text) - 1);
    if (err < 0)
        return fail("cannot start the container: %s", *text ? printable(text) : strerror(-err));
    if (err)
        return err;
    s->started = true;
    err = state_save(s);
    hooks_run_all(s, STATUS_RUNNING, "poststart");
    return err;
}

static int start(const char *id)
{
    enum status st;
    struct state s;
    int status = state_open(id, true, false, &s);

    if (!status) {
        st = state_status(&s);
        if (st == STATUS_STOPPED)
            status = fail("cannot start a container that has stopped");
        else if (st != STATUS_CREATED)
            status = fail("cannot start an already running container");
        else
            status = creation_start(&s);
    }
    state_close(&s);
    return status;
}

int command_start(int argc, char **argv)
{
    int first = flags_parse(argc, argv, options,
                            "runsc start ID\n\nLets the first process of a created container run.");

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first + 1 != argc)
        return fail("start: exactly one container id is needed");
    return start(argv[first]);
}
