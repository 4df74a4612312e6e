/* SPDX-License-Identifier: Apache-2.0
 *
 * Host side of the submission and completion rings: worker threads.
 */
#pragma once

#include <stdbool.h>

#include "vmm/abi/ring.h"

/*
 * Serve `ring` (in guest memory) with worker threads, made as they are needed. doorbell and
 * completion are eventfds (vmm/kvm.h); spin: the host has a CPU to spare for that. 0 or -errno.
 * Once, after confinement.
 */
int ring_start(struct ring *ring, int doorbell, int completion, bool spin);

/* Doorbells, submissions, workers, as text. */
void ring_counters(char *buf, size_t size);
