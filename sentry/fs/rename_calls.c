// SPDX-License-Identifier: Apache-2.0
//
// rename, renameat, renameat2. One rename at a time (namespace_mutex) keeps the shape of the tree
// still while two directories are locked: the ancestor first, else the one with the lower address.

#include "sentry/fs/internal.h"
#include "sentry/syscall/syscall.h"

/* Both ends of a rename; lives on the caller's stack. */
struct renaming {
    struct walk from, to;
    struct dentry *od, *nd;
    u32 flags;
};

/* The child of `top` on the way down to d (or d itself is top: NULL); the tree is held still. */
static bool is_ancestor(const struct dentry *top, const struct dentry *d)
{
    for (; d != d->parent; d = d->parent)
        if (d == top)
            return true;
    return d == top;
}

static void lock_two(struct dentry *a, struct dentry *b)
{
    struct dentry *first = a, *second = b;

    if (is_ancestor(b, a) || (!is_ancestor(a, b) && (u64)b->inode < (u64)a->inode)) {
        first = b;
        second = a;
    }
    down_write(&first->inode->lock);
    if (second != first)
        down_write(&second->inode->lock);
}

static void unlock_two(struct dentry *a, struct dentry *b)
{
    up_write(&a->inode->lock);
    if (a != b)
        up_write(&b->inode->lock);
}

static int check_shape(const struct renaming *r)
{
    const struct inode *old = r->od->inode, *repl = r->nd->inode;
    bool exchange = r->flags & RENAME_EXCHANGE;

    if (!old)
        return -ENOENT;
    if (repl && (r->flags & RENAME_NOREPLACE))
        return -EEXIST;
    if (!repl && exchange)
        return -ENOENT;
    if (!S_ISDIR(old->attr.mode) && (r->from.last_slash || (!exchange && r->to.last_slash)))
        return -ENOTDIR;
    if (exchange && !S_ISDIR(repl->attr.mode) && r->to.last_slash)
        return -ENOTDIR;
    if (is_ancestor(r->od, r->to.path.dentry))
        return -EINVAL;
    if (is_ancestor(r->nd, r->from.path.dentry))
        return exchange ? -EINVAL : -ENOTEMPTY;
    if ((r->od->flags | r->nd->flags) & DENTRY_MOUNTED)
        return -EBUSY;
    return path_writable(&r->from.path);
}

static int check_permission(const struct renaming *r)
{
    struct inode *odir = r->from.path.dentry->inode, *ndir = r->to.path.dentry->inode;
    bool isdir = S_ISDIR(r->od->inode->attr.mode), exchange = r->flags & RENAME_EXCHANGE;
    bool new_isdir = r->nd->inode && S_ISDIR(r->nd->inode->attr.mode);
    int err = dir_may_delete(odir, r->od, isdir);

    if (!err && !r->nd->inode)
        err = dir_may_create(&r->to.path);
    else if (!err)
        err = dir_may_delete(ndir, r->nd, exchange ? new_isdir : isdir);
    /* ".." of a directory that gets a new parent changes. */
    if (!err && odir != ndir && isdir)
        err = inode_permission(r->od->inode, MAY_WRITE);
    if (!err && odir != ndir && exchange && new_isdir)
        err = inode_permission(r->nd->inode, MAY_WRITE);
    if (!err && !odir->ops->rename)
        err = -EPERM;
    return err;
}

/* Directories locked, dentries found. */
static int rename_locked(struct renaming *r)
{
    struct inode *odir = r->from.path.dentry->inode, *ndir = r->to.path.dentry->inode;
    struct inode *victim;
    int err = check_shape(r);

    if (err)
        return err;
    if (r->od->inode == r->nd->inode)
        return 0;
    err = check_permission(r);
    if (err)
        return err;
    victim = r->flags & RENAME_EXCHANGE ? NULL : r->nd->inode;
    if (victim)
        down_write(&victim->lock);
    err = odir->ops->rename(odir, r->od, ndir, r->nd, r->flags);
    if (victim) {
        if (!err && S_ISDIR(victim->attr.mode))
            victim->flags |= INODE_DEAD;
        up_write(&victim->lock);
    }
    if (err)
        return err;
    if (victim && S_ISDIR(victim->attr.mode))
        dentry_drop_children(r->nd);
    dentry_move(r->od, r->nd, r->flags & RENAME_EXCHANGE);
    __atomic_add_fetch(&tree_generation, 1, __ATOMIC_RELEASE);
    return 0;
}

static int rename_children(struct renaming *r)
{
    struct dentry *a = r->from.path.dentry, *b = r->to.path.dentry;
    int err;

    mutex_lock(&namespace_mutex);
    lock_two(a, b);
    r->od = dentry_child_locked(a, r->from.last, r->from.last_len);
    r->nd = dentry_child_locked(b, r->to.last, r->to.last_len);
    if (IS_ERR(r->od))
        err = (int)PTR_ERR(r->od);
    else if (IS_ERR(r->nd))
        err = (int)PTR_ERR(r->nd);
    else
        err = rename_locked(r);
    unlock_two(a, b);
    mutex_unlock(&namespace_mutex);
    if (!IS_ERR(r->od))
        dentry_put(r->od);
    if (!IS_ERR(r->nd))
        dentry_put(r->nd);
    return err;
}

static int check_ends(const struct renaming *r)
{
    struct inode *a = r->from.path.dentry->inode, *b = r->to.path.dentry->inode;
    int err;

    if (r->from.path.mnt != r->to.path.mnt)
        return -EXDEV;
    if (!r->from.last_len || last_is_dots(&r->from))
        return -EBUSY;
    if (!r->to.last_len || last_is_dots(&r->to))
        return r->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
    if (!S_ISDIR(a->attr.mode) || !S_ISDIR(b->attr.mode))
        return -ENOTDIR;
    err = inode_permission(a, MAY_EXEC);
    return err ? err : inode_permission(b, MAY_EXEC);
}

static int rename_walk(struct renaming *r, int olddir, const char *old, int newdir, const char *new)
{
    int err = walk_start(&r->from, olddir, old, 0), err2;

    if (!err)
        err = walk_parent(&r->from);
    err2 = err ? err : walk_start(&r->to, newdir, new, 0);
    if (!err2)
        err2 = walk_parent(&r->to);
    if (!err2)
        err2 = check_ends(r);
    return err2 ? err2 : rename_children(r);
}

static s64 do_rename(int olddir, uva_t oldname, int newdir, uva_t newname, u32 flags)
{
    struct renaming r = {.flags = flags};
    struct uname_buf old, new;
    int err;

    if (flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    if (flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    err = uname_get(&old, oldname, false);
    if (err)
        return err;
    err = uname_get(&new, newname, false);
    if (!err) {
        err = rename_walk(&r, olddir, old.s, newdir, new.s);
        walk_end(&r.from);
        walk_end(&r.to);
        uname_put(&new);
    }
    uname_put(&old);
    return err;
}

SYSCALL2(rename, uva_t, oldname, uva_t, newname)
{
    return do_rename(AT_FDCWD, oldname, AT_FDCWD, newname, 0);
}

SYSCALL4(renameat, int, olddir, uva_t, oldname, int, newdir, uva_t, newname)
{
    return do_rename(olddir, oldname, newdir, newname, 0);
}

SYSCALL5(renameat2, int, olddir, uva_t, oldname, int, newdir, uva_t, newname, u32, flags)
{
    return do_rename(olddir, oldname, newdir, newname, flags);
}
