/* SPDX-License-Identifier: Apache-2.0
 *
 * Hash table of elements that embed their link; grows with them. The caller provides hash values
 * and locking; adding allocates but never sleeps.
 */
#pragma once

#include <stdbool.h>
#include "vmm/abi/types.h"

/* Zeroed: in no table. */
struct hash_link {
    struct hash_link *next, **at;
    u32 hash;
};

/* Zeroed is empty. Owned by the object that embeds it. */
struct hashtab {
    struct hash_link **buckets;
    u32 size, count; /* size: a power of two, or 0 */
};

/* 0, or -ENOMEM when there is no memory for the first few buckets. */
int hashtab_add(struct hashtab *t, struct hash_link *l, u32 hash);
/* No-op for a link that is in no table. */
void hashtab_del(struct hashtab *t, struct hash_link *l);
/* Free the buckets; the elements are the caller's. */
void hashtab_destroy(struct hashtab *t);

/* The first candidate; the caller follows ->next and compares hash and key. */
static inline struct hash_link *hashtab_first(const struct hashtab *t, u32 hash)
{
    return t->size ? t->buckets[hash & (t->size - 1)] : NULL;
}

static inline u32 hash_u64(u64 v)
{
    v *= 0x9e3779b97f4a7c15ULL;
    return (u32)(v >> 32);
}
