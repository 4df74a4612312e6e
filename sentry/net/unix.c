// SPDX-License-Identifier: Apache-2.0
/*
 * AF_UNIX: endpoints and connections. unix(7).
 */
#include "sentry/net/unix.h"
#include <asm/ioctls.h>
#include <asm/socket.h>
#include "sentry/kernel/task.h"

static struct spinlock all_lock = SPINLOCK_INIT;
static struct list all = LIST_INIT(all); /* of unix_sock.all_link */

void unix_for_each(void (*fn)(struct unix_sock *u, void *arg), void *arg)
{
    struct unix_sock *u;

    spin_lock(&all_lock);
    list_for_each (u, &all, all_link)
        fn(u, arg);
    spin_unlock(&all_lock);
}

static void queue_free(struct list *queue)
{
    struct unix_skb *skb, *next;

    list_for_each_safe (skb, next, queue, link) {
        list_del(&skb->link);
        scm_free(skb->scm);
        kfree(skb);
    }
}

void unix_put(struct unix_sock *u)
{
    if (!u || !ref_put(&u->refs))
        return;
    queue_free(&u->queue);
    kfree(u);
}

static struct ucred my_cred(void)
{
    return (struct ucred){(u32)current->process->pid, current->cred->euid, current->cred->egid};
}

struct unix_sock *unix_new(struct socket *s)
{
    struct unix_sock *u = kzalloc(sizeof(*u));

    if (!u)
        return NULL;
    ref_init(&u->refs, 1);
    u->socket = s;
    u->type = s->type;
    u->cred = my_cred();
    list_init(&u->queue);
    list_init(&u->backlog);
    list_init(&u->backlog_link);
    list_init(&u->bound_link);
    list_init(&u->gc.link);
    list_init(&u->senders);
    list_init(&u->sender_link);
    waitq_init(&u->wait);
    mutex_init(&u->reading);
    mutex_init(&u->binding);
    spin_lock(&all_lock);
    list_add(&all, &u->all_link);
    spin_unlock(&all_lock);
    s->private = u;
    s->ops = &unix_ops;
    return u;
}

static int unix_create(struct socket *s)
{
    if (s->protocol && s->protocol != AF_UNIX)
        return -EPROTONOSUPPORT;
    if (s->type != SOCK_STREAM && s->type != SOCK_DGRAM && s->type != SOCK_SEQPACKET)
        return -ESOCKTNOSUPPORT;
    return unix_new(s) ? 0 : -ENOMEM;
}

const struct socket_family unix_family = {AF_UNIX, unix_create};

struct unix_sock *unix_peer_get(struct unix_sock *u)
{
    struct unix_sock *peer;

    spin_lock(&u->lock);
    peer = u->peer;
    if (peer)
        ref_get(&peer->refs);
    spin_unlock(&u->lock);
    return peer;
}

/* ---- connecting ---- */

static void set_peer(struct unix_sock *u, struct unix_sock *peer, enum unix_state state)
{
    struct unix_sock *old;

    ref_get(&peer->refs);
    spin_lock(&u->lock);
    old = u->peer;
    u->peer = peer;
    u->peer_cred = peer->cred;
    u->state = state;
    spin_unlock(&u->lock);
    unix_put(old);
}

static int unix_pair(struct socket *a, struct socket *b)
{
    set_peer(a->private, b->private, UNIX_CONNECTED);
    set_peer(b->private, a->private, UNIX_CONNECTED);
    return 0;
}

static void dissolve(struct unix_sock *u)
{
    struct unix_sock *old;

    spin_lock(&u->lock);
    old = u->peer;
    u->peer = NULL;
    u->state = UNIX_FREE;
    spin_unlock(&u->lock);
    unix_put(old);
}

static int connect_dgram(struct unix_sock *u, const u8 *addr, u32 len)
{
    struct unix_sock *peer;

    if (len >= 2 && !addr[0] && !addr[1]) { /* AF_UNSPEC */
        dissolve(u);
        return 0;
    }
    peer = unix_lookup(addr, len, u->type);
    if (IS_ERR(peer))
        return (int)PTR_ERR(peer);
    if (!unix_may_send(u, peer)) {
        unix_put(peer);
        return -EPERM;
    }
    set_peer(u, peer, UNIX_CONNECTED);
    unix_put(peer);
    return 0;
}

