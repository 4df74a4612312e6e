/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections of the control channel, vmm/abi/control.h.
 */
#pragma once

/* Connections at a time, the launcher's (number 0) among them: each process of `runsc exec` holds
 * one. */
#define CONTROL_CONNECTIONS 256

/*
 * launcher: connection 0, or -1; listen_fd: listening socket, or -1. Both are owned from now on.
 * Other connections are taken only from the user who calls this. After event_init(). 0 or -errno.
 */
int control_init(int launcher, int listen_fd);

/* The listening socket is readable. */
void control_accept(void);

/*
 * The sandbox ends: tell every `runsc exec`, and wait until they have gone, at most ms. Engines
 * must see them end before the container, as they would in a pid namespace of the host.
 */
void control_farewell(int ms);
