// SPDX-License-Identifier: Apache-2.0
/*
 * runsc debug: look into a running sandbox. usage: its memory by owner.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "oci/container.h"
#include "oci/oci.h"

static struct {
    bool stacks, ps, exits;
    const char *strace, *level;
} args;

static const char *const on_off[] = {"all", "on", "true", "off", "false", NULL};
static const char *const levels[] = {"warning", "info", "debug", NULL};
static const struct option options[] = {
    {"stacks", OPTION_BOOL, &args.stacks, "every task: where it is and what it waits for", NULL},
    {"ps", OPTION_BOOL, &args.ps, "the processes", NULL},
    {"exits", OPTION_BOOL, &args.exits, "how often the sandbox left the guest, by reason", NULL},
    {"strace", OPTION_STRING, &args.strace, "log system calls: all or off", on_off},
    {"log-level", OPTION_STRING, &args.level, "of the debug log", levels},
    {0},
};

static int print_text(const struct state *s, s64 what, s64 b)
{
    struct control_message m = {.kind = CONTROL_DEBUG, .a = what, .b = b};
    autofree char *text = malloc(CONTROL_MESSAGE_MAX + 1);
    int err = text ? container_request(s, &m, text, CONTROL_MESSAGE_MAX) : -12;

    if (err)
        return err < 0 ? fail("debug: %s", strerror(-err)) : err;
    text[m.length < CONTROL_MESSAGE_MAX ? m.length : CONTROL_MESSAGE_MAX] = 0;
    control_printable(text);
    fputs(text, stdout);
    return 0;
}

static int look(const struct state *s, char *id)
{
    char *ps[] = {(char *)"ps", id, NULL};
    int status = 0;
    size_t level = 0;

    if (args.ps)
        status |= command_ps(2, ps);
    if (args.stacks)
        status |= print_text(s, CONTROL_DEBUG_STACKS, 0);
    if (args.exits)
        status |= print_text(s, CONTROL_DEBUG_EXITS, 0);
    if (args.strace)
        status |= print_text(s,
                             strcmp(args.strace, "off") && strcmp(args.strace, "false")
                                 ? CONTROL_DEBUG_STRACE_ON
                                 : CONTROL_DEBUG_STRACE_OFF,
                             0);
    if (args.level) {
        while (strcmp(levels[level], args.level))
            level++;
        status |= print_text(s, CONTROL_DEBUG_LEVEL, (s64)level);
    }
    return status ? STATUS_FAILED : 0;
}

int command_debug(int argc, char **argv)
{
    int first = flags_parse(argc, argv, options,
                            "runsc debug [--stacks] [--ps] [--exits] [--strace all|off] "
                            "[--log-level LEVEL] ID\n\nShows what goes on in a running sandbox."),
        status;
    struct state s;

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first + 1 != argc)
        return fail("debug: exactly one container id is needed");
    if (!args.stacks && !args.ps && !args.exits && !args.strace && !args.level)
        return fail("debug: nothing asked for; runsc debug --help");
    status = container_open(argv[first], false, &s);
    if (!status)
        status = look(&s, argv[first]);
    state_close(&s);
    return status;
}

/* Proportional share of memory of a process, KiB; 0: it has gone. */
static unsigned long pss(struct process_id p)
{
    char path[64], line[256];
    unsigned long n = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", p.pid);
    f = process_alive(p) ? fopen(path, "re") : NULL;
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "Pss: %lu", &n) == 1)
            break;
    if (f)
        fclose(f);
    return n;
}

int command_usage(int argc, char **argv)
{
    static bool full;
    static const struct option table[] = {
        {"full", OPTION_BOOL, &full, "accepted for compatibility", NULL}, {0}};
    struct control_message m = {.kind = CONTROL_STATS};
    struct control_stats own = {0};
    int first = flags_parse(argc, argv, table,
                            "runsc usage ID\n\nPrints the memory of a container in bytes: what its "
                            "processes and files\nin memory use, and what sandbox and gofer take "
                            "on the host."),
        status;
    json_object *o;
    struct state s;

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first + 1 != argc)
        return fail("usage: exactly one container id is needed");
    status = container_open(argv[first], false, &s);
    if (!status) {
        int err = container_request(&s, &m, &own, sizeof(own));

        status = err < 0 ? fail("usage: %s", strerror(-err)) : err;
    }
    if (!status) {
        o = json_object_new_object();
        json_object_object_add(o, "container", json_object_new_uint64(own.memory));
        json_object_object_add(o, "containerPeak", json_object_new_uint64(own.memory_peak));
        json_object_object_add(o, "sandbox", json_object_new_uint64(pss(s.sandbox) * 1024));
        json_object_object_add(o, "gofer", json_object_new_uint64(pss(s.gofer) * 1024));
        printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY));
        json_object_put(o);
    }
    state_close(&s);
    return status;
}

/* Not yet: engines look whether the command is there, and read the message when they use it. */
int command_checkpoint(int argc, char **argv)
{
    static const struct option table[] = {
        {"image-path", OPTION_NOTHING, NULL, NULL, NULL},
        {"work-path", OPTION_NOTHING, NULL, NULL, NULL},
        {"parent-path", OPTION_NOTHING, NULL, NULL, NULL},
        {"bundle", OPTION_NOTHING, NULL, NULL, NULL},
        {"pid-file", OPTION_NOTHING, NULL, NULL, NULL},
        {"console-socket", OPTION_NOTHING, NULL, NULL, NULL},
        {"leave-running", OPTION_NOTHING_BOOL, NULL, NULL, NULL},
        {"tcp-established", OPTION_NOTHING_BOOL, NULL, NULL, NULL},
        {"file-locks", OPTION_NOTHING_BOOL, NULL, NULL, NULL},
        {"detach", OPTION_NOTHING_BOOL, NULL, NULL, NULL},
        {0},
    };
    int first = flags_parse(argc, argv, table, "runsc checkpoint|restore ID\n\nNot supported yet.");

    return first == -2 ? 0 : first < 0 ? STATUS_FAILED : fail("%s is not supported yet", argv[0]);
}
