// SPDX-License-Identifier: Apache-2.0
/*
 * Who has which port: conflicts of bind(2), ephemeral ports at random (RFC 6056), connections that
 * have ended but still occupy theirs, and who gets what arrives.
 */
#include <linux/capability.h>
#include "sentry/kernel/sysctl.h"
#include "sentry/kernel/task.h"
#include "sentry/net/inet/inet.h"

#define TIME_WAIT_NS  (60 * NSEC_PER_SEC)
#define TIME_WAIT_MAX 4096

struct port_table tcp_ports = {.time_wait = LIST_INIT(tcp_ports.time_wait), .stream = true};
struct port_table udp_ports = {.time_wait = LIST_INIT(udp_ports.time_wait)};
struct port_table ping_ports = {.time_wait = LIST_INIT(ping_ports.time_wait)};

static struct list *bucket(struct port_table *t, u16 number)
{
    struct list *l = &t->hash[number % PORT_HASH];

    if (!l->next)
        list_init(l);
    return l;
}

static struct inet_port *port_find(struct port_table *t, u16 number)
{
    struct list *l = bucket(t, number);
    struct inet_port *p;

    list_for_each (p, l, link) {
        if (p->number == number)
            return p;
    }
    return NULL;
}

/* ---- which addresses a socket stands for ---- */

enum coverage { COVERS_NOTHING, COVERS_ONE, COVERS_ALL };

static enum coverage covers4(int family, bool v6only, const struct inet_addr *a)
{
    if (family == AF_INET6 && inet_same_ip(a, &inet_any6))
        return v6only ? COVERS_NOTHING : COVERS_ALL;
    if (!inet_is4(a))
        return COVERS_NOTHING;
    return inet_is_any(a) ? COVERS_ALL : COVERS_ONE;
}

static enum coverage covers6(const struct inet_addr *a)
{
    if (inet_is4(a))
        return COVERS_NOTHING;
    return inet_is_any(a) ? COVERS_ALL : COVERS_ONE;
}

static bool overlap(enum coverage a, enum coverage b, bool same)
{
    return a && b && (a == COVERS_ALL || b == COVERS_ALL || same);
}

static bool overlaps(const struct inet_sock *in, const struct inet_addr *a,
                     const struct inet_sock *o)
{
    bool same = inet_same_ip(a, &o->local);

    return overlap(covers4(in->family, in->opt.v6only, a),
                   covers4(o->family, o->opt.v6only, &o->local), same) ||
           overlap(covers6(a), covers6(&o->local), same);
}

u32 inet_covers(const struct inet_sock *in, const struct inet_addr *to)
{
    enum coverage c =
        inet_is4(to) ? covers4(in->family, in->opt.v6only, &in->local) : covers6(&in->local);
    u32 native = inet_is4(to) && in->family == AF_INET;

    if (c == COVERS_ONE && !inet_same_ip(&in->local, to))
        return 0;
    return c == COVERS_NOTHING ? 0 : c == COVERS_ONE ? 5 + native : 1 + native;
}

/* ---- binding; the table's lock is held ---- */

static bool share(const struct inet_sock *in, const struct inet_sock *o)
{
    const struct socket *a = in->socket, *b = o->socket;

    if (a->reuseaddr && b->reuseaddr && (!in->table->stream || o->state != TCP_LISTEN))
        return true;
    return a->reuseport && b->reuseport && a->uid == b->uid;
}

static bool list_conflicts(struct list *l, const struct inet_sock *in, const struct inet_addr *a)
{
    struct inet_sock *o;

    list_for_each (o, l, port_link) {
        if (o != in && overlaps(in, a, o) && !share(in, o))
            return true;
    }
    return false;
}

static void expire(struct port_table *t)
{
    u64 now = clock_monotonic();

    while (!list_empty(&t->time_wait)) {
        struct time_wait *w = list_first(&t->time_wait, struct time_wait, link);

        if (w->expires > now && t->ntime_wait <= TIME_WAIT_MAX)
            return;
        list_del(&w->link);
        t->ntime_wait--;
        kfree(w);
    }
}

