// SPDX-License-Identifier: Apache-2.0
/*
 * A directory's listing, taken once and read out in pieces.
 */
#include "sentry/fs/dirlist.h"

/* Make room for one more element of `size` bytes in *array, which holds n of *cap. */
static int grow(void **array, u32 n, u32 *cap, u32 more, size_t size)
{
    u32 want = *cap ? *cap : 64;
    void *p;

    if (n + more <= *cap)
        return 0;
    while (want < n + more)
        want *= 2;
    p = krealloc(*array, want * size);
    if (!p)
        return -ENOMEM;
    *array = p;
    *cap = want;
    return 0;
}

int dirlist_add(struct dirlist *l, const char *name, size_t len, u64 ino, u8 type)
{
    struct dirlist_entry *e;

    if (grow((void **)&l->entries, l->count, &l->cap, 1, sizeof(*l->entries)) ||
        grow((void **)&l->names, l->names_len, &l->names_cap, (u32)len, 1))
        return -ENOMEM;
    e = &l->entries[l->count++];
    *e = (struct dirlist_entry){.ino = ino, .name = l->names_len, .len = (u8)len, .type = type};
    memcpy(l->names + l->names_len, name, len);
    l->names_len += (u32)len;
    return 0;
}

void dirlist_free(struct dirlist *l)
{
    kfree(l->entries);
    kfree(l->names);
    *l = (struct dirlist){0};
}

void dirlist_release(struct vfs_file *f)
{
    if (f->private)
        dirlist_free(f->private);
    kfree(f->private);
}

static int take(struct vfs_file *f, int (*fill)(struct dentry *dir, struct dirlist *l))
{
    struct dirlist *l = kzalloc(sizeof(*l));
    int err = l ? fill(f->path.dentry, l) : -ENOMEM;

    if (err) {
        if (l)
            dirlist_free(l);
        kfree(l);
        return err;
    }
    f->private = l;
    return 0;
}

int dirlist_readdir(struct vfs_file *f, struct dir_emitter *e,
                    int (*fill)(struct dentry *dir, struct dirlist *l))
{
    struct dirlist *l;
    int err;

    if (f->pos == 0) {
        dirlist_release(f);
        f->private = NULL;
    }
    if (!dir_emit_dots(f, e))
        return 0;
    if (!f->private) {
        err = take(f, fill);
        if (err)
            return err;
    }
    l = f->private;
    while (f->pos - 2 < l->count) {
        const struct dirlist_entry *ent = &l->entries[f->pos - 2];
        if (!e->emit(e, l->names + ent->name, ent->len, ent->ino, ent->type, f->pos + 1))
            break;
        f->pos++;
    }
    return 0;
}
