// SPDX-License-Identifier: Apache-2.0
/*
 * From a description of a container to its processes: the gofer and the sandbox.
 */
#include "oci/launch.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "gofer/gofer.h"
#include "oci/cgroup.h"
#include "oci/control.h"

#define MEMORY_MIN 8  /* MiB: the Sentry itself and a small program */
#define MOUNTS_MAX 64 /* as many as the Sentry takes at its start */

void launch_defaults(struct launch *l)
{
    struct sandbox_config *c = &l->sandbox;

    memset(l, 0, sizeof(*l));
    c->kvm_fd = c->control_fd = c->control_listen_fd = c->sync_fd = c->log_fd = -1;
    c->release = flags.release;
    c->version = "#1 SMP Sun Jan 10 15:06:54 PST 2016";
    c->cpus = flags.cpus;
    c->ram_bytes = (uint64_t)flags.memory << 20;
    c->strace = flags.strace;
    c->crash = flags.crash;
    c->network = !strcmp(flags.network, "host")      ? NETWORK_HOST
                 : !strcmp(flags.network, "sandbox") ? NETWORK_SANDBOX
                                                     : NETWORK_NONE;
    c->namespaces = (struct sandbox_namespaces){
        .net = c->network == NETWORK_HOST ? NAMESPACE_KEEP : NAMESPACE_NEW,
        .ipc = NAMESPACE_NEW,
        .uts = NAMESPACE_NEW,
    };
    c->debug = flags.debug ? 2 : 0;
    for (int i = 0; i < 16; i++) {
        struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};
        getrlimit((__rlimit_resource_t)i, &r);
        c->process.rlimits[i] = (struct sandbox_rlimit){r.rlim_cur, r.rlim_max};
    }
    l->gofer_uid = geteuid();
    l->gofer_gid = getegid();
    for (int i = 0; i < 3; i++)
        c->stdio[i] = fcntl(i, F_GETFD) < 0 ? -1 : i;
}

static int choose_platform(struct sandbox_config *c)
{
    enum platform want = !strcmp(flags.platform, "kvm")      ? PLATFORM_KVM
                         : !strcmp(flags.platform, "ptrace") ? PLATFORM_PTRACE
                                                             : PLATFORM_AUTO;
    char why[256] = "";
    int err = platform_choose(want, &c->platform, &c->kvm_fd, why, sizeof(why));

    if (err)
        return fail("%s", why);
    if (c->log_fd >= 0 && why[0])
        dprintf(c->log_fd, "%s: %s\n", c->id, why);
    return 0;
}

int launch_begin(struct launch *l, struct launched *p)
{
    struct sandbox_config *c = &l->sandbox;
    int pair[2];

    *p = (struct launched){.control = -1, .sync = -1, .errors = -1, .gofer_ends = {-1, -1}};
    if (flags.memory && flags.memory < MEMORY_MIN)
        return fail("--memory: %u MiB are too few; %d is the least", flags.memory, MEMORY_MIN);
    if (l->nmounts > MOUNTS_MAX)
        return fail("more than %d mounts", MOUNTS_MAX);
    c->log_fd = log_open_debug("boot", c->id, l->detached);
    if (c->log_fd < -1)
        return fail("cannot open the debug log %s: %s", flags.debug_log, strerror(-c->log_fd));
    if (choose_platform(c))
        return STATUS_FAILED;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p->gofer_ends))
        return fail("cannot make a socket pair: %s", strerror(errno));
    if (l->wait_for_us) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
            return fail("cannot make a socket pair: %s", strerror(errno));
        p->sync = pair[0];
        c->sync_fd = pair[1];
    }
    return 0;
}

/* The child's part: become root of a user namespace whose map the parent writes. */
static int enter_user_namespace(int sync)
{
    char byte;

    if (unshare(CLONE_NEWUSER) || write(sync, "", 1) != 1 || read(sync, &byte, 1) != 1)
        return -1;
    return setgroups(0, NULL) || setresgid(0, 0, 0) || setresuid(0, 0, 0) ? -1 : 0;
}

static int write_map(pid_t pid, const char *name, const char *map)
{
    char path[64];
    int fd, err = 0;

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, map, strlen(map)) != (ssize_t)strlen(map))
        err = fail("config.json: linux.%s: cannot be set: %s",
                   *name == 'u' ? "uidMappings" : "gidMappings", strerror(errno));
    if (fd >= 0)
        close(fd);
    return err;
}

static int map_gofer(const struct launch *l, pid_t pid, int sync)
{
    char byte;

    if (read(sync, &byte, 1) != 1)
        return fail("cannot make a user namespace");
    if (write_map(pid, "uid_map", l->uid_map) || write_map(pid, "gid_map", l->gid_map))
        return STATUS_FAILED;
    return write(sync, "", 1) == 1 ? 0 : fail("cannot make a user namespace");
}

