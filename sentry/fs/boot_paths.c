// SPDX-License-Identifier: Apache-2.0
/*
 * What config.json says about single paths of the container, after all mounts are made: device
 * nodes, the working directory, and what is hidden or may not be changed.
 */
#include "sentry/fs/boot_paths.h"
#include "sentry/fs/dev/dev.h"
#include "sentry/fs/tmpfs/tmpfs.h"
#include "sentry/kernel/kernel.h"
#include "sentry/kernel/program.h"

static int failed(struct boot_failure *why, int err, const char *what, const char *path)
{
    snprintf_(why->text, sizeof(why->text), "%s \"%s\": %s", what, path, error_text(err));
    return err;
}

/* ---- devices ---- */

static int own(const char *path, const struct boot_device *d)
{
    struct attr a = {.mode = d->mode & 07777, .uid = d->uid, .gid = d->gid};
    struct path at;
    int err = path_lookup(AT_FDCWD, path, 0, &at);

    if (err)
        return err;
    err = inode_setattr(at.dentry->inode, &a, ATTR_MODE | ATTR_UID | ATTR_GID);
    path_put(&at);
    return err;
}

/* Make the node unless there is one: engines name those, too, that every container has. */
static int make_device(const struct boot_device *d)
{
    u64 rdev = dev_make(d->major, d->minor);
    int err;

    if (S_ISCHR(d->mode) ? !chrdev_exists(rdev) : !S_ISFIFO(d->mode)) {
        log_info("device %s (%u:%u) has no driver here and is left out", d->path, d->major,
                 d->minor);
        return 0;
    }
    err = make_parents(d->path);
    if (!err)
        err = vfs_mknod(AT_FDCWD, d->path, d->mode, S_ISCHR(d->mode) ? rdev : 0, NULL);
    if (err == -EEXIST) /* stays as it is, as with runc */
        return 0;
    return err ? err : own(d->path, d);
}

static int make_devices(struct boot_failure *why)
{
    for (u32 n = 0; n < boot.ndevices; n++) {
        int err = make_device(&boot.devices[n]);

        if (err)
            return failed(why, err, "cannot create device", boot.devices[n].path);
    }
    return 0;
}

/* ---- hiding and protecting ---- */

/* A file reads as empty, a directory has nothing in it. */
static int mask(const char *name)
{
    struct path at, null;
    struct super *sb;
    int err = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &at);

    if (err)
        return err == -ENOENT || err == -ENOTDIR ? 0 : err;
    if (S_ISDIR(at.dentry->inode->attr.mode)) {
        sb = tmpfs_new("tmpfs", "mode=0555,size=0");
        err = IS_ERR(sb) ? (int)PTR_ERR(sb) : mount_attach(sb, &at, MS_RDONLY, "tmpfs");
        if (!IS_ERR(sb))
            super_put(sb);
    } else {
        err = path_lookup(AT_FDCWD, "/dev/null", LOOKUP_FOLLOW, &null);
        if (!err) {
            err = mount_bind(&null, &at, false);
            path_put(&null);
        }
    }
    path_put(&at);
    return err;
}

static int protect(const char *name)
{
    struct path at;
    int err = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &at);

    if (err)
        return err == -ENOENT || err == -ENOTDIR ? 0 : err;
    err = mount_bind(&at, &at, true);
    path_put(&at);
    if (err)
        return err;
    err = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &at); /* what was just put there */
    if (err)
        return err;
    err = mount_remount(&at, at.mnt->flags | MS_RDONLY);
    path_put(&at);
    return err;
}

static int each(const char *list, size_t len, int (*fn)(const char *), const char *what,
                struct boot_failure *why)
{
    for (size_t at = 0; list && at < len; at += strlen(list + at) + 1) {
        int err = fn(list + at);

        if (err)
            return failed(why, err, what, list + at);
    }
    return 0;
}

int boot_paths(struct boot_failure *why)
{
    const char *cwd = boot.process.cwd;
    int err = make_devices(why);

    if (!err && *cwd == '/' && make_directory(cwd)) /* as runc does; who cannot enter it says so */
        log_info("working directory %s cannot be made", cwd);
    if (!err)
        err = each(boot.readonly, boot.readonly_len, protect, "cannot make readonly path", why);
    if (!err)
        err = each(boot.masked, boot.masked_len, mask, "cannot mask path", why);
    return err;
}
