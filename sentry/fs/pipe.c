// SPDX-License-Identifier: Apache-2.0
//
// Pipes and FIFOs: a ring of pages between writers and readers. Writes of up to PIPE_BUF bytes are
// not mixed with others; bytes lie in pages that are filled one after the other.

#include <asm/ioctls.h>
#include <linux/capability.h>
#include "sentry/fs/pipe.h"
#include "sentry/syscall/syscall.h"

#define PIPE_DEF_PAGES 16
#define PIPE_MAX_SIZE  (1u << 20) /* without CAP_SYS_RESOURCE */
#define PIPE_MAX_PAGES (1u << 15)
#define ATOMIC_SIZE    4096u /* PIPE_BUF */

static struct pipe *pipe_new(void)
{
    struct pipe *p = kzalloc(sizeof(*p));

    if (!p)
        return NULL;
    p->size = PIPE_DEF_PAGES;
    p->bufs = kzalloc(p->size * sizeof(*p->bufs));
    if (!p->bufs) {
        kfree(p);
        return NULL;
    }
    mutex_init(&p->lock);
    waitq_init(&p->readers_wait);
    waitq_init(&p->writers_wait);
    return p;
}

static void pipe_free(struct pipe *p)
{
    for (; !pipe_empty(p); p->tail++)
        page_put(pipe_slot(p, p->tail)->page);
    if (p->spare)
        page_put(p->spare);
    kfree(p->bufs);
    kfree(p);
}

/* ---- reading ---- */

static void drop_first(struct pipe *p)
{
    struct page *page = pipe_slot(p, p->tail)->page;

    if (!p->spare && ref_read(&page->refs) == 1)
        p->spare = page;
    else
        page_put(page);
    __atomic_store_n(&p->tail, p->tail + 1, __ATOMIC_RELEASE);
}

void pipe_push(struct pipe *p, const struct pipe_buf *b)
{
    *pipe_slot(p, p->head) = *b;
    __atomic_store_n(&p->head, p->head + 1, __ATOMIC_RELEASE);
}

void pipe_consume(struct pipe *p, u32 n)
{
    struct pipe_buf *b = pipe_slot(p, p->tail);

    b->off += n;
    b->len -= n;
    if (!b->len || b->packet)
        drop_first(p);
}

int pipe_wait_data(struct pipe *p, bool nowait)
{
    int err = 0;

    if (pipe_empty(p) && p->writers)
        err = nowait ? -EAGAIN : wait_event(&p->readers_wait, !pipe_empty(p) || !p->writers);
    return err ? err : !pipe_empty(p);
}

/* Move what is there; lock held. Bytes or -EFAULT. */
static s64 take(struct pipe *p, struct uio *to)
{
    s64 done = 0;

    while (to->left && !pipe_empty(p)) {
        struct pipe_buf *b = pipe_slot(p, p->tail);
        u64 want = MIN((u64)b->len, to->left);
        u64 n = copy_to_uio(to, (char *)page_virt(b->page) + b->off, want);
        bool packet = b->packet;

        done += (s64)n;
        if (n < want) {
            b->off += (u32)n;
            b->len -= (u32)n;
            return done ? done : -EFAULT;
        }
        pipe_consume(p, (u32)n);
        if (packet)
            break;
    }
    return done;
}

static s64 pipe_read(struct vfs_file *f, struct uio *to, u64 *pos)
{
    struct pipe *p = f->private;
    s64 ret;

    if (!to->left)
        return 0;
    for (;;) {
        bool was_full;
        int err;

        mutex_lock(&p->lock);
        was_full = pipe_full(p);
        ret = take(p, to);
        if (ret == 0 && p->writers)
            ret = -EAGAIN;
        mutex_unlock(&p->lock);
        if (ret > 0 && was_full)
            waitq_wake(&p->writers_wait, POLLOUT | POLLWRNORM, ~0u);
        if (ret != -EAGAIN || to->nowait)
            break;
        err = wait_event(&p->readers_wait, !pipe_empty(p) || !p->writers);
        if (err)
            return err;
    }
    if (ret > 0)
        file_accessed(f);
    return ret;
}

