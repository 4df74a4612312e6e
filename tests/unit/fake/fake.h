/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests can see and set of the fake machine. To be included before any header of the C
 * library: some types of the kernel's interface have the names of the library's, and are renamed
 * here.
 */
#pragma once

#define timeval     kernel_timeval
#define timespec    kernel_timespec
#define itimerval   kernel_itimerval
#define itimerspec  kernel_itimerspec
#define timezone    kernel_timezone
#define sigset_t    kernel_sigset_t
#define stack_t     kernel_stack_t
#define sigaction   kernel_sigaction
#define sigaltstack kernel_sigaltstack
#define siginfo_t   kernel_siginfo_t
#define sigval      kernel_sigval
#define sigval_t    kernel_sigval_t
#define sigevent_t  kernel_sigevent_t
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/fs/vfs.h"
#undef timeval
#undef timespec
#undef itimerval
#undef itimerspec
#undef timezone
#undef sigset_t
#undef stack_t
#undef sigaction
#undef sigaltstack
#undef siginfo_t
#undef sigval
#undef sigval_t
#undef sigevent_t

#define FAKE_RAM MIB(256)

/* Fresh RAM, page allocator, slabs, memory rooms; a current task with limits. */
void fake_start(u64 ram);
/* Drop the RAM. */
void fake_stop(void);

extern u64 fake_released; /* bytes given back by HC_MEM_RELEASE */
extern u64 fake_limits[RLIM_NLIMITS];
extern unsigned fake_kills;
