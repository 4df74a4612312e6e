// SPDX-License-Identifier: Apache-2.0
//
// First process of the emulated machine that scripts/kvmbox boots. It loads the modules packed
// beside it, takes the developer's file tree (read-only over 9p) as the lower half of an overlay,
// makes that the root, runs the prepared script there and powers the machine off.
//
// Output travels over two virtio ports, one per stream; the script sees ordinary pipes, because a
// port can be opened only once. The third port carries one line: "exit N", "signal N" or what went
// wrong on the way.

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int status_port = -1;

static void power_off(void)
{
    if (status_port >= 0)
        close(status_port);
    reboot(RB_POWER_OFF);
    for (;;)
        pause();
}

static void report(const char *fmt, ...)
{
    char line[256];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof(line))
        n = sizeof(line) - 1;
    if (status_port < 0 || write(status_port, line, n) != n)
        fprintf(stderr, "kvmbox-init: %s", line);
}

static void die(const char *what)
{
    report("init: %s: %s\n", what, strerror(errno));
    power_off();
}

static void mount_or_die(const char *src, const char *dir, const char *type, unsigned long flags,
                         const char *opts)
{
    mkdir(dir, 0755);
    if (mount(src, dir, type, flags, opts) < 0)
        die(dir);
}

static void load_modules(void)
{
    FILE *list = fopen("/modules/list", "re");
    char name[256];

    if (!list)
        die("/modules/list");
    while (fscanf(list, "%255s", name) == 1) {
        int fd = open(name, O_RDONLY | O_CLOEXEC);

        if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
            die(name);
        close(fd);
    }
    fclose(list);
}

/*
 * Keep two virtual machines of one CPU each for ever, one with an APIC that is switched off and one
 * without. When a VM of a kind that there is not yet comes or goes, KVM patches the kernel's code
 * (static keys: preempt notifiers, APIC absent, APIC disabled), and QEMU's emulation sometimes goes on
 * executing the breakpoint that stands there for a moment: the box hangs or reboots.
 */
static void hold_kvm(void)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    for (int apic = 0; apic < 2; apic++) {
        int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);

        if (vm >= 0 && (!apic || ioctl(vm, KVM_CREATE_IRQCHIP, 0) == 0))
            ioctl(vm, KVM_CREATE_VCPU, 0);
    }
}

/* Opens the virtio port with the given name; the driver's probe may still be running. */
static int open_port(const char *want, int flags)
{
    for (int tries = 0; tries < 500; tries++, usleep(10000)) {
        DIR *d = opendir("/sys/class/virtio-ports");
        struct dirent *e;

        while (d && (e = readdir(d))) {
            char path[600], name[64] = "";
            snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", e->d_name);
            FILE *f = fopen(path, "re");
            if (!f)
                continue;
            bool found = fscanf(f, "%63s", name) == 1 && !strcmp(name, want);
            fclose(f);
            if (!found)
                continue;
            snprintf(path, sizeof(path), "/dev/%s", e->d_name);
            closedir(d);
            return open(path, flags | O_CLOEXEC);
        }
        if (d)
            closedir(d);
    }
    errno = ENODEV;
    return -1;
}

/* The value of KEY= on the kernel's command line. */
static char *cmdline_value(const char *key)
{
    static char buf[4096];
    FILE *f = fopen("/proc/cmdline", "re");
    size_t n = f ? fread(buf, 1, sizeof(buf) - 1, f) : 0;

    buf[n] = 0;
    if (f)
        fclose(f);
    for (char *w = strtok(buf, " \n"); w; w = strtok(NULL, " \n"))
        if (!strncmp(w, key, strlen(key)) && w[strlen(key)] == '=')
            return strdup(w + strlen(key) + 1);
    return NULL;
}

