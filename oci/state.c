// SPDX-License-Identifier: Apache-2.0
/*
 * State directories. Whoever changes one holds its lock; the file is replaced by rename, so readers
 * need none.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "oci/oci.h"
#include "oci/state.h"

#define STATE_MAX (8 << 20)

bool state_valid_id(const char *id)
{
    if (!*id || strlen(id) > 1024 || !strcmp(id, ".") || !strcmp(id, ".."))
        return false;
    for (; *id; id++)
        if (!isalnum((unsigned char)*id) && !strchr("_+-.", *id))
            return false;
    return true;
}

static int no_such(const char *id)
{
    return fail("container \"%s\" does not exist", id);
}

/* mkdir -p */
static int make_root(const char *root)
{
    char path[PATH_MAX];
    size_t n = (size_t)snprintf(path, sizeof(path), "%s", root);

    if (n >= sizeof(path))
        return -ENAMETOOLONG;
    for (char *c = path + 1; n && *c; c++) {
        if (*c != '/')
            continue;
        *c = 0;
        if (mkdir(path, 0711) && errno != EEXIST)
            return -errno;
        *c = '/';
    }
    return mkdir(path, 0711) && errno != EEXIST ? -errno : 0;
}

/*
 * Hold the lock of a directory. -ENOENT when there is no such directory, or none any more when the
 * lock was got.
 */
static int take_lock(const char *dir, bool create)
{
    char path[PATH_MAX];
    struct stat st;
    int fd;

    if ((size_t)snprintf(path, sizeof(path), "%s/lock", dir) >= sizeof(path))
        return -ENAMETOOLONG;
    fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0600);
    if (fd < 0)
        return -errno;
    while (flock(fd, LOCK_EX))
        if (errno != EINTR) {
            int err = -errno;
            close(fd);
            return err;
        }
    if (fstat(fd, &st) || st.st_nlink == 0) {
        close(fd);
        return -ENOENT;
    }
    return fd;
}

static int set_dir(struct state *s, const char *id)
{
    *s = (struct state){.id = id, .lock = -1};
    if (asprintf(&s->dir, "%s/%s", state_root(), id) >= 0)
        return 0;
    s->dir = NULL;
    return fail("out of memory");
}

int state_create(const char *id, struct state *s)
{
    int err;

    if (!state_valid_id(id)) {
        *s = (struct state){.lock = -1};
        return fail("invalid container id \"%s\": letters, digits and _ + - . make one", id);
    }
    if (set_dir(s, id))
        return STATUS_FAILED;
    err = mkdir(s->dir, 0700) ? -errno : 0;
    if (err == -ENOENT) {
        err = make_root(state_root());
        if (!err)
            err = mkdir(s->dir, 0700) ? -errno : 0;
    }
    if (!err) {
        s->lock = take_lock(s->dir, true);
        err = s->lock < 0 ? s->lock : 0;
    }
    s->doc = json_object_new_object();
    if (!err)
        return 0;
    if (err == -EEXIST)
        fail("container with id \"%s\" already exists", id);
    else
        fail("cannot make the state directory %s: %s", s->dir, strerror(-err));
    free(s->dir); /* it is not ours */
    s->dir = NULL;
    return STATUS_FAILED;
}

bool state_exists(const char *id)
{
    char path[PATH_MAX];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", state_root(), id);
    return state_valid_id(id) && !lstat(path, &st) && S_ISDIR(st.st_mode);
}

/* ---- the document ---- */

static void load_process(json_object *doc, const char *name, struct process_id *p)
{
    json_object *o, *v;

    *p = (struct process_id){0};
    if (!json_object_object_get_ex(doc, name, &o))
        return;
    if (json_object_object_get_ex(o, "pid", &v))
        p->pid = (pid_t)json_object_get_int(v);
    if (json_object_object_get_ex(o, "start", &v))
        p->start = json_object_get_uint64(v);
}

static bool load_flag(json_object *doc, const char *name)
{
    json_object *v;

    return json_object_object_get_ex(doc, name, &v) && json_object_get_boolean(v);
}

