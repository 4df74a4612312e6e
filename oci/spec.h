/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the sections of config.json: runtime-spec 1.2, config.md and config-linux.md. Whatever is
 * wrong or not supported is refused with a message that names the field; the first one is enough.
 */
#pragma once

#include <json-c/json.h>
#include "oci/bundle.h"

/* ---- spec_json.c: members by type. `where` is the path of the object, "" for the document ---- */

/*
 * Member of the wanted type; NULL when absent or null. A member of another type is an error: a
 * message, and *bad becomes true.
 */
json_object *spec_get(json_object *o, const char *where, const char *name, enum json_type type,
                      bool *bad);
/* A string without NUL, borrowed from o; NULL when absent. */
const char *spec_text(json_object *o, const char *where, const char *name, bool *bad);
bool spec_flag(json_object *o, const char *where, const char *name, bool *bad);
/* An integer from min to max; def when absent. */
int64_t spec_number(json_object *o, const char *where, const char *name, int64_t min, int64_t max,
                    int64_t def, bool *bad);
bool spec_has(json_object *o, const char *name);
/* Array of strings as a NULL-terminated vector that lives in the bundle; NULL when absent. */
const char **spec_strings(struct bundle *b, json_object *o, const char *where, const char *name,
                          bool *bad);
/* "config.json: WHERE.NAME " + message; sets *bad. Returns STATUS_FAILED. */
int spec_bad(bool *bad, const char *where, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A document of at most 4 MiB and 64 levels; NULL after a message. path "-": standard input. */
json_object *spec_read(const char *path);
/* Memory that lives as long as the bundle; takes p over, NULL stays NULL. */
void *spec_keep(struct bundle *b, void *p);

/* ---- sections; each returns 0 or STATUS_FAILED ---- */

int spec_process(struct bundle *b, json_object *process, struct sandbox_process *out);
int spec_mounts(struct bundle *b, struct launch *l);
int spec_linux(struct bundle *b, struct launch *l);

/* Number of a capability by name ("CAP_CHOWN" or "chown"), or -1. */
int spec_capability(const char *name);
/* Number of an rlimit ("RLIMIT_NOFILE"), or -1. */
int spec_rlimit(const char *name);
