// SPDX-License-Identifier: Apache-2.0
//
// Memory, randomness and clocks.

#include "vmm/hostcall/stub.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

s64 hc_MEM_RELEASE(struct hostcall *hc)
{
    return memory_release(GPA(hc->arg[0]), hc->arg[1]);
}

s64 hc_MEM_PLUG(struct hostcall *hc)
{
    s64 r = memory_plug(hc->arg[0]);

    hc->out[0] = memory_plugged();
    return r;
}

s64 hc_RANDOM(struct hostcall *hc)
{
    void *p = memory_translate(GPA(hc->arg[0]), hc->arg[1]);

    if (hc->arg[1] > 256)
        return -EINVAL;
    if (!p)
        return -EFAULT;
    return getrandom(p, hc->arg[1], 0) == (ssize_t)hc->arg[1] ? 0 : -EIO;
}

s64 hc_CLOCK(struct hostcall *hc)
{
    struct timespec mono, real;

    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &real);
    hc->out[0] = (u64)mono.tv_sec * 1000000000 + (u64)mono.tv_nsec;
    hc->out[1] = (u64)real.tv_sec * 1000000000 + (u64)real.tv_nsec;
    return 0;
}