static json_object *load_document(const char *dir)
{
    char path[PATH_MAX];
    autoclose int fd = -1;
    autofree char *text = malloc(STATE_MAX + 1);
    json_object *doc = NULL;
    json_tokener *tok = json_tokener_new_ex(64);
    ssize_t n;

    snprintf(path, sizeof(path), "%s/state.json", dir);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    n = fd >= 0 && text ? read(fd, text, STATE_MAX) : -1;
    if (n > 0 && tok)
        doc = json_tokener_parse_ex(tok, text, (int)n);
    if (doc && !json_object_is_type(doc, json_type_object)) {
        json_object_put(doc);
        doc = NULL;
    }
    if (tok)
        json_tokener_free(tok);
    return doc;
}

int state_open(const char *id, bool lock, bool broken_ok, struct state *s)
{
    if (!state_valid_id(id)) {
        *s = (struct state){.lock = -1};
        return fail("invalid container id \"%s\"; a container \"%s\" does not exist", id, id);
    }
    if (set_dir(s, id))
        return STATUS_FAILED;
    if (!state_exists(id))
        return no_such(id);
    if (lock) {
        s->lock = take_lock(s->dir, broken_ok);
        if (s->lock == -ENOENT)
            return no_such(id);
        if (s->lock < 0)
            return fail("cannot lock the state of \"%s\": %s", id, strerror(-s->lock));
    }
    s->doc = load_document(s->dir);
    if (!s->doc)
        return broken_ok          ? 0
               : state_exists(id) ? fail("container \"%s\" is not ready: its state "
                                         "cannot be read (does not exist yet?)",
                                         id)
                                  : no_such(id);
    load_process(s->doc, "sandbox", &s->sandbox);
    load_process(s->doc, "gofer", &s->gofer);
    s->started = load_flag(s->doc, "started");
    s->paused = load_flag(s->doc, "paused");
    return 0;
}

static void put_process(json_object *doc, const char *name, struct process_id p)
{
    json_object *o = json_object_new_object();

    json_object_object_add(o, "pid", json_object_new_int(p.pid));
    json_object_object_add(o, "start", json_object_new_uint64(p.start));
    json_object_object_add(doc, name, o);
}

int state_save(struct state *s)
{
    char path[PATH_MAX], tmp[PATH_MAX];
    const char *text;
    int fd, err = 0;
    size_t n;

    put_process(s->doc, "sandbox", s->sandbox);
    put_process(s->doc, "gofer", s->gofer);
    json_object_object_add(s->doc, "started", json_object_new_boolean(s->started));
    json_object_object_add(s->doc, "paused", json_object_new_boolean(s->paused));
    text = json_object_to_json_string_ext(s->doc, JSON_C_TO_STRING_NOSLASHESCAPE);
    n = strlen(text);
    if ((size_t)snprintf(path, sizeof(path), "%s/state.json", s->dir) >= sizeof(path) ||
        (size_t)snprintf(tmp, sizeof(tmp), "%s/state.new", s->dir) >= sizeof(tmp))
        return fail("the state directory's name is too long");
    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n || rename(tmp, path))
        err = errno ? errno : EIO;
    if (fd >= 0)
        close(fd);
    return err ? fail("cannot write %s: %s", path, strerror(err)) : 0;
}

/* ---- status ---- */

static bool locked_by_another(const struct state *s)
{
    char path[PATH_MAX];
    autoclose int fd = -1;

    if (s->lock >= 0)
        return false;
    snprintf(path, sizeof(path), "%s/lock", s->dir);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
}

enum status state_status(const struct state *s)
{
    if (process_alive(s->sandbox)) {
        if (!s->doc || !load_flag(s->doc, "ready"))
            return locked_by_another(s) ? STATUS_CREATING : STATUS_CREATED;
        return !s->started ? STATUS_CREATED : s->paused ? STATUS_PAUSED : STATUS_RUNNING;
    }
    return !s->sandbox.pid && locked_by_another(s) ? STATUS_CREATING : STATUS_STOPPED;
}

