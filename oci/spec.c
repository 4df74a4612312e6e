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
    const char *bundle, *cwd, *netns;
    bool terminal;
} args = {".", "/", NULL, true};

static const struct option options[] = {
    {"bundle", OPTION_STRING, &args.bundle, "directory to write config.json into", NULL},
    {"b", OPTION_STRING, &args.bundle, NULL, NULL},
    {"cwd", OPTION_STRING, &args.cwd, "working directory of the process", NULL},
    {"netns", OPTION_STRING, &args.netns, "path of the network namespace to join", NULL},
    {"terminal", OPTION_BOOL, &args.terminal, "the process has a terminal (default)", NULL},
    {0},
};

static struct json_object *list(const char *const *items, size_t n)
{
    struct json_object *a = json_object_new_array();

    for (size_t i = 0; i < n; i++)
        json_object_array_add(a, json_object_new_string(items[i]));
    return a;
}

static void add_mount(struct json_object *mounts, const char *dest, const char *type,
                      const char *source, const char *const *options, size_t n)
{
    struct json_object *m = json_object_new_object();

    json_object_object_add(m, "destination", json_object_new_string(dest));
    json_object_object_add(m, "type", json_object_new_string(type));
    json_object_object_add(m, "source", json_object_new_string(source));
    if (n)
        json_object_object_add(m, "options", list(options, n));
    json_object_array_add(mounts, m);
}

#define LIST(...)                       \
    (const char *const[]){__VA_ARGS__}, \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)

static struct json_object *build_mounts(void)
{
    struct json_object *a = json_object_new_array();

    add_mount(a, "/proc", "proc", "proc", NULL, 0);
    add_mount(a, "/dev", "tmpfs", "tmpfs",
              LIST("nosuid", "strictatime", "mode=755", "size=65536k"));
    add_mount(a, "/dev/pts", "devpts", "devpts",
              LIST("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"));
    add_mount(a, "/dev/shm", "tmpfs", "shm",
              LIST("nosuid", "noexec", "nodev", "mode=1777", "size=65536k"));
    add_mount(a, "/dev/mqueue", "mqueue", "mqueue", LIST("nosuid", "noexec", "nodev"));
    add_mount(a, "/sys", "sysfs", "sysfs", LIST("nosuid", "noexec", "nodev", "ro"));
    return a;
}

static struct json_object *build_process(char **command, size_t n)
{
    struct json_object *p = json_object_new_object(), *user = json_object_new_object();
    struct json_object *caps = json_object_new_object(), *limit = json_object_new_object();
    struct json_object *limits = json_object_new_array();
    static const char *const sets[] = {"bounding", "effective", "permitted"};

    json_object_object_add(p, "terminal", json_object_new_boolean(args.terminal));
    json_object_object_add(user, "uid", json_object_new_int(0));
    json_object_object_add(user, "gid", json_object_new_int(0));
    json_object_object_add(p, "user", user);
    json_object_object_add(p, "args", n ? list((const char *const *)command, n) : list(LIST("sh")));
    json_object_object_add(
        p, "env",
        list(LIST("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                  "TERM=xterm")));
    json_object_object_add(p, "cwd", json_object_new_string(args.cwd));
    for (size_t i = 0; i < 3; i++)
        json_object_object_add(caps, sets[i],
                               list(LIST("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")));
    json_object_object_add(p, "capabilities", caps);
    json_object_object_add(limit, "type", json_object_new_string("RLIMIT_NOFILE"));
    json_object_object_add(limit, "hard", json_object_new_int(1024));
    json_object_object_add(limit, "soft", json_object_new_int(1024));
    json_object_array_add(limits, limit);
    json_object_object_add(p, "rlimits", limits);
    json_object_object_add(p, "noNewPrivileges", json_object_new_boolean(true));
    return p;
}

static struct json_object *build_linux(void)
{
    static const char *const namespaces[] = {"pid", "network", "ipc", "uts", "mount"};
    struct json_object *o = json_object_new_object(), *all = json_object_new_array();

    for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
        struct json_object *ns = json_object_new_object();

        json_object_object_add(ns, "type", json_object_new_string(namespaces[i]));
        if (args.netns && !strcmp(namespaces[i], "network"))
            json_object_object_add(ns, "path", json_object_new_string(args.netns));
        json_object_array_add(all, ns);
    }
    json_object_object_add(o, "namespaces", all);
    json_object_object_add(
        o, "maskedPaths",
        list(LIST("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware")));
    json_object_object_add(
        o, "readonlyPaths",
        list(LIST("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")));
    return o;
}

static struct json_object *build(char **command, size_t n)
{
    struct json_object *doc = json_object_new_object(), *root = json_object_new_object();

    json_object_object_add(doc, "ociVersion", json_object_new_string(OCI_VERSION));
    json_object_object_add(doc, "process", build_process(command, n));
    json_object_object_add(root, "path", json_object_new_string("rootfs"));
    json_object_object_add(root, "readonly", json_object_new_boolean(true));
    json_object_object_add(doc, "root", root);
    json_object_object_add(doc, "hostname", json_object_new_string("runsc"));
    json_object_object_add(doc, "mounts", build_mounts());
    json_object_object_add(doc, "linux", build_linux());
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
        flags_parse(argc, argv, options,
                    "runsc spec [--bundle DIR] [--cwd DIR] [-- command...]\n\n"
                    "Writes a config.json to start from, which runs sh or the given command on a "
                    "root file system in\nDIR/rootfs.");
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
