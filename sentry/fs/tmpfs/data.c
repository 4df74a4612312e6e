// SPDX-License-Identifier: Apache-2.0
//
// tmpfs: contents of files. Reads take no inode lock: pages are found in batches under the mapping
// lock and copied from where they are. Writes, truncation and hole punching hold the inode's lock
// for write.

#include <linux/falloc.h>
#include "sentry/fs/tmpfs/tmpfs.h"
#include "sentry/kernel/task.h"

#define BATCH    16
#define MAX_SIZE INT64_MAX

static u64 size_of(const struct inode *i)
{
    return __atomic_load_n(&i->attr.size, __ATOMIC_ACQUIRE);
}

static void set_size(struct inode *i, u64 size)
{
    __atomic_store_n(&i->attr.size, size, __ATOMIC_RELEASE);
}

/* ---- pages ---- */

/* Up to n pages from index on with references, NULL for holes. */
static void find_pages(struct inode *i, u64 index, struct page **pages, u64 n)
{
    struct tmpfs_inode *t = tmpfs_i(i);

    spin_lock(&i->mapping.lock);
    for (u64 k = 0; k < n; k++) {
        pages[k] = radix_get(&t->tree, index + k);
        if (pages[k])
            page_get(pages[k]);
    }
    spin_unlock(&i->mapping.lock);
}

/* Put a charged page (reference consumed) at index, unless one is there: returns what is there,
 * referenced. */
static struct page *insert_page(struct inode *i, u64 index, struct page *fresh, int *err)
{
    struct tmpfs_inode *t = tmpfs_i(i);
    struct page *p;

    *err = 0;
    spin_lock(&i->mapping.lock);
    p = radix_get(&t->tree, index);
    if (!p) {
        *err = radix_set(&t->tree, index, fresh);
        if (!*err) {
            p = fresh;
            fresh = NULL;
            t->npages++;
            i->attr.blocks = t->npages * (PAGE_SIZE / 512);
        }
    }
    if (p)
        page_get(p);
    spin_unlock(&i->mapping.lock);
    if (fresh) {
        page_put(fresh);
        tmpfs_uncharge(i->sb, 1);
    }
    return p;
}

static struct page *charged_page(struct inode *i, u32 flags, int *err)
{
    struct page *p = NULL;

    *err = tmpfs_charge(i->sb, 1);
    if (!*err) {
        p = page_alloc(0, PAGE_ALLOC_USER | flags);
        if (!p) {
            tmpfs_uncharge(i->sb, 1);
            *err = -ENOMEM;
        }
    }
    return p;
}

/* The page at index, made when it is missing; with a reference, or NULL and *err. */
static struct page *make_page(struct inode *i, u64 index, int *err)
{
    struct page *p;

    find_pages(i, index, &p, 1);
    if (p)
        return p;
    p = charged_page(i, PAGE_ALLOC_ZERO, err);
    return p ? insert_page(i, index, p, err) : NULL;
}

void tmpfs_free_pages(struct inode *i, u64 first, u64 last)
{
    struct tmpfs_inode *t = tmpfs_i(i);
    struct page *gone[BATCH];
    unsigned n;

    do {
        n = 0;
        spin_lock(&i->mapping.lock);
        while (n < BATCH && radix_next(&t->tree, &first) && first <= last) {
            gone[n++] = radix_remove(&t->tree, first);
            t->npages--;
        }
        i->attr.blocks = t->npages * (PAGE_SIZE / 512);
        spin_unlock(&i->mapping.lock);
        for (unsigned k = 0; k < n; k++)
            page_put(gone[k]);
        tmpfs_uncharge(i->sb, n);
    } while (n == BATCH);
}

/* Zero [off, end) within one page, if it exists. */
static void zero_part(struct inode *i, u64 off, u64 end)
{
    struct page *p;

    if (off >= end)
        return;
    find_pages(i, off >> PAGE_SHIFT, &p, 1);
    if (p) {
        memset((char *)page_virt(p) + (off & ~PAGE_MASK), 0, end - off);
        page_put(p);
    }
}

/* ---- read ---- */

static s64 tmpfs_read(struct vfs_file *f, struct uio *to, u64 *pos)
{
    struct inode *i = f->inode;
    u64 size = size_of(i), done = 0;
    bool fault = false;

    while (to->left && *pos < size && !fault) {
        struct page *pages[BATCH];
        u64 n = MIN(to->left, size - *pos);
        u64 count = ((*pos & ~PAGE_MASK) + n + PAGE_SIZE - 1) >> PAGE_SHIFT;
        count = MIN(count, (u64)BATCH);
        find_pages(i, *pos >> PAGE_SHIFT, pages, count);
        for (u64 k = 0; k < count; k++) {
            u64 off = *pos & ~PAGE_MASK, part = MIN(MIN(PAGE_SIZE - off, to->left), size - *pos);
            u64 moved = 0;
            if (!fault && pages[k])
                moved = copy_to_uio(to, (char *)page_virt(pages[k]) + off, part);
            else if (!fault)
                moved = zero_uio(to, part);
            fault = moved < part;
            if (pages[k])
                page_put(pages[k]);
            *pos += moved;
            done += moved;
        }
    }
    file_accessed(f);
    return done || !fault ? (s64)done : -EFAULT;
}

