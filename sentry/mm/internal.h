/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of mm/ share among themselves; other rooms include mm.h only.
 */
#pragma once

#include <linux/capability.h>
#include <linux/personality.h>
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

#define PMD_MASK        (~(HUGE_SIZE - 1))
#define STACK_GUARD_GAP (256 * PAGE_SIZE)
#define MAX_MAP_COUNT   65530

/* ---- pages ---- */

bool pa_is_ram(pa_t pa);

/* ---- page table entries: pgtable.c ---- */

extern pa_t zero_pa; /* the page of zeroes that read faults of anonymous memory get */

/* The page that an entry holds a reference to, or NULL. */
static inline struct page *pte_page(pte_t e)
{
    pa_t pa = e & PTE_ADDR;

    if (!e || (e & PTE_SPECIAL) || pa == zero_pa)
        return NULL;
    return page_of(pa);
}

/* Store an entry (NOT a pointer to a full table's worth) and keep the table's count. pt_lock. */
static inline void pte_set(pte_t *p, pte_t v)
{
    pte_t old = *p;

    __atomic_store_n(p, v, __ATOMIC_RELAXED);
    if (!old != !v)
        page_of(virt_to_phys(p))->count += v ? 1 : (u16)-1;
}

static inline unsigned pt_shift(int level)
{
    return PAGE_SHIFT + 9 * (unsigned)(level - 1);
}
static inline unsigned pt_index(uva_t va, int level)
{
    return (va >> pt_shift(level)) & 511;
}
static inline pte_t *pt_table(pte_t e)
{
    return phys_to_virt(e & PTE_ADDR);
}
/* Bits of an entry for a page with this protection: PTE_P or PTE_NONE, W, U, NX, A and D. */
pte_t pte_prot(u32 prot, bool writable);
/* A cleared table page; its address, or 0. */
pa_t pt_alloc_table(void);
/* Split 2 MiB entries that [start, end) covers only in part. 0 or -ENOMEM. Takes pt_lock. */
int pt_split_edges(struct mm *mm, uva_t start, uva_t end);
/* Are there entries in [start, end)? pt_lock. */
bool pt_range_empty(struct mm *mm, uva_t start, uva_t end);

/* ---- zap.c ---- */

/* Which entries to remove. */
#define ZAP_ALL  0u
#define ZAP_FILE 1u /* only pages of the mapped object */
/* also free the page tables that nothing is left in */
#define ZAP_TABLES 2u
/*
 * Unmap [start, end), flush, free the pages. mm->lock held in any mode, no spinlock. The edges
 * must not lie within a 2 MiB entry (pt_split_edges).
 */
void mm_zap(struct mm *mm, uva_t start, uva_t end, u32 how);
/* Free the cut-off table (level) and everything below it; counts what was resident. */
struct rss {
    s64 anon, file;
};
void pt_free_subtree(pa_t table, int level, struct rss *rss);
void pt_free_entries(const pte_t *e, unsigned n, struct rss *rss);
void rss_add(struct mm *mm, s64 anon, s64 file); /* pt_lock held */

/* ---- vma.c; mm->lock for write unless it says otherwise ---- */

