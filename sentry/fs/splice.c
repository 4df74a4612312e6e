// SPDX-License-Identifier: Apache-2.0
//
// splice(2), tee(2), vmsplice(2): data between a pipe and something else without user memory in
// between. Between pipes pages change hands; files are read into and written from the pages of a
// pipe.

#include "sentry/fs/pipe.h"
#include "sentry/syscall/syscall.h"

/* Flags, which no kernel header names. */
#define SPLICE_F_MOVE     1u
#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_MORE     4u
#define SPLICE_F_GIFT     8u
#define SPLICE_F_ALL      15u

#define MAX_SPLICE (0x7fffffffULL & PAGE_MASK)

static void woke_writers(struct pipe *p)
{
    waitq_wake(&p->writers_wait, POLLOUT | POLLWRNORM, ~0u);
}

static void woke_readers(struct pipe *p)
{
    waitq_wake(&p->readers_wait, POLLIN | POLLRDNORM, ~0u);
}

/* ---- pipe to file ---- */

/* The first buffer with a reference to its page; false when there is none. */
static bool look(struct pipe *p, struct pipe_buf *b)
{
    bool any;

    mutex_lock(&p->lock);
    any = !pipe_empty(p);
    if (any) {
        *b = *pipe_slot(p, p->tail);
        page_get(b->page);
    }
    mutex_unlock(&p->lock);
    return any;
}

/* n bytes of b were written: take them out, unless another reader was faster. */
static void taken(struct pipe *p, const struct pipe_buf *b, u32 n)
{
    mutex_lock(&p->lock);
    if (!pipe_empty(p)) {
        struct pipe_buf *first = pipe_slot(p, p->tail);
        if (first->page == b->page && first->off == b->off && first->len >= n)
            pipe_consume(p, n);
    }
    mutex_unlock(&p->lock);
    woke_writers(p);
}

static s64 pipe_to_file(struct pipe *p, struct vfs_file *out, u64 *pos, u64 len, bool nowait)
{
    s64 done = 0, n = 0;

    while ((u64)done < len) {
        struct pipe_buf b;
        struct uio u;

        n = pipe_wait_data(p, nowait || done);
        if (n <= 0)
            break;
        if (!look(p, &b))
            continue;
        uio_kernel(&u, (char *)page_virt(b.page) + b.off, MIN((u64)b.len, len - (u64)done));
        n = file_write(out, &u, pos);
        if (n > 0) {
            taken(p, &b, (u32)n);
            done += n;
        }
        page_put(b.page);
        if (n <= 0 || n < b.len)
            break;
    }
    return done ? done : n;
}

/* ---- file to pipe ---- */

/* One page from the file. Bytes, 0 at the end, -errno. */
static s64 page_from_file(struct vfs_file *in, u64 *pos, u64 len, struct pipe_buf *b)
{
    struct uio u;
    s64 n;

    *b = (struct pipe_buf){.page = page_alloc(0, 0)};
    if (!b->page)
        return -ENOMEM;
    uio_kernel(&u, page_virt(b->page), MIN(len, PAGE_SIZE));
    n = file_read(in, &u, pos);
    if (n > 0)
        b->len = (u32)n;
    else
        page_put(b->page);
    return n;
}

static s64 file_to_pipe(struct vfs_file *in, u64 *pos, struct pipe *p, u64 len, bool nowait)
{
    s64 done = 0, n = 0;

    while ((u64)done < len) {
        struct pipe_buf b;
        bool fits;

        n = pipe_wait_room(p, nowait || done);
        if (n < 0)
            break;
        n = page_from_file(in, pos, len - (u64)done, &b);
        if (n <= 0)
            break;
        do { /* what was read must not be lost, though others may fill the pipe meanwhile */
            mutex_lock(&p->lock);
            fits = !pipe_full(p);
            if (fits)
                pipe_push(p, &b);
            mutex_unlock(&p->lock);
        } while (!fits && pipe_wait_room(p, false) > 0);
        if (!fits) {
            page_put(b.page);
            break;
        }
        woke_readers(p);
        done += n;
        if (n < (s64)PAGE_SIZE)
            break;
    }
    return done ? done : n;
}

/* ---- pipe to pipe ---- */

static void lock_both(struct pipe *a, struct pipe *b)
{
    mutex_lock(a < b ? &a->lock : &b->lock);
    mutex_lock(a < b ? &b->lock : &a->lock);
}

/* Give `to` up to len bytes of the buffers of `from`; keep: they stay there, too. Both are locked.
 */