/* ---- write ---- */

/* Write into page `index`: bytes moved, or -errno when none. */
static s64 write_page(struct inode *i, u64 index, u64 off, u64 n, struct uio *from)
{
    struct page *p;
    u64 moved;
    int err;

    find_pages(i, index, &p, 1);
    if (p) {
        moved = copy_from_uio((char *)page_virt(p) + off, from, n);
        page_put(p);
        return moved ? (s64)moved : -EFAULT;
    }
    /* A page that nobody sees yet: copy first, so that it never shows half. */
    p = charged_page(i, n == PAGE_SIZE ? 0 : PAGE_ALLOC_ZERO, &err);
    if (!p)
        return err;
    char *mem = page_virt(p);
    moved = copy_from_uio(mem + off, from, n);
    if (moved < n && n == PAGE_SIZE)
        memset(mem + moved, 0, PAGE_SIZE - moved);
    if (!moved) {
        page_put(p);
        tmpfs_uncharge(i->sb, 1);
        return -EFAULT;
    }
    page_get(p); /* the bytes are needed if a fault was faster */
    struct page *there = insert_page(i, index, p, &err);
    if (there && there != p)
        memcpy((char *)page_virt(there) + off, mem + off, moved);
    if (there)
        page_put(there);
    page_put(p);
    return err ? err : (s64)moved;
}

static s64 write_locked(struct inode *i, struct uio *from, u64 *pos)
{
    u64 done = 0, size = i->attr.size;
    s64 err = 0;

    while (from->left) {
        u64 off = *pos & ~PAGE_MASK, part = MIN(PAGE_SIZE - off, from->left);
        s64 n = write_page(i, *pos >> PAGE_SHIFT, off, part, from);
        if (n < 0) {
            err = n;
            break;
        }
        done += (u64)n;
        *pos += (u64)n;
        if (*pos > size) {
            size = *pos;
            set_size(i, size);
        }
        if ((u64)n < part)
            break;
        if (unlikely(done >= 16 * 1024 * 1024 && signal_pending(current)))
            break;
    }
    return done ? (s64)done : err;
}

/* May `from` go to *pos? Cuts it at what seals and offsets allow. */
static int check_write(struct inode *i, struct uio *from, u64 pos)
{
    u32 seals = tmpfs_i(i)->seals;

    if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
        return -EPERM;
    if (pos >= MAX_SIZE)
        return -EFBIG;
    from->left = MIN(from->left, MAX_SIZE - pos);
    if ((seals & F_SEAL_GROW) && pos + from->left > i->attr.size) {
        if (pos >= i->attr.size)
            return -EPERM;
        from->left = i->attr.size - pos;
    }
    return 0;
}

static s64 tmpfs_write(struct vfs_file *f, struct uio *from, u64 *pos)
{
    struct inode *i = f->inode;
    s64 ret = 0;

    down_write(&i->lock);
    if (f->flags & O_APPEND)
        *pos = i->attr.size;
    if (from->left)
        ret = check_write(i, from, *pos);
    if (!ret)
        ret = write_locked(i, from, pos);
    if (ret > 0)
        inode_modified(i);
    up_write(&i->lock);
    return ret;
}

/* ---- size ---- */

static int resize(struct inode *i, u64 size)
{
    u64 old = i->attr.size;
    u32 seals = tmpfs_i(i)->seals;

    if ((size < old && (seals & F_SEAL_SHRINK)) || (size > old && (seals & F_SEAL_GROW)))
        return -EPERM;
    if (size > MAX_SIZE)
        return -EFBIG;
    set_size(i, size);
    if (size < old) {
        u64 first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
        mapping_unmap_range(&i->mapping, first, U64_MAX >> PAGE_SHIFT);
        tmpfs_free_pages(i, first, U64_MAX);
        zero_part(i, size, ROUND_UP(size, PAGE_SIZE));
    }
    return 0;
}

int tmpfs_setattr(struct inode *i, const struct attr *a, u32 valid)
{
    if (valid & ATTR_SIZE) {
        int err = resize(i, a->size);
        if (err)
            return err;
    }
    attr_apply(i, a, valid);
    return 0;
}

static int punch(struct inode *i, u64 off, u64 end)
{
    u64 first = (off + PAGE_SIZE - 1) >> PAGE_SHIFT, last = end >> PAGE_SHIFT;

    if (first > last) {
        zero_part(i, off, end);
        return 0;
    }
    zero_part(i, off, first << PAGE_SHIFT);
    zero_part(i, last << PAGE_SHIFT, end);
    if (first < last) {
        tmpfs_free_pages(i, first, last - 1);
        mapping_evict_range(&i->mapping, first, last - 1);
    }
    return 0;
}

