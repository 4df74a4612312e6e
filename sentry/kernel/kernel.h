/* SPDX-License-Identifier: Apache-2.0
 *
 * Start-up of the Sentry, the same on both machines, and what the boot information says.
 */
#pragma once

#include "sentry/lib/dt.h"

#define BOOT_MAX_MOUNTS  64
#define BOOT_MAX_DEVICES 64

struct boot_mount {
    const char *dest, *type;
    const char *options; /* NUL-separated list, options_len bytes */
    size_t options_len;
    u32 conn, attach;
    bool readonly, shared;
};

struct boot_device {
    const char *path;
    u32 mode, major, minor, uid, gid;
};

struct cap_sets {
    u64 bounding, effective, inheritable, permitted, ambient;
};

/* A process to be; everything points into the device tree that says so. */
struct process_info {
    const char *argv, *envp; /* NUL-separated lists; envp may be NULL */
    size_t argv_len, envp_len;
    const char *cwd;
    u32 uid, gid, umask;
    u32 ngroups;
    const u8 *groups; /* ngroups big-endian u32 */
    struct cap_sets caps;
    s32 oom_score_adj;
    u64 rlimits[16][2];
    u32 stdio[3]; /* ~0: closed */
    bool console, no_new_privs;
};

/* Parsed from the device tree once (bootinfo.c); constant afterwards; strings point into the tree. */
struct boot_info {
    u64 ram_base, ram_size;
    u32 ncpus;
    u64 tsc_khz;
    u64 ring_gpa, hostcall_gpa; /* ring 0 only */
    struct process_info process;
    const char *hostname, *domainname, *release, *version, *id;
    const char *crash; /* NULL: none */
    const char *sysctl, *masked, *readonly; /* NUL-separated lists, NULL: none */
    size_t sysctl_len, masked_len, readonly_len;
    u64 pids_limit; /* ~0: none */
    u32 debug;
    u32 network; /* enum boot_network */
    bool strace, start;
    u32 nmounts, ndevices;
    struct boot_mount mounts[BOOT_MAX_MOUNTS];
    struct boot_device devices[BOOT_MAX_DEVICES];
};
extern struct boot_info boot;

/* 0, or -EINVAL for a tree that misses something. */
int bootinfo_parse(const void *fdt);
/* The process that a node describes: 0, or -EINVAL. */
int bootinfo_process(const struct dt *d, u32 node, struct process_info *p);

/*
 * Entry from the machine once memory, the clock and CPU 0's thread machinery stand: initialises every room,
 * starts the first process. Called on a kernel thread of its own; returns at once.
 */
void sentry_main(void);

/* Fail as `kind` says ("fault", "stack", "panic") a moment from now. crash.c */
void crash_test_start(const char *kind);

/* The names that uname(2) shows now. misc_calls.c */
struct new_utsname;
void uts_get(struct new_utsname *out);
/* Before the first process runs: host or domain name. 0, or -EINVAL when it is too long. */
int uts_set(bool host, const char *name);

/* Clocks and tables of sentry/kernel/; before everything else. start.c */
void kernel_init(void);
