// SPDX-License-Identifier: Apache-2.0
/*
 * Access to user pages of any address space through its page tables: for ptrace, /proc/PID/mem,
 * exec, futex keys and host I/O.
 */
#include "sentry/mm/internal.h"

#define PIN_TRIES 16

/*
 * Look at the entry of addr; when it allows the access, take a reference. Forced reads see pages
 * under PROT_NONE, forced stores private pages that are nobody else's.
 */
static bool pin_present(struct mm *mm, uva_t addr, bool write, bool force, pa_t *pa,
                        struct page **page)
{
    bool ok = false;
    int level;

    spin_lock(&mm->pt_lock);
    pte_t *e = pt_walk(mm, addr, 0, &level);
    if (e && *e) {
        struct page *p = pte_page(*e);
        bool sole = p && !(*e & PTE_FILE) && level == 1 && ref_read(&p->refs) == 1;
        ok = write ? (*e & PTE_W) || (force && sole) : (*e & PTE_P) || force;
        if (ok) {
            *pa = (*e & PTE_ADDR) + (level == 2 ? addr & (HUGE_SIZE - 1) & PAGE_MASK : 0);
            *page = p ? page_of(*pa) : NULL;
            if (*page)
                page_get(*page);
        }
    }
    spin_unlock(&mm->pt_lock);
    return ok;
}

/* Fault a page in regardless of the vma's protection. */
static int fault_forced(struct mm *mm, uva_t addr, bool write)
{
    int err = -EFAULT;

    down_read(&mm->lock);
    struct vma *v = vma_find_exact(mm, addr);
    /* A store must not reach a shared object that the process itself may not write to. */
    if (v && !(write && (v->flags & (VMA_SHARED | VMA_SPECIAL)))) {
        err = write ? pt_split_edges(mm, addr, addr + PAGE_SIZE) : 0;
        if (!err)
            err = vma_fault(v, addr, write ? FAULT_WRITE : 0);
    }
    up_read(&mm->lock);
    return err;
}

static int pin(struct mm *mm, uva_t addr, bool write, bool force, pa_t *pa, struct page **page)
{
    addr &= PAGE_MASK;
    if (addr >= USER_END)
        return -EFAULT;
    for (unsigned i = 0; i < PIN_TRIES; i++) {
        if (pin_present(mm, addr, write, force, pa, page))
            return 0;
        struct fault_result r = mm_fault(mm, addr, write ? FAULT_WRITE : 0);
        if (r.sig && (!force || r.sig != SIGSEGV || fault_forced(mm, addr, write)))
            return -EFAULT;
    }
    return -EFAULT;
}

int mm_pin(struct mm *mm, uva_t addr, bool write, pa_t *pa, struct page **page)
{
    return pin(mm, addr, write, false, pa, page);
}

s64 mm_access(struct mm *mm, uva_t addr, void *buf, size_t len, bool write, bool force)
{
    size_t done = 0;

    while (done < len) {
        uva_t at = addr + done;
        size_t off = at & ~PAGE_MASK, n = MIN(len - done, PAGE_SIZE - off);
        struct page *page;
        pa_t pa;
        if (pin(mm, at, write, force, &pa, &page))
            break;
        u8 *mem = (u8 *)phys_to_virt(pa) + off;
        if (write)
            memcpy(mem, (u8 *)buf + done, n);
        else
            memcpy((u8 *)buf + done, mem, n);
        if (page)
            page_put(page);
        done += n;
    }
    return done || !len ? (s64)done : -EFAULT;
}
