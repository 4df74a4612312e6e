// SPDX-License-Identifier: Apache-2.0
/*
 * config.json of an OCI bundle: runtime-spec 1.2, config.md and config-linux.md. What is not
 * supported is refused by name; namespaces are always new ones, since the sandbox has its own
 * kernel.
 */
#include "oci/bundle.h"
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <linux/capability.h>
#include <sys/resource.h>

typedef struct json_object json;

#define MAX_CONFIG (4 << 20)

/* Capability names in the order of their numbers, capabilities(7). */
static const char *const cap_names[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

static const char *const rlimit_names[16] = {
    [RLIMIT_CPU] = "RLIMIT_CPU",           [RLIMIT_FSIZE] = "RLIMIT_FSIZE",
    [RLIMIT_DATA] = "RLIMIT_DATA",         [RLIMIT_STACK] = "RLIMIT_STACK",
    [RLIMIT_CORE] = "RLIMIT_CORE",         [RLIMIT_RSS] = "RLIMIT_RSS",
    [RLIMIT_NPROC] = "RLIMIT_NPROC",       [RLIMIT_NOFILE] = "RLIMIT_NOFILE",
    [RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",   [RLIMIT_AS] = "RLIMIT_AS",
    [RLIMIT_LOCKS] = "RLIMIT_LOCKS",       [RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
    [RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE", [RLIMIT_NICE] = "RLIMIT_NICE",
    [RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",     [RLIMIT_RTTIME] = "RLIMIT_RTTIME",
};

/* Member of the wanted type; NULL when absent. A member of another type is an error: *bad. */
static json *member(json *o, const char *name, enum json_type type, bool *bad)
{
    json *v;

    if (!o || !json_object_object_get_ex(o, name, &v) || !v)
        return NULL;
    if (!json_object_is_type(v, type)) {
        fail("config.json: %s must be a %s", name, json_type_to_name(type));
        *bad = true;
        return NULL;
    }
    return v;
}

static const char *text(json *o, const char *name, bool *bad)
{
    json *v = member(o, name, json_type_string, bad);

    return v ? json_object_get_string(v) : NULL;
}

static bool boolean(json *o, const char *name, bool *bad)
{
    json *v = member(o, name, json_type_boolean, bad);

    return v && json_object_get_boolean(v);
}

static uint32_t number32(json *o, const char *name, bool *bad)
{
    json *v = member(o, name, json_type_int, bad);
    int64_t n = v ? json_object_get_int64(v) : 0;

    if (n < 0 || n > UINT32_MAX) {
        fail("config.json: %s is out of range", name);
        *bad = true;
        return 0;
    }
    return (uint32_t)n;
}

/* Array of strings as a NULL-terminated vector; NULL when absent or bad. */
static const char **strings(json *o, const char *name, bool *bad)
{
    json *a = member(o, name, json_type_array, bad);
    size_t n = a ? json_object_array_length(a) : 0;
    const char **v = a ? calloc(n + 1, sizeof(*v)) : NULL;

    for (size_t i = 0; v && i < n; i++) {
        json *s = json_object_array_get_idx(a, i);
        if (!json_object_is_type(s, json_type_string) ||
            strlen(json_object_get_string(s)) != (size_t)json_object_get_string_len(s)) {
            fail("config.json: %s[%zu] must be a string without NUL", name, i);
            *bad = true;
            free(v);
            return NULL;
        }
        v[i] = json_object_get_string(s);
    }
    return v;
}

/* ---- process ---- */

static uint64_t cap_set(json *caps, const char *name, bool *bad)
{
    const char **v = strings(caps, name, bad);
    uint64_t set = 0;

    for (size_t i = 0; v && v[i]; i++)
        for (size_t c = 0; c < sizeof(cap_names) / sizeof(cap_names[0]); c++)
            if (!strcmp(v[i], cap_names[c]))
                set |= 1ULL << c;
    free(v);
    return set;
}

static void load_rlimits(json *process, struct sandbox_process *c, bool *bad)
{
    json *a = member(process, "rlimits", json_type_array, bad);

    for (size_t i = 0; a && i < json_object_array_length(a); i++) {
        json *r = json_object_array_get_idx(a, i), *soft, *hard;
        const char *type = text(r, "type", bad);
        size_t k;

        for (k = 0; type && k < 16 && strcmp(type, rlimit_names[k]); k++)
            ;
        if (!type || k == 16 || !json_object_object_get_ex(r, "soft", &soft) ||
            !json_object_object_get_ex(r, "hard", &hard)) {
            fail("config.json: process.rlimits[%zu]: unknown type %s, or soft or hard is missing",
                 i, type ? type : "(none)");
            *bad = true;
            return;
        }
        c->rlimits[k] =
            (struct sandbox_rlimit){json_object_get_uint64(soft), json_object_get_uint64(hard)};
    }
}

static void load_user(json *process, struct bundle *b, struct sandbox_process *c, bool *bad)
{
    json *user = member(process, "user", json_type_object, bad), *groups;
    json *mask;

    c->uid = number32(user, "uid", bad);
    c->gid = number32(user, "gid", bad);
    c->umask = user && json_object_object_get_ex(user, "umask", &mask)
                   ? number32(user, "umask", bad)
                   : 022;
    groups = member(user, "additionalGids", json_type_array, bad);
    c->ngroups = groups ? json_object_array_length(groups) : 0;
    if (!c->ngroups)
        return;
    b->groups = calloc(c->ngroups, sizeof(*b->groups));
    for (size_t i = 0; b->groups && i < c->ngroups; i++)
        b->groups[i] = (uint32_t)json_object_get_int64(json_object_array_get_idx(groups, i));
    c->groups = b->groups;
}

static int load_process(struct bundle *b, struct sandbox_process *c)
{
    bool bad = false;
    json *process = member(b->json, "process", json_type_object, &bad), *caps;

    if (!process)
        return bad ? STATUS_FAILED : fail("config.json: process is missing");
    b->argv = strings(process, "args", &bad);
    b->envp = strings(process, "env", &bad);
    if (!bad && (!b->argv || !b->argv[0]))
        return fail("config.json: process.args is missing or empty");
    if (!b->envp)
        b->envp = calloc(1, sizeof(*b->envp));
    c->argv = b->argv;
    c->envp = b->envp;
    c->cwd = text(process, "cwd", &bad);
    if (!bad && (!c->cwd || c->cwd[0] != '/'))
        return fail("config.json: process.cwd must be an absolute path");
    c->no_new_privs = boolean(process, "noNewPrivileges", &bad);
    load_user(process, b, c, &bad);
    caps = member(process, "capabilities", json_type_object, &bad);
    c->caps = (struct sandbox_caps){
        .bounding = cap_set(caps, "bounding", &bad),
        .effective = cap_set(caps, "effective", &bad),
        .inheritable = cap_set(caps, "inheritable", &bad),
        .permitted = cap_set(caps, "permitted", &bad),
        .ambient = cap_set(caps, "ambient", &bad),
    };
    load_rlimits(process, c, &bad);
    return bad ? STATUS_FAILED : 0;
}

/* ---- root and mounts ---- */

static char *absolute(struct bundle *b, const char *dir, const char *path)
{
    char *s = NULL;

    if (path[0] == '/')
        s = strdup(path);
    else if (asprintf(&s, "%s/%s", dir, path) < 0)
        s = NULL;
    if (s)
        b->owned[b->nowned++] = s;
    return s;
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
        {"proc", "proc"},    {"sysfs", "sysfs"},  {"tmpfs", "tmpfs"},   {"devpts", "devpts"},
        {"mqueue", "tmpfs"}, {"cgroup", "tmpfs"}, {"cgroup2", "tmpfs"}, {"devtmpfs", "dev"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (!strcmp(type, known[i][0]))
            return known[i][1];
    return NULL;
}

static int load_mount(struct bundle *b, json *m, const char *dir, size_t index)
{
    bool bad = false;
    struct launch_mount *out = &b->mounts[b->nmounts];
    const char *dest = text(m, "destination", &bad), *type = text(m, "type", &bad);
    const char *source = text(m, "source", &bad);
    const char **options = strings(m, "options", &bad);
    struct stat st;

    b->options[b->nmounts] = options;
    if (bad)
        return STATUS_FAILED;
    if (!dest || dest[0] != '/')
        return fail("config.json: mounts[%zu].destination must be an absolute path", index);
    *out = (struct launch_mount){
        .destination = dest, .options = options, .readonly = has_option(options, "ro")};
    if (!type || !strcmp(type, "bind") || has_option(options, "bind") ||
        has_option(options, "rbind")) {
        if (!source)
            return fail("config.json: mounts[%zu].source is missing", index);
        out->source = absolute(b, dir, source);
        out->type = "gofer";
        if (!out->source || stat(out->source, &st))
            return fail("config.json: mounts[%zu].source: no such file or directory: %s", index,
                        source);
    } else {
        /* /dev as an engine asks for it is a tmpfs that the runtime fills */
        out->type = !strcmp(type, "tmpfs") && !strcmp(dest, "/dev") ? "dev" : mount_type(type);
        if (!out->type)
            return fail("config.json: mounts[%zu].type: \"%s\" is not supported", index, type);
    }
    b->nmounts++;
    return 0;
}

static int load_mounts(struct bundle *b, const char *dir, struct launch *l)
{
    bool bad = false;
    json *root = member(b->json, "root", json_type_object, &bad);
    json *a = member(b->json, "mounts", json_type_array, &bad);
    size_t n = a ? json_object_array_length(a) : 0;
    const char *path = text(root, "path", &bad);
    bool have_dev = false;
    struct stat st;

    if (bad)
        return STATUS_FAILED;
    if (!path)
        return fail("config.json: root.path is missing");
    b->mounts = calloc(n + 2, sizeof(*b->mounts));
    b->options = calloc(n + 2, sizeof(*b->options));
    b->owned = calloc(n + 2, sizeof(*b->owned));
    if (!b->mounts || !b->options || !b->owned)
        return fail("out of memory");
    b->mounts[0] = (struct launch_mount){
        .destination = "/",
        .type = "overlay",
        .source = absolute(b, dir, path),
        .readonly = boolean(root, "readonly", &bad),
    };
    if (!b->mounts[0].source || stat(b->mounts[0].source, &st) || !S_ISDIR(st.st_mode))
        return fail("config.json: root.path: no such directory: %s", path);
    b->nmounts = 1;
    for (size_t i = 0; i < n; i++) {
        int err = load_mount(b, json_object_array_get_idx(a, i), dir, i);
        if (err)
            return err;
    }
    for (size_t i = 0; i < b->nmounts; i++)
        have_dev |= !strcmp(b->mounts[i].destination, "/dev");
    if (!have_dev)
        b->mounts[b->nmounts++] = (struct launch_mount){.destination = "/dev", .type = "dev"};
    l->mounts = b->mounts;
    l->nmounts = b->nmounts;
    return bad ? STATUS_FAILED : 0;
}

/* ---- the document ---- */

/* What changes how the container must behave and cannot be honoured yet. */
static int refuse_unsupported(struct bundle *b)
{
    static const char *const paths[][2] = {
        {NULL, "hooks"},
        {"linux", "seccomp"},
        {"linux", "resources"},
        {"linux", "sysctl"},
    };

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        json *o = b->json, *v;

        if (paths[i][0] && !json_object_object_get_ex(b->json, paths[i][0], &o))
            continue;
        if (!json_object_object_get_ex(o, paths[i][1], &v) || !v)
            continue;
        if (json_object_is_type(v, json_type_object) && json_object_object_length(v) == 0)
            continue;
        /* the default device rule of `runc spec`: everything is refused by the Sentry anyway */
        if (!strcmp(paths[i][1], "resources") && json_object_object_length(v) == 1 &&
            json_object_object_get_ex(v, "devices", NULL))
            continue;
        return fail("config.json: %s%s%s is not supported yet", paths[i][0] ? paths[i][0] : "",
                    paths[i][0] ? "." : "", paths[i][1]);
    }
    return 0;
}

static json *read_document(const char *path)
{
    struct json_tokener *tok = json_tokener_new_ex(64);
    autofree char *buf = malloc(MAX_CONFIG + 1);
    FILE *f = fopen(path, "re");
    json *doc = NULL;
    size_t n;

    if (!tok || !buf || !f) {
        fail("cannot open %s; is this a bundle directory? (runsc spec writes a config.json)", path);
        goto out;
    }
    n = fread(buf, 1, MAX_CONFIG + 1, f);
    if (n > MAX_CONFIG) {
        fail("%s: larger than %d bytes", path, MAX_CONFIG);
        goto out;
    }
    doc = json_tokener_parse_ex(tok, buf, (int)n);
    if (!doc || !json_object_is_type(doc, json_type_object)) {
        fail("%s: %s", path,
             json_tokener_get_error(tok) == json_tokener_success
                 ? "not a JSON object"
                 : json_tokener_error_desc(json_tokener_get_error(tok)));
        json_object_put(doc);
        doc = NULL;
    }
out:
    if (f)
        fclose(f);
    if (tok)
        json_tokener_free(tok);
    return doc;
}

int bundle_load(const char *dir, struct bundle *b, struct launch *l)
{
    char path[PATH_MAX];
    bool bad = false;
    const char *version;
    int err;

    memset(b, 0, sizeof(*b));
    snprintf(path, sizeof(path), "%s/config.json", dir);
    b->json = read_document(path);
    if (!b->json)
        return STATUS_FAILED;
    version = text(b->json, "ociVersion", &bad);
    if (bad)
        return STATUS_FAILED;
    if (!version || strncmp(version, "1.", 2))
        return fail("config.json: ociVersion \"%s\" is not supported; 1.x is",
                    version ? version : "");
    l->sandbox.hostname = text(b->json, "hostname", &bad);
    if (!l->sandbox.hostname)
        l->sandbox.hostname = "runsc";
    err = refuse_unsupported(b);
    if (!err)
        err = load_process(b, &l->sandbox.process);
    if (!err)
        err = load_mounts(b, dir, l);
    return bad ? STATUS_FAILED : err;
}

void bundle_free(struct bundle *b)
{
    for (size_t i = 0; b->options && i < b->nmounts; i++)
        free(b->options[i]);
    for (size_t i = 0; i < b->nowned; i++)
        free(b->owned[i]);
    free(b->owned);
    free(b->options);
    free(b->mounts);
    free(b->argv);
    free(b->envp);
    free(b->groups);
    json_object_put(b->json);
}
