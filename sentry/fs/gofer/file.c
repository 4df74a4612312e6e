// SPDX-License-Identifier: Apache-2.0
/*
 * Regular files of the gofer. The gofer opens them once and hands over the host descriptor; data
 * comes from there. What is read for the first time is copied by the host (no mapping to set up,
 * the disk is waited for without a CPU); what is read again or mapped is in the file window, the
 * host's own page.
 */
#include <linux/falloc.h>
#include "sentry/fs/gofer/client.h"

#define COPY_ORDER 5 /* 128 KiB at a time */
#define COPY_MAX   (PAGE_SIZE << COPY_ORDER)
#define IDLE_MAX   256

/* Files that nobody has open, but whose descriptors are still there; the longest idle first. */
static struct spinlock idle_lock;
static struct list idle = LIST_INIT(idle);
static u32 nidle;

/* ---- host descriptors ---- */

static void close_host(struct gofer_node *n)
{
    for (unsigned i = 0; i < 2; i++) {
        if (n->host_fd[i] >= 0)
            HOSTCALL(HC_FD_CLOSE, (u64)n->host_fd[i]);
        n->host_fd[i] = -1;
    }
}

static void idle_remove(struct gofer_node *n)
{
    spin_lock(&idle_lock);
    if (!list_empty(&n->idle_link)) {
        list_del(&n->idle_link);
        nidle--;
    }
    spin_unlock(&idle_lock);
}

static void idle_add(struct gofer_node *n)
{
    struct gofer_node *old = NULL;

    spin_lock(&idle_lock);
    if (list_empty(&n->idle_link)) {
        list_add_tail(&idle, &n->idle_link);
        nidle++;
    }
    if (nidle > IDLE_MAX) {
        old = list_first(&idle, struct gofer_node, idle_link);
        list_del(&old->idle_link);
        nidle--;
        if (!ref_get_unless_zero(&old->inode->refs))
            old = NULL; /* its eviction closes them */
    }
    spin_unlock(&idle_lock);
    if (!old)
        return;
    mutex_lock(&old->lock);
    if (!old->opens)
        close_host(old);
    mutex_unlock(&old->lock);
    inode_put(old->inode);
}

void gofer_file_evict(struct gofer_node *n)
{
    idle_remove(n);
    gofer_data_drop(n);
    gofer_chunks_drop(n);
    close_host(n);
}

/* Ask the gofer for a descriptor. n->lock held. */
static int open_host(struct gofer_node *n, bool write)
{
    struct gofer_open_req req = {
        .fid = n->tree->fid, .newfid = GOFER_NOFID, .flags = write ? O_RDWR : O_RDONLY};
    struct gofer_call c = {.conn = n->tree->conn, .fd = -1};
    int err;

    mutex_lock(&c.conn->lock);
    gofer_call_begin(&c, GOFER_OPEN, &req, sizeof(req));
    gofer_call_path(&c, n, NULL, 0);
    err = gofer_call_send(&c);
    if (!err && c.fd < 0)
        err = -EIO;
    /* Somebody on the host may have given the name to another file. */
    if (!err && (c.m.body.open_rep.attr.ino != n->ino || c.m.body.open_rep.attr.dev != n->dev))
        err = -ESTALE;
    mutex_unlock(&c.conn->lock);
    if (err && c.fd >= 0)
        HOSTCALL(HC_FD_CLOSE, (u64)c.fd);
    if (!err)
        n->host_fd[write] = c.fd;
    return err;
}

int gofer_need_fd(struct gofer_node *n)
{
    return n->host_fd[0] < 0 && n->host_fd[1] < 0 ? open_host(n, false) : 0;
}

/*
 * Where nothing changes the file is still there when it is read, and most files that are opened are
 * read once or not at all: the descriptor can wait.
 */
int gofer_file_get(struct inode *i, bool write)
{
    struct gofer_node *n = node_of(i);
    bool unused;
    int err = 0;

    mutex_lock(&n->lock);
    if (n->opens++ == 0)
        idle_remove(n);
    if (!n->tree->readonly && n->host_fd[1] < 0 && n->host_fd[write] < 0)
        err = open_host(n, write);
    unused = err && --n->opens == 0;
    mutex_unlock(&n->lock);
    if (unused)
        idle_add(n);
    return err;
}

void gofer_file_put(struct inode *i)
{
    struct gofer_node *n = node_of(i);
    bool last;

    mutex_lock(&n->lock);
    last = --n->opens == 0;
    if (last && i->attr.nlink == 0)
        close_host(n);
    last = last && (n->host_fd[0] >= 0 || n->host_fd[1] >= 0);
    mutex_unlock(&n->lock);
    if (last)
        idle_add(n);
}

static int open(struct inode *i, struct vfs_file *f)
{
    return gofer_file_get(i, f->mode & FMODE_WRITE);
}

