// SPDX-License-Identifier: Apache-2.0
//
// Open file descriptions: life, reading and writing through them, positions, anonymous files.

#include "sentry/fs/internal.h"
#include "sentry/fs/locks.h"

static struct slab_cache *file_cache;
static struct mount *pseudo_mount;
static struct inode *anon_inode; /* shared by all files of file_new_anon */
static const struct inode_ops pseudo_inode_ops = {0};
static const struct file_ops no_ops = {0};

void file_init(void)
{
    file_cache = slab_cache_create("file", sizeof(struct vfs_file), 64);
}

/* The super block of everything that has no name: pipes, sockets, eventfds. */
void pseudo_init(void)
{
    struct super *sb = super_new("anon_inodefs", NULL, 0x09041934);

    BUG_ON(!sb);
    struct inode *i = inode_new(sb, &pseudo_inode_ops, &no_ops, S_IFDIR | 0700);
    BUG_ON(!i);
    sb->root = dentry_new_root(sb, i);
    pseudo_mount = mount_new(sb, MS_NOATIME, "none");
    anon_inode = inode_new(sb, &pseudo_inode_ops, &no_ops, 0600);
    BUG_ON(!sb->root || !pseudo_mount || !anon_inode);
}

static u32 mode_of(u32 flags)
{
    static const u32 modes[4] = {FMODE_READ, FMODE_WRITE, FMODE_READ | FMODE_WRITE, 0};

    return flags & O_PATH ? FMODE_PATH : modes[flags & O_ACCMODE];
}

struct vfs_file *file_new(const struct path *p, const struct file_ops *ops, u32 flags)
{
    struct vfs_file *f = slab_alloc(file_cache);

    if (!f)
        return ERR_PTR(-ENFILE);
    ref_init(&f->refs, 1);
    f->flags = flags & ~(u32)O_CLOEXEC;
    f->mode = mode_of(flags);
    f->ops = ops && !(flags & O_PATH) ? ops : &no_ops;
    f->path = *p;
    path_get(p);
    f->inode = p->dentry->inode;
    list_init(&f->epoll_links);
    mutex_init(&f->pos_lock);
    return f;
}

/* File on a new pseudo dentry of i (reference consumed). */
static struct vfs_file *file_on_pseudo(const char *name, struct inode *i,
                                       const struct file_ops *ops, void *private, u32 flags)
{
    struct dentry *d = dentry_new_pseudo(name, i);

    if (!d)
        return ERR_PTR(-ENOMEM);
    struct path p = {pseudo_mount, d};
    struct vfs_file *f = file_new(&p, ops, flags);
    dentry_put(d);
    if (!IS_ERR(f)) {
        f->private = private;
        f->mode |= FMODE_STREAM;
    }
    return f;
}

struct vfs_file *file_new_anon(const char *name, const struct file_ops *ops, void *private,
                               u32 flags)
{
    inode_get(anon_inode);
    return file_on_pseudo(name, anon_inode, ops, private, flags);
}

struct vfs_file *file_new_pseudo(const char *type, u32 mode, const struct file_ops *ops,
                                 void *private, u32 flags)
{
    struct inode *i = inode_new(pseudo_mount->sb, &pseudo_inode_ops, ops, mode);
    char name[48];

    if (!i)
        return ERR_PTR(-ENOMEM);
    inode_init_owner(i, NULL, mode);
    snprintf_(name, sizeof(name), "%s:[%lu]", type, i->attr.ino);
    return file_on_pseudo(name, i, ops, private, flags);
}

void file_get(struct vfs_file *f)
{
    ref_get(&f->refs);
}

void file_put(struct vfs_file *f)
{
    if (!f || !ref_put(&f->refs))
        return;
    if (!list_empty(&f->epoll_links))
        epoll_forget_file(f);
    locks_release_file(f);
    if (f->ops->release)
        f->ops->release(f);
    if (S_ISREG(f->inode->attr.mode)) {
        if (f->mode & FMODE_WRITE)
            __atomic_sub_fetch(&f->inode->writers, 1, __ATOMIC_ACQ_REL);
        else if (f->mode & FMODE_EXEC)
            __atomic_add_fetch(&f->inode->writers, 1, __ATOMIC_ACQ_REL);
    }
    path_put(&f->path);
    slab_free(file_cache, f);
}

