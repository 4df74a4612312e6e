// SPDX-License-Identifier: Apache-2.0
//
// proc: the top directory and what tells about the system as a whole.

#include <linux/utsname.h>
#include "sentry/fs/internal.h"
#include "sentry/fs/locks.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/kernel/kernel.h"

#define TICK_NS 10000000UL /* clock_t: 100 a second */
#define SECOND  (100 * TICK_NS)

/* ---- self ---- */

static s64 self_link(const struct proc_ctx *c, char *buf, size_t size)
{
    (void)c;
    if (!current->process)
        return -ENOENT;
    return snprintf_(buf, size, "%d", current->process->pid);
}

static s64 thread_self_link(const struct proc_ctx *c, char *buf, size_t size)
{
    (void)c;
    if (!current->process)
        return -ENOENT;
    return snprintf_(buf, size, "%d/task/%d", current->process->pid, current->tid);
}

static s64 mounts_link(const struct proc_ctx *c, char *buf, size_t size)
{
    (void)c;
    return snprintf_(buf, size, "self/mounts");
}

static s64 net_link(const struct proc_ctx *c, char *buf, size_t size)
{
    (void)c;
    return snprintf_(buf, size, "self/net");
}

/* ---- texts ---- */

static int show_version(struct seq *s, const struct proc_ctx *c)
{
    struct new_utsname u;

    (void)c;
    uts_get(&u);
    seq_printf(s, "%s version %s %s\n", u.sysname, u.release, u.version);
    return 0;
}

static int show_uptime(struct seq *s, const struct proc_ctx *c)
{
    u64 up = clock_monotonic(), busy = 0;
    struct process *p;

    (void)c;
    spin_lock(&tasklist_lock);
    list_for_each (p, &all_processes, all_link) {
        u64 utime, stime;
        proc_times(p, &utime, &stime);
        busy += utime + stime;
    }
    spin_unlock(&tasklist_lock);
    u64 idle = up * machine_ncpus > busy ? up * machine_ncpus - busy : 0;
    seq_printf(s, "%lu.%02lu %lu.%02lu\n", up / SECOND, up / TICK_NS % 100, idle / SECOND,
               idle / TICK_NS % 100);
    return 0;
}

static unsigned count_tasks(unsigned *running, int *last)
{
    struct process *p;
    struct task *t;
    unsigned n = 0;

    *running = 0;
    *last = 0;
    spin_lock(&tasklist_lock);
    list_for_each (p, &all_processes, all_link) {
        list_for_each (t, &p->threads, thread_link) {
            n++;
            *running += t->state == TASK_RUNNING;
            *last = MAX(*last, t->tid);
        }
    }
    spin_unlock(&tasklist_lock);
    return n;
}

static int show_loadavg(struct seq *s, const struct proc_ctx *c)
{
    unsigned running;
    int last;

    (void)c;
    unsigned n = count_tasks(&running, &last);
    seq_printf(s, "0.00 0.00 0.00 %u/%u %d\n", running, n, last);
    return 0;
}

static int show_stat(struct seq *s, const struct proc_ctx *c)
{
    u64 user = 0, sys = 0, up = clock_monotonic();
    unsigned running;
    struct process *p;
    int last;

    (void)c;
    spin_lock(&tasklist_lock);
    list_for_each (p, &all_processes, all_link) {
        u64 u, k;
        proc_times(p, &u, &k);
        user += u;
        sys += k;
    }
    spin_unlock(&tasklist_lock);
    u64 all = up * machine_ncpus, idle = all > user + sys ? all - user - sys : 0;
    seq_printf(s, "cpu  %lu 0 %lu %lu 0 0 0 0 0 0\n", user / TICK_NS, sys / TICK_NS,
               idle / TICK_NS);
    for (unsigned n = 0; n < machine_ncpus; n++)
        seq_printf(s, "cpu%u %lu 0 %lu %lu 0 0 0 0 0 0\n", n, user / TICK_NS / machine_ncpus,
                   sys / TICK_NS / machine_ncpus, idle / TICK_NS / machine_ncpus);
    count_tasks(&running, &last);
    seq_printf(s, "intr 0\nctxt 0\nbtime %lu\nprocesses %d\nprocs_running %u\nprocs_blocked 0\n",
               (clock_realtime() - up) / SECOND, last, running);
    seq_puts(s, "softirq 0 0 0 0 0 0 0 0 0 0 0\n");
    return 0;
}

static int show_meminfo(struct seq *s, const struct proc_ctx *c)
{
    u64 total = pages_total() * 4, free = pages_free() * 4, used = total - free;
    const struct {
        const char *name;
        u64 kb;
    } lines[] = {
        {"MemTotal", total},    {"MemFree", free},
        {"MemAvailable", free}, {"Buffers", 0},
        {"Cached", 0},          {"SwapCached", 0},
        {"Active", used},       {"Inactive", 0},
        {"Active(anon)", used}, {"Inactive(anon)", 0},
        {"Active(file)", 0},    {"Inactive(file)", 0},
        {"Unevictable", 0},     {"Mlocked", 0},
        {"SwapTotal", 0},       {"SwapFree", 0},
        {"Dirty", 0},           {"Writeback", 0},
        {"AnonPages", used},    {"Mapped", 0},
        {"Shmem", 0},           {"Slab", 0},
        {"SReclaimable", 0},    {"SUnreclaim", 0},
        {"KernelStack", 0},     {"PageTables", 0},
        {"NFS_Unstable", 0},    {"Bounce", 0},
        {"WritebackTmp", 0},    {"CommitLimit", total},
        {"Committed_AS", used}, {"VmallocTotal", 34359738367UL},
        {"VmallocUsed", 0},     {"VmallocChunk", 0},
    };

    (void)c;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        size_t start = s->len;
        seq_printf(s, "%s:", lines[i].name);
        seq_pad(s, start, 16);
        seq_printf(s, "%8lu kB\n", lines[i].kb);
    }
    seq_puts(s, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n"
                "HugePages_Surp:        0\nHugepagesize:       2048 kB\n");
    return 0;
}

