// SPDX-License-Identifier: Apache-2.0
/*
 * runsc delete: the end of a container that has stopped, or with --force of any.
 */
#include "oci/container.h"
#include "oci/oci.h"

static bool force;

static const struct option options[] = {
    {"force", OPTION_BOOL, &force, "kill what runs; no container of that id is no error", NULL},
    {"f", OPTION_BOOL, &force, NULL, NULL},
    {0},
};

static int delete_one(const char *id)
{
    enum status st;
    struct state s;
    int status;

    if (force && !state_exists(id))
        return 0;
    if (state_open(id, true, force, &s)) {
        state_close(&s);
        return force && !state_exists(id) ? 0 : STATUS_FAILED;
    }
    st = state_status(&s);
    if (!force && st != STATUS_STOPPED && st != STATUS_CREATED)
        status =
            fail("cannot delete container \"%s\" that is not stopped: %s", id, status_name(st));
    else
        status = container_destroy(&s);
    state_close(&s);
    return status;
}

int command_delete(int argc, char **argv)
{
    int first = flags_parse(argc, argv, options,
                            "runsc delete [--force] ID...\n\n"
                            "Removes what a stopped container has left: control groups, state, "
                            "processes that hang. Runs its\npoststop hooks."),
        status = 0;

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first >= argc)
        return fail("delete: a container id is needed");
    for (; first < argc; first++)
        status |= delete_one(argv[first]);
    return status ? STATUS_FAILED : 0;
}
