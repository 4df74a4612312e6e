// SPDX-License-Identifier: Apache-2.0
//
// The life of a sandbox process: gather what it needs, give up everything else, run. The order
// matters: whatever opens, mounts or asks the host comes before confinement, threads and the guest
// after.

#include "vmm/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sentry/machine/ptrace/hosted.h"
#include "vmm/clock.h"
#include "vmm/confine.h"
#include "vmm/fdt.h"
#include "vmm/hostcall/event.h"
#include "vmm/hostcall/control.h"
#include "vmm/hostcall/fd.h"
#include "vmm/hostcall/hostcall.h"
#include "vmm/hostcall/socket.h"
#include "vmm/kvm.h"
#include "vmm/log.h"
#include "vmm/memory.h"
#include "vmm/ring.h"
#include "vmm/vcpu.h"
#include "vmm/window.h"

#define START_FAILED 128
#define KEEP_MAX     128
#define FAREWELL_MS  300

static struct kvm kvm;
static struct image image;

static void check(int r, const char *what)
{
    if (r < 0)
        log_die(START_FAILED, "cannot start the sandbox: %s: %s", what, strerror(-r));
}

/* Lines of what the machine has counted. */
static void counters(char *buf, size_t size)
{
    void (*const parts[])(char *, size_t) = {vcpu_exits, hostcall_counters, ring_counters};
    size_t at = 0;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && at + 2 < size; i++) {
        parts[i](buf + at, size - at - 1);
        at += strlen(buf + at);
        buf[at++] = '\n';
        buf[at] = 0;
    }
}

static void end(int status)
{
    char text[4096], *line, *rest = text;

    if (log_enabled(LOG_INFO)) {
        counters(text, sizeof(text));
        while ((line = strsep(&rest, "\n")) && *line)
            log_line(LOG_INFO, "%s", line);
        log_line(LOG_INFO, "end of the sandbox, status %d", status);
    }
    control_farewell(FAREWELL_MS);
    _exit(status);
}

/* ---- descriptors ---- */

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Close every descriptor that the configuration does not name. */
static void close_others(const struct sandbox_config *cfg)
{
    int keep[KEEP_MAX], n = 0, next = 0;

    keep[n++] = STDERR_FILENO;
    for (int i = 0; i < 3; i++)
        keep[n++] = cfg->stdio[i];
    keep[n++] = cfg->control_fd;
    keep[n++] = cfg->control_listen_fd;
    keep[n++] = cfg->sync_fd;
    keep[n++] = cfg->namespaces.net;
    keep[n++] = cfg->namespaces.ipc;
    keep[n++] = cfg->namespaces.uts;
    keep[n++] = cfg->log_fd;
    keep[n++] = cfg->kvm_fd;
    if (cfg->ngofers > (size_t)(KEEP_MAX - n))
        log_die(START_FAILED, "too many gofer connections");
    for (size_t i = 0; i < cfg->ngofers; i++)
        keep[n++] = cfg->gofer_fds[i];
    qsort(keep, (size_t)n, sizeof(keep[0]), compare);
    for (int i = 0; i < n; i++) {
        if (keep[i] > next)
            syscall(SYS_close_range, next, keep[i] - 1, 0);
        if (keep[i] >= next)
            next = keep[i] + 1;
    }
    syscall(SYS_close_range, next, ~0U, 0);
}

int descriptor_own(int fd)
{
    char path[32];
    struct stat st;
    int own, flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fstat(fd, &st) != 0 || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
        return fd;
    if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(5, 2))
        return fd; /* opening a pseudo-terminal's master makes another one */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    own = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own < 0)
        return fd;
    if (fd > STDERR_FILENO)
        close(fd);
    return own;
}

static void install_stdio(const struct sandbox_config *cfg, u32 index[3])
{
    for (int i = 0; i < 3; i++) {
        int r;

        index[i] = ~0U;
        if (cfg->stdio[i] < 0 || fcntl(cfg->stdio[i], F_GETFD) < 0)
            continue;
        r = hfile_install(descriptor_own(cfg->stdio[i]));
        check(r, "standard input and output");
        index[i] = (u32)r;
    }
}

/*
 * Follow the window size of the container's terminal: it sends SIGWINCH to the session that it
 * controls. Its end is seen as the end of its input; the signal for it would only kill us.
 */
static void own_terminal(const struct sandbox_config *cfg)
{
    if (!cfg->own_terminal)
        return;
    signal(SIGHUP, SIG_IGN);
    if (setsid() < 0 || ioctl(cfg->stdio[0], TIOCSCTTY, 0))
        log_line(LOG_WARN, "the terminal has another session (errno %d): its size is not followed",
                 errno);
}

/* Our namespaces stand: the launcher runs the hooks that need them, then lets us go on. */
static void wait_for_hooks(const struct sandbox_config *cfg)
{
    char byte;
    ssize_t n;

    if (cfg->sync_fd < 0)
        return;
    do {
        n = read(cfg->sync_fd, &byte, 1);
    } while (n < 0 && errno == EINTR);
    if (n != 1)
        _exit(START_FAILED); /* the launcher has said why, or has died */
    close(cfg->sync_fd);
}

