// SPDX-License-Identifier: Apache-2.0
/*
 * The table of fids, and the way from "fid + component" in a request to the directory descriptor
 * and name that a system call takes. The numbers come from the client and mean nothing until looked
 * up here.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "gofer/server.h"

struct fid *fid_get(struct server *s, u32 nr)
{
    return nr < GOFER_FIDS && s->fids[nr].kind != FID_FREE ? &s->fids[nr] : NULL;
}

int fid_check_new(struct server *s, u32 nr)
{
    if (nr == GOFER_NOFID)
        return 0;
    if (nr >= GOFER_FIDS)
        return -EBADF;
    if (s->fids[nr].kind != FID_FREE)
        return -EBUSY;
    return s->bound < s->bound_max ? 0 : -EMFILE;
}

void fid_bind(struct server *s, u32 nr, enum fid_kind kind, int fd, u16 mount)
{
    s->fids[nr] = (struct fid){.kind = kind, .mount = mount, .fd = fd, .readfd = -1};
    s->bound++;
}

int bind_open(struct server *s, u32 nr, int fd, u32 flags, u16 mount)
{
    int dup;

    if (nr == GOFER_NOFID)
        return 0;
    dup = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (dup < 0)
        return -errno;
    fid_bind(s, nr, FID_FILE, dup, mount);
    s->fids[nr].accmode = flags & O_ACCMODE;
    return 0;
}

void fid_clunk(struct server *s, u32 nr)
{
    struct fid *f = fid_get(s, nr);

    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    if (f->readfd >= 0)
        close(f->readfd);
    f->kind = FID_FREE;
    s->bound--;
}

/* Split path into the directory, which is opened when it is not fid's own, and the last component.
 */
static int enter(struct place *p, const struct gofer_str *path)
{
    const char *slash = memrchr(path->p, '/', path->len);
    size_t dirlen = slash ? slash - path->p : 0;
    size_t skip = slash ? dirlen + 1 : 0;
    char dir[GOFER_TEXT_MAX + 1];

    memcpy(p->name, path->p + skip, path->len - skip);
    if (!slash)
        return 0;
    memcpy(dir, path->p, dirlen);
    dir[dirlen] = '\0';
    p->dirfd = open_below(p->fid->fd, dir, O_PATH | O_DIRECTORY, 0);
    if (p->dirfd < 0)
        return p->dirfd;
    p->close_dirfd = true;
    return 0;
}

int place_get(struct server *s, u32 nr, const struct gofer_str *path, bool write, struct place *p)
{
    const struct fid *f = fid_get(s, nr);
    const struct root *r;

    *p = (struct place){.fid = f};
    if (!f)
        return -EBADF;
    r = &s->roots[f->mount];
    if (write && r->readonly)
        return -EROFS;
    p->dirfd = f->fd;
    if (path->len > 0)
        return f->kind == FID_DIR ? enter(p, path) : -ENOTDIR;
    if (f->kind == FID_DIR) {
        p->name[0] = '.';
    } else if (f->kind == FID_ROOT) {
        p->dirfd = r->dirfd;
        memcpy(p->name, r->name, sizeof(p->name));
    } else {
        p->open_file = true;
    }
    return 0;
}

void place_put(struct place *p)
{
    if (p->close_dirfd)
        close(p->dirfd);
}

static void attr_from_stat(const struct stat *st, struct gofer_attr *a)
{
    *a = (struct gofer_attr){
        .dev = st->st_dev,
        .ino = st->st_ino,
        .rdev = st->st_rdev,
        .size = st->st_size,
        .blocks = st->st_blocks,
        .mode = st->st_mode,
        .nlink = st->st_nlink,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .blksize = st->st_blksize,
        .atime = {st->st_atim.tv_sec, st->st_atim.tv_nsec},
        .mtime = {st->st_mtim.tv_sec, st->st_mtim.tv_nsec},
        .ctime = {st->st_ctim.tv_sec, st->st_ctim.tv_nsec},
    };
}

int stat_below(int dirfd, const char *name, struct gofer_attr *attr)
{
    int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name[0] ? 0 : AT_EMPTY_PATH);
    struct stat st;

    if (fstatat(dirfd, name, &st, flags) < 0)
        return -errno;
    attr_from_stat(&st, attr);
    return 0;
}

int place_stat(const struct place *p, struct gofer_attr *attr)
{
    return stat_below(p->dirfd, p->name, attr);
}
