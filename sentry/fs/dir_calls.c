// SPDX-License-Identifier: Apache-2.0
//
// Calls that make and remove names: mkdir, mknod, symlink, link, unlink, rmdir. rename is next
// door.

#include <linux/capability.h>
#include "sentry/fs/internal.h"
#include "sentry/syscall/syscall.h"

/* A name about to be made: create_begin ... create_end. Lives on the caller's stack. */
struct creation {
    struct walk w;
    struct inode *dir; /* locked for write */
    struct dentry *d;  /* negative */
};

static int create_walk(struct creation *c, bool isdir)
{
    int err = walk_parent(&c->w);

    if (err)
        return err;
    if (!c->w.last_len || last_is_dots(&c->w))
        return -EEXIST;
    c->dir = c->w.path.dentry->inode;
    if (!S_ISDIR(c->dir->attr.mode))
        return -ENOTDIR;
    err = inode_permission(c->dir, MAY_EXEC);
    if (err)
        return err;
    down_write(&c->dir->lock);
    c->d = dentry_child_locked(c->w.path.dentry, c->w.last, c->w.last_len);
    if (IS_ERR(c->d))
        err = (int)PTR_ERR(c->d);
    else if (c->d->inode)
        err = -EEXIST;
    else if (c->w.last_slash && !isdir)
        err = -ENOENT;
    else
        err = dir_may_create(&c->w.path);
    if (!err)
        return 0;
    if (!IS_ERR(c->d))
        dentry_put(c->d);
    up_write(&c->dir->lock);
    return err;
}

static int create_begin(struct creation *c, int dirfd, const char *name, bool isdir)
{
    int err = walk_start(&c->w, dirfd, name, 0);

    if (!err)
        err = create_walk(c, isdir);
    if (err)
        walk_end(&c->w);
    return err;
}

static void create_end(struct creation *c)
{
    up_write(&c->dir->lock);
    dentry_put(c->d);
    walk_end(&c->w);
}

/* Run body with the user string uname as `name`; the handler returns its result. */
#define WITH_NAME(uname, call)                 \
    struct uname_buf b_;                       \
    s64 ret_ = uname_get(&b_, (uname), false); \
    if (!ret_) {                               \
        const char *name = b_.s;               \
        ret_ = (call);                         \
        uname_put(&b_);                        \
    }                                          \
    return ret_

int vfs_mkdir(int dirfd, const char *name, u32 mode)
{
    struct creation c;
    int err = create_begin(&c, dirfd, name, true);

    if (err)
        return err;
    mode &= 01777 & ~current_umask();
    err = c.dir->ops->mkdir ? c.dir->ops->mkdir(c.dir, c.d, S_IFDIR | mode) : -EPERM;
    create_end(&c);
    return err;
}

SYSCALL2(mkdir, uva_t, path, u32, mode)
{
    WITH_NAME(path, vfs_mkdir(AT_FDCWD, name, mode));
}

SYSCALL3(mkdirat, int, dirfd, uva_t, path, u32, mode)
{
    WITH_NAME(path, vfs_mkdir(dirfd, name, mode));
}

int vfs_mknod(int dirfd, const char *name, u32 mode, u64 dev, struct path *out)
{
    struct creation c;
    int err;

    if (!(mode & S_IFMT))
        mode |= S_IFREG;
    if (S_ISDIR(mode))
        return -EPERM;
    if (!S_ISREG(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode) && !S_ISCHR(mode) && !S_ISBLK(mode))
        return -EINVAL;
    if ((S_ISCHR(mode) || S_ISBLK(mode)) && !capable(CAP_MKNOD))
        return -EPERM;
    err = create_begin(&c, dirfd, name, false);
    if (err)
        return err;
    const struct inode_ops *ops = c.dir->ops;
    mode &= S_IFMT | (07777 & ~current_umask());
    if (S_ISREG(mode))
        err = ops->create ? ops->create(c.dir, c.d, mode) : -EPERM;
    else
        err = ops->mknod ? ops->mknod(c.dir, c.d, mode, dev) : -EPERM;
    if (!err && out) {
        *out = (struct path){c.w.path.mnt, c.d};
        path_get(out);
    }
    create_end(&c);
    return err;
}

SYSCALL3(mknod, uva_t, path, u32, mode, u32, dev)
{
    WITH_NAME(path, vfs_mknod(AT_FDCWD, name, mode, dev, NULL));
}

SYSCALL4(mknodat, int, dirfd, uva_t, path, u32, mode, u32, dev)
{
    WITH_NAME(path, vfs_mknod(dirfd, name, mode, dev, NULL));
}

int vfs_symlink(const char *target, int dirfd, const char *name)
{
    struct creation c;
    int err = create_begin(&c, dirfd, name, false);

    if (err)
        return err;
    err = c.dir->ops->symlink ? c.dir->ops->symlink(c.dir, c.d, target) : -EPERM;
    create_end(&c);
    return err;
}

static s64 do_symlink(uva_t utarget, int dirfd, const char *name)
{
    char *target = getname(utarget, false);

    if (IS_ERR(target))
        return PTR_ERR(target);
    s64 err = vfs_symlink(target, dirfd, name);
    kfree(target);
    return err;
}

SYSCALL2(symlink, uva_t, target, uva_t, path)
{
    WITH_NAME(path, do_symlink(target, AT_FDCWD, name));
}

SYSCALL3(symlinkat, uva_t, target, int, dirfd, uva_t, path)
{
    WITH_NAME(path, do_symlink(target, dirfd, name));
}

