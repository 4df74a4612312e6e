/* SPDX-License-Identifier: Apache-2.0
 *
 * Virtual CPUs: one host thread each, which does nothing but KVM_RUN and synchronous hostcalls.
 */
#pragma once

#include "vmm/kvm.h"

/* Create `count` CPUs, ready to start at the image's entry. 0 or -errno. Before confinement. */
int vcpu_create_all(struct kvm *k, const struct image *img, unsigned count);

/* kHz of the guest's time stamp counter, 0 when KVM does not say. */
u64 vcpu_tsc_khz(void);

/* Run CPU 0 on the calling thread for ever. */
_Noreturn void vcpu_run_boot(void);

/* Start a further CPU on a thread of its own: 0, -EINVAL (no such CPU), -EBUSY (runs already). */
int vcpu_start(unsigned cpu);

/* Exits by reason, all CPUs, as text. */
void vcpu_exits(char *buf, size_t size);
