// SPDX-License-Identifier: Apache-2.0
/*
 * The section `linux` of config.json. The sandbox has a kernel of its own, so much of it is not
 * about the host: what concerns the container's view goes to the Sentry, what concerns host
 * resources to control groups and namespaces.
 */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "oci/spec.h"

static const char *const namespace_names[NS_COUNT] = {
    [NS_MOUNT] = "mount", [NS_PID] = "pid",   [NS_NETWORK] = "network", [NS_IPC] = "ipc",
    [NS_UTS] = "uts",     [NS_USER] = "user", [NS_CGROUP] = "cgroup",   [NS_TIME] = "time",
};

static void load_namespaces(struct bundle *b, json_object *linux_, bool *bad)
{
    json_object *a = spec_get(linux_, "linux", "namespaces", json_type_array, bad);

    for (size_t i = 0; a && i < json_object_array_length(a) && !*bad; i++) {
        json_object *o = json_object_array_get_idx(a, i);
        const char *type, *path;
        char where[48];
        size_t k;

        snprintf(where, sizeof(where), "linux.namespaces[%zu]", i);
        if (!json_object_is_type(o, json_type_object)) {
            spec_bad(bad, where, "", "must be an object");
            return;
        }
        type = spec_text(o, where, "type", bad);
        path = spec_text(o, where, "path", bad);
        for (k = 0; type && k < NS_COUNT && strcmp(type, namespace_names[k]); k++)
            ;
        if (!type || k == NS_COUNT)
            spec_bad(bad, where, "type", "\"%s\" is unknown", type ? type : "");
        else if (b->namespaces[k].wanted)
            spec_bad(bad, where, "type", "\"%s\" is given twice", type);
        else if (path && *path && *path != '/')
            spec_bad(bad, where, "path", "must be absolute");
        else
            b->namespaces[k] = (struct bundle_namespace){true, path && *path ? path : NULL};
    }
}

/*
 * uidMappings or gidMappings as the text of a map; NULL: none. own: an id of the host; what it is
 * in the container goes to *as.
 */
static const char *load_map(struct bundle *b, json_object *linux_, const char *name, unsigned own,
                            unsigned *as, bool *bad)
{
    json_object *a = spec_get(linux_, "linux", name, json_type_array, bad);
    size_t n = a ? json_object_array_length(a) : 0, at = 0, size = n * 40 + 1;
    char *text = n ? spec_keep(b, calloc(1, size)) : NULL, where[48];

    for (size_t i = 0; text && i < n && !*bad; i++) {
        json_object *o = json_object_array_get_idx(a, i);
        int64_t inside, host, count;

        snprintf(where, sizeof(where), "linux.%s[%zu]", name, i);
        if (!json_object_is_type(o, json_type_object)) {
            spec_bad(bad, where, "", "must be an object");
            break;
        }
        inside = spec_number(o, where, "containerID", 0, UINT32_MAX - 1, 0, bad);
        host = spec_number(o, where, "hostID", 0, UINT32_MAX - 1, 0, bad);
        count = spec_number(o, where, "size", 1, UINT32_MAX, 1, bad);
        at += (size_t)snprintf(text + at, size - at, "%lld %lld %lld\n", (long long)inside,
                               (long long)host, (long long)count);
        if (own >= host && own - host < count)
            *as = (unsigned)(inside + own - host);
    }
    return text;
}

/* The container's ids on the host: the gofer lives in such a user namespace, nobody else has to. */
static void load_mappings(struct bundle *b, json_object *linux_, struct launch *l, bool *bad)
{
    const struct bundle_namespace *user = &b->namespaces[NS_USER];

    l->uid_map = load_map(b, linux_, "uidMappings", geteuid(), &l->gofer_uid, bad);
    l->gid_map = load_map(b, linux_, "gidMappings", getegid(), &l->gofer_gid, bad);
    if (user->wanted && user->path)
        spec_bad(bad, "linux", "namespaces", "a user namespace to join is not supported");
    if (!*bad && user->wanted && (!l->uid_map || !l->gid_map))
        spec_bad(bad, "linux", l->uid_map ? "gidMappings" : "uidMappings",
                 "is missing, with a new user namespace");
    if (!user->wanted)
        l->uid_map = l->gid_map = NULL;
}

