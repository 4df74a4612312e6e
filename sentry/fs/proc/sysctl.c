// SPDX-License-Identifier: Apache-2.0
//
// proc: /proc/sys. Values are what the Sentry really does, or what a kernel without that limit
// shows; none can be changed by writing.

#include <linux/utsname.h>
#include "sentry/fs/proc/proc.h"
#include "sentry/kernel/kernel.h"
#include "sentry/kernel/sysctl.h"

#define SHOW_TEXT(fn, text)                                \
    static int fn(struct seq *s, const struct proc_ctx *c) \
    {                                                      \
        (void)c;                                           \
        seq_puts(s, text "\n");                            \
        return 0;                                          \
    }
#define SHOW_SYSCTL(fn, name)                              \
    static int fn(struct seq *s, const struct proc_ctx *c) \
    {                                                      \
        (void)c;                                           \
        seq_printf(s, "%s\n", sysctl_text(name));          \
        return 0;                                          \
    }
#define SHOW_UTS(fn, field)                                \
    static int fn(struct seq *s, const struct proc_ctx *c) \
    {                                                      \
        struct new_utsname u;                              \
        (void)c;                                           \
        uts_get(&u);                                       \
        seq_printf(s, "%s\n", u.field);                    \
        return 0;                                          \
    }

SHOW_UTS(show_hostname, nodename)
SHOW_UTS(show_domainname, domainname)
SHOW_UTS(show_osrelease, release)
SHOW_UTS(show_ostype, sysname)
SHOW_UTS(show_uts_version, version)
SHOW_TEXT(show_pid_max, "32768")
SHOW_TEXT(show_threads_max, "32767")
SHOW_TEXT(show_cap_last_cap, "40")
SHOW_TEXT(show_overflowid, "65534")
SHOW_TEXT(show_ngroups_max, "65536")
SHOW_TEXT(show_zero, "0")
SHOW_TEXT(show_one, "1")
SHOW_TEXT(show_two, "2")
SHOW_TEXT(show_entropy, "256")
SHOW_TEXT(show_core_pattern, "core")
SHOW_SYSCTL(show_sem, "kernel.sem")
SHOW_SYSCTL(show_shmmax, "kernel.shmmax")
SHOW_SYSCTL(show_shmmni, "kernel.shmmni")
SHOW_SYSCTL(show_msgmax, "kernel.msgmax")
SHOW_SYSCTL(show_msgmnb, "kernel.msgmnb")
SHOW_SYSCTL(show_msgmni, "kernel.msgmni")
SHOW_TEXT(show_max_map_count, "65530")
SHOW_TEXT(show_mmap_min_addr, "65536")
SHOW_TEXT(show_overcommit_ratio, "50")
SHOW_TEXT(show_swappiness, "60")
SHOW_TEXT(show_nr_open, "1048576")
SHOW_TEXT(show_file_max, "9223372036854775807")
SHOW_TEXT(show_file_nr, "0\t0\t9223372036854775807")
SHOW_TEXT(show_pipe_max, "1048576")
SHOW_TEXT(show_pipe_soft, "16384")
SHOW_TEXT(show_watches, "65536")
SHOW_TEXT(show_instances, "128")
SHOW_TEXT(show_queued, "16384")
SHOW_SYSCTL(show_somaxconn, "net.core.somaxconn")
SHOW_SYSCTL(show_port_range, "net.ipv4.ip_local_port_range")
SHOW_SYSCTL(show_tcp_rmem, "net.ipv4.tcp_rmem")
SHOW_SYSCTL(show_tcp_wmem, "net.ipv4.tcp_wmem")
SHOW_SYSCTL(show_qlen, "net.unix.max_dgram_qlen")
SHOW_TEXT(show_congestion, "reno cubic")
SHOW_SYSCTL(show_shmall, "kernel.shmall")
SHOW_SYSCTL(show_rmid_forced, "kernel.shm_rmid_forced")
SHOW_SYSCTL(show_rmem_default, "net.core.rmem_default")
SHOW_SYSCTL(show_rmem_max, "net.core.rmem_max")
SHOW_SYSCTL(show_wmem_default, "net.core.wmem_default")
SHOW_SYSCTL(show_wmem_max, "net.core.wmem_max")
SHOW_SYSCTL(show_ip_forward, "net.ipv4.ip_forward")
SHOW_SYSCTL(show_nonlocal_bind, "net.ipv4.ip_nonlocal_bind")
SHOW_SYSCTL(show_port_start, "net.ipv4.ip_unprivileged_port_start")
SHOW_SYSCTL(show_ping_range, "net.ipv4.ping_group_range")
SHOW_SYSCTL(show_fin_timeout, "net.ipv4.tcp_fin_timeout")
SHOW_SYSCTL(show_ka_intvl, "net.ipv4.tcp_keepalive_intvl")
SHOW_SYSCTL(show_ka_probes, "net.ipv4.tcp_keepalive_probes")
SHOW_SYSCTL(show_ka_time, "net.ipv4.tcp_keepalive_time")
SHOW_SYSCTL(show_syn_backlog, "net.ipv4.tcp_max_syn_backlog")
SHOW_SYSCTL(show_sack, "net.ipv4.tcp_sack")
SHOW_SYSCTL(show_syncookies, "net.ipv4.tcp_syncookies")
SHOW_SYSCTL(show_tw_reuse, "net.ipv4.tcp_tw_reuse")

