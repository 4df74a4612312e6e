/* SPDX-License-Identifier: Apache-2.0
 *
 * Mount options: "key=value,key,..." as mount(2) and config.json have them.
 */
#pragma once

#include "vmm/abi/types.h"
#include <stdbool.h>

/* Call fn for each option (value "" when it has none); stops at the first error and returns it. */
int options_parse(const char *s, int (*fn)(const char *key, const char *value, void *arg),
                  void *arg);
/* Unsigned number in base 8 or 10, whole string. */
bool option_number(const char *s, unsigned base, u64 *out);
/* MS_* bits of the generic options ("ro", "nosuid", ...) in the comma list s are set or cleared in
 * *flags; the others go to rest (at least as large as s). */
void options_generic(const char *s, u32 *flags, char *rest);
