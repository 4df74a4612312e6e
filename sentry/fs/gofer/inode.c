// SPDX-License-Identifier: Apache-2.0
/*
 * Inodes of the gofer's files: made from the attributes that walks and directory reads bring, found
 * again by (device, inode number) of the host so that all names of a file share one; attributes.
 */
#include <linux/capability.h>
#include "sentry/fs/gofer/client.h"
#include "sentry/kernel/task.h"

static u32 hash_of(u64 dev, u64 ino)
{
    return hash_u64(ino ^ dev << 32);
}

/* tree->lock held. A node whose inode is on its way out does not count. */
static struct inode *find_locked(struct gofer_tree *t, u64 dev, u64 ino)
{
    struct hash_link *l;

    for (l = hashtab_first(&t->nodes, hash_of(dev, ino)); l; l = l->next) {
        struct gofer_node *n = container_of(l, struct gofer_node, hash_link);
        if (n->ino == ino && n->dev == dev && ref_get_unless_zero(&n->inode->refs))
            return n->inode;
    }
    return NULL;
}

static s64 time_ns(struct gofer_time t)
{
    return t.sec * (s64)NSEC_PER_SEC + t.nsec;
}

/* The host's device number is none of the application's business; that they differ is. */
static u64 translate_dev(struct gofer_tree *t, u64 host)
{
    u64 ours = super_anon_dev();
    u32 i;

    spin_lock(&t->lock);
    for (i = 0; i < t->ndevs && t->devs[i].host != host; i++)
        ;
    if (i == GOFER_DEVS)
        i--; /* more file systems than anybody has: the rest look like one */
    if (i == t->ndevs) {
        t->devs[i].host = host;
        t->devs[i].ours = i ? ours : 0; /* the root's: the super block's */
        t->ndevs++;
    }
    ours = t->devs[i].ours;
    spin_unlock(&t->lock);
    return ours;
}

void gofer_attr_update(struct inode *i, const struct gofer_attr *a)
{
    i->attr.ino = a->ino;
    i->attr.size = a->size;
    i->attr.blocks = a->blocks;
    i->attr.mode = a->mode;
    i->attr.nlink = a->nlink;
    i->attr.uid = a->uid;
    i->attr.gid = a->gid;
    i->attr.rdev = a->rdev;
    i->attr.blksize = a->blksize;
    i->attr.atime = time_ns(a->atime);
    i->attr.mtime = time_ns(a->mtime);
    i->attr.ctime = time_ns(a->ctime);
    i->attr.btime = i->attr.ctime;
}

void gofer_attr_refresh(struct inode *i, const struct gofer_attr *a)
{
    struct gofer_node *n = node_of(i);
    u64 size = i->attr.size;

    if (a->size == size && time_ns(a->mtime) == i->attr.mtime && time_ns(a->ctime) == i->attr.ctime)
        return;
    if (S_ISREG(a->mode))
        gofer_data_drop(n);
    gofer_attr_update(i, a);
    /* somebody here may be writing: the answer may be older than what was written since */
    if (n->opens && i->attr.size < size)
        i->attr.size = size;
}

static char *copy_string(const char *s, size_t len)
{
    char *p = kmalloc(len + 1);

    if (p) {
        memcpy(p, s, len);
        p[len] = '\0';
    }
    return p;
}

static const struct inode_ops *ops_for(const struct gofer_tree *t, u32 mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return t->shared ? &gofer_shared_dir_ops : &gofer_dir_ops;
    case S_IFREG:
        return &gofer_file_iops;
    case S_IFLNK:
        return &gofer_link_ops;
    }
    return &gofer_special_ops;
}

static struct gofer_node *node_new(struct gofer_tree *t, const struct gofer_attr *a)
{
    struct gofer_node *n = kzalloc(sizeof(*n));