/* ---- writing ---- */

/* Room behind the last byte, in its page. */
static u32 tail_room(struct pipe *p)
{
    struct pipe_buf *b;

    if (pipe_empty(p))
        return 0;
    b = pipe_slot(p, p->head - 1);
    if (b->packet || ref_read(&b->page->refs) > 1)
        return 0;
    return (u32)PAGE_SIZE - b->off - b->len;
}

static u64 room(struct pipe *p)
{
    return (u64)(p->size - (p->head - p->tail)) * PAGE_SIZE + tail_room(p);
}

static s64 append(struct pipe *p, struct uio *from, u64 n)
{
    struct pipe_buf *b = pipe_slot(p, p->head - 1);
    u64 got = copy_from_uio((char *)page_virt(b->page) + b->off + b->len, from, n);

    b->len += (u32)got;
    return got < n ? -EFAULT : 0;
}

static s64 add_page(struct pipe *p, struct uio *from, bool packet)
{
    u64 want = MIN(from->left, PAGE_SIZE), n;
    struct page *page = p->spare ? p->spare : page_alloc(0, 0);

    if (!page)
        return -ENOMEM;
    p->spare = NULL;
    n = copy_from_uio(page_virt(page), from, want);
    if (!n) {
        p->spare = page;
        return -EFAULT;
    }
    pipe_push(p, &(struct pipe_buf){.page = page, .len = (u32)n, .packet = packet});
    return n < want ? -EFAULT : 0;
}

/* Put in what fits; lock held. 0 (look at from->left), or -errno. */
static s64 put(struct pipe *p, struct uio *from, bool packet)
{
    s64 err = 0;
    u32 n = packet ? 0 : tail_room(p);

    if (from->left <= ATOMIC_SIZE && room(p) < from->left)
        return -EAGAIN;
    if (n)
        err = append(p, from, MIN((u64)n, from->left));
    while (!err && from->left && !pipe_full(p))
        err = add_page(p, from, packet);
    return !err && from->left ? -EAGAIN : err;
}

static s64 pipe_write(struct vfs_file *f, struct uio *from, u64 *pos)
{
    struct pipe *p = f->private;
    u64 total = from->left;
    s64 err;

    if (!total)
        return 0;
    for (;;) {
        u64 before = from->left;

        mutex_lock(&p->lock);
        err = p->readers ? put(p, from, f->flags & O_DIRECT) : -EPIPE;
        mutex_unlock(&p->lock);
        if (from->left != before)
            waitq_wake(&p->readers_wait, POLLIN | POLLRDNORM, ~0u);
        if (err != -EAGAIN || from->nowait)
            break;
        err = wait_event(&p->writers_wait, !p->readers || !pipe_full(p));
        if (err)
            break;
    }
    if (err == -EPIPE)
        signal_send_task(current, SIGPIPE, NULL);
    return from->left == total ? err : (s64)(total - from->left);
}

int pipe_wait_room(struct pipe *p, bool nowait)
{
    int err = 0;

    if (p->readers && pipe_full(p))
        err = nowait ? -EAGAIN : wait_event(&p->writers_wait, !p->readers || !pipe_full(p));
    if (err || p->readers)
        return err ? err : 1;
    signal_send_task(current, SIGPIPE, NULL);
    return -EPIPE;
}

/* ---- state ---- */

