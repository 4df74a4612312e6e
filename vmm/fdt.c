// SPDX-License-Identifier: Apache-2.0
//
// Writes the device tree with libfdt's sequential functions. The first error sticks in
// struct tree, so that the code reads like the tree it makes.

#include "vmm/fdt.h"

#include <errno.h>
#include <libfdt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "vmm/abi/bootinfo.h"
#include "vmm/abi/layout.h"
#include "vmm/memory.h"

struct tree {
    void *buf;
    int err; /* libfdt's, 0 so far */
};

static void begin(struct tree *t, const char *name)
{
    if (!t->err)
        t->err = fdt_begin_node(t->buf, name);
}

static void end(struct tree *t)
{
    if (!t->err)
        t->err = fdt_end_node(t->buf);
}

static void bytes(struct tree *t, const char *name, const void *p, size_t n)
{
    if (!t->err)
        t->err = fdt_property(t->buf, name, p, (int)n);
}

static void number32(struct tree *t, const char *name, u32 v)
{
    if (!t->err)
        t->err = fdt_property_u32(t->buf, name, v);
}

static void number64(struct tree *t, const char *name, u64 v)
{
    if (!t->err)
        t->err = fdt_property_u64(t->buf, name, v);
}

static void text(struct tree *t, const char *name, const char *s)
{
    if (s)
        bytes(t, name, s, strlen(s) + 1);
}

static void flag(struct tree *t, const char *name, bool set)
{
    if (set)
        bytes(t, name, NULL, 0);
}

static size_t list_size(const char *const *list)
{
    size_t n = 0;

    for (; list && *list; list++)
        n += strlen(*list) + 1;
    return n;
}

static void text_list(struct tree *t, const char *name, const char *const *list)
{
    char *at;

    if (!list || t->err)
        return;
    t->err = fdt_property_placeholder(t->buf, name, (int)list_size(list), (void **)&at);
    for (; !t->err && *list; list++)
        at = stpcpy(at, *list) + 1;
}

static void add_reg(struct tree *t, u64 at, u64 size)
{
    fdt64_t reg[2] = {cpu_to_fdt64(at), cpu_to_fdt64(size)};

    bytes(t, "reg", reg, size ? sizeof(reg) : sizeof(reg[0]));
}

static void add_address(struct tree *t, const char *node, u64 at)
{
    if (!at)
        return;
    begin(t, node);
    add_reg(t, at, 0);
    end(t);
}

static void add_mount(struct tree *t, size_t n, const struct sandbox_mount *m)
{
    char name[32];

    snprintf(name, sizeof(name), "mount@%zu", n);
    begin(t, name);
    text(t, BOOT_MOUNT_DEST, m->destination);
    text(t, BOOT_MOUNT_TYPE, m->type);
    text_list(t, BOOT_MOUNT_OPTIONS, m->options);
    if (m->conn >= 0) {
        number32(t, BOOT_MOUNT_CONN, (u32)m->conn);
        number32(t, BOOT_MOUNT_ATTACH, m->attach);
    }
    flag(t, BOOT_MOUNT_READONLY, m->readonly);
    flag(t, BOOT_MOUNT_SHARED, m->shared);
    end(t);
}

static void add_u32s(struct tree *t, const char *name, const u32 *v, size_t n)
{
    fdt32_t *at;

    if (t->err)
        return;
    t->err = fdt_property_placeholder(t->buf, name, (int)(n * sizeof(*at)), (void **)&at);
    for (size_t i = 0; !t->err && i < n; i++)
        at[i] = cpu_to_fdt32(v[i]);
}

static void add_rlimits(struct tree *t, const struct sandbox_rlimit *r, size_t n)
{
    fdt64_t v[32];

    for (size_t i = 0; i < n; i++) {
        v[2 * i] = cpu_to_fdt64(r[i].soft);
        v[2 * i + 1] = cpu_to_fdt64(r[i].hard);
    }
    bytes(t, BOOT_RLIMITS, v, n * 2 * sizeof(v[0]));
}

static void add_caps(struct tree *t, const struct sandbox_caps *c)
{
    const u64 sets[] = {c->bounding, c->effective, c->inheritable, c->permitted, c->ambient};
    fdt64_t v[5];

    for (size_t i = 0; i < 5; i++)
        v[i] = cpu_to_fdt64(sets[i]);
    bytes(t, BOOT_CAPS, v, sizeof(v));
}

static void add_process(struct tree *t, const struct sandbox_process *p, const u32 stdio[3])
{
    text_list(t, BOOT_ARGV, p->argv);
    text_list(t, BOOT_ENVP, p->envp);
    text(t, BOOT_CWD, p->cwd);
    number32(t, BOOT_UID, p->uid);
    number32(t, BOOT_GID, p->gid);
    add_u32s(t, BOOT_GROUPS, p->groups, p->ngroups);
    add_caps(t, &p->caps);
    flag(t, BOOT_NO_NEW_PRIVS, p->no_new_privs);
    number32(t, BOOT_UMASK, p->umask);
    number32(t, BOOT_OOM_SCORE_ADJ, (u32)p->oom_score_adj);
    add_rlimits(t, p->rlimits, sizeof(p->rlimits) / sizeof(p->rlimits[0]));
    flag(t, BOOT_CONSOLE, p->console);
    add_u32s(t, BOOT_STDIO, stdio, 3);
}

