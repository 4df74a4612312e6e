/* SPDX-License-Identifier: Apache-2.0
 *
 * The stand-ins of fake_kernel.c for the rest of the Sentry.
 */
#pragma once

#include "sentry/kernel/kernel.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

#define CODE_VA  0x400000UL
#define STACK_VA 0x800000UL
#define DATA_VA  0x900000UL
#define LAZY_VA  0x10000000UL
#define LAZY_END 0x10400000UL

struct mm *fake_mm_new(void);
/* A fresh page at va; its kernel address. */
void *fake_map(struct mm *mm, uva_t va, u64 flags);
pte_t *fake_pte(struct mm *mm, uva_t va);
/* A task that runs fn(arg), not started. */
struct task *fake_task(const char *name, void (*fn)(void *), void *arg, struct mm *mm);
extern u32 tasks_freed;
