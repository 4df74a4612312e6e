// SPDX-License-Identifier: Apache-2.0
/*
 * runsc run: a container from a bundle, to its end.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "oci/bundle.h"
#include "oci/state.h"

static const char *bundle_dir = ".";

static const struct option options[] = {
    {"bundle", OPTION_STRING, &bundle_dir, "directory of config.json and the root file system",
     NULL},
    {0},
};

int command_run(int argc, char **argv)
{
    char dir[PATH_MAX];
    struct bundle b;
    struct launch l;
    int first, status;

    first = flags_parse(argc, argv, options, "runsc run [--bundle DIR] ID");
    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first + 1 != argc)
        return fail("run: exactly one container id is needed: runsc run [--bundle DIR] ID");
    if (!state_valid_id(argv[first]))
        return fail("run: invalid container id \"%s\"", argv[first]);
    if (!realpath(bundle_dir, dir))
        return fail("run: no such bundle directory: %s", bundle_dir);
    launch_defaults(&l);
    l.sandbox.id = argv[first];
    l.sandbox.start = true;
    status = bundle_load(dir, &b, &l);
    if (!status)
        status = launch(&l);
    bundle_free(&b);
    return status;
}
