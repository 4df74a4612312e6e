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

static const struct proc_entry empty[] = {{0}};

/* ---- processors: one package, each a core of its own ---- */

static void put_mask(struct seq *s, u64 mask)
{
    if (machine_ncpus > 32)
        seq_printf(s, "%08x,%08x\n", (u32)(mask >> 32), (u32)mask);
    else
        seq_printf(s, "%0*x\n", (int)(machine_ncpus + 3) / 4, (u32)mask);
}

static u64 all_cpus(void)
{
    return machine_ncpus >= 64 ? U64_MAX : (1ULL << machine_ncpus) - 1;
}

static int show_zero(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_puts(s, "0\n");
    return 0;
}

static int show_number(struct seq *s, const struct proc_ctx *c)
{
    seq_printf(s, "%d\n", c->fd);
    return 0;
}

static int show_own_mask(struct seq *s, const struct proc_ctx *c)
{
    put_mask(s, 1ULL << c->fd);
    return 0;
}

static int show_all_mask(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    put_mask(s, all_cpus());
    return 0;
}

static const struct proc_entry topology[] = {
    PROC_FILE("core_cpus", 0444, show_own_mask),
    PROC_FILE("core_cpus_list", 0444, show_number),
    PROC_FILE("core_id", 0444, show_number),
    PROC_FILE("core_siblings", 0444, show_all_mask),
    PROC_FILE("core_siblings_list", 0444, show_cpus),
    PROC_FILE("package_cpus", 0444, show_all_mask),
    PROC_FILE("package_cpus_list", 0444, show_cpus),
    PROC_FILE("physical_package_id", 0444, show_zero),
    PROC_FILE("thread_siblings", 0444, show_own_mask),
    PROC_FILE("thread_siblings_list", 0444, show_number),
    {0},
};

static const struct proc_entry cpu_children[] = {
    PROC_FILE("online", 0444, show_one),
    PROC_DIR("topology", 0755, topology),
    {0},
};

static const struct proc_entry cpu_entry = PROC_DIR("cpu", 0755, cpu_children);

static int cpu_lookup(const struct proc_ctx *c, const char *name, size_t len,
                      const struct proc_entry **e, int *tid, int *fd)
{
    (void)c;
    (void)tid;
    if (len < 4 || memcmp(name, "cpu", 3))
        return -ENOENT;
    *fd = proc_number(name + 3, len - 3);
    *e = &cpu_entry;
    return *fd >= 0 && (unsigned)*fd < machine_ncpus ? 0 : -ENOENT;
}

static bool cpu_next(const struct proc_ctx *c, int *n, const struct proc_entry **e)
{
    (void)c;
    *e = &cpu_entry;
    return (unsigned)*n < machine_ncpus;
}

static const struct proc_dir cpu_dir = {cpu_lookup, cpu_next, "cpu"};

static const struct proc_entry cpus[] = {
    PROC_FILE("kernel_max", 0444, show_kernel_max), PROC_FILE("offline", 0444, show_blank),
    PROC_FILE("online", 0444, show_cpus),           PROC_FILE("possible", 0444, show_cpus),
    PROC_FILE("present", 0444, show_cpus),          {0},
};

/* ---- memory: one node ---- */

static int show_distance(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    seq_puts(s, "10\n");
    return 0;
}

static int show_node_memory(struct seq *s, const struct proc_ctx *c)
{
    u64 total = pages_total() * 4, free = pages_free() * 4;

    (void)c;
    seq_printf(s, "Node 0 MemTotal:       %8lu kB\nNode 0 MemFree:        %8lu kB\n", total, free);
    seq_printf(s, "Node 0 MemUsed:        %8lu kB\n", total - free);
    return 0;
}

static const struct proc_entry node0[] = {
    PROC_FILE("cpulist", 0444, show_cpus),
    PROC_FILE("cpumap", 0444, show_all_mask),
    PROC_FILE("distance", 0444, show_distance),
    PROC_FILE("meminfo", 0444, show_node_memory),
    {0},
};

static const struct proc_entry nodes[] = {
    PROC_FILE("online", 0444, show_zero),
    PROC_FILE("possible", 0444, show_zero),
    PROC_DIR("node0", 0755, node0),
    {0},
};

static const struct proc_entry system_dirs[] = {
    {.name = "cpu", .mode = S_IFDIR | 0755, .children = cpus, .dir = &cpu_dir},
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

    fs_register(&type);
}