static void put_uuid(struct seq *s, const u8 *b)
{
    for (int i = 0; i < 16; i++)
        seq_printf(s, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
    seq_putc(s, '\n');
}

static void make_uuid(u8 *b)
{
    random_bytes(b, 16);
    b[6] = (b[6] & 15) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
}

static int show_uuid(struct seq *s, const struct proc_ctx *c)
{
    u8 b[16];

    (void)c;
    make_uuid(b);
    put_uuid(s, b);
    return 0;
}

static int show_boot_id(struct seq *s, const struct proc_ctx *c)
{
    static struct spinlock lock;
    static u8 id[16];
    u8 fresh[16];

    (void)c;
    make_uuid(fresh);
    spin_lock(&lock);
    if (!id[6])
        memcpy(id, fresh, sizeof(id));
    spin_unlock(&lock);
    put_uuid(s, id);
    return 0;
}

static const struct proc_entry random_children[] = {
    PROC_FILE("boot_id", 0444, show_boot_id),
    PROC_FILE("entropy_avail", 0444, show_entropy),
    PROC_FILE("poolsize", 0444, show_entropy),
    PROC_FILE("uuid", 0444, show_uuid),
    {0},
};

static const struct proc_entry yama_children[] = {PROC_FILE("ptrace_scope", 0444, show_one), {0}};

static const struct proc_entry kernel_children[] = {
    PROC_FILE("cap_last_cap", 0444, show_cap_last_cap),
    PROC_FILE("core_pattern", 0444, show_core_pattern),
    PROC_FILE("dmesg_restrict", 0444, show_zero),
    PROC_FILE("domainname", 0444, show_domainname),
    PROC_FILE("hostname", 0444, show_hostname),
    PROC_FILE("kptr_restrict", 0444, show_two),
    PROC_FILE("msgmax", 0444, show_msgmax),
    PROC_FILE("msgmnb", 0444, show_msgmnb),
    PROC_FILE("msgmni", 0444, show_msgmni),
    PROC_FILE("ngroups_max", 0444, show_ngroups_max),
    PROC_FILE("osrelease", 0444, show_osrelease),
    PROC_FILE("ostype", 0444, show_ostype),
    PROC_FILE("overflowgid", 0444, show_overflowid),
    PROC_FILE("overflowuid", 0444, show_overflowid),
    PROC_FILE("pid_max", 0444, show_pid_max),
    PROC_FILE("randomize_va_space", 0444, show_two),
    PROC_FILE("sem", 0444, show_sem),
    PROC_FILE("shm_rmid_forced", 0444, show_rmid_forced),
    PROC_FILE("shmall", 0444, show_shmall),
    PROC_FILE("shmmax", 0444, show_shmmax),
    PROC_FILE("shmmni", 0444, show_shmmni),
    PROC_FILE("threads-max", 0444, show_threads_max),
    PROC_FILE("version", 0444, show_uts_version),
    PROC_DIR("random", 0555, random_children),
    PROC_DIR("yama", 0555, yama_children),
    {0},
};

static const struct proc_entry vm_children[] = {
    PROC_FILE("max_map_count", 0444, show_max_map_count),
    PROC_FILE("mmap_min_addr", 0444, show_mmap_min_addr),
    PROC_FILE("overcommit_memory", 0444, show_zero),
    PROC_FILE("overcommit_ratio", 0444, show_overcommit_ratio),
    PROC_FILE("swappiness", 0444, show_swappiness),
    {0},
};

static const struct proc_entry inotify_children[] = {
    PROC_FILE("max_queued_events", 0444, show_queued),
    PROC_FILE("max_user_instances", 0444, show_instances),
    PROC_FILE("max_user_watches", 0444, show_watches),
    {0},
};

static const struct proc_entry fs_children[] = {
    PROC_FILE("file-max", 0444, show_file_max),
    PROC_FILE("file-nr", 0444, show_file_nr),
    PROC_FILE("nr_open", 0444, show_nr_open),
    PROC_FILE("pipe-max-size", 0444, show_pipe_max),
    PROC_FILE("pipe-user-pages-soft", 0444, show_pipe_soft),
    PROC_FILE("protected_hardlinks", 0444, show_zero),
    PROC_FILE("protected_symlinks", 0444, show_zero),
    PROC_FILE("suid_dumpable", 0444, show_zero),
    PROC_DIR("inotify", 0555, inotify_children),
    {0},
};

static const struct proc_entry net_core_children[] = {
    PROC_FILE("rmem_default", 0444, show_rmem_default),
    PROC_FILE("rmem_max", 0444, show_rmem_max),
    PROC_FILE("somaxconn", 0444, show_somaxconn),
    PROC_FILE("wmem_default", 0444, show_wmem_default),
    PROC_FILE("wmem_max", 0444, show_wmem_max),
    {0},
};

static const struct proc_entry ipv4_children[] = {
    PROC_FILE("ip_forward", 0444, show_ip_forward),
    PROC_FILE("ip_local_port_range", 0444, show_port_range),
    PROC_FILE("ip_nonlocal_bind", 0444, show_nonlocal_bind),
    PROC_FILE("ip_unprivileged_port_start", 0444, show_port_start),
    PROC_FILE("ping_group_range", 0444, show_ping_range),
    PROC_FILE("tcp_available_congestion_control", 0444, show_congestion),
    PROC_FILE("tcp_fin_timeout", 0444, show_fin_timeout),
    PROC_FILE("tcp_keepalive_intvl", 0444, show_ka_intvl),
    PROC_FILE("tcp_keepalive_probes", 0444, show_ka_probes),
    PROC_FILE("tcp_keepalive_time", 0444, show_ka_time),
    PROC_FILE("tcp_max_syn_backlog", 0444, show_syn_backlog),
    PROC_FILE("tcp_rmem", 0444, show_tcp_rmem),
    PROC_FILE("tcp_sack", 0444, show_sack),
    PROC_FILE("tcp_syncookies", 0444, show_syncookies),
    PROC_FILE("tcp_tw_reuse", 0444, show_tw_reuse),
    PROC_FILE("tcp_wmem", 0444, show_tcp_wmem),
    {0},
};

static const struct proc_entry net_unix_children[] = {
    PROC_FILE("max_dgram_qlen", 0444, show_qlen),
    {0},
};

static const struct proc_entry sys_net_children[] = {
    PROC_DIR("core", 0555, net_core_children),
    PROC_DIR("ipv4", 0555, ipv4_children),
    PROC_DIR("unix", 0555, net_unix_children),
    {0},
};

const struct proc_entry proc_sys_children[] = {
    PROC_DIR("fs", 0555, fs_children),
    PROC_DIR("kernel", 0555, kernel_children),
    PROC_DIR("net", 0555, sys_net_children),
    PROC_DIR("vm", 0555, vm_children),
    {0},
};
