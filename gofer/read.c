// SPDX-License-Identifier: Apache-2.0
/*
 * The requests that leave the tree as it is. Each handler gets a message that the codec found
 * sound; what is checked here is what the numbers in it mean.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>
#include "gofer/server.h"

int handle_attach(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    const struct gofer_attach_req *req = &m->body.attach;
    struct gofer_attach_rep rep = {.fid_max = GOFER_FIDS, .open_max = s->bound_max};
    const struct root *r;
    int err, fd;

    if (req->version != GOFER_PROTO_VERSION)
        return -EPROTO;
    if (req->mount >= s->cfg->nmounts || req->fid == GOFER_NOFID)
        return -EINVAL;
    err = fid_check_new(s, req->fid);
    if (err)
        return err;
    r = &s->roots[req->mount];
    err = stat_below(r->fd, "", &rep.attr);
    if (err)
        return err;
    fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    fid_bind(s, req->fid, S_ISDIR(rep.attr.mode) ? FID_DIR : FID_ROOT, fd, req->mount);
    rep.flags = r->readonly ? GOFER_ATTACH_RDONLY : 0;
    gofer_put(&a->w, &rep, sizeof(rep));
    return 0;
}

/* Where a walk stands. */
struct walk {
    int dirfd; /* owned unless it is the fid's */
    bool own;
    struct gofer_attr attr[GOFER_WALK_MAX];
    struct gofer_walk_rep rep;
    char name[GOFER_NAME_MAX + 1];
    char link[GOFER_TEXT_MAX + 1];
    size_t linklen;
};

static void walk_leave(struct walk *w)
{
    if (w->own)
        close(w->dirfd);
}

static void walk_enter(struct walk *w, int dirfd)
{
    walk_leave(w);
    w->dirfd = dirfd;
    w->own = true;
}

/* Nothing wrong with the tree: we are short of something, and the walk may be tried again. */
static bool shortage(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOMEM;
}

/* Take the step to w->name; enter says whether a directory is to be entered. 0, or why we stop. */
static int walk_step(struct walk *w, bool last, bool enter)
{
    struct gofer_attr *attr = &w->attr[w->rep.count];
    ssize_t n;
    int fd = -1, err;

    if (enter) {
        fd = open_below(w->dirfd, w->name, O_PATH, 0);
        if (fd < 0)
            return fd;
    }
    err = enter ? stat_below(fd, "", attr) : stat_below(w->dirfd, w->name, attr);
    if (err)
        goto out;
    w->rep.count++;
    if (S_ISLNK(attr->mode)) {
        n = readlinkat(w->dirfd, w->name, w->link, sizeof(w->link));
        w->linklen = n > 0 && n <= GOFER_TEXT_MAX ? n : 0;
    }
    if (S_ISDIR(attr->mode) && enter) {
        walk_enter(w, fd);
        return 0;
    }
    if (!last)
        err = S_ISLNK(attr->mode) ? -ELOOP : -ENOTDIR;
out:
    if (fd >= 0)
        close(fd);
    return err;
}

static int walk_open(struct walk *w, u32 flags, bool readonly)
{
    if (!open_flags_ok(flags))
        return -EINVAL;
    if (readonly && (flags & (O_ACCMODE | O_TRUNC)))
        return -EROFS;
    return open_regular(w->dirfd, w->name, flags);
}

