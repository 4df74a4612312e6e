// SPDX-License-Identifier: Apache-2.0
//
// open, openat, openat2, creat.

#include <linux/openat2.h>
#include "sentry/fs/internal.h"
#include "sentry/syscall/syscall.h"

#define VALID_FLAGS                                                                       \
    (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | \
     O_DSYNC | FASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |   \
     O_CLOEXEC | O_PATH | __O_TMPFILE)
#define PATH_FLAGS (O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)

static s64 do_open(int dirfd, uva_t name, struct open_how_k *how)
{
    struct uname_buf b;

    if (how->flags & O_PATH)
        how->flags &= PATH_FLAGS;
    if ((how->flags & __O_TMPFILE) &&
        ((how->flags & (O_TMPFILE | O_CREAT)) != O_TMPFILE || !(how->flags & (O_WRONLY | O_RDWR))))
        return -EINVAL;
    if ((how->flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
        return -EINVAL;
    int err = uname_get(&b, name, false);
    if (err)
        return err;
    int fd = fd_alloc(0, how->flags & O_CLOEXEC);
    if (fd >= 0) {
        struct vfs_file *f = vfs_open_how(dirfd, b.s, how);
        if (IS_ERR(f)) {
            fd_unreserve(fd);
            fd = (int)PTR_ERR(f);
        } else {
            fd_install(fd, f);
        }
    }
    uname_put(&b);
    return fd;
}

static s64 open_legacy(int dirfd, uva_t name, u32 flags, u32 mode)
{
    struct open_how_k how = {(flags & VALID_FLAGS) | O_LARGEFILE, mode & 07777, 0};

    return do_open(dirfd, name, &how);
}

SYSCALL3(open, uva_t, name, u32, flags, u32, mode)
{
    return open_legacy(AT_FDCWD, name, flags, mode);
}

SYSCALL4(openat, int, dirfd, uva_t, name, u32, flags, u32, mode)
{
    return open_legacy(dirfd, name, flags, mode);
}

SYSCALL2(creat, uva_t, name, u32, mode)
{
    return open_legacy(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

static int resolve_flags(u64 resolve, u32 *lookup)
{
    static const struct {
        u32 resolve, lookup;
    } map[] = {
        {RESOLVE_NO_XDEV, LOOKUP_NO_XDEV},         {RESOLVE_NO_MAGICLINKS, LOOKUP_NO_MAGICLINKS},
        {RESOLVE_NO_SYMLINKS, LOOKUP_NO_SYMLINKS}, {RESOLVE_BENEATH, LOOKUP_BENEATH},
        {RESOLVE_IN_ROOT, LOOKUP_IN_ROOT},
    };

    if ((resolve & RESOLVE_BENEATH) && (resolve & RESOLVE_IN_ROOT))
        return -EINVAL;
    for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
        if (resolve & map[i].resolve) {
            *lookup |= map[i].lookup;
            resolve &= ~(u64)map[i].resolve;
        }
    }
    if (resolve & RESOLVE_CACHED)
        return -EAGAIN; /* "not cached, try without" is a legal answer at any time */
    return resolve ? -EINVAL : 0;
}

/* A struct of the caller's size into ours: unknown tail bytes must be zero. */
static int copy_how(struct open_how *how, uva_t p, u64 size)
{
    u8 extra[64];

    if (size < sizeof(*how))
        return -EINVAL;
    if (size > PAGE_SIZE)
        return -E2BIG;
    if (copy_from_user(how, p, sizeof(*how)))
        return -EFAULT;
    for (u64 off = sizeof(*how); off < size; off += sizeof(extra)) {
        u64 n = MIN(size - off, sizeof(extra));
        if (copy_from_user(extra, p + off, n))
            return -EFAULT;
        for (u64 i = 0; i < n; i++)
            if (extra[i])
                return -E2BIG;
    }
    return 0;
}

SYSCALL4(openat2, int, dirfd, uva_t, name, uva_t, uhow, u64, size)
{
    struct open_how how;
    int err = copy_how(&how, uhow, size);

    if (err)
        return err;
    if ((how.flags & ~(u64)VALID_FLAGS) || (how.mode & ~07777ULL))
        return -EINVAL;
    if (how.mode && !(how.flags & (O_CREAT | __O_TMPFILE)))
        return -EINVAL;
    if ((how.flags & O_PATH) && (how.flags & ~(u64)(PATH_FLAGS | O_LARGEFILE)))
        return -EINVAL;
    struct open_how_k k = {(u32)how.flags | O_LARGEFILE, (u32)how.mode, 0};
    err = resolve_flags(how.resolve, &k.lookup);
    return err ? err : do_open(dirfd, name, &k);
}
