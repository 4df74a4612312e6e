// SPDX-License-Identifier: Apache-2.0
/*
 * Members of a JSON document by type, and the document itself. Nothing of it is trusted: sizes and
 * depth are bounded, strings with NUL inside are refused.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "oci/spec.h"

#define DOCUMENT_MAX   (4 << 20)
#define DOCUMENT_DEPTH 64

int spec_bad(bool *bad, const char *where, const char *name, const char *fmt, ...)
{
    char msg[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    if (!*bad) /* the first one is enough */
        fail("config.json: %s%s%s %s", where, *where && *name ? "." : "", name, msg);
    *bad = true;
    return STATUS_FAILED;
}

bool spec_has(json_object *o, const char *name)
{
    json_object *v;

    return o && json_object_object_get_ex(o, name, &v) && v;
}

json_object *spec_get(json_object *o, const char *where, const char *name, enum json_type type,
                      bool *bad)
{
    json_object *v;

    if (!o || !json_object_object_get_ex(o, name, &v) || !v)
        return NULL;
    if (json_object_is_type(v, type))
        return v;
    spec_bad(bad, where, name, "must be a%s %s",
             type == json_type_object || type == json_type_int || type == json_type_array ? "n"
                                                                                          : "",
             type == json_type_int ? "integer" : json_type_to_name(type));
    return NULL;
}

const char *spec_text(json_object *o, const char *where, const char *name, bool *bad)
{
    json_object *v = spec_get(o, where, name, json_type_string, bad);
    const char *s = v ? json_object_get_string(v) : NULL;

    if (s && strlen(s) != (size_t)json_object_get_string_len(v)) {
        spec_bad(bad, where, name, "must not have a NUL inside");
        return NULL;
    }
    return s;
}

bool spec_flag(json_object *o, const char *where, const char *name, bool *bad)
{
    json_object *v = spec_get(o, where, name, json_type_boolean, bad);

    return v && json_object_get_boolean(v);
}

int64_t spec_number(json_object *o, const char *where, const char *name, int64_t min, int64_t max,
                    int64_t def, bool *bad)
{
    json_object *v = spec_get(o, where, name, json_type_int, bad);
    int64_t n = v ? json_object_get_int64(v) : def;

    if (v && (n < min || n > max)) {
        spec_bad(bad, where, name, "is out of range: %s", json_object_get_string(v));
        return def;
    }
    return n;
}

void *spec_keep(struct bundle *b, void *p)
{
    void **more = p ? realloc(b->kept, (b->nkept + 1) * sizeof(*more)) : NULL;

    if (!more) {
        free(p);
        return NULL;
    }
    b->kept = more;
    b->kept[b->nkept++] = p;
    return p;
}

const char **spec_strings(struct bundle *b, json_object *o, const char *where, const char *name,
                          bool *bad)
{
    json_object *a = spec_get(o, where, name, json_type_array, bad);
    size_t n = a ? json_object_array_length(a) : 0;
    const char **v = a ? spec_keep(b, calloc(n + 1, sizeof(*v))) : NULL;

    if (a && !v)
        spec_bad(bad, where, name, "is too long");
    for (size_t i = 0; v && i < n; i++) {
        json_object *s = json_object_array_get_idx(a, i);

        if (!json_object_is_type(s, json_type_string) ||
            strlen(json_object_get_string(s)) != (size_t)json_object_get_string_len(s)) {
            spec_bad(bad, where, name, "must hold strings without NUL; element %zu is none", i);
            return NULL;
        }
        v[i] = json_object_get_string(s);
    }
    return v;
}

json_object *spec_read(const char *path)
{
    bool input = !strcmp(path, "-");
    struct json_tokener *tok = json_tokener_new_ex(DOCUMENT_DEPTH);
    autofree char *buf = malloc(DOCUMENT_MAX + 1);
    FILE *f = input ? stdin : fopen(path, "re");
    json_object *doc = NULL;
    size_t n;

    if (!tok || !buf || !f) {
        fail("cannot open %s: %s", path, strerror(f ? ENOMEM : errno));
        goto out;
    }
    n = fread(buf, 1, DOCUMENT_MAX + 1, f);
    if (ferror(f)) {
        fail("cannot read %s: %s", path, strerror(errno));
        goto out;
    }
    if (n > DOCUMENT_MAX) {
        fail("%s: larger than %d bytes", path, DOCUMENT_MAX);
        goto out;
    }
    doc = json_tokener_parse_ex(tok, buf, (int)n);
    if (!doc || !json_object_is_type(doc, json_type_object)) {
        enum json_tokener_error err = json_tokener_get_error(tok);

        fail("%s: %s", path,
             err == json_tokener_success ? "not a JSON object" : json_tokener_error_desc(err));
        json_object_put(doc);
        doc = NULL;
    }
out:
    if (f && !input)
        fclose(f);
    if (tok)
        json_tokener_free(tok);
    return doc;
}
