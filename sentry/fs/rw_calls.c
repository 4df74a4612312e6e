// SPDX-License-Identifier: Apache-2.0
//
// read, write and their vector, positional and flagged forms; lseek; sendfile, copy_file_range,
// splice-free copies between files.

#include "sentry/fs/internal.h"
#include "sentry/syscall/syscall.h"

#define MAX_RW   (0x7fffffffULL & PAGE_MASK)
#define IOV_MAX  1024
#define IOV_FAST 8

static int copy_iovecs(struct uio *u, struct uio_vec *fast, struct uio_vec **heap, uva_t iov, u64 n)
{
    struct uio_vec *v = fast;
    u64 total = 0;

    *heap = NULL;
    if (n > IOV_MAX)
        return -EINVAL;
    if (n > IOV_FAST) {
        *heap = v = kmalloc(n * sizeof(*v));
        if (!v)
            return -ENOMEM;
    }
    if (n && copy_from_user(v, iov, n * sizeof(*v)))
        return -EFAULT;
    for (u64 i = 0; i < n; i++) {
        if ((s64)v[i].len < 0)
            return -EINVAL;
        if (v[i].len > MAX_RW - total)
            v[i].len = MAX_RW - total;
        if (v[i].len && (v[i].base >= USER_END || v[i].len > USER_END - v[i].base))
            return -EFAULT;
        total += v[i].len;
    }
    uio_vecs(u, v, (u32)n);
    return 0;
}

/* Negative offsets and files without one. */
static int check_pos(const struct vfs_file *f, s64 pos)
{
    if (pos < 0)
        return -EINVAL;
    return f->mode & FMODE_STREAM ? -ESPIPE : 0;
}

static s64 rw_buffer(int fd, uva_t buf, u64 count, const s64 *at, bool write)
{
    struct vfs_file *f = fd_get(fd);
    struct uio u;
    u64 pos = 0;
    s64 n;

    if (!f)
        return -EBADF;
    n = at ? check_pos(f, *at) : 0;
    if (!n && (count > USER_END || buf > USER_END - count))
        n = -EFAULT;
    if (!n) {
        pos = at ? (u64)*at : 0;
        uio_user(&u, buf, MIN(count, MAX_RW));
        n = write ? file_write(f, &u, at ? &pos : NULL) : file_read(f, &u, at ? &pos : NULL);
    }
    file_put(f);
    return n;
}

SYSCALL3(read, int, fd, uva_t, buf, u64, count)
{
    return rw_buffer(fd, buf, count, NULL, false);
}

SYSCALL3(write, int, fd, uva_t, buf, u64, count)
{
    return rw_buffer(fd, buf, count, NULL, true);
}

SYSCALL4(pread64, int, fd, uva_t, buf, u64, count, s64, pos)
{
    return rw_buffer(fd, buf, count, &pos, false);
}

SYSCALL4(pwrite64, int, fd, uva_t, buf, u64, count, s64, pos)
{
    return rw_buffer(fd, buf, count, &pos, true);
}

#define RWF_KNOWN (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND)

s64 rw_vector(int fd, uva_t iov, u64 n, const s64 *at, bool write, u32 rwf)
{
    struct uio_vec fast[IOV_FAST], *heap = NULL;
    struct uio u;
    u64 pos;
    s64 ret;

    if (rwf & ~(u32)RWF_KNOWN)
        return -EOPNOTSUPP;
    struct vfs_file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    ret = at ? check_pos(f, *at) : 0;
    if (!ret)
        ret = copy_iovecs(&u, fast, &heap, iov, n);
    if (!ret) {
        u.nowait = rwf & RWF_NOWAIT;
        pos = at ? (u64)*at : 0;
        if (write && (rwf & RWF_APPEND) && S_ISREG(f->inode->attr.mode))
            pos = f->inode->attr.size;
        ret = write ? file_write(f, &u, at ? &pos : NULL) : file_read(f, &u, at ? &pos : NULL);
        if (ret > 0 && write && (rwf & (RWF_SYNC | RWF_DSYNC)) && f->ops->fsync) {
            int err = f->ops->fsync(f, !(rwf & RWF_SYNC));
            if (err)
                ret = err;
        }
    }
    kfree(heap);
    file_put(f);
    return ret;
}

SYSCALL3(readv, int, fd, uva_t, iov, u64, n)
{
    return rw_vector(fd, iov, n, NULL, false, 0);
}

SYSCALL3(writev, int, fd, uva_t, iov, u64, n)
{
    return rw_vector(fd, iov, n, NULL, true, 0);
}

SYSCALL5(preadv, int, fd, uva_t, iov, u64, n, u64, lo, u64, hi)
{
    s64 pos = (s64)lo; /* the high half is unused on 64-bit */

    (void)hi;
    return rw_vector(fd, iov, n, &pos, false, 0);
}

SYSCALL5(pwritev, int, fd, uva_t, iov, u64, n, u64, lo, u64, hi)
{
    s64 pos = (s64)lo;

    (void)hi;
    return rw_vector(fd, iov, n, &pos, true, 0);
}

