/* SPDX-License-Identifier: Apache-2.0
 *
 * Client of a sandbox's control socket. What comes from the sandbox is not trusted: lengths are
 * checked here, and text is made printable.
 */
#pragma once

#include <stddef.h>
#include "vmm/abi/control.h"

/* Listen on PATH (0600, replaced if there; may be longer than sun_path). Descriptor or -errno. */
int control_listen(const char *path);

/* Connect to it. Descriptor or -errno (-ECONNREFUSED, -ENOENT: no such sandbox any more). */
int control_connect(const char *path);

/*
 * Send one message with nfds descriptors (borrowed), at most CONTROL_FDS. 0 or -errno
 * (-EPIPE, -ECONNRESET: the sandbox is gone).
 */
int control_send(int sock, const struct control_message *m, const void *payload, const int *fds,
                 size_t nfds);

/*
 * Receive one message into *m and at most cap bytes of payload (NUL-terminated behind its end when
 * cap > m->length). Waits. 0; -ECONNRESET at the end of the connection; -EBADMSG for what is no
 * message.
 */
int control_receive(int sock, struct control_message *m, void *payload, size_t cap);

/*
 * A request without descriptors and its reply (messages for others that come between are dropped).
 * Returns the reply's m.a (0 or -errno of the Sentry), or -errno of the channel; *m is the reply.
 */
int control_request(int sock, struct control_message *m, const void *payload, void *reply,
                    size_t cap);

/* Replace the control characters in a text of the sandbox, but for newline and tab. */
void control_printable(char *text);
