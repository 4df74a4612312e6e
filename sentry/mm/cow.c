// SPDX-License-Identifier: Apache-2.0
/*
 * Stores to pages that are present but not writable: copy-on-write of private memory, and the
 * first store through a shared mapping.
 */
#include "sentry/fs/vfs.h"
#include "sentry/mm/internal.h"

#define HUGE_PAGES 512
#define COW_ORDER  3 /* so many pages are copied together where a fault is dear */
#define COW_BLOCK  (1 << COW_ORDER)

/* All 512 pages of a 2 MiB entry are ours alone: it may become writable as it is. */
static bool huge_is_sole(struct page *p)
{
    for (unsigned i = 0; i < HUGE_PAGES; i++)
        if (ref_read(&p[i].refs) != 1)
            return false;
    return true;
}

static pte_t with_write(struct vma *v, pte_t e)
{
    return v->prot & PROT_WRITE ? e | PTE_W | PTE_D : e;
}

/* A small private page that only lacks the right to write. */
static bool is_cow(pte_t e)
{
    return (e & PTE_P) && !(e & (PTE_W | PTE_FILE | PTE_PS)) && pte_page(e);
}

/* The part of v within the aligned neighbourhood of addr. */
static void window(const struct vma *v, uva_t addr, u64 size, uva_t *lo, uva_t *hi)
{
    uva_t base = addr & ~(size - 1);

    *lo = MAX(base, v->start);
    *hi = MIN(base + size, v->end);
}

/* The entry e of addr became writable: so may its neighbours, where nobody else has the page. */
static void reuse_around(struct vma *v, uva_t addr, pte_t *e)
{
    uva_t lo, hi;

    if (MACHINE_SEES_WRITES)
        return;
    window(v, addr, MACHINE_FAULT_AROUND, &lo, &hi);
    e -= (addr - lo) >> PAGE_SHIFT;
    for (uva_t va = lo; va < hi; va += PAGE_SIZE, e++)
        if (is_cow(*e) && ref_read(&pte_page(*e)->refs) == 1)
            pte_set(e, with_write(v, *e));
}

/*
 * Where a fault is dear: copy the neighbours, too, into one block. False: addr itself could not be
 * settled in this way.
 */
static bool cow_block(struct vma *v, uva_t addr)
{
    struct page *old[COW_BLOCK], *p;
    struct mm *mm = v->mm;
    unsigned n = 0, i = 0;
    bool used[COW_BLOCK] = {false};
    uva_t lo, hi;
    int level;

    if (MACHINE_SEES_WRITES || !(p = page_alloc(COW_ORDER, PAGE_ALLOC_USER)))
        return false;
    window(v, addr, COW_BLOCK * PAGE_SIZE, &lo, &hi);
    spin_lock(&mm->pt_lock);
    pte_t *e = pt_walk(mm, addr, 0, &level);
    if (e && level == 1 && is_cow(*e)) {
        e -= (addr - lo) >> PAGE_SHIFT;
        for (uva_t va = lo; va < hi; va += PAGE_SIZE, e++, i++) {
            if (!is_cow(*e) || ref_read(&pte_page(*e)->refs) == 1)
                continue;
            memcpy(page_virt(p + i), page_virt(pte_page(*e)), PAGE_SIZE);
            old[n++] = pte_page(*e);
            used[i] = true;
            pte_set(e, page_to_phys(p + i) | pte_prot(v->prot, true));
        }
    }
    spin_unlock(&mm->pt_lock);
    if (n)
        mspace_flush(mm, lo, hi);
    pages_put(old, n);
    for (i = 0; i < COW_BLOCK; i++)
        if (!used[i])
            page_put(p + i);
    return used[(addr - lo) >> PAGE_SHIFT];
}

/*
 * Under pt_lock: settle it without a copy if possible. 1: done; 0: the small page *e has to be
 * copied; -ENOMEM.
 */
