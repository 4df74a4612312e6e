// SPDX-License-Identifier: Apache-2.0
/*
 * The requests that change the tree. place_get() with write=true is where a read-only mount says
 * no; the kernel says it again, because the mount itself was made read-only before we were
 * confined.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "gofer/server.h"

#define MODE_BITS 07777u

/*
 * Give something just made its owner and mode (the owner first: chown clears set-id bits), and
 * say what it looks like then.
 */
static int settle(const struct place *p, u32 uid, u32 gid, u32 mode, struct gofer_attr *attr)
{
    int err = place_stat(p, attr);

    if (err)
        return err;
    if ((attr->uid != uid || attr->gid != gid) &&
        fchownat(p->dirfd, p->name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISLNK(attr->mode) && fchmodat(p->dirfd, p->name, mode & MODE_BITS, 0) < 0)
        return -errno;
    return place_stat(p, attr);
}

/* The same, and away with it when that fails. */
static int settle_or_remove(const struct place *p, u32 uid, u32 gid, u32 mode,
                            struct gofer_attr *attr, int rmflags)
{
    int err = settle(p, uid, gid, mode, attr);

    if (err)
        unlinkat(p->dirfd, p->name, rmflags);
    return err;
}

int handle_create(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    const struct gofer_create_req *req = &m->body.create;
    struct gofer_create_rep rep;
    struct place p;
    int err;

    if (!open_flags_ok(req->flags))
        return -EINVAL;
    err = place_get(s, req->fid, &m->str[0], true, &p);
    if (!err)
        err = fid_check_new(s, req->newfid);
    if (err)
        goto out;
    a->fd = open_below(p.dirfd, p.name, O_CREAT | O_EXCL | (req->flags & ~(u32)O_TRUNC),
                       req->mode & 0700);
    err = a->fd < 0 ? a->fd : settle_or_remove(&p, req->uid, req->gid, req->mode, &rep.attr, 0);
    if (!err)
        err = bind_open(s, req->newfid, a->fd, req->flags, p.fid->mount);
    gofer_put(&a->w, &rep, sizeof(rep));
out:
    place_put(&p);
    return err;
}

int handle_mkdir(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    const struct gofer_mkdir_req *req = &m->body.mkdir;
    struct gofer_mkdir_rep rep;
    struct place p;
    int err;

    err = place_get(s, req->fid, &m->str[0], true, &p);
    if (!err)
        err = mkdirat(p.dirfd, p.name, 0700) < 0 ? -errno : 0;
    if (!err)
        err = settle_or_remove(&p, req->uid, req->gid, req->mode, &rep.attr, AT_REMOVEDIR);
    place_put(&p);
    gofer_put(&a->w, &rep, sizeof(rep));
    return err;
}

int handle_symlink(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    const struct gofer_symlink_req *req = &m->body.symlink;
    struct gofer_symlink_rep rep;
    char target[GOFER_TEXT_MAX + 1];
    struct place p;
    int err;

    snprintf(target, sizeof(target), "%.*s", (int)m->str[1].len, m->str[1].p);
    err = place_get(s, req->fid, &m->str[0], true, &p);
    if (!err)
        err = symlinkat(target, p.dirfd, p.name) < 0 ? -errno : 0;
    if (!err)
        err = settle_or_remove(&p, req->uid, req->gid, 0, &rep.attr, 0);
    place_put(&p);
    gofer_put(&a->w, &rep, sizeof(rep));
    return err;
}

/* Both files of a request, on one mount. Both are to be put, also after an error. */
static int places_get(struct server *s, const struct gofer_msg *m, u32 fid, u32 newdir,
                      struct place *from, struct place *to)
{
    int err;

    *to = (struct place){0};
    err = place_get(s, fid, &m->str[0], true, from);
    if (!err)
        err = place_get(s, newdir, &m->str[1], true, to);
    return !err && from->fid->mount != to->fid->mount ? -EXDEV : err;
}

int handle_link(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    const struct gofer_link_req *req = &m->body.link;
    struct gofer_link_rep rep;
    struct place from, to;
    int err = places_get(s, m, req->fid, req->newdir, &from, &to);

    if (!err && linkat(from.dirfd, from.name, to.dirfd, to.name, 0) < 0)
        err = -errno;
    if (!err)
        err = place_stat(&to, &rep.attr);
    place_put(&from);
    place_put(&to);
    gofer_put(&a->w, &rep, sizeof(rep));
    return err;
}

int handle_mknod(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    const struct gofer_mknod_req *req = &m->body.mknod;
    struct gofer_mknod_rep rep;
    struct place p;
    int err;

    if (!S_ISFIFO(req->mode) && !S_ISSOCK(req->mode))
        return -EPERM;
    err = place_get(s, req->fid, &m->str[0], true, &p);
    if (!err)
        err = mknodat(p.dirfd, p.name, (req->mode & S_IFMT) | 0600, 0) < 0 ? -errno : 0;
    if (!err)
        err = settle_or_remove(&p, req->uid, req->gid, req->mode, &rep.attr, 0);
    place_put(&p);
    gofer_put(&a->w, &rep, sizeof(rep));
    return err;
}

int handle_unlink(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    const struct gofer_unlink_req *req = &m->body.unlink;
    struct gofer_unlink_rep rep = {0};
    struct place p;
    int err;

    if (req->flags & ~(u32)GOFER_UNLINK_DIR)
        return -EINVAL;
    err = place_get(s, req->fid, &m->str[0], true, &p);
    if (!err && unlinkat(p.dirfd, p.name, req->flags & GOFER_UNLINK_DIR ? AT_REMOVEDIR : 0) < 0)
        err = -errno;
    place_put(&p);
    gofer_put(&a->w, &rep, sizeof(rep));
    return err;
}

int handle_rename(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    const struct gofer_rename_req *req = &m->body.rename;
    struct gofer_rename_rep rep = {0};
    struct place from, to;
    int err;

    if (req->flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    err = places_get(s, m, req->fid, req->newdir, &from, &to);
    if (!err && syscall(SYS_renameat2, from.dirfd, from.name, to.dirfd, to.name, req->flags) < 0)
        err = -errno;
    place_put(&from);
    place_put(&to);
    gofer_put(&a->w, &rep, sizeof(rep));
    return err;
}

static int set_mode(const struct place *p, u32 mode)
{
    struct gofer_attr attr;
    int err;

    if (p->open_file)
        return fchmod(p->dirfd, mode & MODE_BITS) < 0 ? -errno : 0;
    /*
     * There is no chmod that leaves a link alone before Linux 6.6. A name that turns into one right
     * here leads nowhere that the client could not name itself: there is nothing else to see.
     */
    err = place_stat(p, &attr);
    if (err)
        return err;
    if (S_ISLNK(attr.mode))
        return -EOPNOTSUPP;
    return fchmodat(p->dirfd, p->name, mode & MODE_BITS, 0) < 0 ? -errno : 0;
}

static int set_size(const struct place *p, u64 size)
{
    int fd, err;

    if (p->open_file)
        return ftruncate(p->dirfd, size) < 0 ? -errno : 0;
    fd = open_regular(p->dirfd, p->name, O_WRONLY);
    if (fd < 0)
        return fd;
    err = ftruncate(fd, size) < 0 ? -errno : 0;
    close(fd);
    return err;
}

static int set_times(const struct place *p, const struct gofer_setattr_req *req)
{
    struct timespec ts[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};

    if (req->mask & GOFER_SET_ATIME)
        ts[0] = (struct timespec){req->atime.sec, req->atime.nsec};
    if (req->mask & GOFER_SET_MTIME)
        ts[1] = (struct timespec){req->mtime.sec, req->mtime.nsec};
    if (p->open_file)
        return futimens(p->dirfd, ts) < 0 ? -errno : 0;
    return utimensat(p->dirfd, p->name, ts, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int handle_setattr(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    const struct gofer_setattr_req *req = &m->body.setattr;
    u32 uid = req->mask & GOFER_SET_UID ? req->uid : (u32)-1;
    u32 gid = req->mask & GOFER_SET_GID ? req->gid : (u32)-1;
    int flags = AT_SYMLINK_NOFOLLOW;
    struct gofer_setattr_rep rep;
    struct place p;
    int err;

    if (req->mask & ~(u32)GOFER_SET_ALL)
        return -EINVAL;
    err = place_get(s, req->fid, &m->str[0], true, &p);
    if (err)
        return err;
    if (p.open_file)
        flags |= AT_EMPTY_PATH;
    if ((uid & gid) != (u32)-1 && fchownat(p.dirfd, p.name, uid, gid, flags) < 0)
        err = -errno;
    if (!err && (req->mask & GOFER_SET_MODE))
        err = set_mode(&p, req->mode);
    if (!err && (req->mask & GOFER_SET_SIZE))
        err = set_size(&p, req->size);
    if (!err && (req->mask & (GOFER_SET_ATIME | GOFER_SET_MTIME)))
        err = set_times(&p, req);
    if (!err)
        err = place_stat(&p, &rep.attr);
    place_put(&p);
    gofer_put(&a->w, &rep, sizeof(rep));
    return err;
}
