// SPDX-License-Identifier: Apache-2.0
//
// Extended attributes. Name spaces: user.* needs file permission, trusted.* and security.*
// privileges.

#include <linux/capability.h>
#include <linux/xattr.h>
#include "sentry/fs/internal.h"
#include "sentry/syscall/syscall.h"

static bool prefixed(const char *name, const char *prefix)
{
    return !strncmp(name, prefix, strlen(prefix));
}

static int check_name(struct inode *i, const char *name, bool write)
{
    u32 fmt = i->attr.mode & S_IFMT;

    if (prefixed(name, "trusted."))
        return capable(CAP_SYS_ADMIN) ? 0 : write ? -EPERM : -ENODATA;
    if (prefixed(name, "security."))
        return write && !capable(CAP_SYS_ADMIN) && strcmp(name, "security.capability") ? -EPERM : 0;
    if (prefixed(name, "system."))
        return -EOPNOTSUPP;
    if (!prefixed(name, "user.") || !name[5])
        return -EOPNOTSUPP;
    if (fmt != S_IFREG && fmt != S_IFDIR)
        return write ? -EPERM : -ENODATA;
    if (write && fmt == S_IFDIR && (i->attr.mode & S_ISVTX) &&
        current->cred->fsuid != i->attr.uid && !capable(CAP_FOWNER))
        return -EPERM;
    return inode_permission(i, write ? MAY_WRITE : MAY_READ);
}

static int copy_name(char *buf, uva_t name)
{
    long n = strncpy_from_user(buf, name, XATTR_NAME_MAX + 1);

    return n == -ENAMETOOLONG || n == 0 ? -ERANGE : n < 0 ? (int)n : 0;
}

static s64 get_xattr(const struct path *p, uva_t uname, uva_t out, u64 size)
{
    struct inode *i = p->dentry->inode;
    char name[XATTR_NAME_MAX + 1];
    char *buf = NULL;
    s64 ret = copy_name(name, uname);

    if (!ret)
        ret = check_name(i, name, false);
    if (ret)
        return ret;
    if (!i->ops->getxattr)
        return -EOPNOTSUPP;
    size = MIN(size, (u64)XATTR_SIZE_MAX);
    if (size && !(buf = kmalloc(size)))
        return -ENOMEM;
    ret = i->ops->getxattr(i, name, buf, size);
    if (ret > 0 && size && copy_to_user(out, buf, (size_t)ret))
        ret = -EFAULT;
    kfree(buf);
    return ret;
}

static s64 change_xattr(const struct path *p, const char *name, const void *value, u64 size,
                        u32 flags)
{
    struct inode *i = p->dentry->inode;
    s64 ret = path_writable(p);

    if (!ret)
        ret = check_name(i, name, true);
    if (ret)
        return ret;
    if (!i->ops->setxattr)
        return -EOPNOTSUPP;
    down_write(&i->lock);
    ret = i->ops->setxattr(i, name, value, size, flags);
    up_write(&i->lock);
    return ret;
}

static s64 set_xattr(const struct path *p, uva_t uname, uva_t in, u64 size, u32 flags)
{
    char name[XATTR_NAME_MAX + 1];
    s64 ret = copy_name(name, uname);

    if (ret)
        return ret;
    if (flags & ~(u32)(XATTR_CREATE | XATTR_REPLACE))
        return -EINVAL;
    if (size > XATTR_SIZE_MAX)
        return -E2BIG;
    char *buf = kmalloc(size + 1);
    if (!buf)
        return -ENOMEM;
    if (size && copy_from_user(buf, in, size))
        ret = -EFAULT;
    else
        ret = change_xattr(p, name, buf, size, flags);
    kfree(buf);
    return ret;
}

static s64 list_xattr(const struct path *p, uva_t out, u64 size)
{
    struct inode *i = p->dentry->inode;
    char *buf = NULL;

    if (!i->ops->listxattr)
        return 0;
    size = MIN(size, (u64)XATTR_LIST_MAX);
    if (size && !(buf = kmalloc(size)))
        return -ENOMEM;
    s64 ret = i->ops->listxattr(i, buf, size);
    if (ret > 0 && size && copy_to_user(out, buf, (size_t)ret))
        ret = -EFAULT;
    kfree(buf);
    return ret;
}

static s64 remove_xattr(const struct path *p, uva_t uname)
{
    char name[XATTR_NAME_MAX + 1];
    s64 ret = copy_name(name, uname);

    return ret ? ret : change_xattr(p, name, NULL, 0, 0);
}

/* Each call exists for a path, for a link itself, and for a descriptor. */
#define WITH_PATH(follow, call)                             \
    struct path p;                                          \
    s64 ret = path_lookup_user(AT_FDCWD, path, follow, &p); \
    if (ret)                                                \
        return ret;                                         \
    ret = call;                                             \
    path_put(&p);                                           \
    return ret
#define WITH_FD(call)                \
    struct vfs_file *f = fd_get(fd); \
    if (!f)                          \
        return -EBADF;               \
    struct path p = f->path;         \
    s64 ret = call;                  \
    file_put(f);                     \
    return ret

SYSCALL4(getxattr, uva_t, path, uva_t, name, uva_t, value, u64, size)
{
    WITH_PATH(LOOKUP_FOLLOW, get_xattr(&p, name, value, size));
}

SYSCALL4(lgetxattr, uva_t, path, uva_t, name, uva_t, value, u64, size)
{
    WITH_PATH(0, get_xattr(&p, name, value, size));
}

SYSCALL4(fgetxattr, int, fd, uva_t, name, uva_t, value, u64, size)
{
    WITH_FD(get_xattr(&p, name, value, size));
}

SYSCALL5(setxattr, uva_t, path, uva_t, name, uva_t, value, u64, size, u32, flags)
{
    WITH_PATH(LOOKUP_FOLLOW, set_xattr(&p, name, value, size, flags));
}

SYSCALL5(lsetxattr, uva_t, path, uva_t, name, uva_t, value, u64, size, u32, flags)
{
    WITH_PATH(0, set_xattr(&p, name, value, size, flags));
}

SYSCALL5(fsetxattr, int, fd, uva_t, name, uva_t, value, u64, size, u32, flags)
{
    WITH_FD(set_xattr(&p, name, value, size, flags));
}

SYSCALL3(listxattr, uva_t, path, uva_t, list, u64, size)
{
    WITH_PATH(LOOKUP_FOLLOW, list_xattr(&p, list, size));
}

SYSCALL3(llistxattr, uva_t, path, uva_t, list, u64, size)
{
    WITH_PATH(0, list_xattr(&p, list, size));
}

SYSCALL3(flistxattr, int, fd, uva_t, list, u64, size)
{
    WITH_FD(list_xattr(&p, list, size));
}

SYSCALL2(removexattr, uva_t, path, uva_t, name)
{
    WITH_PATH(LOOKUP_FOLLOW, remove_xattr(&p, name));
}

SYSCALL2(lremovexattr, uva_t, path, uva_t, name)
{
    WITH_PATH(0, remove_xattr(&p, name));
}

SYSCALL2(fremovexattr, int, fd, uva_t, name)
{
    WITH_FD(remove_xattr(&p, name));
}
