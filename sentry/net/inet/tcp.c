// SPDX-License-Identifier: Apache-2.0
/*
 * TCP over loopback: making connections and ending them. tcp(7).
 */
#include "sentry/net/inet/tcp.h"
#include "sentry/kernel/sysctl.h"
#include "sentry/kernel/task.h"

#define SYN_TIMEOUT (127 * NSEC_PER_SEC) /* six retries, each twice as long as the one before */

static const struct socket_ops tcp_ops;

static void tcp_destroy(struct inet_sock *in)
{
    struct tcp_sock *t = (struct tcp_sock *)in;

    ktimer_cancel(&t->timer);
    tcp_purge(t);
    kfree(t);
}

static void syn_timeout(struct ktimer *timer)
{
    struct tcp_sock *t = container_of(timer, struct tcp_sock, timer);
    bool mine;

    spin_lock(&t->in.lock);
    mine = t->in.state == TCP_SYN_SENT;
    if (mine) {
        t->in.error = ETIMEDOUT;
        t->in.state = TCP_CLOSE;
        t->in.shut_read = t->in.shut_write = true;
    }
    spin_unlock(&t->in.lock);
    if (mine)
        wake_all(&t->in.wait);
}

static struct tcp_sock *tcp_new(struct socket *s)
{
    struct tcp_sock *t = kzalloc(sizeof(*t));

    if (!t)
        return NULL;
    inet_init_sock(&t->in, s, &tcp_ports);
    t->in.destroy = tcp_destroy;
    t->in.state = TCP_CLOSE;
    mutex_init(&t->reading);
    list_init(&t->queue);
    list_init(&t->backlog);
    list_init(&t->backlog_link);
    list_init(&t->syns);
    list_init(&t->syn_link);
    ktimer_init(&t->timer, syn_timeout);
    tcp_default_options(&t->opt);
    s->sndbuf = 16384 * 2;
    s->rcvbuf = 131072;
    s->ops = &tcp_ops;
    return t;
}

int tcp_create(struct socket *s)
{
    return tcp_new(s) ? 0 : -ENOMEM;
}

struct tcp_sock *tcp_peer_get(struct tcp_sock *t)
{
    struct tcp_sock *peer;

    spin_lock(&t->in.lock);
    peer = t->peer;
    if (peer)
        ref_get(&peer->in.refs);
    spin_unlock(&t->in.lock);
    return peer;
}

static void lock_two(struct tcp_sock *a, struct tcp_sock *b)
{
    spin_lock(a < b ? &a->in.lock : &b->in.lock);
    if (a != b)
        spin_lock(a < b ? &b->in.lock : &a->in.lock);
}

static void unlock_two(struct tcp_sock *a, struct tcp_sock *b)
{
    spin_unlock(&a->in.lock);
    if (a != b)
        spin_unlock(&b->in.lock);
}

/* ---- connecting ---- */

static u32 listener_score(const struct inet_sock *in, const struct inet_addr *to,
                          const struct inet_addr *from)
{
    return in->state == TCP_LISTEN ? inet_covers(in, to) : 0;
}

/* The server's end, as the listener's options make it; bound to its port. */
static struct tcp_sock *server_end(struct tcp_sock *l, struct tcp_sock *c)
{
    struct socket *s = socket_alloc(l->in.family, SOCK_STREAM, IPPROTO_TCP);
    struct tcp_sock *t = s ? tcp_new(s) : NULL;

    if (!t) {
        kfree(s);
        return NULL;
    }
    spin_lock(&l->in.lock);
    if (l->in.socket)
        socket_inherit(s, l->in.socket);
    t->in.opt = l->in.opt;
    t->opt = l->opt;
    spin_unlock(&l->in.lock);
    t->in.local = c->in.remote;
    t->in.remote = c->in.local;
    t->in.state = TCP_ESTABLISHED;
    if (inet_inherit_port(&t->in, &l->in)) {
        socket_free(s);
        return NULL;
    }
    return t;
}

static bool backlog_full(const struct tcp_sock *l)
{
    return l->nbacklog > l->max_backlog;
}

static struct spinlock syn_lock = SPINLOCK_INIT; /* all syns lists; inside of the sockets' locks */

/* c waits at l (NULL: nowhere any more). The list has a reference. */
static void wait_at(struct tcp_sock *c, struct tcp_sock *l)
{
    bool was;

    spin_lock(&syn_lock);
    was = !list_empty(&c->syn_link);
    list_del(&c->syn_link);
    if (l)
        list_add_tail(&l->syns, &c->syn_link);
    if (l && !was)
        ref_get(&c->in.refs);
    spin_unlock(&syn_lock);
    if (!l && was)
        tcp_put(c);
}

