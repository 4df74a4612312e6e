// SPDX-License-Identifier: Apache-2.0
//
// mount, umount2. There is one mount namespace, so that propagation between namespaces has nothing
// to do.

#include <linux/capability.h>
#include "sentry/fs/internal.h"
#include "sentry/fs/options.h"
#include "sentry/syscall/syscall.h"

#define PROPAGATION (u64)(MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#define FLAG_MASK   (u64)(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME)
#define DATA_MAX    PAGE_SIZE

/* A string argument that may be NULL: then "". */
static char *optional_string(uva_t s, size_t max)
{
    char *buf = kzalloc(max);

    if (!buf)
        return ERR_PTR(-ENOMEM);
    long n = s ? strncpy_from_user(buf, s, max) : 0;
    if (n < 0) {
        kfree(buf);
        return ERR_PTR(n == -ENAMETOOLONG ? -EINVAL : n);
    }
    return buf;
}

static s64 mount_new_fs(const char *source, const char *type, const struct path *at, u32 flags,
                        const char *data)
{
    const struct fs_type *t = fs_find(type);

    if (!t || (t->flags & FS_BOOT))
        return -ENODEV;
    struct super *sb = t->mount(source, flags, data);
    if (IS_ERR(sb))
        return PTR_ERR(sb);
    s64 err = -ENOTDIR;
    if (S_ISDIR(sb->root->inode->attr.mode) == S_ISDIR(at->dentry->inode->attr.mode))
        err = mount_attach(sb, at, flags, source);
    super_put(sb);
    return err;
}

static s64 mount_from_path(const char *source, const struct path *at, u64 flags)
{
    struct path from;
    s64 err = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from);

    if (err)
        return err;
    if (flags & MS_MOVE)
        err = mount_move(&from, at);
    else if (S_ISDIR(from.dentry->inode->attr.mode) != S_ISDIR(at->dentry->inode->attr.mode))
        err = -ENOTDIR;
    else
        err = mount_bind(&from, at, flags & MS_REC);
    path_put(&from);
    return err;
}

static s64 do_mount(const char *source, const struct path *at, const char *type, u64 flags,
                    const char *data)
{
    u32 mnt_flags = (u32)(flags & FLAG_MASK);

    if (flags & MS_REMOUNT)
        return mount_remount(at, mnt_flags);
    if (flags & (MS_BIND | MS_MOVE))
        return mount_from_path(source, at, flags);
    if (flags & PROPAGATION)
        return at->dentry == at->mnt->root ? 0 : -EINVAL;
    return mount_new_fs(source, type, at, mnt_flags, data);
}

SYSCALL5(mount, uva_t, usource, uva_t, target, uva_t, utype, u64, flags, uva_t, udata)
{
    char *source, *type = NULL, *data = NULL;
    struct path at;
    s64 err;

    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
        flags &= ~(u64)MS_MGC_MSK;
    source = optional_string(usource, PATH_MAX);
    if (IS_ERR(source))
        return PTR_ERR(source);
    type = optional_string(utype, 64);
    data = IS_ERR(type) ? NULL : optional_string(udata, DATA_MAX);
    if (IS_ERR(type) || IS_ERR(data)) {
        err = IS_ERR(type) ? PTR_ERR(type) : PTR_ERR(data);
        type = IS_ERR(type) ? NULL : type;
        data = NULL;
    } else {
        err = path_lookup_user(AT_FDCWD, target, LOOKUP_FOLLOW, &at);
        if (!err) {
            err = do_mount(source, &at, type, flags, data);
            path_put(&at);
        }
    }
    kfree(source);
    kfree(type);
    kfree(data);
    return err;
}

SYSCALL2(umount2, uva_t, target, u32, flags)
{
    struct path at;
    s64 err;

    if (flags & ~(u32)(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
        return -EINVAL;
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    err = path_lookup_user(AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &at);
    if (err)
        return err;
    err = mount_detach(&at, flags);
    path_put(&at);
    return err;
}