void vma_init(void);
struct vma *vma_alloc(struct mm *mm, uva_t start, uva_t end);
/* Unlinked copy of the part [start, end) of v for mm, with references; ops->open was called. */
struct vma *vma_dup(struct vma *v, struct mm *mm, uva_t start, uva_t end);
/* Count v in its mm's totals, or take it out: around changes of prot and flags. */
void vma_count(struct vma *v, bool add);
static inline struct vma *vma_next(struct vma *v)
{
    return v->link.next == &v->mm->vmas ? NULL : container_of(v->link.next, struct vma, link);
}
static inline struct vma *vma_prev(struct vma *v)
{
    return v->link.prev == &v->mm->vmas ? NULL : container_of(v->link.prev, struct vma, link);
}
static inline u64 vma_pages(const struct vma *v)
{
    return (v->end - v->start) >> PAGE_SHIFT;
}
static inline bool vma_is_anon(const struct vma *v)
{
    return !v->ops;
}
static inline u64 vma_index(const struct vma *v, uva_t addr)
{
    return v->pgoff + ((addr - v->start) >> PAGE_SHIFT);
}
/* Into tree and list, and the list of its file's mapping; counts it in mm's totals. */
void vma_link(struct vma *v);
void vma_unlink(struct vma *v);
/* Take all vmas of a dying mm out of their files' mappings; they stay on the list. */
void vma_forget_all(struct mm *mm);
/* Move the bounds of a linked vma (pgoff follows start); it must not pass its neighbours. */
void vma_resize(struct vma *v, uva_t start, uva_t end);
/* Cut v at addr; v keeps the lower part, *upper (may be NULL) gets the other. 0 or -ENOMEM. */
int vma_split(struct vma *v, uva_t addr, struct vma **upper);
/* Join v with its neighbours where they are alike; returns the vma that covers v's range now. */
struct vma *vma_merge(struct vma *v);
/* Release what a list (of link) of unlinked vmas holds, and the vmas. No lock held. */
void vma_free_list(struct list *dead);
void vma_free(struct vma *v);
/* A hole of len bytes within [low, high): highest or lowest address, or 0. */
uva_t vma_gap_topdown(struct mm *mm, u64 len, uva_t low, uva_t high);
uva_t vma_gap_bottomup(struct mm *mm, u64 len, uva_t low, uva_t high);
/* Split so that [start, end) begins and ends at vma borders. 0 or -ENOMEM. */
int vma_isolate(struct mm *mm, uva_t start, uva_t end);

/* ---- mmap.c ---- */

/* munmap with mm->lock held for write; removed vmas go to dead. */
int mm_unmap_locked(struct mm *mm, uva_t start, uva_t end, struct list *dead);
/* RLIMIT_AS, RLIMIT_DATA and overcommit for `pages` more. 0 or -ENOMEM. */
int mm_may_expand(struct mm *mm, u32 vma_flags, u32 prot, u64 pages);
/* Count mm's locked pages against RLIMIT_MEMLOCK. */
bool mm_may_lock(struct mm *mm, u64 pages);
/* Give v a place in mm (its range is free), or enlarge a neighbour that is like it; returns which.
 */
struct vma *vma_insert(struct vma *v);
/* Fault in [start, end) as MAP_POPULATE and mlock want; errors are ignored. No lock held. */
void mm_populate(struct mm *mm, uva_t start, uva_t end);

/* ---- bodies of the system calls; mm->lock not held ---- */

int mm_mprotect(struct mm *mm, uva_t addr, u64 len, u32 prot);
s64 mm_mremap(struct mm *mm, uva_t old, u64 old_len, u64 new_len, u32 flags, uva_t new);
uva_t mm_brk(struct mm *mm, uva_t brk); /* the break after the call, changed or not */
int mm_madvise(struct mm *mm, uva_t addr, u64 len, int advice);
int mm_mlock(struct mm *mm, uva_t addr, u64 len, bool onfault);
int mm_munlock(struct mm *mm, uva_t addr, u64 len);
int mm_mlockall(struct mm *mm, int flags);
int mm_munlockall(struct mm *mm);
int mm_msync(struct mm *mm, uva_t addr, u64 len, int flags);
int mm_mincore(struct mm *mm, uva_t addr, u64 len, uva_t vec);

/* ---- fault.c; mm->lock held for read ---- */

/*
 * Resolve an access (FAULT_*) to a page of v. A store to a private mapping that is not writable
 * (ptrace) makes a copy of its own, still not writable. 0, -EFAULT (SIGBUS), -ENOMEM.
 */
int vma_fault(struct vma *v, uva_t addr, u32 access);
/* vma_fault for mappings with operations: no entry yet. */
int fault_object(struct vma *v, uva_t addr, u32 access);
/* A store to a present entry that is not writable. */
int fault_cow(struct vma *v, uva_t addr);
/* Make the vma that grows down cover addr; mm->lock held for write. 0 or -ENOMEM. */
int vma_grow_down(struct vma *v, uva_t addr);

/* ---- shared.c ---- */

/* Make v a mapping of new shared anonymous memory of its size. 0 or -ENOMEM. */
int anon_shared_attach(struct vma *v);
extern const struct vma_ops anon_shared_ops;

/* ---- vdso.c ---- */

void vdso_init(void);
