/* SPDX-License-Identifier: Apache-2.0
 *
 * --strace: one log line before a call (decoded arguments) and one after it (result).
 */
#pragma once

#include "sentry/kernel/task.h"

extern bool strace_enabled; /* of all tasks; from the boot information, then by runsc debug */
void strace_enter(const struct uregs *r);
void strace_exit(u64 nr, s64 ret);
const char *syscall_name(u64 nr); /* "syscall_N" style answer is the caller's; NULL when unknown */
