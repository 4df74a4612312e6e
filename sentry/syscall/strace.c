// SPDX-License-Identifier: Apache-2.0
/*
 * --strace: system calls in the debug log, decoded by the argument letters of the table.
 */
#include "sentry/syscall/strace.h"
#include "sentry/syscall/table.h"

#define STRING_SHOWN 80

static const struct {
    const char *name, *args;
} calls[] = {
#define X(nr, name, status, args, note) [nr] = {#name, args},
    SYSCALL_TABLE(X)
#undef X
};

static const char *const errno_names[] = {
    [EPERM] = "EPERM",
    [ENOENT] = "ENOENT",
    [ESRCH] = "ESRCH",
    [EINTR] = "EINTR",
    [EIO] = "EIO",
    [ENXIO] = "ENXIO",
    [E2BIG] = "E2BIG",
    [ENOEXEC] = "ENOEXEC",
    [EBADF] = "EBADF",
    [ECHILD] = "ECHILD",
    [EAGAIN] = "EAGAIN",
    [ENOMEM] = "ENOMEM",
    [EACCES] = "EACCES",
    [EFAULT] = "EFAULT",
    [EBUSY] = "EBUSY",
    [EEXIST] = "EEXIST",
    [EXDEV] = "EXDEV",
    [ENODEV] = "ENODEV",
    [ENOTDIR] = "ENOTDIR",
    [EISDIR] = "EISDIR",
    [EINVAL] = "EINVAL",
    [EMFILE] = "EMFILE",
    [ENOTTY] = "ENOTTY",
    [ETXTBSY] = "ETXTBSY",
    [EFBIG] = "EFBIG",
    [ENOSPC] = "ENOSPC",
    [ESPIPE] = "ESPIPE",
    [EROFS] = "EROFS",
    [EMLINK] = "EMLINK",
    [EPIPE] = "EPIPE",
    [ERANGE] = "ERANGE",
    [ENAMETOOLONG] = "ENAMETOOLONG",
    [ENOSYS] = "ENOSYS",
    [ELOOP] = "ELOOP",
    [ENOTEMPTY] = "ENOTEMPTY",
};

const char *syscall_name(u64 nr)
{
    return nr < ARRAY_SIZE(calls) ? calls[nr].name : NULL;
}

static int show_string(char *out, size_t size, uva_t p)
{
    char s[STRING_SHOWN];
    long n;

    if (!p)
        return snprintf_(out, size, "NULL");
    n = strncpy_from_user(s, p, sizeof(s));
    if (n == -ENAMETOOLONG)
        return snprintf_(out, size, "\"%.*s\"...", STRING_SHOWN, s);
    if (n < 0)
        return snprintf_(out, size, "%#lx (bad address)", p);
    for (long i = 0; i < n; i++)
        if ((u8)s[i] < 32)
            s[i] = '?';
    return snprintf_(out, size, "\"%s\"", s);
}

static int show_arg(char *out, size_t size, char kind, u64 v)
{
    switch (kind) {
    case 'd':
    case 'f':
    case 'G':
        return snprintf_(out, size, "%d", (int)v);
    case 'F':
        return (int)v == -100 ? snprintf_(out, size, "AT_FDCWD")
                              : snprintf_(out, size, "%d", (int)v);
    case 'u':
        return snprintf_(out, size, "%u", (u32)v);
    case 'l':
        return snprintf_(out, size, "%ld", (s64)v);
    case 'z':
        return snprintf_(out, size, "%lu", v);
    case 'o':
        return snprintf_(out, size, "%#o", (u32)v);
    case 's':
        return show_string(out, size, v);
    case 'p':
        return v ? snprintf_(out, size, "%#lx", v) : snprintf_(out, size, "NULL");
    case 'x':
        return snprintf_(out, size, "%#x", (u32)v);
    default:
        return snprintf_(out, size, "%#lx", v);
    }
}

void strace_enter(const struct uregs *r)
{
    const u64 v[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};
    const char *name = syscall_name(r->orig_rax);
    const char *args = name ? calls[r->orig_rax].args : "";
    char text[640];
    size_t n = 0;

    for (int i = 0; i < 6 && args[i]; i++) {
        if (i)
            n += (size_t)snprintf_(text + n, sizeof(text) - n, ", ");
        n += (size_t)show_arg(text + n, sizeof(text) - n, args[i], v[i]);
        n = MIN(n, sizeof(text) - 1);
    }
    text[n] = '\0';
    if (name)
        log_write(LOG_WARN, "[%4d] %s E %s(%s)", current->tid, current->comm, name, text);
    else
        log_write(LOG_WARN, "[%4d] %s E syscall %lu()", current->tid, current->comm, r->orig_rax);
}

void strace_exit(u64 nr, s64 ret)
{
    const char *name = syscall_name(nr);

    if (!name)
        name = "?";
    if (ret >= 0 || ret < -4095)
        log_write(LOG_WARN, "[%4d] %s X %s = %#lx", current->tid, current->comm, name, (u64)ret);
    else if (-ret < (s64)ARRAY_SIZE(errno_names) && errno_names[-ret])
        log_write(LOG_WARN, "[%4d] %s X %s = %ld %s", current->tid, current->comm, name, ret,
                  errno_names[-ret]);
    else
        log_write(LOG_WARN, "[%4d] %s X %s = %ld", current->tid, current->comm, name, ret);
}
