// SPDX-License-Identifier: Apache-2.0
/*
 * A running container and its control socket, from the client's side: the real Sentry in a sandbox
 * process, a gofer over the host's root, and oci/control.c. Needs ptrace or KVM (argument "kvm").
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "gofer/gofer.h"
#include "oci/control.h"
#include "vmm/fdt.h"
#include "vmm/sandbox.h"

void cleanup_close(int *fd); /* oci/main.c's */
void cleanup_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static enum platform platform = PLATFORM_PTRACE;

/* One container; made anew in each test's process. */
static struct {
    char dir[64], path[80];
    pid_t sandbox, gofer;
    int launcher; /* connection 0 */
    int out;      /* reads what the container writes */
} box;

static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
#define ALL_CAPS ((1ULL << 41) - 1)
static const struct sandbox_caps all_caps = {
    .bounding = ALL_CAPS, .effective = ALL_CAPS, .permitted = ALL_CAPS};

static void fill_process(struct sandbox_process *p, const char *const *argv)
{
    *p = (struct sandbox_process){
        .argv = argv, .envp = env, .cwd = "/", .umask = 022, .caps = all_caps};
    for (int i = 0; i < 16; i++)
        p->rlimits[i] = (struct sandbox_rlimit){~0ULL, ~0ULL};
    p->rlimits[RLIMIT_NOFILE] = (struct sandbox_rlimit){1024, 4096};
    p->rlimits[RLIMIT_STACK] = (struct sandbox_rlimit){8 << 20, ~0ULL};
}

static int start_gofer(void)
{
    static struct gofer_mount root = {.source = "/", .readonly = true};
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    box.gofer = fork();
    if (box.gofer == 0) {
        struct gofer_config cfg = {.sock = pair[1],
                                   .log_fd = 2,
                                   .mounts = &root,
                                   .nmounts = 1,
                                   .user_namespace = geteuid() != 0,
                                   .uid = geteuid(),
                                   .gid = getegid(),
                                   .die_with_parent = true};
        _exit(gofer_main(&cfg));
    }
    close(pair[1]);
    return pair[0];
}

/* Start a container that waits for CONTROL_START; change what tweak wants. */
static void create(const char *const *argv, void (*tweak)(struct sandbox_config *))
{
    static const struct sandbox_mount mounts[] = {
        {.destination = "/", .type = "overlay", .conn = 0},
        {.destination = "/proc", .type = "proc", .conn = -1},
        {.destination = "/dev", .type = "dev", .conn = -1},
        {.destination = "/dev/pts", .type = "devpts", .conn = -1},
    };
    struct sandbox_config cfg = {
        .id = "test",
        .platform = platform,
        .kvm_fd = -1,
        .cpus = 2,
        .ram_bytes = 1ULL << 30,
        .namespaces = {NAMESPACE_NEW, NAMESPACE_NEW, NAMESPACE_NEW},
        .hostname = "test",
        .release = "4.4.0",
        .version = "test",
        .mounts = mounts,
        .nmounts = 4,
        .ngofers = 1,
        .sync_fd = -1,
        .log_fd = getenv("CONTROL_LOG") ? 2 : -1, /* to find out what went wrong */
        .strace = getenv("CONTROL_LOG"),
        .debug = 1,
    };
    int pair[2], out[2], gofer;
    char why[256];

    ck_assert_int_eq(platform_choose(platform, &cfg.platform, &cfg.kvm_fd, why, sizeof(why)), 0);
    snprintf(box.dir, sizeof(box.dir), "/tmp/ringfort-control.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(box.dir));
    snprintf(box.path, sizeof(box.path), "%s/control.sock", box.dir);
    fill_process(&cfg.process, argv);
    gofer = start_gofer();
    cfg.gofer_fds = &gofer;
    cfg.control_listen_fd = control_listen(box.path);
    ck_assert_int_ge(cfg.control_listen_fd, 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    cfg.control_fd = pair[1];
    cfg.stdio[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cfg.stdio[1] = out[1];
    cfg.stdio[2] = dup(out[1]);
    if (tweak)
        tweak(&cfg);
    box.sandbox = fork();
    if (box.sandbox == 0)
        sandbox_run(&cfg);
    close(cfg.control_listen_fd);
    close(pair[1]);
    close(out[1]);
    close(cfg.stdio[0]);
    close(cfg.stdio[2]);
    close(gofer);
    box.launcher = pair[0];
    box.out = out[0];
}

static void teardown(void)
{
    if (box.sandbox > 0)
        kill(box.sandbox, SIGKILL);
    if (box.gofer > 0)
        kill(box.gofer, SIGKILL);
    unlink(box.path);
    rmdir(box.dir);
}

/* What the sandbox says unasked. */
static struct control_message told(char *text, size_t size)
{
    struct control_message m;

    ck_assert_int_eq(control_receive(box.launcher, &m, text, size), 0);
    return m;
}

static void expect_created(void)
{
    char text[512];
    struct control_message m = told(text, sizeof(text));

    ck_assert_uint_eq(m.kind, CONTROL_CREATED);
    ck_assert_msg(m.a == 0, "%s", text);
}

static s64 ask(int sock, u32 kind, s64 a, s64 b)
{
    struct control_message m = {.kind = kind, .a = a, .b = b};
    char text[512];

    return control_request(sock, &m, NULL, text, sizeof(text));
}

static int connect_box(void)
{
    int sock = control_connect(box.path);

    ck_assert_int_ge(sock, 0);
    return sock;
}

static void create_and_start(const char *const *argv)
{
    create(argv, NULL);
    expect_created();
    ck_assert_int_eq(ask(box.launcher, CONTROL_START, 0, 0), 0);
}

/* Wait status by CONTROL_ENDED, and the exit status of the sandbox process itself. */
static int expect_end(int exit_status)
{
    struct control_message m = told(NULL, 0);
    int status;

    ck_assert_uint_eq(m.kind, CONTROL_ENDED);
    ck_assert_int_eq(waitpid(box.sandbox, &status, 0), box.sandbox);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), exit_status);
    box.sandbox = 0;
    return (int)m.a;
}

static const char *const sleeper[] = {"sleep", "100", NULL};

/* A process in the container; its pid, or -errno with a text. Its output comes from *out. */
static int exec_process(int sock, const struct sandbox_process *p, int *out, char *text)
{
    u32 stdio[3] = {0, 1, 2};
    char buf[65536];
    int n = fdt_build_process(p, stdio, buf, sizeof(buf)), fds[3], pipefd[2], err;
    struct control_message m = {.kind = CONTROL_EXEC, .tag = 77, .length = (u32)n};

    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(pipe2(pipefd, O_CLOEXEC), 0);
    fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    fds[1] = pipefd[1];
    fds[2] = dup(pipefd[1]);
    ck_assert_int_eq(control_send(sock, &m, buf, fds, 3), 0);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    err = control_receive(sock, &m, text, 512);
    ck_assert_int_eq(err, 0);
    ck_assert_uint_eq(m.kind, CONTROL_EXEC);
    ck_assert_uint_eq(m.tag, 77);
    *out = pipefd[0];
    return (int)m.a;
}

static int exec_shell(int sock, const char *script, int *out)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    struct sandbox_process p;
    char text[512];

    fill_process(&p, argv);
    return exec_process(sock, &p, out, text);
}

