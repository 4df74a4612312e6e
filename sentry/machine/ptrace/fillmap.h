/* SPDX-License-Identifier: Apache-2.0
 *
 * Set of pages that the stubs of an address space have mapped, as a hash of 2 MiB bitmaps. It
 * saves calls in the stub: pages that are there need not be filled, ranges where nothing is need
 * not be unmapped. Guarded by mspace.lock.
 */
#pragma once

#include "sentry/machine/machine.h"

#define FILL_WORDS 8

/* 2 MiB of address space, a bit a page. key is va / 2 MiB + 1; 0 = free slot. */
struct fill_chunk {
    u64 key;
    u64 bits[FILL_WORDS];     /* mapped */
    u64 writable[FILL_WORDS]; /* mapped with the right to write; a subset */
};

/* [start, end) is mapped from now on, writable or not. */
void fillmap_set(struct fillmap *m, uva_t start, uva_t end, bool writable);
/* Forget [start, end); whether anything (perhaps) was there. */
bool fillmap_clear(struct fillmap *m, uva_t start, uva_t end);
/* Whether a page is mapped (certainly), and writable if that is asked. */
bool fillmap_test(const struct fillmap *m, uva_t page, bool writable);
/* Call visit(arg, chunk, page address, bit) for each mapped page of [start, end); not if unknown.
 */
void fillmap_each(struct fillmap *m, uva_t start, uva_t end,
                  void (*visit)(void *arg, struct fill_chunk *c, uva_t page, unsigned bit),
                  void *arg);
/* dst, which is empty, becomes a copy of src. */
void fillmap_copy(struct fillmap *dst, const struct fillmap *src);
void fillmap_free(struct fillmap *m);
