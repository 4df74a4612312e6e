/* SPDX-License-Identifier: Apache-2.0
 *
 * Sparse array of pointers by a 64-bit index: pages of a file, entries of a directory, identifiers.
 * The caller provides the locking; radix_set allocates (never sleeps), so it may be called under a
 * spinlock.
 */
#pragma once

#include "vmm/abi/types.h"

/* Zeroed is empty. Owned by the object that embeds it. */
struct radix {
    void *root;
    u32 height; /* levels of nodes; 0: root is the item of index 0, or NULL */
};

void *radix_get(const struct radix *r, u64 index);
/* Store item (not NULL), replacing what is there. 0 or -ENOMEM. */
int radix_set(struct radix *r, u64 index, void *item);
/* Take out and return; NULL when there is none. */
void *radix_remove(struct radix *r, u64 index);
/* The first item at or after *index, which is set to its index; NULL at the end. */
void *radix_next(const struct radix *r, u64 *index);