    if (!n)
        return NULL;
    n->tree = t;
    n->dev = a->dev;
    n->ino = a->ino;
    n->host_fd[0] = n->host_fd[1] = -1;
    list_init(&n->idle_link);
    list_init(&n->data_link);
    mutex_init(&n->lock);
    return n;
}

static struct inode *inode_make(struct gofer_tree *t, const struct gofer_attr *a)
{
    const struct file_ops *fops = S_ISDIR(a->mode)   ? &gofer_dir_fops
                                  : S_ISREG(a->mode) ? &gofer_file_fops
                                                     : NULL;
    struct gofer_node *n = node_new(t, a);
    struct inode *i = n ? inode_new(t->sb, ops_for(t, a->mode), fops, a->mode) : NULL;

    if (!i) {
        kfree(n);
        return NULL;
    }
    n->inode = i;
    i->private = n;
    gofer_attr_update(i, a);
    i->attr.dev = t->ndevs && t->devs[0].host == a->dev ? 0 : translate_dev(t, a->dev);
    return i;
}

/* Make i findable, unless somebody was faster: then theirs, with a reference. ERR_PTR(-ENOMEM). */
static struct inode *publish(struct gofer_tree *t, struct inode *i)
{
    struct gofer_node *n = node_of(i);
    struct inode *other;
    int err = 0;

    spin_lock(&t->lock);
    other = find_locked(t, n->dev, n->ino);
    if (!other)
        err = hashtab_add(&t->nodes, &n->hash_link, hash_of(n->dev, n->ino));
    spin_unlock(&t->lock);
    if (!other && !err)
        return i;
    inode_put(i);
    return err ? ERR_PTR(err) : other;
}

struct inode *gofer_inode(struct gofer_tree *t, const struct gofer_attr *a,
                          struct gofer_node *parent, const char *name, size_t namelen,
                          const struct gofer_str *link)
{
    struct gofer_place *p;
    struct inode *i;
    bool ok = true;

    spin_lock(&t->lock);
    i = find_locked(t, a->dev, a->ino);
    spin_unlock(&t->lock);
    if (i) {
        if (!parent || !gofer_place_found(node_of(i), parent, name, namelen))
            return i;
        inode_put(i);
        return ERR_PTR(-ENOMEM);
    }
    i = inode_make(t, a);
    if (!i)
        return ERR_PTR(-ENOMEM);
    if (parent) {
        p = gofer_place_new(parent, name, namelen);
        ok = p != NULL;
        if (ok)
            gofer_place_add(node_of(i), p);
    }
    if (ok && link && link->len)
        ok = (node_of(i)->link = copy_string(link->p, link->len)) != NULL;
    if (!ok) {
        inode_put(i);
        return ERR_PTR(-ENOMEM);
    }
    return publish(t, i);
}

void gofer_evict(struct inode *i)
{
    struct gofer_node *n = node_of(i);

    spin_lock(&n->tree->lock);
    hashtab_del(&n->tree->nodes, &n->hash_link);
    spin_unlock(&n->tree->lock);
    gofer_file_evict(n);
    for (struct gofer_place *p = n->place, *next; p; p = next) {
        next = p->next;
        gofer_place_free(p);
    }
    kfree(n->link);
    kfree(n);
}

/* ---- setattr ---- */

static struct gofer_time wire_time(s64 ns)
{
    s64 sec = ns / (s64)NSEC_PER_SEC, rest = ns % (s64)NSEC_PER_SEC;

    if (rest < 0) {
        rest += (s64)NSEC_PER_SEC;
        sec--;
    }
    return (struct gofer_time){sec, (u32)rest};
}

/*
 * Tell the gofer. Size goes through a descriptor where there is one; a file that has lost its last
 * name has no attributes that anybody else will see.
 */
static int setattr_send(struct gofer_node *n, const struct attr *a, u32 valid,
                        struct gofer_attr *out)
{
    struct gofer_conn *conn = n->tree->conn;
    struct gofer_call c = {.conn = conn};
    struct gofer_setattr_req req = {
        .fid = n->tree->fid,
        .mode = a->mode & 07777,
        .uid = a->uid,
        .gid = a->gid,
        .size = a->size,
        .atime = wire_time(a->atime),
        .mtime = wire_time(a->mtime),
        .mask = valid,
    };
    int err;

