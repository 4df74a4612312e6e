// SPDX-License-Identifier: Apache-2.0
/*
 * runsc install and uninstall: our entry among the runtimes of Docker's daemon.json. What is there
 * stays; the file as it was is kept beside it, so that uninstall can put back the very same bytes
 * when nobody has changed it since.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "oci/oci.h"

#define FILE_MAX (1 << 20)
#define STYLE    (JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE)

static struct {
    const char *file, *name, *cgroup_driver;
    bool experimental, clobber;
} args = {.file = "/etc/docker/daemon.json", .name = "runsc"};

static const struct option options[] = {
    {"config_file", OPTION_STRING, &args.file, "Docker's configuration", NULL},
    {"config-file", OPTION_STRING, &args.file, NULL, NULL},
    {"runtime", OPTION_STRING, &args.name, "name of the runtime in it", NULL},
    {"experimental", OPTION_BOOL, &args.experimental, "turn Docker's experimental features on",
     NULL},
    {"clobber", OPTION_BOOL, &args.clobber, "replace an entry that differs", NULL},
    {"cgroupdriver", OPTION_STRING, &args.cgroup_driver, "set Docker's cgroup driver", NULL},
    {0},
};

/* Whole file as text. NULL with *err = 0: there is none. */
static char *read_text(const char *path, int *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = malloc(FILE_MAX + 1);
    ssize_t n = fd >= 0 && text ? read(fd, text, FILE_MAX) : -1;

    *err = fd < 0 && errno == ENOENT ? 0 : n < 0 ? -errno : 0;
    if (n >= FILE_MAX)
        *err = -EFBIG;
    if (fd >= 0)
        close(fd);
    if (n < 0 || *err) {
        free(text);
        return NULL;
    }
    text[n] = 0;
    return text;
}

/* In place at once, mode and owner kept. 0 or -errno. */
static int write_text(const char *path, const char *text)
{
    char tmp[PATH_MAX];
    struct stat st;
    bool old = !stat(path, &st);
    int fd, err = 0;

    if ((size_t)snprintf(tmp, sizeof(tmp), "%s.new", path) >= sizeof(tmp))
        return -ENAMETOOLONG;
    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, old ? st.st_mode & 0777 : 0644);
    if (fd < 0)
        return -errno;
    if ((old && fchown(fd, st.st_uid, st.st_gid) && geteuid() == 0) ||
        write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fsync(fd))
        err = errno ? -errno : -EIO;
    close(fd);
    if (!err && rename(tmp, path))
        err = -errno;
    if (err)
        unlink(tmp);
    return err;
}

/* The document; an empty or missing file is an empty one. NULL after a message. */
static json_object *parse(const char *text)
{
    struct json_tokener *tok = json_tokener_new_ex(32);
    json_object *doc = NULL;

    if (!text || !text[strspn(text, " \t\r\n")]) {
        doc = json_object_new_object();
    } else if (tok) {
        json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
        doc = json_tokener_parse_ex(tok, text, (int)strlen(text) + 1);
    }
    if (tok)
        json_tokener_free(tok);
    if (doc && json_object_is_type(doc, json_type_object))
        return doc;
    json_object_put(doc);
    fail("%s: not a JSON object; it stays as it is", args.file);
    return NULL;
}

static json_object *make_entry(char **words)
{
    json_object *entry = json_object_new_object(), *list;
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    self[n > 0 ? n : 0] = 0;
    json_object_object_add(entry, "path", json_object_new_string(self));
    if (!*words)
        return entry;
    list = json_object_new_array();
    for (; *words; words++)
        json_object_array_add(list, json_object_new_string(*words));
    json_object_object_add(entry, "runtimeArgs", list);
    return entry;
}

static int add_exec_option(json_object *doc)
{
    json_object *list;
    char option[128];

    if (!args.cgroup_driver)
        return 0;
    snprintf(option, sizeof(option), "native.cgroupdriver=%s", args.cgroup_driver);
    if (!json_object_object_get_ex(doc, "exec-opts", &list)) {
        list = json_object_new_array();
        json_object_object_add(doc, "exec-opts", list);
    }
    if (!json_object_is_type(list, json_type_array))
        return fail("%s: exec-opts is no array", args.file);
    json_object_array_add(list, json_object_new_string(option));
    return 0;
}

