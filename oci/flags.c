// SPDX-License-Identifier: Apache-2.0
/*
 * Flags in the style of Go's flag package, which is what gVisor's users type: -name, --name,
 * -name=value, -name value; booleans bare or with =true/=false.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "oci/oci.h"

#define OPTIONS_MAX 256

static const struct option *find(const struct option *table, const char *name, size_t len)
{
    for (; table->name; table++)
        if (strlen(table->name) == len && !memcmp(table->name, name, len))
            return table;
    return NULL;
}

/* Letters in which two names differ, roughly: enough to find a typing error. */
static size_t distance(const char *a, const char *b, size_t blen)
{
    size_t alen = strlen(a), prefix = 0, suffix = 0;
    size_t shorter = alen < blen ? alen : blen, longer = alen < blen ? blen : alen;

    while (prefix < shorter && a[prefix] == b[prefix])
        prefix++;
    while (suffix < shorter - prefix && a[alen - 1 - suffix] == b[blen - 1 - suffix])
        suffix++;
    return longer - prefix - suffix;
}

const char *nearest_name(const char *const *names, const char *name, size_t len)
{
    const char *best = NULL;
    size_t best_d = 3;

    for (; *names; names++) {
        size_t d = distance(*names, name, len);
        if (d < best_d) {
            best_d = d;
            best = *names;
        }
    }
    return best;
}

static void unknown(const struct option *table, const char *where, const char *name, size_t len)
{
    const char *names[OPTIONS_MAX + 1], *near;
    size_t n = 0;

    for (; table[n].name && n < OPTIONS_MAX; n++)
        names[n] = table[n].name;
    names[n] = NULL;
    near = nearest_name(names, name, len);
    if (near)
        fail("unknown %s%.*s; did you mean %s?", where, (int)len, name, near);
    else
        fail("unknown %s%.*s; --help lists what there is", where, (int)len, name);
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"true", "t", "1", "TRUE", "True"};
    static const char *const no[] = {"false", "f", "0", "FALSE", "False"};

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (!strcmp(text, yes[i])) {
            *out = true;
            return true;
        }
        if (!strcmp(text, no[i])) {
            *out = false;
            return true;
        }
    }
    return false;
}

static bool allowed(const struct option *o, const char *value)
{
    if (!o->choices)
        return true;
    for (const char *const *c = o->choices; *c; c++)
        if (!strcmp(*c, value))
            return true;
    return false;
}

static int list_add(struct string_list *l, const char *value)
{
    const char **items = realloc(l->items, (l->n + 2) * sizeof(*items));

    if (!items)
        return -1;
    items[l->n++] = value;
    items[l->n] = NULL;
    l->items = items;
    return 0;
}

static int set(const struct option *o, const char *where, const char *value)
{
    unsigned long n;
    bool nothing;
    char *end;

    switch (o->type) {
    case OPTION_BOOL:
        if (parse_bool(value, o->value))
            return 0;
        break;
    case OPTION_STRING:
        if (!allowed(o, value))
            break;
        *(const char **)o->value = value;
        return 0;
    case OPTION_LIST:
        return list_add(o->value, value);
    case OPTION_NOTHING:
        return 0;
    case OPTION_NOTHING_BOOL:
        if (parse_bool(value, &nothing))
            return 0;
        break;
    case OPTION_UINT:
        errno = 0;
        n = strtoul(value, &end, 10);
        if (errno || *end || end == value || *value == '-' || n > UINT_MAX)
            break;
        *(unsigned *)o->value = (unsigned)n;
        return 0;
    }
    fail("invalid value \"%s\" for %s%s", value, where, o->name);
    return -1;
}

int flags_set(const struct option *table, const char *where, const char *name, size_t len,
              const char *value)
{
    const struct option *o = find(table, name, len);

    if (!o) {
        unknown(table, where, name, len);
        return -1;
    }
    return set(o, where, value);
}

static bool is_bool(const struct option *o)
{
    return o->type == OPTION_BOOL || o->type == OPTION_NOTHING_BOOL;
}

void flags_print(const struct option *table)
{
    for (; table->name; table++) {
        if (!table->help)
            continue;
        printf("  --%s%s\n        %s", table->name, is_bool(table) ? "" : " value", table->help);
        for (const char *const *c = table->choices; c && *c; c++)
            printf("%s%s", c == table->choices ? ": " : ", ", *c);
        printf("\n");
    }
}

int flags_parse(int argc, char **argv, const struct option *table, const char *usage)
{
    int i;

    for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        const char *name = argv[i] + (argv[i][1] == '-' ? 2 : 1);
        const char *value = strchr(name, '=');
        size_t len = value ? (size_t)(value - name) : strlen(name);
        const struct option *o;

        if (!*name)
            return i + 1; /* "--" */
        if (!strcmp(name, "help") || !strcmp(name, "h")) {
            printf("usage: %s\n", usage);
            flags_print(table);
            return -2;
        }
        o = find(table, name, len);
        if (!o) {
            unknown(table, "flag --", name, len);
            return -1;
        }
        if (value)
            value++;
        else if (is_bool(o))
            value = "true";
        else if (i + 1 < argc)
            value = argv[++i];
        else {
            fail("flag --%s needs a value", o->name);
            return -1;
        }
        if (set(o, "flag --", value))
            return -1;
    }
    return i;
}
