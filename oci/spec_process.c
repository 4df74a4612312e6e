// SPDX-License-Identifier: Apache-2.0
/*
 * The section `process` of config.json, which exec has as a document of its own too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include "oci/spec.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Capability names in the order of their numbers, capabilities(7). */
static const char *const cap_names[] = {
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
};

static const char *const rlimit_names[16] = {
    [RLIMIT_CPU] = "RLIMIT_CPU",           [RLIMIT_FSIZE] = "RLIMIT_FSIZE",
    [RLIMIT_DATA] = "RLIMIT_DATA",         [RLIMIT_STACK] = "RLIMIT_STACK",
    [RLIMIT_CORE] = "RLIMIT_CORE",         [RLIMIT_RSS] = "RLIMIT_RSS",
    [RLIMIT_NPROC] = "RLIMIT_NPROC",       [RLIMIT_NOFILE] = "RLIMIT_NOFILE",
    [RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",   [RLIMIT_AS] = "RLIMIT_AS",
    [RLIMIT_LOCKS] = "RLIMIT_LOCKS",       [RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
    [RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE", [RLIMIT_NICE] = "RLIMIT_NICE",
    [RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",     [RLIMIT_RTTIME] = "RLIMIT_RTTIME",
};

int spec_capability(const char *name)
{
    if (!strncasecmp(name, "CAP_", 4))
        name += 4;
    for (size_t i = 0; i < ARRAY_SIZE(cap_names); i++)
        if (!strcasecmp(name, cap_names[i]))
            return (int)i;
    return -1;
}

bool capability_name(unsigned n, char *out, size_t size)
{
    if (n >= ARRAY_SIZE(cap_names))
        return false;
    snprintf(out, size, "CAP_%s", cap_names[n]);
    return true;
}

int spec_rlimit(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(rlimit_names); i++)
        if (!strcmp(name, rlimit_names[i]))
            return (int)i;
    return -1;
}

/* A capability that we do not know is one that nothing here has: left out, as runc does. */
static uint64_t cap_set(struct bundle *b, json_object *caps, const char *name, bool *bad)
{
    const char **v = spec_strings(b, caps, "process.capabilities", name, bad);
    uint64_t set = 0;

    for (; v && *v; v++) {
        int c = spec_capability(*v);

        if (c >= 0)
            set |= 1ULL << c;
        else
            warn("process.capabilities.%s: unknown capability %s is left out", name, *v);
    }
    return set;
}

static void load_rlimits(json_object *process, struct sandbox_process *p, bool *bad)
{
    json_object *a = spec_get(process, "process", "rlimits", json_type_array, bad);
    unsigned seen = 0;

    for (size_t i = 0; a && i < json_object_array_length(a) && !*bad; i++) {
        json_object *r = json_object_array_get_idx(a, i), *soft, *hard;
        const char *type = json_object_is_type(r, json_type_object)
                               ? spec_text(r, "process.rlimits[]", "type", bad)
                               : NULL;
        int k = type ? spec_rlimit(type) : -1;
        uint64_t s, h;

        if (k < 0 || !json_object_object_get_ex(r, "soft", &soft) ||
            !json_object_object_get_ex(r, "hard", &hard) ||
            !json_object_is_type(soft, json_type_int) ||
            !json_object_is_type(hard, json_type_int)) {
            spec_bad(bad, "process", "rlimits",
                     "element %zu: unknown type %s, or soft or hard is missing", i,
                     type ? type : "(none)");
            return;
        }
        s = json_object_get_uint64(soft);
        h = json_object_get_uint64(hard);
        if (s > h || seen & 1u << k) {
            spec_bad(bad, "process", "rlimits", "%s: %s", type,
                     s > h ? "soft is above hard" : "given twice");
            return;
        }
        seen |= 1u << k;
        p->rlimits[k] = (struct sandbox_rlimit){s, h};
    }
}

static void load_user(struct bundle *b, json_object *process, struct sandbox_process *p, bool *bad)
{
    json_object *user = spec_get(process, "process", "user", json_type_object, bad), *groups;
    uint32_t *gids;
    size_t n;

    p->uid = (uint32_t)spec_number(user, "process.user", "uid", 0, UINT32_MAX - 1, 0, bad);
    p->gid = (uint32_t)spec_number(user, "process.user", "gid", 0, UINT32_MAX - 1, 0, bad);
    p->umask = (uint32_t)spec_number(user, "process.user", "umask", 0, 0777, 022, bad);
    groups = spec_get(user, "process.user", "additionalGids", json_type_array, bad);
    n = groups ? json_object_array_length(groups) : 0;
    gids = n ? spec_keep(b, calloc(n, sizeof(*gids))) : NULL;
    if (!gids)
        return;
    for (size_t i = 0; i < n; i++) {
        json_object *g = json_object_array_get_idx(groups, i);
        int64_t gid = json_object_get_int64(g);

        if (!json_object_is_type(g, json_type_int) || gid < 0 || gid >= UINT32_MAX) {
            spec_bad(bad, "process.user", "additionalGids", "element %zu is no group id", i);
            return;
        }
        gids[i] = (uint32_t)gid;
    }
    p->groups = gids;
    p->ngroups = n;
}

/* What a process may ask for that the Sentry has no such thing for. */
static void refuse(json_object *process, bool *bad)
{
    json_object *s = spec_get(process, "process", "scheduler", json_type_object, bad);
    const char *policy = spec_text(s, "process.scheduler", "policy", bad);
    const char *label = spec_text(process, "process", "selinuxLabel", bad);
    const char *profile = spec_text(process, "process", "apparmorProfile", bad);

    if (policy && strcmp(policy, "SCHED_OTHER"))
        spec_bad(bad, "process.scheduler", "policy", "%s is not supported; SCHED_OTHER is", policy);
    if (spec_has(process, "execCPUAffinity"))
        spec_bad(bad, "process", "execCPUAffinity", "is not supported");
    if (spec_get(process, "process", "ioPriority", json_type_object, bad))
        warn("process.ioPriority has no effect in the sandbox");
    /* both confine a process of the host; ours is confined by other means */
    if (label && *label)
        warn("process.selinuxLabel is ignored");
    if (profile && *profile && strcmp(profile, "unconfined"))
        warn("process.apparmorProfile is ignored");
}

static void load_terminal(struct bundle *b, json_object *process, bool *bad)
{
    json_object *size = spec_get(process, "process", "consoleSize", json_type_object, bad);

    b->terminal = spec_flag(process, "process", "terminal", bad);
    b->rows = (unsigned)spec_number(size, "process.consoleSize", "height", 0, 65535, 0, bad);
    b->columns = (unsigned)spec_number(size, "process.consoleSize", "width", 0, 65535, 0, bad);
}

int spec_process(struct bundle *b, json_object *process, struct sandbox_process *p)
{
    json_object *caps;
    bool bad = false;

    p->argv = (const char *const *)spec_strings(b, process, "process", "args", &bad);
    p->envp = (const char *const *)spec_strings(b, process, "process", "env", &bad);
    if (!bad && (!p->argv || !p->argv[0]))
        spec_bad(&bad, "process", "args", "is missing or empty");
    if (!p->envp)
        p->envp = spec_keep(b, calloc(1, sizeof(*p->envp)));
    p->cwd = spec_text(process, "process", "cwd", &bad);
    if (!bad && (!p->cwd || p->cwd[0] != '/'))
        spec_bad(&bad, "process", "cwd", "must be an absolute path");
    p->no_new_privs = spec_flag(process, "process", "noNewPrivileges", &bad);
    b->has_oom_score_adj = spec_has(process, "oomScoreAdj");
    p->oom_score_adj =
        (int32_t)spec_number(process, "process", "oomScoreAdj", -1000, 1000, 0, &bad);
    load_terminal(b, process, &bad);
    load_user(b, process, p, &bad);
    caps = spec_get(process, "process", "capabilities", json_type_object, &bad);
    p->caps = (struct sandbox_caps){
        .bounding = cap_set(b, caps, "bounding", &bad),
        .effective = cap_set(b, caps, "effective", &bad),
        .inheritable = cap_set(b, caps, "inheritable", &bad),
        .permitted = cap_set(b, caps, "permitted", &bad),
        .ambient = cap_set(b, caps, "ambient", &bad),
    };
    load_rlimits(process, p, &bad);
    refuse(process, &bad);
    return bad ? STATUS_FAILED : 0;
}
