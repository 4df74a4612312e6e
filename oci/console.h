/* SPDX-License-Identifier: Apache-2.0
 *
 * Pseudo-terminals that an engine asks for with --console-socket.
 */
#pragma once

/*
 * Make a terminal whose master goes to whoever listens on the socket. Its slave is in raw mode: the
 * line discipline is the Sentry's. The slave's descriptor, or STATUS_FAILED's negative after a
 * message.
 */
int console_make(const char *socket_path, unsigned rows, unsigned columns);
