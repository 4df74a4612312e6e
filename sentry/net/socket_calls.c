// SPDX-License-Identifier: Apache-2.0
/*
 * The socket system calls: socket(2) and its family.
 */
#include "sentry/net/socket.h"
#include "sentry/syscall/syscall.h"

#define IOV_MAX_           1024
#define ALLOWED_TYPE_FLAGS (SOCK_TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK)

/* struct msghdr of the x86-64 ABI. */
struct user_msghdr_ {
    uva_t name;
    u32 name_len, pad;
    uva_t iov;
    u64 iovlen;
    uva_t control;
    u64 control_len;
    u32 flags, pad2;
};

struct mmsghdr_ {
    struct user_msghdr_ hdr;
    u32 len, pad;
};

static const struct socket_family *const families[] = {&unix_family, &inet_family, &inet6_family,
                                                       &netlink_family};

static struct socket *make_socket(int family, int type, int protocol)
{
    struct socket *s;
    int err;

    if (type & ~ALLOWED_TYPE_FLAGS)
        return ERR_PTR(-EINVAL);
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        if (families[i]->family != family)
            continue;
        s = socket_alloc(family, type & SOCK_TYPE_MASK, protocol);
        if (!s)
            return ERR_PTR(-ENOMEM);
        err = families[i]->create(s);
        if (!err)
            return s;
        socket_free(s);
        return ERR_PTR(err);
    }
    log_info("socket family %d refused: not supported", family);
    return ERR_PTR(-EAFNOSUPPORT);
}

static s64 install(struct socket *s, int flags)
{
    struct vfs_file *f = socket_file(s, flags);

    return IS_ERR(f) ? PTR_ERR(f) : fd_install_new(f, flags & SOCK_CLOEXEC);
}

SYSCALL3(socket, int, family, int, type, int, protocol)
{
    struct socket *s = make_socket(family, type, protocol);

    return IS_ERR(s) ? PTR_ERR(s) : install(s, type);
}

SYSCALL4(socketpair, int, family, int, type, int, protocol, uva_t, out)
{
    struct socket *a = make_socket(family, type, protocol), *b;
    s64 fd[2];
    int fds[2];

    if (IS_ERR(a))
        return PTR_ERR(a);
    b = make_socket(family, type, protocol);
    if (IS_ERR(b)) {
        socket_free(a);
        return PTR_ERR(b);
    }
    fd[0] = a->ops->pair ? a->ops->pair(a, b) : -EOPNOTSUPP;
    if (fd[0]) {
        socket_free(a);
        socket_free(b);
        return fd[0];
    }
    fd[0] = install(a, type);
    if (fd[0] < 0) {
        socket_free(b);
        return fd[0];
    }
    fd[1] = install(b, type);
    fds[0] = (int)fd[0];
    fds[1] = (int)fd[1];
    if (fd[1] >= 0 && !copy_to_user(out, fds, sizeof(fds)))
        return 0;
    fd_close(fds[0]);
    if (fd[1] < 0)
        return fd[1];
    fd_close(fds[1]);
    return -EFAULT;
}

static int get_address(u8 *addr, uva_t from, u64 len)
{
    if (len > SOCKADDR_MAX)
        return -EINVAL;
    return copy_from_user(addr, from, len);
}

/* Write an address out, cut to the caller's room; *lenp gets the full length. */
static int put_address(const u8 *addr, u32 len, uva_t to, uva_t lenp)
{
    u32 room;
    int err;

    if (!to)
        return 0;
    err = get_user(room, lenp);
    if (err)
        return err;
    if ((s32)room < 0)
        return -EINVAL;
    err = copy_to_user(to, addr, MIN(room, len));
    return err ? err : put_user(len, lenp);
}