static s64 move_bufs(struct pipe *from, struct pipe *to, u64 len, bool keep)
{
    s64 done = 0;
    u32 i = from->tail;

    while ((u64)done < len && i != from->head && !pipe_full(to)) {
        struct pipe_buf *b = pipe_slot(from, i), part = *b;

        part.len = (u32)MIN((u64)b->len, len - (u64)done);
        page_get(part.page);
        pipe_push(to, &part);
        done += part.len;
        if (!keep)
            pipe_consume(from, part.len);
        i = keep ? i + 1 : from->tail;
    }
    return done;
}

static s64 pipe_to_pipe(struct pipe *from, struct pipe *to, u64 len, bool nowait, bool keep)
{
    s64 n;

    if (from == to)
        return -EINVAL;
    do {
        n = pipe_wait_data(from, nowait);
        if (n > 0)
            n = pipe_wait_room(to, nowait);
        if (n <= 0)
            return n;
        lock_both(from, to);
        n = move_bufs(from, to, len, keep);
        mutex_unlock(&from->lock);
        mutex_unlock(&to->lock);
    } while (n == 0);
    if (!keep)
        woke_writers(from);
    woke_readers(to);
    return n;
}

/* ---- system calls ---- */

struct splice_end {
    struct vfs_file *file;
    struct pipe *pipe;
    uva_t offset; /* of the user's offset, or 0 */
    u64 at;
};

static int end_check(struct splice_end *e)
{
    if (e->offset && (e->pipe || e->file->mode & FMODE_STREAM))
        return -ESPIPE;
    if (e->offset && get_user(e->at, e->offset))
        return -EFAULT;
    return (s64)e->at < 0 ? -EINVAL : 0;
}

static s64 do_splice(struct splice_end *in, struct splice_end *out, u64 len, u32 flags)
{
    bool nowait = flags & SPLICE_F_NONBLOCK;
    u64 *in_pos = in->offset ? &in->at : NULL, *out_pos = out->offset ? &out->at : NULL;
    int err;

    if (!(in->file->mode & FMODE_READ) || !(out->file->mode & FMODE_WRITE))
        return -EBADF;
    in->pipe = pipe_of(in->file);
    out->pipe = pipe_of(out->file);
    if (!in->pipe && !out->pipe)
        return -EINVAL;
    if ((err = end_check(in)) || (err = end_check(out)))
        return err;
    if (in->pipe && in->file->flags & O_NONBLOCK)
        nowait = true;
    if (out->pipe && out->file->flags & O_NONBLOCK)
        nowait = true;
    if (in->pipe && out->pipe)
        return pipe_to_pipe(in->pipe, out->pipe, len, nowait, false);
    if (in->pipe && out->file->flags & O_APPEND)
        return -EINVAL;
    if (in->pipe)
        return pipe_to_file(in->pipe, out->file, out_pos, len, nowait);
    return file_to_pipe(in->file, in_pos, out->pipe, len, nowait);
}

SYSCALL6(splice, int, in_fd, uva_t, in_off, int, out_fd, uva_t, out_off, u64, len, u32, flags)
{
    struct splice_end in = {.offset = in_off}, out = {.offset = out_off};
    s64 ret = -EBADF;

    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    if (!len)
        return 0;
    in.file = fd_get(in_fd);
    out.file = fd_get(out_fd);
    if (in.file && out.file)
        ret = do_splice(&in, &out, MIN(len, MAX_SPLICE), flags);
    if (ret > 0 && ((in_off && put_user(in.at, in_off)) || (out_off && put_user(out.at, out_off))))
        ret = -EFAULT;
    file_put(in.file);
    file_put(out.file);
    return ret;
}

SYSCALL4(tee, int, in_fd, int, out_fd, u64, len, u32, flags)
{
    struct vfs_file *in, *out;
    s64 ret = -EBADF;

    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    if (!len)
        return 0;
    in = fd_get(in_fd);
    out = fd_get(out_fd);
    if (in && out && in->mode & FMODE_READ && out->mode & FMODE_WRITE) {
        ret = -EINVAL;
        if (pipe_of(in) && pipe_of(out))
            ret = pipe_to_pipe(pipe_of(in), pipe_of(out), MIN(len, MAX_SPLICE),
                               flags & SPLICE_F_NONBLOCK, true);
    }
    file_put(in);
    file_put(out);
    return ret;
}

SYSCALL4(vmsplice, int, fd, uva_t, iov, u64, n, u32, flags)
{
    struct vfs_file *f;
    bool write, ok;

    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    f = fd_get(fd);
    if (!f)
        return -EBADF;
    ok = pipe_of(f);
    write = f->mode & FMODE_WRITE;
    file_put(f);
    if (!ok)
        return -EBADF;
    return rw_vector(fd, iov, n, NULL, write, flags & SPLICE_F_NONBLOCK ? RWF_NOWAIT : 0);
}
