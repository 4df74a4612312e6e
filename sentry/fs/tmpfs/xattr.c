// SPDX-License-Identifier: Apache-2.0
//
// tmpfs: extended attributes, a list per inode. Readers take the inode's lock for read, setxattr
// comes with it held.

#include <linux/xattr.h>
#include "sentry/fs/tmpfs/tmpfs.h"

static struct tmpfs_xattr *find(struct inode *i, const char *name)
{
    struct tmpfs_xattr *x;

    list_for_each (x, &tmpfs_i(i)->xattrs, link) {
        if (!strcmp(x->name, name))
            return x;
    }
    return NULL;
}

static void drop(struct tmpfs_xattr *x)
{
    list_del(&x->link);
    kfree(x->name);
    kfree(x);
}

s64 tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
    s64 ret = -ENODATA;

    down_read(&i->lock);
    struct tmpfs_xattr *x = find(i, name);
    if (x) {
        ret = (s64)x->size;
        if (size && x->size > size)
            ret = -ERANGE;
        else if (size)
            memcpy(buf, x->value, x->size);
    }
    up_read(&i->lock);
    return ret;
}

int tmpfs_setxattr(struct inode *i, const char *name, const void *value, size_t size, u32 flags)
{
    struct tmpfs_xattr *old = find(i, name), *x;

    if (!value) {
        if (!old)
            return -ENODATA;
        drop(old);
        i->attr.ctime = (s64)clock_realtime();
        return 0;
    }
    if (old && (flags & XATTR_CREATE))
        return -EEXIST;
    if (!old && (flags & XATTR_REPLACE))
        return -ENODATA;
    x = kmalloc(sizeof(*x) + size);
    if (!x)
        return -ENOMEM;
    x->name = kstrdup(name);
    if (!x->name) {
        kfree(x);
        return -ENOMEM;
    }
    x->size = size;
    memcpy(x->value, value, size);
    list_add_tail(&tmpfs_i(i)->xattrs, &x->link);
    if (old)
        drop(old);
    i->attr.ctime = (s64)clock_realtime();
    return 0;
}

s64 tmpfs_listxattr(struct inode *i, char *buf, size_t size)
{
    struct tmpfs_xattr *x;
    size_t len = 0;
    s64 ret = 0;

    down_read(&i->lock);
    list_for_each (x, &tmpfs_i(i)->xattrs, link) {
        size_t n = strlen(x->name) + 1;
        if (size && len + n > size) {
            ret = -ERANGE;
            break;
        }
        if (size)
            memcpy(buf + len, x->name, n);
        len += n;
    }
    up_read(&i->lock);
    return ret ? ret : (s64)len;
}

void tmpfs_free_xattrs(struct inode *i)
{
    struct tmpfs_xattr *x, *tmp;

    list_for_each_safe (x, tmp, &tmpfs_i(i)->xattrs, link) {
        drop(x);
    }
}
