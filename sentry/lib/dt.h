/* SPDX-License-Identifier: Apache-2.0
 *
 * Reader of flattened device trees (Devicetree Specification, chapter 5): what the VMM hands over
 * at boot, and processes that runsc sends later. Nothing in the blob is trusted: a malformed one
 * reads as if it ended where it is wrong.
 */
#pragma once

#include "sentry/lib/lib.h"

/* A blob; borrowed, and constant while it is read. */
struct dt {
    const u8 *structs;
    const char *strings;
    u32 nstructs, nstrings; /* bytes of each */
};

/* 0, or -EINVAL when the len bytes at blob are no device tree. */
int dt_open(struct dt *d, const void *blob, size_t len);

/* Nodes are named by a handle > 0; 0: there is none. */
u32 dt_root(const struct dt *d);
/* Child of that name ("memory"). */
u32 dt_child(const struct dt *d, u32 node, const char *name);
/* Children one after the other: the one behind `last`, or the first with last = 0. */
u32 dt_next_child(const struct dt *d, u32 node, u32 last);
const char *dt_name(const struct dt *d, u32 node);

/* Value of a property, NULL when the node has none of that name. It may be empty: *len = 0. */
const void *dt_prop(const struct dt *d, u32 node, const char *name, size_t *len);

/* Integer of 4 or 8 bytes; def when it is missing or no integer. */
u64 dt_int(const struct dt *d, u32 node, const char *name, u64 def);
bool dt_flag(const struct dt *d, u32 node, const char *name);
/* String, or list of strings of *len bytes (len may be NULL): ends in NUL. NULL when it is none. */
const char *dt_text(const struct dt *d, u32 node, const char *name, size_t *len);
/* Arrays; how many elements there were, at most max. */
size_t dt_u32s(const struct dt *d, u32 node, const char *name, u32 *out, size_t max);
size_t dt_u64s(const struct dt *d, u32 node, const char *name, u64 *out, size_t max);
