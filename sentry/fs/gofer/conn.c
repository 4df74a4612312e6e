// SPDX-License-Identifier: Apache-2.0
/*
 * Talking to the gofer: one message out, one message in, under the connection's lock; and the fids
 * of directories, which are handed out, used and let go like entries of a cache.
 */
#include "sentry/fs/gofer/client.h"

#define MAX_CONNS 64
#define FID_LIMIT 4096

static struct mutex conns_lock;
static struct gofer_conn *conns[MAX_CONNS]; /* conns_lock */

static struct gofer_conn *conn_new(u32 index)
{
    struct gofer_conn *c = kzalloc(sizeof(*c));
    struct page *p = page_alloc(5, 0);

    BUILD_ASSERT(PAGE_SIZE << 5 == 2 * GOFER_MSG_MAX);
    if (c)
        c->free_fids = kmalloc(FID_LIMIT * sizeof(u32));
    if (!c || !p || !c->free_fids) {
        if (c)
            kfree(c->free_fids);
        kfree(c);
        for (unsigned i = 0; p && i < 32; i++)
            page_put(p + i);
        return ERR_PTR(-ENOMEM);
    }
    c->index = index;
    c->request = page_virt(p);
    c->reply = c->request + GOFER_MSG_MAX;
    c->fid_limit = FID_LIMIT;
    mutex_init(&c->lock);
    list_init(&c->dirs);
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
    gofer_begin(&c->w, c->conn->request, GOFER_MSG_MAX, type, ++c->conn->tag, 0);
    gofer_put(&c->w, fixed, n);
}

int gofer_call_send(struct gofer_call *c)
{
    struct gofer_conn *conn = c->conn;
    int len = gofer_end(&c->w);
    struct gofer_hdr hdr;
    struct hostcall hc = {
        .nr = HC_GOFER,
        .arg = {conn->index, virt_to_phys(conn->request), (u64)len, virt_to_phys(conn->reply),
                GOFER_MSG_MAX},
    };
    s64 n;

    if (len < 0)
        return len;
    memcpy(&hdr, conn->request, sizeof(hdr));
    n = host_call_wait(&hc);
    if (n < 0) {
        log_warn("gofer %u: %s: error %lld", conn->index, gofer_op_name(hdr.type), (long long)n);
        return -EIO;
    }
    c->fd = (s32)hc.out[0];
    if (gofer_decode_reply(&c->m, hdr.type, hdr.tag, conn->reply, (size_t)n) != 0) {
        log_warn("gofer %u: %s: bad reply", conn->index, gofer_op_name(hdr.type));
        if (c->fd >= 0)
            HOSTCALL(HC_FD_CLOSE, (u64)c->fd);
        c->fd = -1;
        return -EIO;
    }
    return c->m.hdr.err;
}

/* ---- fids ---- */

/* Tell the gofer about the fids that nobody uses; their numbers are free again. */
static int flush_stale(struct gofer_conn *conn)
{
    struct gofer_clunk_req req = {.count = (u16)conn->nstale};
    struct gofer_call c = {.conn = conn};
    int err;

    if (!conn->nstale)
        return 0;
    gofer_call_begin(&c, GOFER_CLUNK, &req, sizeof(req));
    gofer_put(&c.w, conn->stale, conn->nstale * sizeof(u32));
    err = gofer_call_send(&c);
    if (err)
        return err;
    memcpy(conn->free_fids + conn->nfree, conn->stale, conn->nstale * sizeof(u32));
    conn->nfree += conn->nstale;
    conn->nstale = 0;
    return 0;
}

void gofer_fid_drop(struct gofer_conn *conn, struct gofer_node *n)
{
    if (n->fid == GOFER_NOFID)
        return;
    if (conn->nstale == ARRAY_SIZE(conn->stale) && flush_stale(conn))
        log_warn("gofer %u: fid %u is lost", conn->index, n->fid);
    else
        conn->stale[conn->nstale++] = n->fid;
    n->fid = GOFER_NOFID;
    list_del(&n->fid_link);
    conn->nfids--;
}

