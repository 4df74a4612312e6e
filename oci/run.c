// SPDX-License-Identifier: Apache-2.0
/*
 * runsc run: a container from a bundle, to its end, or with --detach to its start.
 */
#include <json-c/json.h>
#include <string.h>
#include <unistd.h>
#include "oci/container.h"
#include "oci/create.h"
#include "oci/hooks.h"

static struct create_args args = {.bundle = "."};
static bool detach, keep;

static const struct option options[] = {
    {"bundle", OPTION_STRING, &args.bundle, "directory of config.json (default: the current one)",
     NULL},
    {"b", OPTION_STRING, &args.bundle, NULL, NULL},
    {"detach", OPTION_BOOL, &detach, "do not wait for its end", NULL},
    {"d", OPTION_BOOL, &detach, NULL, NULL},
    {"keep", OPTION_BOOL, &keep, "do not delete the container at its end", NULL},
    {"pid-file", OPTION_STRING, &args.pid_file, "file for the pid of the sandbox", NULL},
    {"console-socket", OPTION_STRING, &args.console_socket,
     "socket that gets the container's terminal", NULL},
    {"user-log", OPTION_STRING, &args.user_log, "accepted for compatibility", NULL},
    {"preserve-fds", OPTION_UINT, &args.preserve_fds, "not supported but for 0", NULL},
    {"no-new-keyring", OPTION_BOOL, &args.no_new_keyring, NULL, NULL},
    {"no-pivot", OPTION_BOOL, &args.no_pivot, NULL, NULL},
    {"no-subreaper", OPTION_NOTHING_BOOL, NULL, NULL, NULL},
    {0},
};

/* In the foreground the first process runs as soon as it can; hooks about that need two steps. */
static int run_here(struct creation *c, const char *id)
{
    int status = creation_run(c, &args, id, false, true), ended;

    if (!status && !c->launch.sandbox.start) { /* there are hooks for that */
        status = creation_start(&c->state);
        if (status)
            container_destroy(&c->state);
    }
    if (status)
        return status;
    close(c->state.lock); /* others may want to exec, kill or delete while it runs */
    c->state.lock = -1;
    if (c->launch.sandbox.start)
        hooks_run_all(&c->state, STATUS_RUNNING, "poststart");
    status = session_run(&c->launch, &c->processes, c->signals);
    if (!json_object_array_length(c->launch.cgroups)) /* it has said goodbye, and dies with us */
        c->state.sandbox = c->state.gofer = (struct process_id){0};
    ended = keep ? 0 : container_destroy(&c->state);
    return ended ? ended : status;
}

static int run_detached(struct creation *c, const char *id)
{
    int status = creation_run(c, &args, id, true, false);

    if (status)
        return status;
    status = creation_start(&c->state);
    if (status)
        container_destroy(&c->state);
    return status;
}

int command_run(int argc, char **argv)
{
    struct creation c;
    int first = flags_parse(argc, argv, options,
                            "runsc run [--bundle DIR] [--detach] [--keep] ID\n\n"
                            "Makes a container from a bundle, runs it, and deletes it at its end. "
                            "Ends with its exit status."),
        status;

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first + 1 != argc)
        return fail("run: exactly one container id is needed: runsc run [--bundle DIR] ID");
    status = detach ? run_detached(&c, argv[first]) : run_here(&c, argv[first]);
    creation_end(&c);
    return status;
}