/* Go to the directory that the walk starts at. */
static int walk_start(struct walk *w, const struct fid *f, const struct gofer_str *path)
{
    char dir[GOFER_TEXT_MAX + 1];
    int fd;

    if (f->kind != FID_DIR)
        return -ENOTDIR;
    w->dirfd = f->fd;
    if (path->len == 0)
        return 0;
    memcpy(dir, path->p, path->len);
    dir[path->len] = '\0';
    fd = open_below(f->fd, dir, O_PATH | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    walk_enter(w, fd);
    return 0;
}

/* All steps; what is found is in w->rep. An error: a shortage of ours. */
static int walk_all(struct walk *w, const struct gofer_msg *m)
{
    const struct gofer_walk_req *req = &m->body.walk;

    for (unsigned i = 0; i < req->count && !w->rep.stop; i++) {
        const struct gofer_str *name = &m->str[1 + i];
        bool last = i + 1 == req->count;

        memcpy(w->name, name->p, name->len);
        w->name[name->len] = '\0';
        w->rep.stop = walk_step(w, last, !last || req->newfid != GOFER_NOFID);
    }
    return shortage(w->rep.stop) ? w->rep.stop : 0;
}

int handle_walk(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    const struct gofer_walk_req *req = &m->body.walk;
    const struct fid *f = fid_get(s, req->fid);
    struct walk w = {.dirfd = -1};
    u32 mode = 0;
    int err;

    if (!f)
        return -EBADF;
    err = req->count == 0 ? -EINVAL : fid_check_new(s, req->newfid);
    if (!err)
        err = walk_start(&w, f, &m->str[0]);
    if (!err)
        err = walk_all(&w, m);
    if (err)
        goto out;
    if (!w.rep.stop)
        mode = w.attr[w.rep.count - 1].mode;
    if (S_ISREG(mode) && (req->flags & GOFER_WALK_OPEN)) {
        a->fd = walk_open(&w, req->open_flags, s->roots[f->mount].readonly);
        w.rep.open_err = a->fd < 0 ? a->fd : 0;
    }
    if (S_ISDIR(mode) && req->newfid != GOFER_NOFID) {
        fid_bind(s, req->newfid, FID_DIR, w.dirfd, f->mount);
        w.own = false;
    }
    gofer_put(&a->w, &w.rep, sizeof(w.rep));
    gofer_put(&a->w, w.attr, w.rep.count * sizeof(w.attr[0]));
    gofer_put_str(&a->w, w.link, w.linklen);
out:
    walk_leave(&w);
    return err;
}

static int open_place(const struct place *p, u32 flags)
{
    int fd;

    if (!p->open_file)
        return open_regular(p->dirfd, p->name, flags);
    /* An open file may be had again, but not with more rights. */
    if (flags != p->fid->accmode)
        return -EINVAL;
    fd = fcntl(p->dirfd, F_DUPFD_CLOEXEC, 0);
    return fd >= 0 ? fd : -errno;
}

int handle_open(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    const struct gofer_open_req *req = &m->body.open;
    struct gofer_open_rep rep;
    struct place p;
    int err;

    if (!open_flags_ok(req->flags))
        return -EINVAL;
    err = place_get(s, req->fid, &m->str[0], req->flags & (O_ACCMODE | O_TRUNC), &p);
    if (!err)
        err = fid_check_new(s, req->newfid);
    if (err)
        goto out;
    a->fd = open_place(&p, req->flags);
    err = a->fd < 0 ? a->fd : stat_below(a->fd, "", &rep.attr);
    if (!err)
        err = bind_open(s, req->newfid, a->fd, req->flags, p.fid->mount);
    gofer_put(&a->w, &rep, sizeof(rep));
out:
    place_put(&p);
    return err;
}

int handle_readlink(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    struct gofer_readlink_rep rep = {0};
    char link[GOFER_TEXT_MAX + 1];
    struct place p;
    ssize_t n;
    int err;

    err = place_get(s, m->body.readlink.fid, &m->str[0], false, &p);
    if (err)
        return err;
    n = readlinkat(p.dirfd, p.name, link, sizeof(link));
    err = n < 0 ? -errno : n == 0 || n > GOFER_TEXT_MAX ? -ENAMETOOLONG : 0;
    place_put(&p);
    if (err)
        return err;
    gofer_put(&a->w, &rep, sizeof(rep));
    gofer_put_str(&a->w, link, n);
    return 0;
}

int handle_getattr(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    struct gofer_getattr_rep rep;
    struct place p;
    int err;

    err = place_get(s, m->body.getattr.fid, &m->str[0], false, &p);
    if (!err)
        err = place_stat(&p, &rep.attr);
    place_put(&p);
    gofer_put(&a->w, &rep, sizeof(rep));
    return err;
}

int handle_statfs(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    const struct fid *f = fid_get(s, m->body.statfs.fid);
    struct gofer_statfs_rep rep;
    struct statfs st;

    if (!f)
        return -EBADF;
    if (fstatfs(f->fd, &st) < 0)
        return -errno;
    rep = (struct gofer_statfs_rep){
        .type = st.f_type,
        .bsize = st.f_bsize,
        .blocks = st.f_blocks,
        .bfree = st.f_bfree,
        .bavail = st.f_bavail,
        .files = st.f_files,
        .ffree = st.f_ffree,
        .namelen = st.f_namelen,
        .frsize = st.f_frsize,
        .flags = st.f_flags,
    };
    gofer_put(&a->w, &rep, sizeof(rep));
    return 0;
}

int handle_clunk(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    struct gofer_clunk_rep rep = {0};

    for (unsigned i = 0; i < m->count; i++)
        fid_clunk(s, gofer_msg_fid(m, i));
    gofer_put(&a->w, &rep, sizeof(rep));
    return 0;
}

/* Flush the file, or the directory, that p names. */
static int sync_place(const struct place *p, bool datasync)
{
    struct stat st;
    int fd, err;

    if (p->open_file) {
        fd = p->dirfd;
    } else {
        if (fstatat(p->dirfd, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return -errno;
        fd = S_ISDIR(st.st_mode) ? open_directory(p) : open_regular(p->dirfd, p->name, O_RDONLY);
        if (fd < 0)
            return fd;
    }
    err = (datasync ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
    if (!p->open_file)
        close(fd);
    return err;
}

int handle_fsync(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    struct gofer_fsync_rep rep = {0};
    struct place p;
    int err;

    err = place_get(s, m->body.fsync.fid, &m->str[0], false, &p);
    if (!err)
        err = sync_place(&p, m->body.fsync.datasync);
    place_put(&p);
    gofer_put(&a->w, &rep, sizeof(rep));
    return err;
}

/* Read what is left of a file up to n bytes into buf; bytes, or -errno. */
static ssize_t read_all(int fd, u8 *buf, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t got = pread(fd, buf + done, n - done, done);
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        done += got;
    }
    return done;
}

static int read_small(int fd, u32 max, struct answer *a)
{
    struct gofer_readfile_rep rep;
    u32 head = a->w.len;
    ssize_t n;
    int err = stat_below(fd, "", &rep.attr);

    if (err)
        return err;
    gofer_put(&a->w, &rep, sizeof(rep));
    if (rep.attr.size > max || rep.attr.size > gofer_room(&a->w))
        return -EFBIG;
    n = read_all(fd, a->w.buf + a->w.len, rep.attr.size);
    if (n < 0)
        return n;
    a->w.len += n;
    rep.len = n;
    memcpy(a->w.buf + head, &rep, sizeof(rep));
    return 0;
}

int handle_readfile(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    const struct gofer_readfile_req *req = &m->body.readfile;
    struct place p;
    int fd, err = place_get(s, req->fid, &m->str[0], false, &p);

    if (err)
        return err;
    fd = open_place(&p, O_RDONLY);
    place_put(&p);
    if (fd < 0)
        return fd;
    err = read_small(fd, req->max, a);
    close(fd);
    return err;
}