static void add_device(struct tree *t, size_t n, const struct sandbox_device *d)
{
    const u32 node[3] = {d->mode, d->major, d->minor}, owner[2] = {d->uid, d->gid};
    char name[32];

    snprintf(name, sizeof(name), "device@%zu", n);
    begin(t, name);
    text(t, BOOT_DEVICE_PATH, d->path);
    add_u32s(t, BOOT_DEVICE_NODE, node, 3);
    add_u32s(t, BOOT_DEVICE_OWNER, owner, 2);
    end(t);
}

static void add_chosen(struct tree *t, const struct sandbox_config *cfg, const u32 *stdio)
{
    begin(t, "chosen");
    add_process(t, &cfg->process, stdio);
    text(t, BOOT_CONTAINER_ID, cfg->id);
    text(t, BOOT_HOSTNAME, cfg->hostname);
    text(t, BOOT_DOMAINNAME, cfg->domainname);
    text(t, BOOT_RELEASE, cfg->release);
    text(t, BOOT_VERSION, cfg->version);
    flag(t, BOOT_STRACE, cfg->strace);
    text(t, BOOT_CRASH, cfg->crash);
    number32(t, BOOT_DEBUG, (u32)cfg->debug);
    number32(t, BOOT_NETWORK,
             cfg->network == NETWORK_HOST ? BOOT_NETWORK_HOST : BOOT_NETWORK_LOOPBACK);
    flag(t, BOOT_START, cfg->start);
    if (cfg->pids_limit > 0)
        number64(t, BOOT_PIDS_LIMIT, (u64)cfg->pids_limit);
    text_list(t, BOOT_SYSCTL, cfg->sysctl);
    text_list(t, BOOT_MASKED, cfg->masked_paths);
    text_list(t, BOOT_READONLY, cfg->readonly_paths);
    for (size_t i = 0; i < cfg->nmounts; i++)
        add_mount(t, i, &cfg->mounts[i]);
    for (size_t i = 0; i < cfg->ndevices; i++)
        add_device(t, i, &cfg->devices[i]);
    end(t);
}

size_t fdt_process_bound(const struct sandbox_process *p)
{
    return 2048 + list_size(p->argv) + list_size(p->envp) + 4 * p->ngroups +
           (p->cwd ? strlen(p->cwd) + 1 : 0);
}

size_t fdt_size_bound(const struct sandbox_config *cfg)
{
    size_t n = 8192 + fdt_process_bound(&cfg->process);
    const char *const texts[] = {cfg->id, cfg->hostname, cfg->domainname, cfg->release,
                                 cfg->version};
    const char *const *const lists[] = {cfg->sysctl, cfg->masked_paths, cfg->readonly_paths};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        n += texts[i] ? strlen(texts[i]) + 1 : 0;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        n += list_size(lists[i]);
    for (size_t i = 0; i < cfg->nmounts; i++)
        n += 256 + strlen(cfg->mounts[i].destination) + list_size(cfg->mounts[i].options);
    for (size_t i = 0; i < cfg->ndevices; i++)
        n += 128 + strlen(cfg->devices[i].path);
    return n;
}

static int start_tree(struct tree *t, size_t size)
{
    if (size > INT_MAX)
        return -E2BIG;
    t->err = fdt_create(t->buf, (int)size);
    if (!t->err)
        t->err = fdt_finish_reservemap(t->buf);
    begin(t, "");
    return 0;
}

static int finish_tree(struct tree *t)
{
    end(t);
    if (!t->err)
        t->err = fdt_finish(t->buf);
    if (!t->err)
        return 0;
    return t->err == -FDT_ERR_NOSPACE ? -E2BIG : -EINVAL;
}

int fdt_build_process(const struct sandbox_process *p, const u32 stdio[3], void *buf, size_t size)
{
    struct tree t = {.buf = buf};
    int r = start_tree(&t, size);

    if (r)
        return r;
    begin(&t, "chosen");
    add_process(&t, p, stdio);
    end(&t);
    r = finish_tree(&t);
    return r ? r : (int)fdt_totalsize(buf);
}

int fdt_build(const struct sandbox_config *cfg, const struct fdt_machine *m, void *buf, size_t size)
{
    struct tree t = {.buf = buf};
    int r = start_tree(&t, size);

    if (r)
        return r;
    begin(&t, "memory");
    add_reg(&t, RAM_GPA, m->ram_size);
    number64(&t, "plugged", memory_plugged() - RAM_GPA);
    end(&t);
    begin(&t, "cpus");
    number32(&t, "count", m->cpus);
    end(&t);
    begin(&t, "clock");
    number64(&t, "tsc-khz", m->tsc_khz);
    end(&t);
    add_address(&t, "ring", m->ring_gpa);
    add_address(&t, "hostcall", m->hostcall_gpa);
    add_chosen(&t, cfg, m->stdio);
    return finish_tree(&t);
}
