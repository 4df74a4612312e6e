// SPDX-License-Identifier: Apache-2.0
/*
 * execve(2) and execveat(2): copying path, arguments and environment out of the application.
 * Strings go one after the other into a few large pieces of memory.
 */
#include <linux/limits.h>
#include "sentry/kernel/elf.h"
#include "sentry/syscall/syscall.h"

#define STRING_MAX   (128u << 10) /* with its NUL */
#define STRINGS_MAX  (6u << 20)   /* what any RLIMIT_STACK allows together */
#define PIECE        (8u << 10)
#define POINTERS_MAX (STRINGS_MAX / sizeof(u64))
#define AT_ONCE      64

/* A piece of memory for strings. */
struct piece {
    struct piece *next;
    char mem[];
};

/* Where strings are gathered; lives for one call. */
struct arena {
    struct piece *pieces;
    char *at;
    size_t left, total;
};

static int arena_grow(struct arena *a, size_t n)
{
    struct piece *p = kmalloc(sizeof(*p) + n);

    if (!p)
        return -ENOMEM;
    p->next = a->pieces;
    a->pieces = p;
    a->at = p->mem;
    a->left = n;
    return 0;
}

static void arena_free(struct arena *a)
{
    while (a->pieces) {
        struct piece *p = a->pieces;
        a->pieces = p->next;
        kfree(p);
    }
}

/* One string; -E2BIG when it alone, or all together, are too long. */
static int copy_string(struct arena *a, uva_t from, char **out)
{
    static const u32 sizes[] = {0, PIECE - sizeof(struct piece), STRING_MAX};
    long n = -ENAMETOOLONG;
    int err;

    /* What is left of this piece, a fresh one, one for the longest. */
    for (unsigned i = 0; i < ARRAY_SIZE(sizes) && n == -ENAMETOOLONG; i++) {
        if (i && (err = arena_grow(a, sizes[i])))
            return err;
        if (a->left)
            n = strncpy_from_user(a->at, from, a->left);
    }
    if (n < 0)
        return n == -ENAMETOOLONG ? -E2BIG : (int)n;
    n++;
    *out = a->at;
    a->at += n;
    a->left -= (size_t)n;
    a->total += (size_t)n + sizeof(u64);
    return a->total > STRINGS_MAX ? -E2BIG : 0;
}

/* Pointers of a vector, up to and without its NULL. */
static int copy_pointers(uva_t from, u64 **out, int *count)
{
    u64 *v = NULL;
    size_t room = 0, n = 0;

    for (;;) {
        uva_t at = from + n * sizeof(u64);
        u64 want = (PAGE_SIZE - (at & ~PAGE_MASK)) / sizeof(u64); /* the next page may not exist */
        want = MAX(MIN(want, (u64)AT_ONCE), 1UL);
        if (n + want > room) {
            u64 *more = krealloc(v, (room = room * 2 + AT_ONCE) * sizeof(u64));
            if (!more || n > POINTERS_MAX) {
                kfree(more ? more : v);
                return n > POINTERS_MAX ? -E2BIG : -ENOMEM;
            }
            v = more;
        }
        if (copy_from_user(v + n, at, want * sizeof(u64))) {
            kfree(v);
            return -EFAULT;
        }
        for (u64 i = 0; i < want; i++, n++) {
            if (!v[n]) {
                *out = v;
                *count = (int)n;
                return 0;
            }
        }
    }
}

/* A vector of strings; NULL is an empty one. The pointers are replaced in place. */
static int copy_vector(struct arena *a, uva_t from, char ***out, int *count)
{
    u64 *v;
    int err;

    *count = 0;
    *out = NULL;
    if (!from) {
        *out = kzalloc(sizeof(char *));
        return *out ? 0 : -ENOMEM;
    }
    err = copy_pointers(from, &v, count);
    if (err)
        return err;
    *out = (char **)v;
    for (int i = 0; i < *count && !err; i++)
        err = copy_string(a, v[i], &(*out)[i]);
    return err;
}

static s64 exec(int dirfd, uva_t path, uva_t argv, uva_t envp, int flags)
{
    struct exec_args a = {.dirfd = dirfd, .flags = flags};
    struct arena arena = {0};
    int err;

    a.path = getname(path, flags & AT_EMPTY_PATH);
    if (IS_ERR(a.path))
        return PTR_ERR(a.path);
    err = copy_vector(&arena, argv, &a.argv, &a.argc);
    if (!err)
        err = copy_vector(&arena, envp, &a.envp, &a.envc);
    if (!err)
        err = task_exec(&a);
    arena_free(&arena);
    kfree(a.argv);
    kfree(a.envp);
    kfree(a.path);
    return err;
}

SYSCALL3(execve, uva_t, path, uva_t, argv, uva_t, envp)
{
    return exec(AT_FDCWD, path, argv, envp, 0);
}

SYSCALL5(execveat, int, dirfd, uva_t, path, uva_t, argv, uva_t, envp, int, flags)
{
    if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        return -EINVAL;
    return exec(dirfd, path, argv, envp, flags);
}