static int fid_alloc(struct gofer_conn *conn, u32 *fid)
{
    int err = 0;

    while (conn->nfids + conn->nstale >= conn->fid_limit && !list_empty(&conn->dirs) &&
           conn->nstale < ARRAY_SIZE(conn->stale))
        gofer_fid_drop(conn, list_first(&conn->dirs, struct gofer_node, fid_link));
    if (!conn->nfree && conn->next_fid >= conn->fid_limit)
        err = flush_stale(conn);
    if (err)
        return err;
    if (conn->nfree)
        *fid = conn->free_fids[--conn->nfree];
    else if (conn->next_fid < conn->fid_limit)
        *fid = conn->next_fid++;
    else
        return -ENFILE;
    return 0;
}

static void fid_set(struct gofer_conn *conn, struct gofer_node *n, u32 fid)
{
    n->fid = fid;
    list_add_tail(&conn->dirs, &n->fid_link);
    conn->nfids++;
}

int gofer_attach(struct gofer_conn *conn, u32 mount, u32 *fid, struct gofer_attach_rep *rep)
{
    struct gofer_attach_req req = {.version = GOFER_PROTO_VERSION, .mount = mount};
    struct gofer_call c = {.conn = conn};
    int err = fid_alloc(conn, fid);

    if (err)
        return err;
    req.fid = *fid;
    gofer_call_begin(&c, GOFER_ATTACH, &req, sizeof(req));
    err = gofer_call_send(&c);
    if (err) {
        conn->free_fids[conn->nfree++] = *fid;
        return err;
    }
    conn->nfids++; /* a root keeps its fid: it is not in conn->dirs */
    *rep = c.m.body.attach_rep;
    conn->fid_limit = MIN(MIN(rep->fid_max, rep->open_max), (u32)FID_LIMIT);
    return 0;
}

/* One walk: from a node with a fid down to n, at most GOFER_WALK_MAX below it. */
static int walk_to(struct gofer_conn *conn, struct gofer_node *from, struct gofer_node *n,
                   u32 depth)
{
    struct gofer_walk_req req = {.fid = from->fid, .count = (u16)depth};
    struct gofer_call c = {.conn = conn};
    const char *names[GOFER_WALK_MAX];
    u32 fid;
    int err;

    /* Not to be dropped by fid_alloc: the most recently used one. */
    list_del(&from->fid_link);
    if (from->parent)
        list_add_tail(&conn->dirs, &from->fid_link);
    err = fid_alloc(conn, &fid);
    if (err)
        return err;
    req.newfid = fid;
    for (struct gofer_node *d = n; d != from; d = d->parent)
        names[--depth] = d->name;
    gofer_call_begin(&c, GOFER_WALK, &req, sizeof(req));
    for (u32 i = 0; i < req.count; i++)
        gofer_put_str(&c.w, names[i], strlen(names[i]));
    err = gofer_call_send(&c);
    if (!err)
        err = c.m.body.walk_rep.stop;
    if (!err && !S_ISDIR(gofer_msg_attr(&c.m, c.m.count - 1u).mode))
        err = -ENOTDIR;
    if (err)
        conn->free_fids[conn->nfree++] = fid;
    else
        fid_set(conn, n, fid);
    return err;
}

s64 gofer_node_fid(struct gofer_conn *conn, struct gofer_node *n)
{
    while (n->fid == GOFER_NOFID) {
        struct gofer_node *from, *to = n;
        u32 depth = 0;
        int err;

        for (from = n; from->fid == GOFER_NOFID; from = from->parent) {
            if (!from->parent)
                return -ENOENT; /* a directory that was removed */
            depth++;
        }
        for (; depth > GOFER_WALK_MAX; depth--)
            to = to->parent;
        err = walk_to(conn, from, to, depth);
        if (err)
            return err;
    }
    if (n->parent) {
        list_del(&n->fid_link);
        list_add_tail(&conn->dirs, &n->fid_link);
    }
    return n->fid;
}