/* f->pos of a reader: writer_count when it opened the FIFO without waiting for a writer. */
static u32 pipe_poll(struct vfs_file *f, struct poll_table *pt)
{
    struct pipe *p = f->private;
    u32 events = 0;

    if (f->mode & FMODE_READ) {
        poll_wait(pt, &p->readers_wait);
        if (!pipe_empty(p))
            events |= POLLIN | POLLRDNORM;
        if (!p->writers && f->pos != p->writer_count)
            events |= POLLHUP;
    }
    if (f->mode & FMODE_WRITE) {
        poll_wait(pt, &p->writers_wait);
        if (!pipe_full(p))
            events |= POLLOUT | POLLWRNORM;
        if (!p->readers)
            events |= POLLERR;
    }
    return events;
}

static u32 queued(struct pipe *p)
{
    u32 n = 0;

    mutex_lock(&p->lock);
    for (u32 i = p->tail; i != p->head; i++)
        n += pipe_slot(p, i)->len;
    mutex_unlock(&p->lock);
    return n;
}

static s64 pipe_ioctl(struct vfs_file *f, u32 cmd, u64 arg)
{
    if (cmd != FIONREAD)
        return -ENOTTY;
    return put_user(queued(f->private), arg);
}

static s64 set_size(struct pipe *p, u64 bytes)
{
    u32 size = 1;
    s64 err = -EBUSY;

    if (bytes > PIPE_MAX_PAGES * PAGE_SIZE)
        return -EINVAL;
    while (size * PAGE_SIZE < bytes)
        size *= 2;
    if (size * PAGE_SIZE > PIPE_MAX_SIZE && size > p->size && !capable(CAP_SYS_RESOURCE))
        return -EPERM;
    struct pipe_buf *bufs = kzalloc(size * sizeof(*bufs));
    if (!bufs)
        return -ENOMEM;
    mutex_lock(&p->lock);
    u32 used = p->head - p->tail;
    if (used <= size) {
        struct pipe_buf *old = p->bufs;
        for (u32 i = 0; i < used; i++)
            bufs[i] = *pipe_slot(p, p->tail + i);
        p->bufs = bufs;
        p->size = size;
        p->tail = 0;
        p->head = used;
        bufs = old;
        err = (s64)(size * PAGE_SIZE);
    }
    mutex_unlock(&p->lock);
    kfree(bufs);
    waitq_wake(&p->writers_wait, POLLOUT | POLLWRNORM, ~0u);
    return err;
}

static const struct file_ops pipe_ops;

struct pipe *pipe_of(const struct vfs_file *f)
{
    return f->ops == &pipe_ops ? f->private : NULL;
}

s64 pipe_fcntl(struct vfs_file *f, u32 cmd, u64 arg)
{
    struct pipe *p = f->private;

    if (f->ops != &pipe_ops)
        return -EBADF;
    if (cmd == F_SETPIPE_SZ)
        return set_size(p, (u32)arg);
    return (s64)(p->size * PAGE_SIZE);
}

/* ---- opening and closing ---- */

/* One file less (and one end, when mode says so); the last one frees the pipe. */
static void pipe_detach(struct inode *ino, struct pipe *p, u32 mode)
{
    bool last;

    mutex_lock(&p->lock);
    if (mode & FMODE_READ)
        p->readers--;
    if (mode & FMODE_WRITE)
        p->writers--;
    mutex_unlock(&p->lock);
    wake_all(&p->readers_wait);
    wake_all(&p->writers_wait);
    down_write(&ino->lock);
    last = --p->files == 0;
    if (last)
        ino->pipe = NULL;
    up_write(&ino->lock);
    if (last)
        pipe_free(p);
}

static void pipe_release(struct vfs_file *f)
{
    pipe_detach(f->inode, f->private, f->mode);
}

static const struct file_ops pipe_ops = {
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .release = pipe_release,
};

static struct pipe *fifo_attach(struct inode *ino)
{
    struct pipe *p;

    down_write(&ino->lock);
    if (!ino->pipe)
        ino->pipe = pipe_new();
    p = ino->pipe;
    if (p)
        p->files++;
    up_write(&ino->lock);
    return p;
}

