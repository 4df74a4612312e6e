// SPDX-License-Identifier: Apache-2.0
/*
 * Talking to the gofer: one message out, one message in, under the connection's lock.
 */
#include "sentry/fs/gofer/client.h"

#define MAX_CONNS     64
#define BUFFERS_ORDER 5

static struct mutex conns_lock;
static struct gofer_conn *conns[MAX_CONNS]; /* conns_lock */

static struct gofer_conn *conn_new(u32 index)
{
    struct gofer_conn *c = kzalloc(sizeof(*c));
    struct page *p = c ? page_alloc(BUFFERS_ORDER, 0) : NULL;

    BUILD_ASSERT(PAGE_SIZE << BUFFERS_ORDER == 2 * GOFER_MSG_MAX);
    if (!p) {
        kfree(c);
        return ERR_PTR(-ENOMEM);
    }
    c->index = index;
    c->request = page_virt(p);
    c->reply = c->request + GOFER_MSG_MAX;
    mutex_init(&c->lock);
    return c;
}

struct gofer_conn *gofer_conn_get(u32 index)
{
    struct gofer_conn *c;

    if (index >= MAX_CONNS)
        return ERR_PTR(-EBADF);
    mutex_lock(&conns_lock);
    c = conns[index];
    if (!c) {
        c = conn_new(index);
        if (!IS_ERR(c))
            conns[index] = c;
    }
    mutex_unlock(&conns_lock);
    return c;
}

void gofer_call_begin(struct gofer_call *c, u16 type, const void *fixed, size_t n)
{
    c->fd = -1;
    c->err = 0;
    gofer_begin(&c->w, c->conn->request, GOFER_MSG_MAX, type, ++c->conn->tag, 0);
    gofer_put(&c->w, fixed, n);
}

void gofer_call_path(struct gofer_call *c, const struct gofer_node *n, const char *name, size_t len)
{
    const struct gofer_node *d;
    const struct gofer_place *at;
    size_t total = len;
    char *p;

    for (d = n; (at = d->place); d = at->dir)
        total += at->len + (total > 0);
    if (d->inode != d->tree->sb->root->inode) {
        c->err = -ENOENT; /* it has no name any more */
        return;
    }
    p = gofer_put_space(&c->w, total);
    if (!p)
        return;
    memcpy(p + total - len, name, len);
    total -= len;
    for (d = n; (at = d->place); d = at->dir) {
        if (len++) /* something follows */
            p[--total] = '/';
        total -= at->len;
        memcpy(p + total, at->name, at->len);
    }
}

/* The message is in conn->request; c->m and c->fd are what came back. */
static int round_trip(struct gofer_call *c, u16 type, u16 tag, size_t len)
{
    struct gofer_conn *conn = c->conn;
    struct hostcall hc = {
        .nr = HC_GOFER,
        .arg = {conn->index, virt_to_phys(conn->request), len, virt_to_phys(conn->reply),
                GOFER_MSG_MAX},
    };
    s64 n = host_call_wait(&hc);

    if (n < 0) {
        log_warn("gofer %u: %s: error %ld", conn->index, gofer_op_name(type), (long)n);
        return -EIO;
    }
    c->fd = (s32)hc.out[0];
    if (gofer_decode_reply(&c->m, type, tag, conn->reply, (size_t)n) == 0)
        return c->m.hdr.err;
    log_warn("gofer %u: %s: bad reply", conn->index, gofer_op_name(type));
    if (c->fd >= 0)
        HOSTCALL(HC_FD_CLOSE, (u64)c->fd);
    c->fd = -1;
    return -EIO;
}

int gofer_call_send(struct gofer_call *c)
{
    int len = gofer_end(&c->w);
    struct gofer_hdr hdr;

    if (c->err || len < 0)
        return c->err ? c->err : -ENAMETOOLONG;
    memcpy(&hdr, c->conn->request, sizeof(hdr));
    return round_trip(c, hdr.type, hdr.tag, (size_t)len);
}

int gofer_attach(struct gofer_tree *t, struct gofer_attach_rep *rep)
{
    struct gofer_attach_req req = {.version = GOFER_PROTO_VERSION, .mount = t->mount};
    struct gofer_call c = {.conn = t->conn};
    int err;

    mutex_lock(&c.conn->lock);
    req.fid = t->fid = c.conn->next_fid++;
    gofer_call_begin(&c, GOFER_ATTACH, &req, sizeof(req));
    err = gofer_call_send(&c);
    if (!err)
        *rep = c.m.body.attach_rep;
    mutex_unlock(&c.conn->lock);
    return err;
}
