// SPDX-License-Identifier: Apache-2.0
/*
 * Control groups of both versions: where they are, making, joining and removing them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "oci/cgroup.h"
#include "oci/oci.h"

typedef struct json_object json;

static const char *text_of(json *o, const char *name)
{
    json *v;

    return json_object_object_get_ex(o, name, &v) ? json_object_get_string(v) : NULL;
}

static bool flag_of(json *o, const char *name)
{
    json *v;

    return json_object_object_get_ex(o, name, &v) && json_object_get_boolean(v);
}

/* ---- files ---- */

int cgroup_write(const char *dir, const char *file, const char *value)
{
    char path[PATH_MAX];
    autoclose int fd = -1;

    if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, file) >= sizeof(path))
        return -ENAMETOOLONG;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

int cgroup_limit(const char *dir, const char *file, const char *value, const char *field)
{
    int err = cgroup_write(dir, file, value);

    if (!err)
        return 0;
    return fail("config.json: linux.resources.%s: cannot set %s/%s to %s: %s", field, dir, file,
                value, strerror(-err));
}

static ssize_t read_file(const char *dir, const char *file, char *buf, size_t size)
{
    char path[PATH_MAX];
    autoclose int fd = -1;
    ssize_t n;

    snprintf(path, sizeof(path), "%s/%s", dir, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, buf, size - 1);
    if (n >= 0)
        buf[n] = 0;
    return n;
}

uint64_t cgroup_number(json *record, const char *controller, const char *file, uint64_t def)
{
    const char *dir = cgroup_dir(record, controller, NULL);
    char buf[64], *end;
    uint64_t n;

    if (!dir || read_file(dir, file, buf, sizeof(buf)) <= 0)
        return def;
    n = strtoull(buf, &end, 10);
    return end == buf ? def : n;
}

uint64_t cgroup_word(json *record, const char *controller, const char *file, const char *word,
                     uint64_t def)
{
    const char *dir = cgroup_dir(record, controller, NULL);
    char buf[8192], *line, *next = buf;
    size_t n = strlen(word);

    if (!dir || read_file(dir, file, buf, sizeof(buf)) <= 0)
        return def;
    while ((line = strsep(&next, "\n")))
        if (!strncmp(line, word, n) && line[n] == ' ')
            return strtoull(line + n, NULL, 10);
    return def;
}

/* ---- what was asked for ---- */

static json *asked(json *resources, const char *section, const char *name)
{
    json *o = resources, *v;

    if (!o || (section && !json_object_object_get_ex(o, section, &o)) || !o ||
        !json_object_is_type(o, json_type_object))
        return NULL;
    return json_object_object_get_ex(o, name, &v) ? v : NULL;
}

bool cgroup_asked(json *resources, const char *section, const char *name, bool zero_unset,
                  int64_t *value)
{
    json *v = asked(resources, section, name);

    if (!v || !(json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_boolean)))
        return false;
    *value = json_object_get_int64(v);
    return *value || !zero_unset;
}

const char *cgroup_asked_text(json *resources, const char *section, const char *name)
{
    json *v = asked(resources, section, name);
    const char *s = v && json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";

    return *s ? s : NULL;
}

int cgroup_each_throttle(json *resources, const char *name, const char *dir,
                         int (*set)(const char *dir, const char *name, const char *value))
{
    json *a = asked(resources, "blockIO", name);
    size_t n = a && json_object_is_type(a, json_type_array) ? json_object_array_length(a) : 0;

    for (size_t i = 0; i < n; i++) {
        json *o = json_object_array_get_idx(a, i), *major, *minor, *rate;
        char value[96];

        if (!json_object_object_get_ex(o, "major", &major) ||
            !json_object_object_get_ex(o, "minor", &minor) ||
            (!json_object_object_get_ex(o, "rate", &rate) &&
             !json_object_object_get_ex(o, "weight", &rate)))
            return fail("config.json: linux.resources.blockIO.%s[%zu]: major, minor or rate is "
                        "missing",
                        name, i);
        snprintf(value, sizeof(value), "%d:%d %llu", json_object_get_int(major),
                 json_object_get_int(minor), (unsigned long long)json_object_get_uint64(rate));
        if (set(dir, name, value))
            return STATUS_FAILED;
    }
    return 0;
}

