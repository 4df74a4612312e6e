/* SPDX-License-Identifier: Apache-2.0
 *
 * Between space.c (what stubs have mapped, and who they are) and fill.c (mapping more).
 */
#pragma once

#include "sentry/machine/ptrace/internal.h"

static inline bool entry_ok(pte_t pte)
{
    return (pte & (PTE_P | PTE_U)) == (PTE_P | PTE_U);
}

/* All of these with the space's lock held; mt: current's, with a stub in the space. */

/* A system call in the stub; its result. */
long space_call(struct mthread *mt, long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
/* Drop everything. 0 or -errno. */
long space_unmap_all(struct mthread *mt, struct mspace *ms);
/* Unmap what is pending, except what lies in [from, to): that is about to be mapped over. */
long space_unmap_pending(struct mthread *mt, struct mspace *ms, uva_t from, uva_t to);
/* [start, end) has to be unmapped before a stub of the space runs again. */
void space_add_pending(struct mspace *ms, uva_t start, uva_t end);
/* space_fill() with the lock held. */
int space_fill_locked(struct mthread *mt, struct mspace *ms, uva_t addr);
