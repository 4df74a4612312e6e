// SPDX-License-Identifier: Apache-2.0
/*
 * What the VMM tells us at the start, and what runsc says about a process to be: device trees as
 * vmm/abi/bootinfo.h describes them.
 */
#include "sentry/kernel/kernel.h"
#include "vmm/abi/bootinfo.h"
#include "vmm/abi/layout.h"

struct boot_info boot;

static u64 node_reg(const struct dt *d, const char *node, unsigned index)
{
    u64 reg[2];
    size_t n = dt_u64s(d, dt_child(d, dt_root(d), node), "reg", reg, 2);

    return index < n ? reg[index] : 0;
}

static u64 node_int(const struct dt *d, const char *node, const char *name)
{
    return dt_int(d, dt_child(d, dt_root(d), node), name, 0);
}

int bootinfo_process(const struct dt *d, u32 n, struct process_info *p)
{
    u64 limits[2 * ARRAY_SIZE(p->rlimits)];
    u64 caps[5] = {0};
    size_t given, len;

    p->argv = dt_text(d, n, BOOT_ARGV, &p->argv_len);
    p->envp = dt_text(d, n, BOOT_ENVP, &p->envp_len);
    p->cwd = dt_text(d, n, BOOT_CWD, NULL);
    p->uid = (u32)dt_int(d, n, BOOT_UID, 0);
    p->gid = (u32)dt_int(d, n, BOOT_GID, 0);
    p->umask = (u32)dt_int(d, n, BOOT_UMASK, 022) & 0777;
    p->oom_score_adj = (s32)dt_int(d, n, BOOT_OOM_SCORE_ADJ, 0);
    p->groups = dt_prop(d, n, BOOT_GROUPS, &len);
    p->ngroups = (u32)(len / 4);
    dt_u64s(d, n, BOOT_CAPS, caps, 5);
    p->caps = (struct cap_sets){caps[0], caps[1], caps[2], caps[3], caps[4]};
    p->no_new_privs = dt_flag(d, n, BOOT_NO_NEW_PRIVS);
    p->console = dt_flag(d, n, BOOT_CONSOLE);
    if (dt_u32s(d, n, BOOT_STDIO, p->stdio, 3) != 3)
        p->stdio[0] = p->stdio[1] = p->stdio[2] = ~0u;
    given = dt_u64s(d, n, BOOT_RLIMITS, limits, ARRAY_SIZE(limits)) / 2;
    for (size_t i = 0; i < ARRAY_SIZE(p->rlimits); i++) {
        p->rlimits[i][0] = i < given ? limits[2 * i] : ~0ULL;
        p->rlimits[i][1] = i < given ? limits[2 * i + 1] : ~0ULL;
    }
    return p->argv && p->cwd ? 0 : -EINVAL;
}

/* N of a node's name "mount@N"; -1: it has another name. */
static int node_index(const char *name, const char *prefix)
{
    size_t len = strlen(prefix);
    int index = 0;

    if (strncmp(name, prefix, len))
        return -1;
    for (const char *c = name + len; *c >= '0' && *c <= '9' && index < 65536; c++)
        index = index * 10 + (*c - '0');
    return index;
}

static int parse_mount(const struct dt *d, u32 node, u32 index)
{
    struct boot_mount *m;

    if (index >= BOOT_MAX_MOUNTS)
        return -EINVAL;
    m = &boot.mounts[index];
    m->dest = dt_text(d, node, BOOT_MOUNT_DEST, NULL);
    m->type = dt_text(d, node, BOOT_MOUNT_TYPE, NULL);
    m->options = dt_text(d, node, BOOT_MOUNT_OPTIONS, &m->options_len);
    m->conn = (u32)dt_int(d, node, BOOT_MOUNT_CONN, 0);
    m->attach = (u32)dt_int(d, node, BOOT_MOUNT_ATTACH, 0);
    m->readonly = dt_flag(d, node, BOOT_MOUNT_READONLY);
    m->shared = dt_flag(d, node, BOOT_MOUNT_SHARED);
    boot.nmounts = MAX(boot.nmounts, index + 1);
    return m->dest && m->type ? 0 : -EINVAL;
}

