// SPDX-License-Identifier: Apache-2.0
/*
 * Directories of the gofer: looking up, listing, and changing names. A listing is read at once,
 * with attributes, and fills the cache of names: what is listed is mostly looked at next.
 */
#include <linux/fs.h>
#include "sentry/fs/dirlist.h"
#include "sentry/fs/gofer/client.h"
#include "sentry/kernel/task.h"

static struct gofer_tree *tree_of(const struct inode *i)
{
    return node_of(i)->tree;
}

/* A request about dir begins: conn->lock taken, dir's fid in c->dir. */
static int begin(struct inode *dir, struct gofer_call *c)
{
    s64 fid;

    c->conn = tree_of(dir)->conn;
    c->fd = -1;
    mutex_lock(&c->conn->lock);
    fid = gofer_node_fid(c->conn, node_of(dir));
    c->dir = (u32)fid;
    return fid < 0 ? (int)fid : 0;
}

static void put_name(struct gofer_call *c, const struct dentry *d)
{
    gofer_put_str(&c->w, d->name, d->name_len);
}

static void end(struct gofer_call *c)
{
    mutex_unlock(&c->conn->lock);
}

/* What a walk to one name found; link: kmalloc'ed, or NULL. */
struct found {
    struct gofer_attr attr;
    struct gofer_str link;
};

static int lookup_send(struct inode *dir, const char *name, size_t len, struct found *f)
{
    struct gofer_walk_req req = {.newfid = GOFER_NOFID, .count = 1};
    struct gofer_call c;
    char *copy = NULL;
    int err = begin(dir, &c);

    if (!err) {
        req.fid = c.dir;
        gofer_call_begin(&c, GOFER_WALK, &req, sizeof(req));
        gofer_put_str(&c.w, name, len);
        err = gofer_call_send(&c);
    }
    if (!err)
        err = c.m.body.walk_rep.stop;
    if (!err && c.m.count != 1)
        err = -EIO;
    if (!err) {
        f->attr = gofer_msg_attr(&c.m, 0);
        f->link = (struct gofer_str){NULL, c.m.str[0].len};
        if (f->link.len) {
            copy = kmalloc(f->link.len);
            err = copy ? 0 : -ENOMEM;
        }
        if (copy)
            memcpy(copy, c.m.str[0].p, f->link.len);
        f->link.p = copy;
    }
    end(&c);
    return err;
}

int gofer_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    struct found f = {.link = {NULL, 0}};
    int err = lookup_send(dir, name, len, &f);
    struct inode *i;

    *out = NULL;
    if (err)
        return err == -ENOENT ? 0 : err;
    i = gofer_inode(tree_of(dir), &f.attr, node_of(dir), name, len, &f.link);
    kfree((char *)f.link.p);
    if (IS_ERR(i))
        return (int)PTR_ERR(i);
    *out = i;
    return 0;
}

static int lookup(struct inode *dir, struct dentry *d)
{
    struct inode *i;
    int err = gofer_lookup(dir, d->name, d->name_len, &i);

    if (!err && i)
        dentry_instantiate(d, i);
    return err;
}

/* ---- listing ---- */

static int list_entry(struct inode *dir, struct gofer_lister *l, const struct gofer_dirent *ent,
                      const struct gofer_attr *attr, const struct gofer_str *name)
{
    struct inode *i = NULL;
    int err;

    if (ent->flags & GOFER_DIRENT_ATTR)
        i = gofer_inode(tree_of(dir), attr, node_of(dir), name->p, name->len, NULL);
    if (IS_ERR(i))
        return (int)PTR_ERR(i);
    err = l->entry(l, name->p, name->len, ent->ino, ent->type, i);
    inode_put(i);
    return err;
}