static int show_filesystems(struct seq *s, const struct proc_ctx *c)
{
    const struct fs_type *t;

    (void)c;
    for (unsigned n = 0; (t = fs_nth(n)); n++)
        if (!(t->flags & FS_BOOT))
            seq_printf(s, "nodev\t%s\n", t->name);
    seq_puts(s, "nodev\toverlay\n");
    return 0;
}

/* The sandbox starts no kernel that could have been given a command line. */
static int show_kernel_cmdline(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_puts(s, "BOOT_IMAGE=/vmlinuz-4.4.0-gvisor quiet\n");
    return 0;
}

static int show_devices(struct seq *s, const struct proc_ctx *c)
{
    const struct chrdev *d;
    u32 last = 0;

    (void)c;
    seq_puts(s, "Character devices:\n");
    for (unsigned n = 0; (d = chrdev_nth(n)); n++) {
        if (d->major != last)
            seq_printf(s, "%3u %s\n", d->major, d->name);
        last = d->major;
    }
    seq_puts(s, "\nBlock devices:\n");
    return 0;
}

static int show_nothing(struct seq *s, const struct proc_ctx *c)
{
    (void)s;
    (void)c;
    return 0;
}

static int show_swaps(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_puts(s, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    return 0;
}

static int show_cgroups(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_puts(s, "#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
    return 0;
}

/* ---- processes ---- */

static int pids_lookup(const struct proc_ctx *c, const char *name, size_t len,
                       const struct proc_entry **e, int *tid, int *fd)
{
    (void)c;
    (void)fd;
    *tid = proc_number(name, len);
    if (*tid <= 0)
        return -ENOENT;
    struct task *t = task_find_get(*tid);
    bool user = t && t->process;
    if (t)
        task_put(t);
    *e = &proc_pid_entry;
    return user ? 0 : -ENOENT;
}

/* The process with the lowest number >= *n. */
static bool pids_next(const struct proc_ctx *c, int *n, const struct proc_entry **e)
{
    struct process *p;
    int best = 0;

    (void)c;
    spin_lock(&tasklist_lock);
    list_for_each (p, &all_processes, all_link) {
        if (p->pid >= *n && p->leader && (!best || p->pid < best))
            best = p->pid;
    }
    spin_unlock(&tasklist_lock);
    *n = best;
    *e = &proc_pid_entry;
    return best;
}

const struct proc_dir proc_pids_dir = {pids_lookup, pids_next, NULL};

static int task_lookup(const struct proc_ctx *c, const char *name, size_t len,
                       const struct proc_entry **e, int *tid, int *fd)
{
    (void)fd;
    *tid = proc_number(name, len);
    if (*tid <= 0)
        return -ENOENT;
    struct task *t = task_find_get(*tid);
    bool ours = t && t->process == c->t->process;
    if (t)
        task_put(t);
    *e = &proc_tid_entry;
    return ours ? 0 : -ENOENT;
}

static bool task_next(const struct proc_ctx *c, int *n, const struct proc_entry **e)
{
    struct task *t;
    int best = 0;

    spin_lock(&tasklist_lock);
    list_for_each (t, &c->t->process->threads, thread_link) {
        if (t->tid >= *n && (!best || t->tid < best))
            best = t->tid;
    }
    spin_unlock(&tasklist_lock);
    *n = best;
    *e = &proc_tid_entry;
    return best;
}

const struct proc_dir proc_task_dir = {task_lookup, task_next, NULL};

/* ---- the table ---- */

static const struct proc_entry root_children[] = {
    {.name = "self", .mode = S_IFLNK | 0777, .readlink = self_link},
    {.name = "thread-self", .mode = S_IFLNK | 0777, .readlink = thread_self_link},
    {.name = "mounts", .mode = S_IFLNK | 0777, .readlink = mounts_link},
    {.name = "net", .mode = S_IFLNK | 0777, .readlink = net_link},
    PROC_FILE("cgroups", 0444, show_cgroups),
    PROC_FILE("cmdline", 0444, show_kernel_cmdline),
    PROC_FILE("cpuinfo", 0444, proc_show_cpuinfo),
    PROC_FILE("devices", 0444, show_devices),
    PROC_FILE("filesystems", 0444, show_filesystems),
    PROC_FILE("loadavg", 0444, show_loadavg),
    PROC_FILE("meminfo", 0444, show_meminfo),
    PROC_FILE("modules", 0444, show_nothing),
    PROC_FILE("stat", 0444, show_stat),
    PROC_FILE("swaps", 0444, show_swaps),
    PROC_FILE("uptime", 0444, show_uptime),
    PROC_FILE("version", 0444, show_version),
    PROC_DIR("sys", 0555, proc_sys_children),
    {0},
};

const struct proc_entry proc_root = {
    .name = "/",
    .mode = S_IFDIR | 0555,
    .children = root_children,
    .dir = &proc_pids_dir,
};
