// SPDX-License-Identifier: Apache-2.0
/*
 * runsc kill: a signal to a container's first process, to all of them, or to one.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include "oci/container.h"
#include "oci/oci.h"

static struct {
    bool all;
    unsigned pid;
} args;

static const struct option options[] = {
    {"all", OPTION_BOOL, &args.all, "signal every process of the container", NULL},
    {"a", OPTION_BOOL, &args.all, NULL, NULL},
    {"pid", OPTION_UINT, &args.pid, "signal the process with this pid in the container", NULL},
    {0},
};

static int send_signal(const struct state *s, int sig)
{
    struct control_message m = {
        .kind = CONTROL_SIGNAL,
        .a = args.all   ? CONTROL_PID_ALL
             : args.pid ? (s64)args.pid
                        : CONTROL_PID_FIRST,
        .b = sig,
    };
    int err;

    /* the sandbox is the container: this needs no answer of it, however stuck it is */
    if (sig == SIGKILL && !args.pid) {
        container_kill_monitors(s);
        err = process_signal(s->sandbox, SIGKILL);
    } else
        err = container_request(s, &m, NULL, 0);
    if (err == -ESRCH)
        return args.pid ? fail("no such process: %u", args.pid) : fail("container not running");
    return err < 0 ? fail("cannot signal the container: %s", strerror(-err)) : err;
}

int command_kill(int argc, char **argv)
{
    int first = flags_parse(argc, argv, options,
                            "runsc kill [--all | --pid PID] ID [SIGNAL]\n\n"
                            "Sends a signal, by name or number (TERM), to the container's first "
                            "process. KILL ends the sandbox\nand with it everything in it.");
    struct state s;
    int sig, status;

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first + 1 != argc && first + 2 != argc)
        return fail("kill: a container id and at most one signal are needed");
    sig = first + 1 < argc ? signal_number(argv[first + 1]) : SIGTERM;
    if (sig < 0)
        return fail("kill: unknown signal \"%s\"", argv[first + 1]);
    status = container_open(argv[first], false, &s);
    if (!status)
        status = send_signal(&s, sig);
    state_close(&s);
    return status;
}
