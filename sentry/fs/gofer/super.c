// SPDX-License-Identifier: Apache-2.0
/*
 * Mounting a tree of the gofer.
 */
#include <linux/magic.h>
#include "sentry/fs/gofer.h"
#include "sentry/fs/gofer/client.h"
#include "sentry/kernel/kernel.h"

static int statfs(struct super *sb, struct statfs *st)
{
    struct gofer_tree *t = sb->private;
    struct gofer_call c = {.conn = t->conn};
    struct gofer_statfs_req req = {.fid = t->fid};
    struct gofer_statfs_rep r;
    int err;

    mutex_lock(&t->conn->lock);
    gofer_call_begin(&c, GOFER_STATFS, &req, sizeof(req));
    err = gofer_call_send(&c);
    if (!err)
        r = c.m.body.statfs_rep;
    mutex_unlock(&t->conn->lock);
    if (err)
        return err;
    *st = (struct statfs){
        .f_type = (long)r.type,
        .f_bsize = (long)r.bsize,
        .f_blocks = (long)r.blocks,
        .f_bfree = (long)r.bfree,
        .f_bavail = (long)r.bavail,
        .f_files = (long)r.files,
        .f_ffree = (long)r.ffree,
        .f_namelen = (long)r.namelen,
        .f_frsize = (long)r.frsize,
    };
    return 0;
}

static void destroy(struct super *sb)
{
    struct gofer_tree *t = sb->private;

    if (!t)
        return;
    hashtab_destroy(&t->nodes);
    kfree(t);
}

static const struct super_ops super_ops = {.statfs = statfs, .destroy = destroy};

static struct gofer_tree *tree_new(struct super *sb, struct gofer_conn *conn, u32 mount)
{
    struct gofer_tree *t = kzalloc(sizeof(*t));

    if (!t)
        return NULL;
    t->conn = conn;
    t->sb = sb;
    t->mount = mount;
    return t;
}

/* Attach to the root and make its inode and dentry. */
static int mount_root(struct super *sb, struct gofer_tree *t)
{
    struct gofer_attach_rep rep;
    struct inode *i;
    int err = gofer_attach(t, &rep);

    if (err)
        return err;
    t->readonly = rep.flags & GOFER_ATTACH_RDONLY;
    i = gofer_inode(t, &rep.attr, NULL, NULL, 0, NULL);
    if (IS_ERR(i))
        return (int)PTR_ERR(i);
    sb->root = dentry_new_root(sb, i);
    return sb->root ? 0 : -ENOMEM;
}

static struct super *gofer_mount(const char *source, u32 flags, const void *data)
{
    const struct boot_mount *bm = data;
    struct gofer_conn *conn;
    struct super *sb;
    int err;

    (void)source;
    conn = gofer_conn_get(bm->conn);
    if (IS_ERR(conn))
        return (void *)conn;
    sb = super_new("9p", &super_ops, V9FS_MAGIC);
    if (!sb)
        return ERR_PTR(-ENOMEM);
    sb->private = tree_new(sb, conn, bm->attach);
    if (sb->private)
        ((struct gofer_tree *)sb->private)->shared = bm->shared;
    err = sb->private ? mount_root(sb, sb->private) : -ENOMEM;
    if (err) {
        super_put(sb);
        return ERR_PTR(err);
    }
    if (bm->readonly || (flags & MS_RDONLY) || ((struct gofer_tree *)sb->private)->readonly)
        sb->flags |= MS_RDONLY;
    return sb;
}

void gofer_fs_init(void)
{
    static const struct fs_type type = {.name = "gofer", .mount = gofer_mount, .flags = FS_BOOT};

    fs_register(&type);
}