static int reuse(struct vma *v, uva_t addr, pte_t **ep)
{
    int level;
    pte_t *e = pt_walk(v->mm, addr, 0, &level);

    if (!e || !*e || (*e & PTE_W))
        return 1;
    struct page *p = pte_page(*e);
    if (level == 2) {
        if (huge_is_sole(p)) {
            pte_set(e, with_write(v, *e));
            return 1;
        }
        if (pt_split_huge(v->mm, addr))
            return -ENOMEM;
        e = pt_walk(v->mm, addr, 0, &level);
        p = pte_page(*e);
    }
    if (p && !(*e & PTE_FILE) && ref_read(&p->refs) == 1) {
        pte_set(e, with_write(v, *e));
        reuse_around(v, addr, e);
        return 1;
    }
    *ep = e;
    return 0;
}

static int cow_private(struct vma *v, uva_t addr)
{
    struct mm *mm = v->mm;
    struct page *old = NULL, *copy;
    int level, err;
    pte_t *e = NULL, entry = 0;

    spin_lock(&mm->pt_lock);
    err = reuse(v, addr, &e);
    if (!err) {
        entry = *e;
        if ((old = pte_page(entry)))
            page_get(old);
    }
    spin_unlock(&mm->pt_lock);
    if (err)
        return MIN(err, 0);
    if (is_cow(entry) && cow_block(v, addr)) {
        page_put(old);
        return 0;
    }

    bool zero = (entry & PTE_ADDR) == zero_pa;
    copy = page_alloc(0, PAGE_ALLOC_USER | (zero ? PAGE_ALLOC_ZERO : 0));
    err = -ENOMEM;
    if (copy) {
        if (!zero)
            memcpy(page_virt(copy), phys_to_virt(entry & PTE_ADDR), PAGE_SIZE);
        err = 1;
        spin_lock(&mm->pt_lock);
        e = pt_walk(mm, addr, 0, &level);
        if (e && level == 1 && *e == entry) {
            pte_set(e, page_to_phys(copy) | pte_prot(v->prot, true));
            rss_add(mm, old && !(entry & PTE_FILE) ? 0 : 1, entry & PTE_FILE ? -1 : 0);
            err = 0;
        }
        spin_unlock(&mm->pt_lock);
    }
    /* Other threads must not read the old page any more once this one has written to the new. */
    if (!err) {
        if (entry & PTE_P)
            mspace_flush(mm, addr, addr + PAGE_SIZE);
        if (old)
            page_put(old);
    } else if (copy) {
        page_put(copy);
    }
    if (old)
        page_put(old);
    return MIN(err, 0);
}

/* Ask the object for the right to write; it may give another page than the one that is mapped. */
static int write_shared(struct vma *v, uva_t addr)
{
    struct fault_page fp = {0};
    struct mm *mm = v->mm;
    struct page *old = NULL;
    bool flush = false, used = false;
    int level;
    u64 seq = v->file ? __atomic_load_n(&v->file->inode->mapping.seq, __ATOMIC_ACQUIRE) : 0;
    int err = v->ops->fault(v, vma_index(v, addr), true, &fp);

    if (err)
        return err;
    pte_t new = fp.pa | PTE_FILE | (fp.special ? PTE_SPECIAL : 0) | pte_prot(v->prot, true);
    spin_lock(&mm->pt_lock);
    pte_t *e = pt_walk(mm, addr, 0, &level);
    bool valid = !v->file || v->file->inode->mapping.seq == seq;
    if (valid && e && *e && !(*e & PTE_W)) {
        flush = (*e & PTE_ADDR) != fp.pa;
        old = pte_page(*e);
        pte_set(e, new);
        used = true;
    }
    spin_unlock(&mm->pt_lock);
    if (flush)
        mspace_flush(mm, addr, addr + PAGE_SIZE);
    if (old)
        page_put(old);
    if (!used && !fp.special)
        page_put(page_of(fp.pa));
    return 0;
}

int fault_cow(struct vma *v, uva_t addr)
{
    return v->flags & VMA_SHARED ? write_shared(v, addr) : cow_private(v, addr);
}
