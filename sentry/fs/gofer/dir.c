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

/* A request about a name in dir, or dir itself (name NULL); ends with end(). */
static void begin(struct gofer_call *c, struct inode *dir, u16 type, const void *req, size_t n,
                  const struct dentry *name)
{
    c->conn = tree_of(dir)->conn;
    mutex_lock(&c->conn->lock);
    gofer_call_begin(c, type, req, n);
    gofer_call_path(c, node_of(dir), name ? name->name : NULL, name ? name->name_len : 0);
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
    struct gofer_walk_req req = {.fid = tree_of(dir)->fid, .newfid = GOFER_NOFID, .count = 1};
    struct gofer_call c;
    char *copy = NULL;
    int err;

    begin(&c, dir, GOFER_WALK, &req, sizeof(req), NULL);
    gofer_put_str(&c.w, name, len);
    err = gofer_call_send(&c);
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

/* The file is known by that name no more. */
static void forget_place(struct inode *dir, const char *name, struct inode *i)
{
    struct gofer_conn *conn = tree_of(dir)->conn;
    struct gofer_place *p;

    mutex_lock(&conn->lock);
    p = gofer_place_take(node_of(i), node_of(dir), name, strlen(name));
    mutex_unlock(&conn->lock);
    gofer_place_free(p);
}

static bool same_file(const struct inode *i, const struct gofer_attr *a)
{
    return node_of(i)->ino == a->ino && node_of(i)->dev == a->dev &&
           (i->attr.mode & S_IFMT) == (a->mode & S_IFMT);
}

/* Is what d says still so? Somebody else may have made, replaced or removed the file. */
static bool revalidate(struct dentry *d)
{
    struct found f = {.link = {NULL, 0}};
    char name[NAME_MAX + 1];
    struct dentry *parent = dentry_place(d, name);
    struct inode *i = __atomic_load_n(&d->inode, __ATOMIC_ACQUIRE);
    int err = lookup_send(parent->inode, name, strlen(name), &f);
    bool same = false;

    kfree((char *)f.link.p);
    if (!i) {
        same = err == -ENOENT;
    } else if (err && err != -ENOENT && err != -ENOTDIR) {
        same = true; /* we cannot know: let the request itself fail */
    } else if (!err && same_file(i, &f.attr)) {
        same = true;
        gofer_attr_refresh(i, &f.attr);
    } else {
        forget_place(parent->inode, name, i);
    }
    dentry_put(parent);
    return same;
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
    struct gofer_readdir_req req = {.fid = tree_of(dir)->fid,
                                    .size = GOFER_MSG_MAX,
                                    .flags = GOFER_READDIR_ATTR,
                                    .cookie = *cookie};
    struct gofer_call c;
    struct gofer_dirent ent;
    struct gofer_attr attr;
    struct gofer_str name;
    u32 pos = 0;
    int err;

    begin(&c, dir, GOFER_READDIR, &req, sizeof(req), NULL);
    err = gofer_call_send(&c);
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
    struct gofer_create_req req = {.fid = tree_of(dir)->fid,
                                   .newfid = GOFER_NOFID,
                                   .flags = O_RDWR,
                                   .mode = mode & 07777,
                                   .uid = current->cred->fsuid,
                                   .gid = group_in(dir)};
    struct gofer_call c;

    begin(&c, dir, GOFER_CREATE, &req, sizeof(req), d);
    return made(dir, d, &c, gofer_call_send(&c), &c.m.body.create_rep.attr, NULL);
}

static int mkdir(struct inode *dir, struct dentry *d, u32 mode)
{
    struct gofer_mkdir_req req = {.fid = tree_of(dir)->fid,
                                  .mode = (mode & 07777) | (dir->attr.mode & S_ISGID),
                                  .uid = current->cred->fsuid,
                                  .gid = group_in(dir)};
    struct gofer_call c;

    begin(&c, dir, GOFER_MKDIR, &req, sizeof(req), d);
    return made(dir, d, &c, gofer_call_send(&c), &c.m.body.mkdir_rep.attr, NULL);
}

static int symlink(struct inode *dir, struct dentry *d, const char *target)
{
    struct gofer_symlink_req req = {
        .fid = tree_of(dir)->fid, .uid = current->cred->fsuid, .gid = group_in(dir)};
    struct gofer_call c;

    begin(&c, dir, GOFER_SYMLINK, &req, sizeof(req), d);
    gofer_put_str(&c.w, target, strlen(target));
    return made(dir, d, &c, gofer_call_send(&c), &c.m.body.symlink_rep.attr, target);
}

static int mknod(struct inode *dir, struct dentry *d, u32 mode, u64 rdev)
{
    struct gofer_mknod_req req = {
        .fid = tree_of(dir)->fid, .mode = mode, .uid = current->cred->fsuid, .gid = group_in(dir)};
    struct gofer_call c;

    if (S_ISREG(mode))
        return create(dir, d, mode);
    begin(&c, dir, GOFER_MKNOD, &req, sizeof(req), d);
    return made(dir, d, &c, gofer_call_send(&c), &c.m.body.mknod_rep.attr, NULL);
}

static int link(struct inode *dir, struct dentry *d, struct inode *target)
{
    struct gofer_link_req req = {.fid = tree_of(dir)->fid, .newdir = tree_of(dir)->fid};
    struct gofer_place *place = gofer_place_new(node_of(dir), d->name, d->name_len);
    struct gofer_attr attr;
    struct gofer_call c;
    int err = -ENOMEM;

    begin(&c, target, GOFER_LINK, &req, sizeof(req), NULL);
    gofer_call_path(&c, node_of(dir), d->name, d->name_len);
    if (place)
        err = gofer_call_send(&c);
    if (!err) {
        gofer_place_add(node_of(target), place);
        place = NULL;
    }
    if (!err)
        attr = c.m.body.link_rep.attr;
    end(&c);
    gofer_place_free(place);
    if (err)
        return err;
    gofer_attr_update(target, &attr);
    inode_get(target);
    dentry_instantiate(d, target);
    dir_touched(dir, 0);
    return 0;
}

static struct gofer_place *take_place(struct inode *i, const struct inode *dir,
                                      const struct dentry *d)
{
    return gofer_place_take(node_of(i), node_of(dir), d->name, d->name_len);
}

static int remove(struct inode *dir, struct dentry *d, u32 flags)
{
    struct gofer_unlink_req req = {.fid = tree_of(dir)->fid, .flags = flags};
    struct gofer_place *place = NULL;
    struct inode *i = d->inode;
    struct gofer_call c;
    int err;

    begin(&c, dir, GOFER_UNLINK, &req, sizeof(req), d);
    err = gofer_call_send(&c);
    if (!err)
        place = take_place(i, dir, d);
    end(&c);
    gofer_place_free(place);
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

/* Renamed: the places follow. conn->lock held; put gets those that are to be freed. */
static void move_places(struct inode *odir, struct dentry *od, struct inode *ndir,
                        struct dentry *nd, u32 flags, struct gofer_place *place[2],
                        struct gofer_place *put[2])
{
    put[0] = take_place(od->inode, odir, od);
    if (nd->inode)
        put[1] = take_place(nd->inode, ndir, nd);
    gofer_place_add(node_of(od->inode), place[0]);
    place[0] = NULL;
    if (flags & RENAME_EXCHANGE) {
        gofer_place_add(node_of(nd->inode), place[1]);
        place[1] = NULL;
    }
}

static int rename_send(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
                       u32 flags)
{
    struct gofer_rename_req req = {
        .fid = tree_of(odir)->fid, .newdir = tree_of(odir)->fid, .flags = flags};
    struct gofer_place *place[2] = {gofer_place_new(node_of(ndir), nd->name, nd->name_len),
                                    gofer_place_new(node_of(odir), od->name, od->name_len)};
    struct gofer_place *put[2] = {NULL, NULL};
    struct gofer_call c;
    int err = -ENOMEM;

    begin(&c, odir, GOFER_RENAME, &req, sizeof(req), od);
    gofer_call_path(&c, node_of(ndir), nd->name, nd->name_len);
    if (place[0] && place[1])
        err = gofer_call_send(&c);
    if (!err)
        move_places(odir, od, ndir, nd, flags, place, put);
    end(&c);
    for (int i = 0; i < 2; i++) {
        gofer_place_free(place[i]);
        gofer_place_free(put[i]);
    }
    return err;
}

static int rename(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
                  u32 flags)
{
    struct inode *gone = flags & RENAME_EXCHANGE ? NULL : nd->inode;
    bool moved_dir = S_ISDIR(od->inode->attr.mode) && odir != ndir;
    int err = rename_send(odir, od, ndir, nd, flags);

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

#define DIR_OPS                                                                                 \
    .lookup = lookup, .create = create, .mkdir = mkdir, .symlink = symlink, .mknod = mknod,     \
    .link = link, .unlink = unlink, .rmdir = rmdir, .rename = rename, .setattr = gofer_setattr, \
    .evict = gofer_evict

const struct inode_ops gofer_dir_ops = {DIR_OPS};
const struct inode_ops gofer_shared_dir_ops = {DIR_OPS, .revalidate = revalidate};
