// SPDX-License-Identifier: Apache-2.0
/*
 * String functions of the guest image. Bulk work goes to the string instructions, which CPUs do
 * fast for anything but a few bytes; short copies are moved by words.
 */
#include "sentry/lib/string.h"
#include "vmm/abi/types.h"

#ifndef __clang__
/* GCC would see memcpy() in the loop of memcpy() and call it. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

typedef u64 __attribute__((may_alias, aligned(1))) u64_any;
typedef u32 __attribute__((may_alias, aligned(1))) u32_any;

/* Below this many bytes plain moves win over the start-up time of REP. */
#define REP_MIN 256

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    u8 *d = dst;
    const u8 *s = src;

    if (n >= REP_MIN) {
        size_t words = n / 8;
        __asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words) : : "memory");
        n &= 7;
    }
    for (; n >= 8; n -= 8, d += 8, s += 8)
        *(u64_any *)d = *(const u64_any *)s;
    if (n & 4) {
        *(u32_any *)d = *(const u32_any *)s;
        d += 4;
        s += 4;
    }
    for (n &= 3; n; n--)
        *d++ = *s++;
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    u8 *d = dst;
    const u8 *s = src;

    if ((u64)d - (u64)s >= n)
        return memcpy(dst, src, n);
    d += n;
    s += n;
    for (; n >= 8; n -= 8) {
        d -= 8;
        s -= 8;
        *(u64_any *)d = *(const u64_any *)s;
    }
    for (; n; n--)
        *--d = *--s;
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    u8 *d = dst;
    u64 v = (u8)c * 0x0101010101010101ULL;

    if (n >= REP_MIN) {
        size_t words = n / 8;
        __asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(v) : "memory");
        n &= 7;
    }
    for (; n >= 8; n -= 8, d += 8)
        *(u64_any *)d = v;
    for (; n; n--)
        *d++ = (u8)c;
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const u8 *x = a, *y = b;

    for (; n >= 8; n -= 8, x += 8, y += 8) {
        u64 v = *(const u64_any *)x, w = *(const u64_any *)y;
        if (v != w) {
            v = __builtin_bswap64(v);
            w = __builtin_bswap64(w);
            return v < w ? -1 : 1;
        }
    }
    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

void *memchr(const void *s, int c, size_t n)
{
    const u8 *p = s;

    for (; n; n--, p++)
        if (*p == (u8)c)
            return (void *)p;
    return NULL;
}

size_t strlen(const char *s)
{
    const char *p = s;

    while (*p)
        p++;
    return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t n)
{
    const char *e = memchr(s, 0, n);

    return e ? (size_t)(e - s) : n;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n; n--, a++, b++) {
        if (*a != *b)
            return (u8)*a - (u8)*b;
        if (!*a)
            break;
    }
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

char *strrchr(const char *s, int c)
{
    const char *last = NULL;

    for (;; s++) {
        if (*s == (char)c)
            last = s;
        if (!*s)
            return (char *)last;
    }
}