static void load_device(json_object *o, size_t i, struct sandbox_device *d, bool *bad)
{
    static const struct {
        const char *name;
        mode_t mode;
    } types[] = {{"c", S_IFCHR}, {"u", S_IFCHR}, {"b", S_IFBLK}, {"p", S_IFIFO}};
    const char *type;
    char where[48];
    size_t k;

    snprintf(where, sizeof(where), "linux.devices[%zu]", i);
    if (!json_object_is_type(o, json_type_object)) {
        spec_bad(bad, where, "", "must be an object");
        return;
    }
    d->path = spec_text(o, where, "path", bad);
    type = spec_text(o, where, "type", bad);
    for (k = 0; type && k < 4 && strcmp(type, types[k].name); k++)
        ;
    if (!*bad && (!d->path || d->path[0] != '/'))
        spec_bad(bad, where, "path", "must be absolute");
    if (!*bad && (!type || k == 4)) {
        spec_bad(bad, where, "type", "\"%s\" is unknown", type ? type : "");
        return;
    }
    if (*bad)
        return;
    d->mode = (uint32_t)spec_number(o, where, "fileMode", 0, 0xffff, 0666, bad) & 07777;
    d->mode |= types[k].mode;
    d->major = (uint32_t)spec_number(o, where, "major", 0, 0xfff, 0, bad);
    d->minor = (uint32_t)spec_number(o, where, "minor", 0, 0xfffff, 0, bad);
    d->uid = (uint32_t)spec_number(o, where, "uid", 0, UINT32_MAX, 0, bad);
    d->gid = (uint32_t)spec_number(o, where, "gid", 0, UINT32_MAX, 0, bad);
}

/*
 * May the Sentry have a driver for it? It has none for block devices, and for character devices
 * only memory, terminals and misc; a privileged container names hundreds of the host's others.
 */
static bool may_exist(const struct sandbox_device *d)
{
    return S_ISFIFO(d->mode) ||
           (S_ISCHR(d->mode) && (d->major == 1 || d->major == 5 || d->major == 10));
}

static void load_devices(struct bundle *b, json_object *linux_, struct sandbox_config *c, bool *bad)
{
    json_object *a = spec_get(linux_, "linux", "devices", json_type_array, bad);
    size_t n = a ? json_object_array_length(a) : 0;
    struct sandbox_device *d = n ? spec_keep(b, calloc(n, sizeof(*d))) : NULL;

    for (size_t i = 0; d && i < n && !*bad; i++) {
        struct sandbox_device *next = &d[c->ndevices];

        load_device(json_object_array_get_idx(a, i), i, next, bad);
        if (!*bad && may_exist(next))
            c->ndevices++;
        else if (!*bad)
            warn("linux.devices[%zu]: the sandbox has no such device: %s", i, next->path);
    }
    c->devices = d;
}

static void load_sysctl(struct bundle *b, json_object *linux_, struct sandbox_config *c, bool *bad)
{
    json_object *map = spec_get(linux_, "linux", "sysctl", json_type_object, bad);
    size_t n = map ? (size_t)json_object_object_length(map) : 0;
    const char **v = n ? spec_keep(b, calloc(n + 1, sizeof(*v))) : NULL;
    char *line;

    n = 0;
    if (!v)
        return;
    json_object_object_foreach(map, key, value)
    {
        if (!json_object_is_type(value, json_type_string)) {
            spec_bad(bad, "linux.sysctl", key, "must be a string");
            return;
        }
        if (asprintf(&line, "%s=%s", key, json_object_get_string(value)) < 0)
            line = NULL;
        v[n] = spec_keep(b, line);
        n += v[n] != NULL;
    }
    c->sysctl = v;
}

