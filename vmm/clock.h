/* SPDX-License-Identifier: Apache-2.0
 *
 * Frequency of the time stamp counter.
 */
#pragma once

#include "vmm/abi/types.h"

/*
 * Note the time, for a measurement that may become necessary. The earlier the better: the value is
 * inherited over fork, and clock_tsc_khz() then need not wait. Only the first call counts.
 */
void clock_start(void);

/*
 * kHz of this host's TSC, from CPUID, from perf_event, or measured since clock_start() (waiting
 * until MEASURE_NS have passed). Never 0.
 */
u64 clock_tsc_khz(void);
