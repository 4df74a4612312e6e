// SPDX-License-Identifier: Apache-2.0
//
// Nameless files in memory: memfd_create and shared memory of the Sentry's own, on an instance of
// tmpfs that is not mounted anywhere. Seals of fcntl(2).

#include <linux/memfd.h>
#include "sentry/fs/internal.h"
#include "sentry/fs/tmpfs/tmpfs.h"
#include "sentry/syscall/syscall.h"

#define MEMFD_NAME_MAX 249
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#define MFD_EXEC        16u
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif
#define ALL_SEALS                                                                          \
    (u32)(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | \
          F_SEAL_EXEC)

static struct mount *shm_mount;

int memfd_init(void)
{
    struct super *sb = tmpfs_new("tmpfs", "size=0,mode=0777");

    if (IS_ERR(sb))
        return (int)PTR_ERR(sb);
    shm_mount = mount_new(sb, MS_NOSUID | MS_NODEV, "tmpfs");
    return shm_mount ? 0 : -ENOMEM;
}

/* Open file "name" on a new inode. */
static struct vfs_file *nameless(const char *name, u32 mode)
{
    struct inode *i = tmpfs_inode_new(shm_mount->sb, NULL, S_IFREG | mode);

    if (!i)
        return ERR_PTR(-ENOSPC);
    i->attr.nlink = 0;
    tmpfs_i(i)->seals = F_SEAL_SEAL;
    struct dentry *d = dentry_new_pseudo(name, i);
    if (!d)
        return ERR_PTR(-ENOMEM);
    struct path p = {shm_mount, d};
    struct vfs_file *f = file_new(&p, &tmpfs_file_fops, O_RDWR | O_LARGEFILE);
    dentry_put(d);
    if (!IS_ERR(f))
        inode_claim(f->inode, 1);
    return f;
}

struct vfs_file *shmem_file(const char *name, u64 size)
{
    struct vfs_file *f = nameless(name, 0777);

    if (!IS_ERR(f))
        f->inode->attr.size = size;
    return f;
}

SYSCALL2(memfd_create, uva_t, uname, u32, flags)
{
    static const char prefix[] = "/memfd:", suffix[] = " (deleted)";
    char name[sizeof(prefix) + MEMFD_NAME_MAX + sizeof(suffix)];

    if (flags & MFD_HUGETLB)
        return -ENOSYS; /* as a kernel without huge pages set aside */
    if (flags & ~(u32)(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC))
        return -EINVAL;
    if ((flags & MFD_NOEXEC_SEAL) && (flags & MFD_EXEC))
        return -EINVAL;
    memcpy(name, prefix, sizeof(prefix) - 1);
    long len = strncpy_from_user(name + sizeof(prefix) - 1, uname, MEMFD_NAME_MAX + 1);
    if (len < 0)
        return len == -ENAMETOOLONG ? -EINVAL : len;
    memcpy(name + sizeof(prefix) - 1 + len, suffix, sizeof(suffix));
    struct vfs_file *f = nameless(name, flags & MFD_NOEXEC_SEAL ? 0666 : 0777);
    if (IS_ERR(f))
        return PTR_ERR(f);
    struct tmpfs_inode *t = tmpfs_i(f->inode);
    t->sealable = true;
    if (flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL))
        t->seals = flags & MFD_NOEXEC_SEAL ? F_SEAL_EXEC : 0;
    return fd_install_new(f, flags & MFD_CLOEXEC);
}

static s64 add_seals(struct vfs_file *f, u32 seals)
{
    struct inode *i = f->inode;
    struct tmpfs_inode *t = tmpfs_i(i);
    s64 err = 0;

    if (!(f->mode & FMODE_WRITE))
        return -EPERM;
    if (seals & ~ALL_SEALS)
        return -EINVAL;
    down_write(&i->lock);
    if (t->seals & F_SEAL_SEAL)
        err = -EPERM;
    else if ((seals & F_SEAL_WRITE) && !(t->seals & F_SEAL_WRITE) &&
             __atomic_load_n(&t->writable_maps, __ATOMIC_ACQUIRE))
        err = -EBUSY;
    else
        t->seals |= seals;
    up_write(&i->lock);
    return err;
}

s64 memfd_fcntl(struct vfs_file *f, u32 cmd, u64 arg)
{
    if (f->ops != &tmpfs_file_fops || !tmpfs_i(f->inode)->sealable)
        return -EINVAL;
    return cmd == F_ADD_SEALS ? add_seals(f, (u32)arg) : (s64)tmpfs_i(f->inode)->seals;
}