/* Is c still connecting, with the addresses that t was made for? It may have given up meanwhile and
 * gone somewhere else. Both locks are held. */
static bool still_wants(const struct tcp_sock *c, const struct tcp_sock *l,
                        const struct tcp_sock *t)
{
    return c->in.state == TCP_SYN_SENT && inet_same(&t->in.local, &c->in.remote) &&
           inet_same(&t->in.remote, &c->in.local) && c->in.remote.port == l->in.local.port &&
           inet_covers(&l->in, &c->in.remote);
}

/*
 * Connect c, which is in SYN_SENT, to the listener, or leave it in its list of those who wait when
 * there is no room. 0, -ECONNREFUSED, -ENOMEM.
 */
static int syn(struct tcp_sock *c, struct tcp_sock *l)
{
    struct tcp_sock *t = server_end(l, c);
    bool used = false;
    int err = 0;

    if (!t)
        return -ENOMEM;
    lock_two(l, c);
    if (l->in.state != TCP_LISTEN) {
        err = -ECONNREFUSED;
    } else if (!still_wants(c, l, t)) {
        err = 0; /* closed or timed out meanwhile */
    } else if (backlog_full(l)) {
        wait_at(c, l);
    } else {
        used = true;
        t->peer = c;
        ref_get(&c->in.refs);
        c->peer = t;
        ref_get(&t->in.refs);
        c->in.state = TCP_ESTABLISHED;
        list_add_tail(&l->backlog, &t->backlog_link);
        ref_get(&t->in.refs);
        l->nbacklog++;
    }
    unlock_two(l, c);
    if (used) {
        wake_all(&c->in.wait);
        waitq_wake(&l->in.wait, POLLIN | POLLRDNORM, 1);
    } else {
        t->in.state = TCP_CLOSE;
        socket_free(t->in.socket);
    }
    return err;
}

static void refuse(struct tcp_sock *c, int err)
{
    spin_lock(&c->in.lock);
    if (c->in.state == TCP_SYN_SENT) {
        c->in.error = err;
        c->in.state = TCP_CLOSE;
        c->in.shut_read = c->in.shut_write = true;
    }
    spin_unlock(&c->in.lock);
    wake_all(&c->in.wait);
}

/* There is room in the backlog: who waited longest gets it. */
static void admit(struct tcp_sock *l)
{
    for (;;) {
        struct tcp_sock *c = NULL;
        int err;

        spin_lock(&l->in.lock);
        spin_lock(&syn_lock);
        if (!list_empty(&l->syns) && (l->in.state != TCP_LISTEN || !backlog_full(l))) {
            c = list_first(&l->syns, struct tcp_sock, syn_link);
            list_del(&c->syn_link);
        }
        spin_unlock(&syn_lock);
        spin_unlock(&l->in.lock);
        if (!c)
            return;
        err = syn(c, l);
        if (err)
            refuse(c, -err);
        tcp_put(c);
    }
}

/* Nothing listens there, but a socket may connect to itself (both SYNs cross). */
static bool connect_self(struct tcp_sock *t)
{
    bool self;

    spin_lock(&t->in.lock);
    self = inet_same(&t->in.local, &t->in.remote) && t->in.state == TCP_SYN_SENT;
    if (self) {
        t->peer = t;
        ref_get(&t->in.refs);
        t->in.state = TCP_ESTABLISHED;
    }
    spin_unlock(&t->in.lock);
    return self;
}

static int start(struct tcp_sock *t, struct inet_addr dst)
{
    struct inet_addr src;
    struct tcp_sock *l;
    int err;

    if (inet_is_multicast(&dst))
        return -ENETUNREACH;
    if (t->in.family == AF_INET6 && t->in.opt.v6only && inet_is4(&dst))
        return -ENETUNREACH;
    if (!inet_is_any(&t->in.local) && inet_is4(&t->in.local) != inet_is4(&dst))
        return inet_is4(&dst) ? -EINVAL : -ENETUNREACH;
    err = inet_route(&dst, &src);
    if (err)
        return err;
    err = inet_autobind(&t->in);
    if (err)
        return err == -EAGAIN ? -EADDRNOTAVAIL : err;
    src.port = t->in.local.port;
    if (!inet_is_any(&t->in.local))
        src = t->in.local;
    if (inet_pair_taken(&t->in, &src, &dst))
        return -EADDRNOTAVAIL;
    spin_lock(&t->in.lock);
    t->in.local = src;
    t->in.remote = dst;
    spin_unlock(&t->in.lock);
    ktimer_start(&t->timer, deadline_after(SYN_TIMEOUT));
    l = (struct tcp_sock *)inet_find(&tcp_ports, &dst, &src, listener_score);
    if (!l) {
        if (!connect_self(t))
            refuse(t, ECONNREFUSED);
        return 0;
    }
    err = syn(t, l);
    if (err)
        refuse(t, -err);
    tcp_put(l);
    return 0;
}

