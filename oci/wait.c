// SPDX-License-Identifier: Apache-2.0
/*
 * runsc wait: for the end of a container or of one of its processes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include "oci/container.h"
#include "oci/oci.h"

static struct {
    unsigned pid, rootpid;
} args;

static const struct option options[] = {
    {"pid", OPTION_UINT, &args.pid, "wait for the process with this pid in the container", NULL},
    {"rootpid", OPTION_UINT, &args.rootpid, "the same: there is one pid namespace at the root",
     NULL},
    {0},
};

int command_wait(int argc, char **argv)
{
    int first = flags_parse(argc, argv, options,
                            "runsc wait [--pid PID] ID\n\n"
                            "Waits for the end of the container, or of a process in it, and prints "
                            "{\"id\": ID, \"exitStatus\": N}.");
    struct control_message m = {.kind = CONTROL_WAIT};
    struct state s;
    int status, err;

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first + 1 != argc)
        return fail("wait: exactly one container id is needed");
    m.a = args.pid ? args.pid : args.rootpid;
    status = container_open(argv[first], false, &s);
    if (!status) {
        err = container_request(&s, &m, NULL, 0);
        status = err == -ESRCH || err == -ECHILD ? fail("no such process: %lld", (long long)m.a)
                 : err < 0                       ? fail("cannot wait: %s", strerror(-err))
                                                 : err;
    }
    if (!status) {
        int w = (int)m.b;

        printf("{\"id\":\"%s\",\"exitStatus\":%d}\n", s.id,
               WIFSIGNALED(w) ? 128 + WTERMSIG(w) : WEXITSTATUS(w));
    }
    state_close(&s);
    return status;
}
