// SPDX-License-Identifier: Apache-2.0
/*
 * Application memory, touched with the application's own page tables. Each instruction that does so
 * has an entry in the exception table: when mm_fault() cannot make the page good, the fault handler
 * goes on at the entry's second address, where what was not done is seen in a register. With
 * SMAP, STAC and CLAC stand around exactly these instructions.
 */
#include "sentry/machine/ring0/extable.h"
#include "sentry/machine/ring0/percpu.h"

/* Read by entry.S too. Image text is read only, so the test is a branch and not patched code. */
bool machine_smap;

/* Exception table, sorted by nobody and short. */
struct extable_entry {
    u64 fault, resume;
};
extern const struct extable_entry __start___ex_table[], __stop___ex_table[];

u64 extable_find(u64 rip)
{
    const struct extable_entry *e;

    for (e = __start___ex_table; e < __stop___ex_table; e++)
        if (e->fault == rip)
            return e->resume;
    return 0;
}

static inline void user_access_begin(void)
{
    if (machine_smap)
        __asm__ volatile("stac" : : : "memory");
}

static inline void user_access_end(void)
{
    if (machine_smap)
        __asm__ volatile("clac" : : : "memory");
}

static inline bool access_ok(uva_t addr, size_t n)
{
    return addr < USER_END && n <= USER_END - addr;
}

/* One load or store with a fault check; they evaluate to 0 or -EFAULT. */
#define LOAD(mov, reg, val, p)                                    \
    ({                                                            \
        int err_;                                                 \
        __asm__ volatile("1: " mov " (%[from]), %" reg "[to]\n\t" \
                         "xorl %[err], %[err]\n"                  \
                         "2:\n\t" EX(1b, 2b)                      \
                         : [err] "=&r"(err_), [to] "=&r"(val)     \
                         : [from] "r"(p), "0"(-EFAULT)            \
                         : "memory");                             \
        err_;                                                     \
    })
#define STORE(mov, reg, val, p)                                       \
    ({                                                                \
        int err_;                                                     \
        __asm__ volatile("1: " mov " %" reg "[from], (%[to])\n\t"     \
                         "xorl %[err], %[err]\n"                      \
                         "2:\n\t" EX(1b, 2b)                          \
                         : [err] "=&r"(err_)                          \
                         : [from] "r"(val), [to] "r"(p), "0"(-EFAULT) \
                         : "memory");                                 \
        err_;                                                         \
    })

/*
 * Either side may be the application's. 0 when all went well. By words and then the rest: as fast
 * as rep movsb where that has fast microcode, and eight times faster where it has not.
 */
static inline size_t copy_bytes(void *dst, const void *src, size_t n)
{
    size_t left = n / 8;

    __asm__ volatile("1: rep movsq\n\t"
                     "movl %k[tail], %%ecx\n"
                     "2: rep movsb\n"
                     "3:\n\t" EX(1b, 3b) EX(2b, 3b)
                     : "+D"(dst), "+S"(src), "+c"(left)
                     : [tail] "r"(n & 7)
                     : "memory");
    return left;
}

int copy_from_user(void *dst, uva_t src, size_t n)
{
    int err;
    u64 v8 = 0;
    u32 v4 = 0;

    if (unlikely(!access_ok(src, n)))
        return -EFAULT;
    user_access_begin();
    switch (n) {
    case 4:
        err = LOAD("movl", "k", v4, src);
        *(u32 *)dst = v4;
        break;
    case 8:
        err = LOAD("movq", "q", v8, src);
        *(u64 *)dst = v8;
        break;
    default:
        err = copy_bytes(dst, (const void *)src, n) ? -EFAULT : 0;
    }
    user_access_end();
    return err;
}

int copy_to_user(uva_t dst, const void *src, size_t n)
{
    int err;

    if (unlikely(!access_ok(dst, n)))
        return -EFAULT;
    user_access_begin();
    switch (n) {
    case 4:
        err = STORE("movl", "k", *(const u32 *)src, dst);
        break;
    case 8:
        err = STORE("movq", "q", *(const u64 *)src, dst);
        break;
    default:
        err = copy_bytes((void *)dst, src, n) ? -EFAULT : 0;
    }
    user_access_end();
    return err;
}

int clear_user(uva_t dst, size_t n)
{
    if (unlikely(!access_ok(dst, n)))
        return -EFAULT;
    size_t left = n / 8;

    user_access_begin();
    __asm__ volatile("1: rep stosq\n\t"
                     "movl %k[tail], %%ecx\n"
                     "2: rep stosb\n"
                     "3:\n\t" EX(1b, 3b) EX(2b, 3b)
                     : "+D"(dst), "+c"(left)
                     : "a"(0), [tail] "r"(n & 7)
                     : "memory");
    user_access_end();
    return left ? -EFAULT : 0;
}

#define ONES  0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL

long strncpy_from_user(char *dst, uva_t src, size_t n)
{
    size_t i = 0, room = src < USER_END ? USER_END - src : 0;
    size_t max = MIN(n, room);
    long ret = -EFAULT;

    user_access_begin();
    while (i < max) {
        u64 word = 0;
        u8 byte = 0;

        /* By aligned words, which do not touch a page that the string does not. */
        if (((src + i) & 7) == 0 && max - i >= 8) {
            if (LOAD("movq", "q", word, src + i))
                goto out;
            if (!((word - ONES) & ~word & HIGHS)) {
                memcpy(dst + i, &word, 8);
                i += 8;
                continue;
            }
        }
        if (LOAD("movb", "b", byte, src + i))
            goto out;
        dst[i] = (char)byte;
        if (!byte) {
            ret = (long)i;
            goto out;
        }
        i++;
    }
    if (max == n)
        ret = -ENAMETOOLONG;
out:
    user_access_end();
    return ret;
}

int cmpxchg_user_u32(uva_t p, u32 old, u32 new, u32 *was)
{
    int err;

    if (unlikely(!access_ok(p, 4)))
        return -EFAULT;
    user_access_begin();
    __asm__ volatile("1: lock cmpxchgl %[new], (%[p])\n\t"
                     "xorl %[err], %[err]\n"
                     "2:\n\t" EX(1b, 2b)
                     : [err] "=&r"(err), "+a"(old)
                     : [new] "r"(new), [p] "r"(p), "0"(-EFAULT)
                     : "memory", "cc");
    user_access_end();
    *was = old;
    return err;
}