static bool waits(struct inet_sock *in, const struct inet_addr *a, u16 number)
{
    struct time_wait *w;

    list_for_each (w, &in->table->time_wait, link) {
        struct inet_sock o = {.family = w->family, .local = w->local};

        if (w->local.port == number && overlaps(in, a, &o) && !(w->reuse && in->socket->reuseaddr))
            return true;
    }
    return false;
}

static bool conflicts(struct inet_sock *in, const struct inet_addr *a, u16 number)
{
    struct inet_port *p = port_find(in->table, number);

    expire(in->table);
    if (p && (list_conflicts(&p->socks, in, a) || list_conflicts(&p->conns, in, a)))
        return true;
    return waits(in, a, number);
}

static struct inet_port *port_new(void)
{
    struct inet_port *p = kzalloc(sizeof(*p));

    if (p) {
        list_init(&p->socks);
        list_init(&p->conns);
    }
    return p;
}

/* Put in into port `number`; *spare is used up when the port is new. */
static void join(struct inet_sock *in, u16 number, struct inet_port **spare)
{
    struct inet_port *p = port_find(in->table, number);

    if (!p) {
        p = *spare;
        *spare = NULL;
        p->number = number;
        list_add(bucket(in->table, number), &p->link);
    }
    in->port = p;
    spin_lock(&in->lock);
    in->local.port = number;
    spin_unlock(&in->lock);
    list_add(in->passive ? &p->conns : &p->socks, &in->port_link);
}

static int choose(struct inet_sock *in, const struct inet_addr *a, u16 *number)
{
    const char *range = "net.ipv4.ip_local_port_range";
    u32 first = (u32)sysctl_number(range, 0, PORT_FIRST);
    u32 last = (u32)sysctl_number(range, 1, PORT_LAST);
    u32 n = last >= first ? last - first + 1 : 1, start;

    random_bytes(&start, sizeof(start));
    for (u32 i = 0; i < n; i++) {
        *number = (u16)(first + (start + i) % n);
        if (!port_find(in->table, *number) && !conflicts(in, a, *number))
            return 0;
    }
    for (u32 i = 0; i < n; i++) { /* none is free: one that may be shared */
        *number = (u16)(first + (start + i) % n);
        if (!conflicts(in, a, *number))
            return 0;
    }
    return -EADDRINUSE;
}

bool inet_may_bind(u16 number)
{
    return !number ||
           number >= sysctl_number("net.ipv4.ip_unprivileged_port_start", 0, PORT_PRIVILEGED) ||
           capable(CAP_NET_BIND_SERVICE);
}

int inet_bind_port(struct inet_sock *in, const struct inet_addr *a)
{
    struct inet_port *spare;
    u16 number = a->port;
    int err = 0;

    if (in->table != &ping_ports && !inet_may_bind(number))
        return -EACCES;
    spare = port_new();
    if (!spare)
        return -ENOMEM;
    spin_lock(&in->table->lock);
    if (in->port)
        err = -EINVAL;
    else if (!number)
        err = choose(in, a, &number);
    else if (conflicts(in, a, number))
        err = -EADDRINUSE;
    if (!err) {
        spin_lock(&in->lock);
        in->local = *a;
        spin_unlock(&in->lock);
        in->bound_ip = !inet_is_any(a);
        in->bound_port = a->port != 0;
        join(in, number, &spare);
    }
    spin_unlock(&in->table->lock);
    kfree(spare);
    return err;
}

int inet_autobind(struct inet_sock *in)
{
    struct inet_port *spare;
    int err = 0;
    u16 number;

    if (in->port)
        return 0;
    spare = port_new();
    if (!spare)
        return -ENOMEM;
    spin_lock(&in->table->lock);
    if (!in->port) {
        err = choose(in, &in->local, &number) ? -EAGAIN : 0;
        if (!err)
            join(in, number, &spare);
    }
    spin_unlock(&in->table->lock);
    kfree(spare);
    return err;
}

int inet_inherit_port(struct inet_sock *in, struct inet_sock *listener)
{
    struct inet_port *spare = port_new();

    if (!spare)
        return -ENOMEM;
    in->passive = true;
    spin_lock(&in->table->lock);
    join(in, listener->local.port, &spare);
    spin_unlock(&in->table->lock);
    kfree(spare);
    return 0;
}