/* One message full of entries; copy: a buffer for it. */
static int list_batch(struct inode *dir, struct gofer_lister *l, u8 *copy, u64 *cookie, bool *eof)
{
    struct gofer_readdir_req req = {
        .size = GOFER_MSG_MAX, .flags = GOFER_READDIR_ATTR, .cookie = *cookie};
    struct gofer_call c;
    struct gofer_dirent ent;
    struct gofer_attr attr;
    struct gofer_str name;
    u32 pos = 0;
    int err = begin(dir, &c);

    if (!err) {
        req.fid = c.dir;
        gofer_call_begin(&c, GOFER_READDIR, &req, sizeof(req));
        err = gofer_call_send(&c);
    }
    if (!err) {
        memcpy(copy, c.m.tail, c.m.tail_len);
        c.m.tail = copy;
    }
    end(&c);
    if (err)
        return err;
    *eof = c.m.body.readdir_rep.eof || c.m.count == 0;
    while (!err && gofer_msg_dirent(&c.m, &pos, &ent, &attr, &name)) {
        err = list_entry(dir, l, &ent, &attr, &name);
        *cookie = ent.cookie;
    }
    return err;
}

int gofer_list(struct inode *dir, struct gofer_lister *l)
{
    u8 *copy = kmalloc(GOFER_MSG_MAX);
    u64 cookie = 0;
    bool eof = false;
    int err = copy ? 0 : -ENOMEM;

    while (!err && !eof)
        err = list_batch(dir, l, copy, &cookie, &eof);
    kfree(copy);
    return err;
}

/* Fills a dirlist, and the cache of names: what is listed is mostly looked at next. */
struct filler {
    struct gofer_lister lister;
    struct dentry *dir;
    struct dirlist *list;
};

static int fill_entry(struct gofer_lister *l, const char *name, size_t len, u64 ino, u8 type,
                      struct inode *i)
{
    struct filler *f = container_of(l, struct filler, lister);

    if (i) {
        inode_get(i);
        dentry_prime(f->dir, name, len, i);
    }
    return dirlist_add(f->list, name, len, ino, type);
}

/* dir->inode->lock is held for read, so that no name changes between the answer and the cache. */
static int fill(struct dentry *dir, struct dirlist *l)
{
    struct filler f = {.lister = {fill_entry}, .dir = dir, .list = l};

    return gofer_list(dir->inode, &f.lister);
}

static int readdir(struct vfs_file *f, struct dir_emitter *e)
{
    return dirlist_readdir(f, e, fill);
}

const struct file_ops gofer_dir_fops = {
    .readdir = readdir,
    .release = dirlist_release,
};

/* ---- changing ---- */

/* Group of something new in dir; the owner is current->cred->fsuid. */
static u32 group_in(const struct inode *dir)
{
    return dir->attr.mode & S_ISGID ? dir->attr.gid : current->cred->fsgid;
}

static void dir_touched(struct inode *dir, int links)
{
    dir->attr.mtime = dir->attr.ctime = (s64)clock_realtime();
    dir->attr.nlink += (u32)links;
}

/* Finish a request that made something: its inode becomes d's. Unlocks. */
static int made(struct inode *dir, struct dentry *d, struct gofer_call *c, int err,
                const struct gofer_attr *a, const char *link)
{
    struct gofer_str target = {link, link ? (u32)strlen(link) : 0};
    struct gofer_attr attr;
    struct inode *i;

    if (!err)
        attr = *a;
    end(c);
    if (err)
        return err;
    i = gofer_inode(tree_of(dir), &attr, node_of(dir), d->name, d->name_len, &target);
    if (IS_ERR(i)) {
        if (c->fd >= 0)
            HOSTCALL(HC_FD_CLOSE, (u64)c->fd);
        return (int)PTR_ERR(i);
    }
    if (c->fd >= 0)
        node_of(i)->host_fd[1] = c->fd;
    dentry_instantiate(d, i);
    dir_touched(dir, S_ISDIR(attr.mode));
    return 0;
}

static int create(struct inode *dir, struct dentry *d, u32 mode)
{
    struct gofer_create_req req = {.newfid = GOFER_NOFID, .flags = O_RDWR, .mode = mode & 07777};
    struct gofer_call c;
    int err = begin(dir, &c);

    if (!err) {
        req.uid = current->cred->fsuid;
        req.gid = group_in(dir);
        req.fid = c.dir;
        gofer_call_begin(&c, GOFER_CREATE, &req, sizeof(req));
        put_name(&c, d);
        err = gofer_call_send(&c);
    }
    return made(dir, d, &c, err, &c.m.body.create_rep.attr, NULL);
}

