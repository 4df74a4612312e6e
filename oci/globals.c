// SPDX-License-Identifier: Apache-2.0
/*
 * The flags before the command: what acts here, and what gVisor's users write in daemon.json that
 * has nothing to tune here but must not be an error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "oci/oci.h"

struct global_flags flags = {
    .platform = "auto",
    .log_format = "text",
    .release = "4.4.0",
    .network = "sandbox",
    .file_access = "exclusive",
    .file_access_mounts = "shared",
    .overlay2 = "none",
    .host_uds = "none",
    .cpu_num_from_quota = true,
    .oci_seccomp = true,
};

static const char *const platforms[] = {"auto", "kvm", "ptrace", NULL};
static const char *const log_formats[] = {"text", "json", "json-k8s", NULL};
static const char *const networks[] = {"sandbox", "host", "none", NULL};
static const char *const accesses[] = {"exclusive", "shared", "proxy", "direct", NULL};
static const char *const uds[] = {"none", "open", "create", "all", NULL};
static const char *const crashes[] = {"fault", "stack", "panic", NULL};

/* clang-format off */
const struct option global_options[] = {
    {"root", OPTION_STRING, &flags.root, "directory of the containers' state (default /var/run/runsc, or $XDG_RUNTIME_DIR/runsc)", NULL},
    {"config", OPTION_STRING, &flags.config, "file of flags, TOML or JSON (default /etc/runsc/runsc.toml where it exists)", NULL},
    {"log", OPTION_STRING, &flags.log, "file for errors of runsc itself", NULL},
    {"log-format", OPTION_STRING, &flags.log_format, "format of --log", log_formats},
    {"debug", OPTION_BOOL, &flags.debug, "write debug messages (to --debug-log, else standard error)", NULL},
    {"debug-log", OPTION_STRING, &flags.debug_log, "file for debug messages, with %TIMESTAMP%, %COMMAND% and %ID%, or a directory ending in /", NULL},
    {"platform", OPTION_STRING, &flags.platform, "what runs the application", platforms},
    {"network", OPTION_STRING, &flags.network, "network of the sandbox", networks},
    {"file-access", OPTION_STRING, &flags.file_access, "who else changes the root file system: nobody, or others too (shared)", accesses},
    {"file-access-mounts", OPTION_STRING, &flags.file_access_mounts, "the same for the other mounts", accesses},
    {"overlay2", OPTION_STRING, &flags.overlay2, "where writes go: none (to the container's files), or root:memory, all:memory (gone at the end)", NULL},
    {"overlay", OPTION_BOOL, &flags.overlay, "the same as --overlay2=all:memory", NULL},
    {"host-uds", OPTION_STRING, &flags.host_uds, "sockets of the host in bind mounts that the container may use", uds},
    {"ignore-cgroups", OPTION_BOOL, &flags.ignore_cgroups, "make no control groups", NULL},
    {"systemd-cgroup", OPTION_BOOL, &flags.systemd_cgroup, "linux.cgroupsPath is slice:prefix:name of systemd", NULL},
    {"rootless", OPTION_BOOL, &flags.rootless, "run as an ordinary user", NULL},
    {"cpu-num-from-quota", OPTION_BOOL, &flags.cpu_num_from_quota, "as many CPUs in the sandbox as its quota allows", NULL},
    {"oci-seccomp", OPTION_BOOL, &flags.oci_seccomp, "enforce the seccomp profile of config.json inside the sandbox", NULL},
    {"allow-flag-override", OPTION_BOOL, &flags.allow_flag_override, "let annotations dev.gvisor.flag.NAME set any flag but those of files", NULL},
    {"strace", OPTION_BOOL, &flags.strace, "log each system call of the application", NULL},
    {"kernel-release", OPTION_STRING, &flags.release, "what uname -r says in the sandbox", NULL},
    {"cpus", OPTION_UINT, &flags.cpus, "number of CPUs in the sandbox (0: as many as the host has)", NULL},
    {"memory", OPTION_UINT, &flags.memory, "MiB of memory in the sandbox (0: as much as the host has)", NULL},
    {"debug-crash", OPTION_STRING, &flags.crash, "make the sandbox's kernel fail on purpose, to see what its end looks like", crashes},
    {"version", OPTION_BOOL, &flags.version, "print the version", NULL},
    /* of gVisor: nothing here depends on them */
#define NOTHING(name) {name, OPTION_NOTHING, NULL, NULL, NULL}
#define NOTHING_BOOL(name) {name, OPTION_NOTHING_BOOL, NULL, NULL, NULL}
    NOTHING("log-fd"), NOTHING("debug-log-fd"), NOTHING("debug-log-format"), NOTHING("debug-command"), NOTHING("panic-log"),
    NOTHING("traceback"), NOTHING("strace-syscalls"), NOTHING("strace-log-size"), NOTHING("watchdog-action"),
    NOTHING("panic-signal"), NOTHING("host-settings"), NOTHING("dcache"), NOTHING("fdlimit"), NOTHING("qdisc"),
    NOTHING("qdisc-tbf-rate"), NOTHING("qdisc-tbf-burst"), NOTHING("num-network-channels"), NOTHING("ref-leak-mode"),
    NOTHING("network-processors-per-channel"), NOTHING("platform_device_path"), NOTHING("restore-spec-validation"),
    NOTHING("control-rpc-stop-timeout"), NOTHING("shared-root"), NOTHING("host-fifo"), NOTHING("gofer-network-namespace"),
    NOTHING_BOOL("strace-event"), NOTHING_BOOL("alsologtostderr"), NOTHING_BOOL("debug-to-user-log"),
    NOTHING_BOOL("vfs2"), NOTHING_BOOL("fuse"), NOTHING_BOOL("lisafs"), NOTHING_BOOL("cgroupfs"), NOTHING_BOOL("buffer-pooling"),
    NOTHING_BOOL("save-restore-netstack"), NOTHING_BOOL("fsgofer-host-uds"), NOTHING_BOOL("directfs"), NOTHING_BOOL("iouring"),
    NOTHING_BOOL("app-huge-pages"), NOTHING_BOOL("kvm-use-cpu-nums"), NOTHING_BOOL("systrap-disable-syscall-patching"),
    NOTHING_BOOL("systrap-disable-fast-path"), NOTHING_BOOL("enable-core-tags"), NOTHING_BOOL("gvisor-marker-file"),
    NOTHING_BOOL("override-procs"), NOTHING_BOOL("gso"), NOTHING_BOOL("software-gso"), NOTHING_BOOL("gvisor-gro"),
    NOTHING_BOOL("tx-checksum-offload"), NOTHING_BOOL("rx-checksum-offload"), NOTHING_BOOL("net-raw"), NOTHING_BOOL("allow-suid"),
    NOTHING_BOOL("allow-packet-socket-write"), NOTHING_BOOL("reproduce-nat"), NOTHING_BOOL("reproduce-nftables"),
    NOTHING_BOOL("net-disconnect-ok"), NOTHING_BOOL("allow-connected-on-save"), NOTHING_BOOL("allow-live-tcp-migration"),
    NOTHING_BOOL("mount-cgroup-v2"), NOTHING_BOOL("pause-external-networking"),
    {0},
};
/* clang-format on */

/* --overlay2 is none, or what (root or all) and where to; everything in memory here. */
int flags_check(void)
{
    const char *o = flags.overlay2, *medium = strchr(o, ':');

    if (flags.overlay)
        flags.overlay2 = "all:memory";
    else if (strcmp(o, "none") && strncmp(o, "root:", 5) && strncmp(o, "all:", 4))
        return fail("invalid value \"%s\" for flag --overlay2: none, root:memory or all:memory", o);
    else if (medium && strncmp(medium, ":memory", 7) && strncmp(medium, ":self", 5))
        return fail("invalid value \"%s\" for flag --overlay2: only memory is supported", o);
    return 0;
}

const char *state_root(void)
{
    static char path[4096];
    const char *run = getenv("XDG_RUNTIME_DIR");

    if (flags.root && *flags.root)
        return flags.root;
    if ((geteuid() || flags.rootless) && run && *run) {
        snprintf(path, sizeof(path), "%s/runsc", run);
        return path;
    }
    return "/var/run/runsc";
}