static bool backlog_open(struct unix_sock *l)
{
    return l->state != UNIX_LISTEN || l->nbacklog < l->max_backlog;
}

/* Two endpoints' locks at once: in the order of their addresses. */
static void lock_two(struct unix_sock *a, struct unix_sock *b)
{
    spin_lock(a < b ? &a->lock : &b->lock);
    if (a != b)
        spin_lock(a < b ? &b->lock : &a->lock);
}

static void unlock_two(struct unix_sock *a, struct unix_sock *b)
{
    spin_unlock(&a->lock);
    if (a != b)
        spin_unlock(&b->lock);
}

/*
 * Put the server's end of a connection into the listener's backlog, when there is room, and make
 * it the client's peer: in one step, since somebody else may be connecting the client, too.
 */
static int try_enqueue(struct unix_sock *l, struct unix_sock *u, struct unix_sock *server)
{
    int err = 0;

    lock_two(l, u);
    if (l->state != UNIX_LISTEN || l->shut_read) {
        err = -ECONNREFUSED;
    } else if (u->state != UNIX_FREE) {
        err = u->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
    } else if (l->nbacklog >= l->max_backlog) {
        err = -EAGAIN;
    } else {
        server->peer_cred = my_cred();
        server->cred = l->cred;
        memcpy(server->name, l->name, l->name_len);
        server->name_len = l->name_len;
        list_add_tail(&l->backlog, &server->backlog_link);
        ref_get(&server->refs);
        l->nbacklog++;
        u->peer = server;
        ref_get(&server->refs);
        u->peer_cred = l->cred;
        u->state = UNIX_CONNECTED;
    }
    unlock_two(l, u);
    if (!err)
        waitq_wake(&l->wait, POLLIN | POLLRDNORM, 1);
    return err;
}

static struct socket *server_socket(int type)
{
    struct socket *s = socket_alloc(AF_UNIX, type, 0);

    if (s && !unix_new(s)) {
        socket_free(s);
        return NULL;
    }
    return s;
}

static int connect_stream(struct socket *s, struct unix_sock *l, bool nonblock)
{
    struct unix_sock *u = s->private, *server;
    struct socket *server_sock = server_socket(s->type);
    int err;

    if (!server_sock)
        return -ENOMEM;
    server = server_sock->private;
    set_peer(server, u, UNIX_CONNECTED);
    do {
        err = try_enqueue(l, u, server);
        if (err != -EAGAIN || nonblock)
            break;
        err = wait_event_deadline(&l->wait, backlog_open(l), socket_deadline(s->snd_timeout));
        if (err == -ETIMEDOUT)
            err = -EAGAIN;
    } while (!err);
    if (err) { /* else it may have been accepted and closed already */
        dissolve(server);
        socket_free(server_sock);
    }
    return err;
}

static int unix_connect(struct socket *s, const u8 *addr, u32 len, bool nonblock)
{
    struct unix_sock *u = s->private, *l;
    int err;

    if (u->type == SOCK_DGRAM)
        return connect_dgram(u, addr, len);
    if (u->state == UNIX_LISTEN)
        return -EINVAL;
    if (u->state == UNIX_CONNECTED)
        return -EISCONN;
    l = unix_lookup(addr, len, u->type);
    if (IS_ERR(l))
        return (int)PTR_ERR(l);
    err = connect_stream(s, l, nonblock);
    unix_put(l);
    return err;
}

static int unix_listen(struct socket *s, int backlog)
{
    struct unix_sock *u = s->private;
    int err = 0;

    if (u->type == SOCK_DGRAM)
        return -EOPNOTSUPP;
    spin_lock(&u->lock);
    if (!u->name_len || (u->state != UNIX_FREE && u->state != UNIX_LISTEN)) {
        err = -EINVAL;
    } else {
        u->state = UNIX_LISTEN;
        u->max_backlog = (backlog < 0 || backlog > 4096 ? 4096 : backlog) + 1;
        u->cred = my_cred();
    }
    spin_unlock(&u->lock);
    waitq_wake(&u->wait, POLLOUT, ~0u);
    return err;
}

/* The first of the backlog, with its reference; NULL: none; -EINVAL: not listening. */
static struct unix_sock *take_pending(struct unix_sock *l)
{
    struct unix_sock *c = NULL;