SYSCALL3(bind, int, fd, uva_t, addr, u32, len)
{
    u8 name[SOCKADDR_MAX];
    struct vfs_file *f;
    struct socket *s = socket_from_fd(fd, &f);
    s64 err;

    if (IS_ERR(s))
        return PTR_ERR(s);
    err = get_address(name, addr, len);
    if (!err)
        err = s->ops->bind ? s->ops->bind(s, name, len) : -EOPNOTSUPP;
    file_put(f);
    return err;
}

SYSCALL3(connect, int, fd, uva_t, addr, u32, len)
{
    u8 name[SOCKADDR_MAX];
    struct vfs_file *f;
    struct socket *s = socket_from_fd(fd, &f);
    s64 err;

    if (IS_ERR(s))
        return PTR_ERR(s);
    err = get_address(name, addr, len);
    if (!err)
        err = s->ops->connect ? s->ops->connect(s, name, len, f->flags & O_NONBLOCK) : -EOPNOTSUPP;
    file_put(f);
    return err;
}

SYSCALL2(listen, int, fd, int, backlog)
{
    struct vfs_file *f;
    struct socket *s = socket_from_fd(fd, &f);
    s64 err;

    if (IS_ERR(s))
        return PTR_ERR(s);
    err = s->ops->listen ? s->ops->listen(s, backlog) : -EOPNOTSUPP;
    file_put(f);
    return err;
}

static s64 do_accept(int fd, uva_t addr, uva_t len, int flags)
{
    u8 name[SOCKADDR_MAX];
    struct vfs_file *f;
    struct socket *s, *c;
    s64 newfd, n;

    if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
        return -EINVAL;
    s = socket_from_fd(fd, &f);
    if (IS_ERR(s))
        return PTR_ERR(s);
    c = s->ops->accept ? s->ops->accept(s, f->flags & O_NONBLOCK) : ERR_PTR(-EOPNOTSUPP);
    file_put(f);
    if (IS_ERR(c))
        return PTR_ERR(c);
    n = c->ops->name(c, true, name);
    newfd = install(c, flags);
    if (newfd >= 0 && n >= 0) {
        int err = put_address(name, (u32)n, addr, len);
        if (err) {
            fd_close((int)newfd);
            return err;
        }
    }
    return newfd;
}

SYSCALL3(accept, int, fd, uva_t, addr, uva_t, len)
{
    return do_accept(fd, addr, len, 0);
}

SYSCALL4(accept4, int, fd, uva_t, addr, uva_t, len, int, flags)
{
    return do_accept(fd, addr, len, flags);
}

static s64 get_name(int fd, uva_t addr, uva_t len, bool peer)
{
    u8 name[SOCKADDR_MAX];
    struct vfs_file *f;
    struct socket *s = socket_from_fd(fd, &f);
    s64 n;

    if (IS_ERR(s))
        return PTR_ERR(s);
    n = s->ops->name(s, peer, name);
    file_put(f);
    return n < 0 ? n : put_address(name, (u32)n, addr, len);
}

SYSCALL3(getsockname, int, fd, uva_t, addr, uva_t, len)
{
    return get_name(fd, addr, len, false);
}

SYSCALL3(getpeername, int, fd, uva_t, addr, uva_t, len)
{
    return get_name(fd, addr, len, true);
}

SYSCALL2(shutdown, int, fd, int, how)
{
    struct vfs_file *f;
    struct socket *s;
    s64 err;

    s = socket_from_fd(fd, &f);
    if (IS_ERR(s))
        return PTR_ERR(s);
    if (how < SHUT_RD || how > SHUT_RDWR)
        err = -EINVAL;
    else
        err = s->ops->shutdown ? s->ops->shutdown(s, how) : -EOPNOTSUPP;
    file_put(f);
    return err;
}

/* ---- sending ---- */

static s64 send_message(struct socket *s, struct vfs_file *f, struct message *m)
{
    s64 n;

    if (f->flags & O_NONBLOCK)
        m->flags |= MSG_DONTWAIT;
    n = s->ops->send(s, m);
    if (n == -EPIPE && !(m->flags & MSG_NOSIGNAL))
        signal_send_task(current, SIGPIPE, NULL);
    return n;
}

