// SPDX-License-Identifier: Apache-2.0
/*
 * Host descriptors as files of the application: standard input, output and error when they are
 * pipes, sockets, regular files or devices of the host. They have no name inside ("host:[1]").
 */
#include "sentry/fs/host/host.h"
#include "sentry/kernel/container.h"
#include "sentry/kernel/task.h"

#define HOSTFS_MAGIC 0x686f7374
#define BOUNCE_ORDER 4 /* 64 KiB: data passes through RAM that the host may touch */
#define BOUNCE_SIZE  (PAGE_SIZE << BOUNCE_ORDER)

static struct super *hostfs;
static struct mount *host_mount; /* in no tree */

/* The inode's private part: owned by the inode. */
struct host_inode {
    struct host_stream stream;
    bool owned; /* by uid and gid of attr, whoever owns it on the host */
};

s64 host_stream_read(struct host_stream *s, void *buf, size_t n)
{
    s64 got = HOSTCALL(HC_READ, s->fd, virt_to_phys(buf), n);

    container_count_io(MAX(got, (s64)0), 0);
    return got;
}

s64 host_stream_write(struct host_stream *s, const void *buf, size_t n)
{
    s64 put = HOSTCALL(HC_WRITE, s->fd, virt_to_phys(buf), n);

    container_count_io(0, MAX(put, (s64)0));
    return put;
}

u32 host_stream_poll(struct host_stream *s, u32 events)
{
    s64 mask = s->always_ready ? (s64)events : HOSTCALL(HC_POLL_NOW, s->fd, events);

    return mask < 0 ? POLLERR : (u32)mask;
}

static struct host_stream *stream_of(struct vfs_file *f)
{
    return &((struct host_inode *)f->inode->private)->stream;
}

static struct page *bounce_get(size_t want, unsigned *order)
{
    struct page *p;

    *order = want <= PAGE_SIZE ? 0 : BOUNCE_ORDER;
    p = page_alloc(*order, 0);
    if (!p && *order) {
        *order = 0;
        p = page_alloc(0, 0);
    }
    return p;
}

static void bounce_put(struct page *p, unsigned order)
{
    for (unsigned i = 0; i < 1u << order; i++)
        page_put(p + i);
}

static int wait_ready(struct host_stream *s, const struct uio *u, u32 events)
{
    if (u->nowait)
        return -EAGAIN;
    return wait_event(&s->wq, host_stream_poll(s, events | POLLHUP | POLLERR));
}

static s64 host_read(struct vfs_file *f, struct uio *to, u64 *pos)
{
    struct host_stream *s = stream_of(f);
    unsigned order;
    struct page *page = bounce_get(to->left, &order);
    s64 n;

    if (!page)
        return -ENOMEM;
    for (;;) {
        n = host_stream_read(s, page_virt(page), MIN(to->left, PAGE_SIZE << order));
        if (n != -EAGAIN)
            break;
        n = wait_ready(s, to, POLLIN);
        if (n)
            break;
    }
    if (n > 0 && copy_to_uio(to, page_virt(page), (u64)n) != (u64)n)
        n = -EFAULT;
    bounce_put(page, order);
    return n;
}

/* Write n bytes of the bounce buffer out; bytes written, or -errno when none were. */
static s64 write_chunk(struct host_stream *s, const struct uio *from, const char *buf, size_t n)
{
    size_t done = 0;

    while (done < n) {
        s64 k = host_stream_write(s, buf + done, n - done);
        if (k == -EAGAIN)
            k = wait_ready(s, from, POLLOUT);
        if (k < 0)
            return done ? (s64)done : k;
        done += (size_t)k;
    }
    return (s64)done;
}

static s64 host_write(struct vfs_file *f, struct uio *from, u64 *pos)
{
    struct host_stream *s = stream_of(f);
    unsigned order;
    struct page *page = bounce_get(from->left, &order);
    s64 total = 0, n = 0;

    if (!page)
        return -ENOMEM;
    while (from->left) {
        size_t want = MIN(from->left, PAGE_SIZE << order);

        n = -EFAULT;
        if (copy_from_uio(page_virt(page), from, want) != want)
            break;
        n = write_chunk(s, from, page_virt(page), want);
        if (n < 0)
            break;
        total += n;
        if ((size_t)n < want)
            break;
    }
    bounce_put(page, order);
    if (n == -EPIPE && !total)
        signal_send_task(current, SIGPIPE, NULL);
    return total ? total : n;
}

static s64 host_lseek(struct vfs_file *f, s64 off, int whence)
{
    if (!stream_of(f)->always_ready)
        return -ESPIPE;
    return HOSTCALL(HC_LSEEK, stream_of(f)->fd, (u64)off, (u64)whence);
}

static u32 host_poll(struct vfs_file *f, struct poll_table *pt)
{
    struct host_stream *s = stream_of(f);

    poll_wait(pt, &s->wq);
    return host_stream_poll(s, POLLIN | POLLOUT | POLLPRI);
}

