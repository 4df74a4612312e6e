// SPDX-License-Identifier: Apache-2.0
//
// Start of the file systems: register the types, then build the container's mount tree from the
// boot information. A mountpoint that is missing is made; where that cannot be (read-only root), a
// directory in memory stands in, which exists only as a name in the dentry cache below its mount.

#include "sentry/fs/boot_paths.h"
#include "sentry/fs/dev/dev.h"
#include "sentry/fs/gofer.h"
#include "sentry/fs/internal.h"
#include "sentry/fs/options.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/fs/sys/sys.h"
#include "sentry/fs/tmpfs/tmpfs.h"
#include "sentry/fs/tty/tty.h"
#include "sentry/kernel/kernel.h"
#include "sentry/kernel/program.h"

#define OPTIONS_MAX 1024

static struct super *stand_ins; /* inodes of mountpoints that the real file system could not make */

/* Types that show an empty directory: nothing of what they manage exists here. */
static struct super *empty_mount(const char *type)
{
    struct super *sb = tmpfs_new(type, "mode=0555,size=4k");

    if (!IS_ERR(sb))
        sb->flags |= MS_RDONLY;
    return sb;
}

static struct super *cgroup_mount(const char *source, u32 flags, const void *data)
{
    (void)source;
    (void)flags;
    (void)data;
    return empty_mount("cgroup2");
}

static struct super *dev_mount(const char *source, u32 flags, const void *data)
{
    (void)source;
    (void)flags;
    return tmpfs_new("tmpfs", *(const char *)data ? data : "mode=0755,size=64m");
}

static void register_types(void)
{
    static const struct fs_type types[] = {
        {.name = "cgroup", .mount = cgroup_mount},
        {.name = "cgroup2", .mount = cgroup_mount},
        {.name = "dev", .mount = dev_mount},
        {.name = "devtmpfs", .mount = dev_mount},
    };

    tmpfs_init();
    proc_init();
    sysfs_init();
    devpts_init();
    gofer_fs_init();
    overlay_fs_init();
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        fs_register(&types[i]);
}

/* The NUL-separated options as one comma list; cut at `size`. */
static void join_options(const struct boot_mount *m, char *buf, size_t size)
{
    size_t len = 0;

    for (size_t i = 0; m->options && i < m->options_len && len + 1 < size; i++) {
        char c = m->options[i];
        buf[len++] = c ? c : ',';
    }
    while (len && buf[len - 1] == ',')
        len--;
    buf[len] = 0;
}

/* A name for `name` in dir that the file system does not know. */
static int stand_in(const struct path *dir, const char *name, bool isdir)
{
    struct dentry *d = dentry_child(dir->dentry, name, strlen(name));

    if (IS_ERR(d))
        return (int)PTR_ERR(d);
    if (d->inode) {
        dentry_put(d);
        return -EEXIST;
    }
    struct inode *i = tmpfs_inode_new(stand_ins, NULL, isdir ? S_IFDIR | 0755 : S_IFREG | 0644);
    if (!i) {
        dentry_put(d);
        return -ENOMEM;
    }
    __atomic_or_fetch(&d->flags, DENTRY_STANDIN, __ATOMIC_RELEASE);
    dentry_instantiate(d, i);
    return 0; /* keeps the reference to d: the name must not be forgotten */
}

static int make_mountpoint_last(const char *path, bool isdir)
{
    char last[NAME_MAX + 1];
    struct path parent;
    bool slash;
    int err;

    if (isdir) {
        err = vfs_mkdir(AT_FDCWD, path, 0755);
    } else {
        struct vfs_file *f = vfs_open(AT_FDCWD, path, O_CREAT | O_RDONLY, 0644);
        err = IS_ERR(f) ? (int)PTR_ERR(f) : 0;
        if (!err)
            file_put(f);
    }
    if (!err || err == -EEXIST)
        return 0;
    err = path_lookup_parent(AT_FDCWD, path, &parent, last, &slash);
    if (err)
        return err;
    err = stand_in(&parent, last, isdir);
    path_put(&parent);
    return err;
}

/* mkdir -p for everything above, then the place itself: directory or file. */
static int make_mountpoint(const char *dest, bool isdir)
{
    char *path = kstrdup(dest);
    int err = 0;

    if (!path)
        return -ENOMEM;
    for (char *p = path + 1; !err; p++) {
        while (*p && *p != '/')
            p++;
        char c = *p;
        struct path there;
        *p = 0;
        if (path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &there))
            err = make_mountpoint_last(path, c || isdir);
        else
            path_put(&there);
        *p = c;
        if (!c)
            break;
    }
    kfree(path);
    return err;
}

int make_directory(const char *path)
{
    return make_mountpoint(path, true);
}