/* Does anything in resources limit the container? Device rules are the Sentry's own business. */
static bool limits_asked(json *resources)
{
    static const char *const names[][2] = {
        {"memory", "limit"},   {"memory", "swap"}, {"memory", "reservation"},
        {"cpu", "quota"},      {"cpu", "shares"},  {"pids", "limit"},
        {"blockIO", "weight"}, {"cpu", "idle"},    {"memory", "disableOOMKiller"},
    };
    int64_t v;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (cgroup_asked(resources, names[i][0], names[i][1], true, &v))
            return true;
    return cgroup_asked_text(resources, "cpu", "cpus") ||
           cgroup_asked_text(resources, "cpu", "mems");
}

/* ---- where ---- */

/* One mounted hierarchy; strings point into the line of mountinfo. */
struct hierarchy {
    const char *root, *point, *controllers; /* controllers: "memory" or "cpu,cpuacct"; v2: "" */
    bool v2;
};

static bool parse_mount(char *line, struct hierarchy *h)
{
    char *tail = strstr(line, " - "), *field[6], *options, *out;

    if (!tail)
        return false;
    *tail = 0;
    tail += 3;
    for (int i = 0; i < 6; i++)
        if (!(field[i] = strsep(&line, " ")))
            return false;
    h->root = field[3];
    h->point = field[4];
    h->v2 = !strncmp(tail, "cgroup2 ", 8);
    if (!h->v2 && strncmp(tail, "cgroup ", 7))
        return false;
    h->controllers = "";
    if (h->v2)
        return true;
    strsep(&tail, " "); /* type */
    strsep(&tail, " "); /* source */
    h->controllers = out = tail ? tail : (char *)"";
    out[strcspn(out, "\n")] = 0;
    for (options = out; options;) { /* drop what is no controller */
        char *word = strsep(&options, ",");
        size_t n = strlen(word);

        if (!strcmp(word, "rw") || !strcmp(word, "ro") || !strcmp(word, "xattr") ||
            !strncmp(word, "release_agent=", 14) || !strcmp(word, "clone_children"))
            continue;
        memmove(out, word, n);
        out[n] = ',';
        out += n + 1;
    }
    if (out > h->controllers)
        out--;
    *out = 0;
    return true;
}

/* Our own group in that hierarchy, as seen from its mount. */
static int own_path(const struct hierarchy *h, char *out, size_t size)
{
    FILE *f = fopen("/proc/self/cgroup", "re");
    char line[PATH_MAX + 256];
    int err = -ENOENT;

    while (f && err && fgets(line, sizeof(line), f)) {
        char *next = line, *path;
        const char *controllers;

        strsep(&next, ":");
        controllers = strsep(&next, ":");
        path = next;
        if (!controllers || !path || strcmp(controllers, h->controllers))
            continue;
        path[strcspn(path, "\n")] = 0;
        if (strcmp(h->root, "/") && !strncmp(path, h->root, strlen(h->root)))
            path += strlen(h->root);
        snprintf(out, size, "%s", path);
        err = 0;
    }
    if (f)
        fclose(f);
    return err;
}

/* slice:prefix:name of systemd as a path: a-b.slice is below a.slice. */
static int systemd_path(const char *s, char *out, size_t size)
{
    const char *first = strchr(s, ':'), *second = first ? strchr(first + 1, ':') : NULL;
    size_t n = 0, slice;

    if (!second)
        return fail("config.json: linux.cgroupsPath: \"%s\" is not slice:prefix:name, which "
                    "--systemd-cgroup asks for",
                    s);
    slice = (size_t)(first - s);
    if (!slice) {
        s = "system.slice";
        slice = strlen(s);
    }
    if (slice < 6 || strncmp(s + slice - 6, ".slice", 6))
        return fail("config.json: linux.cgroupsPath: \"%.*s\" is no slice", (int)slice, s);
    for (size_t i = 1; i < slice - 6; i++)
        if (s[i] == '-')
            n += (size_t)snprintf(out + n, size - n, "/%.*s.slice", (int)i, s);
    snprintf(out + n, size - n, "/%.*s/%.*s-%s.scope", (int)slice, s, (int)(second - first - 1),
             first + 1, second + 1);
    return 0;
}

