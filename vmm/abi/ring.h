/* SPDX-License-Identifier: Apache-2.0
 *
 * Submission and completion rings between the ring 0 Sentry and the stub's worker threads.
 * One pair per sandbox, in guest RAM at the address that the device tree names. The producer's and
 * the consumer's index of each ring lie on cache lines of their own. Each side keeps a private copy
 * of the index it owns; what the other side wrote is only a hint that is range-checked.
 */
#pragma once

#include "vmm/abi/hostcall.h"

#define RING_ENTRIES 256 /* power of two */

/* Submission entry: a request and the guest's name for it. */
struct ring_sqe {
    u64 cookie;
    u32 nr;
    u32 pad;
    u64 arg[HOSTCALL_NARGS];
};

/* Completion entry. */
struct ring_cqe {
    u64 cookie;
    s64 ret;
    u64 out[2];
};

struct ring {
    _Alignas(64) u32 sq_tail; /* guest writes: next free submission slot */
    _Alignas(64) u32 sq_head; /* host writes: next entry it takes */
    u32 sq_need_kick;         /* host writes: 1 = asleep, ring the doorbell */
    _Alignas(64) u32 cq_tail; /* host writes: next free completion slot */
    _Alignas(64) u32 cq_head; /* guest writes: next entry it takes */
    u32 cq_pollers;           /* guest writes: CPUs that look at the ring; 0 = interrupt wanted */
    _Alignas(64) struct ring_sqe sq[RING_ENTRIES];
    struct ring_cqe cq[RING_ENTRIES];
};
