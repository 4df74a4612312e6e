// SPDX-License-Identifier: Apache-2.0
/*
 * Small files of read-only trees: the gofer sends all of one in one message, which saves the
 * descriptor, and it is kept while there is room. So opening, reading and closing such a file again
 * asks nobody.
 */
#include "sentry/fs/gofer/client.h"
#include "sentry/kernel/container.h"

#define SMALL_MAX (16 * 1024)
#define AHEAD     (64 * 1024 - (u32)sizeof(struct gofer_data)) /* with its head a power of two */
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

static struct gofer_data *find(struct gofer_node *n, u64 pos)
{
    spin_lock(&data_lock);
    struct gofer_data *d = n->data;
    if (d && (pos < d->pos || pos >= d->pos + d->len))
        d = NULL;
    if (d)
        ref_get(&d->refs);
    spin_unlock(&data_lock);
    return d;
}

/* Let n hold d; whoever held theirs for longest gives it up when it gets too much. */
static void keep(struct gofer_node *n, struct gofer_data *d)
{
    struct gofer_data *old;

    ref_get(&d->refs);
    spin_lock(&data_lock);
    old = detach(n);
    n->data = d;
    total += d->len;
    list_add_tail(&holders, &n->data_link);
    spin_unlock(&data_lock);
    gofer_data_put(old);
    do {
        spin_lock(&data_lock);
        old = total > TOTAL_MAX ? detach(list_first(&holders, struct gofer_node, data_link)) : NULL;
        spin_unlock(&data_lock);
        gofer_data_put(old);
    } while (old);
}

static struct gofer_data *data_new(u64 pos, u32 len)
{
    struct gofer_data *d = kmalloc(sizeof(*d) + len);

    if (d) {
        ref_init(&d->refs, 1);
        d->len = len;
        d->pos = pos;
    }
    return d;
}

/* All of a small file. */
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
        d = data_new(0, c.m.tail_len);
    if (d) {
        memcpy(d->bytes, c.m.tail, d->len);
        container_count_io(d->len, 0);
    }
    mutex_unlock(&c.conn->lock);
    return d;
}

s64 gofer_pread(u64 fd, pa_t to, u64 len, u64 pos)
{
    s64 got = HOSTCALL_WAIT(HC_PREAD, fd, to, len, pos);

    container_count_io(MAX(got, (s64)0), 0);
    return got;
}

s64 gofer_pwrite(u64 fd, pa_t from, u64 len, u64 pos)
{
    s64 put = HOSTCALL_WAIT(HC_PWRITE, fd, from, len, pos);

    container_count_io(0, MAX(put, (s64)0));
    return put;
}

/* A piece of a large one. */
static struct gofer_data *read_ahead(struct gofer_node *n, u64 pos)
{
    s64 fd = gofer_data_fd(n), got;
    struct gofer_data *d = fd < 0 ? NULL : data_new(pos, AHEAD);

    if (!d)
        return NULL;
    got = gofer_pread((u64)fd, virt_to_phys(d->bytes), AHEAD, pos);
    if (got <= 0) {
        kfree(d);
        return NULL;
    }
    d->len = (u32)got;
    n->heat += (u64)got;
    return d;
}

struct gofer_data *gofer_data_get(struct gofer_node *n, u64 pos, u64 want, bool hot)
{
    bool small = n->inode->attr.size <= SMALL_MAX, sequential = pos && pos == n->next;
    struct gofer_data *d = find(n, pos);

    n->next = pos + want;
    if (d || hot || !n->tree->readonly)
        return d;
    if (small && n->host_fd[0] < 0)
        d = fetch(n);
    else if (!small && sequential && want < AHEAD / 2)
        d = read_ahead(n, pos);
    if (d)
        keep(n, d);
    return d;
}
