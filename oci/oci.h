/* SPDX-License-Identifier: Apache-2.0
 *
 * runsc's command line: global flags, the sub-commands, and what they share.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "vmm/sandbox.h"

/* Exit status of runsc itself when it could not do what it was asked. */
#define STATUS_FAILED 128

/* ---- flags: flags.c. Go style: -name and --name, =value or the next word; booleans also bare
 * ---- */

enum option_type {
    OPTION_BOOL,
    OPTION_STRING,
    OPTION_LIST,
    OPTION_UINT,
    OPTION_NOTHING,      /* takes a value that has no meaning here */
    OPTION_NOTHING_BOOL, /* the same, a boolean */
};

/* A list of words that a flag may repeat; items are borrowed from argv. */
struct string_list {
    const char **items; /* NULL-terminated once anything was added */
    size_t n;
};

/* One flag; value points at bool, const char *, struct string_list or unsigned, by type. */
struct option {
    const char *name;
    enum option_type type;
    void *value;
    const char *help;
    const char *const *choices; /* OPTION_STRING: allowed values, NULL-terminated; NULL: any */
};

/*
 * Take the flags at the start of argv[1..argc). Index of the first word that is none, or -1 after a
 * message
 * (-2 when help was asked for and printed). The table ends with an entry without a name.
 */
int flags_parse(int argc, char **argv, const struct option *table, const char *usage);
void flags_print(const struct option *table);

/*
 * Set the flag called name (len letters) from a text; `where` starts the message when there is no
 * such flag or the value is bad. 0 or -1.
 */
int flags_set(const struct option *table, const char *where, const char *name, size_t len,
              const char *value);

/* The name of a NULL-terminated list that is so near that it may be meant, or NULL. */
const char *nearest_name(const char *const *names, const char *name, size_t len);

/* "CAP_..." of a capability's number; false: there is none. */
bool capability_name(unsigned n, char *out, size_t size);

/* Global flags: globals.c; set once by main(). */
struct global_flags {
    const char *root, *config, *platform, *debug_log, *log, *log_format, *release, *crash;
    const char *network, *file_access, *file_access_mounts, *overlay2, *host_uds;
    bool debug, strace, version, overlay, ignore_cgroups, systemd_cgroup, rootless;
    bool cpu_num_from_quota, oci_seccomp, allow_flag_override;
    unsigned cpus, memory; /* memory: MiB */
};
extern struct global_flags flags;
extern const struct option global_options[];

/* Flags that need more than their own type: 0, or STATUS_FAILED after a message. */
int flags_check(void);

/* Directory of all containers' state. */
const char *state_root(void);

/*
 * Set flags from a file (config.c); NULL: the default one, which need not be there. 0, or -1 after
 * a message with file and line.
 */
int config_read(const char *path);

/* ---- sub-commands: one file each. argv[0] is the command's name; returns the exit status ---- */

int command_do(int argc, char **argv);
int command_run(int argc, char **argv);
int command_create(int argc, char **argv);
int command_start(int argc, char **argv);
int command_exec(int argc, char **argv);
int command_kill(int argc, char **argv);
int command_list(int argc, char **argv);
int command_state(int argc, char **argv);
int command_delete(int argc, char **argv);
int command_ps(int argc, char **argv);
int command_events(int argc, char **argv);
int command_pause(int argc, char **argv);
int command_resume(int argc, char **argv);
int command_wait(int argc, char **argv);
int command_update(int argc, char **argv);
int command_features(int argc, char **argv);
int command_install(int argc, char **argv);
int command_uninstall(int argc, char **argv);
int command_debug(int argc, char **argv);
int command_usage(int argc, char **argv);
int command_checkpoint(int argc, char **argv); /* and restore */
int command_spec(int argc, char **argv);
int command_probe(int argc, char **argv);
int help_syscalls(int argc, char **argv); /* a topic of help */

/* ---- shared ---- */

/* The version of runtime-spec that we follow. */
#define OCI_VERSION "1.2.0"

/* "runsc: …" on standard error (and in the log of --log); returns STATUS_FAILED. */
int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A line of level warning in the log of --log, nothing on standard error. */
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Blank out control characters in a text that came from a sandbox; returns it. */
char *printable(char *text);
/*
 * Open the debug log of a sandbox or gofer. Descriptor; -1: none is wanted; other negative: -errno.
 * detached: nobody looks at our standard error any more.
 */
int log_open_debug(const char *command, const char *id, bool detached);

/*
 * What lists of processes show: remember where the kernel looks, then replace it in a child. The
 * arguments and the environment of runsc itself are gone from then on.
 */
void process_title_init(int argc, char **argv);
void process_title(const char *what, const char *const *words);

/* ---- terminal.c ---- */

/* Put the terminal on fd into raw mode but for output processing; undone at exit. 0 or -errno. */
int terminal_raw(int fd);
void terminal_restore(void);

#define __cleanup_fn(fn) __attribute__((cleanup(fn)))
void cleanup_close(int *fd);
void cleanup_free(void *p);
#define autoclose __cleanup_fn(cleanup_close)
#define autofree  __cleanup_fn(cleanup_free)