static int mkdir(struct inode *dir, struct dentry *d, u32 mode)
{
    struct gofer_mkdir_req req = {0};
    struct gofer_call c;
    int err = begin(dir, &c);

    if (!err) {
        req.uid = current->cred->fsuid;
        req.gid = group_in(dir);
        req.mode = (mode & 07777) | (dir->attr.mode & S_ISGID);
        req.fid = c.dir;
        gofer_call_begin(&c, GOFER_MKDIR, &req, sizeof(req));
        put_name(&c, d);
        err = gofer_call_send(&c);
    }
    return made(dir, d, &c, err, &c.m.body.mkdir_rep.attr, NULL);
}

static int symlink(struct inode *dir, struct dentry *d, const char *target)
{
    struct gofer_symlink_req req = {0};
    struct gofer_call c;
    int err = begin(dir, &c);

    if (!err) {
        req.uid = current->cred->fsuid;
        req.gid = group_in(dir);
        req.fid = c.dir;
        gofer_call_begin(&c, GOFER_SYMLINK, &req, sizeof(req));
        put_name(&c, d);
        gofer_put_str(&c.w, target, strlen(target));
        err = gofer_call_send(&c);
    }
    return made(dir, d, &c, err, &c.m.body.symlink_rep.attr, target);
}

static int mknod(struct inode *dir, struct dentry *d, u32 mode, u64 rdev)
{
    struct gofer_mknod_req req = {.mode = mode};
    struct gofer_call c;
    int err;

    if (S_ISREG(mode))
        return create(dir, d, mode);
    err = begin(dir, &c);
    if (!err) {
        req.uid = current->cred->fsuid;
        req.gid = group_in(dir);
        req.fid = c.dir;
        gofer_call_begin(&c, GOFER_MKNOD, &req, sizeof(req));
        put_name(&c, d);
        err = gofer_call_send(&c);
    }
    return made(dir, d, &c, err, &c.m.body.mknod_rep.attr, NULL);
}

static int link(struct inode *dir, struct dentry *d, struct inode *target)
{
    struct gofer_node *t = node_of(target);
    struct gofer_link_req req;
    struct gofer_attr attr;
    struct gofer_call c;
    int err = begin(dir, &c);

    s64 from = t->parent && t->name ? 0 : -ENOENT;

    if (!err && !from)
        from = gofer_node_fid(c.conn, t->parent);
    if (!err && from < 0)
        err = (int)from;
    if (!err) {
        req.fid = (u32)from;
        req.newdir = c.dir;
        gofer_call_begin(&c, GOFER_LINK, &req, sizeof(req));
        gofer_put_str(&c.w, t->name, strlen(t->name));
        put_name(&c, d);
        err = gofer_call_send(&c);
    }
    if (!err)
        attr = c.m.body.link_rep.attr;
    end(&c);
    if (err)
        return err;
    gofer_attr_update(target, &attr);
    inode_get(target);
    dentry_instantiate(d, target);
    dir_touched(dir, 0);
    return 0;
}

/* The name by which n is found again goes, or becomes (parent, name). conn->lock held; returns what
 * to put. */
static struct inode *replace_place(struct gofer_node *n, struct gofer_node *parent, char *name)
{
    struct inode *old = n->parent ? n->parent->inode : NULL;

    kfree(n->name);
    n->name = name;
    n->parent = parent;
    if (parent)
        inode_get(parent->inode);
    return old;
}

static bool is_place(const struct gofer_node *n, const struct inode *dir, const struct dentry *d)
{
    return n->parent == node_of(dir) && n->name && !strcmp(n->name, d->name);
}

