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
    bool shared; /* others change the files behind it: what is known of a name is checked anew */
};

struct sandbox_rlimit {
    uint64_t soft, hard;
};

/* Capability sets, one bit a capability, capabilities(7). */
struct sandbox_caps {
    uint64_t bounding, effective, inheritable, permitted, ambient;
};

/*
 * A process to be: the container's first one (in struct sandbox_config), or one that `runsc exec`
 * adds (fdt_build_process()). Borrowed until the device tree is built.
 */
struct sandbox_process {
    const char *const *argv, *const *envp; /* NULL-terminated */
    const char *cwd;
    uint32_t uid, gid;
    const uint32_t *groups;
    size_t ngroups;
    struct sandbox_caps caps;
    uint32_t umask;
    int32_t oom_score_adj;
    bool no_new_privs;
    bool console; /* its standard input is a host terminal in raw mode: give it a line discipline */
    struct sandbox_rlimit rlimits[16]; /* indexed by RLIMIT_* */
};

/* A device node of linux.devices; nodes that the Sentry has no driver for are left out. */
struct sandbox_device {
    const char *path; /* in the container */
    uint32_t mode;    /* S_IFCHR, S_IFBLK or S_IFIFO and permissions */
    uint32_t major, minor, uid, gid;
};

/* Host namespaces of the sandbox process: descriptors to join (owned by sandbox_run()), or one of:
 */
#define NAMESPACE_NEW  (-1)
#define NAMESPACE_KEEP (-2) /* stay in the one we are in */
struct sandbox_namespaces {
    int net, ipc, uts;
};

/* Everything a sandbox needs to know; owned by the caller, read only. */
struct sandbox_config {
    const char *id;
    enum platform platform; /* resolved by platform_choose() before the fork: KVM or PTRACE */
    int kvm_fd;             /* /dev/kvm, or -1 with ptrace; sandbox_run() owns it */
    unsigned cpus;          /* 0: as many as the host allows this process */
    uint64_t ram_bytes;     /* 0: the host's memory */
    enum sandbox_network network;
    struct sandbox_namespaces namespaces;

    struct sandbox_process process;    /* the first one */
    const char *hostname, *domainname; /* domainname may be NULL */
    const char *release, *version;     /* uname(2) */
    const char *const *sysctl;         /* "net.core.somaxconn=512"; lists may be NULL */
    const char *const *masked_paths, *const *readonly_paths;
    const struct sandbox_device *devices;
    size_t ndevices;
    int64_t pids_limit; /* tasks of the container; 0 or less: no limit */

    int stdio[3]; /* host descriptors; -1 = closed. Owned by sandbox_run() */
    /*
     * process.console, and nobody else looks after the terminal: it becomes the controlling
     * terminal of the sandbox process, which follows its window size.
     */
    bool own_terminal;
    const struct sandbox_mount *mounts;
    size_t nmounts;
    const int *gofer_fds; /* connected SOCK_SEQPACKET sockets, owned by sandbox_run() */
    size_t ngofers;

    /* Control channel, vmm/abi/control.h; all owned by sandbox_run(), -1 = none. */
    int control_fd;        /* SOCK_SEQPACKET pair to the launcher: connection 0 */
    int control_listen_fd; /* listening socket, control_listen() */
    /*
     * Stream socket to the launcher: one byte comes out when the namespaces stand, and one must
     * come in before confinement begins (the hooks have run); its end instead ends us.
     */
    int sync_fd;
    bool start; /* let the first process run at once; otherwise CONTROL_START does */
    int log_fd; /* debug log, -1 = none */
    bool strace;
    const char *crash; /* fail on purpose; NULL: no */
    int debug;         /* 0 warnings, 1 info, 2 debug */
};

/*
 * Confine this process (namespaces, empty root, no capabilities, seccomp), start the machine, run
 * the container's first process to its end. Never returns: the process ends with the exit status
 * that a shell would show (signal: 128 + n). A failure before the guest runs is reported on the log
 * and on stderr, exit status 128. The end of the first process is told before by CONTROL_ENDED: the
 * process itself may take some milliseconds more to go, because the kernel takes a virtual machine
 * apart slowly.
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

/*
 * A pipe or terminal that is shared with others: open it once more, so that O_NONBLOCK is ours
 * alone. Returns the new descriptor (fd is closed, unless it is 0, 1 or 2), or fd itself where that
 * is impossible. For descriptors that a sandbox is given.
 */
int descriptor_own(int fd);
