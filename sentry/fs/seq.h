/* SPDX-License-Identifier: Apache-2.0
 *
 * A text that grows while it is written: contents of files that are made up when they are read.
 */
#pragma once

#include "sentry/lib/lib.h"

/* Zeroed is empty. Running out of memory is remembered in failed. */
struct seq {
    char *buf;
    size_t len, cap;
    bool failed;
};

void seq_printf(struct seq *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void seq_puts(struct seq *s, const char *text);
void seq_write(struct seq *s, const void *data, size_t n);
void seq_putc(struct seq *s, char c);
/* Text with the bytes in `special` and backslash as \ooo, as mount tables and maps have names. */
void seq_escaped(struct seq *s, const char *text, const char *special);
/* Spaces up to column `width` of the line that began at offset `start`. */
void seq_pad(struct seq *s, size_t start, size_t width);
void seq_free(struct seq *s);
