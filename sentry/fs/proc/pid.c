// SPDX-License-Identifier: Apache-2.0
//
// proc: the table of /proc/PID and /proc/PID/task/TID, its small files and links.

#include <linux/capability.h>
#include "sentry/fs/internal.h"
#include "sentry/fs/proc/proc.h"

/* ---- small texts ---- */

static int show_comm(struct seq *s, const struct proc_ctx *c)
{
    seq_printf(s, "%s\n", c->t->comm);
    return 0;
}

static int store_comm(const struct proc_ctx *c, const char *text, size_t len)
{
    struct task *t = c->t;

    if (t->process != current->process)
        return -EINVAL;
    len = strnlen(text, MIN(len, sizeof(t->comm) - 1));
    if (len && text[len - 1] == '\n')
        len--;
    spin_lock(&t->lock);
    memset(t->comm, 0, sizeof(t->comm));
    memcpy(t->comm, text, len);
    spin_unlock(&t->lock);
    return 0;
}

static int show_limits(struct seq *s, const struct proc_ctx *c)
{
    static const struct {
        const char *name, *unit;
    } names[RLIM_NLIMITS] = {
        {"Max cpu time", "seconds"},     {"Max file size", "bytes"},
        {"Max data size", "bytes"},      {"Max stack size", "bytes"},
        {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
        {"Max processes", "processes"},  {"Max open files", "files"},
        {"Max locked memory", "bytes"},  {"Max address space", "bytes"},
        {"Max file locks", "locks"},     {"Max pending signals", "signals"},
        {"Max msgqueue size", "bytes"},  {"Max nice priority", ""},
        {"Max realtime priority", ""},   {"Max realtime timeout", "us"},
    };

    seq_printf(s, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        u64 v[2] = {c->t->process->rlimits[i].cur, c->t->process->rlimits[i].max};
        seq_printf(s, "%-25s ", names[i].name);
        for (int k = 0; k < 2; k++) {
            if (v[k] == U64_MAX)
                seq_printf(s, "%-20s ", "unlimited");
            else
                seq_printf(s, "%-20lu ", v[k]);
        }
        seq_printf(s, "%-10s\n", names[i].unit);
    }
    return 0;
}

static int show_io(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_puts(s, "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n"
                "cancelled_write_bytes: 0\n");
    return 0;
}

static int show_personality(struct seq *s, const struct proc_ctx *c)
{
    seq_printf(s, "%08x\n", c->t->personality);
    return 0;
}

static int show_wchan(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_putc(s, '0');
    return 0;
}

static int show_cgroup(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_puts(s, "0::/\n");
    return 0;
}

static int show_loginuid(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_puts(s, "4294967295");
    return 0;
}

static int show_id_map(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_printf(s, "%10u %10u %10u\n", 0, 0, ~0u);
    return 0;
}

static int show_setgroups(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_puts(s, "allow\n");
    return 0;
}

static int show_timerslack(struct seq *s, const struct proc_ctx *c)
{
    seq_printf(s, "%lu\n", c->t->timer_slack);
    return 0;
}

static int show_oom_score(struct seq *s, const struct proc_ctx *c)
{
    struct mm *mm = task_mm_get(c->t);
    u64 total = pages_total();
    s64 score = mm && total ? (s64)(mm_rss(mm) * 1000 / total) : 0;

    if (mm)
        mm_put(mm);
    score += c->t->process->oom_score_adj;
    seq_printf(s, "%ld\n", MIN(MAX(score, 0L), 2000L));
    return 0;
}

static int show_oom_score_adj(struct seq *s, const struct proc_ctx *c)
{
    seq_printf(s, "%d\n", c->t->process->oom_score_adj);
    return 0;
}

static bool parse_int(const char *text, int *out)
{
    bool minus = *text == '-';
    int n = 0;

    text += minus;
    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (n > 100000)
            return false;
        n = n * 10 + (*text - '0');
    }
    if (*text && *text != '\n')
        return false;
    *out = minus ? -n : n;
    return true;
}

static int store_oom_score_adj(const struct proc_ctx *c, const char *text, size_t len)
{
    struct process *p = c->t->process;
    int n;

    (void)len;
    if (!parse_int(text, &n) || n < -1000 || n > 1000)
        return -EINVAL;
    if (n < p->oom_score_adj && !capable(CAP_SYS_RESOURCE))
        return -EACCES;
    p->oom_score_adj = n;
    return 0;
}

static int show_children(struct seq *s, const struct proc_ctx *c)
{
    struct process *p;

    spin_lock(&tasklist_lock);
    if (c->t->process->leader == c->t) {
        list_for_each (p, &c->t->process->children, sibling) {
            seq_printf(s, "%d ", p->pid);
        }
    }
    spin_unlock(&tasklist_lock);
    return 0;
}

/* ---- links ---- */

static int follow_cwd(const struct proc_ctx *c, struct path *out)
{
    struct fs_context *fs = task_fs_get(c->t);

    if (!fs)
        return -ENOENT;
    spin_lock(&fs->lock);
    *out = fs->cwd;
    path_get(out);
    spin_unlock(&fs->lock);
    fs_context_put(fs);
    return 0;
}

static int follow_root(const struct proc_ctx *c, struct path *out)
{
    struct fs_context *fs = task_fs_get(c->t);

    if (!fs)
        return -ENOENT;
    spin_lock(&fs->lock);
    *out = fs->root;
    path_get(out);
    spin_unlock(&fs->lock);
    fs_context_put(fs);
    return 0;
}