/* Status of the process that this connection executed. */
static int exited(int sock, int pid)
{
    struct control_message m;

    ck_assert_int_eq(control_receive(sock, &m, NULL, 0), 0);
    ck_assert_uint_eq(m.kind, CONTROL_EXITED);
    ck_assert_int_eq((int)m.a, pid);
    return (int)m.b;
}

/* All that comes from fd until its end, as a string. */
static char *read_all(int fd)
{
    static char text[65536];
    size_t at = 0;
    ssize_t n;

    while ((n = read(fd, text + at, sizeof(text) - 1 - at)) > 0)
        at += (size_t)n;
    ck_assert_msg(n == 0, "read: %s", strerror(errno));
    text[at] = 0;
    close(fd);
    return text;
}

START_TEST(life)
{
    static const char *const argv[] = {"sh", "-c", "echo started; exit 7", NULL};
    struct pollfd p;
    int sock, pid, out;

    create(argv, NULL);
    expect_created();
    p = (struct pollfd){box.out, POLLIN, 0};
    ck_assert_int_eq(poll(&p, 1, 300), 0); /* nothing runs before the start */
    ck_assert_int_eq(ask(box.launcher, CONTROL_EXEC, 0, 0), -EINVAL); /* nothing to run */
    sock = connect_box();
    pid = exec_shell(sock, "exit 3", &out); /* as startContainer hooks do */
    ck_assert_int_eq(exited(sock, pid), 3 << 8);
    ck_assert_int_eq(ask(box.launcher, CONTROL_START, 0, 0), 0);
    ck_assert_int_eq(expect_end(7), 7 << 8);
    ck_assert_str_eq(read_all(box.out), "started\n");
    for (int i = 0; i < 100 && control_connect(box.path) >= 0; i++)
        usleep(10000); /* the stubs of the sandbox hold its descriptors until they have gone, too */
    ck_assert_int_eq(control_connect(box.path), -ECONNREFUSED);
}
END_TEST

START_TEST(killed_before_start)
{
    int sock;

    create(sleeper, NULL);
    expect_created();
    sock = connect_box();
    ck_assert_int_eq(ask(sock, CONTROL_SIGNAL, CONTROL_PID_FIRST, 0), 0);
    ck_assert_int_eq(ask(sock, CONTROL_SIGNAL, CONTROL_PID_FIRST, SIGKILL), 0);
    ck_assert_int_eq(expect_end(137), SIGKILL);
}
END_TEST

