// SPDX-License-Identifier: Apache-2.0
/*
 * Kernel parameters, see sysctl.h. Each is a few numbers within bounds, and has the value that
 * Linux gives it by default. Those that say how much of something there may be are obeyed where
 * that thing is; the others only tell the application what it was told.
 */
#include "sentry/kernel/sysctl.h"
#include "sentry/kernel/kernel.h"

#define VALUE_MAX 96

/* One parameter; written only before the first process runs. */
struct sysctl {
    const char *name;
    unsigned count; /* numbers */
    u64 min, max;
    char value[VALUE_MAX]; /* separated by tabs */
};

#define U31 0x7fffffff

static struct sysctl table[] = {
    {"kernel.msgmax", 1, 0, U31, "8192"},
    {"kernel.msgmnb", 1, 0, U31, "16384"},
    {"kernel.msgmni", 1, 0, 32768, "32000"},
    {"kernel.sem", 4, 0, U31, "32000\t1024000000\t500\t32000"},
    {"kernel.shmall", 1, 0, ~0ULL, "18446744073692774399"},
    {"kernel.shmmax", 1, 0, ~0ULL, "18446744073692774399"},
    {"kernel.shmmni", 1, 0, 32768, "4096"},
    {"kernel.shm_rmid_forced", 1, 0, 1, "0"},
    {"net.core.rmem_default", 1, 256, U31, "212992"},
    {"net.core.rmem_max", 1, 256, U31, "212992"},
    {"net.core.somaxconn", 1, 0, U31, "4096"},
    {"net.core.wmem_default", 1, 256, U31, "212992"},
    {"net.core.wmem_max", 1, 256, U31, "212992"},
    {"net.ipv4.ip_forward", 1, 0, 1, "0"},
    {"net.ipv4.ip_local_port_range", 2, 1, 65535, "32768\t60999"},
    {"net.ipv4.ip_nonlocal_bind", 1, 0, 1, "0"},
    {"net.ipv4.ip_unprivileged_port_start", 1, 0, 65535, "1024"},
    {"net.ipv4.ping_group_range", 2, 0, U31, "0\t2147483647"},
    {"net.ipv4.tcp_fin_timeout", 1, 1, 3600, "60"},
    {"net.ipv4.tcp_keepalive_intvl", 1, 1, 32767, "75"},
    {"net.ipv4.tcp_keepalive_probes", 1, 1, 127, "9"},
    {"net.ipv4.tcp_keepalive_time", 1, 1, 32767, "7200"},
    {"net.ipv4.tcp_max_syn_backlog", 1, 0, U31, "1024"},
    {"net.ipv4.tcp_rmem", 3, 1, U31, "4096\t131072\t6291456"},
    {"net.ipv4.tcp_sack", 1, 0, 1, "1"},
    {"net.ipv4.tcp_syncookies", 1, 0, 2, "1"},
    {"net.ipv4.tcp_tw_reuse", 1, 0, 2, "2"},
    {"net.ipv4.tcp_wmem", 3, 1, U31, "4096\t16384\t4194304"},
    {"net.unix.max_dgram_qlen", 1, 0, U31, "10"},
};

/* sysctl(8) takes slashes for dots. */
static bool same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if ((*a == '/' ? '.' : *a) != *b)
            return false;
    return *a == *b;
}

static struct sysctl *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (same_name(name, table[i].name))
            return &table[i];
    return NULL;
}

const char *sysctl_text(const char *name)
{
    const struct sysctl *s = find(name);

    return s ? s->value : NULL;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/* The next number of *s, which moves behind it. False: there is none, or it is too large. */
static bool take_number(const char **s, u64 *out)
{
    const char *p = *s;
    u64 n = 0;

    while (blank(*p))
        p++;
    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(n, 10ULL, &n) || __builtin_add_overflow(n, (u64)(*p - '0'), &n))
            return false;
    *s = p;
    *out = n;
    return true;
}

u64 sysctl_number(const char *name, unsigned n, u64 def)
{
    const char *text = sysctl_text(name);
    u64 v = def;

    for (unsigned i = 0; text && i <= n; i++)
        if (!take_number(&text, &v))
            return def;
    return v;
}

static int set(struct sysctl *s, const char *text)
{
    char value[VALUE_MAX];
    size_t len = 0;
    u64 v;

    for (unsigned i = 0; i < s->count; i++) {
        if (!take_number(&text, &v) || v < s->min || v > s->max)
            return -EINVAL;
        len += (size_t)snprintf_(value + len, sizeof(value) - len, i ? "\t%lu" : "%lu", v);
    }
    while (blank(*text))
        text++;
    if (*text || len >= sizeof(value))
        return -EINVAL;
    memcpy(s->value, value, len + 1);
    return 0;
}

/* "key=value"; the two names are uname(2)'s. */
static int apply(const char *line, char *name, size_t size)
{
    const char *value = strchr(line, '=');
    struct sysctl *s;

    snprintf_(name, size, "%.*s", (int)(value ? value - line : (long)strlen(line)), line);
    if (!value)
        return -EINVAL;
    value++;
    if (same_name(name, "kernel.domainname") || same_name(name, "kernel.hostname"))
        return uts_set(same_name(name, "kernel.hostname"), value);
    s = find(name);
    return s ? set(s, value) : -ENOENT;
}

int sysctl_boot(char *why, size_t size)
{
    char name[128];

    for (size_t at = 0; boot.sysctl && at < boot.sysctl_len; at += strlen(boot.sysctl + at) + 1) {
        int err = apply(boot.sysctl + at, name, sizeof(name));

        if (!err)
            continue;
        snprintf_(why, size,
                  err == -ENOENT ? "sysctl \"%s\" is not known in the sandbox"
                                 : "sysctl \"%s\": invalid argument",
                  name);
        return err;
    }
    return 0;
}