static int add_entry(json_object *doc, char **words)
{
    json_object *runtimes, *old, *entry;

    if (!json_object_object_get_ex(doc, "runtimes", &runtimes)) {
        runtimes = json_object_new_object();
        json_object_object_add(doc, "runtimes", runtimes);
    }
    if (!json_object_is_type(runtimes, json_type_object))
        return fail("%s: runtimes is no object", args.file);
    entry = make_entry(words);
    if (json_object_object_get_ex(runtimes, args.name, &old) && !args.clobber &&
        !json_object_equal(old, entry)) {
        json_object_put(entry);
        return fail("%s: there is another runtime \"%s\" already; --clobber replaces it", args.file,
                    args.name);
    }
    json_object_object_add(runtimes, args.name, entry);
    if (args.experimental)
        json_object_object_add(doc, "experimental", json_object_new_boolean(true));
    return add_exec_option(doc);
}

static void backup_name(char *out, size_t size)
{
    snprintf(out, size, "%s.before-%s", args.file, args.name);
}

static int make_folder(void)
{
    char copy[PATH_MAX];

    snprintf(copy, sizeof(copy), "%s", args.file);
    if (mkdir(dirname(copy), 0755) && errno != EEXIST)
        return fail("%s: %s", copy, strerror(errno));
    return 0;
}

/* Keep what was there, and beside it a note of what we have made of it, to know it again. */
static int keep_backup(const char *before, const char *after)
{
    char path[PATH_MAX];
    json_object *o = json_object_new_object();
    int err;

    if (before)
        json_object_object_add(o, "before", json_object_new_string(before));
    json_object_object_add(o, "after", json_object_new_string(after));
    backup_name(path, sizeof(path));
    err = write_text(path, json_object_to_json_string(o));
    json_object_put(o);
    return err ? fail("%s: %s", path, strerror(-err)) : 0;
}

int command_install(int argc, char **argv)
{
    int first = flags_parse(argc, argv, options,
                            "runsc install [--config_file FILE] [--runtime NAME] [-- ARGS]\n\n"
                            "Adds runsc to the runtimes of Docker's configuration, with ARGS as "
                            "its runtimeArgs. Restart or\nreload Docker afterwards."),
        err, status;
    autofree char *before = NULL;
    json_object *doc;

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    before = read_text(args.file, &err);
    if (err)
        return fail("%s: %s", args.file, strerror(-err));
    doc = parse(before);
    if (!doc)
        return STATUS_FAILED;
    status = add_entry(doc, argv + first);
    if (!status && !before)
        status = make_folder();
    if (!status)
        status = keep_backup(before, json_object_to_json_string_ext(doc, STYLE));
    if (!status) {
        err = write_text(args.file, json_object_to_json_string_ext(doc, STYLE));
        status = err ? fail("%s: %s", args.file, strerror(-err)) : 0;
    }
    if (!status)
        printf("added runtime \"%s\" to %s\n", args.name, args.file);
    json_object_put(doc);
    return status;
}

/* Put the bytes back that were there before; false: somebody has changed the file since. */
static bool restore(const char *now, int *err)
{
    char path[PATH_MAX];
    autofree char *note = NULL;
    json_object *o, *before, *after;
    bool same;

    backup_name(path, sizeof(path));
    note = read_text(path, err);
    o = note ? json_tokener_parse(note) : NULL;
    same = o && json_object_object_get_ex(o, "after", &after) &&
           !strcmp(json_object_get_string(after), now);
    if (same && json_object_object_get_ex(o, "before", &before))
        *err = write_text(args.file, json_object_get_string(before));
    else if (same)
        *err = unlink(args.file) ? -errno : 0;
    json_object_put(o);
    if (!*err)
        unlink(path);
    return same;
}

static int remove_entry(const char *now)
{
    json_object *doc = parse(now), *runtimes;
    int err;

    if (!doc)
        return STATUS_FAILED;
    if (json_object_object_get_ex(doc, "runtimes", &runtimes) &&
        json_object_is_type(runtimes, json_type_object)) {
        json_object_object_del(runtimes, args.name);
        if (!json_object_object_length(runtimes))
            json_object_object_del(doc, "runtimes");
    }
    err = write_text(args.file, json_object_to_json_string_ext(doc, STYLE));
    json_object_put(doc);
    return err ? fail("%s: %s", args.file, strerror(-err)) : 0;
}

int command_uninstall(int argc, char **argv)
{
    int first = flags_parse(argc, argv, options,
                            "runsc uninstall [--config_file FILE] [--runtime NAME]\n\n"
                            "Undoes what runsc install did to Docker's configuration."),
        err, status = 0;
    autofree char *now = NULL;

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    now = read_text(args.file, &err);
    if (err)
        return fail("%s: %s", args.file, strerror(-err));
    if (!now)
        return 0;
    if (!restore(now, &err))
        status = remove_entry(now);
    else if (err)
        status = fail("%s: %s", args.file, strerror(-err));
    if (!status)
        printf("removed runtime \"%s\" from %s\n", args.name, args.file);
    return status;
}
