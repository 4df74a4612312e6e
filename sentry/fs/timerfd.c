// SPDX-License-Identifier: Apache-2.0
//
// timerfd(2): a timer whose expirations are read from a descriptor.

#include <linux/time.h>
#include <linux/timerfd.h>
#include "sentry/fs/internal.h"
#include "sentry/syscall/syscall.h"

/* The timer behind one open file; lock guards all but the queue. */
struct timerfd {
    struct spinlock lock;
    struct waitq wait;
    struct ktimer timer;
    int clock;
    bool armed;
    u64 expires; /* monotonic ns of the next expiration */
    u64 interval;
    u64 ticks; /* expirations not read yet */
};

static void timerfd_fire(struct ktimer *timer)
{
    struct timerfd *t = container_of(timer, struct timerfd, timer);
    u64 now = machine_clock_mono();
    u64 again = 0;

    spin_lock(&t->lock);
    if (t->armed && now >= t->expires) {
        u64 n = 1;

        if (t->interval) {
            n += (now - t->expires) / t->interval;
            t->expires += n * t->interval;
            again = t->expires;
        } else {
            t->armed = false;
        }
        t->ticks += n;
    }
    spin_unlock(&t->lock);
    if (again)
        ktimer_start(&t->timer, again);
    waitq_wake(&t->wait, POLLIN | POLLRDNORM, ~0u);
}

static s64 timerfd_read(struct vfs_file *f, struct uio *to, u64 *pos)
{
    struct timerfd *t = f->private;
    u64 ticks;

    if (to->left < sizeof(ticks))
        return -EINVAL;
    for (;;) {
        int err;

        spin_lock(&t->lock);
        ticks = t->ticks;
        t->ticks = 0;
        spin_unlock(&t->lock);
        if (ticks)
            break;
        if (to->nowait)
            return -EAGAIN;
        err = wait_event(&t->wait, t->ticks);
        if (err)
            return err;
    }
    return copy_to_uio(to, &ticks, sizeof(ticks)) == sizeof(ticks) ? (s64)sizeof(ticks) : -EFAULT;
}

static u32 timerfd_poll(struct vfs_file *f, struct poll_table *pt)
{
    struct timerfd *t = f->private;

    poll_wait(pt, &t->wait);
    return __atomic_load_n(&t->ticks, __ATOMIC_ACQUIRE) ? POLLIN | POLLRDNORM : 0;
}

static void timerfd_release(struct vfs_file *f)
{
    struct timerfd *t = f->private;

    /* its callback may start it again once */
    spin_lock(&t->lock);
    t->armed = false;
    spin_unlock(&t->lock);
    while (ktimer_cancel(&t->timer))
        ;
    kfree(t);
}

static const struct file_ops timerfd_ops;

static void remaining(struct timerfd *t, struct __kernel_itimerspec *its)
{
    u64 now = machine_clock_mono(), left = 0;

    spin_lock(&t->lock);
    if (t->armed)
        left = t->expires > now ? t->expires - now : 1;
    its->it_value.tv_sec = (s64)(left / NSEC_PER_SEC);
    its->it_value.tv_nsec = (s64)(left % NSEC_PER_SEC);
    its->it_interval.tv_sec = (s64)(t->interval / NSEC_PER_SEC);
    its->it_interval.tv_nsec = (s64)(t->interval % NSEC_PER_SEC);
    spin_unlock(&t->lock);
}

static s64 timerfd_fdinfo(struct vfs_file *f, char *buf, size_t size)
{
    struct timerfd *t = f->private;
    struct __kernel_itimerspec its;

    remaining(t, &its);
    return snprintf_(buf, size,
                     "clockid: %d\nticks: %lu\nsettime flags: 0\n"
                     "it_value: (%lld, %lld)\nit_interval: (%lld, %lld)\n",
                     t->clock, t->ticks, its.it_value.tv_sec, its.it_value.tv_nsec,
                     its.it_interval.tv_sec, its.it_interval.tv_nsec);
}

static const struct file_ops timerfd_ops = {
    .read = timerfd_read,
    .poll = timerfd_poll,
    .release = timerfd_release,
    .show_fdinfo = timerfd_fdinfo,
};

/* The timer of fd, with a reference to *f; NULL: *err. */
static struct timerfd *timerfd_get(int fd, struct vfs_file **f, int *err)
{
    *f = fd_get(fd);
    if (!*f) {
        *err = -EBADF;
        return NULL;
    }
    if ((*f)->ops != &timerfd_ops) {
        file_put(*f);
        *err = -EINVAL;
        return NULL;
    }
    return (*f)->private;
}

SYSCALL2(timerfd_create, int, clock, u32, flags)
{
    struct timerfd *t;
    struct vfs_file *f;

    if (flags & ~(u32)(TFD_CLOEXEC | TFD_NONBLOCK))
        return -EINVAL;
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
        clock != CLOCK_REALTIME_ALARM && clock != CLOCK_BOOTTIME_ALARM)
        return -EINVAL;
    t = kzalloc(sizeof(*t));
    if (!t)
        return -ENOMEM;
    waitq_init(&t->wait);
    ktimer_init(&t->timer, timerfd_fire);
    t->clock = clock;
    f = file_new_anon("anon_inode:[timerfd]", &timerfd_ops, t, O_RDWR | (flags & O_NONBLOCK));
    if (IS_ERR(f)) {
        kfree(t);
        return PTR_ERR(f);
    }
    return fd_install_new(f, flags & TFD_CLOEXEC);
}

static u64 deadline_of(const struct timerfd *t, u64 value, bool absolute)
{
    if (!absolute)
        return deadline_after(value);
    if (t->clock == CLOCK_REALTIME || t->clock == CLOCK_REALTIME_ALARM)
        return realtime_to_monotonic(value);
    return value;
}

static void timerfd_arm(struct timerfd *t, u64 value, u64 interval, bool absolute)
{
    u64 expires = value ? deadline_of(t, value, absolute) : 0;

    ktimer_cancel(&t->timer);
    spin_lock(&t->lock);
    t->armed = value != 0;
    t->expires = expires;
    t->interval = interval;
    t->ticks = 0;
    spin_unlock(&t->lock);
    if (value)
        ktimer_start(&t->timer, expires);
}

SYSCALL4(timerfd_settime, int, fd, u32, flags, uva_t, new, uva_t, old)
{
    struct __kernel_itimerspec its, was;
    struct timerfd *t;
    struct vfs_file *f;
    u64 value, interval;
    int err = 0;

    if (flags & ~(u32)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
        return -EINVAL;
    if (copy_from_user(&its, new, sizeof(its)))
        return -EFAULT;
    if (timespec_to_ns(&its.it_value, &value) || timespec_to_ns(&its.it_interval, &interval))
        return -EINVAL;
    t = timerfd_get(fd, &f, &err);
    if (!t)
        return err;
    remaining(t, &was);
    timerfd_arm(t, value, interval, flags & TFD_TIMER_ABSTIME);
    file_put(f);
    return old && copy_to_user(old, &was, sizeof(was)) ? -EFAULT : 0;
}

SYSCALL2(timerfd_gettime, int, fd, uva_t, to)
{
    struct __kernel_itimerspec its;
    struct timerfd *t;
    struct vfs_file *f;
    int err = 0;

    t = timerfd_get(fd, &f, &err);
    if (!t)
        return err;
    remaining(t, &its);
    file_put(f);
    return copy_to_user(to, &its, sizeof(its));
}
