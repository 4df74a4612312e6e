/* SPDX-License-Identifier: Apache-2.0
 *
 * The page that the Sentry and the vDSO share: clock parameters. The Sentry writes it, every
 * process has it mapped read-only in front of the vDSO's code.
 */
#pragma once

#include "vmm/abi/types.h"

#define VDSO_TSC     1u /* the clock can be computed from the TSC */
#define VDSO_TSC_AUX 2u /* RDTSCP gives the number of the CPU */

/*
 * Writers make seq odd, change the rest, make it even. Monotonic time in ns is
 * mono_base + ((tsc - tsc_base) * mult >> shift); real time is that plus real_offset, and the
 * Sentry wants to be asked again for it after monotonic time real_until.
 */
struct vdso_data {
    u32 seq, flags;
    u64 tsc_base, mono_base;
    u64 mult;
    u32 shift, coarse_res; /* ns */
    u64 real_offset, real_until;
};