static void release(struct vfs_file *f)
{
    gofer_file_put(f->inode);
}

/* ---- reading ---- */

/* Once all of a file's length has been copied it is worth having in the window. */
static bool is_hot(const struct gofer_node *n)
{
    return n->nvmas || n->heat >= n->inode->attr.size;
}

s64 gofer_data_fd(struct gofer_node *n)
{
    int err = 0;

    if (n->host_fd[0] < 0 && n->host_fd[1] < 0) {
        mutex_lock(&n->lock);
        err = gofer_need_fd(n);
        mutex_unlock(&n->lock);
    }
    return err ? err : n->host_fd[n->host_fd[1] >= 0];
}

/* Pages for a transfer of n bytes; *len is set to what fits. */
static unsigned bounce_order(u64 len)
{
    unsigned order = 0;

    while (order < COPY_ORDER && PAGE_SIZE << order < len)
        order++;
    return order;
}

static struct page *bounce_get(u64 n, u64 *len)
{
    struct page *p;

    *len = MIN(n, COPY_MAX);
    p = page_alloc(bounce_order(*len), 0);
    if (!p) {
        *len = MIN(n, PAGE_SIZE);
        p = page_alloc(0, 0);
    }
    return p;
}

static void bounce_put(struct page *p, u64 len)
{
    for (unsigned i = 0; i < 1u << bounce_order(len); i++)
        page_put(p + i);
}

/* Up to n bytes at pos by way of the host's pread. Bytes moved, or -errno when there are none. */
static s64 read_copied(struct gofer_node *n, struct uio *to, u64 pos, u64 want)
{
    s64 fd = gofer_data_fd(n), got;
    u64 len;
    struct page *p = fd < 0 ? NULL : bounce_get(want, &len);

    if (!p)
        return fd < 0 ? fd : -ENOMEM;
    got = gofer_pread((u64)fd, page_to_phys(p), len, pos);
    if (got > 0) {
        n->heat += (u64)got; /* a lost update does not matter */
        u64 moved = copy_to_uio(to, page_virt(p), (u64)got);
        got = moved ? (s64)moved : -EFAULT;
    }
    bounce_put(p, len);
    return got;
}

/* From what data.c has, or gets. 0: it is for somebody else to read. */
static s64 read_kept(struct gofer_node *n, struct uio *to, u64 pos, u64 want, bool hot)
{
    struct gofer_data *d = gofer_data_get(n, pos, want, hot);
    s64 moved = 0;

    if (!d)
        return 0;
    if (pos >= d->pos && pos < d->pos + d->len) {
        u64 off = pos - d->pos;
        moved = (s64)copy_to_uio(to, d->bytes + off, MIN(want, d->len - off));
        moved = moved ? moved : -EFAULT;
    }
    gofer_data_put(d);
    return moved;
}

s64 gofer_file_read(struct inode *i, struct uio *to, u64 pos, u64 want)
{
    struct gofer_node *n = node_of(i);
    u64 off = pos % WINDOW_CHUNK, moved;
    bool hot = is_hot(n);
    s64 kept = read_kept(n, to, pos, want, hot);
    struct gofer_chunk *c;

    if (kept)
        return kept;
    c = gofer_chunk_get(n, pos / WINDOW_CHUNK, hot);
    if (!c)
        return read_copied(n, to, pos, want);
    moved = copy_to_uio(to, (char *)phys_to_virt(gofer_chunk_pa(c)) + off,
                        MIN(want, WINDOW_CHUNK - off));
    gofer_chunk_put(c);
    return moved ? (s64)moved : -EFAULT;
}

static s64 read(struct vfs_file *f, struct uio *to, u64 *pos)
{
    u64 size = f->inode->attr.size, start = *pos, end;
    s64 got = 0;

    if (start >= size || !to->left)
        return 0;
    end = start + MIN(to->left, size - start);
    while (*pos < end) {
        got = gofer_file_read(f->inode, to, *pos, end - *pos);
        if (got <= 0)
            break;
        *pos += (u64)got;
    }
    file_accessed(f);
    return *pos > start ? (s64)(*pos - start) : got;
}

/* ---- writing ---- */

static s64 write_some(struct gofer_node *n, struct uio *from, u64 pos)
{
    u64 len, done = 0;
    struct page *p = bounce_get(from->left, &len);
    s64 put = -EFAULT;

    if (!p)
        return -ENOMEM;
    u64 got = copy_from_uio(page_virt(p), from, len);
    while (done < got) {
        put = gofer_pwrite((u64)n->host_fd[1], page_to_phys(p) + done, got - done, pos + done);
        if (put <= 0)
            break;
        done += (u64)put;
    }
    bounce_put(p, len);
    return done ? (s64)done : put;
}