static int populate(struct inode *i, u64 off, u64 end)
{
    u64 last = (end - 1) >> PAGE_SHIFT;
    int err = 0;

    for (u64 index = off >> PAGE_SHIFT; index <= last && !err; index++) {
        struct page *p = make_page(i, index, &err);
        if (p)
            page_put(p);
        if (signal_pending(current))
            err = -EINTR;
    }
    return err;
}

static int tmpfs_fallocate(struct vfs_file *f, int mode, u64 off, u64 len)
{
    struct inode *i = f->inode;
    struct tmpfs_super *s = i->sb->private;
    u64 end = off + len;
    u32 seals = tmpfs_i(i)->seals;
    bool grows = !(mode & FALLOC_FL_KEEP_SIZE) && end > i->attr.size;
    int err = 0;

    if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        return -EOPNOTSUPP;
    if (s->max_pages && !(mode & FALLOC_FL_PUNCH_HOLE) && len / PAGE_SIZE > s->max_pages)
        return -ENOSPC;
    down_write(&i->lock);
    if ((mode && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))) ||
        (grows && (seals & F_SEAL_GROW)))
        err = -EPERM;
    if (!err && (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)))
        err = punch(i, off, end);
    if (!err && !(mode & FALLOC_FL_PUNCH_HOLE))
        err = populate(i, off, end);
    if (!err && grows)
        set_size(i, end);
    if (!err)
        inode_modified(i);
    up_write(&i->lock);
    return err;
}

static s64 tmpfs_lseek(struct vfs_file *f, s64 off, int whence)
{
    struct inode *i = f->inode;
    struct tmpfs_inode *t = tmpfs_i(i);
    u64 size = size_of(i);

    if (whence != SEEK_DATA && whence != SEEK_HOLE)
        return generic_lseek(f, off, whence, size);
    if (off < 0 || (u64)off >= size)
        return -ENXIO;
    u64 index = (u64)off >> PAGE_SHIFT, first = index;
    spin_lock(&i->mapping.lock);
    if (whence == SEEK_DATA) {
        if (!radix_next(&t->tree, &index))
            index = U64_MAX >> PAGE_SHIFT;
    } else {
        while (radix_get(&t->tree, index))
            index++;
    }
    spin_unlock(&i->mapping.lock);
    u64 pos = index == first ? (u64)off : index << PAGE_SHIFT;
    if (pos >= size) {
        if (whence == SEEK_DATA)
            return -ENXIO;
        pos = size;
    }
    return generic_lseek(f, (s64)pos, SEEK_SET, size);
}

/* ---- mapping ---- */

static int tmpfs_fault(struct vma *vma, u64 index, bool write, struct fault_page *out)
{
    struct inode *i = vma->file->inode;
    int err = 0;

    (void)write;
    if (index >= (size_of(i) + PAGE_SIZE - 1) >> PAGE_SHIFT)
        return -EFAULT;
    struct page *p = make_page(i, index, &err);
    if (!p)
        return err == -ENOSPC ? -EFAULT : err;
    *out = (struct fault_page){.pa = page_to_phys(p), .writable = true, .npages = 1};
    return 0;
}

static bool counts(const struct vma *v)
{
    return (v->flags & VMA_SHARED) && (v->flags & VMA_MAYWRITE);
}

static void vma_opened(struct vma *v)
{
    if (counts(v))
        __atomic_add_fetch(&tmpfs_i(v->file->inode)->writable_maps, 1, __ATOMIC_ACQ_REL);
}

static void vma_closed(struct vma *v)
{
    if (counts(v))
        __atomic_sub_fetch(&tmpfs_i(v->file->inode)->writable_maps, 1, __ATOMIC_ACQ_REL);
}

static const struct vma_ops tmpfs_vma_ops = {
    .fault = tmpfs_fault,
    .open = vma_opened,
    .close = vma_closed,
};

static int tmpfs_mmap(struct vfs_file *f, struct vma *vma)
{
    u32 seals = tmpfs_i(f->inode)->seals;

    if ((seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) && (vma->flags & VMA_SHARED)) {
        if (vma->prot & PROT_WRITE)
            return -EPERM;
        vma->flags &= ~VMA_MAYWRITE;
    }
    vma->ops = &tmpfs_vma_ops;
    vma_opened(vma);
    file_accessed(f);
    return 0;
}

static int tmpfs_fsync(struct vfs_file *f, bool datasync)
{
    (void)f;
    (void)datasync;
    return 0; /* memory is as durable as it gets here */
}

const struct file_ops tmpfs_file_fops = {
    .read = tmpfs_read,
    .write = tmpfs_write,
    .lseek = tmpfs_lseek,
    .mmap = tmpfs_mmap,
    .fsync = tmpfs_fsync,
    .fallocate = tmpfs_fallocate,
};

const struct inode_ops tmpfs_file_ops = {
    .setattr = tmpfs_setattr,
    .evict = tmpfs_evict,
    .getxattr = tmpfs_getxattr,
    .setxattr = tmpfs_setxattr,
    .listxattr = tmpfs_listxattr,
};