START_TEST(no_program)
{
    static const struct {
        const char *name, *text;
        int err, status;
    } cases[] = {
        {"nonexistent", "exec: \"nonexistent\": executable file not found in $PATH", -ENOENT, 127},
        {"/no/such", "exec: \"/no/such\": stat /no/such: no such file or directory", -ENOENT, 127},
        {"/etc/passwd", "exec: \"/etc/passwd\": permission denied", -EACCES, 126},
        {"/tmp", "exec: \"/tmp\": permission denied", -EACCES, 126},
    };
    const char *argv[] = {cases[_i].name, NULL};
    char text[512];
    struct control_message m;
    int status;

    create(argv, NULL);
    m = told(text, sizeof(text));
    ck_assert_uint_eq(m.kind, CONTROL_CREATED);
    ck_assert_int_eq((int)m.a, cases[_i].err);
    ck_assert_str_eq(text, cases[_i].text);
    ck_assert_int_eq(waitpid(box.sandbox, &status, 0), box.sandbox);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == cases[_i].status);
    box.sandbox = 0;
}
END_TEST

static void missing_cwd(struct sandbox_config *c)
{
    c->process.cwd = "/etc/passwd/x";
}

START_TEST(bad_cwd)
{
    char text[512];

    create(sleeper, missing_cwd);
    ck_assert_int_lt((int)told(text, sizeof(text)).a, 0);
    ck_assert_str_eq(text,
                     "chdir to cwd (\"/etc/passwd/x\") set in config.json failed: not a directory");
}
END_TEST

START_TEST(exec_runs)
{
    const char *argv[] = {"sh", "-c",
                          "id -u; id -G; umask; pwd; grep -E '^Cap|NoNew' "
                          "/proc/self/status; ulimit -n; echo $HOME; echo err >/dev/stderr",
                          NULL};
    const uint32_t groups[] = {7, 3};
    struct sandbox_process p;
    char text[512];
    int sock, pid, out;

    create_and_start(sleeper);
    sock = connect_box();
    fill_process(&p, argv);
    p.uid = 1234;
    p.gid = 55;
    p.groups = groups;
    p.ngroups = 2;
    p.umask = 077;
    p.cwd = "/usr";
    p.no_new_privs = true;
    p.caps = (struct sandbox_caps){0xff, 1, 3, 7, 2};
    p.rlimits[RLIMIT_NOFILE] = (struct sandbox_rlimit){100, 200};
    pid = exec_process(sock, &p, &out, text);
    ck_assert_msg(pid > 1, "%d %s", pid, text);
    ck_assert_str_eq(read_all(out), "1234\n55 3 7\n0077\n/usr\n"
                                    "CapInh:\t0000000000000003\nCapPrm:\t0000000000000002\n"
                                    "CapEff:\t0000000000000002\nCapBnd:\t00000000000000ff\n"
                                    "CapAmb:\t0000000000000002\nNoNewPrivs:\t1\n100\n/\nerr\n");
    ck_assert_int_eq(exited(sock, pid), 0);
    pid = exec_shell(sock, "exit 9", &out); /* the connection may be used again */
    ck_assert_int_eq(exited(sock, pid), 9 << 8);
    pid = exec_shell(sock, "kill -TERM $$", &out);
    ck_assert_int_eq(exited(sock, pid), SIGTERM);
}
END_TEST

START_TEST(exec_fails)
{
    const char *argv[] = {"/bin/sh", NULL};
    struct sandbox_process p;
    char text[512];
    int sock, out;

    create_and_start(sleeper);
    sock = connect_box();
    fill_process(&p, argv);
    argv[0] = "nonexistent";
    ck_assert_int_eq(exec_process(sock, &p, &out, text), -ENOENT);
    ck_assert_str_eq(text, "exec: \"nonexistent\": executable file not found in $PATH");
    argv[0] = "/etc/passwd";
    ck_assert_int_eq(exec_process(sock, &p, &out, text), -EACCES);
    argv[0] = "sh";
    p.cwd = "/nowhere";
    ck_assert_int_eq(exec_process(sock, &p, &out, text), -ENOENT);
    ck_assert_str_eq(
        text, "chdir to cwd (\"/nowhere\") set in config.json failed: no such file or directory");
    ck_assert_int_eq(ask(sock, CONTROL_EXEC, 0, 0), -EINVAL); /* nothing to run */
    ck_assert_int_eq(exec_shell(sock, "exit 0", &out) > 1, 1);
}
END_TEST

START_TEST(exec_dies_with_connection)
{
    int sock, other, out, pid;

    create_and_start(sleeper);
    sock = connect_box();
    other = connect_box();
    pid = exec_shell(sock, "sleep 100 & echo up; wait", &out);
    ck_assert_int_gt(pid, 1);
    ck_assert_int_eq(ask(other, CONTROL_SIGNAL, pid, 0), 0);
    close(sock);
    for (int i = 0; i < 100 && ask(other, CONTROL_SIGNAL, pid, 0) == 0; i++)
        usleep(20000);
    ck_assert_int_eq(ask(other, CONTROL_SIGNAL, pid, 0), -ESRCH);
}
END_TEST