SYSCALL6(sendto, int, fd, uva_t, buf, u64, len, u32, msg_flags, uva_t, addr, u32, addr_len)
{
    struct message m = {.flags = msg_flags};
    struct vfs_file *f;
    struct socket *s = socket_from_fd(fd, &f);
    s64 n = 0;

    if (IS_ERR(s))
        return PTR_ERR(s);
    uio_user(&m.uio, buf, len);
    if (addr) {
        n = get_address(m.name, addr, addr_len);
        m.name_len = addr_len;
    }
    if (!n)
        n = send_message(s, f, &m);
    file_put(f);
    return n;
}

/* Copy in the vector of a message; kmalloc'ed, or ERR_PTR. */
static struct uio_vec *get_vector(const struct user_msghdr_ *h)
{
    struct uio_vec *v;
    u64 total = 0;

    if (h->iovlen > IOV_MAX_)
        return ERR_PTR(-EMSGSIZE);
    v = kmalloc(MAX(h->iovlen, 1UL) * sizeof(*v));
    if (!v)
        return ERR_PTR(-ENOMEM);
    if (copy_from_user(v, h->iov, h->iovlen * sizeof(*v))) {
        kfree(v);
        return ERR_PTR(-EFAULT);
    }
    for (u64 i = 0; i < h->iovlen; i++) {
        if ((s64)v[i].len < 0 || __builtin_add_overflow(total, v[i].len, &total) ||
            (s64)total < 0) {
            kfree(v);
            return ERR_PTR(-EINVAL);
        }
    }
    return v;
}

static s64 sendmsg_one(struct socket *s, struct vfs_file *f, uva_t msg, u32 msg_flags)
{
    struct message m = {.flags = msg_flags};
    struct user_msghdr_ h;
    struct uio_vec *v;
    s64 n;

    if (copy_from_user(&h, msg, sizeof(h)))
        return -EFAULT;
    v = get_vector(&h);
    if (IS_ERR(v))
        return PTR_ERR(v);
    uio_vecs(&m.uio, v, (u32)h.iovlen);
    n = 0;
    if (h.name && h.name_len) {
        n = get_address(m.name, h.name, h.name_len);
        m.name_len = h.name_len;
    }
    if (!n && h.control && h.control_len)
        n = scm_from_user(&m, h.control, h.control_len, s);
    if (!n)
        n = send_message(s, f, &m);
    message_done(&m);
    kfree(v);
    return n;
}

SYSCALL3(sendmsg, int, fd, uva_t, msg, u32, msg_flags)
{
    struct vfs_file *f;
    struct socket *s = socket_from_fd(fd, &f);
    s64 n;

    if (IS_ERR(s))
        return PTR_ERR(s);
    n = sendmsg_one(s, f, msg, msg_flags);
    file_put(f);
    return n;
}

SYSCALL4(sendmmsg, int, fd, uva_t, vec, u32, count, u32, msg_flags)
{
    struct vfs_file *f;
    struct socket *s = socket_from_fd(fd, &f);
    s64 n = 0;
    u32 i;

    if (IS_ERR(s))
        return PTR_ERR(s);
    count = MIN(count, (u32)IOV_MAX_);
    for (i = 0; i < count; i++) {
        uva_t at = vec + i * sizeof(struct mmsghdr_);

        n = sendmsg_one(s, f, at, msg_flags);
        if (n >= 0)
            n = put_user((u32)n, at + offsetof(struct mmsghdr_, len));
        if (n < 0)
            break;
    }
    file_put(f);
    return i ? i : n;
}

/* ---- receiving ---- */