int inode_claim(struct inode *i, int step)
{
    s32 n = __atomic_load_n(&i->writers, __ATOMIC_RELAXED);

    do {
        if (n * step < 0)
            return -ETXTBSY;
    } while (!__atomic_compare_exchange_n(&i->writers, &n, n + step, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return 0;
}

u32 vfs_poll(struct vfs_file *f, struct poll_table *pt)
{
    if (!f->ops->poll)
        return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
    return f->ops->poll(f, pt);
}

/* ---- reading and writing ---- */

typedef s64 (*rw_fn)(struct vfs_file *f, struct uio *u, u64 *pos);

/* fn at *pos, or at the file's own position, which it advances. */
static s64 rw_at(struct vfs_file *f, struct uio *u, u64 *pos, rw_fn fn)
{
    u64 none = 0;
    s64 n;

    if (f->mode & FMODE_STREAM)
        return fn(f, u, &none);
    if (pos)
        return fn(f, u, pos);
    mutex_lock(&f->pos_lock);
    n = fn(f, u, &f->pos);
    mutex_unlock(&f->pos_lock);
    return n;
}

s64 file_read(struct vfs_file *f, struct uio *to, u64 *pos)
{
    if (!(f->mode & FMODE_READ))
        return -EBADF;
    if (!f->ops->read)
        return S_ISDIR(f->inode->attr.mode) ? -EISDIR : -EINVAL;
    if (f->flags & O_NONBLOCK)
        to->nowait = true;
    return rw_at(f, to, pos, f->ops->read);
}

/* RLIMIT_FSIZE: cut the transfer at the limit; at or beyond it SIGXFSZ. */
static s64 limit_write(struct vfs_file *f, struct uio *from, u64 pos)
{
    u64 limit = rlimit(RLIMIT_FSIZE);

    if (likely(limit == U64_MAX) || !S_ISREG(f->inode->attr.mode))
        return 0;
    if (f->flags & O_APPEND)
        pos = f->inode->attr.size;
    if (pos >= limit) {
        signal_send_task(current, SIGXFSZ, NULL);
        return -EFBIG;
    }
    if (from->left > limit - pos)
        from->left = limit - pos;
    return 0;
}

static s64 write_limited(struct vfs_file *f, struct uio *from, u64 *pos)
{
    s64 ret = from->left ? limit_write(f, from, *pos) : 0;

    if (!ret)
        ret = f->ops->write(f, from, pos);
    if (ret > 0 && unlikely(f->flags & O_DSYNC) && f->ops->fsync) {
        int err = f->ops->fsync(f, (f->flags & O_SYNC) != O_SYNC);
        if (err)
            ret = err;
    }
    return ret;
}

s64 file_write(struct vfs_file *f, struct uio *from, u64 *pos)
{
    if (!(f->mode & FMODE_WRITE))
        return -EBADF;
    if (!f->ops->write)
        return -EINVAL;
    if (f->flags & O_NONBLOCK)
        from->nowait = true;
    return rw_at(f, from, pos, write_limited);
}

s64 kernel_read(struct vfs_file *f, void *buf, size_t n, u64 pos)
{
    struct uio u;

    if (!f->ops->read)
        return S_ISDIR(f->inode->attr.mode) ? -EISDIR : -EINVAL;
    uio_kernel(&u, buf, n);
    return rw_at(f, &u, &pos, f->ops->read);
}

/* ---- positions ---- */

s64 generic_lseek(struct vfs_file *f, s64 off, int whence, u64 size)
{
    s64 base;

    switch (whence) {
    case SEEK_SET:
        base = 0;
        break;
    case SEEK_CUR:
        if (off == 0)
            return (s64)f->pos;
        base = (s64)f->pos;
        break;
    case SEEK_END:
        base = (s64)size;
        break;
    case SEEK_DATA:
    case SEEK_HOLE:
        if (off < 0 || (u64)off >= size)
            return -ENXIO;
        if (whence == SEEK_HOLE)
            off = (s64)size;
        base = 0;
        break;
    default:
        return -EINVAL;
    }
    s64 pos;
    if (__builtin_add_overflow(base, off, &pos))
        return -EOVERFLOW;
    if (pos < 0)
        return -EINVAL;
    f->pos = (u64)pos;
    return pos;
}

s64 file_lseek(struct vfs_file *f, s64 off, int whence)
{
    s64 ret;

    if (f->mode & FMODE_STREAM)
        return -ESPIPE;
    mutex_lock(&f->pos_lock);
    if (f->ops->lseek) {
        ret = f->ops->lseek(f, off, whence);
    } else {
        struct attr a;
        ret = inode_getattr(f->inode, &a);
        if (!ret)
            ret = generic_lseek(f, off, whence, a.size);
    }
    mutex_unlock(&f->pos_lock);
    return ret;
}

bool dir_emit_dots(struct vfs_file *f, struct dir_emitter *e)
{
    if (f->pos == 0) {
        if (!e->emit(e, ".", 1, f->inode->attr.ino, DT_DIR, 1))
            return false;
        f->pos = 1;
    }
    if (f->pos == 1) {
        dcache_lock_names();
        struct inode *up = f->path.dentry->parent->inode;
        u64 ino = up ? up->attr.ino : 1;
        dcache_unlock_names();
        if (!e->emit(e, "..", 2, ino, DT_DIR, 2))
            return false;
        f->pos = 2;
    }
    return true;
}
