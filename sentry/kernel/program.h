/* SPDX-License-Identifier: Apache-2.0
 *
 * From the description of a process to the arguments of its first exec: working directory, search
 * in PATH, HOME.
 */
#pragma once

#include "sentry/kernel/kernel.h"
#include "sentry/kernel/task.h"

/*
 * Make current ready to run what info says: enters the working directory, finds the executable and
 * looks whether it may be run, as execvp(3) would at this moment. Fills *a for task_exec().
 * 0, or -errno with a reason in why, in the words of runc.
 */
int program_prepare(const struct process_info *info, struct exec_args *a, char *why, size_t size);
void program_free(struct exec_args *a);

/* Error as strerror(3) has it, in lower case. */
const char *error_text(int err);