static bool climbs(const char *path)
{
    for (const char *c = path; (c = strstr(c, "..")); c += 2)
        if ((c == path || c[-1] == '/') && (!c[2] || c[2] == '/'))
            return true;
    return false;
}

/* attach: processes go there; limits: and limits. */
static void add_record(json *record, const struct hierarchy *h, const char *dir, bool attach,
                       bool limits)
{
    json *o = json_object_new_object();

    json_object_object_add(o, "controllers", json_object_new_string(h->controllers));
    json_object_object_add(o, "mount", json_object_new_string(h->point));
    json_object_object_add(o, "dir", json_object_new_string(dir));
    json_object_object_add(o, "v2", json_object_new_boolean(h->v2));
    json_object_object_add(o, "attach", json_object_new_boolean(attach));
    json_object_object_add(o, "limits", json_object_new_boolean(limits));
    json_object_array_add(record, o);
}

static int plan_one(json *record, const struct hierarchy *h, const char *path, bool pids)
{
    char own[PATH_MAX] = "", dir[PATH_MAX];
    size_t n;

    if (path[0] != '/' && own_path(h, own, sizeof(own)))
        return 0; /* not there for us */
    if ((size_t)snprintf(dir, sizeof(dir) - 16, "%s%s/%s", h->point, strcmp(own, "/") ? own : "",
                         path + (path[0] == '/')) >= sizeof(dir) - 16)
        return fail("config.json: linux.cgroupsPath is too long");
    if (!pids || strcmp(h->controllers, "pids")) {
        add_record(record, h, dir, true, true);
        return 0;
    }
    /*
     * The limit counts the container's tasks, and the Sentry enforces it. The host's group shows it
     * to whoever looks there, but the sandbox' own threads, which are more, must not run into it.
     * Their group has a shorter name: podman takes the longest one to be the container's.
     */
    add_record(record, h, dir, false, true);
    n = strlen(strrchr(dir, '/') + 1);
    strcpy(dir + strlen(dir) - (n > 16 ? 4 : 0), ".s");
    add_record(record, h, dir, true, false);
    return 0;
}

int cgroup_plan(const char *path, const char *id, json *resources, json **record)
{
    char expanded[PATH_MAX], *line = NULL;
    bool unified_only = true;
    size_t size = 0;
    int64_t pids;
    int err = 0;
    FILE *f;

    *record = json_object_new_array();
    if (flags.ignore_cgroups || (!path && !limits_asked(resources)))
        return 0;
    if (path && flags.systemd_cgroup) {
        if (systemd_path(path, expanded, sizeof(expanded)))
            return STATUS_FAILED;
        path = expanded;
    }
    if (!path || !*path)
        path = id;
    if (climbs(path))
        return fail("config.json: linux.cgroupsPath: \"%s\" climbs out with ..", path);
    f = fopen("/proc/self/mountinfo", "re");
    for (int pass = 0; f && pass < 2; pass++) { /* a v2 mount beside v1 ones has no controllers */
        rewind(f);
        while (!err && getline(&line, &size, f) > 0) {
            struct hierarchy h;

            if (!parse_mount(line, &h) || strncmp(h.point, "/sys/fs/cgroup", 14))
                continue;
            unified_only &= h.v2;
            if (pass && (!h.v2 || unified_only))
                err = plan_one(*record, &h, path,
                               cgroup_asked(resources, "pids", "limit", true, &pids) && pids > 0);
        }
    }
    if (f)
        fclose(f);
    free(line);
    return err;
}