    BUILD_ASSERT(ATTR_MODE == GOFER_SET_MODE && ATTR_UID == GOFER_SET_UID &&
                 ATTR_GID == GOFER_SET_GID && ATTR_SIZE == GOFER_SET_SIZE &&
                 ATTR_ATIME == GOFER_SET_ATIME && ATTR_MTIME == GOFER_SET_MTIME);
    mutex_lock(&conn->lock);
    gofer_call_begin(&c, GOFER_SETATTR, &req, sizeof(req));
    gofer_call_path(&c, n, NULL, 0);
    err = gofer_call_send(&c);
    if (!err)
        *out = c.m.body.setattr_rep.attr;
    mutex_unlock(&conn->lock);
    return err;
}

int gofer_setattr(struct inode *i, const struct attr *a, u32 valid)
{
    struct gofer_node *n = node_of(i);
    struct gofer_attr got;
    int err;

    if (n->tree->readonly)
        return -EROFS;
    valid &= GOFER_SET_ALL;
    if ((valid & ATTR_SIZE) && n->host_fd[1] >= 0) {
        err = (int)HOSTCALL_WAIT(HC_FTRUNCATE, (u64)n->host_fd[1], a->size);
        if (err < 0)
            return err;
        valid &= ~ATTR_SIZE;
        attr_apply(i, a, ATTR_SIZE);
    }
    if (i->attr.nlink == 0) {
        attr_apply(i, a, valid);
    } else if (valid) {
        err = setattr_send(n, a, valid, &got);
        if (err)
            return err;
        gofer_attr_update(i, &got);
    }
    return 0;
}

void gofer_refresh_size(struct inode *i)
{
    struct gofer_node *n = node_of(i);
    s32 fd = n->host_fd[n->host_fd[1] >= 0];
    struct page *p = fd >= 0 ? page_alloc(0, 0) : NULL;
    const struct host_stat *st;

    if (!p)
        return;
    st = page_virt(p);
    if (HOSTCALL(HC_FD_STAT, (u64)fd, page_to_phys(p)) == 0)
        i->attr.size = st->size;
    page_put(p);
}

/* Links that came with a directory's listing are read when they are followed. */
static int fetch_link(struct gofer_node *n)
{
    struct gofer_conn *conn = n->tree->conn;
    struct gofer_call c = {.conn = conn};
    struct gofer_readlink_req req = {.fid = n->tree->fid};
    int err;

    mutex_lock(&conn->lock);
    gofer_call_begin(&c, GOFER_READLINK, &req, sizeof(req));
    gofer_call_path(&c, n, NULL, 0);
    err = gofer_call_send(&c);
    if (!err && !n->link) {
        char *link = copy_string(c.m.str[0].p, c.m.str[0].len);
        err = link ? 0 : -ENOMEM;
        __atomic_store_n(&n->link, link, __ATOMIC_RELEASE);
    }
    mutex_unlock(&conn->lock);
    return err;
}

static s64 readlink_op(struct inode *i, char *buf, size_t size)
{
    struct gofer_node *n = node_of(i);
    const char *link = __atomic_load_n(&n->link, __ATOMIC_ACQUIRE);
    size_t len;

    if (!link) {
        int err = fetch_link(n);
        if (err)
            return err;
        link = n->link;
    }
    len = MIN(strlen(link), size);
    memcpy(buf, link, len);
    return (s64)len;
}

const struct inode_ops gofer_link_ops = {
    .readlink = readlink_op,
    .setattr = gofer_setattr,
    .evict = gofer_evict,
};

const struct inode_ops gofer_special_ops = {
    .setattr = gofer_setattr,
    .evict = gofer_evict,
};