SYSCALL6(preadv2, int, fd, uva_t, iov, u64, n, u64, lo, u64, hi, u32, flags)
{
    s64 pos = (s64)lo;

    (void)hi;
    return rw_vector(fd, iov, n, pos == -1 ? NULL : &pos, false, flags);
}

SYSCALL6(pwritev2, int, fd, uva_t, iov, u64, n, u64, lo, u64, hi, u32, flags)
{
    s64 pos = (s64)lo;

    (void)hi;
    return rw_vector(fd, iov, n, pos == -1 ? NULL : &pos, true, flags);
}

SYSCALL3(lseek, int, fd, s64, off, int, whence)
{
    struct vfs_file *f = fd_get(fd);

    if (!f)
        return -EBADF;
    s64 ret = file_lseek(f, off, whence);
    file_put(f);
    return ret;
}

/* ---- from file to file ---- */

#define COPY_CHUNK (64 * 1024)

/* Up to n bytes through a kernel buffer; positions NULL: the files' own. */
static s64 copy_between(struct vfs_file *in, u64 *in_pos, struct vfs_file *out, u64 *out_pos, u64 n)
{
    char *buf = kmalloc(MIN(n, (u64)COPY_CHUNK));
    s64 done = 0, ret = 0;
    struct uio u;

    if (!buf)
        return -ENOMEM;
    while ((u64)done < n) {
        uio_kernel(&u, buf, MIN(n - (u64)done, (u64)COPY_CHUNK));
        u64 start = in_pos ? *in_pos : 0;
        s64 got = file_read(in, &u, in_pos);
        if (got <= 0) {
            ret = got;
            break;
        }
        uio_kernel(&u, buf, (u64)got);
        s64 put = file_write(out, &u, out_pos);
        ret = put < 0 ? put : 0;
        if (put > 0)
            done += put;
        if (put < got) { /* give back what was read too much */
            if (in_pos)
                *in_pos = start + (put > 0 ? (u64)put : 0);
            else if (!(in->mode & FMODE_STREAM))
                file_lseek(in, (put > 0 ? put : 0) - got, SEEK_CUR);
            break;
        }
        if (signal_pending(current))
            break;
    }
    kfree(buf);
    return done ? done : ret;
}

SYSCALL4(sendfile, int, out_fd, int, in_fd, uva_t, offset, u64, count)
{
    struct vfs_file *in = fd_get(in_fd), *out = fd_get(out_fd);
    u64 pos = 0;
    s64 ret = -EBADF;

    if (!in || !out || !(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
        goto out;
    ret = offset && (in->mode & FMODE_STREAM) ? -ESPIPE : 0;
    if (!ret && offset && get_user(pos, offset))
        ret = -EFAULT;
    if (!ret && ((s64)pos < 0 || (out->flags & O_APPEND)))
        ret = -EINVAL;
    if (ret)
        goto out;
    ret = copy_between(in, offset ? &pos : NULL, out, NULL, MIN(count, MAX_RW));
    if (ret >= 0 && offset && put_user(pos, offset))
        ret = -EFAULT;
out:
    file_put(in);
    file_put(out);
    return ret;
}

static s64 range_check(struct vfs_file *in, struct vfs_file *out, u64 in_pos, u64 out_pos, u64 len)
{
    if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE) || (out->flags & O_APPEND))
        return -EBADF;
    if (S_ISDIR(in->inode->attr.mode) || S_ISDIR(out->inode->attr.mode))
        return -EISDIR;
    if (!S_ISREG(in->inode->attr.mode) || !S_ISREG(out->inode->attr.mode))
        return -EINVAL;
    if ((s64)in_pos < 0 || (s64)out_pos < 0)
        return -EINVAL;
    if (in_pos + len < in_pos || out_pos + len < out_pos)
        return -EOVERFLOW;
    if (in->inode == out->inode && in_pos < out_pos + len && out_pos < in_pos + len)
        return -EINVAL;
    return 0;
}

SYSCALL6(copy_file_range, int, in_fd, uva_t, in_off, int, out_fd, uva_t, out_off, u64, len, u32,
         flags)
{
    struct vfs_file *in = fd_get(in_fd), *out = fd_get(out_fd);
    u64 in_pos, out_pos;
    s64 ret = -EBADF;

    if (!in || !out)
        goto out;
    ret = flags ? -EINVAL : 0;
    in_pos = in->pos;
    out_pos = out->pos;
    if (!ret && ((in_off && get_user(in_pos, in_off)) || (out_off && get_user(out_pos, out_off))))
        ret = -EFAULT;
    if (!ret)
        ret = range_check(in, out, in_pos, out_pos, MIN(len, MAX_RW));
    if (ret)
        goto out;
    ret =
        copy_between(in, in_off ? &in_pos : NULL, out, out_off ? &out_pos : NULL, MIN(len, MAX_RW));
    if (ret > 0 &&
        ((in_off && put_user(in_pos, in_off)) || (out_off && put_user(out_pos, out_off))))
        ret = -EFAULT;
out:
    file_put(in);
    file_put(out);
    return ret;
}
