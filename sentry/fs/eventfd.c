// SPDX-License-Identifier: Apache-2.0
//
// eventfd(2): a counter that can be waited for.

#include "sentry/fs/internal.h"
#include "sentry/syscall/syscall.h"

/* The flags of eventfd2(2), which no kernel header names. */
#define EFD_SEMAPHORE 1
#define EFD_CLOEXEC   O_CLOEXEC
#define EFD_NONBLOCK  O_NONBLOCK

#define COUNT_MAX (U64_MAX - 1)

/* The counter behind one open file; lock guards count. */
struct eventfd {
    struct spinlock lock;
    struct waitq wait;
    u64 count;
    bool semaphore;
};

/* Take from the counter; false: it is 0. */
static bool take(struct eventfd *e, u64 *value)
{
    spin_lock(&e->lock);
    *value = e->semaphore && e->count ? 1 : e->count;
    e->count -= *value;
    spin_unlock(&e->lock);
    return *value != 0;
}

static bool add(struct eventfd *e, u64 value)
{
    bool fits;

    spin_lock(&e->lock);
    fits = value <= COUNT_MAX - e->count;
    if (fits)
        e->count += value;
    spin_unlock(&e->lock);
    return fits;
}

static s64 eventfd_read(struct vfs_file *f, struct uio *to, u64 *pos)
{
    struct eventfd *e = f->private;
    u64 value;

    if (to->left < sizeof(value))
        return -EINVAL;
    while (!take(e, &value)) {
        int err;
        if (to->nowait)
            return -EAGAIN;
        err = wait_event(&e->wait, e->count);
        if (err)
            return err;
    }
    waitq_wake(&e->wait, POLLOUT | POLLWRNORM, ~0u);
    return copy_to_uio(to, &value, sizeof(value)) == sizeof(value) ? (s64)sizeof(value) : -EFAULT;
}

static s64 eventfd_write(struct vfs_file *f, struct uio *from, u64 *pos)
{
    struct eventfd *e = f->private;
    u64 value;

    if (from->left < sizeof(value))
        return -EINVAL;
    if (copy_from_uio(&value, from, sizeof(value)) != sizeof(value))
        return -EFAULT;
    if (value == U64_MAX)
        return -EINVAL;
    while (!add(e, value)) {
        int err;
        if (from->nowait)
            return -EAGAIN;
        err = wait_event(&e->wait, value <= COUNT_MAX - e->count);
        if (err)
            return err;
    }
    waitq_wake(&e->wait, POLLIN | POLLRDNORM, ~0u);
    return sizeof(value);
}

static u32 eventfd_poll(struct vfs_file *f, struct poll_table *pt)
{
    struct eventfd *e = f->private;
    u64 count;

    poll_wait(pt, &e->wait);
    count = __atomic_load_n(&e->count, __ATOMIC_ACQUIRE);
    return (count ? POLLIN | POLLRDNORM : 0u) | (count < COUNT_MAX ? POLLOUT | POLLWRNORM : 0u);
}

static void eventfd_release(struct vfs_file *f)
{
    kfree(f->private);
}

static s64 eventfd_fdinfo(struct vfs_file *f, char *buf, size_t size)
{
    struct eventfd *e = f->private;

    return snprintf_(buf, size, "eventfd-count: %16lx\n", e->count);
}

static const struct file_ops eventfd_ops = {
    .read = eventfd_read,
    .write = eventfd_write,
    .poll = eventfd_poll,
    .release = eventfd_release,
    .show_fdinfo = eventfd_fdinfo,
};

static s64 eventfd_make(u32 count, u32 flags)
{
    struct eventfd *e;
    struct vfs_file *f;

    if (flags & ~(u32)(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
        return -EINVAL;
    e = kzalloc(sizeof(*e));
    if (!e)
        return -ENOMEM;
    waitq_init(&e->wait);
    e->count = count;
    e->semaphore = flags & EFD_SEMAPHORE;
    f = file_new_anon("anon_inode:[eventfd]", &eventfd_ops, e, O_RDWR | (flags & O_NONBLOCK));
    if (IS_ERR(f)) {
        kfree(e);
        return PTR_ERR(f);
    }
    return fd_install_new(f, flags & EFD_CLOEXEC);
}

SYSCALL1(eventfd, u32, count)
{
    return eventfd_make(count, 0);
}

SYSCALL2(eventfd2, u32, count, u32, flags)
{
    return eventfd_make(count, flags);
}