int make_parents(const char *path)
{
    char *dir = kstrdup(path), *slash = dir ? strrchr(dir, '/') : NULL;
    int err = dir ? 0 : -ENOMEM;

    if (slash && slash != dir) {
        *slash = 0;
        err = make_mountpoint(dir, true);
    }
    kfree(dir);
    return err;
}

static int attach_at(struct super *sb, const char *dest, u32 flags, const char *source)
{
    struct path at;
    int err = path_lookup(AT_FDCWD, dest, LOOKUP_FOLLOW, &at);

    if (err)
        err = make_mountpoint(dest, S_ISDIR(sb->root->inode->attr.mode));
    else
        path_put(&at);
    if (!err)
        err = path_lookup(AT_FDCWD, dest, LOOKUP_FOLLOW, &at);
    if (err)
        return err;
    err = mount_attach(sb, &at, flags, source);
    path_put(&at);
    return err;
}

/* Read-only takes effect when all mounts are made: mountpoints may have to be made on it. */
static void make_readonly(const char *dest)
{
    struct path at;

    if (path_lookup(AT_FDCWD, dest, LOOKUP_FOLLOW, &at))
        return;
    mount_remount(&at, at.mnt->flags | MS_RDONLY);
    path_put(&at);
}

static bool has_option(const struct boot_mount *m, const char *name)
{
    for (size_t at = 0; m->options && at < m->options_len; at += strlen(m->options + at) + 1)
        if (!strcmp(m->options + at, name))
            return true;
    return false;
}

/* Mount, and take over what was there (tmpcopyup). */
static int attach_copy(struct super *sb, const char *dest, u32 flags)
{
    struct path below;
    int err = make_directory(dest);

    if (!err)
        err = path_lookup(AT_FDCWD, dest, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &below);
    if (err)
        return err;
    err = attach_at(sb, dest, flags, "tmpfs");
    if (!err)
        err = copy_up(&below, dest);
    path_put(&below);
    return err;
}

static int mount_one(const struct boot_mount *m)
{
    const struct fs_type *type = fs_find(m->type);
    char options[OPTIONS_MAX], rest[OPTIONS_MAX];
    const char *source = !strcmp(m->type, "dev") ? "tmpfs" : m->type;
    u32 flags = 0;

    if (!type)
        return -ENODEV;
    if (m->options_len > sizeof(options))
        return -E2BIG;
    join_options(m, options, sizeof(options));
    options_generic(options, &flags, rest);
    flags &= ~(u32)MS_RDONLY;
    struct super *sb = type->mount(m->type, flags, type->flags & FS_BOOT ? (const void *)m : rest);
    if (IS_ERR(sb))
        return (int)PTR_ERR(sb);
    int err;
    if (!root_mount)
        err = mount_attach(sb, NULL, flags, source);
    else if (!strcmp(m->type, "tmpfs") && has_option(m, "tmpcopyup"))
        err = attach_copy(sb, m->dest, flags);
    else
        err = attach_at(sb, m->dest, flags, source);
    super_put(sb);
    if (!err && !strcmp(m->dest, "/dev") && !(type->flags & FS_BOOT))
        err = dev_populate();
    return err;
}

static bool is_readonly(const struct boot_mount *m)
{
    char options[OPTIONS_MAX], rest[OPTIONS_MAX];
    u32 flags = 0;

    join_options(m, options, sizeof(options));
    options_generic(options, &flags, rest);
    return m->readonly || (flags & MS_RDONLY);
}

static int mount_all(struct boot_failure *why)
{
    for (u32 n = 0; n < boot.nmounts; n++) {
        const struct boot_mount *m = &boot.mounts[n];
        int err = mount_one(m);

        if (!err)
            continue;
        snprintf_(why->text, sizeof(why->text), "error mounting \"%s\" to rootfs at \"%s\": %s",
                  m->type, m->dest, error_text(err));
        return err;
    }
    return root_mount ? 0 : -ENOENT;
}

int vfs_init(struct boot_failure *why)
{
    int err;

    snprintf_(why->text, sizeof(why->text), "out of memory");
    dcache_init();
    inode_init();
    file_init();
    pseudo_init();
    register_types();
    dev_mem_init();
    err = memfd_init();
    if (err)
        return err;
    stand_ins = tmpfs_new("tmpfs", "");
    if (IS_ERR(stand_ins))
        return (int)PTR_ERR(stand_ins);
    err = mount_all(why);
    if (!err)
        err = boot_paths(why);
    if (err)
        return err;
    for (u32 n = 0; n < boot.nmounts; n++)
        if (is_readonly(&boot.mounts[n]))
            make_readonly(boot.mounts[n].dest);
    return 0;
}