    spin_lock(&l->lock);
    if (l->state != UNIX_LISTEN || l->shut_read) {
        c = ERR_PTR(-EINVAL);
    } else if (!list_empty(&l->backlog)) {
        c = list_first(&l->backlog, struct unix_sock, backlog_link);
        list_del(&c->backlog_link);
        l->nbacklog--;
    }
    spin_unlock(&l->lock);
    return c;
}

static bool accept_ready(struct unix_sock *l)
{
    return !list_empty(&l->backlog) || l->state != UNIX_LISTEN || l->shut_read;
}

static struct socket *unix_accept(struct socket *s, bool nonblock)
{
    struct unix_sock *l = s->private, *c;
    u64 deadline = socket_deadline(s->rcv_timeout);

    if (l->type == SOCK_DGRAM)
        return ERR_PTR(-EOPNOTSUPP);
    for (;;) {
        struct socket *accepted;
        int err;

        c = take_pending(l);
        if (IS_ERR(c))
            return (struct socket *)c;
        if (c) {
            accepted = c->socket;
            unix_put(c); /* the backlog's reference; the socket has its own */
            waitq_wake(&l->wait, POLLOUT, ~0u);
            return accepted;
        }
        if (nonblock)
            return ERR_PTR(-EAGAIN);
        err = wait_event_deadline(&l->wait, accept_ready(l), deadline);
        if (err)
            return ERR_PTR(err == -ETIMEDOUT ? -EAGAIN : err);
    }
}

/* ---- closing ---- */

static int unix_shutdown(struct socket *s, int how)
{
    struct unix_sock *u = s->private, *peer = unix_peer_get(u);

    if (u->type != SOCK_DGRAM && !peer && u->state != UNIX_LISTEN)
        return -ENOTCONN;
    spin_lock(&u->lock);
    u->shut_read |= how != SHUT_WR;
    u->shut_write |= how != SHUT_RD;
    spin_unlock(&u->lock);
    waitq_wake(&u->wait, POLLIN | POLLOUT | POLLHUP, ~0u);
    if (peer && u->type != SOCK_DGRAM) {
        spin_lock(&peer->lock);
        peer->shut_read |= how != SHUT_RD;
        peer->shut_write |= how != SHUT_WR;
        spin_unlock(&peer->lock);
        waitq_wake(&peer->wait, POLLIN | POLLOUT | POLLHUP, ~0u);
    }
    unix_put(peer);
    return 0;
}

/* The other end of a connection learns that we are gone; unread data there makes it a reset. */
static void hang_up(struct unix_sock *u, struct unix_sock *peer, bool unread)
{
    struct unix_sock *back = NULL;

    spin_lock(&peer->lock);
    if (peer->peer == u) {
        if (peer->type != SOCK_DGRAM) {
            peer->shut_read = peer->shut_write = true;
            peer->reset |= unread;
        } else {
            peer->reset = true;
        }
        back = peer->peer;
        peer->peer = NULL;
    }
    spin_unlock(&peer->lock);
    unix_put(back);
    waitq_wake(&peer->wait, POLLIN | POLLOUT | POLLHUP, ~0u);
}

/* Connections that nobody accepted; no new ones come, the state says closed. */
static void drop_backlog(struct unix_sock *u)
{
    struct unix_sock *c, *next;
    struct list gone;

    list_init(&gone);
    spin_lock(&u->lock);
    list_for_each_safe (c, next, &u->backlog, backlog_link) {
        list_del(&c->backlog_link);
        list_add_tail(&gone, &c->backlog_link);
    }
    u->nbacklog = 0;
    spin_unlock(&u->lock);
    list_for_each_safe (c, next, &gone, backlog_link) {
        list_del(&c->backlog_link);
        socket_free(c->socket);
        unix_put(c);
    }
}

static void unix_release(struct socket *s)
{
    struct unix_sock *u = s->private, *peer;
    bool unread;

    if (!u)
        return;
    spin_lock(&all_lock);
    list_del(&u->all_link);
    spin_unlock(&all_lock);
    unix_unbind(u);
    spin_lock(&u->lock);
    u->state = UNIX_CLOSED;
    u->socket = NULL;
    peer = u->peer;
    u->peer = NULL;
    unread = !list_empty(&u->queue);
    spin_unlock(&u->lock);
    drop_backlog(u);
    if (peer)
        hang_up(u, peer, unread);
    unix_put(peer);
    waitq_wake(&u->wait, POLLIN | POLLOUT | POLLHUP, ~0u);
    unix_flush(u);
    unix_wake_senders(u);
    unix_put(u);
    unix_gc();
}

