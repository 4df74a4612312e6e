// SPDX-License-Identifier: Apache-2.0
/*
 * linux.resources on control groups v1, one hierarchy at a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "oci/cgroup.h"
#include "oci/oci.h"

/* A number of resources and the file that it goes to. Engines send 0 for "not set". */
struct knob {
    const char *controller, *section, *name, *file;
};

static const struct knob knobs[] = {
    {"memory", "memory", "reservation", "memory.soft_limit_in_bytes"},
    {"memory", "memory", "swappiness", "memory.swappiness"},
    {"cpu", "cpu", "shares", "cpu.shares"},
    {"cpu", "cpu", "realtimePeriod", "cpu.rt_period_us"},
    {"cpu", "cpu", "realtimeRuntime", "cpu.rt_runtime_us"},
    {"cpu", "cpu", "burst", "cpu.cfs_burst_us"},
    {"cpu", "cpu", "idle", "cpu.idle"},
    {"blkio", "blockIO", "leafWeight", "blkio.leaf_weight"},
    {"net_cls", "network", "classID", "net_cls.classid"},
};

static bool has(const char *controllers, const char *name)
{
    size_t n = strlen(name);

    for (const char *c = controllers; *c; c += strcspn(c, ","), c += *c == ',')
        if (strcspn(c, ",") == n && !strncmp(c, name, n))
            return true;
    return false;
}

static int copy_from_parent(const char *dir, const char *file)
{
    char path[PATH_MAX], value[4096];
    ssize_t n = 0;

    for (int up = 0; up < 2; up++) { /* our own first: it may have a value already */
        autoclose int fd = -1;

        snprintf(path, sizeof(path), "%s/%s%s", dir, up ? "../" : "", file);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, value, sizeof(value) - 1);
        if (n < 0)
            return -errno;
        value[n] = 0;
        if (n > 1 && !up)
            return 0;
    }
    return cgroup_write(dir, file, value);
}

int cgroup_v1_prepare(const char *controllers, const char *dir)
{
    int err;

    if (!has(controllers, "cpuset"))
        return 0;
    err = copy_from_parent(dir, "cpuset.cpus");
    return err ? err : copy_from_parent(dir, "cpuset.mems");
}

static int set_number(const char *dir, const char *file, int64_t n, const char *section,
                      const char *name)
{
    char value[32], field[96];

    snprintf(value, sizeof(value), "%lld", (long long)n);
    snprintf(field, sizeof(field), "%s.%s", section, name);
    return cgroup_limit(dir, file, value, field);
}

/* Memory and memory plus swap: the second may never be below the first, whichever way both go. */
static int set_memory(const char *dir, json_object *r)
{
    static const char limit_file[] = "memory.limit_in_bytes",
                      swap_file[] = "memory.memsw.limit_in_bytes";
    int64_t limit = 0, swap = 0, off = 0;
    bool has_limit = cgroup_asked(r, "memory", "limit", true, &limit);
    bool has_swap = cgroup_asked(r, "memory", "swap", true, &swap);
    char path[PATH_MAX], value[32];

    snprintf(path, sizeof(path), "%s/%s", dir, swap_file);
    has_swap = has_swap && !access(path, F_OK); /* kernels without swap accounting */
    if (has_limit && has_swap) {
        snprintf(value, sizeof(value), "%lld", (long long)swap);
        if (cgroup_write(dir, swap_file, value) == 0) /* upwards: this one first */
            has_swap = false;
    }
    if (has_limit && set_number(dir, limit_file, limit, "memory", "limit"))
        return STATUS_FAILED;
    if (has_swap && set_number(dir, swap_file, swap, "memory", "swap"))
        return STATUS_FAILED;
    if (cgroup_asked(r, "memory", "disableOOMKiller", true, &off))
        return set_number(dir, "memory.oom_control", 1, "memory", "disableOOMKiller");
    return 0;
}

