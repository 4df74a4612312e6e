// SPDX-License-Identifier: Apache-2.0
/*
 * runsc features: what the runtime can do, features.md of runtime-spec 1.2.
 */
#include <json-c/json.h>
#include <stdio.h>
#include "oci/oci.h"

static const struct option options[] = {{0}};

static json_object *list(const char *const *words)
{
    json_object *a = json_object_new_array();

    for (; *words; words++)
        json_object_array_add(a, json_object_new_string(*words));
    return a;
}

static json_object *flag(const char *name, bool value)
{
    json_object *o = json_object_new_object();

    json_object_object_add(o, name, json_object_new_boolean(value));
    return o;
}

static json_object *capabilities(void)
{
    json_object *a = json_object_new_array();
    char name[64];

    for (unsigned i = 0; capability_name(i, name, sizeof(name)); i++)
        json_object_array_add(a, json_object_new_string(name));
    return a;
}

static json_object *linux_features(void)
{
    static const char *const namespaces[] = {"cgroup", "ipc", "mount", "network",
                                             "pid",    "uts", "user",  NULL};
    json_object *o = json_object_new_object(), *cgroup = json_object_new_object();

    json_object_object_add(o, "namespaces", list(namespaces));
    json_object_object_add(o, "capabilities", capabilities());
    json_object_object_add(cgroup, "v1", json_object_new_boolean(true));
    json_object_object_add(cgroup, "v2", json_object_new_boolean(true));
    json_object_object_add(cgroup, "systemd", json_object_new_boolean(false));
    json_object_object_add(cgroup, "systemdUser", json_object_new_boolean(false));
    json_object_object_add(cgroup, "rdma", json_object_new_boolean(false));
    json_object_object_add(o, "cgroup", cgroup);
    json_object_object_add(o, "seccomp", flag("enabled", false));
    json_object_object_add(o, "apparmor", flag("enabled", false));
    json_object_object_add(o, "selinux", flag("enabled", false));
    json_object_object_add(o, "intelRdt", flag("enabled", false));
    cgroup = json_object_new_object();
    json_object_object_add(cgroup, "idmap", flag("enabled", false));
    json_object_object_add(o, "mountExtensions", cgroup);
    return o;
}

int command_features(int argc, char **argv)
{
    static const char *const hooks[] = {
        "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
        NULL};
    static const char *const mount_options[] = {
        "async",       "atime",    "bind",    "defaults",   "dev",     "diratime", "exec",
        "noatime",     "nodev",    "noexec",  "nosuid",     "private", "rbind",    "relatime",
        "ro",          "rprivate", "rshared", "rslave",     "rw",      "shared",   "slave",
        "strictatime", "suid",     "sync",    "unbindable", NULL};
    int first = flags_parse(argc, argv, options,
                            "runsc features\n\nPrints what this runtime supports, as JSON.");
    json_object *o, *annotations;

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    o = json_object_new_object();
    json_object_object_add(o, "ociVersionMin", json_object_new_string("1.0.0"));
    json_object_object_add(o, "ociVersionMax", json_object_new_string(OCI_VERSION));
    json_object_object_add(o, "hooks", list(hooks));
    json_object_object_add(o, "mountOptions", list(mount_options));
    json_object_object_add(o, "linux", linux_features());
    annotations = json_object_new_object();
    json_object_object_add(annotations, "org.ringfort.version",
                           json_object_new_string(RINGFORT_VERSION));
    json_object_object_add(o, "annotations", annotations);
    printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
    return 0;
}
