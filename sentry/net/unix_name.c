// SPDX-License-Identifier: Apache-2.0
/*
 * AF_UNIX names: paths in the file system and the abstract name space. unix(7).
 */
#include "sentry/kernel/task.h"
#include "sentry/net/unix.h"

/* Abstract names in use. */
static struct spinlock bound_lock = SPINLOCK_INIT;
static struct list bound = LIST_INIT(bound);

static int check_name(const u8 *addr, u32 len)
{
    u16 family;

    if (len < 2 || len > 2 + UNIX_PATH_MAX)
        return -EINVAL;
    memcpy(&family, addr, 2);
    return family == AF_UNIX ? 0 : -EINVAL;
}

static bool is_abstract(const u8 *addr, u32 len)
{
    return len > 2 && !addr[2];
}

/* The path of an address as a string. */
static void name_to_path(const u8 *addr, u32 len, char *path)
{
    memcpy(path, addr + 2, len - 2);
    path[len - 2] = '\0';
}

static struct unix_sock *abstract_find(const u8 *addr, u32 len)
{
    struct unix_sock *u;

    list_for_each (u, &bound, bound_link) {
        if (u->name_len == len && !memcmp(u->name, addr, len))
            return u;
    }
    return NULL;
}

static int bind_abstract(struct unix_sock *u, const u8 *addr, u32 len)
{
    int err = 0;

    spin_lock(&bound_lock);
    if (abstract_find(addr, len)) {
        err = -EADDRINUSE;
    } else {
        memcpy(u->name, addr, len);
        u->name_len = len;
        list_add(&bound, &u->bound_link);
    }
    spin_unlock(&bound_lock);
    return err;
}

/* A unique 5-digit abstract name for bind(2) without one. */
static int autobind(struct unix_sock *u)
{
    u8 addr[8] = {AF_UNIX, 0, 0};
    int err = -EADDRINUSE;

    for (u32 tries = 0; tries < 1000 && err == -EADDRINUSE; tries++) {
        u32 r;

        random_bytes(&r, sizeof(r));
        for (int i = 0; i < 5; i++, r >>= 4)
            addr[3 + i] = (u8) "0123456789abcdef"[r & 15];
        err = bind_abstract(u, addr, sizeof(addr));
    }
    return err;
}

static int bind_path(struct unix_sock *u, const u8 *addr, u32 len)
{
    char path[UNIX_PATH_MAX + 1];
    int err;

    name_to_path(addr, len, path);
    err = vfs_mknod(AT_FDCWD, path, S_IFSOCK | (0777 & ~current->fs->umask), 0, &u->bound);
    if (err)
        return err == -EEXIST ? -EADDRINUSE : err;
    memcpy(u->name, addr, 2);
    memcpy(u->name + 2, path, strlen(path) + 1);
    u->name_len = 2 + (u32)strlen(path) + 1;
    /* the name finds the endpoint; cleared before the endpoint goes */
    spin_lock(&bound_lock);
    u->bound.dentry->inode->sock = u;
    spin_unlock(&bound_lock);
    return 0;
}

int unix_bind(struct socket *s, const u8 *addr, u32 len)
{
    struct unix_sock *u = s->private;
    int err = check_name(addr, len);

    if (err)
        return err;
    mutex_lock(&u->binding);
    if (u->name_len)
        err = -EINVAL;
    else if (len == 2)
        err = autobind(u);
    else
        err = is_abstract(addr, len) ? bind_abstract(u, addr, len) : bind_path(u, addr, len);
    mutex_unlock(&u->binding);
    return err;
}

void unix_unbind(struct unix_sock *u)
{
    spin_lock(&bound_lock);
    list_del(&u->bound_link);
    if (u->bound.dentry && u->bound.dentry->inode && u->bound.dentry->inode->sock == u)
        u->bound.dentry->inode->sock = NULL;
    spin_unlock(&bound_lock);
    if (u->bound.dentry)
        path_put(&u->bound);
    u->bound.dentry = NULL;
}

static struct unix_sock *lookup_path(const u8 *addr, u32 len)
{
    char name[UNIX_PATH_MAX + 1];
    struct unix_sock *u = NULL;
    struct path p;
    int err;

    name_to_path(addr, len, name);
    err = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &p);
    if (err)
        return ERR_PTR(err);
    err = inode_permission(p.dentry->inode, MAY_WRITE);
    if (!err) {
        spin_lock(&bound_lock);
        u = p.dentry->inode->sock;
        if (u && !ref_get_unless_zero(&u->refs))
            u = NULL;
        spin_unlock(&bound_lock);
    }
    path_put(&p);
    if (err)
        return ERR_PTR(err);
    return u ? u : ERR_PTR(-ECONNREFUSED);
}

struct unix_sock *unix_lookup(const u8 *addr, u32 len, int type)
{
    struct unix_sock *u;
    int err = check_name(addr, len);

    if (err || len == 2)
        return ERR_PTR(-EINVAL);
    if (is_abstract(addr, len)) {
        spin_lock(&bound_lock);
        u = abstract_find(addr, len);
        if (u && !ref_get_unless_zero(&u->refs))
            u = NULL;
        spin_unlock(&bound_lock);
        if (!u)
            return ERR_PTR(-ECONNREFUSED);
    } else {
        u = lookup_path(addr, len);
        if (IS_ERR(u))
            return u;
    }
    if (u->type != type) {
        unix_put(u);
        return ERR_PTR(-EPROTOTYPE);
    }
    return u;
}