/* A quota must fit the period that holds when it is written. */
static int set_bandwidth(const char *dir, json_object *r)
{
    int64_t period = 0, quota = 0;
    bool has_period = cgroup_asked(r, "cpu", "period", true, &period);
    bool has_quota = cgroup_asked(r, "cpu", "quota", true, &quota);
    char value[32];

    snprintf(value, sizeof(value), "%lld", (long long)period);
    if (has_period && has_quota && cgroup_write(dir, "cpu.cfs_period_us", value) == 0)
        has_period = false;
    if (has_quota && set_number(dir, "cpu.cfs_quota_us", quota, "cpu", "quota"))
        return STATUS_FAILED;
    return has_period ? set_number(dir, "cpu.cfs_period_us", period, "cpu", "period") : 0;
}

static int set_cpuset(const char *dir, json_object *r)
{
    const char *cpus = cgroup_asked_text(r, "cpu", "cpus");
    const char *mems = cgroup_asked_text(r, "cpu", "mems");

    if (cpus && cgroup_limit(dir, "cpuset.cpus", cpus, "cpu.cpus"))
        return STATUS_FAILED;
    return mems ? cgroup_limit(dir, "cpuset.mems", mems, "cpu.mems") : 0;
}

static int set_throttle(const char *dir, const char *name, const char *value)
{
    static const char *const files[][2] = {
        {"throttleReadBpsDevice", "blkio.throttle.read_bps_device"},
        {"throttleWriteBpsDevice", "blkio.throttle.write_bps_device"},
        {"throttleReadIOPSDevice", "blkio.throttle.read_iops_device"},
        {"throttleWriteIOPSDevice", "blkio.throttle.write_iops_device"},
        {"weightDevice", "blkio.weight_device"},
    };
    char field[96];

    snprintf(field, sizeof(field), "blockIO.%s", name);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (!strcmp(name, files[i][0]))
            return cgroup_limit(dir, files[i][1], value, field);
    return 0;
}

static int set_blkio(const char *dir, json_object *r)
{
    static const char *const lists[] = {"weightDevice", "throttleReadBpsDevice",
                                        "throttleWriteBpsDevice", "throttleReadIOPSDevice",
                                        "throttleWriteIOPSDevice"};
    char path[PATH_MAX];
    int64_t weight;

    if (cgroup_asked(r, "blockIO", "weight", true, &weight)) {
        const char *file = "blkio.weight";

        snprintf(path, sizeof(path), "%s/%s", dir, file);
        if (access(path, F_OK))
            file = "blkio.bfq.weight";
        if (set_number(dir, file, weight, "blockIO", "weight"))
            return STATUS_FAILED;
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (cgroup_each_throttle(r, lists[i], dir, set_throttle))
            return STATUS_FAILED;
    return 0;
}

static int set_pids(const char *dir, json_object *r)
{
    int64_t limit;
    char value[32];

    if (!cgroup_asked(r, "pids", "limit", true, &limit))
        return 0;
    snprintf(value, sizeof(value), "%lld", (long long)limit);
    return cgroup_limit(dir, "pids.max", limit < 0 ? "max" : value, "pids.limit");
}

int cgroup_v1_set(const char *controllers, const char *dir, json_object *r)
{
    int64_t n;
    int err = 0;

    for (size_t i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++)
        if (has(controllers, knobs[i].controller) &&
            cgroup_asked(r, knobs[i].section, knobs[i].name, true, &n) &&
            set_number(dir, knobs[i].file, n, knobs[i].section, knobs[i].name))
            return STATUS_FAILED;
    if (has(controllers, "memory"))
        err = set_memory(dir, r);
    if (!err && has(controllers, "cpu"))
        err = set_bandwidth(dir, r);
    if (!err && has(controllers, "cpuset"))
        err = set_cpuset(dir, r);
    if (!err && has(controllers, "blkio"))
        err = set_blkio(dir, r);
    if (!err && has(controllers, "pids"))
        err = set_pids(dir, r);
    return err;
}
