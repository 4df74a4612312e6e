/* SPDX-License-Identifier: Apache-2.0
 *
 * Set of pages that the stubs of an address space have mapped, as a hash of 2 MiB bitmaps. It
 * saves calls in the stub: pages that are there need not be filled, ranges where nothing is need
 * not be unmapped. Guarded by mspace.lock.
 */
#pragma once

#include "sentry/machine/machine.h"

void fillmap_set(struct fillmap *m, uva_t start, uva_t end);
/* Forget [start, end); whether anything (perhaps) was there. */
bool fillmap_clear(struct fillmap *m, uva_t start, uva_t end);
bool fillmap_any(const struct fillmap *m, uva_t start, uva_t end);
bool fillmap_test(const struct fillmap *m, uva_t page);
/* dst, which is empty, becomes a copy of src. */
void fillmap_copy(struct fillmap *dst, const struct fillmap *src);
void fillmap_free(struct fillmap *m);
