// SPDX-License-Identifier: Apache-2.0
/*
 * Mounting an overlay: a gofer's tree, read-only, with memory over it.
 */
#include <linux/magic.h>
#include "sentry/fs/overlay/overlay.h"
#include "sentry/kernel/kernel.h"

static int statfs(struct super *sb, struct statfs *st)
{
    u64 total = pages_total(), free = pages_free();

    *st = (struct statfs){
        .f_type = OVERLAYFS_SUPER_MAGIC,
        .f_bsize = PAGE_SIZE,
        .f_frsize = PAGE_SIZE,
        .f_blocks = (long)total,
        .f_bfree = (long)free,
        .f_bavail = (long)free,
        .f_files = (long)total,
        .f_ffree = (long)free,
        .f_namelen = NAME_MAX,
    };
    return 0;
}

static void destroy(struct super *sb)
{
    struct overlay *o = sb->private;

    if (!o)
        return;
    super_put(o->lower);
    hashtab_destroy(&o->nodes);
    kfree(o);
}

static const struct super_ops super_ops = {.statfs = statfs, .destroy = destroy};

/* Put sb over o->lower. */
static int cover(struct super *sb, struct overlay *o)
{
    struct inode *i = o->lower->root->inode;

    inode_get(i);
    i = overlay_wrap(sb, i);
    if (IS_ERR(i))
        return (int)PTR_ERR(i);
    sb->root = dentry_new_root(sb, i);
    return sb->root ? 0 : -ENOMEM;
}

static struct super *overlay_mount(const char *source, u32 flags, const void *data)
{
    struct super *sb, *lower = fs_find("gofer")->mount(source, flags | MS_RDONLY, data);
    struct overlay *o;
    int err;

    if (IS_ERR(lower))
        return lower;
    o = kzalloc(sizeof(*o));
    sb = o ? super_new("overlay", &super_ops, OVERLAYFS_SUPER_MAGIC) : NULL;
    if (!sb) {
        kfree(o);
        super_put(lower);
        return ERR_PTR(-ENOMEM);
    }
    o->lower = lower;
    sb->private = o;
    err = cover(sb, o);
    if (err) {
        super_put(sb);
        return ERR_PTR(err);
    }
    sb->flags |= flags & MS_RDONLY;
    return sb;
}

void overlay_fs_init(void)
{
    static const struct fs_type type = {
        .name = "overlay", .mount = overlay_mount, .flags = FS_BOOT};

    fs_register(&type);
}
