// SPDX-License-Identifier: Apache-2.0
/*
 * runsc update: other limits for a container, from a document or from flags.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include "oci/cgroup.h"
#include "oci/container.h"
#include "oci/oci.h"
#include "oci/spec.h"

static const char *document;

/* A flag and the number or text of resources that it stands for. */
static struct limit_flag {
    const char *flag, *section, *name;
    bool text;
    const char *value;
} limits[] = {
    {.flag = "blkio-weight", .section = "blockIO", .name = "weight"},
    {.flag = "cpu-period", .section = "cpu", .name = "period"},
    {.flag = "cpu-quota", .section = "cpu", .name = "quota"},
    {.flag = "cpu-burst", .section = "cpu", .name = "burst"},
    {.flag = "cpu-share", .section = "cpu", .name = "shares"},
    {.flag = "cpu-shares", .section = "cpu", .name = "shares"},
    {.flag = "cpu-rt-period", .section = "cpu", .name = "realtimePeriod"},
    {.flag = "cpu-rt-runtime", .section = "cpu", .name = "realtimeRuntime"},
    {.flag = "cpu-idle", .section = "cpu", .name = "idle"},
    {.flag = "cpuset-cpus", .section = "cpu", .name = "cpus", .text = true},
    {.flag = "cpuset-mems", .section = "cpu", .name = "mems", .text = true},
    {.flag = "memory", .section = "memory", .name = "limit"},
    {.flag = "memory-reservation", .section = "memory", .name = "reservation"},
    {.flag = "memory-swap", .section = "memory", .name = "swap"},
    {.flag = "pids-limit", .section = "pids", .name = "limit"},
};

#define NLIMITS (sizeof(limits) / sizeof(limits[0]))

static const struct option *make_options(void)
{
    static struct option table[NLIMITS + 4] = {
        {"resources", OPTION_STRING, &document, "file of linux.resources (-: standard input)",
         NULL},
        {"r", OPTION_STRING, &document, NULL, NULL},
    };

    for (size_t i = 0; i < NLIMITS; i++)
        table[i + 2] = (struct option){limits[i].flag, OPTION_STRING, &limits[i].value,
                                       "as in linux.resources", NULL};
    return table;
}

/* A number of bytes, also as 64m. */
static int parse_number(const struct limit_flag *l, int64_t *n)
{
    static const char units[] = "bkmgt";
    const char *u;
    char *end;

    errno = 0;
    *n = strtoll(l->value, &end, 10);
    u = *end ? strchr(units, *end | 0x20) : NULL;
    if (errno || end == l->value || (*end && (!u || end[1] || *n < 0)))
        return fail("invalid value \"%s\" for flag --%s", l->value, l->flag);
    if (u && __builtin_mul_overflow(*n, 1LL << 10 * (u - units), n))
        return fail("invalid value \"%s\" for flag --%s", l->value, l->flag);
    return 0;
}

static int from_flags(json_object *r)
{
    for (size_t i = 0; i < NLIMITS; i++) {
        struct limit_flag *l = &limits[i];
        json_object *section;
        int64_t n = 0;

        if (!l->value)
            continue;
        if (!l->text && parse_number(l, &n))
            return STATUS_FAILED;
        if (!json_object_object_get_ex(r, l->section, &section)) {
            section = json_object_new_object();
            json_object_object_add(r, l->section, section);
        }
        json_object_object_add(section, l->name,
                               l->text ? json_object_new_string(l->value)
                                       : json_object_new_int64(n));
    }
    return 0;
}

static int update(struct state *s, json_object *r)
{
    struct control_message m = {.kind = CONTROL_UPDATE};
    json_object *groups;
    int64_t pids;
    int err;

    if (json_object_object_get_ex(s->doc, "cgroups", &groups) && cgroup_update(groups, r))
        return STATUS_FAILED;
    if (!cgroup_asked(r, "pids", "limit", true, &pids))
        return 0;
    m.a = pids < 0 ? -1 : pids;
    err = container_request(s, &m, NULL, 0);
    return err < 0 ? fail("cannot set pids.limit: %s", strerror(-err)) : err;
}

int command_update(int argc, char **argv)
{
    int first = flags_parse(argc, argv, make_options(),
                            "runsc update [--resources FILE | flags] ID\n\n"
                            "Changes the limits of a container: those of its control groups, and "
                            "pids-limit in the sandbox."),
        status;
    json_object *r;
    struct state s;

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first + 1 != argc)
        return fail("update: exactly one container id is needed");
    r = document ? spec_read(document) : json_object_new_object();
    if (!r)
        return STATUS_FAILED;
    status = from_flags(r);
    if (!status) {
        status = container_open(argv[first], true, &s);
        if (!status)
            status = update(&s, r);
        state_close(&s);
    }
    json_object_put(r);
    return status;
}
