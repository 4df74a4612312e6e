// SPDX-License-Identifier: Apache-2.0
//
// The way into the host stub: one table made from HOSTCALL_TABLE, one counter a call.

#include "vmm/hostcall/stub.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/abi/bootinfo.h"
#include "vmm/hostcall/event.h"
#include "vmm/log.h"

struct hostcall_ops hostcall_ops;

static s64 (*const handlers[HC_COUNT])(struct hostcall *) = {
#define X(n, name, b, a, d) [n] = hc_##name,
    HOSTCALL_TABLE(X)
#undef X
};

static const char *const names[HC_COUNT] = {
#define X(n, name, b, a, d) [n] = #name,
    HOSTCALL_TABLE(X)
#undef X
};

static const bool may_block[HC_COUNT] = {
#define X(n, name, b, a, d) [n] = (b),
    HOSTCALL_TABLE(X)
#undef X
};

static unsigned long counters[HC_COUNT]; /* atomic, relaxed */

int hostcall_init(int control_fd)
{
    return event_init(control_fd);
}

bool hostcall_may_block(u32 nr)
{
    return nr < HC_COUNT && may_block[nr];
}

void hostcall_dispatch(struct hostcall *hc)
{
    hc->out[0] = 0;
    hc->out[1] = 0;
    if (hc->nr >= HC_COUNT || !handlers[hc->nr]) {
        hc->ret = -ENOSYS;
        return;
    }
    __atomic_fetch_add(&counters[hc->nr], 1, __ATOMIC_RELAXED);
    hc->ret = handlers[hc->nr](hc);
}

void hostcall_log_counters(void)
{
    char line[900];
    size_t at = 0;

    line[0] = 0;
    for (unsigned i = 0; i < HC_COUNT; i++) {
        if (!counters[i] || at + 48 > sizeof(line))
            continue;
        at += (size_t)snprintf(line + at, sizeof(line) - at, " %s=%lu", names[i], counters[i]);
    }
    log_line(LOG_INFO, "hostcalls:%s", line);
}

int stub_copy_out(u64 pa, const void *src, size_t n)
{
    void *dst = memory_translate(GPA(pa), n);

    if (!dst)
        return -EFAULT;
    memcpy(dst, src, n);
    return 0;
}

s64 hc_VERSION(struct hostcall *hc)
{
    hc->out[0] = 0; /* no optional feature yet */
    return HOSTCALL_VERSION;
}

s64 hc_CPU_START(struct hostcall *hc)
{
    if (!hostcall_ops.cpu_start)
        return -ENOSYS;
    if (hc->arg[0] == 0 || hc->arg[0] >= MAX_CPUS)
        return -EINVAL;
    return hostcall_ops.cpu_start((unsigned)hc->arg[0]);
}
