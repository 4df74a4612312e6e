/* SPDX-License-Identifier: Apache-2.0
 *
 * Names in the flattened device tree that the VMM hands to the Sentry (both machines), and the
 * register state in which a CPU of the guest enters the image.
 *
 *   /memory                reg = <RAM_GPA size>, plugged = bytes of it that are usable so far:
 *                          touch what lies beyond only after HC_MEM_PLUG
 *   /cpus                  count
 *   /clock                 tsc-khz
 *   /ring                  reg = <pa of struct ring>     (ring 0 only)
 *   /hostcall              reg = <pa of the per-CPU struct hostcall array, 128 bytes apart>
 *                          (ring 0 only)
 *   /chosen                strings and flags below: what to run and how
 *   /chosen/mount@N        one container mount each, in order; N = 0 is the root
 *   /chosen/device@N       one device node each
 *
 * All integers are big-endian u32 or u64 as the property says; string lists are NUL separated.
 */
#pragma once

#include "vmm/abi/types.h"

/* A process: in /chosen the container's first one; in CONTROL_EXEC's payload, /chosen alone. */
#define BOOT_ARGV   "argv"                 /* string list */
#define BOOT_ENVP   "envp"                 /* string list */
#define BOOT_CWD    "cwd"                  /* string */
#define BOOT_UID    "uid"                  /* u32 */
#define BOOT_GID    "gid"                  /* u32 */
#define BOOT_GROUPS "groups"               /* u32 array */
#define BOOT_CAPS   "caps"                 /* u64 array[5]: bounding, effective, inheritable, */
                                           /* permitted, ambient */
#define BOOT_NO_NEW_PRIVS  "no-new-privs"  /* flag */
#define BOOT_UMASK         "umask"         /* u32 */
#define BOOT_OOM_SCORE_ADJ "oom-score-adj" /* u32, two's complement */
#define BOOT_RLIMITS       "rlimits"       /* u64 array: soft, hard of each RLIMIT_* in order */
#define BOOT_CONSOLE       "console"       /* flag: descriptors 0-2 are a terminal of its own */
/*
 * u32 array[3]: host descriptor index of 0, 1, 2; ~0 = closed. In CONTROL_EXEC the index among the
 * message's descriptors.
 */
#define BOOT_STDIO "stdio"

/* The rest of /chosen */
#define BOOT_HOSTNAME     "hostname"       /* string */
#define BOOT_DOMAINNAME   "domainname"     /* string; missing: "(none)" */
#define BOOT_RELEASE      "release"        /* uname release, default 4.4.0 */
#define BOOT_VERSION      "version"        /* uname version */
#define BOOT_STRACE       "strace"         /* flag */
#define BOOT_CRASH        "crash"          /* string: fail on purpose, see sentry/kernel/crash.c */
#define BOOT_DEBUG        "debug"          /* u32: log level, 0 = warnings, 1 = info, 2 = debug */
#define BOOT_NETWORK      "network"        /* u32: enum boot_network */
#define BOOT_CONTAINER_ID "id"             /* string */
#define BOOT_START        "start"          /* flag: run the first process without CONTROL_START */
#define BOOT_PIDS_LIMIT   "pids-limit"     /* u64: tasks; missing: no limit */
#define BOOT_SYSCTL       "sysctl"         /* string list: key=value */
#define BOOT_MASKED       "masked-paths"   /* string list */
#define BOOT_READONLY     "readonly-paths" /* string list */

enum boot_network {
    BOOT_NETWORK_LOOPBACK, /* nothing but loopback */
    BOOT_NETWORK_HOST,     /* HC_SOCKET and its relatives may be used */
};

/* /chosen/mount@N */
#define BOOT_MOUNT_DEST     "destination" /* string */
#define BOOT_MOUNT_TYPE     "type" /* string: gofer, overlay (tmpfs over gofer), tmpfs, proc, ... */
#define BOOT_MOUNT_OPTIONS  "options"  /* string list as in config.json */
#define BOOT_MOUNT_CONN     "conn"     /* u32: gofer connection */
#define BOOT_MOUNT_ATTACH   "attach"   /* u32: the gofer's mount index */
#define BOOT_MOUNT_READONLY "readonly" /* flag */
#define BOOT_MOUNT_SHARED   "shared"   /* flag: others change the files behind it, too */

/* /chosen/device@N */
#define BOOT_DEVICE_PATH  "path"  /* string */
#define BOOT_DEVICE_NODE  "node"  /* u32 array[3]: mode with its type, major, minor */
#define BOOT_DEVICE_OWNER "owner" /* u32 array[2]: uid, gid */

/*
 * A vCPU starts in 64-bit mode at the image's ELF entry with paging on, interrupts off, and
 *   RDI = gpa of the device tree, RSI = index of this CPU.
 * The VMM's initial page tables map the image at IMAGE_VA by segment (W^X) and RAM plus window at
 * DIRECT_MAP_VA. CPU n > 0 does not run before the boot CPU has called HC_CPU_START for it.
 */
#define HOSTCALL_BLOCK_STRIDE 128
#define MAX_CPUS              64
