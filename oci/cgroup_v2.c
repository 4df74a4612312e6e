// SPDX-License-Identifier: Apache-2.0
/*
 * linux.resources on control groups v2, converted from the v1 units of the specification.
 */
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "oci/cgroup.h"
#include "oci/oci.h"

#define PERIOD_DEFAULT 100000

/* Hand the controllers that are there down from the mount to the parent of dir. */
int cgroup_v2_prepare(const char *mount, const char *dir)
{
    static const char *const controllers[] = {"+cpu", "+cpuset", "+io", "+memory", "+pids"};
    char path[PATH_MAX];
    size_t n = strlen(mount);

    snprintf(path, sizeof(path), "%s", dir);
    for (char *c = path + n; *c; c++) {
        if (*c != '/')
            continue;
        *c = 0;
        for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++)
            cgroup_write(path, "cgroup.subtree_control",
                         controllers[i]); /* what it has not, stays out */
        *c = '/';
    }
    return 0;
}

/* -1 is "max". */
static int set_max(const char *dir, const char *file, int64_t n, const char *field)
{
    char value[32];

    snprintf(value, sizeof(value), "%lld", (long long)n);
    return cgroup_limit(dir, file, n < 0 ? "max" : value, field);
}

static int set_memory(const char *dir, json_object *r)
{
    int64_t limit = 0, swap, low;
    bool has_limit = cgroup_asked(r, "memory", "limit", true, &limit);

    if (has_limit && set_max(dir, "memory.max", limit, "memory.limit"))
        return STATUS_FAILED;
    if (cgroup_asked(r, "memory", "swap", true, &swap)) { /* v1 counts memory in */
        if (swap > 0 && (!has_limit || swap < limit))
            return fail("config.json: linux.resources.memory.swap is below memory.limit");
        if (set_max(dir, "memory.swap.max", swap > 0 ? swap - limit : swap, "memory.swap"))
            return STATUS_FAILED;
    }
    if (cgroup_asked(r, "memory", "reservation", true, &low))
        return set_max(dir, "memory.low", low, "memory.reservation");
    return 0;
}

static int set_cpu(const char *dir, json_object *r)
{
    const char *cpus = cgroup_asked_text(r, "cpu", "cpus"),
               *mems = cgroup_asked_text(r, "cpu", "mems");
    int64_t shares, quota = -1, period = PERIOD_DEFAULT, burst, idle;
    bool has_quota = cgroup_asked(r, "cpu", "quota", true, &quota);
    bool has_period = cgroup_asked(r, "cpu", "period", true, &period);
    char value[64];

    if (cgroup_asked(r, "cpu", "shares", true, &shares)) { /* 2..262144 to 1..10000 */
        shares = shares < 2 ? 2 : shares > 262144 ? 262144 : shares;
        snprintf(value, sizeof(value), "%lld", (long long)(1 + (shares - 2) * 9999 / 262142));
        if (cgroup_limit(dir, "cpu.weight", value, "cpu.shares"))
            return STATUS_FAILED;
    }
    if (has_quota || has_period) {
        if (quota > 0)
            snprintf(value, sizeof(value), "%lld %lld", (long long)quota, (long long)period);
        else
            snprintf(value, sizeof(value), "max %lld", (long long)period);
        if (cgroup_limit(dir, "cpu.max", value, "cpu.quota"))
            return STATUS_FAILED;
    }
    if (cgroup_asked(r, "cpu", "burst", true, &burst) &&
        set_max(dir, "cpu.max.burst", burst, "cpu.burst"))
        return STATUS_FAILED;
    if (cgroup_asked(r, "cpu", "idle", true, &idle) && set_max(dir, "cpu.idle", idle, "cpu.idle"))
        return STATUS_FAILED;
    if (cpus && cgroup_limit(dir, "cpuset.cpus", cpus, "cpu.cpus"))
        return STATUS_FAILED;
    return mems ? cgroup_limit(dir, "cpuset.mems", mems, "cpu.mems") : 0;
}

static int set_throttle(const char *dir, const char *name, const char *value)
{
    static const char *const keys[][2] = {
        {"throttleReadBpsDevice", "rbps"},
        {"throttleWriteBpsDevice", "wbps"},
        {"throttleReadIOPSDevice", "riops"},
        {"throttleWriteIOPSDevice", "wiops"},
    };
    const char *rate = strchr(value, ' ');
    char line[128], field[96];

    snprintf(field, sizeof(field), "blockIO.%s", name);
    for (size_t i = 0; rate && i < sizeof(keys) / sizeof(keys[0]); i++)
        if (!strcmp(name, keys[i][0])) {
            snprintf(line, sizeof(line), "%.*s %s=%s", (int)(rate - value), value, keys[i][1],
                     rate + 1);
            return cgroup_limit(dir, "io.max", line, field);
        }
    return 0;
}

static int set_io(const char *dir, json_object *r)
{
    static const char *const lists[] = {"throttleReadBpsDevice", "throttleWriteBpsDevice",
                                        "throttleReadIOPSDevice", "throttleWriteIOPSDevice"};
    char path[PATH_MAX];
    int64_t weight;

    if (cgroup_asked(r, "blockIO", "weight", true, &weight)) {
        snprintf(path, sizeof(path), "%s/io.bfq.weight", dir);
        if (!access(path, F_OK)) {
            if (set_max(dir, "io.bfq.weight", weight, "blockIO.weight"))
                return STATUS_FAILED;
        } else if (set_max(dir, "io.weight", 1 + (weight - 10) * 9999 / 990, "blockIO.weight")) {
            return STATUS_FAILED;
        }
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (cgroup_each_throttle(r, lists[i], dir, set_throttle))
            return STATUS_FAILED;
    return 0;
}

/* linux.resources.unified: files and values as they are. pids.max is the Sentry's to enforce. */
static int set_unified(const char *dir, json_object *r)
{
    json_object *map;

    if (!r || !json_object_object_get_ex(r, "unified", &map) ||
        !json_object_is_type(map, json_type_object))
        return 0;
    json_object_object_foreach(map, key, v)
    {
        if (strchr(key, '/') || !json_object_is_type(v, json_type_string))
            return fail("config.json: linux.resources.unified: bad key or value: %s", key);
        if (strcmp(key, "pids.max") && cgroup_limit(dir, key, json_object_get_string(v), "unified"))
            return STATUS_FAILED;
    }
    return 0;
}

int cgroup_v2_set(const char *dir, json_object *r)
{
    int err = set_memory(dir, r);

    if (!err)
        err = set_cpu(dir, r);
    if (!err)
        err = set_io(dir, r);
    return err ? err : set_unified(dir, r);
}
