/* SPDX-License-Identifier: Apache-2.0
 *
 * Start-up of the Sentry, the same on both machines, and what the boot information says.
 */
#pragma once

#include "sentry/lib/lib.h"

#define BOOT_MAX_MOUNTS 64

struct boot_mount {
    const char *dest, *type;
    const char *options; /* NUL-separated list, options_len bytes */
    size_t options_len;
    u32 conn, attach;
    bool readonly;
};

/* Parsed from the device tree once (bootinfo.c); constant afterwards; strings point into the tree. */
struct boot_info {
    u64 ram_base, ram_size;
    u32 ncpus;
    u64 tsc_khz;
    u64 ring_gpa, hostcall_gpa; /* ring 0 only */
    const char *argv, *envp;    /* NUL-separated lists */
    size_t argv_len, envp_len;
    const char *cwd, *hostname, *release, *version, *id;
    const char *crash; /* NULL: none */
    u32 uid, gid, umask, debug;
    u32 ngroups;
    u32 groups[64];
    u64 caps;
    u64 rlimits[16][2];
    u32 stdio[3];
    u32 network; /* enum boot_network */
    bool console, strace, no_new_privs;
    u32 nmounts;
    struct boot_mount mounts[BOOT_MAX_MOUNTS];
};
extern struct boot_info boot;

/* 0, or -EINVAL for a tree that misses something. */
int bootinfo_parse(const void *fdt);

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

/* Clocks and tables of sentry/kernel/; before everything else. start.c */
void kernel_init(void);
