// SPDX-License-Identifier: Apache-2.0
/*
 * The sections `root` and `mounts` of config.json.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "oci/spec.h"

/* A path of the bundle, absolute. */
static const char *absolute(struct bundle *b, const char *path)
{
    char *s = NULL;

    if (path[0] == '/')
        s = strdup(path);
    else if (asprintf(&s, "%s/%s", b->dir, path) < 0)
        s = NULL;
    return spec_keep(b, s);
}

static bool has_option(const char *const *options, const char *name)
{
    for (; options && *options; options++)
        if (!strcmp(*options, name))
            return true;
    return false;
}

/* The Sentry's name for an OCI mount type; NULL: not supported. */
static const char *mount_type(const char *type)
{
    static const char *const known[][2] = {
        {"proc", "proc"},       {"sysfs", "sysfs"},  {"tmpfs", "tmpfs"},
        {"devpts", "devpts"},   {"mqueue", "tmpfs"}, {"cgroup", "cgroup2"},
        {"cgroup2", "cgroup2"}, {"devtmpfs", "dev"}, {"ramfs", "tmpfs"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (!strcmp(type, known[i][0]))
            return known[i][1];
    return NULL;
}

/* Do others change the files, by --file-access or --file-access-mounts? */
static bool is_shared(const char *access)
{
    return !strcmp(access, "shared") || !strcmp(access, "direct");
}

static bool in_memory(const char *part)
{
    const char *at = flags.overlay2, *medium = strchr(at, ':');

    if (!medium || (strncmp(at, part, strlen(part)) && strncmp(at, "all", 3)))
        return false;
    return true;
}

/* A mount of a file or directory of the host. */
static int load_bind(struct bundle *b, struct launch_mount *out, const char *source,
                     const char *where, bool *bad)
{
    struct stat st;

    if (!source || !*source)
        return spec_bad(bad, where, "source", "is missing");
    out->source = absolute(b, source);
    if (!out->source || stat(out->source, &st))
        return spec_bad(bad, where, "source", "%s: no such file or directory", source);
    out->type = in_memory("mounts") && S_ISDIR(st.st_mode) ? "overlay" : "gofer";
    out->shared = is_shared(flags.file_access_mounts) && !strcmp(out->type, "gofer");
    return 0;
}

static int load_mount(struct bundle *b, json_object *m, size_t index)
{
    struct launch_mount *out = &b->mounts[b->nmounts];
    const char *dest, *type, *source;
    const char *const *options;
    char where[48];
    bool bad = false;

    snprintf(where, sizeof(where), "mounts[%zu]", index);
    if (!json_object_is_type(m, json_type_object))
        return spec_bad(&bad, where, "", "must be an object");
    dest = spec_text(m, where, "destination", &bad);
    type = spec_text(m, where, "type", &bad);
    source = spec_text(m, where, "source", &bad);
    options = (const char *const *)spec_strings(b, m, where, "options", &bad);
    if (bad)
        return STATUS_FAILED;
    if (!dest || dest[0] != '/')
        return spec_bad(&bad, where, "destination", "must be an absolute path");
    if (spec_has(m, "uidMappings") || spec_has(m, "gidMappings") || has_option(options, "idmap") ||
        has_option(options, "ridmap"))
        return spec_bad(&bad, where, "uidMappings", "is not supported: no mapped mounts");
    *out = (struct launch_mount){
        .destination = dest, .options = options, .readonly = has_option(options, "ro")};
    b->nmounts++;
    if (!type || !strcmp(type, "bind") || has_option(options, "bind") ||
        has_option(options, "rbind"))
        return load_bind(b, out, source, where, &bad);
    /* /dev as an engine asks for it is a tmpfs that the runtime fills */
    out->type = !strcmp(type, "tmpfs") && !strcmp(dest, "/dev") ? "dev" : mount_type(type);
    if (!out->type)
        return spec_bad(&bad, where, "type", "\"%s\" is not supported", type);
    return 0;
}

static int load_root(struct bundle *b)
{
    bool bad = false;
    json_object *root = spec_get(b->json, "", "root", json_type_object, &bad);
    const char *path = spec_text(root, "root", "path", &bad);
    bool readonly = spec_flag(root, "root", "readonly", &bad);
    struct stat st;

    if (bad)
        return STATUS_FAILED;
    if (!path || !*path)
        return spec_bad(&bad, "root", "path", "is missing");
    b->rootfs = absolute(b, path);
    if (!b->rootfs || stat(b->rootfs, &st) || !S_ISDIR(st.st_mode))
        return spec_bad(&bad, "root", "path", "%s: no such directory", path);
    b->mounts[b->nmounts++] = (struct launch_mount){
        .destination = "/",
        .type = in_memory("root") || readonly ? "overlay" : "gofer",
        .source = b->rootfs,
        .readonly = readonly,
        .shared = is_shared(flags.file_access) && !in_memory("root") && !readonly,
    };
    return 0;
}

int spec_mounts(struct bundle *b, struct launch *l)
{
    bool bad = false, have_dev = false;
    json_object *a = spec_get(b->json, "", "mounts", json_type_array, &bad);
    size_t n = a ? json_object_array_length(a) : 0;

    if (bad)
        return STATUS_FAILED;
    b->mounts = spec_keep(b, calloc(n + 2, sizeof(*b->mounts)));
    if (!b->mounts)
        return fail("out of memory");
    if (load_root(b))
        return STATUS_FAILED;
    for (size_t i = 0; i < n; i++)
        if (load_mount(b, json_object_array_get_idx(a, i), i))
            return STATUS_FAILED;
    for (size_t i = 0; i < b->nmounts; i++)
        have_dev |= !strcmp(b->mounts[i].destination, "/dev");
    if (!have_dev)
        b->mounts[b->nmounts++] = (struct launch_mount){.destination = "/dev", .type = "dev"};
    l->mounts = b->mounts;
    l->nmounts = b->nmounts;
    return 0;
}