static s64 host_ioctl(struct vfs_file *f, u32 cmd, u64 arg)
{
    log_debug("ioctl %#x on a host descriptor refused", cmd);
    return -ENOTTY;
}

static int host_fsync(struct vfs_file *f, bool datasync)
{
    return (int)HOSTCALL_WAIT(HC_FSYNC, stream_of(f)->fd, datasync);
}

static const struct file_ops host_file_ops = {
    .read = host_read,
    .write = host_write,
    .lseek = host_lseek,
    .poll = host_poll,
    .ioctl = host_ioctl,
    .fsync = host_fsync,
};

static int host_getattr(struct inode *ino, struct attr *a)
{
    struct host_inode *h = ino->private;
    struct page *page = page_alloc(0, 0);
    struct host_stat *st;
    s64 err;

    if (!page)
        return -ENOMEM;
    st = page_virt(page);
    err = HOSTCALL(HC_FD_STAT, h->stream.fd, virt_to_phys(st));
    if (!err)
        *a = (struct attr){
            .ino = ino->attr.ino,
            .size = st->size,
            .blocks = st->blocks,
            .mode = st->mode,
            .nlink = 1,
            .uid = st->uid,
            .gid = st->gid,
            .rdev = st->rdev,
            .blksize = st->blksize,
            .atime = st->atime_ns,
            .mtime = st->mtime_ns,
            .ctime = st->ctime_ns,
        };
    page_put(page);
    if (!err && h->owned) {
        a->uid = ino->attr.uid;
        a->gid = ino->attr.gid;
    }
    return (int)err;
}

void host_file_own(struct vfs_file *f, u32 uid, u32 gid)
{
    struct host_inode *h = f->inode->private;

    down_write(&f->inode->lock);
    f->inode->attr.uid = uid;
    f->inode->attr.gid = gid;
    h->owned = true;
    up_write(&f->inode->lock);
}

static void host_evict(struct inode *ino)
{
    struct host_inode *h = ino->private;

    if (!h)
        return;
    host_stream_destroy(&h->stream);
    HOSTCALL(HC_FD_CLOSE, h->stream.fd);
    kfree(h);
}

/* Again, by /dev/stdout or /proc/self/fd/N: the same stream of the host. */
static int host_open(struct inode *ino, struct vfs_file *f)
{
    struct host_inode *h = ino->private;

    if (S_ISSOCK(ino->attr.mode))
        return -ENXIO;
    if (!h->stream.always_ready)
        f->mode |= FMODE_STREAM;
    return 0;
}

static const struct inode_ops host_inode_ops = {
    .open = host_open,
    .getattr = host_getattr,
    .evict = host_evict,
};

static int hostfs_statfs(struct super *sb, struct statfs *st)
{
    *st = (struct statfs){.f_type = HOSTFS_MAGIC, .f_bsize = PAGE_SIZE, .f_namelen = NAME_MAX};
    return 0;
}

static const struct super_ops hostfs_ops = {.statfs = hostfs_statfs};

/* The file system of nameless host files, at the first use. */
static int hostfs_make(void)
{
    struct inode *root;

    if (host_mount)
        return 0;
    hostfs = super_new("host", &hostfs_ops, HOSTFS_MAGIC);
    root = hostfs ? inode_new(hostfs, &host_inode_ops, NULL, S_IFDIR | 0700) : NULL;
    if (!root)
        return -ENOMEM;
    hostfs->root = dentry_new_root(hostfs, root);
    host_mount = hostfs->root ? mount_new(hostfs, 0, "host") : NULL;
    return host_mount ? 0 : -ENOMEM;
}

struct vfs_file *host_file_new(u32 fd, u32 flags)
{
    struct host_inode *h;
    struct inode *ino;
    struct path path = {0};
    struct vfs_file *f;
    char name[24];
    int err;

    h = kzalloc(sizeof(*h));
    if (!h || hostfs_make())
        goto nomem;
    err = host_stream_init(&h->stream, fd);
    if (err) {
        kfree(h);
        return ERR_PTR(err);
    }
    ino = inode_new(hostfs, &host_inode_ops, &host_file_ops, S_IFIFO | 0600);
    if (!ino) {
        host_stream_destroy(&h->stream);
        goto nomem;
    }
    ino->private = h;
    {
        struct attr a;
        if (!host_getattr(ino, &a))
            ino->attr.mode = a.mode;
    }
    snprintf_(name, sizeof(name), "host:[%u]", fd);
    path.mnt = host_mount;
    path.dentry = dentry_new_pseudo(name, ino);
    if (!path.dentry)
        return ERR_PTR(-ENOMEM);
    f = file_new(&path, &host_file_ops, flags);
    dentry_put(path.dentry);
    if (!IS_ERR(f) && !h->stream.always_ready)
        f->mode |= FMODE_STREAM;
    return f;
nomem:
    kfree(h);
    return ERR_PTR(-ENOMEM);
}