START_TEST(wait_and_signal)
{
    struct control_message m = {.kind = CONTROL_WAIT, .tag = 5};
    int sock, other, waiter, out, pid;

    create_and_start(sleeper);
    sock = connect_box();
    other = connect_box(); /* control_request() drops what comes between */
    waiter = connect_box();
    pid = exec_shell(sock, "sleep 100", &out);
    m.a = pid;
    ck_assert_int_eq(control_send(waiter, &m, NULL, NULL, 0), 0);
    m.a = 0;
    m.tag = 6;
    ck_assert_int_eq(control_send(waiter, &m, NULL, NULL, 0), 0);
    ck_assert_int_eq(ask(sock, CONTROL_WAIT, 999, 0), -ESRCH);
    ck_assert_int_eq(ask(other, CONTROL_SIGNAL, 1, 65), -EINVAL);
    ck_assert_int_eq(ask(other, CONTROL_SIGNAL, pid, SIGINT), 0);
    ck_assert_int_eq(control_receive(waiter, &m, NULL, 0), 0);
    ck_assert(m.kind == CONTROL_WAIT && m.tag == 5 && m.b == SIGINT);
    ck_assert_int_eq(exited(sock, pid), SIGINT);
    pid = exec_shell(sock, "sleep 100", &out);
    ck_assert_int_eq(ask(connect_box(), CONTROL_SIGNAL, CONTROL_PID_ALL, SIGKILL), 0);
    ck_assert_int_eq(control_receive(waiter, &m, NULL, 0), 0);
    ck_assert(m.kind == CONTROL_WAIT && m.tag == 6 && m.b == SIGKILL);
    ck_assert_int_eq(expect_end(137), SIGKILL);
}
END_TEST

START_TEST(end_kills_others)
{
    static const char *const argv[] = {"sh", "-c", "sleep 0.3; exit 3", NULL};
    int sock, out, pid;

    create_and_start(argv);
    sock = connect_box();
    pid = exec_shell(sock, "sleep 100", &out);
    ck_assert_int_eq(exited(sock, pid), SIGKILL);
    ck_assert_int_eq(expect_end(3), 3 << 8);
}
END_TEST

static void three_tasks(struct sandbox_config *c)
{
    c->pids_limit = 3;
}

START_TEST(pids_limit)
{
    static const char script[] = "for i in 1 2 3 4 5; do sleep 5 & done; echo $(jobs -p | wc -l)";
    struct control_stats st;
    struct control_message m = {.kind = CONTROL_STATS};
    int sock, out;

    create(sleeper, three_tasks);
    expect_created();
    sock = connect_box();
    ck_assert_int_eq(ask(sock, CONTROL_START, 0, 0), 0);
    ck_assert_int_gt(exec_shell(sock, script, &out), 1);
    ck_assert_ptr_nonnull(strstr(read_all(out), "ork")); /* "Cannot fork" */
    sock = connect_box();
    ck_assert_int_eq(ask(sock, CONTROL_UPDATE, 100, 0), 0);
    ck_assert_int_gt(exec_shell(sock, "sleep 5 & sleep 5 & sleep 5 & sleep 5 & echo good", &out),
                     1);
    sock = connect_box();
    ck_assert_int_eq(control_request(sock, &m, NULL, &st, sizeof(st)), 0);
    ck_assert_uint_eq(m.length, sizeof(st));
    ck_assert_uint_eq(st.pids_limit, 100);
    ck_assert_uint_ge(st.pids, 2);
    ck_assert(st.memory > 0 && st.cpu_user_ns + st.cpu_kernel_ns > 0);
    ck_assert(st.memory_peak >= st.memory && st.memory < 1 << 28);
    ck_assert(st.read_bytes > 10000 && st.write_bytes > 4); /* programs, "fork" */
}
END_TEST

/* Bytes that come within a time. */
static int flow(int fd, int ms)
{
    char buf[4096];
    int total = 0;
    ssize_t n;

    usleep((useconds_t)ms * 1000);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (total < 1 << 20 && (n = read(fd, buf, sizeof(buf))) > 0)
        total += (int)n;
    return total;
}

START_TEST(pause_resume)
{
    int sock, other, out, pid;

    create_and_start(sleeper);
    sock = connect_box();
    other = connect_box();
    pid = exec_shell(sock, "while :; do echo x; done & while :; do echo y; sleep 0.01; done", &out);
    ck_assert_int_gt(flow(out, 300), 0);
    ck_assert_int_eq(ask(other, CONTROL_PAUSE, 0, 0), 0);
    ck_assert_int_eq(ask(other, CONTROL_PAUSE, 0, 0), -EALREADY);
    flow(out, 200);
    ck_assert_int_eq(flow(out, 300), 0);
    ck_assert_int_eq(ask(other, CONTROL_RESUME, 0, 0), 0);
    ck_assert_int_eq(ask(other, CONTROL_RESUME, 0, 0), -EALREADY);
    ck_assert_int_gt(flow(out, 300), 0);
    ck_assert_int_eq(ask(other, CONTROL_PAUSE, 0, 0), 0);
    ck_assert_int_eq(ask(other, CONTROL_SIGNAL, pid, SIGKILL), 0); /* works on the paused, too */
    ck_assert_int_eq(exited(sock, pid), SIGKILL);
}
END_TEST

