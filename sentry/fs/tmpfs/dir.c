// SPDX-License-Identifier: Apache-2.0
//
// tmpfs: directories and symbolic links.

#include "sentry/fs/tmpfs/tmpfs.h"

#define ENTRY_SIZE 20 /* what an entry adds to the size of its directory, as on Linux */

static u64 cookie_of(const struct dentry *d)
{
    return (u64)d->private;
}

static void dir_changed(struct inode *dir, s64 entries)
{
    dir->attr.size += (u64)(entries * ENTRY_SIZE);
    tmpfs_i(dir)->nentries += (u64)entries;
    dir->attr.mtime = dir->attr.ctime = (s64)clock_realtime();
}

/* Everything that exists is pinned in the dentry cache: what is not found there is not there. */
static int tmpfs_lookup(struct inode *dir, struct dentry *d)
{
    (void)dir;
    (void)d;
    return 0;
}

/* Enter d, which stands for i (reference consumed), and pin it. */
static int add_entry(struct inode *dir, struct dentry *d, struct inode *i)
{
    struct tmpfs_inode *t = tmpfs_i(dir);

    if (radix_set(&t->tree, t->next_cookie, d)) {
        inode_put(i);
        return -ENOMEM;
    }
    d->private = (void *)t->next_cookie++;
    dentry_get(d);
    dentry_instantiate(d, i);
    dir_changed(dir, 1);
    return 0;
}

static int make(struct inode *dir, struct dentry *d, u32 mode, u64 rdev, const char *target)
{
    struct inode *i = tmpfs_inode_new(dir->sb, dir, mode);

    if (!i)
        return -ENOSPC;
    i->attr.rdev = rdev;
    if (S_ISDIR(mode))
        i->attr.size = 2 * ENTRY_SIZE;
    if (target) {
        tmpfs_i(i)->target = kstrdup(target);
        i->attr.size = strlen(target);
        if (!tmpfs_i(i)->target) {
            inode_put(i);
            return -ENOMEM;
        }
    }
    int err = add_entry(dir, d, i);
    if (!err && S_ISDIR(mode))
        dir->attr.nlink++;
    return err;
}

static int tmpfs_create(struct inode *dir, struct dentry *d, u32 mode)
{
    return make(dir, d, mode, 0, NULL);
}

static int tmpfs_mkdir(struct inode *dir, struct dentry *d, u32 mode)
{
    return make(dir, d, mode, 0, NULL);
}

static int tmpfs_mknod(struct inode *dir, struct dentry *d, u32 mode, u64 rdev)
{
    return make(dir, d, mode, rdev, NULL);
}

static int tmpfs_symlink(struct inode *dir, struct dentry *d, const char *target)
{
    return make(dir, d, S_IFLNK | 0777, 0, target);
}

static int tmpfs_tmpfile(struct inode *dir, u32 mode, struct inode **out)
{
    *out = tmpfs_inode_new(dir->sb, dir, mode);
    if (!*out)
        return -ENOSPC;
    (*out)->attr.nlink = 0;
    return 0;
}

static int tmpfs_link(struct inode *dir, struct dentry *d, struct inode *target)
{
    inode_get(target);
    int err = add_entry(dir, d, target);
    if (!err) {
        target->attr.nlink++;
        target->attr.ctime = (s64)clock_realtime();
    }
    return err;
}

static void remove_entry(struct inode *dir, struct dentry *d)
{
    radix_remove(&tmpfs_i(dir)->tree, cookie_of(d));
    dir_changed(dir, -1);
    dentry_put(d);
}

/* A name of i went: count and time. */
static void drop_link(struct inode *i, u32 n)
{
    i->attr.nlink -= n;
    i->attr.ctime = (s64)clock_realtime();
}

static int tmpfs_unlink(struct inode *dir, struct dentry *d)
{
    drop_link(d->inode, 1);
    remove_entry(dir, d);
    return 0;
}

static int tmpfs_rmdir(struct inode *dir, struct dentry *d)
{
    if (tmpfs_i(d->inode)->nentries)
        return -ENOTEMPTY;
    drop_link(d->inode, 2);
    dir->attr.nlink--;
    remove_entry(dir, d);
    return 0;
}

