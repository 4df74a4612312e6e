/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets of the host's network namespace (--network=host), by the stub.
 */
#pragma once

#include "sentry/net/socket.h"

/* Are the container's sockets the host's? */
bool host_network(void);
/* Make s, whose family, type and protocol are set, a socket of the host. 0 or -errno. */
int host_socket_create(struct socket *s);
/* The ioctls on interfaces, asked of the host; -ENOTTY for other commands. */
s64 host_netdev_ioctl(struct socket *s, u32 cmd, u64 arg);
