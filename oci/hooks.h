/* SPDX-License-Identifier: Apache-2.0
 *
 * Hooks of config.json: programs of the host that run at points of a container's life.
 */
#pragma once

#include "oci/state.h"

/*
 * Run the hooks of one kind ("prestart", "createRuntime", ...) in order, the state of the container
 * on their standard input. in_container: in the network, ipc and uts namespaces of the sandbox.
 * Stops at the first that fails: STATUS_FAILED after a message. No hooks: 0.
 */
int hooks_run(const struct state *s, enum status st, const char *kind, bool in_container);

/* The same, but what fails is only logged and the rest runs (poststart, poststop). */
void hooks_run_all(const struct state *s, enum status st, const char *kind);

/*
 * The startContainer hooks: in the container, with what its first process may do. 0, or
 * STATUS_FAILED after a message.
 */
int hooks_run_inside(const struct state *s);

/* ---- for those that run some other way ---- */

/* The hooks of a kind, NULL: none; borrowed. */
struct json_object *hooks_list(const struct state *s, const char *kind);
/* A file with the state, to be read from. Descriptor or -errno. */
int hooks_input(const struct state *s, enum status st);

/* Check the form of `hooks`; 0, or STATUS_FAILED after a message that names the field. */
int hooks_check(struct json_object *hooks);