static int exchange(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd)
{
    void *ocookie = od->private;
    bool isdir = S_ISDIR(od->inode->attr.mode), nisdir = S_ISDIR(nd->inode->attr.mode);

    /* Both slots exist: storing into them cannot fail. */
    radix_set(&tmpfs_i(odir)->tree, cookie_of(od), nd);
    radix_set(&tmpfs_i(ndir)->tree, cookie_of(nd), od);
    od->private = nd->private;
    nd->private = ocookie;
    if (odir != ndir && isdir != nisdir) {
        odir->attr.nlink += isdir ? -1u : 1u;
        ndir->attr.nlink += isdir ? 1u : -1u;
    }
    dir_changed(odir, 0);
    dir_changed(ndir, 0);
    drop_link(od->inode, 0);
    drop_link(nd->inode, 0);
    return 0;
}

/* Give od a place in ndir, that of nd when there is something. */
static int take_place(struct inode *ndir, struct dentry *od, struct dentry *nd, u64 *cookie)
{
    struct tmpfs_inode *t = tmpfs_i(ndir);

    if (nd->inode) {
        *cookie = cookie_of(nd);
        return radix_set(&t->tree, *cookie, od);
    }
    *cookie = t->next_cookie;
    if (radix_set(&t->tree, *cookie, od))
        return -ENOMEM;
    t->next_cookie++;
    dir_changed(ndir, 1);
    return 0;
}

static int tmpfs_rename(struct inode *odir, struct dentry *od, struct inode *ndir,
                        struct dentry *nd, u32 flags)
{
    bool isdir = S_ISDIR(od->inode->attr.mode);
    struct inode *victim = nd->inode;
    u64 cookie;

    if (flags & RENAME_EXCHANGE)
        return exchange(odir, od, ndir, nd);
    if (victim && isdir && tmpfs_i(victim)->nentries)
        return -ENOTEMPTY;
    int err = take_place(ndir, od, nd, &cookie);
    if (err)
        return err;
    radix_remove(&tmpfs_i(odir)->tree, cookie_of(od));
    od->private = (void *)cookie;
    dir_changed(odir, -1);
    drop_link(od->inode, 0);
    if (isdir) {
        odir->attr.nlink--;
        ndir->attr.nlink++;
    }
    if (victim) {
        drop_link(victim, isdir ? 2 : 1);
        if (isdir)
            ndir->attr.nlink--;
        dir_changed(ndir, 0);
        dentry_put(nd); /* the pin */
    }
    return 0;
}

static int tmpfs_readdir(struct vfs_file *f, struct dir_emitter *e)
{
    struct tmpfs_inode *t = tmpfs_i(f->inode);
    struct dentry *d;

    if (!dir_emit_dots(f, e))
        return 0;
    u64 at = f->pos;
    while ((d = radix_next(&t->tree, &at))) {
        const struct attr *a = &d->inode->attr;
        if (!e->emit(e, d->name, d->name_len, a->ino, mode_to_dt(a->mode), at + 1))
            break;
        f->pos = ++at;
    }
    return 0;
}

static s64 tmpfs_readlink(struct inode *i, char *buf, size_t size)
{
    const char *target = tmpfs_i(i)->target;
    size_t n = MIN(strlen(target), size);

    memcpy(buf, target, n);
    return (s64)n;
}

const struct file_ops tmpfs_dir_fops = {
    .readdir = tmpfs_readdir,
};

const struct inode_ops tmpfs_dir_ops = {
    .lookup = tmpfs_lookup,
    .create = tmpfs_create,
    .mkdir = tmpfs_mkdir,
    .symlink = tmpfs_symlink,
    .mknod = tmpfs_mknod,
    .link = tmpfs_link,
    .unlink = tmpfs_unlink,
    .rmdir = tmpfs_rmdir,
    .rename = tmpfs_rename,
    .tmpfile = tmpfs_tmpfile,
    .evict = tmpfs_evict,
    .getxattr = tmpfs_getxattr,
    .setxattr = tmpfs_setxattr,
    .listxattr = tmpfs_listxattr,
};

const struct inode_ops tmpfs_link_ops = {
    .readlink = tmpfs_readlink,
    .evict = tmpfs_evict,
    .getxattr = tmpfs_getxattr,
    .setxattr = tmpfs_setxattr,
    .listxattr = tmpfs_listxattr,
};

const struct inode_ops tmpfs_special_ops = {
    .evict = tmpfs_evict,
    .getxattr = tmpfs_getxattr,
    .setxattr = tmpfs_setxattr,
    .listxattr = tmpfs_listxattr,
};
