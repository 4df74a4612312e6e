/* SPDX-License-Identifier: Apache-2.0
 *
 * KVM's own counters of a CPU (binary statistics descriptor, Linux 5.14).
 */
#pragma once

#include "vmm/abi/types.h"

struct stats {
    u64 exits, halt_exits, irq_exits;
};

/* Descriptor of the counters of a CPU, -1 when the kernel has none. */
int stats_open(int vcpu_fd);

/* Add what the descriptor says now; -1 adds nothing. */
void stats_add(int fd, struct stats *st);
