// SPDX-License-Identifier: Apache-2.0
//
// The way into the host stub: one table made from HOSTCALL_TABLE, one counter a call.

#include "vmm/hostcall/stub.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/abi/bootinfo.h"
#include "vmm/hostcall/control.h"
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

int hostcall_init(int launcher_fd, int control_listen_fd)
{
    int r = event_init();

    return r ? r : control_init(launcher_fd, control_listen_fd);
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

void hostcall_counters(char *buf, size_t size)
{
    size_t at = (size_t)snprintf(buf, size, "hostcalls:");

    for (unsigned i = 0; i < HC_COUNT; i++)
        if (counters[i] && at + 48 < size)
            at += (size_t)snprintf(buf + at, size - at, " %s=%lu", names[i], counters[i]);
}

s64 hc_COUNTERS(struct hostcall *hc)
{
    char text[4096] = "";
    size_t n;
    int r;

    if (!hostcall_ops.counters)
        return -ENOSYS;
    hostcall_ops.counters(text, sizeof(text));
    n = strlen(text) < hc->arg[1] ? strlen(text) : hc->arg[1];
    r = n ? stub_copy_out(hc->arg[0], text, n) : 0;
    return r ? r : (s64)n;
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
