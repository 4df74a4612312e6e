/* SPDX-License-Identifier: Apache-2.0
 *
 * File window: host files mapped into the sandbox's physical address space, chunk by chunk.
 */
#pragma once

#include <stdbool.h>

#include "vmm/abi/layout.h"
#include "vmm/abi/types.h"

/*
 * Where the page at pa comes from, for stub processes that map it themselves: the descriptor
 * (borrowed; valid until the chunk is unmapped) and the offset. 0, -EFAULT when nothing is
 * mapped there (or the file was truncated).
 */
int window_backing(u64 pa, int *fd, u64 *offset, bool *writable);

/*
 * An access to the window failed (KVM_RUN: EFAULT). Finds the chunks whose file has become shorter
 * than what was mapped, puts zero pages there so that the machine goes on, and queues them for
 * HC_WINDOW_LOST and HOST_EVENT_WINDOW. Returns how many chunks are lost and not yet mapped anew:
 * 0 means that the fault has another cause.
 */
unsigned window_repair(void);

/*
 * Look for truncated files without knowing of one (vcpu.c: a CPU that makes no progress). Thorough: do
 * not trust what was there when it was mapped. Returns whether a chunk was lost now.
 */
bool window_check(bool thorough);

/* The same for the hosted build: install the SIGBUS handler. 0 or -errno. */
int window_catch_sigbus(void);
