// SPDX-License-Identifier: Apache-2.0
/*
 * Reader of flattened device trees, see dt.h. A node's handle is the offset of its name in the
 * structure block; that is never 0, because a token comes before it.
 */
#include "sentry/lib/dt.h"

#define MAGIC        0xd00dfeed
#define VERSION      17 /* and compatible with 16 */
#define HEADER_WORDS 10

enum {
    WORD_MAGIC,
    WORD_TOTAL,
    WORD_STRUCTS,
    WORD_STRINGS,
    WORD_RESERVED,
    WORD_VERSION,
    WORD_LAST,
    WORD_CPU,
    WORD_STRINGS_SIZE,
    WORD_STRUCTS_SIZE
};

enum { BEGIN_NODE = 1, END_NODE, PROP, NOP, END = 9 };

/* One token and what belongs to it. */
struct token {
    u32 kind;
    u32 name;         /* BEGIN_NODE: offset of the name */
    const char *text; /* PROP: its name */
    const u8 *value;
    u32 len;
};

static u64 be(const u8 *p, size_t n)
{
    u64 v = 0;

    while (n--)
        v = v << 8 | *p++;
    return v;
}

static u32 word(const u8 *p, u32 index)
{
    return (u32)be(p + 4 * index, 4);
}

static bool within(u32 at, u32 size, size_t whole)
{
    return at <= whole && size <= whole - at;
}

int dt_open(struct dt *d, const void *blob, size_t len)
{
    const u8 *p = blob;
    u32 total;

    if (len < 4 * HEADER_WORDS || word(p, WORD_MAGIC) != MAGIC)
        return -EINVAL;
    total = word(p, WORD_TOTAL);
    if (total > len || word(p, WORD_VERSION) < VERSION || word(p, WORD_LAST) > VERSION)
        return -EINVAL;
    *d =
        (struct dt){.nstructs = word(p, WORD_STRUCTS_SIZE), .nstrings = word(p, WORD_STRINGS_SIZE)};
    if (!within(word(p, WORD_STRUCTS), d->nstructs, total) ||
        !within(word(p, WORD_STRINGS), d->nstrings, total))
        return -EINVAL;
    d->structs = p + word(p, WORD_STRUCTS);
    d->strings = (const char *)p + word(p, WORD_STRINGS);
    if (d->nstructs % 4 || !d->nstrings || d->strings[d->nstrings - 1])
        return -EINVAL;
    return 0;
}

static bool take_name(const struct dt *d, u32 *at, struct token *t)
{
    const u8 *nul = memchr(d->structs + *at, 0, d->nstructs - *at);

    if (!nul)
        return false;
    t->name = *at;
    *at = ROUND_UP((u32)(nul - d->structs) + 1, 4u);
    return true;
}

static bool take_prop(const struct dt *d, u32 *at, struct token *t)
{
    u32 name;

    if (d->nstructs - *at < 8)
        return false;
    t->len = word(d->structs + *at, 0);
    name = word(d->structs + *at, 1);
    *at += 8;
    if (name >= d->nstrings || !within(*at, t->len, d->nstructs))
        return false;
    t->text = d->strings + name;
    t->value = d->structs + *at;
    *at = ROUND_UP(*at + t->len, 4u);
    return true;
}

/* The token at *at, which moves behind it; false at the end and at what is no token. */
static bool next_token(const struct dt *d, u32 *at, struct token *t)
{
    do {
        if (*at >= d->nstructs || d->nstructs - *at < 4)
            return false;
        t->kind = word(d->structs + *at, 0);
        *at += 4;
    } while (t->kind == NOP);
    switch (t->kind) {
    case BEGIN_NODE:
        return take_name(d, at, t);
    case PROP:
        return take_prop(d, at, t);
    case END_NODE:
        return true;
    default:
        return false;
    }
}

/* Where the tokens of a node begin. */
static u32 body(const struct dt *d, u32 node)
{
    struct token t;

    return take_name(d, &node, &t) ? node : d->nstructs;
}

u32 dt_root(const struct dt *d)
{
    struct token t;
    u32 at = 0;

    return next_token(d, &at, &t) && t.kind == BEGIN_NODE ? t.name : 0;
}

const char *dt_name(const struct dt *d, u32 node)
{
    return (const char *)d->structs + node;
}

u32 dt_next_child(const struct dt *d, u32 node, u32 last)
{
    u32 at = body(d, last ? last : node), depth = last ? 1 : 0;
    struct token t;

    while (next_token(d, &at, &t)) {
        if (t.kind == BEGIN_NODE) {
            if (!depth)
                return t.name;
            depth++;
        } else if (t.kind == END_NODE && depth-- == 0) {
            break;
        }
    }
    return 0;
}

u32 dt_child(const struct dt *d, u32 node, const char *name)
{
    u32 child = 0;

    while ((child = dt_next_child(d, node, child)))
        if (!strcmp(dt_name(d, child), name))
            return child;
    return 0;
}

const void *dt_prop(const struct dt *d, u32 node, const char *name, size_t *len)
{
    u32 at = node ? body(d, node) : d->nstructs;
    struct token t;

    while (next_token(d, &at, &t) && t.kind == PROP) {
        if (strcmp(t.text, name))
            continue;
        *len = t.len;
        return t.value;
    }
    *len = 0;
    return NULL;
}

u64 dt_int(const struct dt *d, u32 node, const char *name, u64 def)
{
    size_t len;
    const u8 *p = dt_prop(d, node, name, &len);

    return p && (len == 4 || len == 8) ? be(p, len) : def;
}

bool dt_flag(const struct dt *d, u32 node, const char *name)
{
    size_t len;

    return dt_prop(d, node, name, &len) != NULL;
}

const char *dt_text(const struct dt *d, u32 node, const char *name, size_t *len_out)
{
    size_t len;
    const char *p = dt_prop(d, node, name, &len);

    if (p && (!len || p[len - 1])) {
        p = NULL;
        len = 0;
    }
    if (len_out)
        *len_out = len;
    return p;
}

size_t dt_u32s(const struct dt *d, u32 node, const char *name, u32 *out, size_t max)
{
    size_t len;
    const u8 *p = dt_prop(d, node, name, &len);
    size_t n = MIN(len / 4, max);

    for (size_t i = 0; i < n; i++)
        out[i] = (u32)be(p + i * 4, 4);
    return n;
}

size_t dt_u64s(const struct dt *d, u32 node, const char *name, u64 *out, size_t max)
{
    size_t len;
    const u8 *p = dt_prop(d, node, name, &len);
    size_t n = MIN(len / 8, max);

    for (size_t i = 0; i < n; i++)
        out[i] = be(p + i * 8, 8);
    return n;
}