static int follow_exe(const struct proc_ctx *c, struct path *out)
{
    struct mm *mm = task_mm_get(c->t);
    struct vfs_file *f = NULL;

    if (!mm)
        return -ENOENT;
    down_read(&mm->lock);
    f = mm->exe;
    if (f) {
        *out = f->path;
        path_get(out);
    }
    up_read(&mm->lock);
    mm_put(mm);
    return f ? 0 : -ENOENT;
}

/* ---- name spaces: one of each kind ---- */

#define NS_LINK(kind, number)                                              \
    static s64 ns_##kind(const struct proc_ctx *c, char *buf, size_t size) \
    {                                                                      \
        (void)c;                                                           \
        return snprintf_(buf, size, #kind ":[%u]", number);                \
    }
#define NS_ENTRY(kind)                                                                     \
    {                                                                                      \
        .name = #kind, .mode = S_IFLNK | 0777, .flags = PROC_PTRACE, .readlink = ns_##kind \
    }

NS_LINK(ipc, 4026531839u)
NS_LINK(mnt, 4026531840u)
NS_LINK(net, 4026531956u)
NS_LINK(pid, 4026531836u)
NS_LINK(user, 4026531837u)
NS_LINK(uts, 4026531838u)
NS_LINK(cgroup, 4026531835u)

const struct proc_entry proc_ns_children[] = {
    NS_ENTRY(cgroup), NS_ENTRY(ipc),  NS_ENTRY(mnt), NS_ENTRY(net),
    NS_ENTRY(pid),    NS_ENTRY(user), NS_ENTRY(uts), {0},
};

/* ---- the tables ---- */

static const struct proc_entry pid_children[] = {
    {.name = "task", .mode = S_IFDIR | 0555, .flags = PROC_LEADER, .dir = &proc_task_dir},
    {.name = "fd", .mode = S_IFDIR | 0500, .dir = &proc_fd_dir},
    {.name = "fdinfo", .mode = S_IFDIR | 0555, .dir = &proc_fdinfo_dir},
    PROC_DIR("ns", 0511, proc_ns_children),
    PROC_DIR("net", 0555, proc_net_children),
    {.name = "environ", .mode = S_IFREG | 0400, .flags = PROC_PTRACE, .show = proc_show_environ},
    {.name = "auxv", .mode = S_IFREG | 0400, .flags = PROC_PTRACE, .show = proc_show_auxv},
    PROC_FILE("status", 0444, proc_show_status),
    PROC_FILE("personality", 0400, show_personality),
    PROC_FILE("limits", 0444, show_limits),
    {.name = "comm", .mode = S_IFREG | 0644, .show = show_comm, .store = store_comm},
    PROC_FILE("cmdline", 0444, proc_show_cmdline),
    PROC_FILE("stat", 0444, proc_show_stat),
    PROC_FILE("statm", 0444, proc_show_statm),
    {.name = "maps", .mode = S_IFREG | 0444, .flags = PROC_PTRACE, .show = proc_show_maps},
    {.name = "smaps", .mode = S_IFREG | 0444, .flags = PROC_PTRACE, .show = proc_show_smaps},
    {.name = "smaps_rollup",
     .mode = S_IFREG | 0444,
     .flags = PROC_PTRACE,
     .show = proc_show_smaps_rollup},
    {.name = "mem", .mode = S_IFREG | 0600, .flags = PROC_PTRACE, .fops = &proc_mem_fops},
    {.name = "cwd", .mode = S_IFLNK | 0777, .flags = PROC_PTRACE, .follow = follow_cwd},
    {.name = "root", .mode = S_IFLNK | 0777, .flags = PROC_PTRACE, .follow = follow_root},
    {.name = "exe", .mode = S_IFLNK | 0777, .flags = PROC_PTRACE, .follow = follow_exe},
    PROC_FILE("mounts", 0444, proc_show_mounts),
    PROC_FILE("mountinfo", 0444, proc_show_mountinfo),
    PROC_FILE("mountstats", 0400, proc_show_mountstats),
    PROC_FILE("wchan", 0444, show_wchan),
    PROC_FILE("cgroup", 0444, show_cgroup),
    PROC_FILE("oom_score", 0444, show_oom_score),
    {.name = "oom_score_adj",
     .mode = S_IFREG | 0644,
     .show = show_oom_score_adj,
     .store = store_oom_score_adj},
    PROC_FILE("loginuid", 0444, show_loginuid),
    PROC_FILE("uid_map", 0444, show_id_map),
    PROC_FILE("gid_map", 0444, show_id_map),
    PROC_FILE("setgroups", 0444, show_setgroups),
    PROC_FILE("timerslack_ns", 0444, show_timerslack),
    {.name = "io", .mode = S_IFREG | 0400, .flags = PROC_PTRACE, .show = show_io},
    {.name = "children", .mode = S_IFREG | 0444, .flags = PROC_THREAD, .show = show_children},
    {0},
};

const struct proc_entry proc_pid_entry = {
    .name = "pid",
    .mode = S_IFDIR | 0555,
    .children = pid_children,
};

const struct proc_entry proc_tid_entry = {
    .name = "tid",
    .mode = S_IFDIR | 0555,
    .children = pid_children,
};
