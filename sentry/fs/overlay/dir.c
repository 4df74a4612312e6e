// SPDX-License-Identifier: Apache-2.0
/*
 * Directories of the overlay. A name is looked for in the directory's own table first, which says
 * what it is now or that it is gone, and then in the lower directory. Renaming moves the inode from
 * one table to another and leaves a whiteout where the lower directory has the old name; what is
 * below a directory goes with it.
 */
#include <linux/fs.h>
#include "sentry/fs/dirlist.h"
#include "sentry/fs/overlay/overlay.h"

static struct overlay_name *find(struct inode *dir, const struct dentry *d)
{
    return overlay_name_find(&ovl_node(dir)->names, d->name, d->name_len);
}

static int lookup(struct inode *dir, struct dentry *d)
{
    struct overlay_node *n = ovl_node(dir);
    struct overlay_name *e = find(dir, d);
    struct inode *i = NULL;
    int err = 0;

    if (e && e->inode) {
        i = e->inode;
        inode_get(i);
    } else if (!e && n->lower) {
        err = gofer_lookup(n->lower, d->name, d->name_len, &i);
        if (!err && i)
            i = overlay_wrap(dir->sb, i);
    }
    if (err || IS_ERR(i))
        return err ? err : (int)PTR_ERR(i);
    if (i)
        dentry_instantiate(d, i);
    return 0;
}

/* ---- listing ---- */

/* What a pass over the lower directory is for: to list it, or to see whether anything is left in
 * it. */
struct lower_pass {
    struct gofer_lister lister;
    struct inode *dir;
    struct dentry *dentry; /* listing only */
    struct dirlist *list;
};

static int list_entry(struct gofer_lister *l, const char *name, size_t len, u64 ino, u8 type,
                      struct inode *lower)
{
    struct lower_pass *p = container_of(l, struct lower_pass, lister);
    struct inode *i;

    if (overlay_name_find(&ovl_node(p->dir)->names, name, len))
        return 0;
    if (lower) {
        inode_get(lower);
        i = overlay_wrap(p->dir->sb, lower);
        if (!IS_ERR(i))
            dentry_prime(p->dentry, name, len, i);
    }
    return dirlist_add(p->list, name, len, ino, type);
}

static int fill(struct dentry *dentry, struct dirlist *l)
{
    struct overlay_node *n = ovl_node(dentry->inode);
    struct lower_pass p = {{list_entry}, dentry->inode, dentry, l};
    struct overlay_name *e;
    int err = n->lower ? gofer_list(n->lower, &p.lister) : 0;

    if (err)
        return err;
    list_for_each (e, &n->names.all, link) {
        if (!e->inode)
            continue;
        err = dirlist_add(l, e->name, e->len, e->inode->attr.ino,
                          (u8)((e->inode->attr.mode & S_IFMT) >> 12));
        if (err)
            return err;
    }
    return 0;
}

static int readdir(struct vfs_file *f, struct dir_emitter *e)
{
    return dirlist_readdir(f, e, fill);
}

const struct file_ops overlay_dir_fops = {.readdir = readdir, .release = dirlist_release};

static int left_entry(struct gofer_lister *l, const char *name, size_t len, u64 ino, u8 type,
                      struct inode *lower)
{
    struct lower_pass *p = container_of(l, struct lower_pass, lister);

    return overlay_name_find(&ovl_node(p->dir)->names, name, len) ? 0 : -ENOTEMPTY;
}

/* 0 or -ENOTEMPTY; dir->lock held. */
static int check_empty(struct inode *dir)
{
    struct overlay_node *n = ovl_node(dir);
    struct lower_pass p = {{left_entry}, dir, NULL, NULL};
    struct overlay_name *e;

    list_for_each (e, &n->names.all, link) {
        if (e->inode)
            return -ENOTEMPTY;
    }
    return n->lower ? gofer_list(n->lower, &p.lister) : 0;
}

/* ---- changing ---- */

static void touched(struct inode *dir, int links)
{
    dir->attr.mtime = dir->attr.ctime = (s64)clock_realtime();
    dir->attr.nlink += (u32)links;
    overlay_pin(dir);
}

/*
 * An entry for d in dir's table, made when there is none; visible: the name is that of a file now,
 * so that without an entry it comes from the lower directory. NULL: no memory.
 */
static struct overlay_name *entry_for(struct inode *dir, const struct dentry *d, bool visible)
{
    struct overlay_name *e = find(dir, d);

    if (e)
        return e;
    e = overlay_name_add(&ovl_node(dir)->names, d->name, d->name_len);
    if (e)
        e->shadows = visible;
    return e;
}

/* The entry shows nothing any more. */
static void entry_clear(struct inode *dir, struct overlay_name *e)
{
    struct inode *i = e->inode;

    e->inode = NULL;
    if (!e->shadows)
        overlay_name_remove(&ovl_node(dir)->names, e);
    inode_put(i);
}

/* The entry shows i from now on. */
static void entry_set(struct overlay_name *e, struct inode *i)
{
    struct inode *old = e->inode;

    inode_get(i);
    e->inode = i;
    inode_put(old);
}

/* An entry made by entry_for(visible=true) that is not wanted after all. */
static void entry_undo(struct inode *dir, struct overlay_name *e, bool fresh)
{
    if (fresh)
        overlay_name_remove(&ovl_node(dir)->names, e);
}