static int link_to(struct creation *c, const struct path *old)
{
    struct inode *i = old->dentry->inode;
    int err = 0;

    if (old->mnt != c->w.path.mnt)
        return -EXDEV;
    if (S_ISDIR(i->attr.mode) || !c->dir->ops->link)
        return -EPERM;
    down_write(&i->lock);
    if (!i->attr.nlink && !(i->flags & INODE_LINKABLE))
        err = -ENOENT;
    if (!err)
        err = c->dir->ops->link(c->dir, c->d, i);
    up_write(&i->lock);
    return err;
}

static s64 do_link(int olddir, uva_t oldname, int newdir, const char *newname, u32 flags)
{
    u32 lookup = (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) |
                 (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
    struct creation c;
    struct path old;
    int err;

    if (flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if ((flags & AT_EMPTY_PATH) && !capable(CAP_DAC_READ_SEARCH))
        return -ENOENT;
    err = path_lookup_user(olddir, oldname, lookup, &old);
    if (err)
        return err;
    err = create_begin(&c, newdir, newname, false);
    if (!err) {
        err = link_to(&c, &old);
        create_end(&c);
    }
    path_put(&old);
    return err;
}

SYSCALL2(link, uva_t, oldname, uva_t, newname)
{
    WITH_NAME(newname, do_link(AT_FDCWD, oldname, AT_FDCWD, name, 0));
}

SYSCALL5(linkat, int, olddir, uva_t, oldname, int, newdir, uva_t, newname, u32, flags)
{
    WITH_NAME(newname, do_link(olddir, oldname, newdir, name, flags));
}

/* ---- removing ---- */

int dir_may_delete(struct inode *dir, struct dentry *victim, bool isdir)
{
    struct inode *i = victim->inode;
    u32 me = current->cred->fsuid;
    int err = inode_permission(dir, MAY_WRITE | MAY_EXEC);

    if (err)
        return err;
    if ((dir->attr.mode & S_ISVTX) && me != i->attr.uid && me != dir->attr.uid &&
        !capable(CAP_FOWNER))
        return -EPERM;
    if (isdir && !S_ISDIR(i->attr.mode))
        return -ENOTDIR;
    if (!isdir && S_ISDIR(i->attr.mode))
        return -EISDIR;
    if (isdir && victim->parent == victim)
        return -EBUSY;
    return dir->flags & INODE_DEAD ? -ENOENT : 0;
}

/* Remove the positive child d of dir (locked); the inode stays until the caller lets go of it. */
static int remove_child(struct inode *dir, struct dentry *d, bool isdir)
{
    int (*op)(struct inode *, struct dentry *) = isdir ? dir->ops->rmdir : dir->ops->unlink;
    struct inode *i = d->inode;
    int err;

    if (!op)
        return -EPERM;
    down_write(&i->lock);
    err = d->flags & DENTRY_MOUNTED ? -EBUSY : op(dir, d);
    if (!err && isdir)
        i->flags |= INODE_DEAD;
    up_write(&i->lock);
    if (err)
        return err;
    if (isdir)
        dentry_drop_children(d);
    dentry_make_negative(d);
    return 0;
}

static int remove_last(struct walk *w, bool isdir)
{
    struct inode *dir = w->path.dentry->inode, *i = NULL;
    int err;

    if (!S_ISDIR(dir->attr.mode))
        return -ENOTDIR;
    err = inode_permission(dir, MAY_EXEC);
    if (err)
        return err;
    down_write(&dir->lock);
    struct dentry *d = dentry_child_locked(w->path.dentry, w->last, w->last_len);
    err = IS_ERR(d) ? (int)PTR_ERR(d) : 0;
    if (!err) {
        i = d->inode;
        if (i)
            inode_get(i); /* freeing it may take long: not under the lock */
        if (!i)
            err = -ENOENT;
        else if (!isdir && w->last_slash)
            err = S_ISDIR(i->attr.mode) ? -EISDIR : -ENOTDIR;
        else
            err = path_writable(&w->path);
        if (!err)
            err = dir_may_delete(dir, d, isdir);
        if (!err)
            err = remove_child(dir, d, isdir);
    }
    up_write(&dir->lock);
    if (!IS_ERR(d))
        dentry_put(d);
    inode_put(i);
    return err;
}

static s64 do_remove(int dirfd, uva_t name, bool isdir)
{
    struct uname_buf b;
    struct walk w;
    int err = uname_get(&b, name, false);

    if (err)
        return err;
    err = walk_start(&w, dirfd, b.s, 0);
    if (!err)
        err = walk_parent(&w);
    if (!err && (!w.last_len || last_is_dots(&w)))
        err = !isdir ? -EISDIR : !w.last_len ? -EBUSY : w.last_len == 1 ? -EINVAL : -ENOTEMPTY;
    if (!err)
        err = remove_last(&w, isdir);
    walk_end(&w);
    uname_put(&b);
    return err;
}

SYSCALL1(unlink, uva_t, name)
{
    return do_remove(AT_FDCWD, name, false);
}

SYSCALL1(rmdir, uva_t, name)
{
    return do_remove(AT_FDCWD, name, true);
}

SYSCALL3(unlinkat, int, dirfd, uva_t, name, u32, flags)
{
    if (flags & ~(u32)AT_REMOVEDIR)
        return -EINVAL;
    return do_remove(dirfd, name, flags & AT_REMOVEDIR);
}
