// SPDX-License-Identifier: Apache-2.0
/*
 * Formatted text without a C library: vsnprintf for the conversions that lib.h names.
 */
#include "sentry/lib/lib.h"

/* Output cursor; counts what would have been written, as snprintf(3) returns it. */
struct out {
    char *buf;
    size_t size, n;
};

struct spec {
    bool left, zero, plus, space, alt;
    int width, precision; /* precision -1: none */
    int longs;            /* 0 int, 1 long, 2 long long */
};

static void put(struct out *o, char c)
{
    if (o->n + 1 < o->size)
        o->buf[o->n] = c;
    o->n++;
}

static void put_padded(struct out *o, const struct spec *s, const char *prefix, const char *body,
                       size_t len, size_t zeros)
{
    size_t total = strlen(prefix) + zeros + len;
    size_t pad = s->width > 0 && (size_t)s->width > total ? (size_t)s->width - total : 0;

    if (!s->left && !s->zero)
        for (; pad; pad--)
            put(o, ' ');
    while (*prefix)
        put(o, *prefix++);
    if (!s->left && s->zero)
        for (; pad; pad--)
            put(o, '0');
    for (; zeros; zeros--)
        put(o, '0');
    while (len--)
        put(o, *body++);
    for (; pad; pad--)
        put(o, ' ');
}

static void put_number(struct out *o, const struct spec *given, u64 v, unsigned base, bool upper,
                       const char *prefix)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    struct spec s = *given;
    char tmp[24];
    size_t i = sizeof(tmp);
    size_t zeros;

    do {
        tmp[--i] = digits[v % base];
        v /= base;
    } while (v);
    if (s.precision >= 0)
        s.zero = false;
    zeros = s.precision > (int)(sizeof(tmp) - i) ? (size_t)s.precision - (sizeof(tmp) - i) : 0;
    put_padded(o, &s, prefix, tmp + i, sizeof(tmp) - i, zeros);
}

static s64 fetch_signed(va_list *ap, int longs)
{
    return longs ? va_arg(*ap, long) : va_arg(*ap, int);
}

static u64 fetch_unsigned(va_list *ap, int longs)
{
    return longs ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned int);
}

static const char *parse_number(const char *f, int *n, va_list *ap)
{
    if (*f == '*') {
        *n = va_arg(*ap, int);
        return f + 1;
    }
    for (*n = 0; *f >= '0' && *f <= '9'; f++)
        *n = *n * 10 + (*f - '0');
    return f;
}

static const char *parse_spec(const char *f, struct spec *s, va_list *ap)
{
    *s = (struct spec){.precision = -1};
    for (;; f++) {
        if (*f == '-')
            s->left = true;
        else if (*f == '0')
            s->zero = true;
        else if (*f == '+')
            s->plus = true;
        else if (*f == ' ')
            s->space = true;
        else if (*f == '#')
            s->alt = true;
        else
            break;
    }
    f = parse_number(f, &s->width, ap);
    if (s->width < 0) {
        s->left = true;
        s->width = -s->width;
    }
    if (*f == '.')
        f = parse_number(f + 1, &s->precision, ap);
    while (*f == 'l' || *f == 'z' || *f == 'h') {
        s->longs += *f != 'h';
        f++;
    }
    return f;
}

static void put_string(struct out *o, const struct spec *s, const char *str)
{
    struct spec t = *s;
    if (!str)
        str = "(null)";
    t.zero = false;
    put_padded(o, &t, "", str, s->precision >= 0 ? strnlen(str, (size_t)s->precision) : strlen(str),
               0);
}

static void put_conversion(struct out *o, char c, struct spec *s, va_list *ap)
{
    s64 v;
    char ch;

    switch (c) {
    case 'd':
    case 'i':
        v = fetch_signed(ap, s->longs);
        put_number(o, s, v < 0 ? -(u64)v : (u64)v, 10, false,
                   v < 0      ? "-"
                   : s->plus  ? "+"
                   : s->space ? " "
                              : "");
        break;
    case 'u':
        put_number(o, s, fetch_unsigned(ap, s->longs), 10, false, "");
        break;
    case 'x':
    case 'X':
        put_number(o, s, fetch_unsigned(ap, s->longs), 16, c == 'X', s->alt ? "0x" : "");
        break;
    case 'o':
        put_number(o, s, fetch_unsigned(ap, s->longs), 8, false, s->alt ? "0" : "");
        break;
    case 'p':
        put_number(o, s, (u64)va_arg(*ap, void *), 16, false, "0x");
        break;
    case 'c':
        ch = (char)va_arg(*ap, int);
        s->zero = false;
        put_padded(o, s, "", &ch, 1, 0);
        break;
    case 's':
        put_string(o, s, va_arg(*ap, const char *));
        break;
    default: /* %% and what we do not know: as written */
        put(o, c);
    }
}

int vsnprintf_(char *buf, size_t size, const char *fmt, va_list args)
{
    struct out o = {buf, size, 0};
    struct spec s;
    va_list ap;

    va_copy(ap, args);
    for (; *fmt; fmt++) {
        if (*fmt != '%') {
            put(&o, *fmt);
            continue;
        }
        fmt = parse_spec(fmt + 1, &s, &ap);
        if (!*fmt)
            break;
        put_conversion(&o, *fmt, &s, &ap);
    }
    va_end(ap);
    if (size)
        buf[MIN(o.n, size - 1)] = '\0';
    return (int)o.n;
}

int snprintf_(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf_(buf, size, fmt, ap);
    va_end(ap);
    return n;
}
