/* SPDX-License-Identifier: Apache-2.0
 *
 * What vmm/ offers to oci/: run one sandbox in this (already forked) process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum platform { PLATFORM_AUTO, PLATFORM_KVM, PLATFORM_PTRACE };

/* What the container's sockets reach beyond the sandbox itself. */
enum sandbox_network {
    NETWORK_NONE,    /* loopback inside the Sentry; the sandbox process has an empty namespace */
    NETWORK_SANDBOX, /* the Sentry's own stack; until there is one, the same as none */
    NETWORK_HOST,    /* sockets of the namespace this process is in, through the stub */
};

/* One mount of the container; borrowed by sandbox_run() until it has built the device tree. */
struct sandbox_mount {
    const char *destination;    /* path in the container; first entry is "/" */
    const char *type;           /* "overlay", "gofer", "tmpfs", "proc", "devpts", "sysfs", "dev" */
    const char *const *options; /* NULL-terminated; may be NULL */
    int conn;                   /* index into gofer_fds, -1 when no gofer is behind it */
    unsigned attach;            /* the gofer's mount index */
    bool readonly;
};

struct sandbox_rlimit {
    uint64_t soft, hard;
};

/* Everything a sandbox needs to know; owned by the caller, read only. */
struct sandbox_config {
    const char *id;
    enum platform platform; /* resolved by platform_choose() before the fork: KVM or PTRACE */
    int kvm_fd;             /* /dev/kvm, or -1 with ptrace; sandbox_run() owns it */
    unsigned cpus;          /* 0: as many as the host allows this process */
    uint64_t ram_bytes;     /* 0: the host's memory */

    const char *const *argv, *const *envp; /* NULL-terminated */
    const char *cwd, *hostname;
    const char *release, *version; /* uname(2) */
    uint32_t uid, gid;
    const uint32_t *groups;
    size_t ngroups;
    uint64_t caps;
    uint32_t umask;
    bool no_new_privs;
    struct sandbox_rlimit rlimits[16]; /* indexed by RLIMIT_* */

    int stdio[3]; /* host descriptors; -1 = closed. Owned by sandbox_run() */
    bool console; /* stdio is a host terminal in raw mode: give it a line discipline */
    const struct sandbox_mount *mounts;
    size_t nmounts;
    const int *gofer_fds; /* connected SOCK_SEQPACKET sockets, owned by sandbox_run() */
    size_t ngofers;
    enum sandbox_network network;

    int control_fd; /* SOCK_SEQPACKET pair to the CLI: signals and window sizes in; -1 = none */
    int log_fd;     /* debug log, -1 = none */
    bool strace;
    const char *crash; /* fail on purpose; NULL: no */
    int debug; /* 0 warnings, 1 info, 2 debug */
};

/* Message from the CLI over control_fd. */
struct sandbox_control {
    uint32_t kind; /* enum host_event_kind: HOST_EVENT_SIGNAL, _WINSZ or _COMMAND */
    uint32_t pad;
    uint64_t a, b;
};

/*
 * The same message from the sandbox to the CLI, once: the container has ended with status `a`. The process
 * itself may take some milliseconds more to go, because the kernel takes a virtual machine apart
 * slowly; whoever needs it gone waits for it.
 */
#define SANDBOX_ENDED 0x100

/*
 * Confine this process (namespaces, empty root, no capabilities, seccomp), start the machine, run
 * the container's first process to its end. Never returns: the process ends with the exit status
 * that a shell would show (signal: 128 + n). A failure before the guest runs is reported on the log
 * and on stderr, exit status 128.
 */
_Noreturn void sandbox_run(const struct sandbox_config *cfg);

/*
 * Decide on the platform: opens /dev/kvm and probes it under a deadline (vmm/probe.c).
 * want == PLATFORM_KVM and unfit: returns -errno and a message in why. PLATFORM_AUTO never fails;
 * why says what was chosen and why. *kvm_fd is the open device or -1; the caller owns it.
 */
int platform_choose(enum platform want, enum platform *chosen, int *kvm_fd, char *why,
                    size_t why_size);

/* Nanoseconds per SYSCALL/SYSRET round trip of the bare probe guest, or -errno. For scripts/bench.
 */
long platform_probe_benchmark(void);