int fifo_open(struct inode *ino, struct vfs_file *f)
{
    u32 ends = f->mode & (FMODE_READ | FMODE_WRITE);
    bool nowait = f->flags & O_NONBLOCK;
    bool named = !(f->path.dentry->flags & DENTRY_PSEUDO); /* else /proc/self/fd/N of pipe(2) */
    struct pipe *p = fifo_attach(ino);
    u64 readers_seen, writers_seen;
    int err = 0;

    if (!p)
        return -ENOMEM;
    mutex_lock(&p->lock);
    if (ends == FMODE_WRITE && nowait && !p->readers)
        err = -ENXIO;
    if (!err && ends & FMODE_READ) {
        p->readers++;
        p->reader_count++;
    }
    if (!err && ends & FMODE_WRITE) {
        p->writers++;
        p->writer_count++;
    }
    readers_seen = p->readers ? U64_MAX : p->reader_count;
    writers_seen = p->writers ? U64_MAX : p->writer_count;
    mutex_unlock(&p->lock);
    if (err) {
        pipe_detach(ino, p, 0);
        return err;
    }
    wake_all(&p->readers_wait);
    wake_all(&p->writers_wait);
    f->pos = 0;
    if (ends == FMODE_READ && nowait && writers_seen != U64_MAX)
        f->pos = p->writer_count; /* no hang-up before somebody has written */
    else if (ends == FMODE_READ && named)
        err = wait_event(&p->readers_wait, p->writer_count != writers_seen);
    else if (ends == FMODE_WRITE && named)
        err = wait_event(&p->writers_wait, p->reader_count != readers_seen);
    if (err) {
        pipe_detach(ino, p, ends);
        return err;
    }
    f->private = p;
    f->ops = &pipe_ops;
    f->mode |= FMODE_STREAM;
    return 0;
}

/* ---- pipe(2) ---- */

static int make_pipe(struct vfs_file *end[2], u32 flags)
{
    struct pipe *p = pipe_new();

    if (!p)
        return -ENFILE;
    end[0] = file_new_pseudo("pipe", S_IFIFO | 0600, &pipe_ops, p, O_RDONLY | flags);
    if (IS_ERR(end[0])) {
        pipe_free(p);
        return (int)PTR_ERR(end[0]);
    }
    end[0]->inode->pipe = p;
    p->files = p->readers = p->writers = 1;
    p->reader_count = p->writer_count = 1;
    end[1] = file_new(&end[0]->path, &pipe_ops, O_WRONLY | flags);
    if (IS_ERR(end[1])) {
        file_put(end[0]);
        return (int)PTR_ERR(end[1]);
    }
    end[1]->private = p;
    end[1]->mode |= FMODE_STREAM;
    p->files = 2;
    return 0;
}

static s64 do_pipe(uva_t fds, u32 flags)
{
    struct vfs_file *end[2] = {NULL, NULL};
    int fd[2], err;

    if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
        return -EINVAL;
    err = make_pipe(end, flags & ~(u32)O_CLOEXEC);
    if (err)
        return err;
    fd[0] = fd_alloc(0, flags & O_CLOEXEC);
    fd[1] = fd[0] < 0 ? fd[0] : fd_alloc(0, flags & O_CLOEXEC);
    err = fd[1] < 0 ? fd[1] : copy_to_user(fds, fd, sizeof(fd));
    if (!err) {
        fd_install(fd[0], end[0]);
        fd_install(fd[1], end[1]);
        return 0;
    }
    if (fd[0] >= 0)
        fd_unreserve(fd[0]);
    if (fd[1] >= 0)
        fd_unreserve(fd[1]);
    file_put(end[0]);
    file_put(end[1]);
    return err;
}

SYSCALL1(pipe, uva_t, fds)
{
    return do_pipe(fds, 0);
}

SYSCALL2(pipe2, uva_t, fds, u32, flags)
{
    return do_pipe(fds, flags);
}
