// SPDX-License-Identifier: Apache-2.0
/*
 * Flags from a file: /etc/runsc/runsc.toml or --config FILE, in the small part of TOML that such a
 * file needs (tables, strings, booleans, integers, arrays of these) or in JSON. Keys are the names
 * of the flags, with "_" or "-". What the command line says comes later and wins.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "oci/oci.h"

#define CONFIG_DEFAULT "/etc/runsc/runsc.toml"
#define CONFIG_MAX     (256 << 10)
#define CONFIG_DEPTH   16

/* A file being read. Values that become flags live as long as the process does. */
struct reader {
    const char *path;
    int line;    /* of TOML; 0: no lines */
    bool ignore; /* in a table that is not ours */
};

/* The shim's own settings, which share a file with [runsc_config]. */
static const char *const shim_keys[] = {
    "shim-cgroup", "io-uid",   "io-gid",   "binary-name",
    "log-level",   "log-path", "grouping", "enable-hibernate-server",
    NULL};

static int bad(const struct reader *r, const char *fmt, ...)
{
    char msg[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    if (r->line)
        fail("%s:%d: %s", r->path, r->line, msg);
    else
        fail("%s: %s", r->path, msg);
    return -1;
}

/* One setting; key and value are copied where they have to stay. */
static int apply(struct reader *r, const char *key, const char *value)
{
    char name[128], where[512], *copy, *slash;
    size_t n = strlen(key);

    if (n >= sizeof(name))
        return bad(r, "a key of %zu letters", n);
    for (size_t i = 0; i <= n; i++)
        name[i] = key[i] == '_' ? '-' : key[i];
    for (const char *const *k = shim_keys; *k; k++)
        if (!strcmp(*k, name))
            return 0;
    if (!strcmp(name, "config") || !strcmp(name, "version"))
        return bad(r, "%s cannot be set in a file", key);
    snprintf(where, sizeof(where), r->line ? "%s:%d: key " : "%s: key ", r->path, r->line);
    copy = strdup(value);
    if (!strcmp(name, "log-dir")) { /* the guides' name for a directory of debug logs */
        strcpy(name, "debug-log");
        free(copy);
        slash = *value && value[strlen(value) - 1] != '/' ? "/" : "";
        if (asprintf(&copy, "%s%s", value, slash) < 0)
            copy = NULL;
    }
    if (!strcmp(name, "platform-device-path"))
        strcpy(name, "platform_device_path");
    if (!copy)
        return bad(r, "out of memory");
    return flags_set(global_options, where, name, strlen(name), copy);
}

/* ---- TOML ---- */

static const char *skip(const char *s)
{
    while (*s == ' ' || *s == '\t')
        s++;
    return s;
}

static bool at_end(const char *s)
{
    s = skip(s);
    return !*s || *s == '#';
}

static const char *toml_key(struct reader *r, const char *s, char *out, size_t size)
{
    char quote = *s == '"' || *s == '\'' ? *s++ : 0;
    size_t n = 0;

    while (*s && (quote ? *s != quote : isalnum((unsigned char)*s) || strchr("_-.", *s))) {
        if (n + 1 >= size)
            return bad(r, "a key that is too long"), NULL;
        out[n++] = *s++;
    }
    out[n] = 0;
    if (quote && *s++ != quote)
        return bad(r, "a quote is not closed"), NULL;
    if (!n)
        return bad(r, "a key is expected"), NULL;
    return s;
}

static const char *toml_string(struct reader *r, const char *s, char *out, size_t size)
{
    static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
    char quote = *s++;
    size_t n = 0;

    while (*s && *s != quote) {
        char c = *s++;
        const char *e;

        if (quote == '"' && c == '\\') {
            e = *s ? strchr(from, *s) : NULL;
            if (!e)
                return bad(r, "an escape that is not known here: \\%c", *s ? *s : ' '), NULL;
            c = to[e - from];
            s++;
        }
        if (n + 1 >= size)
            return bad(r, "a string that is too long"), NULL;
        out[n++] = c;
    }
    out[n] = 0;
    if (*s != quote)
        return bad(r, "a string is not closed"), NULL;
    return s + 1;
}

/* A string, boolean or integer as text. */
static const char *toml_scalar(struct reader *r, const char *s, char *out, size_t size)
{
    size_t n = strcspn(s, ",] \t#");

    if (*s == '"' || *s == '\'')
        return toml_string(r, s, out, size);
    if (!n || n >= size)
        return bad(r, "a value is expected"), NULL;
    memcpy(out, s, n);
    out[n] = 0;
    if (strcmp(out, "true") && strcmp(out, "false") &&
        strspn(out + (*out == '-' || *out == '+'), "0123456789_") !=
            strlen(out) - (*out == '-' || *out == '+'))
        return bad(r, "%s is no string (in quotes), boolean or integer", out), NULL;
    return s + n;
}

static int toml_value(struct reader *r, const char *key, const char *s)
{
    char value[4096];
    bool array = *s == '[';

    if (array)
        s = skip(s + 1);
    while (!array || *s != ']') {
        s = toml_scalar(r, s, value, sizeof(value));
        if (!s)
            return -1;
        if (!r->ignore && apply(r, key, value))
            return -1;
        s = skip(s);
        if (!array)
            break;
        if (*s == ',')
            s = skip(s + 1);
        else if (*s != ']')
            return bad(r, "an array goes on with , or ends with ] on the same line");
    }
    return at_end(array ? s + 1 : s) ? 0 : bad(r, "more than one value");
}

static int toml_line(struct reader *r, const char *s)
{
    char key[256];

    s = skip(s);
    if (at_end(s))
        return 0;
    if (*s == '[') {
        s = toml_key(r, skip(s + 1), key, sizeof(key));
        if (!s)
            return -1;
        s = skip(s);
        if (*s != ']' || !at_end(s + 1))
            return bad(r, "a table ends with ]");
        r->ignore =
            strcmp(key, "runsc_config") && strcmp(key, "runsc-config") && strcmp(key, "runsc");
        return r->ignore ? bad(r, "unknown table [%s]; [runsc_config] is known", key) : 0;
    }
    s = toml_key(r, s, key, sizeof(key));
    if (!s)
        return -1;
    s = skip(s);
    if (*s != '=')
        return bad(r, "= is expected after %s", key);
    return toml_value(r, key, skip(s + 1));
}

static int read_toml(struct reader *r, char *text)
{
    char *line, *next = text;

    while ((line = strsep(&next, "\n"))) {
        size_t n = strlen(line);

        r->line++;
        if (n && line[n - 1] == '\r')
            line[n - 1] = 0;
        if (toml_line(r, line))
            return -1;
    }
    return 0;
}

/* ---- JSON ---- */

static int json_object_of_flags(struct reader *r, struct json_object *o)
{
    json_object_object_foreach(o, key, v)
    {
        enum json_type type = json_object_get_type(v);

        if (type == json_type_object && (!strcmp(key, "runsc_config") || !strcmp(key, "runsc"))) {
            if (json_object_of_flags(r, v))
                return -1;
        } else if (type == json_type_string || type == json_type_boolean || type == json_type_int) {
            if (apply(r, key, json_object_get_string(v)))
                return -1;
        } else {
            return bad(r, "key %s: a value must be a string, boolean or integer", key);
        }
    }
    return 0;
}

static int read_json(struct reader *r, const char *text, size_t size)
{
    struct json_tokener *tok = json_tokener_new_ex(CONFIG_DEPTH);
    struct json_object *doc = tok ? json_tokener_parse_ex(tok, text, (int)size) : NULL;
    int err;

    if (!doc || !json_object_is_type(doc, json_type_object))
        err = bad(r, "%s",
                  tok && !doc ? json_tokener_error_desc(json_tokener_get_error(tok))
                              : "not a JSON object");
    else
        err = json_object_of_flags(r, doc);
    json_object_put(doc);
    if (tok)
        json_tokener_free(tok);
    return err;
}

int config_read(const char *path)
{
    struct reader r = {.path = path ? path : CONFIG_DEFAULT};
    autoclose int fd = open(r.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    autofree char *text = NULL;
    ssize_t n;

    if (fd < 0)
        return !path && (errno == ENOENT || errno == EACCES || errno == ENOTDIR)
                   ? 0
                   : bad(&r, "%s", strerror(errno));
    text = malloc(CONFIG_MAX + 2);
    n = text ? read(fd, text, CONFIG_MAX + 1) : -1;
    if (n < 0)
        return bad(&r, "%s", strerror(errno));
    if (n > CONFIG_MAX)
        return bad(&r, "larger than %d bytes", CONFIG_MAX);
    text[n] = 0;
    if (memchr(text, 0, (size_t)n))
        return bad(&r, "not a text file");
    return text[strspn(text, " \t\r\n")] == '{' ? read_json(&r, text, (size_t)n)
                                                : read_toml(&r, text);
}
