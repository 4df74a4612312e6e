// SPDX-License-Identifier: Apache-2.0
/*
 * runsc spec: a config.json to start from.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "oci/oci.h"

static struct {
    const char *bundle, *cwd;
} args = {".", "/"};

static const struct option options[] = {
    {"bundle", OPTION_STRING, &args.bundle, "directory to write config.json into", NULL},
    {"cwd", OPTION_STRING, &args.cwd, "working directory of the process", NULL},
    {0},
};

static struct json_object *list(const char *const *items, size_t n)
{
    struct json_object *a = json_object_new_array();

    for (size_t i = 0; i < n; i++)
        json_object_array_add(a, json_object_new_string(items[i]));
    return a;
}

static void add_mount(struct json_object *mounts, const char *dest, const char *type)
{
    struct json_object *m = json_object_new_object();

    json_object_object_add(m, "destination", json_object_new_string(dest));
    json_object_object_add(m, "type", json_object_new_string(type));
    json_object_object_add(m, "source", json_object_new_string(type));
    json_object_array_add(mounts, m);
}

static struct json_object *build(char **command, size_t n)
{
    static const char *const sh[] = {"sh"};
    static const char *const env[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"};
    static const char *const namespaces[] = {"pid", "network", "ipc", "uts", "mount"};
    struct json_object *doc = json_object_new_object(), *process = json_object_new_object();
    struct json_object *user = json_object_new_object(), *root = json_object_new_object();
    struct json_object *mounts = json_object_new_array(), *linux_ = json_object_new_object();
    struct json_object *ns = json_object_new_array();

    json_object_object_add(user, "uid", json_object_new_int(0));
    json_object_object_add(user, "gid", json_object_new_int(0));
    json_object_object_add(process, "user", user);
    json_object_object_add(process, "args",
                           n ? list((const char *const *)command, n) : list(sh, 1));
    json_object_object_add(process, "env", list(env, 2));
    json_object_object_add(process, "cwd", json_object_new_string(args.cwd));
    json_object_object_add(root, "path", json_object_new_string("rootfs"));
    json_object_object_add(root, "readonly", json_object_new_boolean(true));
    add_mount(mounts, "/proc", "proc");
    add_mount(mounts, "/dev", "tmpfs");
    add_mount(mounts, "/sys", "sysfs");
    for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
        struct json_object *o = json_object_new_object();
        json_object_object_add(o, "type", json_object_new_string(namespaces[i]));
        json_object_array_add(ns, o);
    }
    json_object_object_add(linux_, "namespaces", ns);
    json_object_object_add(doc, "ociVersion", json_object_new_string("1.0.0"));
    json_object_object_add(doc, "process", process);
    json_object_object_add(doc, "root", root);
    json_object_object_add(doc, "hostname", json_object_new_string("runsc"));
    json_object_object_add(doc, "mounts", mounts);
    json_object_object_add(doc, "linux", linux_);
    return doc;
}

int command_spec(int argc, char **argv)
{
    char path[PATH_MAX];
    struct json_object *doc;
    const char *out;
    autoclose int fd = -1;
    int first, status = 0;

    first =
        flags_parse(argc, argv, options, "runsc spec [--bundle DIR] [--cwd DIR] [-- command...]");
    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    snprintf(path, sizeof(path), "%s/config.json", args.bundle);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return fail("spec: cannot write %s: %s", path, strerror(errno));
    doc = build(argv + first, (size_t)(argc - first));
    out = json_object_to_json_string_ext(doc,
                                         JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (dprintf(fd, "%s\n", out) < 0)
        status = fail("spec: cannot write %s: %s", path, strerror(errno));
    json_object_put(doc);
    return status;
}
