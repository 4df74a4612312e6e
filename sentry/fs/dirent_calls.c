// SPDX-License-Identifier: Apache-2.0
//
// getdents, getdents64; working directory and root; readlink.

#include <linux/capability.h>
#include "sentry/fs/internal.h"
#include "sentry/syscall/syscall.h"

#define DENTS_MAX (32 * 1024)

/* Entries are laid out in kernel memory and copied out once. Lives on the stack of the call. */
struct dents {
    struct dir_emitter e;
    char *buf;
    size_t cap, len;
    size_t last; /* offset of the last entry, for its d_off */
    bool old;    /* getdents: struct linux_dirent */
    bool full;
};

struct dirent64 {
    u64 ino;
    s64 off;
    u16 reclen;
    u8 type;
    char name[];
};

struct dirent_old {
    u64 ino;
    u64 off;
    u16 reclen;
    char name[]; /* the type follows the name's NUL and padding: last byte of the record */
};

static bool emit(struct dir_emitter *e, const char *name, size_t len, u64 ino, u32 type, u64 next)
{
    struct dents *d = container_of(e, struct dents, e);
    size_t head = d->old ? offsetof(struct dirent_old, name) : offsetof(struct dirent64, name);
    size_t reclen = ROUND_UP(head + len + (d->old ? 2 : 1), 8);

    if (d->len + reclen > d->cap) {
        d->full = true;
        return false;
    }
    char *rec = d->buf + d->len;
    memset(rec, 0, reclen);
    if (d->old) {
        struct dirent_old *r = (struct dirent_old *)rec;
        *r = (struct dirent_old){.ino = ino, .off = next, .reclen = (u16)reclen};
        rec[reclen - 1] = (char)type;
    } else {
        struct dirent64 *r = (struct dirent64 *)rec;
        *r = (struct dirent64){
            .ino = ino, .off = (s64)next, .reclen = (u16)reclen, .type = (u8)type};
    }
    memcpy(rec + head, name, len);
    d->last = d->len;
    d->len += reclen;
    return true;
}

static s64 read_dents(struct vfs_file *f, struct dents *d, uva_t out)
{
    struct inode *dir = f->inode;
    u64 start;
    s64 ret;

    mutex_lock(&f->pos_lock);
    start = f->pos;
    down_read(&dir->lock);
    ret = dir->flags & INODE_DEAD ? -ENOENT : f->ops->readdir(f, &d->e);
    up_read(&dir->lock);
    if (!ret && d->full && !d->len)
        ret = -EINVAL;
    if (d->len && copy_to_user(out, d->buf, d->len)) {
        f->pos = start;
        ret = -EFAULT;
        d->len = 0;
    }
    mutex_unlock(&f->pos_lock);
    file_accessed(f);
    return d->len ? (s64)d->len : ret;
}

static s64 do_getdents(int fd, uva_t out, u32 count, bool old)
{
    struct dents d = {.e.emit = emit, .cap = MIN(count, (u32)DENTS_MAX), .old = old};
    struct vfs_file *f = fd_get(fd);
    s64 ret = -ENOTDIR;

    if (!f)
        return -EBADF;
    if (S_ISDIR(f->inode->attr.mode) && f->ops->readdir) {
        d.buf = kmalloc(MAX(d.cap, (size_t)16));
        ret = d.buf ? read_dents(f, &d, out) : -ENOMEM;
        kfree(d.buf);
    }
    file_put(f);
    return ret;
}

SYSCALL3(getdents64, int, fd, uva_t, out, u32, count)
{
    return do_getdents(fd, out, count, false);
}

SYSCALL3(getdents, int, fd, uva_t, out, u32, count)
{
    return do_getdents(fd, out, count, true);
}

/* ---- working directory and root ---- */

SYSCALL2(getcwd, uva_t, out, u64, size)
{
    static const char lost[] = "(unreachable)";
    struct path cwd, root;
    char *buf = kmalloc(PATH_MAX + sizeof(lost));
    int what;

    if (!buf)
        return -ENOMEM;
    current_cwd(&cwd);
    current_root(&root);
    char *s = path_text(&cwd, &root, buf + sizeof(lost), PATH_MAX, &what);
    path_put(&cwd);
    path_put(&root);
    s64 ret;
    if (IS_ERR(s)) {
        ret = PTR_ERR(s);
    } else if (what & PATH_DELETED) {
        ret = -ENOENT;
    } else {
        if (what & PATH_UNREACHABLE) {
            s -= sizeof(lost) - 1;
            memcpy(s, lost, sizeof(lost) - 1);
        }
        size_t len = strlen(s) + 1;
        ret = len > size ? -ERANGE : copy_to_user(out, s, len) ? -EFAULT : (s64)len;
    }
    kfree(buf);
    return ret;
}

SYSCALL1(chdir, uva_t, name)
{
    struct path p;
    int err = path_lookup_user(AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

    if (err)
        return err;
    err = inode_permission(p.dentry->inode, MAY_EXEC);
    if (err)
        path_put(&p);
    else
        fs_context_set(current->fs, &p, NULL);
    return err;
}

SYSCALL1(fchdir, int, fd)
{
    struct vfs_file *f = fd_get_any(fd);
    int err;

    if (!f)
        return -EBADF;
    err = S_ISDIR(f->inode->attr.mode) ? inode_permission(f->inode, MAY_EXEC) : -ENOTDIR;
    if (!err) {
        struct path p = f->path;
        path_get(&p);
        fs_context_set(current->fs, &p, NULL);
    }
    file_put(f);
    return err;
}

SYSCALL1(chroot, uva_t, name)
{
    struct path p;
    int err = path_lookup_user(AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

    if (err)
        return err;
    err = inode_permission(p.dentry->inode, MAY_EXEC);
    if (!err && !capable(CAP_SYS_CHROOT))
        err = -EPERM;
    if (err)
        path_put(&p);
    else
        fs_context_set(current->fs, NULL, &p);
    return err;
}

/* ---- readlink ---- */

static s64 do_readlink(int dirfd, uva_t name, uva_t out, int size)
{
    struct path p;
    s64 ret;

    if (size <= 0)
        return -EINVAL;
    ret = path_lookup_user(dirfd, name, LOOKUP_EMPTY, &p);
    if (ret)
        return ret;
    struct inode *i = p.dentry->inode;
    char *buf = NULL;
    if (!S_ISLNK(i->attr.mode) || !i->ops->readlink) {
        char first = 0;
        ret = get_user(first, name) ? -EFAULT : first ? -EINVAL : -ENOENT;
    } else {
        buf = kmalloc(PATH_MAX);
        ret = buf ? i->ops->readlink(i, buf, PATH_MAX) : -ENOMEM;
    }
    if (ret > 0) {
        ret = MIN(ret, (s64)size);
        if (copy_to_user(out, buf, (size_t)ret))
            ret = -EFAULT;
    }
    kfree(buf);
    path_put(&p);
    return ret;
}

SYSCALL3(readlink, uva_t, name, uva_t, out, int, size)
{
    return do_readlink(AT_FDCWD, name, out, size);
}

SYSCALL4(readlinkat, int, dirfd, uva_t, name, uva_t, out, int, size)
{
    return do_readlink(dirfd, name, out, size);
}
