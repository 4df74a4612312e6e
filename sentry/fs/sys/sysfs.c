// SPDX-License-Identifier: Apache-2.0
//
// /sys, from tables as /proc is: there is no hardware to show, only processors and empty
// directories that programs look into.

#include "sentry/fs/proc/proc.h"
#include "sentry/fs/sys/sys.h"
#include "vmm/abi/bootinfo.h"

#define SYSFS_MAGIC 0x62656572

static int show_cpus(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_printf(s, machine_ncpus > 1 ? "0-%u\n" : "%u\n", machine_ncpus - 1);
    return 0;
}

static int show_one(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_puts(s, "1\n");
    return 0;
}

static int show_kernel_max(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_printf(s, "%d\n", MAX_CPUS - 1);
    return 0;
}

static int show_blank(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_puts(s, "\n");
    return 0;
}

static int show_huge(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_puts(s, MACHINE_HUGE_PAGES ? "[always] madvise never\n" : "always madvise [never]\n");
    return 0;
}

static int show_huge_size(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_puts(s, "2097152\n");
    return 0;
}

static int show_memory_node(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_puts(s, "0\n");
    return 0;
}

static const struct proc_entry empty[] = {{0}};

static const struct proc_entry one_cpu[] = {PROC_FILE("online", 0444, show_one), {0}};

/* Fixed files, then one directory per processor, filled in by sysfs_init. */
static struct proc_entry cpus[MAX_CPUS + 6] = {
    PROC_FILE("kernel_max", 0444, show_kernel_max), PROC_FILE("offline", 0444, show_blank),
    PROC_FILE("online", 0444, show_cpus),           PROC_FILE("possible", 0444, show_cpus),
    PROC_FILE("present", 0444, show_cpus),
};
static char cpu_names[MAX_CPUS][8];

static const struct proc_entry node0[] = {
    PROC_FILE("cpulist", 0444, show_cpus),
    {0},
};

static const struct proc_entry nodes[] = {
    PROC_FILE("online", 0444, show_memory_node),
    PROC_FILE("possible", 0444, show_memory_node),
    PROC_DIR("node0", 0755, node0),
    {0},
};

static const struct proc_entry system_dirs[] = {
    PROC_DIR("cpu", 0755, cpus),
    PROC_DIR("node", 0755, nodes),
    {0},
};

static const struct proc_entry devices[] = {PROC_DIR("system", 0755, system_dirs), {0}};

static const struct proc_entry thp[] = {
    PROC_FILE("enabled", 0444, show_huge),
    PROC_FILE("hpage_pmd_size", 0444, show_huge_size),
    {0},
};

static const struct proc_entry kernel_mm[] = {PROC_DIR("transparent_hugepage", 0755, thp), {0}};

static const struct proc_entry kernel[] = {PROC_DIR("mm", 0755, kernel_mm), {0}};

static const struct proc_entry fs_dirs[] = {PROC_DIR("cgroup", 0755, empty), {0}};

static const struct proc_entry classes[] = {
    PROC_DIR("net", 0755, empty),
    PROC_DIR("power_supply", 0755, empty),
    {0},
};

static const struct proc_entry root_children[] = {
    PROC_DIR("block", 0755, empty),
    PROC_DIR("bus", 0755, empty),
    PROC_DIR("class", 0755, classes),
    PROC_DIR("dev", 0755, empty),
    PROC_DIR("devices", 0755, devices),
    PROC_DIR("firmware", 0755, empty),
    PROC_DIR("fs", 0755, fs_dirs),
    PROC_DIR("kernel", 0755, kernel),
    PROC_DIR("module", 0755, empty),
    PROC_DIR("power", 0755, empty),
    {0},
};

static const struct proc_entry sys_root = {
    .name = "/", .mode = S_IFDIR | 0555, .children = root_children};

static struct super *sysfs_mount(const char *source, u32 flags, const void *data)
{
    (void)source;
    (void)flags;
    (void)data;
    return proc_tree("sysfs", SYSFS_MAGIC, &sys_root);
}

void sysfs_init(void)
{
    static const struct fs_type type = {.name = "sysfs", .mount = sysfs_mount};
    unsigned at = 0;

    while (cpus[at].name)
        at++;
    for (unsigned n = 0; n < machine_ncpus && n < MAX_CPUS; n++, at++) {
        snprintf_(cpu_names[n], sizeof(cpu_names[n]), "cpu%u", n);
        cpus[at] = (struct proc_entry)PROC_DIR(cpu_names[n], 0755, one_cpu);
    }
    fs_register(&type);
}
