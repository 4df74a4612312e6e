/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets of the host's network.
 */
#pragma once

/* Let the calls of socket.c work; before the guest runs. */
void hostcall_allow_network(void);
