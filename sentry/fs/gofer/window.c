// SPDX-License-Identifier: Apache-2.0
/*
 * The file window, as the gofer's files use it: 2 MiB pieces of host files appear in the sandbox's
 * physical address space and stay there while there is room. A chunk that is being read, or whose
 * file is mapped by some address space, stays where it is; the rest may be given to other files,
 * oldest first.
 */
#include "sentry/fs/gofer.h"
#include "sentry/fs/gofer/client.h"

#define CHUNKS_MAX      12288 /* the host has a limit of 65530 mappings for a process */
#define CHUNKS_PER_FILE (1u << 19)

/* One piece of the window. Guarded by window_lock; node and index constant while in use. */
struct gofer_chunk {
    struct gofer_node *node; /* NULL: free */
    u64 index;
    u32 nr;    /* place in the window */
    u32 users; /* readers, right now */
    bool touched;
    bool writable;
    struct list link; /* chunks: in use, in the order of mapping; or free_chunks */
};

static struct spinlock window_lock;
static struct list used = LIST_INIT(used), unused = LIST_INIT(unused);
static u32 nchunks; /* that were ever made */

pa_t gofer_chunk_pa(const struct gofer_chunk *c)
{
    return WINDOW_GPA + c->nr * WINDOW_CHUNK;
}

bool gofer_chunk_writable(const struct gofer_chunk *c)
{
    return c->writable;
}

static s64 map_at(struct gofer_chunk *c, struct gofer_node *n, u64 index, bool writable)
{
    return HOSTCALL_WAIT(HC_WINDOW_MAP, (u64)n->host_fd[n->host_fd[1] >= 0], index * WINDOW_CHUNK,
                         WINDOW_CHUNK, gofer_chunk_pa(c), writable);
}

bool gofer_chunk_make_writable(struct gofer_chunk *c)
{
    struct gofer_node *n = c->node;

    mutex_lock(&n->lock);
    /* The same pages of the same file: whoever has them mapped does not notice. */
    if (!c->writable && n->host_fd[1] >= 0 && map_at(c, n, c->index, true) == 0)
        c->writable = true;
    mutex_unlock(&n->lock);
    return c->writable;
}

void gofer_chunk_put(struct gofer_chunk *c)
{
    spin_lock(&window_lock);
    c->users--;
    spin_unlock(&window_lock);
}

void gofer_vma_count(struct inode *i, s32 delta)
{
    spin_lock(&window_lock);
    node_of(i)->nvmas += (u32)delta;
    spin_unlock(&window_lock);
}

void gofer_set_top(struct inode *i, struct inode *was, struct inode *now)
{
    spin_lock(&window_lock);
    if (!was || node_of(i)->top == was)
        node_of(i)->top = now;
    spin_unlock(&window_lock);
}

/* Detach a chunk from its file. window_lock held. */
static void detach(struct gofer_chunk *c)
{
    c->node->chunks[c->index] = NULL;
    c->node = NULL;
    list_del(&c->link);
}

/* A chunk that may be used anew, in no list; NULL: there is none. window_lock held. */
static struct gofer_chunk *recycle(void)
{
    struct gofer_chunk *c, *tmp;

    if (!list_empty(&unused)) {
        c = list_first(&unused, struct gofer_chunk, link);
        list_del(&c->link);
        return c;
    }
    if (nchunks < CHUNKS_MAX)
        return NULL;
    for (int round = 0; round < 2; round++) {
        list_for_each_safe (c, tmp, &used, link) {
            if (c->users || c->node->nvmas)
                continue;
            if (!c->touched || round) {
                detach(c);
                return c;
            }
            c->touched = false;
        }
    }
    return NULL;
}

static struct gofer_chunk *chunk_new(void)
{
    struct gofer_chunk *c = kzalloc(sizeof(*c));

    if (!c)
        return NULL;
    spin_lock(&window_lock);
    if (nchunks < CHUNKS_MAX) {
        c->nr = nchunks++;
        spin_unlock(&window_lock);
        list_init(&c->link);
        return c;
    }
    spin_unlock(&window_lock);
    kfree(c);
    return NULL;
}

static struct gofer_chunk *find(struct gofer_node *n, u64 index)
{
    struct gofer_chunk *c = NULL;

    spin_lock(&window_lock);
    if (index < n->nchunks && n->chunks[index]) {
        c = n->chunks[index];
        c->users++;
        c->touched = true;
    }
    spin_unlock(&window_lock);
    return c;
}

