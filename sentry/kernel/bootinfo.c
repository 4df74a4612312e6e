// SPDX-License-Identifier: Apache-2.0
/*
 * What the VMM tells us at the start: the flattened device tree of vmm/abi/bootinfo.h.
 */
#include <libfdt.h>
#include "sentry/kernel/kernel.h"
#include "vmm/abi/bootinfo.h"

struct boot_info boot;

static u64 be(const u8 *p, size_t n)
{
    u64 v = 0;

    while (n--)
        v = v << 8 | *p++;
    return v;
}

/* Integer property of 4 or 8 bytes; def when it is missing. */
static u64 get_int(const void *fdt, int node, const char *name, u64 def)
{
    int len;
    const u8 *p = fdt_getprop(fdt, node, name, &len);

    return p && (len == 4 || len == 8) ? be(p, (size_t)len) : def;
}

static const char *get_text(const void *fdt, int node, const char *name, size_t *len_out)
{
    int len;
    const char *p = fdt_getprop(fdt, node, name, &len);

    if (p && (len <= 0 || p[len - 1] != '\0'))
        p = NULL;
    if (len_out)
        *len_out = p ? (size_t)len : 0;
    return p;
}

static bool get_flag(const void *fdt, int node, const char *name)
{
    return fdt_getprop(fdt, node, name, NULL) != NULL;
}

static size_t get_u32s(const void *fdt, int node, const char *name, u32 *out, size_t max)
{
    int len;
    const u8 *p = fdt_getprop(fdt, node, name, &len);
    size_t n = p ? MIN((size_t)len / 4, max) : 0;

    for (size_t i = 0; i < n; i++)
        out[i] = (u32)be(p + i * 4, 4);
    return n;
}

static u64 reg_word(const void *fdt, const char *path, int index)
{
    int node = fdt_path_offset(fdt, path);
    int len;
    const u8 *p = node >= 0 ? fdt_getprop(fdt, node, "reg", &len) : NULL;

    return p && len >= (index + 1) * 8 ? be(p + index * 8, 8) : 0;
}

static u64 node_int(const void *fdt, const char *path, const char *name)
{
    int node = fdt_path_offset(fdt, path);

    return node >= 0 ? get_int(fdt, node, name, 0) : 0;
}

static void parse_rlimits(const void *fdt, int chosen)
{
    int len;
    const u8 *p = fdt_getprop(fdt, chosen, BOOT_RLIMITS, &len);

    for (size_t i = 0; i < ARRAY_SIZE(boot.rlimits); i++) {
        bool given = p && (size_t)len >= (i + 1) * 16;
        boot.rlimits[i][0] = given ? be(p + i * 16, 8) : ~0ULL;
        boot.rlimits[i][1] = given ? be(p + i * 16 + 8, 8) : ~0ULL;
    }
}

static int parse_mounts(const void *fdt, int chosen)
{
    int node;

    fdt_for_each_subnode(node, fdt, chosen)
    {
        const char *name = fdt_get_name(fdt, node, NULL);
        struct boot_mount *m;
        u64 index;

        if (!name || strncmp(name, "mount@", 6))
            continue;
        index = 0;
        for (const char *c = name + 6; *c >= '0' && *c <= '9'; c++)
            index = index * 10 + (u64)(*c - '0');
        if (index >= BOOT_MAX_MOUNTS)
            return -EINVAL;
        m = &boot.mounts[index];
        m->dest = get_text(fdt, node, BOOT_MOUNT_DEST, NULL);
        m->type = get_text(fdt, node, BOOT_MOUNT_TYPE, NULL);
        m->options = get_text(fdt, node, BOOT_MOUNT_OPTIONS, &m->options_len);
        m->conn = (u32)get_int(fdt, node, BOOT_MOUNT_CONN, 0);
        m->attach = (u32)get_int(fdt, node, BOOT_MOUNT_ATTACH, 0);
        m->readonly = get_flag(fdt, node, BOOT_MOUNT_READONLY);
        if (!m->dest || !m->type)
            return -EINVAL;
        boot.nmounts = MAX(boot.nmounts, (u32)index + 1);
    }
    return boot.nmounts ? 0 : -EINVAL;
}

static void parse_chosen(const void *fdt, int n)
{
    boot.argv = get_text(fdt, n, BOOT_ARGV, &boot.argv_len);
    boot.envp = get_text(fdt, n, BOOT_ENVP, &boot.envp_len);
    boot.cwd = get_text(fdt, n, BOOT_CWD, NULL);
    boot.hostname = get_text(fdt, n, BOOT_HOSTNAME, NULL);
    boot.release = get_text(fdt, n, BOOT_RELEASE, NULL);
    boot.version = get_text(fdt, n, BOOT_VERSION, NULL);
    boot.id = get_text(fdt, n, BOOT_CONTAINER_ID, NULL);
    boot.crash = get_text(fdt, n, BOOT_CRASH, NULL);
    boot.uid = (u32)get_int(fdt, n, BOOT_UID, 0);
    boot.gid = (u32)get_int(fdt, n, BOOT_GID, 0);
    boot.umask = (u32)get_int(fdt, n, BOOT_UMASK, 022);
    boot.network = (u32)get_int(fdt, n, BOOT_NETWORK, BOOT_NETWORK_LOOPBACK);
    boot.debug = (u32)get_int(fdt, n, BOOT_DEBUG, 0);
    boot.caps = get_int(fdt, n, BOOT_CAPS, 0);
    boot.ngroups = (u32)get_u32s(fdt, n, BOOT_GROUPS, boot.groups, ARRAY_SIZE(boot.groups));
    if (get_u32s(fdt, n, BOOT_STDIO, boot.stdio, 3) != 3)
        boot.stdio[0] = boot.stdio[1] = boot.stdio[2] = ~0u;
    boot.console = get_flag(fdt, n, BOOT_CONSOLE);
    boot.strace = get_flag(fdt, n, BOOT_STRACE);
    boot.no_new_privs = get_flag(fdt, n, BOOT_NO_NEW_PRIVS);
    parse_rlimits(fdt, n);
}

int bootinfo_parse(const void *fdt)
{
    int chosen;

    if (fdt_check_header(fdt))
        return -EINVAL;
    boot.ram_base = reg_word(fdt, "/memory", 0);
    boot.ram_size = reg_word(fdt, "/memory", 1);
    boot.ring_gpa = reg_word(fdt, "/ring", 0);
    boot.hostcall_gpa = reg_word(fdt, "/hostcall", 0);
    boot.ncpus = (u32)node_int(fdt, "/cpus", "count");
    boot.tsc_khz = node_int(fdt, "/clock", "tsc-khz");
    chosen = fdt_path_offset(fdt, "/chosen");
    if (!boot.ram_size || !boot.ncpus || boot.ncpus > MAX_CPUS || chosen < 0)
        return -EINVAL;
    parse_chosen(fdt, chosen);
    if (!boot.argv || !boot.cwd || !boot.hostname || !boot.release || !boot.version)
        return -EINVAL;
    log_level = (int)boot.debug;
    return parse_mounts(fdt, chosen);
}