static s64 write(struct vfs_file *f, struct uio *from, u64 *pos)
{
    struct inode *i = f->inode;
    s64 put = 0, total = 0;

    if (!from->left)
        return 0;
    down_write(&i->lock);
    if (f->flags & O_APPEND)
        *pos = i->attr.size;
    while (from->left) {
        put = write_some(node_of(i), from, *pos);
        if (put <= 0)
            break;
        *pos += (u64)put;
        total += put;
        if (*pos > i->attr.size) {
            i->attr.size = *pos;
            i->attr.blocks = (*pos + 511) / 512;
        }
    }
    if (total)
        inode_modified(i);
    up_write(&i->lock);
    if (total && (f->flags & (O_DSYNC | O_SYNC)))
        HOSTCALL_WAIT(HC_FSYNC, (u64)node_of(i)->host_fd[1], (f->flags & O_SYNC) != O_SYNC);
    return total ? total : put;
}

static int fsync(struct vfs_file *f, bool datasync)
{
    s64 fd = gofer_data_fd(node_of(f->inode));

    return (int)(fd < 0 ? fd : HOSTCALL_WAIT(HC_FSYNC, (u64)fd, datasync));
}

static int fallocate(struct vfs_file *f, int mode, u64 off, u64 len)
{
    struct inode *i = f->inode;
    int err;

    down_write(&i->lock);
    err = (int)HOSTCALL_WAIT(HC_FALLOCATE, (u64)node_of(i)->host_fd[1], (u64)mode, off, len);
    if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && off + len > i->attr.size)
        i->attr.size = off + len;
    if (!err)
        inode_modified(i);
    up_write(&i->lock);
    return err;
}

/* ---- mapping ---- */

/* No room in the window: a page of our own, for mappings that cannot tell the difference. */
static int fault_copied(struct gofer_node *n, u64 index, struct fault_page *out)
{
    s64 fd = gofer_data_fd(n), got;
    struct page *p = fd < 0 ? NULL : page_alloc(0, PAGE_ALLOC_ZERO);

    if (!p)
        return fd < 0 ? -EFAULT : -ENOMEM;
    got = gofer_pread((u64)fd, page_to_phys(p), PAGE_SIZE, index * PAGE_SIZE);
    if (got < 0) {
        page_put(p);
        return -EFAULT;
    }
    *out = (struct fault_page){.pa = page_to_phys(p), .npages = 1};
    return 0;
}

static int file_fault(struct gofer_node *n, u64 index, bool shared_write, bool write,
                      struct fault_page *out)
{
    const u64 per_chunk = WINDOW_CHUNK / PAGE_SIZE;
    u64 pages = (n->inode->attr.size + PAGE_SIZE - 1) / PAGE_SIZE, in = index % per_chunk;
    struct gofer_chunk *c;

    if (index >= pages)
        return -EFAULT;
    c = gofer_chunk_get(n, index / per_chunk, true);
    if (!c)
        return shared_write ? -ENOMEM : fault_copied(n, index, out);
    if (write && shared_write && !gofer_chunk_make_writable(c)) {
        gofer_chunk_put(c);
        return -EFAULT;
    }
    *out = (struct fault_page){
        .pa = gofer_chunk_pa(c) + in * PAGE_SIZE,
        .special = true,
        .writable = shared_write && gofer_chunk_writable(c),
        .npages = (u32)MIN(per_chunk - in, pages - index),
        .nbefore = (u32)in,
    };
    gofer_chunk_put(c); /* stays: the file has a mapping */
    return 0;
}

int gofer_file_fault(struct inode *i, u64 index, struct fault_page *out)
{
    return file_fault(node_of(i), index, false, false, out);
}

static int fault(struct vma *vma, u64 index, bool write, struct fault_page *out)
{
    bool shared_write = (vma->flags & VMA_SHARED) && (vma->flags & VMA_MAYWRITE);

    return file_fault(node_of(vma->file->inode), index, shared_write, write, out);
}

static void vma_open(struct vma *vma)
{
    gofer_vma_count(vma->file->inode, 1);
}

static void vma_close(struct vma *vma)
{
    gofer_vma_count(vma->file->inode, -1);
}

static const struct vma_ops vma_ops = {.fault = fault, .open = vma_open, .close = vma_close};

static int mmap(struct vfs_file *f, struct vma *vma)
{
    vma->ops = &vma_ops;
    gofer_vma_count(f->inode, 1);
    return 0;
}

const struct file_ops gofer_file_fops = {
    .read = read,
    .write = write,
    .mmap = mmap,
    .fsync = fsync,
    .fallocate = fallocate,
    .release = release,
};

const struct inode_ops gofer_file_iops = {
    .open = open,
    .setattr = gofer_setattr,
    .evict = gofer_evict,
};
