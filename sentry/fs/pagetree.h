/* SPDX-License-Identifier: Apache-2.0
 *
 * Pages of RAM by index: the contents of a file that lives in memory. What is not there is a hole;
 * what a hole means is the owner's business.
 */
#pragma once

#include "sentry/lib/radix.h"
#include "sentry/mm/mm.h"

/* Embedded in its owner; zeroed is empty. lock guards all of it; nothing sleeps under it. */
struct pagetree {
    struct spinlock lock;
    struct radix tree; /* of struct page, each with a reference */
    u64 count;
};

/* The page at index with a reference, or NULL. */
struct page *pagetree_get(struct pagetree *t, u64 index);
/*
 * Put p at index; the tree takes a reference of its own. 0, -EEXIST (there is one already),
 * -ENOMEM.
 */
int pagetree_insert(struct pagetree *t, u64 index, struct page *p);
/* Index of the first page at or after `index`; U64_MAX: none. */
u64 pagetree_next(struct pagetree *t, u64 index);
/* Drop the pages [first, last]. */
void pagetree_remove(struct pagetree *t, u64 first, u64 last);
