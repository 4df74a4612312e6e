// SPDX-License-Identifier: Apache-2.0
/*
 * Page faults in mappings of files and other objects, where there is no entry yet.
 */
#include "sentry/fs/vfs.h"
#include "sentry/mm/internal.h"

static u64 mapping_seq(struct vma *v)
{
    return v->file ? __atomic_load_n(&v->file->inode->mapping.seq, __ATOMIC_ACQUIRE) : 0;
}

static void drop(const struct fault_page *fp)
{
    if (!fp->special)
        page_put(page_of(fp->pa));
}

static pte_t object_bits(const struct fault_page *fp)
{
    return PTE_FILE | (fp->special ? PTE_SPECIAL : 0);
}

/*
 * Map the neighbours of index that the object offers too: those that are in the same table, belong
 * to v and are not mapped yet. They are in the file window, so that no references are needed.
 * pt_lock held.
 */
static void map_around(struct vma *v, uva_t addr, pte_t *e, pte_t new, const struct fault_page *fp)
{
    u64 limit = MACHINE_FILE_AROUND >> PAGE_SHIFT, in_table = (addr >> PAGE_SHIFT) & 511;
    u64 after = MIN(MIN((u64)fp->npages, 512 - in_table), (v->end - addr) >> PAGE_SHIFT);
    u64 before = MIN(MIN((u64)fp->nbefore, in_table), (addr - v->start) >> PAGE_SHIFT);
    s64 n = 0;

    before = MIN(before, (addr >> PAGE_SHIFT) & (limit - 1));
    after = MIN(after, limit - ((addr >> PAGE_SHIFT) & (limit - 1)));
    for (s64 i = -(s64)before; i < (s64)after; i++) {
        if (i && !e[i]) {
            pte_set(e + i, new + (u64)(i * (s64)PAGE_SIZE));
            n++;
        }
    }
    rss_add(v->mm, 0, n);
}

/* Enter what the object gave. 0; -EAGAIN: it was taken back meanwhile; -ENOMEM. Consumes fp. */
static int map_object(struct vma *v, uva_t addr, const struct fault_page *fp, bool write, u64 seq)
{
    bool writable = (v->flags & VMA_SHARED) && (write || fp->writable);
    pte_t new = fp->pa | object_bits(fp) | pte_prot(v->prot, writable);
    struct mm *mm = v->mm;
    bool used = false;
    int level, err = -ENOMEM;

    spin_lock(&mm->pt_lock);
    pte_t *e = pt_walk(mm, addr, 1, &level);
    if (e && mapping_seq(v) != seq) {
        err = -EAGAIN;
    } else if (e) {
        err = 0;
        if (!*e) {
            pte_set(e, new);
            rss_add(mm, 0, 1);
            used = true;
            if (fp->special && (fp->npages > 1 || fp->nbefore))
                map_around(v, addr, e, new, fp);
        }
    }
    spin_unlock(&mm->pt_lock);
    if (!used)
        drop(fp);
    return err;
}

/* A store into a private mapping: a copy of its own. Consumes fp. */
static int map_copy(struct vma *v, uva_t addr, const struct fault_page *fp, u64 seq)
{
    struct page *p = page_alloc(0, PAGE_ALLOC_USER);
    struct mm *mm = v->mm;
    int level, err = -ENOMEM;

    if (p) {
        memcpy(page_virt(p), phys_to_virt(fp->pa), PAGE_SIZE);
        spin_lock(&mm->pt_lock);
        pte_t *e = pt_walk(mm, addr, 1, &level);
        if (e && mapping_seq(v) != seq) {
            err = -EAGAIN;
        } else if (e) {
            err = 0;
            if (!*e) {
                pte_set(e, page_to_phys(p) | pte_prot(v->prot, true));
                rss_add(mm, 1, 0);
                p = NULL;
            }
        }
        spin_unlock(&mm->pt_lock);
    }
    if (p)
        page_put(p);
    drop(fp);
    return err;
}

/*
 * Where a fault is dear: private copies of a whole neighbourhood at once, in one block, as what is written
 * first is mostly a library's data that is relocated page by page. 0, or -EAGAIN: do it singly.
 */
static int copy_block(struct vma *v, uva_t addr, const struct fault_page *fp, u64 seq)
{
    uva_t base = addr & ~((u64)MACHINE_FAULT_AROUND - 1);
    uva_t lo = MAX(MAX(base, v->start), addr - MIN((u64)fp->nbefore << PAGE_SHIFT, addr));
    uva_t hi = MIN(MIN(base + MACHINE_FAULT_AROUND, v->end), addr + ((u64)fp->npages << PAGE_SHIFT));
    struct mm *mm = v->mm;
    unsigned order = 0, n = hi > lo ? (unsigned)((hi - lo) >> PAGE_SHIFT) : 0;
    int level, err = -EAGAIN;

    if (MACHINE_SEES_WRITES || !fp->special || n < 2)
        return -EAGAIN;
    while (1u << order < n)
        order++;
    spin_lock(&mm->pt_lock);
    bool empty = pt_range_empty(mm, lo, hi);
    spin_unlock(&mm->pt_lock);
    struct page *p = empty ? page_alloc(order, PAGE_ALLOC_USER) : NULL;
    if (!p)
        return -EAGAIN;
    memcpy(page_virt(p), phys_to_virt(fp->pa - (addr - lo)), n * PAGE_SIZE);
    spin_lock(&mm->pt_lock);
    pte_t *e = NULL;
    if (mapping_seq(v) == seq && pt_range_empty(mm, lo, hi))
        e = pt_walk(mm, lo, 1, &level);
    for (unsigned i = 0; e && i < n; i++)
        pte_set(e + i, (page_to_phys(p) + i * PAGE_SIZE) | pte_prot(v->prot, true));
    if (e) {
        rss_add(mm, n, 0);
        err = 0;
    }
    spin_unlock(&mm->pt_lock);
    for (unsigned i = err ? 0 : n; i < 1u << order; i++)
        page_put(p + i);
    return err;
}

int fault_object(struct vma *v, uva_t addr, u32 access)
{
    bool shared = v->flags & VMA_SHARED, write = access & FAULT_WRITE;
    int err;

    do {
        struct fault_page fp = {0};
        u64 seq = mapping_seq(v);
        err = v->ops->fault(v, vma_index(v, addr), write && shared, &fp);
        if (err)
            return err;
        if (write && !shared)
            err = copy_block(v, addr, &fp, seq) ? map_copy(v, addr, &fp, seq) : 0;
        else
            err = map_object(v, addr, &fp, write, seq);
    } while (err == -EAGAIN);
    return err;
}
