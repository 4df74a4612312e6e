// SPDX-License-Identifier: Apache-2.0
/*
 * Page tables in the x86-64 format, four levels, on both machines. The struct page of a table
 * counts its entries in use, so that empty tables are found without looking at 512 words.
 * mm->pt_lock guards every entry; tables are cut off under it and freed after a flush (zap.c).
 */
#include "sentry/mm/internal.h"

#define TABLE_BITS (PTE_P | PTE_W | PTE_U | PTE_A)
#define TOP_LEVEL  4
#define USER_SLOTS 256

pa_t zero_pa;

pte_t pte_prot(u32 prot, bool writable)
{
    pte_t e = PTE_U | PTE_A;

    e |= (prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) ? PTE_P : PTE_NONE;
    if (!(prot & PROT_EXEC))
        e |= PTE_NX;
    if (writable && (prot & PROT_WRITE))
        e |= PTE_W | PTE_D;
    return e;
}

pa_t pt_alloc_table(void)
{
    struct page *p = page_alloc(0, PAGE_ALLOC_ZERO);

    return p ? page_to_phys(p) : 0;
}

pte_t *pt_walk(struct mm *mm, uva_t va, int alloc_level, int *level)
{
    pte_t *table = phys_to_virt(mm->pgd);

    for (int l = TOP_LEVEL;; l--) {
        pte_t *e = &table[pt_index(va, l)];
        if (l == 1 || (l == 2 && (*e & PTE_PS)) || (l == alloc_level && !*e)) {
            *level = l;
            return e;
        }
        if (!*e) {
            pa_t pa = alloc_level ? pt_alloc_table() : 0;
            if (!pa)
                return NULL;
            pte_set(e, pa | TABLE_BITS);
        }
        table = pt_table(*e);
    }
}

int pt_split_huge(struct mm *mm, uva_t va)
{
    int level;
    pte_t *e = pt_walk(mm, va, 0, &level);

    if (!e || level != 2)
        return 0;
    pa_t pa = pt_alloc_table();
    if (!pa)
        return -ENOMEM;
    pte_t *table = phys_to_virt(pa);
    pte_t small = *e & ~PTE_PS;
    for (u64 i = 0; i < 512; i++)
        table[i] = small + i * PAGE_SIZE;
    page_of(pa)->count = 512;
    pte_set(e, pa | TABLE_BITS);
    return 0;
}

int pt_split_edges(struct mm *mm, uva_t start, uva_t end)
{
    int err = 0;

    if (!MACHINE_HUGE_PAGES || !((start | end) & ~PMD_MASK))
        return 0;
    spin_lock(&mm->pt_lock);
    if (start & ~PMD_MASK)
        err = pt_split_huge(mm, start);
    if (!err && (end & ~PMD_MASK))
        err = pt_split_huge(mm, end);
    spin_unlock(&mm->pt_lock);
    return err;
}

static bool table_range_empty(pte_t *table, int level, uva_t start, uva_t end)
{
    u64 size = 1UL << pt_shift(level);

    for (uva_t va = start, next; va < end; va = next) {
        pte_t e = table[pt_index(va, level)];
        next = MIN((va + size) & ~(size - 1), end);
        if (e &&
            (level == 1 || (e & PTE_PS) || !table_range_empty(pt_table(e), level - 1, va, next)))
            return false;
    }
    return true;
}

bool pt_range_empty(struct mm *mm, uva_t start, uva_t end)
{
    return table_range_empty(phys_to_virt(mm->pgd), TOP_LEVEL, start, end);
}

/* References to drop, gathered so that the allocator's lock is taken once for many. */
struct put_batch {
    unsigned n;
    struct page *pages[64];
};

static void put_later(struct put_batch *b, struct page *p)
{
    b->pages[b->n++] = p;
    if (b->n == ARRAY_SIZE(b->pages)) {
        pages_put(b->pages, b->n);
        b->n = 0;
    }
}

static void put_entry(pte_t e, int level, struct put_batch *b, struct rss *rss)
{
    s64 n = level == 2 ? 512 : 1;
    struct page *p = pte_page(e);

    if (e & PTE_FILE)
        rss->file += n;
    else if (p)
        rss->anon += n;
    if (p && level == 2)
        page_put_block(p, HUGE_SHIFT - PAGE_SHIFT);
    else if (p)
        put_later(b, p);
}

static void free_tables(pa_t pa, int level, unsigned slots, struct put_batch *b, struct rss *rss)
{
    pte_t *table = phys_to_virt(pa);
    unsigned left = page_of(pa)->count;

    for (unsigned i = 0; i < slots && left; i++) {
        pte_t e = table[i];
        if (!e)
            continue;
        left--;
        if (level == 1 || (e & PTE_PS))
            put_entry(e, level, b, rss);
        else
            free_tables(e & PTE_ADDR, level - 1, 512, b, rss);
    }
    if (slots == 512)
        put_later(b, page_of(pa));
}

void pt_free_subtree(pa_t table, int level, struct rss *rss)
{
    struct put_batch b = {0};

    free_tables(table, level, 512, &b, rss);
    pages_put(b.pages, b.n);
}

void pt_free_entries(const pte_t *e, unsigned n, struct rss *rss)
{
    struct put_batch b = {0};

    for (unsigned i = 0; i < n; i++)
        put_entry(e[i], e[i] & PTE_PS ? 2 : 1, &b, rss);
    pages_put(b.pages, b.n);
}

void pt_destroy(struct mm *mm)
{
    struct put_batch b = {0};
    struct rss rss = {0};

    free_tables(mm->pgd, TOP_LEVEL, USER_SLOTS, &b, &rss);
    put_later(&b, page_of(mm->pgd));
    pages_put(b.pages, b.n);
    mm->pgd = 0;
}