static void make_root(void)
{
    static const char *p9 = "trans=virtio,version=9p2000.L,msize=524288,access=any,";
    char opts[256];

    snprintf(opts, sizeof(opts), "%scache=loose", p9);
    mount_or_die("host", "/lower", "9p", MS_RDONLY, opts);
    mount_or_die("upper", "/upper", "tmpfs", 0, "mode=755");
    mkdir("/upper/data", 0755);
    mkdir("/upper/work", 0755);
    mount_or_die("root", "/root", "overlay", 0,
                 "lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work");
    mount_or_die("proc", "/root/proc", "proc", 0, NULL);
    mount_or_die("sys", "/root/sys", "sysfs", 0, NULL);
    mount_or_die("cgroup", "/root/sys/fs/cgroup", "cgroup2", 0, NULL);
    mount_or_die("dev", "/root/dev", "devtmpfs", 0, NULL);
    mount_or_die("pts", "/root/dev/pts", "devpts", 0, "gid=5,mode=620,ptmxmode=666");
    mount_or_die("shm", "/root/dev/shm", "tmpfs", 0, "mode=1777");
    mount_or_die("run", "/root/run", "tmpfs", 0, "mode=755");
    symlink("/proc/self/fd", "/root/dev/fd");
    symlink("fd/0", "/root/dev/stdin");
    symlink("fd/1", "/root/dev/stdout");
    symlink("fd/2", "/root/dev/stderr");

    char *share = cmdline_value("share");
    if (share) {
        char dir[4096];
        snprintf(dir, sizeof(dir), "/root%s", share);
        snprintf(opts, sizeof(opts), "%scache=none", p9);
        mount_or_die("share", dir, "9p", 0, opts);
    }
    /* Moved over "/" and not only chrooted into: pivot_root and user namespaces must work in there.
     */
    if (chdir("/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
        die("switch root");
    chdir("/");
}

static void write_all(int fd, const char *p, ssize_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);

        if (w < 0 && errno != EINTR && errno != EAGAIN)
            return;
        if (w > 0) {
            p += w;
            n -= w;
        }
    }
}

/* Copies what the pipe holds now; returns false at its end. */
static bool pump(int from, int to)
{
    static char buf[65536];
    ssize_t n = read(from, buf, sizeof(buf));

    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    write_all(to, buf, n);
    return true;
}

static void drain(int from, int to)
{
    struct pollfd p = {.fd = from, .events = POLLIN};

    while (poll(&p, 1, 0) == 1 && (p.revents & POLLIN) && pump(from, to))
        ;
}

/* Runs the script, forwards its two streams and reaps everything until the script itself has ended.
 */
static int run(const char *script, int out_port, int err_port)
{
    int out[2], err[2], status = 0;

    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
        die("pipe");
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        setsid();
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(out[1], 1);
        dup2(err[1], 2);
        execl("/bin/bash", "bash", script, NULL);
        dprintf(2, "kvmbox-init: cannot run %s: %s\n", script, strerror(errno));
        _exit(127);
    }
    close(out[1]);
    close(err[1]);
    struct pollfd p[2] = {{.fd = out[0], .events = POLLIN}, {.fd = err[0], .events = POLLIN}};
    const int port[2] = {out_port, err_port};

    for (;;) {
        poll(p, 2, 20);
        for (int i = 0; i < 2; i++)
            if (p[i].fd >= 0 && p[i].revents && !pump(p[i].fd, port[i]))
                p[i].fd = -1;
        pid_t got;
        int st;
        bool ended = false;
        while ((got = waitpid(-1, &st, WNOHANG)) > 0)
            if (got == pid) {
                status = st;
                ended = true;
            }
        if (ended)
            break;
    }
    drain(out[0], out_port);
    drain(err[0], err_port);
    return status;
}

int main(void)
{
    mount_or_die("dev", "/dev", "devtmpfs", 0, NULL);
    mount_or_die("proc", "/proc", "proc", 0, NULL);
    mount_or_die("sys", "/sys", "sysfs", 0, NULL);
    load_modules();
    hold_kvm();
    chmod("/dev/kvm", 0666); /* as udev does for who is at the machine */
    status_port = open_port("status", O_WRONLY);
    int out_port = open_port("stdout", O_WRONLY);
    int err_port = open_port("stderr", O_WRONLY);
    char *script = cmdline_value("script");

    if (status_port < 0 || out_port < 0 || err_port < 0)
        die("virtio ports");
    if (!script)
        die("no script=");
    make_root();
    int st = run(script, out_port, err_port);
    close(out_port);
    close(err_port);
    if (WIFEXITED(st))
        report("exit %d\n", WEXITSTATUS(st));
    else
        report("signal %d\n", WTERMSIG(st));
    power_off();
}
