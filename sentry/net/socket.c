// SPDX-License-Identifier: Apache-2.0
/*
 * Sockets as files, and what every family shares.
 */
#include "sentry/net/socket.h"
#include <linux/sockios.h>
#include "sentry/kernel/task.h"
#include "sentry/net/netdev.h"

#define DEFAULT_BUFFER 212992 /* net.core.wmem_default */

u64 socket_deadline(u64 timeout)
{
    return timeout ? deadline_after(timeout) : U64_MAX;
}

struct socket *socket_alloc(int family, int type, int protocol)
{
    struct socket *s = kzalloc(sizeof(*s));

    if (!s)
        return NULL;
    s->family = family;
    s->type = type;
    s->protocol = protocol;
    s->sndbuf = s->rcvbuf = DEFAULT_BUFFER;
    s->linger = -1;
    s->rcvlowat = 1;
    s->uid = current->cred->fsuid;
    return s;
}

void socket_inherit(struct socket *s, const struct socket *listener)
{
    s->sndbuf = listener->sndbuf;
    s->rcvbuf = listener->rcvbuf;
    s->buf_locked = listener->buf_locked;
    s->reuseaddr = listener->reuseaddr;
    s->reuseport = listener->reuseport;
    s->keepalive = listener->keepalive;
    s->oobinline = listener->oobinline;
    s->dontroute = listener->dontroute;
    s->linger = listener->linger;
    s->rcvlowat = listener->rcvlowat;
    s->priority = listener->priority;
    s->mark = listener->mark;
    s->timestamp = listener->timestamp;
    s->timestampns = listener->timestampns;
    s->uid = listener->uid;
    s->snd_timeout = listener->snd_timeout;
    s->rcv_timeout = listener->rcv_timeout;
}

void socket_free(struct socket *s)
{
    if (!s)
        return;
    if (s->ops && s->ops->release)
        s->ops->release(s);
    kfree(s);
}

static struct socket *socket_of(struct vfs_file *f)
{
    return f->private;
}

void message_done(struct message *m)
{
    scm_free(m->scm);
    kfree(m->control);
}

static s64 socket_read(struct vfs_file *f, struct uio *to, u64 *pos)
{
    struct message m = {.uio = *to, .flags = to->nowait ? MSG_DONTWAIT : 0};
    struct socket *s = socket_of(f);
    s64 n = s->ops->receive(s, &m);

    message_done(&m);
    *to = m.uio;
    return n;
}

static s64 socket_write(struct vfs_file *f, struct uio *from, u64 *pos)
{
    struct message m = {.uio = *from, .flags = from->nowait ? MSG_DONTWAIT : 0};
    struct socket *s = socket_of(f);
    s64 n = s->ops->send(s, &m);

    *from = m.uio;
    if (n == -EPIPE)
        signal_send_task(current, SIGPIPE, NULL);
    return n;
}

static u32 socket_poll(struct vfs_file *f, struct poll_table *pt)
{
    struct socket *s = socket_of(f);

    return s->ops->poll(s, pt);
}

static s64 get_stamp(struct socket *s, u64 unit, u64 arg)
{
    s64 t[2] = {(s64)(s->stamp / NSEC_PER_SEC), (s64)(s->stamp % NSEC_PER_SEC / unit)};

    return s->stamp ? copy_to_user(arg, t, sizeof(t)) : -ENOENT;
}

static s64 socket_ioctl(struct vfs_file *f, u32 cmd, u64 arg)
{
    struct socket *s = socket_of(f);
    s64 r = s->ops->ioctl ? s->ops->ioctl(s, cmd, arg) : -ENOTTY;

    if (r != -ENOTTY)
        return r;
    switch (cmd) {
    case SIOCGSTAMP_OLD:
        return get_stamp(s, 1000, arg);
    case SIOCGSTAMPNS_OLD:
        return get_stamp(s, 1, arg);
    default:
        return netdev_ioctl(s, cmd, arg);
    }
}

static void socket_release(struct vfs_file *f)
{
    socket_free(f->private);
}

static const struct file_ops socket_file_ops = {
    .read = socket_read,
    .write = socket_write,
    .poll = socket_poll,
    .ioctl = socket_ioctl,
    .release = socket_release,
};

struct vfs_file *socket_file(struct socket *s, int flags)
{
    struct vfs_file *f = file_new_pseudo("socket", S_IFSOCK | 0777, &socket_file_ops, s,
                                         O_RDWR | (flags & SOCK_NONBLOCK ? O_NONBLOCK : 0));

    if (IS_ERR(f))
        socket_free(s);
    else
        s->ino = f->inode->attr.ino;
    return f;
}

struct socket *socket_of_file(struct vfs_file *f)
{
    return f->ops == &socket_file_ops ? socket_of(f) : NULL;
}

struct socket *socket_from_fd(int fd, struct vfs_file **f)
{
    *f = fd_get(fd);
    if (!*f)
        return ERR_PTR(-EBADF);
    if ((*f)->ops != &socket_file_ops) {
        file_put(*f);
        return ERR_PTR(-ENOTSOCK);
    }
    return socket_of(*f);
}
