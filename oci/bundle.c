// SPDX-License-Identifier: Apache-2.0
/*
 * config.json of an OCI bundle as a whole; the sections are in spec_*.c.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "oci/hooks.h"
#include "oci/spec.h"

/* 1.x.y with anything behind: later minor versions only add what may be ignored. */
static int check_version(struct bundle *b)
{
    bool bad = false;
    const char *version = spec_text(b->json, "", "ociVersion", &bad);
    unsigned major, minor, patch;

    if (bad)
        return STATUS_FAILED;
    if (!version)
        return spec_bad(&bad, "", "ociVersion", "is missing");
    if (sscanf(version, "%u.%u.%u", &major, &minor, &patch) != 3)
        return spec_bad(&bad, "", "ociVersion", "\"%s\" is no version", version);
    return major == 1
               ? 0
               : spec_bad(&bad, "", "ociVersion", "\"%s\" is not supported; 1.x is", version);
}

static int check_annotations(struct bundle *b)
{
    bool bad = false;

    b->annotations = spec_get(b->json, "", "annotations", json_type_object, &bad);
    if (b->annotations) {
        json_object_object_foreach(b->annotations, key, v)
        {
            if (!*key)
                return spec_bad(&bad, "annotations", "", "must not have an empty key");
            if (!json_object_is_type(v, json_type_string))
                return spec_bad(&bad, "annotations", key, "must be a string");
        }
    }
    return bad ? STATUS_FAILED : 0;
}

static bool listed(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (!strcmp(*list, name))
            return true;
    return false;
}

/*
 * dev.gvisor.flag.NAME: a flag for this container. Whoever writes annotations is not who runs us:
 * only what cannot weaken the sandbox is theirs without --allow-flag-override, and no paths ever.
 */
static int apply_flags(struct bundle *b, struct launch *l)
{
    static const char prefix[] = "dev.gvisor.flag.";
    static const char *const theirs[] = {"debug",
                                         "strace",
                                         "oci-seccomp",
                                         "overlay2",
                                         "net-disconnect-ok",
                                         "allow-connected-on-save",
                                         NULL};
    static const char *const never[] = {"root",
                                        "config",
                                        "log",
                                        "log-format",
                                        "debug-log",
                                        "rootless",
                                        "allow-flag-override",
                                        "ignore-cgroups",
                                        "systemd-cgroup",
                                        NULL};

    if (!b->annotations)
        return 0;
    json_object_object_foreach(b->annotations, key, v)
    {
        const char *name = key + sizeof(prefix) - 1;

        if (strncmp(key, prefix, sizeof(prefix) - 1))
            continue;
        if (listed(never, name) || !(flags.allow_flag_override || listed(theirs, name)))
            return fail("config.json: annotations.%s: an annotation may not set this flag%s", key,
                        listed(never, name) ? "" : " without --allow-flag-override");
        if (flags_set(global_options, "config.json: annotations.dev.gvisor.flag.", name,
                      strlen(name), json_object_get_string(v)))
            return STATUS_FAILED;
    }
    l->sandbox.strace = flags.strace;
    l->sandbox.debug = flags.debug ? 2 : 0;
    return flags_check();
}

int bundle_load(const char *dir, struct bundle *b, struct launch *l)
{
    json_object *process;
    char path[PATH_MAX];
    bool bad = false;

    *b = (struct bundle){.dir = dir};
    if ((size_t)snprintf(path, sizeof(path), "%s/config.json", dir) >= sizeof(path))
        return fail("the bundle's name is too long");
    b->json = spec_read(path);
    if (!b->json)
        return STATUS_FAILED;
    if (check_version(b) || check_annotations(b) || apply_flags(b, l))
        return STATUS_FAILED;
    b->hooks = spec_get(b->json, "", "hooks", json_type_object, &bad);
    if (bad || hooks_check(b->hooks))
        return STATUS_FAILED;
    l->sandbox.hostname = spec_text(b->json, "", "hostname", &bad);
    l->sandbox.domainname = spec_text(b->json, "", "domainname", &bad);
    if (!l->sandbox.hostname || !*l->sandbox.hostname)
        l->sandbox.hostname = "runsc";
    process = spec_get(b->json, "", "process", json_type_object, &bad);
    if (!bad && !process)
        return spec_bad(&bad, "", "process", "is missing");
    if (bad || spec_process(b, process, &l->sandbox.process) || spec_linux(b, l))
        return STATUS_FAILED;
    return spec_mounts(b, l);
}

int bundle_load_process(const char *path, struct bundle *b, struct sandbox_process *p)
{
    *b = (struct bundle){.dir = "/"};
    b->json = spec_read(path);
    return b->json ? spec_process(b, b->json, p) : STATUS_FAILED;
}

void bundle_free(struct bundle *b)
{
    for (size_t i = 0; i < b->nkept; i++)
        free(b->kept[i]);
    free(b->kept);
    json_object_put(b->json);
    *b = (struct bundle){0};
}