static int parse_device(const struct dt *d, u32 node, u32 index)
{
    struct boot_device *dev;
    u32 v[3], owner[2];

    if (index >= BOOT_MAX_DEVICES)
        return -EINVAL;
    dev = &boot.devices[index];
    dev->path = dt_text(d, node, BOOT_DEVICE_PATH, NULL);
    if (!dev->path || dt_u32s(d, node, BOOT_DEVICE_NODE, v, 3) != 3 ||
        dt_u32s(d, node, BOOT_DEVICE_OWNER, owner, 2) != 2)
        return -EINVAL;
    dev->mode = v[0];
    dev->major = v[1];
    dev->minor = v[2];
    dev->uid = owner[0];
    dev->gid = owner[1];
    boot.ndevices = MAX(boot.ndevices, index + 1);
    return 0;
}

static int parse_children(const struct dt *d, u32 chosen)
{
    u32 node = 0;
    int err = 0;

    while (!err && (node = dt_next_child(d, chosen, node))) {
        int mount = node_index(dt_name(d, node), "mount@");
        int device = node_index(dt_name(d, node), "device@");

        if (mount >= 0)
            err = parse_mount(d, node, (u32)mount);
        else if (device >= 0)
            err = parse_device(d, node, (u32)device);
    }
    return err ? err : boot.nmounts ? 0 : -EINVAL;
}

static int parse_chosen(const struct dt *d, u32 n)
{
    boot.hostname = dt_text(d, n, BOOT_HOSTNAME, NULL);
    boot.domainname = dt_text(d, n, BOOT_DOMAINNAME, NULL);
    boot.release = dt_text(d, n, BOOT_RELEASE, NULL);
    boot.version = dt_text(d, n, BOOT_VERSION, NULL);
    boot.id = dt_text(d, n, BOOT_CONTAINER_ID, NULL);
    boot.crash = dt_text(d, n, BOOT_CRASH, NULL);
    boot.network = (u32)dt_int(d, n, BOOT_NETWORK, BOOT_NETWORK_LOOPBACK);
    boot.debug = (u32)dt_int(d, n, BOOT_DEBUG, 0);
    boot.strace = dt_flag(d, n, BOOT_STRACE);
    boot.start = dt_flag(d, n, BOOT_START);
    boot.pids_limit = dt_int(d, n, BOOT_PIDS_LIMIT, ~0ULL);
    boot.sysctl = dt_text(d, n, BOOT_SYSCTL, &boot.sysctl_len);
    boot.masked = dt_text(d, n, BOOT_MASKED, &boot.masked_len);
    boot.readonly = dt_text(d, n, BOOT_READONLY, &boot.readonly_len);
    if (!boot.hostname || !boot.release || !boot.version)
        return -EINVAL;
    return bootinfo_process(d, n, &boot.process);
}

int bootinfo_parse(const void *fdt)
{
    struct dt d;
    u32 chosen;
    int err = dt_open(&d, fdt, IMAGE_MAX);

    if (err)
        return err;
    boot.ram_base = node_reg(&d, "memory", 0);
    boot.ram_size = node_reg(&d, "memory", 1);
    boot.ring_gpa = node_reg(&d, "ring", 0);
    boot.hostcall_gpa = node_reg(&d, "hostcall", 0);
    boot.ncpus = (u32)node_int(&d, "cpus", "count");
    boot.tsc_khz = node_int(&d, "clock", "tsc-khz");
    chosen = dt_child(&d, dt_root(&d), "chosen");
    if (!boot.ram_size || !boot.ncpus || boot.ncpus > MAX_CPUS || !chosen)
        return -EINVAL;
    err = parse_chosen(&d, chosen);
    if (err)
        return err;
    log_level = (int)boot.debug;
    return parse_children(&d, chosen);
}
