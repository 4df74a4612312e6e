// SPDX-License-Identifier: Apache-2.0
//
// Path walking. One walk keeps where it is, the top it may not leave, and the rest of the string; a
// symbolic link puts its target in front of the rest, so that nothing recurses and 40 links are the
// end.

#include "sentry/fs/internal.h"

#define MAX_LINKS 40
#define SCOPED    (LOOKUP_BENEATH | LOOKUP_IN_ROOT)

void current_root(struct path *out)
{
    struct fs_context *fs = current ? current->fs : NULL;

    if (!fs) {
        *out = (struct path){root_mount, root_mount->root};
        path_get(out);
        return;
    }
    spin_lock(&fs->lock);
    *out = fs->root;
    path_get(out);
    spin_unlock(&fs->lock);
}

void current_cwd(struct path *out)
{
    struct fs_context *fs = current ? current->fs : NULL;

    if (!fs) {
        current_root(out);
        return;
    }
    spin_lock(&fs->lock);
    *out = fs->cwd;
    path_get(out);
    spin_unlock(&fs->lock);
}

static int dirfd_path(int dirfd, bool need_dir, struct path *out)
{
    if (dirfd == AT_FDCWD) {
        current_cwd(out);
        return 0;
    }
    struct vfs_file *f = fd_get_any(dirfd);
    if (!f)
        return -EBADF;
    if (need_dir && !S_ISDIR(f->inode->attr.mode)) {
        file_put(f);
        return -ENOTDIR;
    }
    *out = f->path;
    path_get(out);
    file_put(f);
    return 0;
}

static void need_root(struct walk *w)
{
    if (!w->root.dentry)
        current_root(&w->root);
}

static bool at_root(const struct walk *w)
{
    return w->path.mnt == w->root.mnt && w->path.dentry == w->root.dentry;
}

/* Go to the root: an absolute path or link. */
static int jump_to_root(struct walk *w)
{
    if (w->flags & LOOKUP_BENEATH)
        return -EXDEV;
    need_root(w);
    if ((w->flags & LOOKUP_NO_XDEV) && w->path.mnt && w->path.mnt != w->root.mnt)
        return -EXDEV;
    path_get(&w->root);
    if (w->path.dentry)
        path_put(&w->path);
    w->path = w->root;
    return 0;
}

int walk_start(struct walk *w, int dirfd, const char *name, u32 flags)
{
    int err;

    *w = (struct walk){.rest = name, .flags = flags};
    if (!*name && !(flags & LOOKUP_EMPTY))
        return -ENOENT;
    if (flags & SCOPED) {
        w->generation = __atomic_load_n(&tree_generation, __ATOMIC_ACQUIRE);
        err = dirfd_path(dirfd, true, &w->root);
        if (err)
            return err;
        path_get(&w->root);
        w->path = w->root;
        return *name == '/' ? jump_to_root(w) : 0;
    }
    if (*name == '/' && !(flags & LOOKUP_NO_XDEV)) {
        current_root(&w->path);
        return 0;
    }
    if (*name == '/')
        return jump_to_root(w);
    return dirfd_path(dirfd, *name != 0, &w->path);
}

void walk_end(struct walk *w)
{
    if (w->path.dentry)
        path_put(&w->path);
    if (w->root.dentry)
        path_put(&w->root);
    kfree(w->buf);
}

static struct dentry *parent_get(struct dentry *d)
{
    dcache_lock_names();
    struct dentry *p = d->parent;
    dentry_get(p);
    dcache_unlock_names();
    return p;
}

static int cross_mounts(struct walk *w)
{
    if (likely(!(w->path.dentry->flags & DENTRY_MOUNTED)))
        return 0;
    struct mount *before = w->path.mnt;
    mount_follow(&w->path);
    return (w->flags & LOOKUP_NO_XDEV) && w->path.mnt != before ? -EXDEV : 0;
}

static int walk_dotdot(struct walk *w)
{
    need_root(w);
    for (;;) {
        if (at_root(w)) {
            if (w->flags & LOOKUP_BENEATH)
                return -EXDEV;
            break;
        }
        if (w->path.dentry != w->path.mnt->root) {
            struct dentry *up = parent_get(w->path.dentry);
            dentry_put(w->path.dentry);
            w->path.dentry = up;
            break;
        }
        if (w->flags & LOOKUP_NO_XDEV)
            return -EXDEV;
        if (!mount_up(&w->path))
            break;
    }
    /* A rename or mount meanwhile may have moved us out from under the root. */
    if ((w->flags & SCOPED) && w->generation != __atomic_load_n(&tree_generation, __ATOMIC_ACQUIRE))
        return -EAGAIN;
    return cross_mounts(w);
}

/* /proc/self/fd/N and its like: the object itself. */
static int follow_magic(struct walk *w, struct inode *i)
{
    struct path to;

    if (w->flags & LOOKUP_NO_MAGICLINKS)
        return -ELOOP;
    if (w->flags & SCOPED)
        return -EXDEV;
    int err = i->ops->follow(i, &to);
    if (err)
        return err;
    if ((w->flags & LOOKUP_NO_XDEV) && to.mnt != w->path.mnt) {
        path_put(&to);
        return -EXDEV;
    }
    path_put(&w->path);
    w->path = to;
    return 0;
}

