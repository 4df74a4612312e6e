/* SPDX-License-Identifier: Apache-2.0
 *
 * Small things that every room of the Sentry uses.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/errno.h>
#include "vmm/abi/types.h"
#include "sentry/lib/list.h"
#include "sentry/lib/string.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                          \
    ({                                     \
        __typeof__(a) min_a_ = (a);        \
        __typeof__(b) min_b_ = (b);        \
        min_a_ < min_b_ ? min_a_ : min_b_; \
    })
#define MAX(a, b)                          \
    ({                                     \
        __typeof__(a) max_a_ = (a);        \
        __typeof__(b) max_b_ = (b);        \
        max_a_ > max_b_ ? max_a_ : max_b_; \
    })
#define ROUND_UP(x, a)  (((x) + (a)-1) / (a) * (a))
#define likely(x)       __builtin_expect(!!(x), 1)
#define unlikely(x)     __builtin_expect(!!(x), 0)
#define BUILD_ASSERT(c) _Static_assert(c, #c)

/* Internal error codes, never shown to the application: restart a system call after a signal. */
#define ERESTARTSYS           512 /* restart when SA_RESTART, else EINTR */
#define ERESTARTNOINTR        513 /* always restart */
#define ERESTARTNOHAND        514 /* restart unless a handler ran */
#define ERESTART_RESTARTBLOCK 516 /* restart through task->restart (remaining time) */

/* Pointers that carry an errno (functions documented to return them). */
#define ERR_PTR(e) ((void *)(long)(e))
#define PTR_ERR(p) ((long)(p))
#define IS_ERR(p)  ((u64)(p) >= (u64)-4095)

/* ---- formatted text: print.c ---- */

/* As snprintf(3) for %d %i %u %x %X %o %c %s %p %% with l/ll/z, width, precision, 0, - and *. */
int vsnprintf_(char *buf, size_t size, const char *fmt, va_list ap);
int snprintf_(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

enum log_level { LOG_WARN, LOG_INFO, LOG_DEBUG };
extern int log_level; /* messages above it are dropped before formatting */
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)                         \
    do {                                      \
        if (unlikely(log_level >= LOG_INFO))  \
            log_write(LOG_INFO, __VA_ARGS__); \
    } while (0)
#define log_debug(...)                         \
    do {                                       \
        if (unlikely(log_level >= LOG_DEBUG))  \
            log_write(LOG_DEBUG, __VA_ARGS__); \
    } while (0)

_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define BUG_ON(c)                                       \
    do {                                                \
        if (unlikely(c))                                \
            panic("%s:%d: %s", __FILE__, __LINE__, #c); \
    } while (0)

/* Cryptographically strong bytes for getrandom(2), AT_RANDOM, ASLR; seeded by the host. random.c */
void random_bytes(void *buf, size_t n);

/* ---- reference counts ---- */

typedef struct {
    u32 n;
} refcount_t;

static inline void ref_init(refcount_t *r, u32 n)
{
    __atomic_store_n(&r->n, n, __ATOMIC_RELAXED);
}
static inline void ref_get(refcount_t *r)
{
    __atomic_fetch_add(&r->n, 1, __ATOMIC_RELAXED);
}
/* True when the last reference went. */
static inline bool ref_put(refcount_t *r)
{
    return __atomic_sub_fetch(&r->n, 1, __ATOMIC_ACQ_REL) == 0;
}
static inline u32 ref_read(const refcount_t *r)
{
    return __atomic_load_n(&r->n, __ATOMIC_ACQUIRE);
}
/* Take a reference unless there is none left. */
static inline bool ref_get_unless_zero(refcount_t *r)
{
    u32 n = ref_read(r);
    while (n &&
           !__atomic_compare_exchange_n(&r->n, &n, n + 1, true, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        ;
    return n != 0;
}
