// SPDX-License-Identifier: Apache-2.0
/*
 * READDIR: as many entries as fit into one message, with the attributes that the client will ask
 * for next.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "gofer/server.h"

/* One entry as getdents64(2) gives it. */
struct host_dirent {
    u64 ino;
    s64 off;
    u16 reclen;
    u8 type;
    char name[];
};

/*
 * A host entry of n bytes becomes at most 6 n: 24 bytes, which hold a name of at most 4, turn into
 * 19 + sizeof(attr) + 4.
 */
_Static_assert(sizeof(struct gofer_dirent) + sizeof(struct gofer_attr) + 4 <= 6 * 24, "6 n");
#define READDIR_GROWTH    6
#define READDIR_CHUNK     8192
#define READDIR_CHUNK_MIN 280 /* the longest name fits */

static u16 put_entries(struct answer *a, int dirfd, const char *buf, long n, bool attrs)
{
    u16 count = 0;

    for (long pos = 0; pos < n;) {
        const struct host_dirent *h = (const void *)(buf + pos);
        struct gofer_dirent ent = {.cookie = h->off, .ino = h->ino, .type = h->type};
        size_t len = strlen(h->name);
        struct gofer_attr attr;

        pos += h->reclen;
        if (!gofer_name_ok(h->name, len)) /* "." and ".." */
            continue;
        ent.namelen = len;
        if (attrs && stat_below(dirfd, h->name, &attr) == 0)
            ent.flags = GOFER_DIRENT_ATTR;
        gofer_put(&a->w, &ent, sizeof(ent));
        if (ent.flags & GOFER_DIRENT_ATTR)
            gofer_put(&a->w, &attr, sizeof(attr));
        gofer_put(&a->w, h->name, len);
        count++;
    }
    return count;
}

/* Entries from where fd is, as many as fit; *cookie is where it is then. */
static int put_batches(struct answer *a, int fd, bool attrs, struct gofer_readdir_rep *rep,
                       u64 *cookie)
{
    char buf[READDIR_CHUNK] __attribute__((aligned(8)));

    while (gofer_room(&a->w) >= READDIR_CHUNK_MIN * READDIR_GROWTH) {
        size_t chunk = gofer_room(&a->w) / READDIR_GROWTH;
        long n = syscall(SYS_getdents64, fd, buf, chunk < sizeof(buf) ? chunk : sizeof(buf));

        if (n < 0 && rep->count == 0)
            return -errno;
        if (n <= 0) {
            rep->eof = n == 0;
            break;
        }
        rep->count += put_entries(a, fd, buf, n, attrs);
        for (long pos = 0; pos < n; pos += ((struct host_dirent *)(buf + pos))->reclen)
            *cookie = ((struct host_dirent *)(buf + pos))->off;
    }
    return 0;
}

int open_directory(const struct place *p)
{
    return p->open_file ? -ENOTDIR : open_below(p->dirfd, p->name, O_RDONLY | O_DIRECTORY, 0);
}

/* Read a directory that was named by a path: it is opened for this request only. */
static int readdir_path(const struct place *p, const struct gofer_readdir_req *req,
                        struct gofer_readdir_rep *rep, struct answer *a)
{
    int fd = open_directory(p), err = 0;
    u64 cookie;

    if (fd < 0)
        return fd;
    if (req->cookie && lseek(fd, req->cookie, SEEK_SET) < 0)
        err = -errno;
    if (!err)
        err = put_batches(a, fd, req->flags & GOFER_READDIR_ATTR, rep, &cookie);
    close(fd);
    return err;
}

/* Read a fid's directory: it stays open until its end. */
static int readdir_fid(struct fid *f, const struct place *p, const struct gofer_readdir_req *req,
                       struct gofer_readdir_rep *rep, struct answer *a)
{
    int err;

    if (f->readfd < 0) {
        f->readfd = open_directory(p);
        f->cookie = 0;
    }
    if (f->readfd < 0)
        return f->readfd;
    if (req->cookie != f->cookie && lseek(f->readfd, req->cookie, SEEK_SET) < 0)
        return -errno;
    f->cookie = req->cookie;
    err = put_batches(a, f->readfd, req->flags & GOFER_READDIR_ATTR, rep, &f->cookie);
    if (rep->eof) {
        close(f->readfd);
        f->readfd = -1;
    }
    return err;
}

int handle_readdir(struct server *s, const struct gofer_msg *m, struct answer *a)
{
    const struct gofer_readdir_req *req = &m->body.readdir;
    struct gofer_readdir_rep rep = {0};
    u32 head = a->w.len;
    struct place p;
    int err = place_get(s, req->fid, &m->str[0], false, &p);

    if (err)
        return err;
    if (req->size < a->w.cap)
        a->w.cap = req->size;
    gofer_put(&a->w, &rep, sizeof(rep));
    if (gofer_room(&a->w) < READDIR_CHUNK_MIN * READDIR_GROWTH)
        err = -EINVAL;
    else if (m->str[0].len > 0)
        err = readdir_path(&p, req, &rep, a);
    else
        err = readdir_fid(fid_get(s, req->fid), &p, req, &rep, a);
    place_put(&p);
    if (!err)
        memcpy(a->w.buf + head, &rep, sizeof(rep));
    return err;
}
