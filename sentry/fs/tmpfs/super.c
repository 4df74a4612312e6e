// SPDX-License-Identifier: Apache-2.0
//
// tmpfs: instances, mount options, life of inodes.

#include "sentry/fs/options.h"
#include "sentry/fs/tmpfs/tmpfs.h"
#include "sentry/kernel/task.h"

static bool charge(u64 *used, u64 max, u64 n)
{
    u64 now = __atomic_add_fetch(used, n, __ATOMIC_RELAXED);

    if (!max || now <= max)
        return true;
    __atomic_sub_fetch(used, n, __ATOMIC_RELAXED);
    return false;
}

int tmpfs_charge(struct super *sb, u64 n)
{
    struct tmpfs_super *s = sb->private;

    return charge(&s->pages, s->max_pages, n) ? 0 : -ENOSPC;
}

void tmpfs_uncharge(struct super *sb, u64 n)
{
    struct tmpfs_super *s = sb->private;

    __atomic_sub_fetch(&s->pages, n, __ATOMIC_RELAXED);
}

struct inode *tmpfs_inode_new(struct super *sb, const struct inode *dir, u32 mode)
{
    struct tmpfs_super *s = sb->private;
    const struct inode_ops *ops = &tmpfs_special_ops;
    const struct file_ops *fops = NULL;

    if (!charge(&s->inodes, s->max_inodes, 1))
        return NULL;
    if (S_ISREG(mode)) {
        ops = &tmpfs_file_ops;
        fops = &tmpfs_file_fops;
    } else if (S_ISDIR(mode)) {
        ops = &tmpfs_dir_ops;
        fops = &tmpfs_dir_fops;
    } else if (S_ISLNK(mode)) {
        ops = &tmpfs_link_ops;
    }
    struct tmpfs_inode *t = kzalloc(sizeof(*t));
    struct inode *i = t ? inode_new(sb, ops, fops, mode) : NULL;
    if (!i) {
        kfree(t);
        __atomic_sub_fetch(&s->inodes, 1, __ATOMIC_RELAXED);
        return NULL;
    }
    list_init(&t->xattrs);
    t->next_cookie = 2;
    i->private = t;
    inode_init_owner(i, dir, mode);
    if (S_ISDIR(mode))
        i->attr.nlink = 2;
    return i;
}

void tmpfs_evict(struct inode *i)
{
    struct tmpfs_super *s = i->sb->private;
    struct tmpfs_inode *t = tmpfs_i(i);

    if (!t)
        return;
    if (S_ISREG(i->attr.mode))
        tmpfs_free_pages(i, 0, U64_MAX);
    else if (S_ISDIR(i->attr.mode))
        for (u64 n = 0; radix_next(&t->tree, &n); n++)
            radix_remove(&t->tree, n);
    tmpfs_free_xattrs(i);
    kfree(t->target);
    kfree(t);
    __atomic_sub_fetch(&s->inodes, 1, __ATOMIC_RELAXED);
}

static int tmpfs_statfs(struct super *sb, struct statfs *st)
{
    struct tmpfs_super *s = sb->private;
    u64 pages = __atomic_load_n(&s->pages, __ATOMIC_RELAXED);
    u64 inodes = __atomic_load_n(&s->inodes, __ATOMIC_RELAXED);

    st->f_bsize = st->f_frsize = PAGE_SIZE;
    st->f_namelen = NAME_MAX;
    if (s->max_pages) {
        st->f_blocks = (long)s->max_pages;
        st->f_bfree = st->f_bavail = (long)(s->max_pages - MIN(pages, s->max_pages));
    }
    if (s->max_inodes) {
        st->f_files = (long)s->max_inodes;
        st->f_ffree = (long)(s->max_inodes - MIN(inodes, s->max_inodes));
    }
    return 0;
}

static void tmpfs_destroy(struct super *sb)
{
    kfree(sb->private);
}

static const struct super_ops tmpfs_super_ops = {.statfs = tmpfs_statfs, .destroy = tmpfs_destroy};

/* "10m", "50%" (of memory). False for anything else. */
static bool parse_size(const char *s, u64 *bytes)
{
    u64 n = 0;

    if (*s < '0' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9'; s++)
        if (__builtin_mul_overflow(n, 10ULL, &n) || __builtin_add_overflow(n, (u64)(*s - '0'), &n))
            return false;
    unsigned shift = 0;
    switch (*s | 32) {
    case 'k':
        shift = 10;
        break;
    case 'm':
        shift = 20;
        break;
    case 'g':
        shift = 30;
        break;
    case '%' | 32:
        n = pages_total() * PAGE_SIZE / 100 * MIN(n, (u64)100);
        break;
    default:
        if (*s)
            return false;
    }
    if (*s)
        s++;
    if (*s || n > U64_MAX >> shift)
        return false;
    *bytes = n << shift;
    return true;
}

struct tmpfs_options {
    u64 size, inodes;
    u32 mode;
    u64 uid, gid;
};

static int parse_option(const char *key, const char *value, void *arg)
{
    struct tmpfs_options *o = arg;
    u64 mode;

    if (!strcmp(key, "size"))
        return parse_size(value, &o->size) ? 0 : -EINVAL;
    if (!strcmp(key, "nr_blocks")) {
        if (!parse_size(value, &o->size))
            return -EINVAL;
        o->size *= PAGE_SIZE;
        return 0;
    }
    if (!strcmp(key, "nr_inodes"))
        return parse_size(value, &o->inodes) ? 0 : -EINVAL;
    if (!strcmp(key, "uid"))
        return option_number(value, 10, &o->uid) ? 0 : -EINVAL;
    if (!strcmp(key, "gid"))
        return option_number(value, 10, &o->gid) ? 0 : -EINVAL;
    if (!strcmp(key, "mode")) {
        if (!option_number(value, 8, &mode))
            return -EINVAL;
        o->mode = (u32)mode & 07777;
        return 0;
    }
    /* huge=, mpol=, noswap and the like are about how the host would hold it. */
    return 0;
}

struct super *tmpfs_new(const char *type, const char *options)
{
    struct tmpfs_options o = {
        .size = pages_total() / 2 * PAGE_SIZE, .mode = 01777, .uid = ~0ULL, .gid = ~0ULL};
    int err = options_parse(options, parse_option, &o);

    if (err)
        return ERR_PTR(err);
    struct tmpfs_super *s = kzalloc(sizeof(*s));
    struct super *sb = s ? super_new(type, &tmpfs_super_ops, TMPFS_MAGIC) : NULL;
    if (!sb) {
        kfree(s);
        return ERR_PTR(-ENOMEM);
    }
    s->max_pages = (o.size + PAGE_SIZE - 1) / PAGE_SIZE;
    s->max_inodes = o.inodes;
    sb->private = s;
    struct inode *root = tmpfs_inode_new(sb, NULL, S_IFDIR | o.mode);
    if (root) {
        if (o.uid != ~0ULL)
            root->attr.uid = (u32)o.uid;
        if (o.gid != ~0ULL)
            root->attr.gid = (u32)o.gid;
        sb->root = dentry_new_root(sb, root);
    }
    if (!sb->root) {
        super_put(sb);
        return ERR_PTR(-ENOMEM);
    }
    return sb;
}

static struct super *tmpfs_mount(const char *source, u32 flags, const void *data)
{
    (void)source;
    (void)flags;
    return tmpfs_new("tmpfs", data);
}

void tmpfs_init(void)
{
    static const struct fs_type type = {.name = "tmpfs", .mount = tmpfs_mount};

    fs_register(&type);
}
