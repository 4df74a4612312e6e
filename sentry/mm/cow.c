// SPDX-License-Identifier: Apache-2.0
/*
 * Stores to pages that are present but not writable: copy-on-write of private memory, and the
 * first store through a shared mapping.
 */
#include "sentry/fs/vfs.h"
#include "sentry/mm/internal.h"

#define HUGE_PAGES 512

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
