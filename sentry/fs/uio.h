/* SPDX-License-Identifier: Apache-2.0
 *
 * Cursor over the memory that a read or write moves bytes to or from: user iovecs or kernel memory.
 */
#pragma once

#include "sentry/machine/machine.h"

struct uio_vec {
    u64 base; /* uva_t, or kernel pointer */
    u64 len;
};

/* Lives on the caller's stack for one call. `left` is what remains. */
struct uio {
    const struct uio_vec *vec;
    u32 nvec;
    u32 cur; /* current segment */
    u64 off; /* offset in it */
    u64 left;
    bool kernel;
    bool nowait; /* RWF_NOWAIT / O_NONBLOCK decided by the caller */
    struct uio_vec one;
};

void uio_user(struct uio *u, uva_t base, u64 len);
void uio_kernel(struct uio *u, void *base, u64 len);
void uio_vecs(struct uio *u, const struct uio_vec *v, u32 n);
/*
 * Move n bytes (n <= left) and advance. Returns bytes moved; fewer than n only on a bad user
 * address (then the caller returns the bytes moved so far, or -EFAULT when there are none).
 */
u64 copy_to_uio(struct uio *u, const void *src, u64 n);
u64 copy_from_uio(void *dst, struct uio *u, u64 n);
u64 zero_uio(struct uio *u, u64 n);