/* Fork the gofer over the mounts that have a host path. */
int launch_gofer(const struct launch *l, struct launched *p)
{
    struct gofer_mount mounts[MOUNTS_MAX];
    bool mapped = l->uid_map && l->gid_map && geteuid() == 0;
    int log_fd = l->sandbox.log_fd, sync[2] = {-1, -1}, status = 0;
    size_t n = 0;

    for (size_t i = 0; i < l->nmounts; i++)
        if (l->mounts[i].source)
            mounts[n++] = (struct gofer_mount){
                .source = l->mounts[i].source,
                .readonly = l->mounts[i].readonly || !strcmp(l->mounts[i].type, "overlay"),
            };
    if (mapped && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sync))
        return fail("cannot make a socket pair: %s", strerror(errno));
    p->gofer = fork();
    if (p->gofer < 0)
        return fail("cannot fork: %s", strerror(errno));
    if (p->gofer == 0) {
        struct gofer_config cfg = {
            .sock = p->gofer_ends[1],
            .log_fd = log_fd >= 0 || l->detached ? log_fd : STDERR_FILENO,
            .mounts = mounts,
            .nmounts = n,
            .user_namespace = geteuid() != 0,
            .uid = l->gofer_uid,
            .gid = l->gofer_gid,
            .die_with_parent = !l->detached,
        };
        if (mapped) {
            close(sync[0]);
            if (enter_user_namespace(sync[1]))
                _exit(STATUS_FAILED);
        }
        _exit(gofer_main(&cfg));
    }
    close(p->gofer_ends[1]);
    p->gofer_ends[1] = -1;
    if (mapped) {
        close(sync[1]);
        status = map_gofer(l, p->gofer, sync[0]);
        close(sync[0]);
    }
    if (status)
        return status;
    return l->cgroups ? cgroup_attach(l->cgroups, p->gofer) : 0;
}

/* ---- the sandbox ---- */

static void set_oom_score_adj(int score)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%d", score);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, (size_t)n) != n)
        warn("process.oomScoreAdj: %d: %s", score, strerror(errno));
    if (fd >= 0)
        close(fd);
}

/*
 * Nobody stays to look at our standard error: what is said before the container is made goes to the
 * launcher, and the container's own descriptors move out of the way.
 */
static void detach_stdio(struct sandbox_config *c, int errors)
{
    for (int i = 0; i < 3; i++) {
        int first = 0;

        while (first < i && c->stdio[first] != c->stdio[i])
            first++;
        c->stdio[i] = c->stdio[i] < 0 ? -1 : fcntl(c->stdio[i], F_DUPFD_CLOEXEC, 3);
    }
    dup2(errors, STDERR_FILENO);
}

/* The child's part, until it is the sandbox. */
static _Noreturn void become_sandbox(struct launch *l, struct launched *p, int errors)
{
    struct sandbox_mount mounts[MOUNTS_MAX];
    struct sandbox_config *c = &l->sandbox;
    unsigned attach = 0;
    char byte;

    for (size_t i = 0; i < l->nmounts; i++)
        mounts[i] = (struct sandbox_mount){
            .destination = l->mounts[i].destination,
            .type = l->mounts[i].type,
            .options = l->mounts[i].options,
            .conn = l->mounts[i].source ? 0 : -1,
            .attach = l->mounts[i].source ? attach++ : 0,
            .readonly = l->mounts[i].readonly,
            .shared = l->mounts[i].shared,
        };
    if (!l->detached)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    else if (!c->own_terminal)
        setsid();
    if (l->set_oom_score_adj)
        set_oom_score_adj(c->process.oom_score_adj);
    if (l->title)
        process_title("runsc-sandbox:", c->process.argv);
    if (errors >= 0)
        detach_stdio(c, errors);
    close(p->control);
    if (c->sync_fd >= 0) { /* we are in our control groups when this comes */
        close(p->sync);
        if (read(c->sync_fd, &byte, 1) != 1)
            _exit(STATUS_FAILED);
    }
    c->mounts = mounts;
    c->nmounts = l->nmounts;
    c->gofer_fds = p->gofer_ends;
    c->ngofers = 1;
    sandbox_run(c);
}

int launch_sandbox(struct launch *l, struct launched *p)
{
    struct sandbox_config *c = &l->sandbox;
    int pair[2], errors[2] = {-1, -1};

    if (l->detached && pipe2(errors, O_CLOEXEC | O_NONBLOCK))
        return fail("cannot make a pipe: %s", strerror(errno));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return fail("cannot make a socket pair: %s", strerror(errno));
    p->control = pair[0];
    p->errors = errors[0];
    p->sandbox = fork();
    if (p->sandbox < 0)
        return fail("cannot fork: %s", strerror(errno));
    if (p->sandbox == 0) {
        c->control_fd = pair[1];
        become_sandbox(l, p, errors[1]);
    }
    close(pair[1]);
    close(p->gofer_ends[0]);
    p->gofer_ends[0] = -1;
    if (errors[1] >= 0)
        close(errors[1]);
    if (c->sync_fd >= 0)
        close(c->sync_fd);
    c->sync_fd = -1;
    return l->cgroups ? cgroup_attach(l->cgroups, p->sandbox) : 0;
}

int launch_step(struct launched *p)
{
    return write(p->sync, "", 1) == 1 ? 0 : -errno;
}

int launch_wait_step(struct launched *p)
{
    char byte;
    ssize_t n;

    do
        n = read(p->sync, &byte, 1);
    while (n < 0 && errno == EINTR);
    return n == 1 ? 0 : -ECHILD;
}

void launch_last_words(struct launched *p)
{
    static const char ours[] = "runsc: ";
    char text[2048], *line = text;
    ssize_t n = p->errors >= 0 ? read(p->errors, text, sizeof(text) - 1) : 0;

    text[n > 0 ? n : 0] = 0;
    while (*text && strlen(text) && text[strlen(text) - 1] == '\n')
        text[strlen(text) - 1] = 0;
    if (!strncmp(line, ours, sizeof(ours) - 1))
        line += sizeof(ours) - 1;
    fail("%s", *line ? printable(line) : "the sandbox ended before the container was made");
}

void launch_end(struct launched *p)
{
    int *fds[] = {&p->control, &p->sync, &p->errors, &p->gofer_ends[0], &p->gofer_ends[1]};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}
