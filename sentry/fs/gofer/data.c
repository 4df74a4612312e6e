// SPDX-License-Identifier: Apache-2.0
/*
 * Small files of read-only trees: the gofer sends all of one in one message, which saves the
 * descriptor, and it is kept while there is room. So opening, reading and closing such a file again
 * asks nobody.
 */
#include "sentry/fs/gofer/client.h"

#define SMALL_MAX (16 * 1024)
#define TOTAL_MAX (8 * 1024 * 1024)

static struct spinlock data_lock;
static struct list holders = LIST_INIT(holders); /* gofer_node.data_link, the oldest first */
static u64 total;                                /* bytes held */

void gofer_data_put(struct gofer_data *d)
{
    if (d && ref_put(&d->refs))
        kfree(d);
}

/* n holds nothing any more; data_lock held. */
static struct gofer_data *detach(struct gofer_node *n)
{
    struct gofer_data *d = n->data;

    if (!d)
        return NULL;
    list_del(&n->data_link);
    total -= d->len;
    n->data = NULL;
    return d;
}

void gofer_data_drop(struct gofer_node *n)
{
    spin_lock(&data_lock);
    struct gofer_data *d = detach(n);
    spin_unlock(&data_lock);
    gofer_data_put(d);
}

static struct gofer_data *find(struct gofer_node *n)
{
    spin_lock(&data_lock);
    struct gofer_data *d = n->data;
    if (d)
        ref_get(&d->refs);
    spin_unlock(&data_lock);
    return d;
}

/* Let n hold d; whoever held theirs for longest gives it up when it gets too much. */
static void keep(struct gofer_node *n, struct gofer_data *d)
{
    struct gofer_data *old = NULL;

    ref_get(&d->refs);
    spin_lock(&data_lock);
    if (n->data) {
        old = d; /* somebody was faster: only the new reference goes */
    } else {
        n->data = d;
        total += d->len;
        list_add_tail(&holders, &n->data_link);
    }
    spin_unlock(&data_lock);
    gofer_data_put(old);
    do {
        spin_lock(&data_lock);
        old = total > TOTAL_MAX ? detach(list_first(&holders, struct gofer_node, data_link)) : NULL;
        spin_unlock(&data_lock);
        gofer_data_put(old);
    } while (old);
}

static struct gofer_data *fetch(struct gofer_node *n)
{
    struct gofer_readfile_req req = {.fid = n->tree->fid, .max = SMALL_MAX};
    struct gofer_call c = {.conn = n->tree->conn};
    struct gofer_data *d = NULL;
    int err;

    mutex_lock(&c.conn->lock);
    gofer_call_begin(&c, GOFER_READFILE, &req, sizeof(req));
    gofer_call_path(&c, n, NULL, 0);
    err = gofer_call_send(&c);
    if (!err && c.m.body.readfile_rep.attr.ino == n->ino &&
        c.m.body.readfile_rep.attr.dev == n->dev)
        d = kmalloc(sizeof(*d) + c.m.tail_len);
    if (d) {
        ref_init(&d->refs, 1);
        d->len = c.m.tail_len;
        memcpy(d->bytes, c.m.tail, d->len);
    }
    mutex_unlock(&c.conn->lock);
    return d;
}

struct gofer_data *gofer_data_get(struct gofer_node *n)
{
    struct gofer_data *d;

    if (n->inode->attr.size > SMALL_MAX || !n->tree->readonly)
        return NULL;
    d = find(n);
    if (d || n->host_fd[0] >= 0) /* mapped: its pages are at hand already */
        return d;
    d = fetch(n);
    if (d)
        keep(n, d);
    return d;
}