START_TEST(processes_and_texts)
{
    struct control_message m = {.kind = CONTROL_PROCESSES};
    struct control_process p[64];
    char text[65536];
    int sock, other, out, pid;

    create_and_start(sleeper);
    sock = connect_box();
    pid = exec_shell(sock, "echo ready; exec sleep 50", &out);
    other = connect_box();
    ck_assert_int_eq((int)read(out, text, 6), 6);
    usleep(100000);
    ck_assert_int_eq(control_request(other, &m, NULL, p, sizeof(p)), 0);
    ck_assert_uint_eq(m.length, 2 * sizeof(p[0]));
    ck_assert_int_eq((int)m.b, 2);
    ck_assert(p[0].pid == 1 && p[0].ppid == 0 && p[0].threads == 1 && p[0].rss > 4096);
    ck_assert(p[1].pid == pid && p[1].ppid == 0 && !strcmp(p[1].comm, "sleep"));
    m = (struct control_message){.kind = CONTROL_PROCESSES, .a = pid};
    ck_assert_int_eq(control_request(other, &m, NULL, p, sizeof(p)), 0);
    ck_assert_int_eq((int)m.b, 0);

    m = (struct control_message){.kind = CONTROL_DEBUG, .a = CONTROL_DEBUG_STACKS};
    ck_assert_int_eq(control_request(other, &m, NULL, text, sizeof(text)), 0);
    ck_assert_ptr_nonnull(strstr(text, "sleep): sleeping in clock_nanosleep("));
    m = (struct control_message){.kind = CONTROL_DEBUG, .a = CONTROL_DEBUG_EXITS};
    ck_assert_int_eq(control_request(other, &m, NULL, text, sizeof(text)), 0);
    ck_assert_ptr_nonnull(strstr(text, "CONTROL_RECV="));
    ck_assert_int_eq(ask(other, CONTROL_DEBUG, CONTROL_DEBUG_LEVEL, 9), -EINVAL);
    ck_assert_int_eq(ask(other, CONTROL_DEBUG, 99, 0), -EINVAL);
    ck_assert_int_eq(ask(other, 9999, 0, 0), -ENOSYS);
}
END_TEST

/* ---- namespaces of the sandbox process, and the wait for hooks ---- */

static int sync_pair[2], other_net;

static void with_sync(struct sandbox_config *c)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sync_pair), 0);
    c->sync_fd = sync_pair[1];
    c->namespaces = (struct sandbox_namespaces){other_net, NAMESPACE_KEEP, NAMESPACE_NEW};
}

static ino_t namespace_of(pid_t pid, const char *name)
{
    char path[64];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_ino;
}

/* A network namespace that somebody else has made. */
static int make_network(void)
{
    int ready[2], fd;
    char path[64], byte;
    pid_t pid;

    ck_assert_int_eq(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        _exit(unshare(CLONE_NEWNET) || write(ready[1], "", 1) != 1 || pause());
    }
    close(ready[1]);
    ck_assert_int_eq((int)read(ready[0], &byte, 1), 1);
    snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return fd;
}

START_TEST(hooks_and_namespaces)
{
    struct pollfd p;
    struct stat net;
    char byte;
    int status;

    if (geteuid() != 0)
        return;
    other_net = make_network();
    ck_assert_int_eq(fstat(other_net, &net), 0);
    create(sleeper, with_sync);
    close(sync_pair[1]);
    ck_assert_int_eq((int)read(sync_pair[0], &byte, 1), 1);
    ck_assert_uint_eq(namespace_of(box.sandbox, "net"), net.st_ino);
    ck_assert_uint_eq(namespace_of(box.sandbox, "ipc"), namespace_of(getpid(), "ipc"));
    ck_assert_uint_ne(namespace_of(box.sandbox, "uts"), namespace_of(getpid(), "uts"));
    p = (struct pollfd){box.launcher, POLLIN, 0};
    ck_assert_int_eq(poll(&p, 1, 200), 0); /* the hooks run now */
    if (_i) {
        close(sync_pair[0]); /* and fail */
        ck_assert_int_eq(waitpid(box.sandbox, &status, 0), box.sandbox);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 128);
        box.sandbox = 0;
        return;
    }
    ck_assert_int_eq((int)write(sync_pair[0], "", 1), 1);
    expect_created();
}
END_TEST

/* ---- terminals ---- */

