// SPDX-License-Identifier: Apache-2.0
//
// Super blocks (instances of file systems) and the list of file system types.

#include "sentry/fs/internal.h"

#define MAX_FS_TYPES 24

/* Filled at init, constant afterwards. */
static const struct fs_type *types[MAX_FS_TYPES];
static unsigned ntypes;
static u32 last_minor;

void fs_register(const struct fs_type *t)
{
    BUG_ON(ntypes == MAX_FS_TYPES);
    types[ntypes++] = t;
}

const struct fs_type *fs_find(const char *name)
{
    for (unsigned i = 0; i < ntypes; i++)
        if (!strcmp(types[i]->name, name))
            return types[i];
    return NULL;
}

const struct fs_type *fs_nth(unsigned n)
{
    return n < ntypes ? types[n] : NULL;
}

u64 super_anon_dev(void)
{
    return dev_make(0, __atomic_add_fetch(&last_minor, 1, __ATOMIC_RELAXED));
}

struct super *super_new(const char *type, const struct super_ops *ops, u64 magic)
{
    struct super *sb = kzalloc(sizeof(*sb));

    if (!sb)
        return NULL;
    ref_init(&sb->refs, 1);
    sb->type = type;
    sb->ops = ops;
    sb->magic = magic;
    sb->dev = super_anon_dev();
    sb->next_ino = 1;
    return sb;
}

void super_put(struct super *sb)
{
    if (!sb || !ref_put(&sb->refs))
        return;
    if (sb->root)
        dentry_free_tree(sb->root);
    if (sb->ops && sb->ops->destroy)
        sb->ops->destroy(sb);
    kfree(sb);
}