/* Back to a socket that was never connected; the name that bind(2) gave it stays. */
static void forget_connection(struct tcp_sock *t)
{
    struct tcp_sock *peer;

    ktimer_cancel(&t->timer);
    wait_at(t, NULL);
    spin_lock(&t->in.lock);
    peer = t->peer;
    t->peer = NULL;
    t->in.state = TCP_CLOSE;
    t->in.remote = t->in.family == AF_INET ? inet_any4 : inet_any6;
    t->in.shut_read = t->in.shut_write = t->fin = t->connecting = false;
    t->urgent = URGENT_NONE;
    spin_unlock(&t->in.lock);
    if (!t->in.bound_port)
        inet_unbind(&t->in);
    if (!t->in.bound_ip) {
        u16 port = t->in.bound_port ? t->in.local.port : 0;

        t->in.local = t->in.family == AF_INET ? inet_any4 : inet_any6;
        t->in.local.port = port;
    } else if (!t->in.bound_port) {
        t->in.local.port = 0;
    }
    mutex_lock(&t->reading); /* somebody may be copying from the queue */
    tcp_purge(t);
    mutex_unlock(&t->reading);
    if (peer)
        tcp_was_reset(peer, t, ECONNRESET);
    tcp_put(peer);
}

static void stop_listening(struct tcp_sock *l);

static int disconnect(struct tcp_sock *t)
{
    bool reset = t->in.state != TCP_CLOSE && t->in.state != TCP_LISTEN;

    if (t->in.state == TCP_LISTEN)
        stop_listening(t);
    forget_connection(t);
    if (reset)
        t->in.error = ECONNRESET;
    wake_all(&t->in.wait);
    return 0;
}

/* Claim the socket for a connect: 1 = it is ours to start, 0 = wait for the one under way. */
static int claim(struct tcp_sock *t, bool nonblock)
{
    int r;

    spin_lock(&t->in.lock);
    switch (t->in.state) {
    case TCP_CLOSE:
        r = !t->connecting;
        if (r) {
            t->in.state = TCP_SYN_SENT;
            t->connecting = true;
        }
        break;
    case TCP_SYN_SENT:
        r = nonblock ? -EALREADY : 0;
        break;
    default:
        r = t->connecting ? 0 : -EISCONN;
    }
    spin_unlock(&t->in.lock);
    return r;
}

/* How it ended. */
static int finish_connect(struct tcp_sock *t)
{
    int err = 0;

    ktimer_cancel(&t->timer);
    spin_lock(&t->in.lock);
    t->connecting = false;
    if (t->in.state == TCP_CLOSE) {
        err = t->in.error ? -t->in.error : -ECONNABORTED;
        t->in.error = 0;
    }
    spin_unlock(&t->in.lock);
    if (err)
        forget_connection(t);
    return err;
}

/* Begin, or find out how far another call has come: 1 = wait, else the result. */
static int begin_connect(struct tcp_sock *t, const u8 *addr, u32 len, bool nonblock)
{
    struct inet_addr dst = {0};
    int err, r;

    if (inet_unspec(addr, len))
        return disconnect(t);
    err = inet_parse(t->in.family, addr, len, &dst);
    r = claim(t, nonblock);
    if (r <= 0)
        return r ? r : 1;
    err = err ? err : start(t, dst);
    if (err) {
        spin_lock(&t->in.lock);
        t->in.state = TCP_CLOSE;
        t->connecting = false;
        spin_unlock(&t->in.lock);
        return err;
    }
    return nonblock ? -EINPROGRESS : 1; /* as over a wire: poll or the next call tell the end */
}

static int tcp_connect(struct socket *s, const u8 *addr, u32 len, bool nonblock)
{
    struct tcp_sock *t = tcp_sk(s);
    int err;

    mutex_lock(&t->in.control);
    err = begin_connect(t, addr, len, nonblock);
    mutex_unlock(&t->in.control);
    if (err != 1)
        return err;
    err = wait_event_deadline(&t->in.wait, t->in.state != TCP_SYN_SENT,
                              socket_deadline(s->snd_timeout));
    if (err)
        return err == -ETIMEDOUT ? -EINPROGRESS : s->snd_timeout ? -EINTR : err;
    mutex_lock(&t->in.control);
    err = finish_connect(t);
    mutex_unlock(&t->in.control);
    return err;
}