static int remove(struct inode *dir, struct dentry *d, u32 flags)
{
    struct gofer_unlink_req req = {.flags = flags};
    struct inode *i = d->inode, *old = NULL;
    struct gofer_node *n = node_of(i);
    struct gofer_call c;
    int err = begin(dir, &c);

    if (!err) {
        req.fid = c.dir;
        gofer_call_begin(&c, GOFER_UNLINK, &req, sizeof(req));
        put_name(&c, d);
        err = gofer_call_send(&c);
    }
    if (!err && !S_ISDIR(i->attr.mode) && is_place(n, dir, d))
        old = replace_place(n, NULL, NULL);
    end(&c);
    inode_put(old);
    if (err)
        return err;
    i->attr.nlink = S_ISDIR(i->attr.mode) ? 0 : i->attr.nlink - 1;
    i->attr.ctime = (s64)clock_realtime();
    dir_touched(dir, S_ISDIR(i->attr.mode) ? -1 : 0);
    return 0;
}

static int unlink(struct inode *dir, struct dentry *d)
{
    return remove(dir, d, 0);
}

static int rmdir(struct inode *dir, struct dentry *d)
{
    return remove(dir, d, GOFER_UNLINK_DIR);
}

static char *copy_name(const struct dentry *d)
{
    char *p = kmalloc(d->name_len + 1u);

    if (p) {
        memcpy(p, d->name, d->name_len);
        p[d->name_len] = '\0';
    }
    return p;
}

static int rename_send(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
                       u32 flags, struct inode *put[2])
{
    struct gofer_rename_req req = {.flags = flags};
    char *name = copy_name(nd), *oname = flags & RENAME_EXCHANGE ? copy_name(od) : NULL;
    struct gofer_call c;
    int err = begin(odir, &c);

    s64 to = err ? err : gofer_node_fid(c.conn, node_of(ndir));

    if (to < 0)
        err = (int)to;
    if (!err && (!name || ((flags & RENAME_EXCHANGE) && !oname)))
        err = -ENOMEM;
    if (!err) {
        req.fid = c.dir;
        req.newdir = (u32)to;
        gofer_call_begin(&c, GOFER_RENAME, &req, sizeof(req));
        put_name(&c, od);
        put_name(&c, nd);
        err = gofer_call_send(&c);
    }
    if (!err) {
        put[0] = replace_place(node_of(od->inode), node_of(ndir), name);
        if (flags & RENAME_EXCHANGE)
            put[1] = replace_place(node_of(nd->inode), node_of(odir), oname);
        else if (nd->inode && is_place(node_of(nd->inode), ndir, nd))
            put[1] = replace_place(node_of(nd->inode), NULL, NULL);
        name = oname = NULL;
    }
    end(&c);
    kfree(name);
    kfree(oname);
    return err;
}

static int rename(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
                  u32 flags)
{
    struct inode *put[2] = {NULL, NULL}, *gone = flags & RENAME_EXCHANGE ? NULL : nd->inode;
    bool moved_dir = S_ISDIR(od->inode->attr.mode) && odir != ndir;
    int err = rename_send(odir, od, ndir, nd, flags, put);

    inode_put(put[0]);
    inode_put(put[1]);
    if (err)
        return err;
    od->inode->attr.ctime = (s64)clock_realtime();
    dir_touched(odir, moved_dir ? -1 : 0);
    dir_touched(ndir, moved_dir);
    if ((flags & RENAME_EXCHANGE) && S_ISDIR(nd->inode->attr.mode) && odir != ndir) {
        dir_touched(odir, 1);
        dir_touched(ndir, -1);
    }
    if (gone && S_ISDIR(gone->attr.mode)) {
        gone->attr.nlink = 0;
        dir_touched(ndir, -1);
    } else if (gone) {
        gone->attr.nlink--;
    }
    return 0;
}

const struct inode_ops gofer_dir_ops = {
    .lookup = lookup,
    .create = create,
    .mkdir = mkdir,
    .symlink = symlink,
    .mknod = mknod,
    .link = link,
    .unlink = unlink,
    .rmdir = rmdir,
    .rename = rename,
    .setattr = gofer_setattr,
    .evict = gofer_evict,
};
