/* SPDX-License-Identifier: Apache-2.0
 *
 * Frequency of the time stamp counter.
 */
#pragma once

#include "vmm/abi/types.h"

/* kHz of this host's TSC, from CPUID, perf_event, or by measuring for 10 ms. Never 0. */
u64 clock_tsc_khz(void);
