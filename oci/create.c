// SPDX-License-Identifier: Apache-2.0
/*
 * Making a container. What is made is written down before it is made, so that whoever comes after a
 * crash finds it: the state directory first, then control groups, then processes, which wait until
 * their pids are in the state.
 */
#include "oci/create.h"
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "oci/cgroup.h"
#include "oci/console.h"
#include "oci/container.h"
#include "oci/hooks.h"
#include "oci/spec.h"

/* ---- what the state says ---- */

static void add_text(json_object *doc, const char *name, const char *text)
{
    json_object_object_add(doc, name, json_object_new_string(text));
}

static void add_created(json_object *doc)
{
    struct timespec now;
    char stamp[64];
    struct tm tm;
    size_t n;

    clock_gettime(CLOCK_REALTIME, &now);
    n = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &tm));
    snprintf(stamp + n, sizeof(stamp) - n, ".%09ldZ", now.tv_nsec);
    add_text(doc, "created", stamp);
}

static void add_owner(json_object *doc)
{
    char text[16];

    /* the name would need the host's name service; root is what it mostly is */
    snprintf(text, sizeof(text), "%u", geteuid());
    add_text(doc, "owner", geteuid() ? text : "root");
}

static void fill_document(struct creation *c)
{
    json_object *doc = c->state.doc, *process;

    add_text(doc, "ociVersion", OCI_VERSION);
    add_text(doc, "id", c->state.id);
    add_text(doc, "bundle", c->dir);
    add_text(doc, "rootfs", c->bundle.rootfs);
    add_created(doc);
    add_owner(doc);
    if (c->bundle.annotations)
        json_object_object_add(doc, "annotations", json_object_get(c->bundle.annotations));
    if (c->bundle.hooks)
        json_object_object_add(doc, "hooks", json_object_get(c->bundle.hooks));
    if (json_object_object_get_ex(c->bundle.json, "process", &process))
        json_object_object_add(doc, "process", json_object_get(process));
    json_object_object_add(doc, "cgroups", json_object_get(c->launch.cgroups));
}

/* ---- preparations ---- */

/* A descriptor of a namespace to join, or what the sandbox shall do without one. */
static int open_namespace(const struct bundle_namespace *ns, const char *name, int otherwise,
                          int *out)
{
    *out = otherwise;
    if (!ns->wanted || !ns->path) {
        *out = ns->wanted ? NAMESPACE_NEW : otherwise;
        return 0;
    }
    *out = open(ns->path, O_RDONLY | O_CLOEXEC);
    return *out < 0
               ? fail("config.json: linux.namespaces: %s: %s: %s", name, ns->path, strerror(errno))
               : 0;
}

static int open_namespaces(struct creation *c)
{
    struct sandbox_namespaces *n = &c->launch.sandbox.namespaces;
    const struct bundle_namespace *ns = c->bundle.namespaces;

    if (open_namespace(&ns[NS_NETWORK], "network", n->net, &n->net) ||
        open_namespace(&ns[NS_IPC], "ipc", NAMESPACE_NEW, &n->ipc) ||
        open_namespace(&ns[NS_UTS], "uts", NAMESPACE_NEW, &n->uts))
        return STATUS_FAILED;
    return 0;
}

/* The container's terminal: one of our own for the engine, or the one that we stand on. */
static int open_terminal(struct creation *c, const struct create_args *args, bool detached)
{
    struct sandbox_config *s = &c->launch.sandbox;
    int tty;

    if (!c->bundle.terminal)
        return args->console_socket ? fail("--console-socket: process.terminal is not set") : 0;
    if (!args->console_socket) {
        if (detached)
            return fail("cannot allocate a terminal for a detached container without "
                        "--console-socket");
        s->process.console = s->stdio[0] >= 0 && isatty(s->stdio[0]);
        return 0;
    }
    tty = console_make(args->console_socket, c->bundle.rows, c->bundle.columns);
    if (tty < 0)
        return STATUS_FAILED;
    s->stdio[0] = s->stdio[1] = s->stdio[2] = tty;
    s->process.console = s->own_terminal = true;
    return 0;
}

static int open_control(struct creation *c)
{
    char path[PATH_MAX];
    int fd;

    if ((size_t)snprintf(path, sizeof(path), "%s/control.sock", c->state.dir) >= sizeof(path))
        return fail("the state directory's name is too long");
    fd = control_listen(path);
    if (fd < 0)
        return fail("cannot listen on %s: %s", path, strerror(-fd));
    c->launch.sandbox.control_listen_fd = fd;
    return 0;
}

static bool has_hooks(const struct creation *c)
{
    return c->bundle.hooks && json_object_object_length(c->bundle.hooks);
}

static int prepare(struct creation *c, const struct create_args *args, bool detached, bool start)
{
    struct launch *l = &c->launch;

    if (args->preserve_fds)
        return fail("--preserve-fds is not supported");
    c->dir = realpath(args->bundle, NULL);
    if (!c->dir)
        return fail("no such bundle directory: %s", args->bundle);
    if (bundle_load(c->dir, &c->bundle, l) ||
        cgroup_plan(c->bundle.cgroups_path, c->state.id, c->bundle.resources, &l->cgroups))
        return STATUS_FAILED;
    l->detached = detached;
    start = start && !(c->bundle.hooks && spec_has(c->bundle.hooks, "startContainer"));
    l->sandbox.start = start;
    l->title = true;
    l->set_oom_score_adj = c->bundle.has_oom_score_adj;
    l->wait_for_us = !start || has_hooks(c) || json_object_array_length(l->cgroups);
    if (open_namespaces(c) || open_terminal(c, args, detached))
        return STATUS_FAILED;
    fill_document(c);
    return state_save(&c->state) || open_control(c) || cgroup_make(l->cgroups, c->bundle.resources)
               ? STATUS_FAILED
               : 0;
}

