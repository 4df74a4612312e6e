// SPDX-License-Identifier: Apache-2.0
//
// A growing text buffer.

#include "sentry/fs/seq.h"
#include "sentry/mm/mm.h"

#define FIRST 512

/* Room for n more bytes. */
static bool reserve(struct seq *s, size_t n)
{
    size_t cap = s->cap ? s->cap : FIRST;

    if (s->failed)
        return false;
    while (cap - s->len < n)
        cap *= 2;
    if (cap != s->cap) {
        char *buf = krealloc(s->buf, cap);
        if (!buf) {
            s->failed = true;
            return false;
        }
        s->buf = buf;
        s->cap = cap;
    }
    return true;
}

void seq_printf(struct seq *s, const char *fmt, ...)
{
    va_list ap;

    if (!reserve(s, 128))
        return;
    va_start(ap, fmt);
    int n = vsnprintf_(s->buf + s->len, s->cap - s->len, fmt, ap);
    va_end(ap);
    if ((size_t)n >= s->cap - s->len) {
        if (!reserve(s, (size_t)n + 1))
            return;
        va_start(ap, fmt);
        n = vsnprintf_(s->buf + s->len, s->cap - s->len, fmt, ap);
        va_end(ap);
    }
    s->len += (size_t)n;
}

void seq_write(struct seq *s, const void *data, size_t n)
{
    if (!n || !reserve(s, n))
        return;
    memcpy(s->buf + s->len, data, n);
    s->len += n;
}

void seq_puts(struct seq *s, const char *text)
{
    seq_write(s, text, strlen(text));
}

void seq_putc(struct seq *s, char c)
{
    seq_write(s, &c, 1);
}

void seq_escaped(struct seq *s, const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\\' || strchr(special, *text))
            seq_printf(s, "\\%03o", (u8)*text);
        else
            seq_putc(s, *text);
    }
}

void seq_pad(struct seq *s, size_t start, size_t width)
{
    while (!s->failed && s->len - start < width)
        seq_putc(s, ' ');
}

void seq_free(struct seq *s)
{
    kfree(s->buf);
    *s = (struct seq){0};
}