/* A terminal as the command line hands it over: raw but for output. Its master in *master. */
static int new_terminal(int *master)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    struct termios t;
    tcflag_t oflag;
    int slave;

    *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert(*master >= 0 && !grantpt(*master) && !unlockpt(*master));
    slave = open(ptsname(*master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(slave, 0);
    tcgetattr(slave, &t);
    oflag = t.c_oflag;
    cfmakeraw(&t);
    t.c_oflag = oflag;
    tcsetattr(slave, TCSANOW, &t);
    ioctl(slave, TIOCSWINSZ, &size);
    return slave;
}

/* Read from a master until the text has come, at most 10 s. */
static void expect_text(int master, const char *text)
{
    static char seen[65536];
    struct pollfd p = {master, POLLIN, 0};
    size_t at = 0;

    while (poll(&p, 1, 10000) > 0) {
        ssize_t n = read(master, seen + at, sizeof(seen) - 1 - at);

        if (n <= 0)
            break;
        at += (size_t)n;
        seen[at] = 0;
        if (strstr(seen, text))
            return;
    }
    ck_abort_msg("\"%s\" does not come; only: %s", text, seen);
}

static int exec_on_terminal(int sock, const char *script, int slave)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    const int fds[3] = {slave, slave, slave};
    u32 stdio[3] = {0, 1, 2};
    struct control_message m = {.kind = CONTROL_EXEC, .tag = 9};
    struct sandbox_process p;
    char buf[65536];

    fill_process(&p, argv);
    p.console = true;
    m.length = (u32)fdt_build_process(&p, stdio, buf, sizeof(buf));
    ck_assert_int_eq(control_send(sock, &m, buf, fds, 3), 0);
    close(slave);
    ck_assert_int_eq(control_receive(sock, &m, buf, sizeof(buf)), 0);
    return (int)m.a;
}

START_TEST(exec_terminal)
{
    const char *script = "tty; stty size; read x; echo got $x; stty size; exit 4";
    int sock, other, master, n;
    struct control_message m;
    char buf[4096];

    create_and_start(sleeper);
    sock = connect_box();
    other = connect_box();
    for (int i = 0; i < 3; i++) { /* numbers of terminals that were closed come again */
        int pid = exec_on_terminal(sock, script, new_terminal(&master));

        expect_text(master, "/dev/pts/0\r\n24 80\r\n");
        ck_assert_int_eq(ask(other, CONTROL_WINDOW, pid, 50 << 16 | 99), 0);
        ck_assert_int_eq(ask(other, CONTROL_WINDOW, 1, 0), -ENOTTY);
        ck_assert_int_eq((int)write(master, "abx\177c\n", 6), 6); /* it has a line discipline */
        expect_text(master, "got abc\r\n50 99\r\n");
        ck_assert_int_eq(control_receive(sock, &m, NULL, 0), 0);
        ck_assert(m.kind == CONTROL_EXITED && m.b == 4 << 8);
        n = (int)read(master, buf, sizeof(buf)); /* nobody holds the other end any more */
        ck_assert(n == 0 || (n < 0 && errno == EIO));
        close(master);
    }
}
END_TEST

START_TEST(exec_terminal_hangs_up)
{
    int sock, master;
    struct control_message m;

    create_and_start(sleeper);
    sock = connect_box();
    exec_on_terminal(sock, "echo up; sleep 100", new_terminal(&master));
    expect_text(master, "up");
    do { /* ^C: a shell that is about to fork may miss the first */
        ck_assert_int_eq((int)write(master, "\003", 1), 1);
    } while (poll(&(struct pollfd){sock, POLLIN, 0}, 1, 100) == 0);
    ck_assert_int_eq(control_receive(sock, &m, NULL, 0), 0);
    ck_assert(m.kind == CONTROL_EXITED && (m.b == SIGINT || m.b == 130 << 8));
    close(master);
    exec_on_terminal(sock, "echo up; sleep 100", new_terminal(&master));
    expect_text(master, "up");
    close(master);
    ck_assert_int_eq(control_receive(sock, &m, NULL, 0), 0);
    ck_assert(m.kind == CONTROL_EXITED && m.b == SIGHUP);
}
END_TEST

static int container_slave;
static bool without_devpts;

static void on_terminal(struct sandbox_config *c)
{
    c->process.console = c->own_terminal = true;
    c->nmounts -= without_devpts;
    for (int i = 0; i < 3; i++)
        c->stdio[i] = i ? dup(container_slave) : container_slave;
}

START_TEST(container_terminal)
{
    static const char *const argv[] = {
        "sh", "-c",
        "trap 'stty size' WINCH; tty; stty size; test -c /dev/console && stty size </dev/console;"
        "read x; while :; do sleep 0.05; done",
        NULL};
    struct winsize size = {.ws_row = 33, .ws_col = 44};
    int master;

    without_devpts = _i;
    container_slave = new_terminal(&master);
    create(argv, on_terminal);
    expect_created();
    close(container_slave);
    ck_assert_int_eq(ask(box.launcher, CONTROL_START, 0, 0), 0);
    expect_text(master, _i ? "24 80\r\n24 80\r\n" : "/dev/pts/0\r\n24 80\r\n24 80\r\n");
    ck_assert_int_eq((int)write(master, "\n", 1), 1);
    ck_assert_int_eq(ioctl(master, TIOCSWINSZ, &size), 0); /* as dockerd does: it tells nobody */
    expect_text(master, "33 44");
    close(master); /* ends the application's session, not the sandbox before it */
    ck_assert_int_eq(expect_end(129), SIGHUP);
}
END_TEST