static void tell_namespaces_stand(const struct sandbox_config *cfg)
{
    if (cfg->sync_fd >= 0 && write(cfg->sync_fd, "", 1) != 1)
        _exit(START_FAILED);
}

/* ---- the machine ---- */

/* CPUs of the host that we may use. */
static unsigned host_cpus(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static unsigned count_cpus(const struct sandbox_config *cfg)
{
    unsigned n = cfg->cpus ? cfg->cpus : host_cpus();

    return n < 1 ? 1 : n > MAX_CPUS ? MAX_CPUS : n;
}

static u64 count_ram(const struct sandbox_config *cfg)
{
    u64 n = cfg->ram_bytes ? cfg->ram_bytes : memory_host_ram();

    return n > RAM_MAX ? RAM_MAX : n & ~(MIB(2) - 1);
}

static void build_kvm(const struct sandbox_config *cfg, struct fdt_machine *m)
{
    size_t fdt_size = fdt_size_bound(cfg);

    check(memory_init(MEMORY_PRIVATE, m->ram_size), "memory");
    check(kvm_create(&kvm, cfg->kvm_fd), "virtual machine");
    check(image_load(&image, guest_image, (size_t)(guest_image_end - guest_image), fdt_size,
                     m->cpus, kvm.gib_pages),
          "guest image");
    check(kvm_add_memory(&kvm, &image), "guest memory");
    check(vcpu_create_all(&kvm, &image, m->cpus), "virtual CPUs");
    m->ring_gpa = image.ring_gpa;
    m->hostcall_gpa = image.hostcall_gpa;
    m->tsc_khz = vcpu_tsc_khz();
    if (!m->tsc_khz)
        m->tsc_khz = clock_tsc_khz();
    check(fdt_build(cfg, m, image.fdt, fdt_size), "device tree");
}

static void *build_hosted(const struct sandbox_config *cfg, struct fdt_machine *m)
{
    size_t fdt_size = fdt_size_bound(cfg);
    void *fdt = malloc(fdt_size);

    if (!fdt)
        check(-ENOMEM, "device tree");
    sentry_hosted_prepare();
    check(memory_init(MEMORY_SHARED, m->ram_size), "memory");
    check(memory_plug(RAM_GPA + m->ram_size), "memory");
    check(window_catch_sigbus(), "SIGBUS handler");
    m->tsc_khz = clock_tsc_khz();
    check(fdt_build(cfg, m, fdt, fdt_size), "device tree");
    return fdt;
}

void sandbox_run(const struct sandbox_config *cfg)
{
    struct fdt_machine m = {.ram_size = count_ram(cfg), .cpus = count_cpus(cfg)};
    bool spin = host_cpus() > 1;
    void *fdt = NULL;

    clock_start();
    log_init(cfg->log_fd, cfg->debug);
    signal(SIGPIPE, SIG_IGN);
    mallopt(M_ARENA_MAX, 1); /* threads hardly allocate; an arena each would cost memory */
    close_others(cfg);
    check(confine_namespaces(&cfg->namespaces), "namespaces");
    own_terminal(cfg);
    tell_namespaces_stand(cfg);
    hostcall_ops.exit = end;
    hostcall_ops.symbol = image_symbol;
    hostcall_ops.counters = counters;
    check(hostcall_init(cfg->control_fd, cfg->control_listen_fd), "events");
    if (cfg->own_terminal)
        check(event_watch_window_size(), "window size");
    check(hostcall_set_gofers(cfg->gofer_fds, cfg->ngofers), "gofer connections");
    install_stdio(cfg, m.stdio);
    if (cfg->platform == PLATFORM_KVM)
        build_kvm(cfg, &m);
    else
        fdt = build_hosted(cfg, &m);
    log_line(LOG_INFO, "machine built: %u CPUs, %llu MiB, TSC %llu kHz", m.cpus,
             (unsigned long long)(m.ram_size >> 20), (unsigned long long)m.tsc_khz);
    if (cfg->network == NETWORK_HOST)
        hostcall_allow_network();
    if (cfg->network == NETWORK_SANDBOX)
        log_line(LOG_INFO, "network: no stack of the sandbox's own yet; loopback only");
    wait_for_hooks(cfg);
    check(confine_process(cfg->platform, cfg->network), "confinement");
    if (cfg->platform != PLATFORM_KVM)
        check(sentry_hosted_zygote(), "stub processes"); /* they have a filter of their own */
    check(confine_syscalls(cfg->platform, cfg->network), "system call filter");
    log_line(LOG_INFO, "confined");
    if (cfg->platform != PLATFORM_KVM)
        check(sentry_hosted_main(fdt), "hosted Sentry");
    hostcall_ops.cpu_start = vcpu_start;
    check(ring_start(image.ring, kvm.doorbell, kvm.completion, spin), "worker threads");
    vcpu_run_boot();
}
