/* SPDX-License-Identifier: Apache-2.0
 *
 * Readiness of host descriptors and everything else that HC_EVENT_WAIT reports.
 */
#pragma once

#include "vmm/hostcall/fd.h"

int event_init(void);

/* Where events come from besides the descriptors that the guest asked about. */
enum event_source { EVENT_GUEST, EVENT_POSTED, EVENT_TERMINAL, EVENT_LISTENER, EVENT_CONTROL };

/* Watch fd for input from now on, until event_unwatch(). 0 or -errno. */
int event_watch(int fd, enum event_source source, u32 index);
void event_unwatch(int fd);

/* SIGWINCH of this process becomes HOST_EVENT_WINSZ. While there is one thread. 0 or -errno. */
int event_watch_window_size(void);

/* Stop reporting f: its table entry is being dropped. */
void event_forget(struct hfile *f);
