/* SPDX-License-Identifier: Apache-2.0
 *
 * The host stub as the machines see it.
 */
#pragma once

#include <stdbool.h>

#include "vmm/abi/hostcall.h"

/*
 * Serve one request. hc is the caller's private copy: the guest cannot write to it. Fills hc->ret
 * and hc->out. Any thread; blocks for calls whose may_block is 1. EXIT and PANIC do not return.
 */
void hostcall_dispatch(struct hostcall *hc);

/* Whether nr is a call that may wait (and so belongs on the ring). */
bool hostcall_may_block(u32 nr);

/* Calls served so far, by name, as text: cut at size. */
void hostcall_counters(char *buf, size_t size);

/* Who ends the process and who starts CPUs; NULL functions make the calls fail with -ENOSYS. */
struct hostcall_ops {
    void (*exit)(int status); /* does not return */
    int (*cpu_start)(unsigned cpu);
    /* Name of a guest text address for back traces; "" when unknown. May be NULL. */
    const char *(*symbol)(u64 addr, u64 *offset);
    /* Lines of counters, for HC_COUNTERS. */
    void (*counters)(char *buf, size_t size);
};
extern struct hostcall_ops hostcall_ops;

/*
 * Set up the family modules before the first call, with the launcher's connection and the listening
 * socket of the control channel (-1: none), which are owned from now on. 0 or -errno.
 */
int hostcall_init(int launcher_fd, int control_listen_fd);
/* Take ownership of the gofer connections. 0 or -errno. */
int hostcall_set_gofers(const int *fds, size_t n);

/* Post an event for HC_EVENT_WAIT; async-signal-safe. False when the queue is full. */
bool event_post(u32 kind, u64 a, u64 b);
