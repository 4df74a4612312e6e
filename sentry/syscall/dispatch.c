// SPDX-License-Identifier: Apache-2.0
/*
 * System call dispatch from the one table.
 */
#include "sentry/syscall/strace.h"
#include "sentry/syscall/syscall.h"
#include "sentry/syscall/table.h"

static s64 refuse(const struct uregs *r, s64 err, const char *why)
{
    log_info("system call %lu of %s[%d] refused: %s", r->orig_rax, current->comm, current->tid,
             why);
    return err;
}

/* Handlers that exist, and stand-ins with the right errno for those that do not. */
#define DECLARE_FULL(name, note)    s64 sys_##name(const struct uregs *r);
#define DECLARE_PARTIAL(name, note) DECLARE_FULL(name, note)
#define DECLARE_REFUSE(name, err, note)          \
    static s64 sys_##name(const struct uregs *r) \
    {                                            \
        return refuse(r, err, #name ": " note);  \
    }
#define DECLARE_NI(name, note)             DECLARE_REFUSE(name, -ENOSYS, note)
#define DECLARE_REFUSED_EPERM(name, note)  DECLARE_REFUSE(name, -EPERM, note)
#define DECLARE_REFUSED_ENOSYS(name, note) DECLARE_REFUSE(name, -ENOSYS, note)
#define X(nr, name, status, args, note)    DECLARE_##status(name, note)
SYSCALL_TABLE(X)
#undef X

bool strace_enabled;

const syscall_fn syscall_table[SYSCALL_MAX] = {
#define X(nr, name, status, args, note) [nr] = sys_##name,
    SYSCALL_TABLE(X)
#undef X
};

void syscall_dispatch(void)
{
    struct uregs *r = &current->regs;
    u64 nr = (u32)r->orig_rax; /* the upper half is ignored, as on Linux */
    syscall_fn fn = syscall_handler(nr);
    s64 ret;

    if (unlikely(strace_enabled))
        strace_enter(r);
    ret = fn ? fn(r) : -ENOSYS;
    r->rax = (u64)ret;
    if (unlikely(strace_enabled))
        strace_exit(nr, ret);
}
