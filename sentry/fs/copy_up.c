// SPDX-License-Identifier: Apache-2.0
/*
 * The mount option tmpcopyup: a tmpfs starts with what the directory below it has. Files, links and
 * directories are copied; what else there is (devices, sockets) is left out. Runs at boot, when
 * nobody changes either side.
 */
#include "sentry/fs/boot_paths.h"
#include "sentry/fs/dirlist.h"
#include "sentry/kernel/kernel.h"

#define COPY_DEPTH 32
#define COPY_CHUNK KIB(64)

static int copy_dir(const struct path *from, const char *to, unsigned depth);

/* Collects the names of a directory. */
struct collector {
    struct dir_emitter e;
    struct dirlist list;
    int err;
};

static bool collect(struct dir_emitter *e, const char *name, size_t len, u64 ino, u32 dtype,
                    u64 next)
{
    struct collector *c = (struct collector *)e;

    if (len <= 2 && name[0] == '.' && (len == 1 || name[1] == '.'))
        return true;
    c->err = dirlist_add(&c->list, name, len, ino, (u8)dtype);
    return !c->err;
}

static int copy_attr(const struct attr *a, const char *to)
{
    struct path at;
    int err = path_lookup(AT_FDCWD, to, 0, &at);

    if (err)
        return err;
    err = inode_setattr(at.dentry->inode, a,
                        ATTR_UID | ATTR_GID | ATTR_MTIME | (S_ISLNK(a->mode) ? 0 : ATTR_MODE));
    path_put(&at);
    return err;
}

static s64 write_all(struct vfs_file *f, char *buf, s64 n)
{
    s64 done = 0, put;
    struct uio u;

    while (done < n) {
        uio_kernel(&u, buf + done, (u64)(n - done));
        put = file_write(f, &u, NULL);
        if (put <= 0)
            return put ? put : -EIO;
        done += put;
    }
    return done;
}

static int copy_file(const struct path *from, const char *to)
{
    struct vfs_file *in = vfs_open_path(from, O_RDONLY), *out;
    char *buf = kmalloc(COPY_CHUNK);
    u64 pos = 0;
    s64 n = buf ? 0 : -ENOMEM;

    if (IS_ERR(in)) {
        kfree(buf);
        return (int)PTR_ERR(in);
    }
    out = vfs_open(AT_FDCWD, to, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (IS_ERR(out))
        n = PTR_ERR(out);
    while (!n && (n = kernel_read(in, buf, COPY_CHUNK, pos)) > 0) {
        pos += (u64)n;
        n = MIN(write_all(out, buf, n), (s64)0);
    }
    if (!IS_ERR(out))
        file_put(out);
    file_put(in);
    kfree(buf);
    return (int)n;
}

static int copy_link(const struct path *from, const char *to)
{
    char *target = kzalloc(PATH_MAX + 1);
    struct inode *i = from->dentry->inode;
    s64 n = target ? i->ops->readlink(i, target, PATH_MAX) : -ENOMEM;

    if (n >= 0)
        n = vfs_symlink(target, AT_FDCWD, to);
    kfree(target);
    return (int)n;
}

static int copy_one(const struct path *from, const char *to, unsigned depth)
{
    struct attr a;
    int err = inode_getattr(from->dentry->inode, &a);

    if (err)
        return err;
    if (S_ISREG(a.mode))
        err = copy_file(from, to);
    else if (S_ISLNK(a.mode))
        err = copy_link(from, to);
    else if (S_ISDIR(a.mode))
        err = vfs_mkdir(AT_FDCWD, to, 0700);
    else
        return 0;
    if (!err && S_ISDIR(a.mode))
        err = copy_dir(from, to, depth + 1);
    return err ? err : copy_attr(&a, to);
}

static int copy_dir(const struct path *from, const char *to, unsigned depth)
{
    struct collector c = {.e.emit = collect};
    struct vfs_file *dir =
        depth < COPY_DEPTH ? vfs_open_path(from, O_RDONLY | O_DIRECTORY) : ERR_PTR(-ELOOP);
    char *name = kmalloc(PATH_MAX);
    int err = IS_ERR(dir) ? (int)PTR_ERR(dir) : name ? 0 : -ENOMEM;

    if (!err)
        err = dir->ops->readdir ? dir->ops->readdir(dir, &c.e) : -ENOTDIR;
    err = err ? err : c.err;
    for (u32 i = 0; i < c.list.count && !err; i++) {
        const struct dirlist_entry *e = &c.list.entries[i];
        struct path at = {from->mnt, dentry_child(from->dentry, c.list.names + e->name, e->len)};

        if (IS_ERR(at.dentry)) {
            err = (int)PTR_ERR(at.dentry);
            break;
        }
        if (snprintf_(name, PATH_MAX, "%s/%.*s", to, (int)e->len, c.list.names + e->name) >=
            PATH_MAX)
            err = -ENAMETOOLONG;
        else if (at.dentry->inode)
            err = copy_one(&at, name, depth);
        dentry_put(at.dentry);
    }
    dirlist_free(&c.list);
    if (!IS_ERR(dir))
        file_put(dir);
    kfree(name);
    return err;
}

int copy_up(const struct path *from, const char *to)
{
    struct attr a;
    int err = inode_getattr(from->dentry->inode, &a);

    if (!err)
        err = copy_dir(from, to, 0);
    return err ? err : copy_attr(&a, to);
}
