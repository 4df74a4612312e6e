// SPDX-License-Identifier: Apache-2.0
/*
 * Calls about the machine as a whole: names, memory and load, randomness, the kernel log, and the
 * thread pointer.
 */
#include <linux/capability.h>
#include <linux/random.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>
#include <asm/prctl.h>
#include "sentry/fs/vfs.h"
#include "sentry/kernel/internal.h"
#include "sentry/kernel/kernel.h"
#include "sentry/syscall/syscall.h"

/* ---- names ---- */

/* Guarded by uts_lock once the first process runs. */
static struct spinlock uts_lock = SPINLOCK_INIT;
static struct new_utsname uts = {.sysname = "Linux", .machine = "x86_64", .domainname = "(none)"};

void uts_init(void)
{
    snprintf_(uts.nodename, sizeof(uts.nodename), "%s",
              boot.hostname ? boot.hostname : "localhost");
    if (boot.domainname)
        snprintf_(uts.domainname, sizeof(uts.domainname), "%s", boot.domainname);
    snprintf_(uts.release, sizeof(uts.release), "%s", boot.release ? boot.release : "4.4.0");
    snprintf_(uts.version, sizeof(uts.version), "%s",
              boot.version ? boot.version : "#1 SMP Sun Jan 10 15:06:54 PST 2016");
}

int uts_set(bool host, const char *name)
{
    size_t len = strlen(name);

    if (len > __NEW_UTS_LEN)
        return -EINVAL;
    memcpy(host ? uts.nodename : uts.domainname, name, len + 1);
    return 0;
}

void uts_get(struct new_utsname *out)
{
    spin_lock(&uts_lock);
    *out = uts;
    spin_unlock(&uts_lock);
}

SYSCALL1(uname, uva_t, to)
{
    struct new_utsname copy;

    uts_get(&copy);
    return copy_to_user(to, &copy, sizeof(copy));
}

static s64 set_name(char *where, uva_t from, int len)
{
    char name[__NEW_UTS_LEN + 1] = {0};

    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (len < 0 || len > __NEW_UTS_LEN)
        return -EINVAL;
    if (copy_from_user(name, from, (size_t)len))
        return -EFAULT;
    spin_lock(&uts_lock);
    memcpy(where, name, sizeof(name));
    spin_unlock(&uts_lock);
    return 0;
}

SYSCALL2(sethostname, uva_t, name, int, len)
{
    return set_name(uts.nodename, name, len);
}

SYSCALL2(setdomainname, uva_t, name, int, len)
{
    return set_name(uts.domainname, name, len);
}

/* ---- memory and load ---- */

SYSCALL1(sysinfo, uva_t, to)
{
    struct sysinfo si;
    struct process *p;
    u32 n = 0;

    memset(&si, 0, sizeof(si));
    si.uptime = (s64)(clock_monotonic() / NSEC_PER_SEC);
    si.totalram = pages_total() * PAGE_SIZE;
    si.freeram = pages_free() * PAGE_SIZE;
    si.mem_unit = 1;
    spin_lock(&tasklist_lock);
    list_for_each (p, &all_processes, all_link)
        n += p->nthreads;
    spin_unlock(&tasklist_lock);
    si.procs = (u16)MIN(n, 0xffffu);
    return copy_to_user(to, &si, sizeof(si));
}

/* ---- randomness ---- */