const char *status_name(enum status st)
{
    static const char *const names[] = {"creating", "created", "running", "paused", "stopped"};

    return names[st];
}

static void copy_member(json_object *to, json_object *from, const char *name)
{
    json_object *v;

    if (json_object_object_get_ex(from, name, &v) && v)
        json_object_object_add(to, name, json_object_get(v));
}

struct json_object *state_report(const struct state *s, enum status st)
{
    json_object *o = json_object_new_object();
    pid_t pid = st == STATUS_STOPPED ? 0 : s->sandbox.pid;

    json_object_object_add(o, "ociVersion", json_object_new_string(OCI_VERSION));
    json_object_object_add(o, "id", json_object_new_string(s->id));
    json_object_object_add(o, "status", json_object_new_string(status_name(st)));
    json_object_object_add(o, "pid", json_object_new_int(pid));
    copy_member(o, s->doc, "bundle");
    copy_member(o, s->doc, "rootfs");
    copy_member(o, s->doc, "created");
    copy_member(o, s->doc, "owner");
    copy_member(o, s->doc, "annotations");
    return o;
}

/* ---- the end ---- */

int state_remove(struct state *s)
{
    DIR *d = s->dir ? opendir(s->dir) : NULL;
    struct dirent *e;

    if (!d)
        return s->dir && errno != ENOENT ? -errno : 0;
    while ((e = readdir(d)))
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && strcmp(e->d_name, "lock"))
            unlinkat(dirfd(d), e->d_name, 0);
    unlinkat(dirfd(d), "lock", 0); /* last: whoever waits for it sees that it has gone */
    closedir(d);
    return rmdir(s->dir) && errno != ENOENT ? -errno : 0;
}

void state_close(struct state *s)
{
    if (s->lock >= 0)
        close(s->lock);
    json_object_put(s->doc);
    free(s->dir);
    *s = (struct state){.lock = -1};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int state_each(int (*fn)(const char *id, void *arg), void *arg)
{
    DIR *d = opendir(state_root());
    struct dirent *e;
    char **names = NULL;
    size_t n = 0;
    int err = 0;

    if (!d)
        return errno == ENOENT ? 0 : fail("cannot read %s: %s", state_root(), strerror(errno));
    while ((e = readdir(d))) {
        char **more = state_exists(e->d_name) ? realloc(names, (n + 1) * sizeof(*names)) : NULL;
        if (!more)
            continue;
        names = more;
        names[n] = strdup(e->d_name);
        n += names[n] != NULL;
    }
    closedir(d);
    if (n)
        qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 0; i < n; i++) {
        if (!err)
            err = fn(names[i], arg);
        free(names[i]);
    }
    free(names);
    return err;
}

/* ---- monitors of detached execs ---- */

static void monitor_name(char *out, size_t size, struct process_id p)
{
    snprintf(out, size, "exec-%d-%llu", p.pid, (unsigned long long)p.start);
}

int state_add_monitor(const struct state *s, struct process_id p)
{
    char path[PATH_MAX], name[64];
    int fd;

    monitor_name(name, sizeof(name), p);
    snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

void state_drop_monitor(const char *dir, struct process_id p)
{
    char path[PATH_MAX], name[64];

    monitor_name(name, sizeof(name), p);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    unlink(path); /* the directory may have gone before us */
}

size_t state_monitors(const struct state *s, struct process_id *out, size_t max)
{
    DIR *d = opendir(s->dir);
    struct dirent *e;
    size_t n = 0;

    while (d && (e = readdir(d))) {
        unsigned long long start;
        struct process_id p;

        if (sscanf(e->d_name, "exec-%d-%llu", &p.pid, &start) != 2)
            continue;
        p.start = start;
        if (!process_alive(p))
            unlinkat(dirfd(d), e->d_name, 0);
        else if (n < max)
            out[n++] = p;
    }
    if (d)
        closedir(d);
    return n;
}
