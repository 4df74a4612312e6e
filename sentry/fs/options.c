// SPDX-License-Identifier: Apache-2.0
//
// Mount options.

#include "sentry/fs/options.h"
#include "sentry/fs/vfs.h"

#define OPTION_MAX 256

int options_parse(const char *s, int (*fn)(const char *key, const char *value, void *arg),
                  void *arg)
{
    char buf[OPTION_MAX];

    while (*s) {
        const char *end = strchr(s, ',');
        size_t len = end ? (size_t)(end - s) : strlen(s);
        if (len >= sizeof(buf))
            return -EINVAL;
        memcpy(buf, s, len);
        buf[len] = 0;
        char *value = strchr(buf, '=');
        if (value)
            *value++ = 0;
        int err = len ? fn(buf, value ? value : "", arg) : 0;
        if (err)
            return err;
        s += len + (end != NULL);
    }
    return 0;
}

bool option_number(const char *s, unsigned base, u64 *out)
{
    u64 n = 0;

    if (!*s)
        return false;
    for (; *s; s++) {
        unsigned digit = (unsigned)(*s - '0');
        if (digit >= base || n > (U64_MAX - digit) / base)
            return false;
        n = n * base + digit;
    }
    *out = n;
    return true;
}

struct generic {
    u32 *flags;
    char *rest;
    size_t len;
};

static int generic_option(const char *key, const char *value, void *arg)
{
    static const struct {
        const char *name;
        u32 set, clear;
    } known[] = {
        {"ro", MS_RDONLY, 0},     {"rw", 0, MS_RDONLY},   {"nosuid", MS_NOSUID, 0},
        {"suid", 0, MS_NOSUID},   {"nodev", MS_NODEV, 0}, {"dev", 0, MS_NODEV},
        {"noexec", MS_NOEXEC, 0}, {"exec", 0, MS_NOEXEC}, {"noatime", MS_NOATIME, 0},
        {"atime", 0, MS_NOATIME}, {"relatime", 0, 0},     {"strictatime", 0, MS_NOATIME},
        {"nodiratime", 0, 0},     {"diratime", 0, 0},     {"sync", 0, 0},
        {"async", 0, 0},          {"bind", 0, 0},         {"rbind", 0, 0},
        {"private", 0, 0},        {"rprivate", 0, 0},     {"slave", 0, 0},
        {"rslave", 0, 0},         {"shared", 0, 0},       {"rshared", 0, 0},
        {"unbindable", 0, 0},     {"runbindable", 0, 0},  {"defaults", 0, 0},
    };
    struct generic *g = arg;

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (!strcmp(key, known[i].name)) {
            *g->flags = (*g->flags | known[i].set) & ~known[i].clear;
            return 0;
        }
    }
    if (g->len)
        g->rest[g->len++] = ',';
    size_t klen = strlen(key), vlen = strlen(value);
    memcpy(g->rest + g->len, key, klen);
    g->len += klen;
    if (vlen) {
        g->rest[g->len++] = '=';
        memcpy(g->rest + g->len, value, vlen);
        g->len += vlen;
    }
    return 0;
}

void options_generic(const char *s, u32 *flags, char *rest)
{
    struct generic g = {flags, rest, 0};

    options_parse(s, generic_option, &g);
    rest[g.len] = 0;
}