/* Put the link's target in front of the rest: 1; or a magic link was followed: 0. */
static int follow_link(struct walk *w, struct inode *i)
{
    if (++w->links > MAX_LINKS || (w->flags & LOOKUP_NO_SYMLINKS))
        return -ELOOP;
    if (i->ops->follow)
        return follow_magic(w, i);
    if (!i->ops->readlink)
        return -EINVAL;
    size_t rest = strlen(w->rest);
    char *buf = kmalloc(PATH_MAX + rest + 2);
    if (!buf)
        return -ENOMEM;
    s64 n = i->ops->readlink(i, buf, PATH_MAX);
    if (n <= 0 || n >= PATH_MAX) {
        kfree(buf);
        return n < 0 ? (int)n : n ? -ENAMETOOLONG : -ENOENT;
    }
    if (rest || w->last_slash)
        buf[n++] = '/';
    memcpy(buf + n, w->rest, rest + 1);
    kfree(w->buf);
    w->buf = buf;
    w->rest = buf;
    int err = buf[0] == '/' ? jump_to_root(w) : 0;
    return err ? err : 1;
}

int walk_into(struct walk *w, struct dentry *d, bool follow)
{
    struct inode *i = __atomic_load_n(&d->inode, __ATOMIC_ACQUIRE);

    if (!i) {
        dentry_put(d);
        return -ENOENT;
    }
    if (unlikely(S_ISLNK(i->attr.mode)) && follow) {
        int err = follow_link(w, i);
        dentry_put(d);
        return err;
    }
    dentry_put(w->path.dentry);
    w->path.dentry = d;
    return cross_mounts(w);
}

static int may_search(struct walk *w)
{
    struct inode *dir = w->path.dentry->inode;

    if (unlikely(!dir || !S_ISDIR(dir->attr.mode)))
        return -ENOTDIR;
    return inode_permission(dir, MAY_EXEC);
}

static int walk_step(struct walk *w, const char *name, size_t len, bool follow)
{
    int err = may_search(w);

    if (err)
        return err;
    if (name[0] == '.') {
        if (len == 1)
            return 0;
        if (len == 2 && name[1] == '.')
            return walk_dotdot(w);
    }
    struct dentry *d = dentry_child(w->path.dentry, name, len);
    if (IS_ERR(d))
        return (int)PTR_ERR(d);
    return walk_into(w, d, follow);
}

int walk_parent(struct walk *w)
{
    w->last_slash = false;
    for (;;) {
        w->rest = dcache_walk(&w->path.dentry, w->rest);
        const char *name = w->rest, *end;
        while (*name == '/')
            name++;
        if (!*name) {
            w->last = name;
            w->last_len = 0;
            return 0;
        }
        for (end = name; *end && *end != '/'; end++)
            ;
        size_t len = (size_t)(end - name);
        w->rest = end;
        while (*w->rest == '/')
            w->rest++;
        if (!*w->rest) {
            w->last = name;
            w->last_len = (u32)len;
            w->last_slash = *end == '/';
            if (!S_ISDIR(w->path.dentry->inode->attr.mode))
                return -ENOTDIR;
            return len > NAME_MAX ? -ENAMETOOLONG : 0;
        }
        int err = walk_step(w, name, len, true);
        if (err < 0)
            return err;
    }
}

int walk_last(struct walk *w, bool follow)
{
    int err;

    if (!w->last_len)
        return 0;
    bool slash = w->last_slash;
    err = walk_step(w, w->last, w->last_len, follow || slash);
    if (!err && slash && !S_ISDIR(w->path.dentry->inode->attr.mode))
        return -ENOTDIR;
    return err;
}

int path_lookup(int dirfd, const char *name, u32 flags, struct path *out)
{
    struct walk w;
    int err = walk_start(&w, dirfd, name, flags);

    if (err)
        goto out;
    do {
        err = walk_parent(&w);
        if (!err)
            err = walk_last(&w, flags & LOOKUP_FOLLOW);
    } while (err == 1);
    if (!err && (flags & LOOKUP_DIRECTORY) && !S_ISDIR(w.path.dentry->inode->attr.mode))
        err = -ENOTDIR;
    if (!err) {
        *out = w.path;
        w.path.dentry = NULL;
    }
out:
    walk_end(&w);
    return err;
}

int path_lookup_parent(int dirfd, const char *name, struct path *parent, char *last, bool *is_dir)
{
    struct walk w;
    int err = walk_start(&w, dirfd, name, 0);

    if (!err)
        err = walk_parent(&w);
    if (!err)
        err = may_search(&w);
    if (!err) {
        memcpy(last, w.last, w.last_len);
        last[w.last_len] = 0;
        if (!w.last_len)
            memcpy(last, ".", 2);
        *is_dir = w.last_slash;
        *parent = w.path;
        w.path.dentry = NULL;
    }
    walk_end(&w);
    return err;
}

/* ---- names from user memory ---- */

char *getname(uva_t name, bool empty_ok)
{
    char *buf = kmalloc(PATH_MAX);

    if (!buf)
        return ERR_PTR(-ENOMEM);
    long n = strncpy_from_user(buf, name, PATH_MAX);
    if (n == 0 && !empty_ok)
        n = -ENOENT;
    if (n < 0) {
        kfree(buf);
        return ERR_PTR(n);
    }
    return buf;
}

int uname_get(struct uname_buf *b, uva_t name, bool empty_ok)
{
    b->s = b->small;
    long n = strncpy_from_user(b->small, name, sizeof(b->small));
    if (n == -ENAMETOOLONG) {
        b->s = getname(name, empty_ok);
        return IS_ERR(b->s) ? (int)PTR_ERR(b->s) : 0;
    }
    if (n == 0 && !empty_ok)
        return -ENOENT;
    return n < 0 ? (int)n : 0;
}

void uname_put(struct uname_buf *b)
{
    if (b->s != b->small)
        kfree(b->s);
}

int path_lookup_user(int dirfd, uva_t name, u32 flags, struct path *out)
{
    struct uname_buf b;
    int err = uname_get(&b, name, flags & LOOKUP_EMPTY);

    if (err)
        return err;
    err = path_lookup(dirfd, b.s, flags, out);
    uname_put(&b);
    return err;
}
