/* SPDX-License-Identifier: Apache-2.0
 *
 * Device tree for the Sentry, see vmm/abi/bootinfo.h.
 */
#pragma once

#include <stddef.h>

#include "vmm/abi/types.h"
#include "vmm/sandbox.h"

/* What the machine adds to the caller's configuration. */
struct fdt_machine {
    u64 ram_size;
    unsigned cpus;
    u64 tsc_khz;
    u64 ring_gpa, hostcall_gpa; /* 0: leave out (hosted) */
    u32 stdio[3];               /* indexes in the stub's table, ~0 = closed */
};

/* Bytes that the tree for cfg can need at most. */
size_t fdt_size_bound(const struct sandbox_config *cfg);

/* Write the tree to buf; 0 or -errno. */
int fdt_build(const struct sandbox_config *cfg, const struct fdt_machine *m, void *buf,
              size_t size);

/*
 * A process alone, as CONTROL_EXEC carries it: bytes written to buf, or -errno (-E2BIG: it does not
 * fit). stdio: for 0, 1, 2 the index among the message's descriptors, ~0 = closed.
 */
int fdt_build_process(const struct sandbox_process *p, const u32 stdio[3], void *buf, size_t size);
size_t fdt_process_bound(const struct sandbox_process *p);
