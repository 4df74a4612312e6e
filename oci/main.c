// SPDX-License-Identifier: Apache-2.0
/*
 * runsc: global flags, then one sub-command.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "oci/oci.h"

static int command_help(int argc, char **argv);
static int command_flags(int argc, char **argv);

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help; /* NULL: not listed */
} commands[] = {
    {"do", command_do, "run a command of the host in a sandbox, files read-only below an overlay"},
    {"run", command_run, "create a container from a bundle, run it, wait for its end"},
    {"create", command_create, "make a container from a bundle; start lets it run"},
    {"start", command_start, "let a created container run"},
    {"exec", command_exec, "run one more process in a container"},
    {"kill", command_kill, "send a signal to a container"},
    {"delete", command_delete, "forget a container and what it left behind"},
    {"state", command_state, "print what is known about a container, as JSON"},
    {"list", command_list, "list the containers"},
    {"ps", command_ps, "list the processes of a container"},
    {"events", command_events, "print figures of a container, as JSON"},
    {"pause", command_pause, "stop the tasks of a container"},
    {"resume", command_resume, "let the tasks of a paused container go on"},
    {"wait", command_wait, "wait for the end of a container or a process in it"},
    {"update", command_update, "change the limits of a container"},
    {"spec", command_spec, "write a config.json to start from"},
    {"features", command_features, "print what this runtime supports, as JSON"},
    {"checkpoint", command_checkpoint, "not supported yet"},
    {"restore", command_checkpoint, "not supported yet"},
    {"install", command_install, "add runsc to Docker's runtimes"},
    {"uninstall", command_uninstall, "take it out again"},
    {"debug", command_debug, "look into a running sandbox"},
    {"usage", command_usage, "print the memory of a container"},
    {"flags", command_flags, "describe the global flags"},
    {"help", command_help, "describe the commands, or one of them"},
    {"debug-probe", command_probe, NULL},
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

/* Run the command argv[0]; a name that nothing has gets the nearest one suggested. */
static int run_command(int argc, char **argv)
{
    const char *names[NCOMMANDS + 1] = {NULL}, *near;

    for (size_t i = 0; i < NCOMMANDS; i++) {
        names[i] = commands[i].name;
        if (!strcmp(argv[0], commands[i].name))
            return commands[i].run(argc, argv);
    }
    near = nearest_name(names, argv[0], strlen(argv[0]));
    if (near)
        return fail("unknown command \"%s\"; did you mean %s?", argv[0], near);
    return fail("unknown command \"%s\"; runsc help lists them", argv[0]);
}

static int command_help(int argc, char **argv)
{
    char *ask[] = {argc > 1 ? argv[1] : NULL, (char *)"--help", NULL};

    if (argc > 1 && !strcmp(argv[1], "syscalls"))
        return help_syscalls(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "help") && strcmp(argv[1], "flags"))
        return run_command(2, ask);
    printf("usage: runsc [flags] command [arguments]\n\ncommands:\n");
    for (size_t i = 0; i < NCOMMANDS; i++)
        if (commands[i].help)
            printf("  %-10s %s\n", commands[i].name, commands[i].help);
    printf("\nrunsc flags describes the global flags, runsc help COMMAND a command, runsc help "
           "syscalls what the sandbox's kernel can do.\n");
    return 0;
}

static int command_flags(int argc, char **argv)
{
    flags_print(global_options);
    return 0;
}

static int print_version(void)
{
    printf("runsc version ringfort-%s\nspec: %s\n", RINGFORT_VERSION, OCI_VERSION);
    return 0;
}

/* Take the flags of the command line; what a file says lies below them. Index of the command. */
static int take_flags(int argc, char **argv)
{
    static const char usage[] = "runsc [flags] command [arguments]";
    struct global_flags defaults = flags, given;
    int first = flags_parse(argc, argv, global_options, usage);

    if (first < 0 || flags.version)
        return first;
    given = flags;
    flags = defaults;
    flags.log = given.log; /* for what is wrong with the file */
    flags.log_format = given.log_format;
    if (config_read(given.config))
        return -1;
    return flags_parse(argc, argv, global_options, usage);
}

int main(int argc, char **argv)
{
    int first;

    process_title_init(argc, argv);
    first = take_flags(argc, argv);

    if (first == -2)
        return 0;
    if (first < 0)
        return STATUS_FAILED;
    if (flags.version)
        return print_version();
    if (first >= argc) {
        command_help(1, argv);
        return STATUS_FAILED;
    }
    signal(SIGPIPE, SIG_IGN);
    if (flags_check())
        return STATUS_FAILED;
    return run_command(argc - first, argv + first);
}