/* ---- accepting ---- */

static int do_listen(struct tcp_sock *l, int backlog)
{
    int err = 0;

    if (l->in.state != TCP_CLOSE && l->in.state != TCP_LISTEN)
        return -EINVAL;
    l->max_backlog = MIN((u32)backlog, (u32)sysctl_number("net.core.somaxconn", 0, SOMAXCONN));
    if (l->in.state == TCP_LISTEN) {
        admit(l);
        return 0;
    }
    err = inet_autobind(&l->in);
    if (!err)
        err = inet_start_listen(&l->in);
    if (!err)
        l->in.shut_read = l->in.shut_write = l->connecting = false;
    return err == -EAGAIN ? -EADDRINUSE : err;
}

static int tcp_listen(struct socket *s, int backlog)
{
    struct tcp_sock *l = tcp_sk(s);
    int err;

    mutex_lock(&l->in.control);
    err = do_listen(l, backlog);
    mutex_unlock(&l->in.control);
    return err;
}

static struct socket *take_pending(struct tcp_sock *l)
{
    struct socket *s = NULL;

    spin_lock(&l->in.lock);
    if (l->in.state != TCP_LISTEN) {
        s = ERR_PTR(-EINVAL);
    } else if (!list_empty(&l->backlog)) {
        struct tcp_sock *t = list_first(&l->backlog, struct tcp_sock, backlog_link);

        list_del(&t->backlog_link);
        l->nbacklog--;
        s = t->in.socket;
        ref_put(&t->in.refs); /* the backlog's; the socket has its own */
    }
    spin_unlock(&l->in.lock);
    return s;
}

static struct socket *tcp_accept(struct socket *s, bool nonblock)
{
    struct tcp_sock *l = tcp_sk(s);
    u64 deadline = socket_deadline(s->rcv_timeout);

    for (;;) {
        struct socket *a = take_pending(l);
        int err;

        if (a) {
            if (!IS_ERR(a))
                admit(l);
            return a;
        }
        if (nonblock)
            return ERR_PTR(-EAGAIN);
        err = wait_event_deadline(&l->in.wait,
                                  !list_empty(&l->backlog) || l->in.state != TCP_LISTEN, deadline);
        if (err)
            return ERR_PTR(err == -ETIMEDOUT ? -EAGAIN : err);
    }
}

static void stop_listening(struct tcp_sock *l)
{
    for (;;) {
        struct socket *s = take_pending(l);

        if (!s || IS_ERR(s))
            break;
        s->linger = 0; /* a reset for who was not accepted */
        socket_free(s);
    }
    spin_lock(&l->in.lock);
    l->in.state = TCP_CLOSE;
    spin_unlock(&l->in.lock);
    admit(l); /* refuses them */
}

/* ---- ending ---- */

void tcp_was_reset(struct tcp_sock *t, struct tcp_sock *by, int err)
{
    spin_lock(&t->in.lock);
    if (t->peer == by && t->in.state != TCP_CLOSE) {
        t->in.error = t->in.state == TCP_CLOSE_WAIT ? EPIPE : err;
        t->in.state = TCP_CLOSE;
        t->in.shut_read = t->in.shut_write = true;
    }
    spin_unlock(&t->in.lock);
    wake_all(&t->in.wait);
}

/* t sends no more; its peer gets an end of file. */
static void send_fin(struct tcp_sock *t)
{
    struct tcp_sock *peer;
    bool ended = false;

    spin_lock(&t->in.lock);
    t->in.shut_write = true;
    if (t->in.state == TCP_ESTABLISHED)
        t->in.state = TCP_FIN_WAIT2;
    else if (t->in.state == TCP_CLOSE_WAIT)
        t->in.state = TCP_CLOSE;
    else
        ended = true;
    peer = ended ? NULL : t->peer;
    if (peer)
        ref_get(&peer->in.refs);
    spin_unlock(&t->in.lock);
    if (!peer)
        return;
    ended = false;
    spin_lock(&peer->in.lock);
    if (peer->peer != t && peer->peer) { /* it has another connection by now */
        spin_unlock(&peer->in.lock);
        tcp_put(peer);
        return;
    }
    peer->fin = true;
    if (peer->in.state == TCP_ESTABLISHED) {
        peer->in.state = TCP_CLOSE_WAIT;
    } else if (peer->in.state == TCP_FIN_WAIT2) {
        peer->in.state = TCP_CLOSE;
        peer->in.shut_read = true;
        ended = !peer->orphan;
    }
    spin_unlock(&peer->in.lock);
    if (ended)
        inet_add_time_wait(&peer->in);
    wake_all(&peer->in.wait);
    tcp_put(peer);
}