/* Room for a chunk at index in n's table. n->lock held. */
static int reserve(struct gofer_node *n, u64 index)
{
    u64 want = MAX(n->inode->attr.size / WINDOW_CHUNK, index) + 1;
    struct gofer_chunk **table, **old;

    if (index < n->nchunks)
        return 0;
    if (index >= CHUNKS_PER_FILE)
        return -EFBIG;
    want = MIN(want, (u64)CHUNKS_PER_FILE);
    table = kzalloc(want * sizeof(*table));
    if (!table)
        return -ENOMEM;
    spin_lock(&window_lock);
    if (n->nchunks)
        memcpy(table, n->chunks, n->nchunks * sizeof(*table));
    old = n->chunks;
    n->chunks = table;
    n->nchunks = want;
    spin_unlock(&window_lock);
    kfree(old);
    return 0;
}

/* Bring chunk `index` of n into the window. n->lock held. */
static struct gofer_chunk *map_chunk(struct gofer_node *n, u64 index)
{
    bool writable = n->host_fd[1] >= 0;
    struct gofer_chunk *c;
    s64 err;

    if (gofer_need_fd(n) || reserve(n, index))
        return NULL;
    spin_lock(&window_lock);
    c = recycle();
    spin_unlock(&window_lock);
    if (!c)
        c = chunk_new();
    if (!c)
        return NULL;
    err = map_at(c, n, index, writable);
    spin_lock(&window_lock);
    if (err) {
        list_add(&unused, &c->link);
        c = NULL;
    } else {
        c->node = n;
        c->index = index;
        c->users = 1;
        c->touched = true;
        c->writable = writable;
        n->chunks[index] = c;
        list_add_tail(&used, &c->link);
    }
    spin_unlock(&window_lock);
    if (err)
        log_debug("gofer: cannot map a file: error %lld", (long long)err);
    return c;
}

struct gofer_chunk *gofer_chunk_get(struct gofer_node *n, u64 index, bool map)
{
    struct gofer_chunk *c = find(n, index);

    if (c || !map)
        return c;
    mutex_lock(&n->lock);
    c = find(n, index);
    if (!c)
        c = map_chunk(n, index);
    mutex_unlock(&n->lock);
    return c;
}

/*
 * What is mapped stays mapped until the chunk is used again: that costs nothing, and unmapping
 * would. Only a file that has no name any more shall not keep its space on the disk.
 */
void gofer_chunks_drop(struct gofer_node *n)
{
    bool unmap = n->inode->attr.nlink == 0;

    for (u64 i = 0; i < n->nchunks; i++) {
        struct gofer_chunk *c = n->chunks[i];
        if (!c)
            continue;
        spin_lock(&window_lock);
        detach(c);
        spin_unlock(&window_lock);
        if (unmap)
            HOSTCALL(HC_WINDOW_UNMAP, gofer_chunk_pa(c), WINDOW_CHUNK);
        spin_lock(&window_lock);
        list_add(&unused, &c->link);
        spin_unlock(&window_lock);
    }
    kfree(n->chunks);
    n->chunks = NULL;
    n->nchunks = 0;
}

/* The chunk at pa, its file, and who maps it, with references; NULL: none. */
static struct gofer_chunk *lost_chunk(pa_t pa, struct inode **i, struct inode **top)
{
    struct gofer_chunk *c, *found = NULL;

    spin_lock(&window_lock);
    list_for_each (c, &used, link) {
        if (gofer_chunk_pa(c) / WINDOW_CHUNK != pa / WINDOW_CHUNK)
            continue;
        *i = c->node->inode;
        *top = c->node->top ? c->node->top : *i;
        if (!ref_get_unless_zero(&(*i)->refs))
            break;
        if (!ref_get_unless_zero(&(*top)->refs))
            *top = NULL;
        c->users++;
        found = c;
        break;
    }
    spin_unlock(&window_lock);
    return found;
}

void gofer_windows_check(void)
{
    struct hostcall hc = {.nr = HC_WINDOW_LOST};

    while (host_call(&hc) > 0)
        gofer_window_lost(hc.out[0], hc.out[1]);
}

/* The host says that the file behind these pages became shorter: whoever touches them gets SIGBUS.
 */
void gofer_window_lost(pa_t pa, u64 len)
{
    struct inode *i, *top;
    struct gofer_chunk *c = lost_chunk(pa, &i, &top);

    (void)len;
    if (!c)
        return;
    gofer_refresh_size(i);
    if (top) {
        if (top != i && top->attr.size > i->attr.size)
            top->attr.size = i->attr.size;
        mapping_evict_range(&top->mapping, (i->attr.size + PAGE_SIZE - 1) / PAGE_SIZE, U64_MAX);
        inode_put(top);
    }
    /* The host has put zero pages there; map the file again, for the day it grows. */
    mutex_lock(&c->node->lock);
    if (map_at(c, c->node, c->index, c->writable))
        log_debug("gofer: cannot map a truncated file again");
    mutex_unlock(&c->node->lock);
    gofer_chunk_put(c);
    inode_put(i);
}
