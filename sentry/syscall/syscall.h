/* SPDX-License-Identifier: Apache-2.0
 *
 * System call handlers and their one table. A handler is written as
 *
 *     SYSCALL3(read, int, fd, uva_t, buf, u64, count) { ... return bytes or -errno; }
 *
 * and listed in table.h, from which dispatch, --strace and doc/compatibility.md come.
 */
#pragma once

#include "sentry/kernel/task.h"

typedef s64 (*syscall_fn)(const struct uregs *r);

/* Run the call in current's registers; the result goes to regs.rax. dispatch.c */
void syscall_dispatch(void);

#define SYSCALL_MAX 512
extern const syscall_fn syscall_table[SYSCALL_MAX];

/* The handler of call nr; NULL when there is none. The application chooses nr: no speculation past the end. */
static inline syscall_fn syscall_handler(u64 nr)
{
    u64 mask;

    if (nr >= SYSCALL_MAX)
        return NULL;
    __asm__ volatile("cmp %1, %2; sbb %0, %0" : "=r"(mask) : "i"(SYSCALL_MAX), "r"(nr) : "cc");
    return syscall_table[nr & mask];
}

#define SYSCALL0(name)                                            \
    s64 sys_##name(const struct uregs *r);                        \
    static inline s64 do_sys_##name(void);                        \
    s64 sys_##name(const struct uregs *r __attribute__((unused))) \
    {                                                             \
        return do_sys_##name();                                   \
    }                                                             \
    static inline s64 do_sys_##name(void)
#define SYSCALL_BODY_(name, call, ...)            \
    s64 sys_##name(const struct uregs *r);        \
    static inline s64 do_sys_##name(__VA_ARGS__); \
    s64 sys_##name(const struct uregs *r)         \
    {                                             \
        return do_sys_##name call;                \
    }                                             \
    static inline s64 do_sys_##name(__VA_ARGS__)
#define SYSCALL1(name, t1, a1)         SYSCALL_BODY_(name, ((t1)r->rdi), t1 a1)
#define SYSCALL2(name, t1, a1, t2, a2) SYSCALL_BODY_(name, ((t1)r->rdi, (t2)r->rsi), t1 a1, t2 a2)
#define SYSCALL3(name, t1, a1, t2, a2, t3, a3) \
    SYSCALL_BODY_(name, ((t1)r->rdi, (t2)r->rsi, (t3)r->rdx), t1 a1, t2 a2, t3 a3)
#define SYSCALL4(name, t1, a1, t2, a2, t3, a3, t4, a4)                                         \
    SYSCALL_BODY_(name, ((t1)r->rdi, (t2)r->rsi, (t3)r->rdx, (t4)r->r10), t1 a1, t2 a2, t3 a3, \
                  t4 a4)
#define SYSCALL5(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5)                                     \
    SYSCALL_BODY_(name, ((t1)r->rdi, (t2)r->rsi, (t3)r->rdx, (t4)r->r10, (t5)r->r8), t1 a1, t2 a2, \
                  t3 a3, t4 a4, t5 a5)
#define SYSCALL6(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6)                          \
    SYSCALL_BODY_(name, ((t1)r->rdi, (t2)r->rsi, (t3)r->rdx, (t4)r->r10, (t5)r->r8, (t6)r->r9), \
                  t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6)