static const char *const sysctls[] = {"net.core.somaxconn=77", "kernel/sem=1 2\t3  4",
                                      "kernel.domainname=example.org", NULL};
static const char *const masked[] = {"/etc/passwd", "/var", "/nonexistent", NULL};
static const char *const read_only[] = {"/etc", "/proc/sys", "/nonexistent", NULL};
static const struct sandbox_device devices[] = {
    {"/dev/my/null", S_IFCHR | 0640, 1, 3, 5, 6},
    {"/dev/null", S_IFCHR | 0666, 1, 3, 0, 0},
    {"/dev/pipe", S_IFIFO | 0600, 0, 0, 7, 0},
    {"/dev/kvm", S_IFCHR | 0666, 10, 232, 0, 0},
};

static void many_paths(struct sandbox_config *c)
{
    c->sysctl = sysctls;
    c->masked_paths = masked;
    c->readonly_paths = read_only;
    c->devices = devices;
    c->ndevices = sizeof(devices) / sizeof(devices[0]);
    c->process.cwd = "/made/for/me";
    c->process.oom_score_adj = 300;
}

START_TEST(paths)
{
    static const char *const argv[] = {
        "/bin/busybox", "sh", "-c",
        "b=/bin/busybox; pwd; $b wc -c < /etc/passwd; $b ls /var | $b wc -l;"
        "$b cat /proc/sys/net/core/somaxconn /proc/sys/kernel/sem /proc/sys/kernel/domainname;"
        "echo x 2>/dev/null > /etc/new || echo refused;"
        "echo x 2>/dev/null > /var/new || echo refused;"
        "echo x > /made/for/me/too && echo taken;"
        "$b stat -c '%A %u %g %t %T' /dev/my/null /dev/null /dev/pipe; $b ls /dev/kvm 2>&1;"
        "echo x > /dev/my/null; cat /proc/self/oom_score_adj; echo $HOME",
        NULL};

    if (access(argv[0], X_OK))
        return;
    create(argv, many_paths);
    expect_created();
    ck_assert_int_eq(ask(box.launcher, CONTROL_START, 0, 0), 0);
    ck_assert_str_eq(read_all(box.out),
                     "/made/for/me\n0\n0\n77\n1\t2\t3\t4\nexample.org\nrefused\nrefused\ntaken\n"
                     "crw-r----- 5 6 1 3\ncrw-rw-rw- 0 0 1 3\nprw------- 7 0 0 0\n"
                     "ls: /dev/kvm: No such file or directory\n300\n/\n");
}
END_TEST

static void with_copy(struct sandbox_config *c)
{
    static const char *const options[] = {"nosuid", "size=4m", "tmpcopyup", NULL};
    static struct sandbox_mount mounts[5];

    memcpy(mounts, c->mounts, 4 * sizeof(mounts[0]));
    mounts[4] = (struct sandbox_mount){
        .destination = "/etc", .type = "tmpfs", .options = options, .conn = -1};
    c->mounts = mounts;
    c->nmounts = 5;
}

START_TEST(tmpfs_copies)
{
    static const char *const argv[] = {
        "sh", "-c",
        "cd /etc; cat passwd | cksum; find . -type f -perm -004 | sort | head -20 | xargs cksum |"
        "cksum; find . -type l | sort | xargs -n1 readlink | cksum;"
        "find . \\( -type f -o -type l -o -type d \\) -printf '%p %y %U %G\\n' | sort | cksum;"
        "find . ! -type l -printf '%p %m\\n' | sort | cksum; touch new && echo taken",
        NULL};
    char here[4096];
    FILE *f = popen("cd /etc; cat passwd | cksum; find . -type f -perm -004 | sort | head -20 |"
                    "xargs cksum | cksum; find . -type l | sort | xargs -n1 readlink | cksum;"
                    "find . \\( -type f -o -type l -o -type d \\) -printf '%p %y %U %G\\n' | sort |"
                    "cksum; find . ! -type l -printf '%p %m\\n' | sort | cksum; echo taken",
                    "r");

    here[fread(here, 1, sizeof(here) - 1, f)] = 0;
    pclose(f);
    create(argv, with_copy);
    expect_created();
    ck_assert_int_eq(ask(box.launcher, CONTROL_START, 0, 0), 0);
    ck_assert_str_eq(read_all(box.out), here);
}
END_TEST

static const char *bad_sysctl[2];

static void with_sysctl(struct sandbox_config *c)
{
    c->sysctl = bad_sysctl;
}