/* Give the new inode i (consumed) the name d. */
static int add(struct inode *dir, struct dentry *d, struct inode *i)
{
    struct overlay_name *e = i ? entry_for(dir, d, false) : NULL;

    if (!e) {
        inode_put(i);
        return i ? -ENOSPC : -ENOMEM;
    }
    entry_set(e, i);
    dentry_instantiate(d, i);
    touched(dir, S_ISDIR(i->attr.mode));
    return 0;
}

static int create(struct inode *dir, struct dentry *d, u32 mode)
{
    return add(dir, d, overlay_new(dir, mode));
}

static int mknod(struct inode *dir, struct dentry *d, u32 mode, u64 rdev)
{
    struct inode *i = overlay_new(dir, mode);

    if (i)
        i->attr.rdev = rdev;
    return add(dir, d, i);
}

static int symlink(struct inode *dir, struct dentry *d, const char *target)
{
    struct inode *i = overlay_new(dir, S_IFLNK | 0777);

    if (i) {
        ovl_node(i)->target = kstrdup(target);
        i->attr.size = strlen(target);
    }
    if (i && !ovl_node(i)->target) {
        inode_put(i);
        i = NULL;
    }
    return add(dir, d, i);
}

static int tmpfile(struct inode *dir, u32 mode, struct inode **out)
{
    *out = overlay_new(dir, mode);
    if (!*out)
        return -ENOMEM;
    (*out)->attr.nlink = 0;
    return 0;
}

static int link(struct inode *dir, struct dentry *d, struct inode *target)
{
    struct overlay_name *e = entry_for(dir, d, false);

    if (!e)
        return -ENOSPC;
    entry_set(e, target);
    target->attr.nlink++;
    target->attr.ctime = (s64)clock_realtime();
    overlay_pin(target);
    inode_get(target);
    dentry_instantiate(d, target);
    touched(dir, 0);
    return 0;
}

/* i has lost a name (a directory: its only one). */
static void unlinked(struct inode *i)
{
    i->attr.nlink = S_ISDIR(i->attr.mode) ? 0 : i->attr.nlink - 1;
    i->attr.ctime = (s64)clock_realtime();
    if (i->attr.nlink)
        overlay_pin(i);
    else
        overlay_unpin(i);
}

static int remove(struct inode *dir, struct dentry *d)
{
    struct overlay_name *e = entry_for(dir, d, true);
    bool isdir = S_ISDIR(d->inode->attr.mode);

    if (!e)
        return -ENOSPC;
    entry_clear(dir, e);
    unlinked(d->inode);
    touched(dir, isdir ? -1 : 0);
    return 0;
}

static int rmdir(struct inode *dir, struct dentry *d)
{
    int err = check_empty(d->inode);

    return err ? err : remove(dir, d);
}

static void count_dirs(struct inode *odir, struct inode *ndir, const struct inode *moved,
                       const struct inode *other)
{
    int out = S_ISDIR(moved->attr.mode), in = other && S_ISDIR(other->attr.mode);

    touched(odir, odir == ndir ? 0 : in - out);
    touched(ndir, odir == ndir ? 0 : out - in);
}

static int exchange(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd)
{
    struct inode *a = od->inode, *b = nd->inode;
    bool fresh = !find(odir, od);
    struct overlay_name *from = entry_for(odir, od, true);
    struct overlay_name *to = from ? entry_for(ndir, nd, true) : NULL;

    if (!to) {
        if (from)
            entry_undo(odir, from, fresh);
        return -ENOSPC;
    }
    entry_set(from, b);
    entry_set(to, a);
    a->attr.ctime = b->attr.ctime = (s64)clock_realtime();
    overlay_pin(a);
    overlay_pin(b);
    count_dirs(odir, ndir, a, b);
    return 0;
}

static int rename(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
                  u32 flags)
{
    struct inode *i = od->inode, *victim = nd->inode;
    bool fresh = !find(odir, od);
    struct overlay_name *from, *to;
    int err = 0;

    if (flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    if (flags & RENAME_EXCHANGE)
        return exchange(odir, od, ndir, nd);
    if (victim && S_ISDIR(victim->attr.mode))
        err = check_empty(victim);
    if (err)
        return err;
    from = entry_for(odir, od, true);
    to = from ? entry_for(ndir, nd, victim != NULL) : NULL;
    if (!to) {
        if (from)
            entry_undo(odir, from, fresh);
        return -ENOSPC;
    }
    entry_set(to, i);
    entry_clear(odir, from);
    i->attr.ctime = (s64)clock_realtime();
    overlay_pin(i);
    count_dirs(odir, ndir, i, NULL);
    if (victim) {
        unlinked(victim);
        touched(ndir, S_ISDIR(victim->attr.mode) ? -1 : 0);
    }
    return 0;
}

static int mkdir(struct inode *dir, struct dentry *d, u32 mode)
{
    return add(dir, d, overlay_new(dir, S_IFDIR | mode));
}

const struct inode_ops overlay_dir_ops = {
    .lookup = lookup,
    .create = create,
    .mkdir = mkdir,
    .symlink = symlink,
    .mknod = mknod,
    .link = link,
    .unlink = remove,
    .rmdir = rmdir,
    .rename = rename,
    .tmpfile = tmpfile,
    .setattr = overlay_setattr,
    .evict = overlay_evict,
};
