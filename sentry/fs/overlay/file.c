// SPDX-License-Identifier: Apache-2.0
/*
 * Regular files of the overlay. What was written is in pages of ours; everything else is read from
 * the lower file, up to the length that it still counts for. Mappings show the lower file's own
 * pages until somebody opens the file for writing; from then on they are given pages of ours, so
 * that all see the same.
 */
#include <linux/falloc.h>
#include "sentry/fs/overlay/overlay.h"

#define pages_of(bytes) (((bytes) + PAGE_SIZE - 1) / PAGE_SIZE)

static struct overlay_node *node(const struct vfs_file *f)
{
    return ovl_node(f->inode);
}

/* Fill a page of ours with what the lower file has there. n->lock held. */
static int fill(struct overlay_node *n, u64 index, void *page)
{
    u64 pos = index * PAGE_SIZE, end = MIN(n->lower_len, pos + PAGE_SIZE);
    struct uio to;

    if (end <= pos)
        return 0;
    uio_kernel(&to, page, end - pos);
    while (pos < end) {
        s64 got = gofer_file_read(n->lower, &to, pos, end - pos);
        if (got <= 0)
            return got ? (int)got : -EIO;
        pos += (u64)got;
    }
    return 0;
}

/*
 * Page `index` of the file as one of ours, with a reference; grows: it may be behind the end.
 * ERR_PTR: -EFAULT behind the end, -ENOMEM, or what reading the lower file gave.
 */
static struct page *own_page(struct overlay_node *n, u64 index, bool grows)
{
    struct page *p = pagetree_get(&n->pages, index);
    int err = 0;

    if (p)
        return p;
    mutex_lock(&n->lock);
    p = pagetree_get(&n->pages, index);
    if (!p && !grows && index >= pages_of(n->inode->attr.size)) {
        err = -EFAULT;
    } else if (!p) {
        p = page_alloc(0, PAGE_ALLOC_ZERO | PAGE_ALLOC_USER);
        err = p ? fill(n, index, page_virt(p)) : -ENOMEM;
        if (!err)
            err = pagetree_insert(&n->pages, index, p);
    }
    mutex_unlock(&n->lock);
    if (!err)
        return p;
    if (p)
        page_put(p);
    return ERR_PTR(err);
}

/* ---- opening ---- */

static int open(struct inode *i, struct vfs_file *f)
{
    struct overlay_node *n = ovl_node(i);
    bool write = f->mode & FMODE_WRITE;
    int err;

    if (!n->lower)
        return 0;
    if (!(write && (f->flags & O_TRUNC))) {
        err = gofer_file_get(n->lower, false);
        if (err)
            return err;
        f->private = n->lower;
    }
    if (write && !n->private_maps) {
        n->private_maps = true;
        mapping_evict_range(&i->mapping, 0, U64_MAX);
    }
    return 0;
}

static void release(struct vfs_file *f)
{
    if (f->private)
        gofer_file_put(f->private);
}

/* ---- reading ---- */

/* Bytes from pos, before end, that come from one place. */
static s64 read_some(struct overlay_node *n, struct uio *to, u64 pos, u64 end)
{
    u64 index = pos / PAGE_SIZE, off = pos % PAGE_SIZE, moved, next;
    struct page *p = pagetree_get(&n->pages, index);

    if (p) {
        moved = copy_to_uio(to, (char *)page_virt(p) + off, MIN(end - pos, PAGE_SIZE - off));
        page_put(p);
        return moved ? (s64)moved : -EFAULT;
    }
    next = n->pages.count ? pagetree_next(&n->pages, index) : U64_MAX;
    if (next < pages_of(end))
        end = next * PAGE_SIZE;
    if (pos < n->lower_len)
        return gofer_file_read(n->lower, to, pos, MIN(end, n->lower_len) - pos);
    moved = zero_uio(to, end - pos);
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
        got = read_some(node(f), to, *pos, end);
        if (got <= 0)
            break;
        *pos += (u64)got;
    }
    file_accessed(f);
    return *pos > start ? (s64)(*pos - start) : got;
}

/* ---- writing ---- */

static s64 write_page(struct overlay_node *n, struct uio *from, u64 pos)
{
    u64 off = pos % PAGE_SIZE, moved;
    struct page *p = own_page(n, pos / PAGE_SIZE, true);

    if (IS_ERR(p))
        return PTR_ERR(p) == -ENOMEM ? -ENOSPC : PTR_ERR(p);
    moved = copy_from_uio((char *)page_virt(p) + off, from, MIN(from->left, PAGE_SIZE - off));
    page_put(p);
    return moved ? (s64)moved : -EFAULT;
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
        put = write_page(ovl_node(i), from, *pos);
        if (put <= 0)
            break;
        *pos += (u64)put;
        total += put;
        if (*pos > i->attr.size)
            i->attr.size = *pos;
    }
    if (total) {
        i->attr.blocks = pages_of(i->attr.size) * (PAGE_SIZE / 512);
        inode_modified(i);
        overlay_pin(i);
    }
    up_write(&i->lock);
    return total ? total : put;
}

