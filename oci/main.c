// SPDX-License-Identifier: Apache-2.0
/*
 * runsc: global flags, then one sub-command.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "oci/oci.h"

struct global_flags flags = {
    .platform = "auto",
    .log_format = "text",
    .release = "4.4.0",
    .network = "sandbox",
};

static const char *const platforms[] = {"auto", "kvm", "ptrace", NULL};
static const char *const log_formats[] = {"text", "json", NULL};

static const char *const networks[] = {"none", "host", "sandbox", NULL};
static const char *const crashes[] = {"fault", "stack", "panic", NULL};

static const struct option global_options[] = {
    {"root", OPTION_STRING, &flags.root,
     "directory of container state (not used by do and run yet)", NULL},
    {"platform", OPTION_STRING, &flags.platform, "what runs the application", platforms},
    {"debug", OPTION_BOOL, &flags.debug,
     "write debug messages (to --debug-log, else standard error)", NULL},
    {"debug-log", OPTION_STRING, &flags.debug_log,
     "file for debug messages, or a directory ending in /", NULL},
    {"strace", OPTION_BOOL, &flags.strace, "log each system call of the application", NULL},
    {"log", OPTION_STRING, &flags.log, "file for errors of runsc itself", NULL},
    {"log-format", OPTION_STRING, &flags.log_format, "format of --log", log_formats},
    {"network", OPTION_STRING, &flags.network,
     "what sockets reach: only the sandbox itself, the host's stack, or a stack of the sandbox's "
     "own",
     networks},
    {"kernel-release", OPTION_STRING, &flags.release, "what uname -r says in the sandbox", NULL},
    {"cpus", OPTION_UINT, &flags.cpus, "number of CPUs in the sandbox (0: as many as the host has)",
     NULL},
    {"debug-crash", OPTION_STRING, &flags.crash,
     "make the sandbox's kernel fail on purpose, to see what its end looks like", crashes},
    {"memory", OPTION_UINT, &flags.memory,
     "MiB of memory in the sandbox (0: as much as the host has)", NULL},
    {"version", OPTION_BOOL, &flags.version, "print the version", NULL},
    {0},
};

static int command_help(int argc, char **argv);
static int command_flags(int argc, char **argv);

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help; /* NULL: not listed */
} commands[] = {
    {"do", command_do,
     "run a command of the host in a sandbox; its files are read-only below a memory overlay"},
    {"run", command_run, "create a container from a bundle, run it, wait for its end"},
    {"spec", command_spec, "write a config.json to start from"},
    {"flags", command_flags, "describe the global flags"},
    {"help", command_help, "describe the commands"},
    {"debug-probe", command_probe, NULL},
};

/* One line of --log: time, level, message, with JSON's escapes. */
static void log_json(FILE *f, const char *stamp, const char *msg)
{
    fprintf(f, "{\"msg\":\"");
    for (; *msg; msg++) {
        if (*msg == '"' || *msg == '\\')
            fprintf(f, "\\%c", *msg);
        else if ((unsigned char)*msg < 32)
            fprintf(f, "\\u%04x", *msg);
        else
            fputc(*msg, f);
    }
    fprintf(f, "\",\"level\":\"error\",\"time\":\"%s\"}\n", stamp);
}

int fail(const char *fmt, ...)
{
    char msg[1024], stamp[32];
    time_t now = time(NULL);
    struct tm tm;
    va_list ap;
    FILE *f;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    fprintf(stderr, "runsc: %s\n", msg);
    f = flags.log ? fopen(flags.log, "ae") : NULL;
    if (!f)
        return STATUS_FAILED;
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    if (!strcmp(flags.log_format, "json"))
        log_json(f, stamp, msg);
    else
        fprintf(f, "%s error: %s\n", stamp, msg);
    fclose(f);
    return STATUS_FAILED;
}

void cleanup_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

void cleanup_free(void *p)
{
    free(*(void **)p);
}

static int command_help(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "syscalls"))
        return help_syscalls(argc - 1, argv + 1);
    printf("usage: runsc [flags] command [arguments]\n\ncommands:\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (commands[i].help)
            printf("  %-8s %s\n", commands[i].name, commands[i].help);
    printf("\nrunsc flags describes the global flags, runsc command --help those of a command, "
           "runsc help syscalls what the sandbox's kernel can do.\n");
    return 0;
}

static int command_flags(int argc, char **argv)
{
    flags_print(global_options);
    return 0;
}

static int print_version(void)
{
    printf("runsc version ringfort-%s\nspec: 1.2.0\n", RINGFORT_VERSION);
    return 0;
}

int main(int argc, char **argv)
{
    int first;

    first = flags_parse(argc, argv, global_options, "runsc [flags] command [arguments]");
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
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (!strcmp(argv[first], commands[i].name))
            return commands[i].run(argc - first, argv + first);
    return fail("unknown command \"%s\"; runsc help lists them", argv[first]);
}
