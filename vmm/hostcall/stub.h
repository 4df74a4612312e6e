/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of the host stub. Every handler gets a private copy of the request, checks what it uses
 * and returns the result (negative errno on failure); it may fill out[].
 */
#pragma once

#include <sys/uio.h>

#include "vmm/abi/hostcall.h"
#include "vmm/hostcall/hostcall.h"
#include "vmm/memory.h"

#define HC_IO_MAX MIB(1)

#define X(n, name, b, a, d) s64 hc_##name(struct hostcall *hc);
HOSTCALL_TABLE(X)
#undef X

/* Copy n bytes to guest memory at pa: 0 or -EFAULT. */
int stub_copy_out(u64 pa, const void *src, size_t n);