static int do_shutdown(struct tcp_sock *t, int how)
{
    if (t->in.state == TCP_LISTEN) {
        if (how != SHUT_WR)
            disconnect(t);
        return 0;
    }
    if (t->in.state == TCP_CLOSE) {
        t->in.shut_read |= how != SHUT_WR; /* as on Linux, it has an effect all the same */
        t->in.shut_write |= how != SHUT_RD;
        wake_all(&t->in.wait);
        return -ENOTCONN;
    }
    if (t->in.state == TCP_SYN_SENT)
        return how != SHUT_WR ? disconnect(t) : 0;
    if (how != SHUT_WR)
        t->in.shut_read = true;
    if (how != SHUT_RD)
        send_fin(t);
    wake_all(&t->in.wait);
    return 0;
}

static int tcp_shutdown(struct socket *s, int how)
{
    struct tcp_sock *t = tcp_sk(s);
    int err;

    mutex_lock(&t->in.control);
    err = do_shutdown(t, how);
    mutex_unlock(&t->in.control);
    return err;
}

static void tcp_release(struct socket *s)
{
    struct tcp_sock *t = tcp_sk(s), *peer;
    bool reset, waits;

    if (!t)
        return;
    if (t->in.state == TCP_LISTEN)
        stop_listening(t);
    spin_lock(&t->in.lock);
    t->orphan = true;
    peer = t->peer;
    reset = peer && (t->queued || (s->linger == 0)) && t->in.state != TCP_CLOSE;
    if (reset || t->in.state == TCP_SYN_SENT)
        t->in.state = TCP_CLOSE;
    spin_unlock(&t->in.lock);
    if (reset)
        tcp_was_reset(peer, t, ECONNRESET);
    else if (peer)
        send_fin(t);
    waits = t->in.state == TCP_FIN_WAIT2;
    if (waits)
        inet_add_time_wait(&t->in);
    inet_unbind(&t->in);
    spin_lock(&t->in.lock);
    t->in.socket = NULL;
    t->peer = NULL;
    spin_unlock(&t->in.lock);
    wake_all(&t->in.wait);
    tcp_purge(t);
    tcp_put(peer);
    tcp_put(t);
}

/* ---- looking ---- */

static bool tcp_listening(struct socket *s)
{
    return tcp_sk(s)->in.state == TCP_LISTEN;
}

static u32 tcp_poll(struct socket *s, struct poll_table *pt)
{
    struct tcp_sock *t = tcp_sk(s);
    u32 mask = 0;

    poll_wait(pt, &t->in.wait);
    if (t->in.state == TCP_LISTEN)
        return list_empty(&t->backlog) ? 0 : POLLIN | POLLRDNORM;
    spin_lock(&t->in.lock);
    bool shut_read = t->in.shut_read || t->fin;
    if ((shut_read && t->in.shut_write) || t->in.state == TCP_CLOSE)
        mask |= POLLHUP;
    if (shut_read)
        mask |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (t->queued >= (u32)MAX(s->rcvlowat, 1) && t->in.state != TCP_SYN_SENT)
        mask |= POLLIN | POLLRDNORM;
    if (t->urgent == URGENT_HERE)
        mask |= POLLPRI;
    if (t->in.error)
        mask |= POLLERR;
    bool connected = t->in.state != TCP_SYN_SENT, shut = t->in.shut_write;
    spin_unlock(&t->in.lock);
    if (connected && (shut || tcp_writable(s)))
        mask |= POLLOUT | POLLWRNORM;
    return mask;
}

static const struct socket_ops tcp_ops = {
    .bind = inet_bind,
    .connect = tcp_connect,
    .listen = tcp_listen,
    .accept = tcp_accept,
    .send = tcp_send,
    .receive = tcp_receive,
    .shutdown = tcp_shutdown,
    .name = inet_name,
    .listening = tcp_listening,
    .poll = tcp_poll,
    .ioctl = tcp_ioctl,
    .setopt = tcp_setopt,
    .getopt = tcp_getopt,
    .cmsg_in = inet_cmsg_in,
    .cmsg_out = inet_cmsg_out,
    .release = tcp_release,
};
