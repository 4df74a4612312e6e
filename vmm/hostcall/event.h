/* SPDX-License-Identifier: Apache-2.0
 *
 * Readiness of host descriptors and everything else that HC_EVENT_WAIT reports.
 */
#pragma once

#include "vmm/hostcall/fd.h"

int event_init(int control_fd);

/* Stop reporting f: its table entry is being dropped. */
void event_forget(struct hfile *f);
