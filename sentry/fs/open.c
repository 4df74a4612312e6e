// SPDX-License-Identifier: Apache-2.0
//
// Opening: from a path and open(2) flags to an open file; creation, truncation, special files.

#include <linux/capability.h>
#include "sentry/fs/internal.h"

int dir_may_create(const struct path *dir)
{
    struct inode *i = dir->dentry->inode;

    if (i->flags & INODE_DEAD)
        return -ENOENT;
    int err = path_writable(dir);
    return err ? err : inode_permission(i, MAY_WRITE | MAY_EXEC);
}

/* Create the negative child *d of w->path; dir->lock held for write. */
static int create_file(struct walk *w, struct dentry *d, u32 mode)
{
    struct inode *dir = w->path.dentry->inode;
    int err = dir_may_create(&w->path);

    if (err)
        return err;
    if (!dir->ops->create)
        return -EACCES;
    mode &= 07777 & ~current_umask();
    return dir->ops->create(dir, d, S_IFREG | mode);
}

/* The last component of an O_CREAT open: as walk_last; *created when it was made here. */
static int open_create(struct walk *w, const struct open_how_k *how, bool *created)
{
    struct dentry *dirent = w->path.dentry;
    struct inode *dir = dirent->inode;
    int err;

    if (!S_ISDIR(dir->attr.mode))
        return -ENOTDIR;
    err = inode_permission(dir, MAY_EXEC);
    if (err)
        return err;
    struct dentry *d = dentry_child(dirent, w->last, w->last_len);
    if (IS_ERR(d))
        return (int)PTR_ERR(d);
    if (!d->inode) {
        dentry_put(d);
        down_write(&dir->lock);
        d = dentry_child_locked(dirent, w->last, w->last_len);
        err = IS_ERR(d) ? (int)PTR_ERR(d) : 0;
        if (!err && !d->inode) {
            err = create_file(w, d, how->mode);
            *created = !err;
            if (err)
                dentry_put(d);
        }
        up_write(&dir->lock);
        if (err)
            return err;
    }
    if (!*created && (how->flags & O_EXCL)) {
        dentry_put(d);
        return -EEXIST;
    }
    return walk_into(w, d, !(how->flags & (O_NOFOLLOW | O_EXCL)));
}

static int open_walk(struct walk *w, const struct open_how_k *how, bool *created)
{
    int err;

    do {
        err = walk_parent(w);
        if (err)
            return err;
        if (!(how->flags & O_CREAT))
            err = walk_last(w, !(how->flags & O_NOFOLLOW));
        else if (!w->last_len || last_is_dots(w) || w->last_slash)
            return how->flags & O_EXCL && !w->last_slash ? -EEXIST : -EISDIR;
        else
            err = open_create(w, how, created);
    } while (err == 1);
    return err;
}

static u32 wanted_access(u32 flags)
{
    static const u32 acc[4] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE};
    u32 want = acc[flags & O_ACCMODE];

    return flags & O_TRUNC ? want | MAY_WRITE : want;
}

static int may_open(const struct path *p, u32 flags, bool created)
{
    struct inode *i = p->dentry->inode;
    u32 mode = i->attr.mode, want = wanted_access(flags);
    bool write = want & MAY_WRITE;

    if (S_ISLNK(mode))
        return flags & O_PATH ? 0 : -ELOOP;
    if ((flags & O_DIRECTORY) && !S_ISDIR(mode))
        return -ENOTDIR;
    if (flags & O_PATH)
        return 0;
    if (S_ISDIR(mode) && (write || (flags & O_CREAT)))
        return -EISDIR;
    if (S_ISSOCK(mode))
        return -ENXIO;
    if ((S_ISCHR(mode) || S_ISBLK(mode)) && (p->mnt->flags & MS_NODEV))
        return -EACCES;
    if (write && S_ISREG(mode) && path_writable(p))
        return -EROFS;
    if (created)
        return 0;
    int err = inode_permission(i, want);
    if (!err && (flags & O_NOATIME) && current->cred->fsuid != i->attr.uid && !capable(CAP_FOWNER))
        err = -EPERM;
    return err;
}

static int open_special(struct vfs_file *f)
{
    struct inode *i = f->inode;

    if (i->ops->open)
        return i->ops->open(i, f);
    switch (i->attr.mode & S_IFMT) {
    case S_IFIFO:
        return fifo_open(i, f);
    case S_IFCHR:
        return chrdev_open(i, f);
    case S_IFBLK:
        return -ENXIO;
    default:
        return 0;
    }
}

/* Undo of a half opened file: as file_put, but release is not due. */
static struct vfs_file *open_failed(struct vfs_file *f, int err)
{
    static const struct file_ops none = {0};

    f->ops = &none;
    file_put(f);
    return ERR_PTR(err);
}

static struct vfs_file *open_checked(const struct path *p, u32 flags, bool created)
{
    struct inode *i = p->dentry->inode;
    struct vfs_file *f = file_new(p, i->fops, flags);