/* Zeroes in [from, to) of page `index`. */
static int zero_part(struct overlay_node *n, u64 index, u64 from, u64 to)
{
    struct page *p = own_page(n, index, false);

    if (IS_ERR(p))
        return (int)PTR_ERR(p);
    memset((char *)page_virt(p) + from, 0, to - from);
    page_put(p);
    return 0;
}

/* A file that shrinks to within a page: zeroes behind the end, for when it grows again. */
static int cut_page(struct overlay_node *n, u64 size)
{
    u64 index = size / PAGE_SIZE;
    bool lower = n->lower_len > size;
    int err = lower ? gofer_file_get(n->lower, false) : 0;

    if (err || (!lower && pagetree_next(&n->pages, index) != index))
        return err;
    err = zero_part(n, index, size % PAGE_SIZE, PAGE_SIZE);
    if (lower)
        gofer_file_put(n->lower);
    if (!err)
        mapping_evict_range(&n->inode->mapping, index, index);
    return err;
}

int overlay_truncate(struct inode *i, u64 size)
{
    struct overlay_node *n = ovl_node(i);
    u64 old = i->attr.size;
    int err = size < old && size % PAGE_SIZE ? cut_page(n, size) : 0;

    if (err)
        return err;
    mutex_lock(&n->lock);
    n->lower_len = MIN(n->lower_len, size);
    i->attr.size = size;
    i->attr.blocks = pages_of(size) * (PAGE_SIZE / 512);
    mutex_unlock(&n->lock);
    if (size < old) {
        mapping_unmap_range(&i->mapping, pages_of(size), U64_MAX);
        pagetree_remove(&n->pages, pages_of(size), U64_MAX);
    }
    return 0;
}

static int fsync(struct vfs_file *f, bool datasync)
{
    return 0; /* there is nothing more lasting than this memory */
}

static int punch_hole(struct overlay_node *n, u64 off, u64 end)
{
    int err = 0;

    end = MIN(end, n->inode->attr.size);
    while (!err && off < end) {
        u64 index = off / PAGE_SIZE, stop = MIN(end, (index + 1) * PAGE_SIZE);
        if (index * PAGE_SIZE < n->lower_len || pagetree_next(&n->pages, index) == index)
            err = zero_part(n, index, off % PAGE_SIZE, stop - index * PAGE_SIZE);
        off = stop;
    }
    return err;
}

static int fallocate(struct vfs_file *f, int mode, u64 off, u64 len)
{
    struct inode *i = f->inode;
    int err = 0;

    if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
        return -EOPNOTSUPP;
    down_write(&i->lock);
    if (mode & FALLOC_FL_PUNCH_HOLE)
        err = punch_hole(ovl_node(i), off, off + len);
    else if (!(mode & FALLOC_FL_KEEP_SIZE) && off + len > i->attr.size)
        err = overlay_truncate(i, off + len); /* memory is found when it is written to */
    if (!err) {
        inode_modified(i);
        overlay_pin(i);
    }
    up_write(&i->lock);
    return err;
}

/* ---- mapping ---- */

static int fault_lower(struct overlay_node *n, u64 index, struct fault_page *out)
{
    int err = gofer_file_fault(n->lower, index, out);

    if (err || !out->special)
        return err;
    out->npages = (u32)MIN((u64)out->npages, pages_of(n->lower_len) - index);
    if (n->pages.count)
        out->npages = out->nbefore = 0; /* neighbours may be ours */
    return 0;
}

static int fault(struct vma *vma, u64 index, bool write, struct fault_page *out)
{
    struct overlay_node *n = node(vma->file);
    bool shared_write = (vma->flags & VMA_SHARED) && (vma->flags & VMA_MAYWRITE);
    struct page *p;

    if (index >= pages_of(n->inode->attr.size))
        return -EFAULT;
    p = pagetree_get(&n->pages, index);
    if (!p && !shared_write && !n->private_maps && index < pages_of(n->lower_len))
        return fault_lower(n, index, out);
    if (!p)
        p = own_page(n, index, false);
    if (IS_ERR(p))
        return (int)PTR_ERR(p);
    *out = (struct fault_page){.pa = page_to_phys(p), .writable = shared_write};
    return 0;
}

static void vma_open(struct vma *vma)
{
    if (node(vma->file)->lower)
        gofer_vma_count(node(vma->file)->lower, 1);
}

static void vma_close(struct vma *vma)
{
    if (node(vma->file)->lower)
        gofer_vma_count(node(vma->file)->lower, -1);
}

static const struct vma_ops vma_ops = {.fault = fault, .open = vma_open, .close = vma_close};

static int mmap(struct vfs_file *f, struct vma *vma)
{
    vma->ops = &vma_ops;
    if (node(f)->lower)
        gofer_vma_count(node(f)->lower, 1);
    return 0;
}

const struct file_ops overlay_file_fops = {
    .read = read,
    .write = write,
    .mmap = mmap,
    .fsync = fsync,
    .fallocate = fallocate,
    .release = release,
};

const struct inode_ops overlay_file_iops = {
    .open = open,
    .setattr = overlay_setattr,
    .evict = overlay_evict,
};