SYSCALL6(recvfrom, int, fd, uva_t, buf, u64, len, u32, msg_flags, uva_t, addr, uva_t, addr_len)
{
    struct message m = {.flags = msg_flags};
    struct vfs_file *f;
    struct socket *s = socket_from_fd(fd, &f);
    s64 n;

    if (IS_ERR(s))
        return PTR_ERR(s);
    uio_user(&m.uio, buf, len);
    if (f->flags & O_NONBLOCK)
        m.flags |= MSG_DONTWAIT;
    n = s->ops->receive(s, &m);
    message_done(&m);
    if (n >= 0 && addr) {
        int err = put_address(m.name, m.name_len, addr, addr_len);
        n = err ? err : n;
    }
    file_put(f);
    return n;
}

/* Results of a receive into the caller's header. */
static int put_results(struct message *m, struct user_msghdr_ *h, uva_t msg, struct socket *s)
{
    int err = 0;

    if (h->name) {
        err = copy_to_user(h->name, m->name, MIN(h->name_len, m->name_len));
        h->name_len = m->name_len;
    }
    if (!err)
        err = scm_to_user(s, m, h->control, &h->control_len);
    h->flags = m->out_flags | (m->flags & MSG_CMSG_CLOEXEC);
    if (!err)
        err = put_user(h->name_len, msg + offsetof(struct user_msghdr_, name_len));
    if (!err)
        err = put_user(h->control_len, msg + offsetof(struct user_msghdr_, control_len));
    if (!err)
        err = put_user(h->flags, msg + offsetof(struct user_msghdr_, flags));
    return err;
}

static s64 recvmsg_one(struct socket *s, struct vfs_file *f, uva_t msg, u32 msg_flags)
{
    struct message m = {.flags = msg_flags};
    struct user_msghdr_ h;
    struct uio_vec *v;
    s64 n;

    if (copy_from_user(&h, msg, sizeof(h)))
        return -EFAULT;
    if (!h.control)
        h.control_len = 0;
    v = get_vector(&h);
    if (IS_ERR(v))
        return PTR_ERR(v);
    uio_vecs(&m.uio, v, (u32)h.iovlen);
    if (f->flags & O_NONBLOCK)
        m.flags |= MSG_DONTWAIT;
    n = s->ops->receive(s, &m);
    if (n >= 0) {
        int err = put_results(&m, &h, msg, s);
        n = err ? err : n;
    }
    message_done(&m);
    kfree(v);
    return n;
}

SYSCALL3(recvmsg, int, fd, uva_t, msg, u32, msg_flags)
{
    struct vfs_file *f;
    struct socket *s = socket_from_fd(fd, &f);
    s64 n;

    if (IS_ERR(s))
        return PTR_ERR(s);
    n = recvmsg_one(s, f, msg, msg_flags);
    file_put(f);
    return n;
}

/* The timeout is only looked at between messages, as recvmmsg(2) documents it. */
SYSCALL5(recvmmsg, int, fd, uva_t, vec, u32, count, u32, msg_flags, uva_t, timeout)
{
    struct vfs_file *f;
    struct socket *s;
    u64 deadline = U64_MAX;
    s64 n = 0;
    u64 ns;
    u32 i;

    if (timeout) {
        n = timespec_from_user(timeout, &ns);
        if (n)
            return n;
        deadline = deadline_after(ns);
    }
    s = socket_from_fd(fd, &f);
    if (IS_ERR(s))
        return PTR_ERR(s);
    count = MIN(count, (u32)IOV_MAX_);
    for (i = 0; i < count; i++) {
        uva_t at = vec + i * sizeof(struct mmsghdr_);

        n = recvmsg_one(s, f, at, msg_flags & ~MSG_WAITFORONE);
        if (n >= 0)
            n = put_user((u32)n, at + offsetof(struct mmsghdr_, len));
        if (n < 0)
            break;
        if (msg_flags & MSG_WAITFORONE)
            msg_flags |= MSG_DONTWAIT;
        if (clock_monotonic() >= deadline) {
            i++;
            break;
        }
    }
    file_put(f);
    return i ? i : n;
}
