/* SPDX-License-Identifier: Apache-2.0
 *
 * Debug log of the sandbox process: one write(2) per line, so that threads do not interleave.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_WARN = 0, LOG_INFO = 1, LOG_DEBUG = 2 };

/* Where log lines go from now on (-1: nowhere, warnings to stderr) and how many of them. */
void log_init(int fd, int level);

bool log_enabled(int level);

/* One line, "vmm: " in front; no newline in fmt. */
void log_line(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Text from the guest: control characters are replaced, so that it cannot drive a terminal. */
void log_text(int level, const char *text, size_t len);

/* Report on the log and on stderr, end the process with `status`. */
_Noreturn void log_die(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
