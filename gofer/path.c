// SPDX-License-Identifier: Apache-2.0
/*
 * Every open(2) that the gofer makes for the Sentry. Names are single components, so there is
 * nothing to climb; openat2 is told all the same that it must stay beneath the directory and that
 * neither links nor magic links count. Devices, pipes and sockets of the host are never opened:
 * opening can have effects, and what it would give is not a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "gofer/server.h"

int open_below(int dirfd, const char *path, u64 flags, u32 mode)
{
    struct open_how how = {
        .flags = flags | O_NOFOLLOW | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY),
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
    };
    long fd;

    /* EAGAIN: a rename went on somewhere in the file system, so the kernel could not be sure. */
    for (int tries = 0; tries < 16; tries++) {
        fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return fd >= 0 ? (int)fd : -errno;
}

bool open_flags_ok(u32 flags)
{
    return !(flags & ~(u32)(O_ACCMODE | O_APPEND | O_TRUNC)) && (flags & O_ACCMODE) != O_ACCMODE;
}

int open_regular(int dirfd, const char *name, u32 flags)
{
    struct stat st;
    int fd, err;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? -EISDIR : S_ISLNK(st.st_mode) ? -ELOOP : -EACCES;
    /*
     * In a shared directory the name may become something else before the open. The mounts are
     * nodev, O_NONBLOCK keeps a pipe from blocking, and truncation waits until we know.
     */
    fd = open_below(dirfd, name, (flags & (O_ACCMODE | O_APPEND)) | O_NONBLOCK, 0);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        err = -errno;
    else if (!S_ISREG(st.st_mode))
        err = -EACCES;
    else if ((flags & O_TRUNC) && ftruncate(fd, 0) < 0)
        err = -errno;
    else
        return fd;
    close(fd);
    return err;
}