const char *cgroup_dir(json *record, const char *controller, bool *v2)
{
    size_t n = record ? json_object_array_length(record) : 0, len = strlen(controller);

    for (size_t i = 0; i < n; i++) {
        json *o = json_object_array_get_idx(record, i);
        const char *c = text_of(o, "controllers");

        if (v2)
            *v2 = flag_of(o, "v2");
        if (flag_of(o, "v2"))
            return text_of(o, "dir");
        for (; c && *c; c += strcspn(c, ","), c += *c == ',')
            if (strcspn(c, ",") == len && !strncmp(c, controller, len))
                return text_of(o, "dir");
    }
    return NULL;
}

/* ---- making ---- */

static int make_one(json *o)
{
    const char *mount = text_of(o, "mount"), *dir = text_of(o, "dir");
    bool v2 = flag_of(o, "v2");
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s", dir);
    for (char *c = path + strlen(mount) + 1;; c++) {
        char was = *c;
        int err;

        if (was && was != '/')
            continue;
        *c = 0;
        if (mkdir(path, 0755) && errno != EEXIST)
            return -errno;
        err = v2 ? 0 : cgroup_v1_prepare(text_of(o, "controllers"), path);
        if (err)
            return err;
        *c = was;
        if (!was)
            break;
    }
    return v2 ? cgroup_v2_prepare(mount, dir) : 0;
}

static int set_one(json *o, json *resources)
{
    const char *dir = text_of(o, "dir");

    if (!flag_of(o, "limits"))
        return 0;
    return flag_of(o, "v2") ? cgroup_v2_set(dir, resources)
                            : cgroup_v1_set(text_of(o, "controllers"), dir, resources);
}

int cgroup_make(json *record, json *resources)
{
    bool rootless = flags.rootless || geteuid() != 0;
    bool needed = limits_asked(resources);

    for (size_t i = 0; i < json_object_array_length(record);) {
        json *o = json_object_array_get_idx(record, i);
        int err = make_one(o);

        if (err && needed && !(rootless && (err == -EACCES || err == -EPERM || err == -EROFS)))
            return fail("cannot make the control group %s: %s", text_of(o, "dir"), strerror(-err));
        if (err) {
            warn("no control group %s: %s", text_of(o, "dir"), strerror(-err));
            rmdir(text_of(o, "dir"));
            json_object_array_del_idx(record, i, 1);
            continue;
        }
        if (set_one(o, resources))
            return STATUS_FAILED;
        i++;
    }
    return 0;
}

int cgroup_update(json *record, json *resources)
{
    for (size_t i = 0; i < json_object_array_length(record); i++)
        if (set_one(json_object_array_get_idx(record, i), resources))
            return STATUS_FAILED;
    return 0;
}

int cgroup_attach(json *record, pid_t pid)
{
    char text[24];

    snprintf(text, sizeof(text), "%d", pid);
    for (size_t i = 0; i < json_object_array_length(record); i++) {
        json *o = json_object_array_get_idx(record, i);
        int err = flag_of(o, "attach") ? cgroup_write(text_of(o, "dir"), "cgroup.procs", text) : 0;

        if (err)
            return fail("cannot join the control group %s: %s", text_of(o, "dir"), strerror(-err));
    }
    return 0;
}

/* ---- removing ---- */

/* rmdir a group and those below it. Its last process may take a moment to go. */
static int remove_dir(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    int err = 0;

    if (!d)
        return errno == ENOENT ? 0 : -errno;
    while ((e = readdir(d))) {
        char path[PATH_MAX];
        struct stat st;

        if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
            !S_ISDIR(st.st_mode))
            continue;
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) < sizeof(path))
            remove_dir(path);
    }
    closedir(d);
    for (int tries = 0; tries < 100; tries++) {
        err = rmdir(dir) && errno != ENOENT ? -errno : 0;
        if (err != -EBUSY)
            break;
        nanosleep(&(struct timespec){0, tries < 10 ? 1000000 : 20000000}, NULL);
    }
    return err;
}

int cgroup_remove(json *record)
{
    int err = 0;

    for (size_t i = 0; record && i < json_object_array_length(record); i++) {
        int one = remove_dir(text_of(json_object_array_get_idx(record, i), "dir"));

        if (one)
            err = one;
    }
    return err;
}
