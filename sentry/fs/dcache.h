/* SPDX-License-Identifier: Apache-2.0
 *
 * What dcache.c and dentry.c share and nobody else needs.
 */
#pragma once

#include "sentry/fs/internal.h"

/* Guards hash chains, lru, children lists, names, parents and the step of refs to and from zero. */
extern struct spinlock dcache_lock;

u32 dentry_hash(const struct dentry *dir, const char *name, size_t len);

static inline bool dentry_hashed(const struct dentry *d)
{
    return !list_empty(&d->hash_link);
}
