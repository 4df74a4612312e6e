// SPDX-License-Identifier: Apache-2.0
/*
 * runsc events: figures of a container in runc's JSON, once or again and again, and a line when the
 * host's control group killed for want of memory.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "oci/cgroup.h"
#include "oci/container.h"
#include "oci/oci.h"

static struct {
    bool stats;
    const char *interval;
} args = {.interval = "5s"};

static const struct option options[] = {
    {"stats", OPTION_BOOL, &args.stats, "print the figures once, then end", NULL},
    {"interval", OPTION_STRING, &args.interval, "time between two lines (5s, 500ms, 1m)", NULL},
    {0},
};

static void put(json_object *o, const char *name, uint64_t n)
{
    json_object_object_add(o, name, json_object_new_uint64(n));
}

static json_object *child(json_object *o, const char *name)
{
    json_object *c = json_object_new_object();

    json_object_object_add(o, name, c);
    return c;
}

static void put_cpu(json_object *data, json_object *groups, const struct control_stats *own)
{
    json_object *cpu = child(data, "cpu"), *usage = child(cpu, "usage"), *t;
    bool v2 = false;
    const char *dir = cgroup_dir(groups, "cpu", &v2);
    uint64_t inside = own->cpu_user_ns + own->cpu_kernel_ns;

    if (v2 && dir) {
        put(usage, "total", cgroup_word(groups, "cpu", "cpu.stat", "usage_usec", 0) * 1000);
        put(usage, "kernel", cgroup_word(groups, "cpu", "cpu.stat", "system_usec", 0) * 1000);
        put(usage, "user", cgroup_word(groups, "cpu", "cpu.stat", "user_usec", 0) * 1000);
    } else {
        put(usage, "total", cgroup_number(groups, "cpuacct", "cpuacct.usage", inside));
        put(usage, "kernel", own->cpu_kernel_ns);
        put(usage, "user", own->cpu_user_ns);
    }
    t = child(cpu, "throttling");
    put(t, "periods", cgroup_word(groups, "cpu", "cpu.stat", "nr_periods", 0));
    put(t, "throttledPeriods", cgroup_word(groups, "cpu", "cpu.stat", "nr_throttled", 0));
    put(t, "throttledTime",
        v2 ? cgroup_word(groups, "cpu", "cpu.stat", "throttled_usec", 0) * 1000
           : cgroup_word(groups, "cpu", "cpu.stat", "throttled_time", 0));
}

static void put_memory(json_object *data, json_object *groups, const struct control_stats *own)
{
    json_object *memory = child(data, "memory"), *usage = child(memory, "usage"), *raw;
    bool v2 = false;
    const char *dir = cgroup_dir(groups, "memory", &v2);

    v2 = v2 && dir;
    put(usage, "limit",
        cgroup_number(groups, "memory", v2 ? "memory.max" : "memory.limit_in_bytes", 0));
    put(usage, "usage",
        cgroup_number(groups, "memory", v2 ? "memory.current" : "memory.usage_in_bytes",
                      own->memory));
    put(usage, "max",
        cgroup_number(groups, "memory", v2 ? "memory.peak" : "memory.max_usage_in_bytes",
                      own->memory_peak));
    put(usage, "failcnt",
        v2 ? cgroup_word(groups, "memory", "memory.events", "max", 0)
           : cgroup_number(groups, "memory", "memory.failcnt", 0));
    raw = child(memory, "raw");
    put(raw, "inactive_file",
        cgroup_word(groups, "memory", "memory.stat", v2 ? "inactive_file" : "total_inactive_file",
                    0));
    put(raw, "container", own->memory);
}

static int print_stats(const struct state *s)
{
    struct control_message m = {.kind = CONTROL_STATS};
    struct control_stats own = {0};
    json_object *o, *data, *pids, *io, *groups = NULL;
    int err = container_request(s, &m, &own, sizeof(own));

    if (err)
        return err < 0 ? fail("cannot get the figures: %s", strerror(-err)) : err;
    if (m.length < sizeof(own))
        return fail("the sandbox sent figures that are none");
    json_object_object_get_ex(s->doc, "cgroups", &groups);
    o = json_object_new_object();
    json_object_object_add(o, "type", json_object_new_string("stats"));
    json_object_object_add(o, "id", json_object_new_string(s->id));
    data = child(o, "data");
    put_cpu(data, groups, &own);
    put_memory(data, groups, &own);
    pids = child(data, "pids");
    put(pids, "current", own.pids);
    if (own.pids_limit != ~0ULL)
        put(pids, "limit", own.pids_limit);
    io = child(data, "io");
    put(io, "readBytes", own.read_bytes);
    put(io, "writeBytes", own.write_bytes);
    child(data, "blkio");
    child(data, "hugetlb");
    printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE));
    fflush(stdout);
    json_object_put(o);
    return 0;
}

/* "5s", "500ms", "2m", or a number of seconds; 0: bad. */
static uint64_t interval_ms(const char *text)
{
    double n;
    char unit[4] = "s", rest;
    int got = sscanf(text, "%lf%3[a-z]%c", &n, unit, &rest);

    if (got < 1 || got > 2 || n <= 0 || n > 86400)
        return 0;
    return (uint64_t)(n * (!strcmp(unit, "ms")  ? 1
                           : !strcmp(unit, "s") ? 1000
                           : !strcmp(unit, "m") ? 60000
                                                : 0));
}

static uint64_t oom_kills(const struct state *s)
{
    json_object *groups = NULL;
    uint64_t n;

    json_object_object_get_ex(s->doc, "cgroups", &groups);
    n = cgroup_word(groups, "memory", "memory.oom_control", "oom_kill", 0);
    return n ? n : cgroup_word(groups, "memory", "memory.events", "oom_kill", 0);
}

static int follow(const struct state *s, uint64_t ms)
{
    uint64_t kills = oom_kills(s), now;

    for (;;) {
        if (print_stats(s))
            return STATUS_FAILED;
        nanosleep(&(struct timespec){(time_t)(ms / 1000), (long)(ms % 1000) * 1000000}, NULL);
        now = oom_kills(s);
        if (now > kills)
            printf("{\"type\":\"oom\",\"id\":\"%s\"}\n", s->id);
        kills = now;
        if (!process_alive(s->sandbox))
            return 0;
    }
}

int command_events(int argc, char **argv)
{
    int first = flags_parse(argc, argv, options,
                            "runsc events [--stats] [--interval TIME] ID\n\n"
                            "Prints figures of a container as JSON, a line each time."),
        status;
    uint64_t ms = interval_ms(args.interval);
    struct state s;

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first + 1 != argc)
        return fail("events: exactly one container id is needed");
    if (!ms)
        return fail("invalid value \"%s\" for flag --interval", args.interval);
    status = container_open(argv[first], false, &s);
    if (!status)
        status = args.stats ? print_stats(&s) : follow(&s, ms);
    state_close(&s);
    return status;
}
