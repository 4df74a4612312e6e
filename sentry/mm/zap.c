// SPDX-License-Identifier: Apache-2.0
/*
 * Taking pages out of page tables. Under pt_lock entries are cleared and remembered, and tables
 * that the range covers as a whole are cut off untouched; then one flush; then the pages and tables
 * are freed. So nothing is freed that a CPU or a stub might still reach.
 */
#include "sentry/mm/internal.h"

#define FEW_ENTRIES 32

/* One mm_zap(), on its stack. */
struct zap {
    struct mm *mm;
    u32 how;
    uva_t lo, hi;       /* what to flush */
    struct list tables; /* cut off; page->order is the level */
    unsigned n, cap;
    pte_t *entries; /* cleared: few, or a page */
    pte_t few[FEW_ENTRIES];
};

static void touched(struct zap *z, uva_t start, uva_t end)
{
    z->lo = MIN(z->lo, start);
    z->hi = MAX(z->hi, end);
}

static void cut_table(struct zap *z, pte_t *e, int level)
{
    struct page *t = page_of(*e & PTE_ADDR);

    t->order = (u8)level;
    list_add(&z->tables, &t->link);
    pte_set(e, 0);
}

/* Where it stopped: end, or where there was no room left to remember an entry. */
static uva_t zap_table(struct zap *z, pte_t *table, int level, uva_t start, uva_t end)
{
    u64 size = 1UL << pt_shift(level);

    for (uva_t va = start, next; va < end; va = next) {
        pte_t *e = &table[pt_index(va, level)];
        next = MIN((va + size) & ~(size - 1), end);
        if (!*e)
            continue;
        if (level == 1 || (*e & PTE_PS)) {
            if ((z->how & ZAP_FILE) && !(*e & PTE_FILE))
                continue;
            if (z->n == z->cap)
                return va;
            z->entries[z->n++] = *e;
            pte_set(e, 0);
            touched(z, va, next);
        } else if (next - va == size && (z->how & ZAP_TABLES)) {
            cut_table(z, e, level - 1);
            touched(z, va, next);
        } else {
            uva_t stop = zap_table(z, pt_table(*e), level - 1, va, next);
            if ((z->how & ZAP_TABLES) && !page_of(*e & PTE_ADDR)->count) {
                cut_table(z, e, level - 1);
                touched(z, va, next);
            }
            if (stop != next)
                return stop;
        }
    }
    return end;
}

static void finish(struct zap *z)
{
    struct rss rss = {0};

    if (z->lo < z->hi)
        mspace_flush(z->mm, z->lo, z->hi);
    pt_free_entries(z->entries, z->n, &rss);
    while (!list_empty(&z->tables)) {
        struct page *t = list_first(&z->tables, struct page, link);
        list_del(&t->link);
        pt_free_subtree(page_to_phys(t), t->order, &rss);
    }
    if (rss.anon || rss.file) {
        spin_lock(&z->mm->pt_lock);
        rss_add(z->mm, -rss.anon, -rss.file);
        spin_unlock(&z->mm->pt_lock);
    }
    z->n = 0;
    z->lo = U64_MAX;
    z->hi = 0;
}

void mm_zap(struct mm *mm, uva_t start, uva_t end, u32 how)
{
    struct zap z = {.mm = mm, .how = how, .lo = U64_MAX, .cap = FEW_ENTRIES};
    struct page *room = NULL;

    z.entries = z.few;
    list_init(&z.tables);
    if (end - start > FEW_ENTRIES * PAGE_SIZE && (room = page_alloc(0, 0))) {
        z.entries = page_virt(room);
        z.cap = PAGE_SIZE / sizeof(pte_t);
    }
    while (start < end) {
        spin_lock(&mm->pt_lock);
        start = zap_table(&z, phys_to_virt(mm->pgd), 4, start, end);
        spin_unlock(&mm->pt_lock);
        finish(&z);
    }
    if (room)
        page_put(room);
}

void rss_add(struct mm *mm, s64 anon, s64 file)
{
    mm->rss_anon += anon;
    mm->rss_file += file;
    if (mm->rss_anon + mm->rss_file > mm->rss_peak)
        mm->rss_peak = mm->rss_anon + mm->rss_file;
}