/* ---- processes ---- */

static int died(struct creation *c)
{
    launch_last_words(&c->processes);
    return STATUS_FAILED;
}

/* Sandbox, hooks, gofer: it shall see what hooks have mounted. */
static int start_processes(struct creation *c)
{
    struct launch *l = &c->launch;
    struct launched *p = &c->processes;

    if (launch_begin(l, p) || (!l->wait_for_us && launch_gofer(l, p)) || launch_sandbox(l, p))
        return STATUS_FAILED;
    close(l->sandbox.control_listen_fd);
    l->sandbox.control_listen_fd = -1;
    c->state.sandbox = process_of(p->sandbox);
    c->state.gofer = process_of(p->gofer);
    if (!l->wait_for_us)
        return 0;
    if (state_save(&c->state))
        return STATUS_FAILED;
    if (launch_step(p) || launch_wait_step(p))
        return died(c);
    if (hooks_run(&c->state, STATUS_CREATING, "prestart", false) ||
        hooks_run(&c->state, STATUS_CREATING, "createRuntime", false) ||
        hooks_run(&c->state, STATUS_CREATING, "createContainer", true))
        return STATUS_FAILED;
    if (launch_gofer(l, p))
        return STATUS_FAILED;
    c->state.gofer = process_of(p->gofer);
    if (state_save(&c->state))
        return STATUS_FAILED;
    return launch_step(p) ? died(c) : 0;
}

/* Until the Sentry says that the first process can be started, or why not. */
static int wait_created(struct creation *c)
{
    struct control_message m;
    char text[2048];

    for (;;) {
        int err = control_receive(c->processes.control, &m, text, sizeof(text) - 1);

        if (err == -EBADMSG)
            return fail("the sandbox sent a message that is none");
        if (err)
            return died(c);
        if (m.kind == CONTROL_CREATED && !m.a)
            return 0;
        if (m.kind == CONTROL_CREATED)
            return fail("%s", m.length ? printable(text) : strerror((int)-m.a));
    }
}

static int finish(struct creation *c, const struct create_args *args, bool start)
{
    json_object_object_add(c->state.doc, "ready", json_object_new_boolean(true));
    c->state.started = start;
    if (state_save(&c->state))
        return STATUS_FAILED;
    return args->pid_file ? pid_file_write(args->pid_file, c->state.sandbox.pid) : 0;
}

int creation_run(struct creation *c, const struct create_args *args, const char *id, bool detached,
                 bool start)
{
    int status;

    memset(c, 0, sizeof(*c));
    c->state.lock = c->signals = -1;
    c->processes =
        (struct launched){.control = -1, .sync = -1, .errors = -1, .gofer_ends = {-1, -1}};
    launch_defaults(&c->launch);
    if (state_create(id, &c->state)) {
        c->state.id = NULL;
        return STATUS_FAILED;
    }
    c->launch.sandbox.id = c->state.id = strdup(id); /* the title takes the place of argv */
    status = prepare(c, args, detached, start);
    if (!status && !detached) {
        c->signals = session_begin(&c->old_signals);
        status = c->signals < 0 ? STATUS_FAILED : 0;
    }
    if (!status)
        status = start_processes(c);
    start = c->launch.sandbox.start;
    if (!status && !start)
        status = wait_created(c);
    if (!status)
        status = finish(c, args, start);
    if (status) {
        c->state.sandbox = process_of(c->processes.sandbox);
        c->state.gofer = process_of(c->processes.gofer);
        container_destroy(&c->state);
    }
    return status;
}

void creation_end(struct creation *c)
{
    launch_end(&c->processes);
    json_object_put(c->launch.cgroups);
    bundle_free(&c->bundle);
    if (c->signals >= 0)
        sigprocmask(SIG_SETMASK, &c->old_signals, NULL);
    free(c->dir);
    free((char *)c->state.id);
    c->state.id = NULL;
    state_close(&c->state);
}

/* ---- the command ---- */

static struct create_args args = {.bundle = "."};

static const struct option options[] = {
    {"bundle", OPTION_STRING, &args.bundle, "directory of config.json (default: the current one)",
     NULL},
    {"b", OPTION_STRING, &args.bundle, NULL, NULL},
    {"pid-file", OPTION_STRING, &args.pid_file, "file for the pid of the sandbox", NULL},
    {"console-socket", OPTION_STRING, &args.console_socket,
     "socket that gets the container's terminal", NULL},
    {"user-log", OPTION_STRING, &args.user_log, "accepted for compatibility", NULL},
    {"preserve-fds", OPTION_UINT, &args.preserve_fds, "not supported but for 0", NULL},
    {"no-new-keyring", OPTION_BOOL, &args.no_new_keyring, NULL, NULL},
    {"no-pivot", OPTION_BOOL, &args.no_pivot, NULL, NULL},
    {0},
};

int command_create(int argc, char **argv)
{
    struct creation c;
    int first = flags_parse(argc, argv, options,
                            "runsc create [--bundle DIR] [--pid-file FILE] [--console-socket PATH] "
                            "ID\n\nMakes a container from a bundle. Its first process waits for "
                            "runsc start."),
        status;

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first + 1 != argc)
        return fail("create: exactly one container id is needed");
    status = creation_run(&c, &args, argv[first], true, false);
    creation_end(&c);
    return status;
}