    if (IS_ERR(f) || (flags & O_PATH))
        return f;
    if (S_ISREG(i->attr.mode) && (f->mode & FMODE_WRITE)) {
        int err = inode_claim(i, 1);
        if (err) {
            f->mode = 0;
            return open_failed(f, err);
        }
    }
    int err = open_special(f);
    if (err)
        return open_failed(f, err);
    if ((flags & O_TRUNC) && S_ISREG(i->attr.mode) && !created && i->attr.size) {
        err = do_truncate(i, 0);
        if (err) {
            file_put(f);
            return ERR_PTR(err);
        }
    }
    f->flags &= ~(u32)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC);
    return f;
}

/* O_TMPFILE: a nameless file in the directory that the path names. */
static struct vfs_file *open_tmpfile(const struct path *dir, const struct open_how_k *how)
{
    struct inode *parent = dir->dentry->inode, *i;
    int err = path_writable(dir);

    if (!err)
        err = inode_permission(parent, MAY_WRITE | MAY_EXEC);
    if (!err && !parent->ops->tmpfile)
        err = -EOPNOTSUPP;
    if (!err)
        err = parent->ops->tmpfile(parent, S_IFREG | (how->mode & 07777 & ~current_umask()), &i);
    if (err)
        return ERR_PTR(err);
    char name[32];
    snprintf_(name, sizeof(name), "#%lu", i->attr.ino);
    struct dentry *d = dentry_alloc(dir->dentry, name, strlen(name));
    if (!d) {
        inode_put(i);
        return ERR_PTR(-ENOMEM);
    }
    d->flags |= DENTRY_UNHASHED;
    if (!(how->flags & O_EXCL))
        i->flags |= INODE_LINKABLE;
    dentry_instantiate(d, i);
    struct path p = {dir->mnt, d};
    struct vfs_file *f = open_checked(&p, how->flags & ~(u32)(O_DIRECTORY | O_EXCL), true);
    dentry_put(d);
    return f;
}

struct vfs_file *vfs_open_how(int dirfd, const char *name, const struct open_how_k *how)
{
    bool tmpfile = (how->flags & O_TMPFILE) == O_TMPFILE, created = false;
    struct vfs_file *f;
    struct walk w;
    int err;

    if (tmpfile) {
        struct path dir;
        err = path_lookup(dirfd, name, how->lookup | LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &dir);
        if (err)
            return ERR_PTR(err);
        f = open_tmpfile(&dir, how);
        path_put(&dir);
        return f;
    }
    err = walk_start(&w, dirfd, name, how->lookup);
    if (!err)
        err = open_walk(&w, how, &created);
    if (!err)
        err = may_open(&w.path, how->flags, created);
    f = err ? ERR_PTR(err) : open_checked(&w.path, how->flags, created);
    walk_end(&w);
    return f;
}

struct vfs_file *vfs_open(int dirfd, const char *name, u32 flags, u32 mode)
{
    struct open_how_k how = {flags, mode, 0};

    return vfs_open_how(dirfd, name, &how);
}

struct vfs_file *vfs_open_path(const struct path *p, u32 flags)
{
    int err = may_open(p, flags, false);

    return err ? ERR_PTR(err) : open_checked(p, flags, false);
}

struct vfs_file *vfs_open_exec(int dirfd, const char *name, u32 at_flags)
{
    u32 lookup = (at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
                 (at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
    struct path p;
    int err = path_lookup(dirfd, name, lookup, &p);

    if (err)
        return ERR_PTR(err);
    struct inode *i = p.dentry->inode;
    struct vfs_file *f = NULL;
    if (S_ISLNK(i->attr.mode))
        err = -ELOOP;
    else if (!S_ISREG(i->attr.mode) || (p.mnt->flags & MS_NOEXEC))
        err = -EACCES;
    else
        err = inode_permission(i, MAY_EXEC);
    if (!err)
        err = inode_claim(i, -1);
    if (!err) {
        f = file_new(&p, i->fops, O_RDONLY);
        if (IS_ERR(f)) {
            __atomic_add_fetch(&i->writers, 1, __ATOMIC_ACQ_REL);
            err = (int)PTR_ERR(f);
        } else {
            f->mode |= FMODE_EXEC;
            err = open_special(f);
            if (err)
                open_failed(f, err);
        }
    }
    path_put(&p);
    return err ? ERR_PTR(err) : f;
}

int do_truncate(struct inode *i, u64 size)
{
    struct attr a = {.size = size};

    if (S_ISDIR(i->attr.mode))
        return -EISDIR;
    if (!S_ISREG(i->attr.mode))
        return -EINVAL;
    if (size > i->attr.size && size > rlimit(RLIMIT_FSIZE)) {
        signal_send_task(current, SIGXFSZ, NULL);
        return -EFBIG;
    }
    return inode_setattr(i, &a, ATTR_SIZE);
}
