// SPDX-License-Identifier: Apache-2.0
/*
 * AF_UNIX: descriptors in flight. Sockets that only messages in each other's queues refer to would
 * stay for ever; they are found by counting (what refers to a socket, less what is in the queues of
 * other suspects) whenever a socket is closed while one is in flight. unix(7).
 */
#include <linux/capability.h>
#include "sentry/kernel/task.h"
#include "sentry/net/unix.h"

/* Guards the list, unix_sock.gc, the users below, and whether an scm is in flight. */
static struct mutex gc_lock;
static struct list in_flight = LIST_INIT(in_flight); /* of unix_sock.gc.link */

/* How many descriptors a user has in flight. Lives while that is not 0. */
struct flight_user {
    struct list link;
    u32 uid, count;
};
static struct list users = LIST_INIT(users);

static struct flight_user *user_find(u32 uid)
{
    struct flight_user *u;

    list_for_each (u, &users, link) {
        if (u->uid == uid)
            return u;
    }
    return NULL;
}

static int user_charge(u32 uid, u32 n)
{
    struct flight_user *u = user_find(uid);

    if (u && u->count > rlimit(RLIMIT_NOFILE) && !capable(CAP_SYS_RESOURCE) &&
        !capable(CAP_SYS_ADMIN))
        return -ETOOMANYREFS;
    if (!u) {
        u = kzalloc(sizeof(*u));
        if (!u)
            return -ENOMEM;
        u->uid = uid;
        list_add(&users, &u->link);
    }
    u->count += n;
    return 0;
}

static void user_uncharge(u32 uid, u32 n)
{
    struct flight_user *u = user_find(uid);

    u->count -= n;
    if (u->count)
        return;
    list_del(&u->link);
    kfree(u);
}

static struct unix_sock *unix_of(struct vfs_file *f)
{
    struct socket *s = socket_of_file(f);

    return s && s->family == AF_UNIX ? s->private : NULL;
}

int scm_take_off(struct scm *scm)
{
    int err;

    if (!scm->nfiles)
        return 0;
    mutex_lock(&gc_lock);
    err = user_charge(current->cred->uid, scm->nfiles);
    if (!err) {
        scm->in_flight = true;
        scm->uid = current->cred->uid;
        for (u32 i = 0; i < scm->nfiles; i++) {
            struct unix_sock *u = unix_of(scm->files[i]);

            if (u && !u->gc.in_flight++) {
                u->gc.file = scm->files[i];
                list_add(&in_flight, &u->gc.link);
            }
        }
    }
    mutex_unlock(&gc_lock);
    return err;
}

static void land(struct scm *scm)
{
    scm->in_flight = false;
    user_uncharge(scm->uid, scm->nfiles);
    for (u32 i = 0; i < scm->nfiles; i++) {
        struct unix_sock *u = unix_of(scm->files[i]);

        if (u && !--u->gc.in_flight)
            list_del(&u->gc.link);
    }
}

void scm_land(struct scm *scm)
{
    mutex_lock(&gc_lock);
    if (scm->in_flight)
        land(scm);
    mutex_unlock(&gc_lock);
}

struct scm *scm_take(struct scm **slot)
{
    struct scm *scm;

    if (!*slot)
        return NULL;
    mutex_lock(&gc_lock); /* the collector may be looking at it */
    scm = *slot;
    *slot = NULL;
    if (scm->in_flight)
        land(scm);
    mutex_unlock(&gc_lock);
    return scm;
}

struct scm *scm_peek(const struct scm *scm)
{
    struct scm *copy;

    if (!scm)
        return NULL;
    mutex_lock(&gc_lock); /* the count of references must not change under the collector */
    copy = scm_copy(scm);
    mutex_unlock(&gc_lock);
    return copy;
}

/* ---- the collector ---- */

typedef void scm_visitor(struct unix_skb *skb, void *arg);

static void visit_queue(struct unix_sock *u, scm_visitor *fn, void *arg)
{
    struct unix_skb *skb;

    list_for_each (skb, &u->queue, link) {
        if (skb->scm && skb->scm->in_flight)
            fn(skb, arg);
    }
}

/* All that is in flight to u, and to connections that wait in its backlog. */
static void visit(struct unix_sock *u, scm_visitor *fn, void *arg)
{
    struct unix_sock *c;

    spin_lock(&u->lock);
    visit_queue(u, fn, arg);
    list_for_each (c, &u->backlog, backlog_link) {
        spin_lock(&c->lock);
        visit_queue(c, fn, arg);
        spin_unlock(&c->lock);
    }
    spin_unlock(&u->lock);
}

static void discount(struct unix_skb *skb, void *unused)
{
    for (u32 i = 0; i < skb->scm->nfiles; i++) {
        struct unix_sock *v = unix_of(skb->scm->files[i]);

        if (v && v->gc.suspect)
            v->gc.left--;
    }
}

static void acquit(struct unix_sock *u, struct list *reachable)
{
    u->gc.suspect = false;
    list_del(&u->gc.link);
    list_add_tail(reachable, &u->gc.link);
}

static void acquit_children(struct unix_skb *skb, void *reachable)
{
    for (u32 i = 0; i < skb->scm->nfiles; i++) {
        struct unix_sock *v = unix_of(skb->scm->files[i]);

        if (v && v->gc.suspect)
            acquit(v, reachable);
    }
}

static void take_dead(struct unix_skb *skb, void *dead)
{
    skb->scm->next = *(struct scm **)dead;
    *(struct scm **)dead = skb->scm;
    skb->scm = NULL;
}

/* What nobody can receive any more, taken out of its queues: a list by scm->next. */
static struct scm *collect(void)
{
    struct unix_sock *u, *next;
    struct scm *dead = NULL;
    struct list reachable, done;

    list_init(&reachable);
    list_init(&done);
    mutex_lock(&gc_lock);
    list_for_each (u, &in_flight, gc.link) {
        u->gc.suspect = ref_read(&u->gc.file->refs) == u->gc.in_flight;
        u->gc.left = u->gc.in_flight;
    }
    list_for_each (u, &in_flight, gc.link) {
        if (u->gc.suspect)
            visit(u, discount, NULL);
    }
    list_for_each_safe (u, next, &in_flight, gc.link) {
        if (!u->gc.suspect || u->gc.left)
            acquit(u, &reachable);
    }
    while (!list_empty(&reachable)) {
        u = list_first(&reachable, struct unix_sock, gc.link);
        list_del(&u->gc.link);
        list_add(&done, &u->gc.link);
        visit(u, acquit_children, &reachable);
    }
    list_for_each (u, &in_flight, gc.link)
        visit(u, take_dead, &dead);
    while (!list_empty(&done)) {
        u = list_first(&done, struct unix_sock, gc.link);
        list_del(&u->gc.link);
        list_add(&in_flight, &u->gc.link);
    }
    for (struct scm *s = dead; s; s = s->next)
        land(s);
    mutex_unlock(&gc_lock);
    return dead;
}

void unix_gc(void)
{
    static u32 wanted;
    u32 n;

    if (list_empty(&in_flight) || __atomic_fetch_add(&wanted, 1, __ATOMIC_ACQ_REL))
        return; /* who runs it (maybe we, further up) will do it again */
    do {
        struct scm *dead, *next;

        n = __atomic_load_n(&wanted, __ATOMIC_ACQUIRE);
        for (dead = collect(); dead; dead = next) {
            next = dead->next;
            scm_free(dead);
        }
    } while (__atomic_sub_fetch(&wanted, n, __ATOMIC_ACQ_REL));
}
