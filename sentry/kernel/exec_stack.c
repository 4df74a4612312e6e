// SPDX-License-Identifier: Apache-2.0
/*
 * The first stack of a program: strings at the top, below them what AT_RANDOM and AT_PLATFORM point
 * at, and at the stack pointer argc, argv, envp and the auxiliary vector.
 */
#include <linux/auxvec.h>
#include "sentry/kernel/elf.h"
#include "sentry/kernel/task.h"

#define STRING_MAX  (128u << 10) /* with its NUL */
#define LIMIT_MIN   (128u << 10)
#define LIMIT_MAX   (6u << 20)
#define EXTRA       (128u << 10) /* mapped at once below what is filled */
#define SHIFT_BYTES 8192         /* the stack pointer moves by up to this much */
#define PLATFORM    "x86_64"

/* Consecutive writing to user memory of another mm, in pieces of a page. Lives for one build. */
struct writer {
    struct mm *mm;
    uva_t at;
    size_t n;
    int err;
    u8 *buf; /* PAGE_SIZE */
};

static void flush(struct writer *w)
{
    if (!w->err && w->n && mm_access(w->mm, w->at, w->buf, w->n, true, false) != (s64)w->n)
        w->err = -EFAULT;
    w->at += w->n;
    w->n = 0;
}

static void put(struct writer *w, const void *data, size_t len)
{
    while (len) {
        size_t part = MIN(len, PAGE_SIZE - w->n);
        memcpy(w->buf + w->n, data, part);
        w->n += part;
        data = (const u8 *)data + part;
        len -= part;
        if (w->n == PAGE_SIZE)
            flush(w);
    }
}

static void put_word(struct writer *w, u64 v)
{
    put(w, &v, sizeof(v));
}

static void start(struct writer *w, uva_t at)
{
    flush(w);
    w->at = at;
}

/* The i-th argument: what "#!" lines put in front, then argv (without its first where they did). */
static unsigned arg_count(const struct exec_stack *s)
{
    unsigned skip = s->nprefix && s->argc;

    return (unsigned)(s->nprefix + s->argc) - skip;
}

static const char *arg(const struct exec_stack *s, unsigned i)
{
    unsigned n = (unsigned)s->nprefix;

    return i < n ? s->prefix[i] : s->argv[i - n + (n ? 1 : 0)];
}

static u64 strings_size(const struct exec_stack *s)
{
    u64 total = strlen(s->filename) + 1;

    for (unsigned i = 0; i < arg_count(s); i++)
        total += strlen(arg(s, i)) + 1;
    for (int i = 0; i < s->envc; i++)
        total += strlen(s->envp[i]) + 1;
    return total;
}

static bool too_long(const char *str)
{
    return strnlen(str, STRING_MAX) == STRING_MAX;
}

int exec_stack_check(struct exec_stack *s)
{
    u64 limit = MAX(MIN(rlimit(RLIMIT_STACK) / 4, (u64)LIMIT_MAX), (u64)LIMIT_MIN);
    u64 pointers = ((u64)arg_count(s) + (u64)s->envc) * sizeof(u64);

    for (int i = 0; i < s->argc; i++)
        if (too_long(s->argv[i]))
            return -E2BIG;
    for (int i = 0; i < s->envc; i++)
        if (too_long(s->envp[i]))
            return -E2BIG;
    return pointers + strings_size(s) > limit ? -E2BIG : 0;
}

/* Addresses, from the top down. */
struct layout {
    uva_t strings, platform, random, sp;
};

static struct layout plan(const struct exec_stack *s, uva_t top)
{
    struct layout l;
    u16 shift = 0;

    l.strings = top - sizeof(u64) - strings_size(s);
    if (exec_randomizes())
        random_bytes(&shift, sizeof(shift));
    l.platform = (l.strings - shift % SHIFT_BYTES - sizeof(PLATFORM)) & ~15UL;
    l.random = l.platform - 16;
    u64 words = 1 + arg_count(s) + 1 + (u64)s->envc + 1 + 2 * ((u64)s->nauxv + 4);
    l.sp = (l.random - words * sizeof(u64)) & ~15UL;
    return l;
}

static void put_strings(struct writer *w, struct mm *mm, const struct exec_stack *s)
{
    uva_t at = w->at;

    mm->arg_start = at;
    for (unsigned i = 0; i < arg_count(s); i++) {
        size_t n = strlen(arg(s, i)) + 1;
        put(w, arg(s, i), n);
        at += n;
    }
    mm->arg_end = mm->env_start = at;
    for (int i = 0; i < s->envc; i++) {
        size_t n = strlen(s->envp[i]) + 1;
        put(w, s->envp[i], n);
        at += n;
    }
    mm->env_end = at;
    put(w, s->filename, strlen(s->filename) + 1);
    put_word(w, 0);
}

static void put_vectors(struct writer *w, struct mm *mm, const struct exec_stack *s)
{
    uva_t at = mm->arg_start;

    put_word(w, arg_count(s));
    for (unsigned i = 0; i < arg_count(s); i++) {
        put_word(w, at);
        at += strlen(arg(s, i)) + 1;
    }
    put_word(w, 0);
    for (int i = 0; i < s->envc; i++) {
        put_word(w, at);
        at += strlen(s->envp[i]) + 1;
    }
    put_word(w, 0);
    put(w, s->auxv, s->nauxv * sizeof(s->auxv[0]));
    mm->auxv_len = MIN((u32)(s->nauxv * sizeof(s->auxv[0])), (u32)sizeof(mm->auxv));
    memcpy(mm->auxv, s->auxv, mm->auxv_len);
}

static void finish_auxv(struct exec_stack *s, const struct mm *mm, const struct layout *l)
{
    const u64 last[][2] = {
        {AT_EXECFN, mm->env_end}, {AT_PLATFORM, l->platform}, {AT_RANDOM, l->random}, {AT_NULL, 0}};

    memcpy(s->auxv[s->nauxv], last, sizeof(last));
    s->nauxv += ARRAY_SIZE(last);
}

static int fill(struct mm *mm, struct exec_stack *s, const struct layout *l)
{
    struct writer w = {.mm = mm, .at = l->strings, .buf = kmalloc(PAGE_SIZE)};
    u8 random[16];

    if (!w.buf)
        return -ENOMEM;
    put_strings(&w, mm, s);
    random_bytes(random, sizeof(random));
    start(&w, l->random);
    put(&w, random, sizeof(random));
    start(&w, l->platform);
    put(&w, PLATFORM, sizeof(PLATFORM));
    finish_auxv(s, mm, l);
    start(&w, l->sp);
    put_vectors(&w, mm, s);
    flush(&w);
    kfree(w.buf);
    return w.err;
}

int exec_stack_build(struct mm *mm, struct exec_stack *s, uva_t top, uva_t *sp)
{
    struct layout l = plan(s, top);
    u64 size = PAGE_ALIGN(top - l.sp) + EXTRA;
    u32 prot = PROT_READ | PROT_WRITE | (s->exec ? PROT_EXEC : 0);
    s64 at = mm_mmap(mm, top - size, size, prot,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, NULL, 0);

    if (at < 0)
        return (int)at;
    mm->stack_start = l.sp;
    *sp = l.sp;
    return fill(mm, s, &l);
}