START_TEST(unknown_sysctl)
{
    static const char *const cases[][2] = {
        {"net.foo.bar=1", "sysctl \"net.foo.bar\" is not known in the sandbox"},
        {"net.core.somaxconn=-1", "sysctl \"net.core.somaxconn\": invalid argument"},
        {"net.core.somaxconn=99999999999999999999",
         "sysctl \"net.core.somaxconn\": invalid argument"},
        {"kernel.sem=1 2 3", "sysctl \"kernel.sem\": invalid argument"},
        {"kernel.sem", "sysctl \"kernel.sem\": invalid argument"},
    };
    char text[512];

    bad_sysctl[0] = cases[_i][0];
    create(sleeper, with_sysctl);
    ck_assert_int_lt((int)told(text, sizeof(text)).a, 0);
    ck_assert_str_eq(text, cases[_i][1]);
}
END_TEST

/* A client that makes mistakes loses its connection, and nobody else notices. */
START_TEST(hostile_client)
{
    struct control_message m = {.kind = CONTROL_SIGNAL, .length = 50};
    const int fds[3] = {0, 1, 2};
    char big[200000];
    int good, bad;

    create_and_start(sleeper);
    good = connect_box();
    bad = connect_box();
    ck_assert_int_eq(send(bad, "half", 4, 0), 4);
    ck_assert_int_eq(control_receive(bad, &m, NULL, 0), -ECONNRESET);
    bad = connect_box();
    m.length = 50;
    ck_assert_int_eq(send(bad, &m, sizeof(m), 0), sizeof(m)); /* no payload */
    ck_assert_int_eq(control_receive(bad, &m, NULL, 0), -ECONNRESET);
    for (int i = 0; i < 200; i++) { /* descriptors that nobody wants are closed */
        m = (struct control_message){.kind = CONTROL_RESUME};
        ck_assert_int_eq(control_send(good, &m, NULL, fds, 3), 0);
        ck_assert_int_eq(control_receive(good, &m, NULL, 0), 0);
    }
    memset(big, 0xd0, sizeof(big)); /* no device tree */
    m = (struct control_message){.kind = CONTROL_EXEC, .length = sizeof(big)};
    ck_assert_int_eq(control_request(good, &m, big, NULL, 0), -EINVAL);
    for (int i = 0; i < 300; i++) { /* more than fit: the last are refused, earlier ones close */
        int sock = control_connect(box.path);

        ck_assert_int_ge(sock, 0);
        close(sock);
    }
    ck_assert_int_eq(ask(good, CONTROL_SIGNAL, CONTROL_PID_FIRST, 0), 0);
    close(box.launcher); /* the launcher may go as well */
    usleep(50000);
    ck_assert_int_eq(ask(good, CONTROL_SIGNAL, CONTROL_PID_FIRST, 0), 0);
}
END_TEST

START_TEST(long_path)
{
    char path[420], dir[400];
    int sock, client, err;

    snprintf(dir, sizeof(dir), "/tmp/ringfort-control.%d.%0150d", getpid(), 0);
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    snprintf(path, sizeof(path), "%s/control.sock", dir);
    sock = control_listen(path);
    client = control_connect(path);
    err = unlink(path) | rmdir(dir);
    ck_assert_int_ge(sock, 0);
    ck_assert_int_ge(client, 0);
    ck_assert_int_eq(err, 0);
    ck_assert_int_eq(control_connect(path), -ENOENT);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *s = suite_create("control");
    TCase *t = tcase_create("all"), *terminals = tcase_create("terminals");
    SRunner *r = srunner_create(s);
    int failed;

    if (argc > 1 && !strcmp(argv[1], "kvm"))
        platform = PLATFORM_KVM;
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, life);
    tcase_add_test(t, killed_before_start);
    tcase_add_loop_test(t, no_program, 0, 4);
    tcase_add_test(t, bad_cwd);
    tcase_add_test(t, exec_runs);
    tcase_add_test(t, exec_fails);
    tcase_add_test(t, exec_dies_with_connection);
    tcase_add_test(t, wait_and_signal);
    tcase_add_test(t, end_kills_others);
    tcase_add_test(t, pids_limit);
    tcase_add_test(t, pause_resume);
    tcase_add_test(t, processes_and_texts);
    tcase_set_timeout(terminals, 60);
    tcase_add_checked_fixture(terminals, NULL, teardown);
    tcase_add_test(terminals, exec_terminal);
    tcase_add_test(terminals, exec_terminal_hangs_up);
    tcase_add_loop_test(terminals, container_terminal, 0, 2);
    suite_add_tcase(s, terminals);
    tcase_add_loop_test(t, hooks_and_namespaces, 0, 2);
    tcase_add_test(t, paths);
    tcase_add_test(t, tmpfs_copies);
    tcase_add_loop_test(t, unknown_sysctl, 0, 5);
    tcase_add_test(t, hostile_client);
    tcase_add_test(t, long_path);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
