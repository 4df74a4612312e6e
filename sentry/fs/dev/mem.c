// SPDX-License-Identifier: Apache-2.0
//
// The memory devices: null, zero, full, random, urandom.

#include <linux/random.h>
#include "sentry/fs/dev/dev.h"
#include "sentry/kernel/task.h"

#define RANDOM_BITS 256 /* entropy that the pool always has, as on Linux since 5.18 */

static s64 null_read(struct vfs_file *f, struct uio *to, u64 *pos)
{
    (void)f;
    (void)to;
    (void)pos;
    return 0;
}

static s64 null_write(struct vfs_file *f, struct uio *from, u64 *pos)
{
    (void)f;
    (void)pos;
    return (s64)from->left;
}

static s64 mem_lseek(struct vfs_file *f, s64 off, int whence)
{
    (void)off;
    (void)whence;
    return (s64)(f->pos = 0);
}

static s64 zero_read(struct vfs_file *f, struct uio *to, u64 *pos)
{
    u64 done = 0;

    (void)f;
    (void)pos;
    while (to->left) {
        u64 part = MIN(to->left, 1024UL * 1024), n = zero_uio(to, part);
        done += n;
        if (n < part)
            return done ? (s64)done : -EFAULT;
        if (signal_pending(current))
            break;
    }
    return (s64)done;
}

static s64 full_write(struct vfs_file *f, struct uio *from, u64 *pos)
{
    (void)f;
    (void)from;
    (void)pos;
    return -ENOSPC;
}

/* A fresh page for each fault: private mappings of /dev/zero are anonymous memory. */
static int zero_fault(struct vma *vma, u64 index, bool write, struct fault_page *out)
{
    struct page *p = page_alloc(0, PAGE_ALLOC_ZERO | PAGE_ALLOC_USER);

    (void)vma;
    (void)index;
    (void)write;
    if (!p)
        return -ENOMEM;
    *out = (struct fault_page){.pa = page_to_phys(p), .npages = 1};
    return 0;
}

static const struct vma_ops zero_vma_ops = {.fault = zero_fault};

static int zero_mmap(struct vfs_file *f, struct vma *vma)
{
    (void)f;
    if (!(vma->flags & VMA_SHARED)) {
        vma->ops = &zero_vma_ops;
        return 0;
    }
    /* Shared: an object of its own behind this mapping and its copies. */
    struct vfs_file *mem = shmem_file("/dev/zero (deleted)", vma->end - vma->start);
    if (IS_ERR(mem))
        return (int)PTR_ERR(mem);
    int err = mem->ops->mmap(mem, vma);
    if (err) {
        file_put(mem);
        return err;
    }
    file_put(vma->file);
    vma->file = mem;
    vma->pgoff = 0;
    return 0;
}

static s64 random_read(struct vfs_file *f, struct uio *to, u64 *pos)
{
    u8 buf[256];
    u64 done = 0;

    (void)f;
    (void)pos;
    while (to->left) {
        u64 part = MIN(to->left, sizeof(buf));
        random_bytes(buf, part);
        u64 n = copy_to_uio(to, buf, part);
        done += n;
        if (n < part)
            return done ? (s64)done : -EFAULT;
        if (signal_pending(current))
            break;
    }
    return (s64)done;
}

/* Seeding by the application: our generator is seeded by the host and needs nothing from it. */
static s64 random_write(struct vfs_file *f, struct uio *from, u64 *pos)
{
    (void)f;
    (void)pos;
    return (s64)from->left;
}

static s64 random_ioctl(struct vfs_file *f, u32 cmd, u64 arg)
{
    (void)f;
    if (cmd == RNDGETENTCNT)
        return put_user((int)RANDOM_BITS, arg);
    if (cmd == RNDADDENTROPY || cmd == RNDADDTOENTCNT || cmd == RNDZAPENTCNT || cmd == RNDCLEARPOOL)
        return -EPERM;
    return -ENOTTY;
}

static const struct file_ops null_fops = {
    .read = null_read,
    .write = null_write,
    .lseek = mem_lseek,
};

static const struct file_ops zero_fops = {
    .read = zero_read,
    .write = null_write,
    .lseek = mem_lseek,
    .mmap = zero_mmap,
};

static const struct file_ops full_fops = {
    .read = zero_read,
    .write = full_write,
    .lseek = mem_lseek,
};

static const struct file_ops random_fops = {
    .read = random_read,
    .write = random_write,
    .lseek = mem_lseek,
    .ioctl = random_ioctl,
};

void dev_mem_init(void)
{
    static const struct chrdev devices[] = {
        {"mem", 1, 3, 1, &null_fops, NULL},   {"mem", 1, 5, 1, &zero_fops, NULL},
        {"mem", 1, 7, 1, &full_fops, NULL},   {"mem", 1, 8, 1, &random_fops, NULL},
        {"mem", 1, 9, 1, &random_fops, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        chrdev_register(&devices[i]);
}