/* ---- looking ---- */

static int unix_name(struct socket *s, bool peer, u8 *addr)
{
    struct unix_sock *u = s->private;
    u32 len;

    if (peer) {
        u = unix_peer_get(u);
        if (!u)
            return -ENOTCONN;
    }
    spin_lock(&u->lock);
    len = u->name_len ? u->name_len : 2;
    memcpy(addr, u->name, len);
    spin_unlock(&u->lock);
    addr[0] = AF_UNIX;
    addr[1] = 0;
    if (peer)
        unix_put(u);
    return (int)len;
}

/* poll(2) is slower to say so than a send is to take something: or it would be said for each byte.
 */
static bool writable(struct unix_sock *u, struct unix_sock *to, u32 sndbuf)
{
    return to->cost <= sndbuf / 4 && unix_has_room(u, to, sndbuf);
}

static bool peer_has_room(struct socket *s)
{
    struct unix_sock *u = s->private, *peer = unix_peer_get(u);
    bool room = !peer || writable(u, peer, s->sndbuf);

    if (!room && u->type == SOCK_DGRAM) {
        unix_want_room(u, peer);
        room = writable(u, peer, s->sndbuf);
    }
    unix_put(peer);
    return room;
}

static u32 unix_poll(struct socket *s, struct poll_table *pt)
{
    struct unix_sock *u = s->private;
    u32 mask = 0;

    poll_wait(pt, &u->wait);
    spin_lock(&u->lock);
    if (!list_empty(&u->queue) || !list_empty(&u->backlog) || u->shut_read)
        mask |= POLLIN | POLLRDNORM;
    if (u->shut_read)
        mask |= POLLRDHUP;
    if (u->shut_read && u->shut_write)
        mask |= POLLHUP;
    if (u->type != SOCK_DGRAM && u->state == UNIX_FREE)
        mask |= POLLHUP | POLLOUT;
    spin_unlock(&u->lock);
    if (u->state != UNIX_LISTEN && peer_has_room(s))
        mask |= POLLOUT | POLLWRNORM;
    return mask;
}

static bool unix_listening(struct socket *s)
{
    return ((struct unix_sock *)s->private)->state == UNIX_LISTEN;
}

static s64 unix_ioctl(struct socket *s, u32 cmd, u64 arg)
{
    struct unix_sock *u = s->private;
    int n = 0;

    if (cmd == FIONREAD) {
        spin_lock(&u->lock);
        if (u->type == SOCK_STREAM || list_empty(&u->queue))
            n = (int)u->queued;
        else
            n = (int)list_first(&u->queue, struct unix_skb, link)->len;
        spin_unlock(&u->lock);
        return put_user(n, arg);
    }
    if (cmd == TIOCOUTQ) {
        struct unix_sock *peer = unix_peer_get(u);
        n = peer ? (int)peer->cost : 0;
        unix_put(peer);
        return put_user(n, arg);
    }
    return -ENOTTY;
}

static int unix_getopt(struct socket *s, int level, int name, void *value, u32 *len)
{
    struct unix_sock *u = s->private;

    if (level != SOL_SOCKET || name != SO_PEERCRED)
        return -ENOPROTOOPT;
    if (u->peer)
        memcpy(value, &u->peer_cred, sizeof(struct ucred));
    else
        memcpy(value, &(struct ucred){0, ~0u, ~0u}, sizeof(struct ucred));
    *len = MIN(*len, (u32)sizeof(struct ucred));
    return 0;
}

const struct socket_ops unix_ops = {
    .bind = unix_bind,
    .connect = unix_connect,
    .listen = unix_listen,
    .accept = unix_accept,
    .pair = unix_pair,
    .send = unix_send,
    .receive = unix_receive,
    .shutdown = unix_shutdown,
    .name = unix_name,
    .listening = unix_listening,
    .poll = unix_poll,
    .ioctl = unix_ioctl,
    .getopt = unix_getopt,
    .release = unix_release,
};