SYSCALL3(getrandom, uva_t, buf, u64, len, u32, flags)
{
    u8 chunk[256];
    u64 done = 0;

    if (flags & ~(u32)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
        return -EINVAL;
    if ((flags & GRND_RANDOM) && (flags & GRND_INSECURE))
        return -EINVAL;
    len = MIN(len, 0x7fffffffull);
    while (done < len) {
        u64 n = MIN(len - done, (u64)sizeof(chunk));

        random_bytes(chunk, n);
        if (copy_to_user(buf + done, chunk, n))
            return done ? (s64)done : -EFAULT;
        done += n;
        if (done < len && signal_pending(current))
            break;
    }
    return (s64)done;
}

/* ---- the thread pointer ---- */

SYSCALL2(arch_prctl, int, code, u64, addr)
{
    struct uregs *r = &current->regs;

    machine_fpu_read(current); /* and the bases as they are */
    switch (code) {
    case ARCH_SET_FS:
        if (addr >= USER_END)
            return -EPERM;
        r->fs_base = addr;
        return 0;
    case ARCH_SET_GS:
        if (addr >= USER_END)
            return -EPERM;
        r->gs_base = addr;
        return 0;
    case ARCH_GET_FS:
        return put_user(r->fs_base, addr);
    case ARCH_GET_GS:
        return put_user(r->gs_base, addr);
    case ARCH_GET_CPUID:
        return 1;
    case ARCH_SET_CPUID:
        return addr ? 0 : -ENODEV;
    }
    return -EINVAL;
}

SYSCALL1(set_tid_address, uva_t, addr)
{
    current->clear_child_tid = addr;
    return current->tid;
}

SYSCALL1(personality, u32, want)
{
    u32 old = current->personality;

    if (want != 0xffffffff)
        current->personality = want;
    return old;
}

/* ---- the kernel log ---- */

static const char *const log_lines[] = {
    "Starting gVisor...",
    "Ringfort: raising the walls",
    "Pulling up the drawbridge",
    "Counting the vCPUs twice",
    "Filling the moat with seccomp",
    "Teaching ring 3 some manners",
    "Polishing the page tables",
    "Hiding the host behind the curtain",
    "Posting a gofer at the gate",
    "Ready!",
};

/* The whole log; what is made up is only the time between its lines. */
static size_t build_log(char *buf, size_t size)
{
    size_t at = 0;
    u32 us = 0;

    for (size_t i = 0; i < ARRAY_SIZE(log_lines) && at < size; i++) {
        int n = snprintf_(buf + at, size - at, "<6>[%5u.%06u] %s\n", us / 1000000, us % 1000000,
                          log_lines[i]);

        at += (size_t)n;
        us += 187654 + (u32)(i * 7919) % 90000;
    }
    return MIN(at, size - 1);
}

enum {
    SYSLOG_CLOSE,
    SYSLOG_OPEN,
    SYSLOG_READ,
    SYSLOG_READ_ALL,
    SYSLOG_READ_CLEAR,
    SYSLOG_CLEAR,
    SYSLOG_CONSOLE_OFF,
    SYSLOG_CONSOLE_ON,
    SYSLOG_CONSOLE_LEVEL,
    SYSLOG_SIZE_UNREAD,
    SYSLOG_SIZE_BUFFER,
};

SYSCALL3(syslog, int, action, uva_t, buf, int, len)
{
    char text[1024];
    size_t n;

    switch (action) {
    case SYSLOG_READ_ALL:
        if (!buf || len < 0)
            return -EINVAL;
        n = build_log(text, sizeof(text));
        /* The newest that fits. */
        if ((size_t)len < n)
            return copy_to_user(buf, text + n - (size_t)len, (size_t)len) ? -EFAULT : len;
        return copy_to_user(buf, text, n) ? -EFAULT : (s64)n;
    case SYSLOG_SIZE_BUFFER:
        return 1 << 16;
    case SYSLOG_CLOSE:
    case SYSLOG_OPEN:
        return 0;
    case SYSLOG_SIZE_UNREAD:
        return 0;
    case SYSLOG_READ:
    case SYSLOG_READ_CLEAR:
    case SYSLOG_CLEAR:
    case SYSLOG_CONSOLE_OFF:
    case SYSLOG_CONSOLE_ON:
    case SYSLOG_CONSOLE_LEVEL:
        return -EPERM;
    }
    return -EINVAL;
}
