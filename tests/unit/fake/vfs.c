// SPDX-License-Identifier: Apache-2.0
/*
 * Files for tests of mm/: counted references, and an object whose page n holds the byte n + 1 all
 * over, in RAM that the test owns.
 */
#include "fake_file.h"

void file_get(struct vfs_file *f)
{
    ref_get(&f->refs);
}

void file_put(struct vfs_file *f)
{
    if (ref_put(&f->refs))
        panic("the test's own reference went");
}

static int object_fault(struct vma *v, u64 index, bool write, struct fault_page *out)
{
    struct fake_file *ff = container_of(v->file, struct fake_file, file);

    ff->faults++;
    if (index >= ff->npages)
        return -EFAULT;
    page_get(ff->pages[index]);
    *out = (struct fault_page){.pa = page_to_phys(ff->pages[index])};
    return 0;
}

static const struct vma_ops object_ops = {.fault = object_fault};

static int object_mmap(struct vfs_file *f, struct vma *v)
{
    v->ops = &object_ops;
    return 0;
}

static const struct file_ops fops = {.mmap = object_mmap};

void fake_file_init(struct fake_file *ff, unsigned npages)
{
    *ff = (struct fake_file){.npages = npages};
    for (unsigned i = 0; i < npages; i++) {
        ff->pages[i] = page_alloc(0, 0);
        memset(page_virt(ff->pages[i]), (int)i + 1, PAGE_SIZE);
    }
    mapping_init(&ff->inode.mapping);
    ref_init(&ff->file.refs, 1);
    ff->file.mode = FMODE_READ | FMODE_WRITE;
    ff->file.ops = &fops;
    ff->file.inode = &ff->inode;
    ff->file.path.mnt = &ff->mnt;
}

void fake_file_truncate(struct fake_file *ff, unsigned npages)
{
    unsigned old = ff->npages;

    ff->npages = npages;
    for (unsigned i = npages; i < old; i++)
        page_put(ff->pages[i]);
    mapping_unmap_range(&ff->inode.mapping, npages, U64_MAX);
}