/* Enough of a check that the control groups can take it as it is. */
static void check_resources(json_object *r, bool *bad)
{
    static const char *const sections[] = {"memory",  "cpu",     "pids", "blockIO",
                                           "network", "unified", "rdma"};
    static const char *const lists[] = {"devices", "hugepageLimits"};
    json_object *section;

    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        section = spec_get(r, "linux.resources", sections[i], json_type_object, bad);
        if (section && !strcmp(sections[i], "rdma") && json_object_object_length(section))
            warn("linux.resources.rdma has no effect in the sandbox");
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        spec_get(r, "linux.resources", lists[i], json_type_array, bad);
    section = spec_get(r, "linux.resources", "memory", json_type_object, bad);
    spec_number(section, "linux.resources.memory", "limit", -1, INT64_MAX, 0, bad);
    spec_number(section, "linux.resources.memory", "swap", -1, INT64_MAX, 0, bad);
    spec_number(section, "linux.resources.memory", "swappiness", 0, 100, 0, bad);
    section = spec_get(r, "linux.resources", "cpu", json_type_object, bad);
    spec_number(section, "linux.resources.cpu", "shares", 0, INT64_MAX, 0, bad);
    spec_number(section, "linux.resources.cpu", "period", 0, INT64_MAX, 0, bad);
    spec_number(section, "linux.resources.cpu", "quota", -1, INT64_MAX, 0, bad);
}

static void load_resources(struct bundle *b, json_object *linux_, struct sandbox_config *c,
                           bool *bad)
{
    json_object *r = spec_get(linux_, "linux", "resources", json_type_object, bad), *cpu;
    int64_t quota, period;

    check_resources(r, bad);
    b->resources = r;
    if (!r || *bad)
        return;
    c->pids_limit = spec_number(spec_get(r, "linux.resources", "pids", json_type_object, bad),
                                "linux.resources.pids", "limit", INT64_MIN, INT64_MAX, 0, bad);
    cpu = spec_get(r, "linux.resources", "cpu", json_type_object, bad);
    quota = spec_number(cpu, "linux.resources.cpu", "quota", -1, INT64_MAX, 0, bad);
    period = spec_number(cpu, "linux.resources.cpu", "period", 0, INT64_MAX, 0, bad);
    if (flags.cpu_num_from_quota && quota > 0 && !c->cpus) {
        period = period ? period : 100000;
        quota = quota / period + (quota % period != 0);
        c->cpus = quota < 1024 ? (unsigned)quota : 0;
    }
}

/* What concerns the host only, or what no sandbox of ours has. */
static void refuse(json_object *linux_, bool *bad)
{
    json_object *personality = spec_get(linux_, "linux", "personality", json_type_object, bad);
    json_object *offsets = spec_get(linux_, "linux", "timeOffsets", json_type_object, bad);
    const char *domain = spec_text(personality, "linux.personality", "domain", bad);
    const char *propagation = spec_text(linux_, "linux", "rootfsPropagation", bad);
    static const char *const known[] = {"",       "private", "rprivate",   "slave",       "rslave",
                                        "shared", "rshared", "unbindable", "runbindable", NULL};
    size_t i;

    if (domain && strcmp(domain, "LINUX"))
        spec_bad(bad, "linux.personality", "domain", "%s is not supported; LINUX is", domain);
    if (offsets && json_object_object_length(offsets))
        spec_bad(bad, "linux", "timeOffsets", "is not supported");
    if (spec_has(linux_, "intelRdt"))
        spec_bad(bad, "linux", "intelRdt", "is not supported");
    for (i = 0; propagation && known[i] && strcmp(propagation, known[i]); i++)
        ;
    if (propagation && !known[i])
        spec_bad(bad, "linux", "rootfsPropagation", "\"%s\" is unknown", propagation);
    if (spec_get(linux_, "linux", "seccomp", json_type_object, bad) && flags.oci_seccomp)
        warn("linux.seccomp is not enforced inside the sandbox; no system call reaches the host");
}

int spec_linux(struct bundle *b, struct launch *l)
{
    struct sandbox_config *c = &l->sandbox;
    bool bad = false;
    json_object *linux_ = spec_get(b->json, "", "linux", json_type_object, &bad);

    load_namespaces(b, linux_, &bad);
    load_mappings(b, linux_, l, &bad);
    b->cgroups_path = spec_text(linux_, "linux", "cgroupsPath", &bad);
    if (b->cgroups_path && !*b->cgroups_path)
        b->cgroups_path = NULL;
    load_devices(b, linux_, c, &bad);
    load_sysctl(b, linux_, c, &bad);
    load_resources(b, linux_, c, &bad);
    c->masked_paths = (const char *const *)spec_strings(b, linux_, "linux", "maskedPaths", &bad);
    c->readonly_paths =
        (const char *const *)spec_strings(b, linux_, "linux", "readonlyPaths", &bad);
    refuse(linux_, &bad);
    return bad ? STATUS_FAILED : 0;
}
