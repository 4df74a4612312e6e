/* SPDX-License-Identifier: Apache-2.0
 *
 * /proc: tables of entries with functions that make up their contents. core.c turns the tables into
 * directories and files; the other files hold the tables.
 */
#pragma once

#include "sentry/fs/seq.h"
#include "sentry/fs/vfs.h"
#include "sentry/kernel/task.h"

#define PROC_MAGIC 0x9fa0

/* Whose entry it is: given to every function of an entry for the time of the call. */
struct proc_ctx {
    struct task *t; /* below /proc/PID and /proc/PID/task/TID, referenced; else NULL */
    int fd;         /* below fd/ and fdinfo/: descriptor; below cpuN: processor; else -1 */
};

struct proc_entry;

/* A directory whose entries come and go: numbers, behind a prefix ("cpu0") or not. */
struct proc_dir {
    /* What is `name`: *e and *child (tid or fd set), 0; or -ENOENT. */
    int (*lookup)(const struct proc_ctx *c, const char *name, size_t len,
                  const struct proc_entry **e, int *tid, int *fd);
    /* The first one with number >= *n: its number in *n and its entry; false: no more. */
    bool (*next)(const struct proc_ctx *c, int *n, const struct proc_entry **e);
    const char *prefix; /* may be NULL */
};
/* The number that a name consists of, or -1. */
int proc_number(const char *name, size_t len);

#define PROC_PTRACE 1u /* only for who may trace the task */
#define PROC_THREAD 2u /* in task/TID directories only */
#define PROC_LEADER 4u /* in PID directories only */

/* One name. Constant. */
struct proc_entry {
    const char *name;
    u32 mode; /* with S_IFMT */
    u32 flags;
    /* Regular file: contents. 0 or -errno. */
    int (*show)(struct seq *s, const struct proc_ctx *c);
    /* The text that was written (NUL-terminated). 0 or -errno. */
    int (*store)(const struct proc_ctx *c, const char *text, size_t len);
    /* Symbolic link: text, and for magic ones the object. */
    s64 (*readlink)(const struct proc_ctx *c, char *buf, size_t size);
    int (*follow)(const struct proc_ctx *c, struct path *out);
    const struct proc_entry *children; /* directory: fixed entries, ended by one without name */
    const struct proc_dir *dir;        /* directory: the others */
    const struct file_ops *fops;       /* a file that is no text */
    u32 (*link_mode)(
        const struct proc_ctx *c); /* permission bits of a link that says something by them */
};

#define PROC_FILE(name_, perm, show_)                          \
    {                                                          \
        .name = name_, .mode = S_IFREG | (perm), .show = show_ \
    }
#define PROC_DIR(name_, perm, children_)                               \
    {                                                                  \
        .name = name_, .mode = S_IFDIR | (perm), .children = children_ \
    }

/* An inode of proc: which entry of which task. In inode->private. */
struct proc_inode {
    const struct proc_entry *e;
    int tid, fd;
    u64 start; /* start_time of the task, so that a number that came again is somebody else */
};

/* The task of an inode with a reference, NULL when it has gone. */
struct task *proc_task(const struct proc_inode *p);
/* May current look into t (ptrace access check, read only)? 0 or -EACCES. */
int proc_may_access(struct task *t);
/* mm of another task, with a reference; NULL: it has none (any more). */
struct mm *task_mm_get(struct task *t);
/* Files and fs of another task with a reference, or NULL. */
struct files *task_files_get(struct task *t);
struct fs_context *task_fs_get(struct task *t);

extern const struct proc_entry proc_root, proc_pid_entry, proc_tid_entry;
extern const struct proc_entry proc_sys_children[], proc_net_children[], proc_ns_children[];
extern const struct proc_dir proc_fd_dir, proc_fdinfo_dir, proc_task_dir, proc_pids_dir;
extern const struct file_ops proc_mem_fops;

/* ---- contents, by file ---- */

int proc_show_stat(struct seq *s, const struct proc_ctx *c); /* pid_stat.c */
int proc_show_statm(struct seq *s, const struct proc_ctx *c);
int proc_show_status(struct seq *s, const struct proc_ctx *c);
int proc_show_maps(struct seq *s, const struct proc_ctx *c); /* pid_mem.c */
int proc_show_smaps(struct seq *s, const struct proc_ctx *c);
int proc_show_smaps_rollup(struct seq *s, const struct proc_ctx *c);
int proc_show_cmdline(struct seq *s, const struct proc_ctx *c);
int proc_show_environ(struct seq *s, const struct proc_ctx *c);
int proc_show_auxv(struct seq *s, const struct proc_ctx *c);
int proc_show_mounts(struct seq *s, const struct proc_ctx *c); /* mounts.c */
int proc_show_mountinfo(struct seq *s, const struct proc_ctx *c);
int proc_show_mountstats(struct seq *s, const struct proc_ctx *c);
int proc_show_cpuinfo(struct seq *s, const struct proc_ctx *c); /* cpuinfo.c */
/* User and system time of a process, its threads and dead ones; tasklist lock held. ns */
void proc_times(struct process *p, u64 *utime, u64 *stime);

/* An instance that shows the entries of `top`; other file systems of made-up texts use it too.
 * ERR_PTR. */
struct super *proc_tree(const char *type, u64 magic, const struct proc_entry *top);
void proc_init(void);
