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

static void unknown(const struct option *table, const char *name, size_t len)
{
    const struct option *best = NULL;
    size_t best_d = 3;

    for (const struct option *o = table; o->name; o++) {
        size_t d = distance(o->name, name, len);
        if (d < best_d) {
            best_d = d;
            best = o;
        }
    }
    if (best)
        fail("unknown flag --%.*s; did you mean --%s?", (int)len, name, best->name);
    else
        fail("unknown flag --%.*s; see runsc --help", (int)len, name);
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

static int set(const struct option *o, const char *value)
{
    unsigned long n;
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
    case OPTION_UINT:
        errno = 0;
        n = strtoul(value, &end, 10);
        if (errno || *end || end == value || *value == '-' || n > UINT_MAX)
            break;
        *(unsigned *)o->value = (unsigned)n;
        return 0;
    }
    fail("invalid value \"%s\" for flag --%s", value, o->name);
    return -1;
}

void flags_print(const struct option *table)
{
    for (; table->name; table++) {
        if (!table->help)
            continue;
        printf("  --%s%s\n        %s", table->name, table->type == OPTION_BOOL ? "" : " value",
               table->help);
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
            unknown(table, name, len);
            return -1;
        }
        if (value)
            value++;
        else if (o->type == OPTION_BOOL)
            value = "true";
        else if (i + 1 < argc)
            value = argv[++i];
        else {
            fail("flag --%s needs a value", o->name);
            return -1;
        }
        if (set(o, value))
            return -1;
    }
    return i;
}
