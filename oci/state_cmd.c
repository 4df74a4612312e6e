// SPDX-License-Identifier: Apache-2.0
/*
 * runsc state: what is known about a container, in the form of runtime.md.
 */
#include <json-c/json.h>
#include <stdio.h>
#include "oci/oci.h"
#include "oci/state.h"

static const struct option options[] = {{0}};

int command_state(int argc, char **argv)
{
    struct json_object *o;
    struct state s;
    int first = flags_parse(argc, argv, options,
                            "runsc state ID\n\n"
                            "Prints ociVersion, id, status (creating, created, running, paused or "
                            "stopped), pid of the sandbox,\nbundle and annotations as JSON.");

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first + 1 != argc)
        return fail("state: exactly one container id is needed");
    if (state_open(argv[first], false, false, &s)) {
        state_close(&s);
        return STATUS_FAILED;
    }
    o = state_report(&s, state_status(&s));
    printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
    state_close(&s);
    return 0;
}
