// SPDX-License-Identifier: Apache-2.0
/*
 * The system calls that a serving gofer may make: one table, each entry with its reason. Anything
 * else kills the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/stat.h>
#include "gofer/server.h"

/* One permitted call; cmp narrows it (cmp.op == 0: any arguments). */
struct rule {
    int nr;
    bool writable; /* only if some mount is writable */
    struct scmp_arg_cmp cmp;
    const char *why;
};

/* mode argument of mknodat is a file of this type */
#define TYPE_IS(type) SCMP_A2_32(SCMP_CMP_MASKED_EQ, S_IFMT, type)

static const struct rule rules[] = {
    {SCMP_SYS(recvfrom), false, {0}, "receive a request"},
    {SCMP_SYS(sendmsg), false, {0}, "send a reply, with a donated descriptor"},
    {SCMP_SYS(openat2), false, {0}, "path.c: the only way to open anything"},
    {SCMP_SYS(newfstatat), false, {0}, "attributes of names"},
    {SCMP_SYS(fstat), false, {0}, "attributes of descriptors, in newer C libraries"},
    {SCMP_SYS(fstatfs), false, {0}, "STATFS"},
    {SCMP_SYS(readlinkat), false, {0}, "READLINK, WALK"},
    {SCMP_SYS(getdents64), false, {0}, "READDIR"},
    {SCMP_SYS(pread64), false, {0}, "READFILE"},
    {SCMP_SYS(lseek), false, {0}, "READDIR from a position"},
    {SCMP_SYS(fsync), false, {0}, "FSYNC"},
    {SCMP_SYS(fdatasync), false, {0}, "FSYNC"},
    {SCMP_SYS(close), false, {0}, "CLUNK, and donated descriptors"},
    {SCMP_SYS(fcntl), false, SCMP_A1_32(SCMP_CMP_EQ, F_DUPFD_CLOEXEC), "a fid of an open file"},
    {SCMP_SYS(write), false, {0}, "the log"},
    {SCMP_SYS(exit_group), false, {0}, "the other end is gone"},
    {SCMP_SYS(restart_syscall), false, {0}, "the kernel makes it after a stop"},
    {SCMP_SYS(ftruncate), true, {0}, "OPEN with O_TRUNC, SETATTR size"},
    {SCMP_SYS(fchmodat), true, {0}, "SETATTR, and modes of new files"},
    {SCMP_SYS(fchmod), true, {0}, "SETATTR of an open file"},
    {SCMP_SYS(fchownat), true, {0}, "SETATTR, and owners of new files"},
    {SCMP_SYS(utimensat), true, {0}, "SETATTR"},
    {SCMP_SYS(mkdirat), true, {0}, "MKDIR"},
    {SCMP_SYS(symlinkat), true, {0}, "SYMLINK"},
    {SCMP_SYS(linkat), true, {0}, "LINK"},
    {SCMP_SYS(mknodat), true, TYPE_IS(S_IFIFO), "MKNOD of a pipe"},
    {SCMP_SYS(mknodat), true, TYPE_IS(S_IFSOCK), "MKNOD of a socket"},
    {SCMP_SYS(unlinkat), true, {0}, "UNLINK"},
    {SCMP_SYS(renameat2), true, {0}, "RENAME"},
#ifdef __SANITIZE_ADDRESS__
    {SCMP_SYS(mmap), false, {0}, "sanitizer"},
    {SCMP_SYS(munmap), false, {0}, "sanitizer"},
    {SCMP_SYS(getpid), false, {0}, "sanitizer"},
    {SCMP_SYS(sigaltstack), false, {0}, "sanitizer"},
#endif
};

int confine_seccomp(bool writable)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int err = 0;

    if (!ctx)
        return -ENOMEM;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && !err; i++) {
        const struct rule *r = &rules[i];
        if (!r->writable || writable)
            err = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, r->nr, r->cmp.op ? 1 : 0, &r->cmp);
    }
    if (!err)
        err = seccomp_load(ctx);
    seccomp_release(ctx);
    return err;
}