void inet_unbind(struct inet_sock *in)
{
    struct inet_port *p, *gone = NULL;

    spin_lock(&in->table->lock);
    p = in->port;
    if (p) {
        list_del(&in->port_link);
        in->port = NULL;
        if (list_empty(&p->socks) && list_empty(&p->conns)) {
            list_del(&p->link);
            gone = p;
        }
    }
    spin_unlock(&in->table->lock);
    kfree(gone);
}

int inet_start_listen(struct inet_sock *in)
{
    struct inet_sock *o;
    int err = 0;

    if (!in->port)
        return -EINVAL;
    spin_lock(&in->table->lock);
    list_for_each (o, &in->port->socks, port_link) {
        if (o != in && o->state == TCP_LISTEN && overlaps(in, &in->local, o) &&
            !(in->socket->reuseport && o->socket->reuseport && in->socket->uid == o->socket->uid))
            err = -EADDRINUSE;
    }
    if (!err)
        in->state = TCP_LISTEN;
    spin_unlock(&in->table->lock);
    return err;
}

bool inet_pair_taken(struct inet_sock *in, const struct inet_addr *local,
                     const struct inet_addr *remote)
{
    struct inet_sock *o;
    bool taken = false;

    spin_lock(&in->table->lock);
    if (in->port && !list_empty(&in->port->socks)) {
        list_for_each (o, &in->port->socks, port_link) {
            if (o != in && o->state != TCP_CLOSE && o->state != TCP_LISTEN &&
                inet_same_ip(&o->local, local) && inet_same(&o->remote, remote))
                taken = true;
        }
    }
    spin_unlock(&in->table->lock);
    return taken;
}

struct inet_sock *inet_find(struct port_table *t, const struct inet_addr *to,
                            const struct inet_addr *from,
                            u32 (*score)(const struct inet_sock *, const struct inet_addr *,
                                         const struct inet_addr *))
{
    struct inet_sock *in, *best = NULL;
    struct inet_port *p;
    u32 high = 0, equal = 0, r;

    spin_lock(&t->lock);
    p = port_find(t, to->port);
    if (p) {
        list_for_each (in, &p->socks, port_link) {
            u32 n = score(in, to, from);

            if (n > high) {
                high = n;
                best = in;
                equal = 1;
            } else if (n && n == high && in->socket->reuseport && best->socket->reuseport) {
                random_bytes(&r, sizeof(r));
                if (r % ++equal == 0)
                    best = in;
            }
        }
    }
    if (best)
        ref_get(&best->refs);
    spin_unlock(&t->lock);
    return best;
}

void inet_add_time_wait(struct inet_sock *in)
{
    struct port_table *t = in->table;
    struct time_wait *w = kzalloc(sizeof(*w));

    if (!w)
        return; /* the port is free the sooner */
    w->local = in->local;
    w->remote = in->remote;
    w->family = in->family;
    w->expires = clock_monotonic() + TIME_WAIT_NS;
    w->reuse = in->socket && in->socket->reuseaddr;
    spin_lock(&t->lock);
    list_add_tail(&t->time_wait, &w->link);
    t->ntime_wait++;
    expire(t);
    spin_unlock(&t->lock);
}

void inet_for_each(struct port_table *t, void (*fn)(struct inet_sock *, void *),
                   void (*tw)(struct time_wait *, void *), void *arg)
{
    struct inet_port *p;
    struct inet_sock *in;
    struct time_wait *w;

    spin_lock(&t->lock);
    for (u32 i = 0; i < PORT_HASH; i++) {
        struct list *l = bucket(t, (u16)i);

        list_for_each (p, l, link) {
            list_for_each (in, &p->socks, port_link)
                fn(in, arg);
            list_for_each (in, &p->conns, port_link)
                fn(in, arg);
        }
    }
    expire(t);
    if (tw) {
        list_for_each (w, &t->time_wait, link)
            tw(w, arg);
    }
    spin_unlock(&t->lock);
}
