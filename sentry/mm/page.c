// SPDX-License-Identifier: Apache-2.0
/*
 * Physical pages: a buddy allocator, and per-CPU caches of single pages in front of it.
 *
 * RAM is one range. Its struct page array lies at its start, and both are touched only up to the
 * frontier: RAM above it has never been used, so it holds zeroes and costs the host nothing.
 * PG_ZERO is kept for every single free page, so that fresh memory is not cleared again however
 * blocks were split and merged.
 */
#include "sentry/mm/internal.h"
#include "vmm/abi/bootinfo.h"

#define MAX_ORDER  10
#define HUGE_ORDER (HUGE_SHIFT - PAGE_SHIFT)
#define GROW_PAGES (1UL << HUGE_ORDER)
#define PCP_PAGES  64
#define PCP_BATCH  32

/* The allocator; guarded by lock. Indexes are page numbers from base. */
static struct {
    struct spinlock lock;
    struct list free[MAX_ORDER + 1];
    struct page *map;
    pa_t base;
    u64 npages, frontier;
    u64 plugged;          /* pages that the host has made usable; the frontier stays below */
    u64 nfree;            /* pages on the lists */
    u64 peak;             /* most pages that were not free, those that CPUs keep in hand included */
    u64 reserve;          /* PAGE_ALLOC_USER leaves that many */
    u64 stale, stale_low; /* PG_STALE blocks; fewest since the releaser last looked */
    struct task *releaser;
} zone;

/* Single free pages of one CPU. The lock is for the hosted machine, where tasks change CPU. */
static struct pcp {
    struct spinlock lock;
    u32 n;
    struct page *pages[PCP_PAGES];
} __attribute__((aligned(64))) pcps[MAX_CPUS];

struct page *page_of(pa_t pa)
{
    return &zone.map[(pa - zone.base) >> PAGE_SHIFT];
}

pa_t page_to_phys(const struct page *p)
{
    return zone.base + ((u64)(p - zone.map) << PAGE_SHIFT);
}

bool pa_is_ram(pa_t pa)
{
    return pa - zone.base < zone.npages << PAGE_SHIFT;
}

static void list_push(struct page *p, unsigned order, bool stale, bool tail)
{
    p->order = (u8)order;
    p->flags |= PG_FREE;
    if (stale && order >= HUGE_ORDER) {
        p->flags |= PG_STALE;
        if (zone.stale++ == 0 && zone.releaser)
            machine_unpark(zone.releaser);
    }
    if (tail)
        list_add_tail(&zone.free[order], &p->link);
    else
        list_add(&zone.free[order], &p->link);
    zone.nfree += 1UL << order;
}

/* Returns whether the block was stale. */
static bool list_pull(struct page *p)
{
    bool stale = p->flags & PG_STALE;

    list_del(&p->link);
    p->flags &= (u8) ~(PG_FREE | PG_STALE);
    zone.nfree -= 1UL << p->order;
    if (stale && --zone.stale < zone.stale_low)
        zone.stale_low = zone.stale;
    return stale;
}

/* Put a block back, merged with its free buddies. */
static void free_block(struct page *p, unsigned order, bool stale, bool tail)
{
    u64 i = (u64)(p - zone.map);

    while (order < MAX_ORDER) {
        u64 b = i ^ (1UL << order);
        struct page *buddy = &zone.map[b];
        if (b >= zone.npages || !(buddy->flags & PG_FREE) || buddy->order != order)
            break;
        stale |= list_pull(buddy) || order < HUGE_ORDER;
        i &= b;
        order++;
    }
    list_push(&zone.map[i], order, stale, tail);
}

/* Free [from, to) in naturally aligned blocks. */
static void free_range(u64 from, u64 to)
{
    while (from < to) {
        unsigned order =
            from ? MIN((unsigned)__builtin_ctzl(from), (unsigned)MAX_ORDER) : MAX_ORDER;
        while (from + (1UL << order) > to)
            order--;
        free_block(&zone.map[from], order, false, true);
        from += 1UL << order;
    }
}

/* Have the host make pages below `to` usable. */
static bool plug(u64 to)
{
    struct hostcall hc = {.nr = HC_MEM_PLUG, .arg = {zone.base + (to << PAGE_SHIFT)}};

    if (to > zone.plugged && host_call(&hc) == 0)
        zone.plugged = (hc.out[0] - zone.base) >> PAGE_SHIFT;
    return to <= zone.plugged;
}

/* Move the frontier up. */
static bool grow(void)
{
    u64 from = zone.frontier, to = MIN((from + GROW_PAGES) & ~(GROW_PAGES - 1), zone.npages);

    if (!plug(to))
        return false;
    for (u64 i = from; i < to; i++)
        zone.map[i].flags = PG_ZERO;
    zone.frontier = to;
    free_range(from, to);
    return to > from;
}

static u64 free_in_zone(void)
{
    return zone.nfree + (zone.npages - zone.frontier);
}

static struct page *take_block(unsigned order)
{
    unsigned o;

    do {
        for (o = order; o <= MAX_ORDER && list_empty(&zone.free[o]); o++)
            ;
    } while (o > MAX_ORDER && grow());
    if (o > MAX_ORDER)
        return NULL;
    struct page *p = list_first(&zone.free[o], struct page, link);
    bool stale = list_pull(p);
    while (o > order) {
        o--;
        list_push(p + (1UL << o), o, stale, false);
    }
    p->order = (u8)order;
    zone.peak = MAX(zone.peak, zone.npages - free_in_zone());
    return p;
}

static bool below_reserve(u64 n, unsigned flags)
{
    return (flags & PAGE_ALLOC_USER) && free_in_zone() < zone.reserve + n;
}

static struct page *alloc_single(unsigned flags)
{
    struct pcp *c = &pcps[cpu_id()];
    struct page *p = NULL;

    spin_lock(&c->lock);
    if (!c->n) {
        spin_lock(&zone.lock);
        if (!below_reserve(PCP_BATCH, flags)) {
            while (c->n < PCP_BATCH && (p = take_block(0)))
                c->pages[c->n++] = p;
        }
        spin_unlock(&zone.lock);
        /* Hand them out in ascending order. */
        for (u32 i = 0; i < c->n / 2; i++) {
            p = c->pages[i];
            c->pages[i] = c->pages[c->n - 1 - i];
            c->pages[c->n - 1 - i] = p;
        }
    }
    p = c->n ? c->pages[--c->n] : NULL;
    spin_unlock(&c->lock);
    return p;
}

/* Give the pages of all per-CPU caches back, so that they merge. */
static void drain_caches(void)
{
    for (unsigned i = 0; i < machine_ncpus; i++) {
        struct pcp *c = &pcps[i];
        spin_lock(&c->lock);
        spin_lock(&zone.lock);
        while (c->n)
            free_block(c->pages[--c->n], 0, false, false);
        spin_unlock(&zone.lock);
        spin_unlock(&c->lock);
    }
}

static struct page *alloc_block(unsigned order, unsigned flags)
{
    struct page *p;

    spin_lock(&zone.lock);
    p = below_reserve(1UL << order, flags) ? NULL : take_block(order);
    spin_unlock(&zone.lock);
    return p;
}

static void clear_pages(struct page *p, u64 n)
{
    for (u64 i = 0; i < n;) {
        u64 run = i;
        while (run < n && !(p[run].flags & PG_ZERO))
            run++;
        if (run > i)
            memset(page_virt(p + i), 0, (run - i) << PAGE_SHIFT);
        i = run + 1;
    }
}

struct page *page_alloc(unsigned order, unsigned flags)
{
    struct page *p = order ? alloc_block(order, flags) : alloc_single(flags);

    if (unlikely(!p) && order <= MAX_ORDER) {
        drain_caches();
        p = alloc_block(order, flags);
    }
    if (unlikely(!p))
        return NULL;
    if (flags & PAGE_ALLOC_ZERO)
        clear_pages(p, 1UL << order);
    for (u64 i = 0; i < 1UL << order; i++) {
        p[i].flags = 0;
        p[i].count = 0;
        ref_init(&p[i].refs, 1);
    }
    p->order = (u8)order;
    return p;
}

/* The last reference to p went. c->lock held. */
static void cache_free(struct pcp *c, struct page *p)
{
    if (c->n == PCP_PAGES) {
        spin_lock(&zone.lock);
        for (u32 i = 0; i < PCP_BATCH; i++)
            free_block(c->pages[i], 0, false, false);
        spin_unlock(&zone.lock);
        c->n -= PCP_BATCH;
        memmove(c->pages, c->pages + PCP_BATCH, c->n * sizeof(c->pages[0]));
    }
    c->pages[c->n++] = p;
}

static bool drop_ref(struct page *p)
{
    u32 n = __atomic_fetch_sub(&p->refs.n, 1, __ATOMIC_ACQ_REL);

    BUG_ON(n == 0);
    return n == 1;
}

void page_put(struct page *p)
{
    if (drop_ref(p)) {
        struct pcp *c = &pcps[cpu_id()];
        p->flags = 0;
        spin_lock(&c->lock);
        cache_free(c, p);
        spin_unlock(&c->lock);
    }
}

void pages_put(struct page **p, unsigned n)
{
    struct pcp *c = &pcps[cpu_id()];

    spin_lock(&c->lock);
    for (unsigned i = 0; i < n; i++) {
        if (drop_ref(p[i])) {
            p[i]->flags = 0;
            cache_free(c, p[i]);
        }
    }
    spin_unlock(&c->lock);
}

void page_put_block(struct page *p, unsigned order)
{
    u64 n = 1UL << order;
    bool sole = true;

    for (u64 i = 0; i < n && sole; i++)
        sole = ref_read(&p[i].refs) == 1;
    if (!sole || !order) {
        for (u64 i = 0; i < n; i++)
            page_put(p + i);
        return;
    }
    for (u64 i = 0; i < n; i++) {
        ref_init(&p[i].refs, 0);
        p[i].flags = 0;
    }
    spin_lock(&zone.lock);
    free_block(p, order, true, false);
    spin_unlock(&zone.lock);
}

u64 pages_free(void)
{
    u64 n = free_in_zone();

    for (unsigned i = 0; i < machine_ncpus; i++)
        n += pcps[i].n;
    return n;
}

u64 pages_peak(void)
{
    return zone.peak;
}

u64 pages_total(void)
{
    return zone.npages;
}

/* ---- giving memory back to the host ---- */

#define RELEASE_DELAY NSEC_PER_SEC

static struct page *pull_stale(void)
{
    for (unsigned o = MAX_ORDER; o >= HUGE_ORDER; o--) {
        for (struct list *l = zone.free[o].prev; l != &zone.free[o]; l = l->prev) {
            struct page *p = container_of(l, struct page, link);
            if (p->flags & PG_STALE) {
                list_pull(p);
                return p;
            }
        }
    }
    return NULL;
}

static void release_block(struct page *p)
{
    u64 n = 1UL << p->order, dirty = 0;

    for (u64 i = 0; i < n; i++)
        dirty += !(p[i].flags & PG_ZERO);
    if (dirty && !HOSTCALL(HC_MEM_RELEASE, page_to_phys(p), n << PAGE_SHIFT)) {
        for (u64 i = 0; i < n; i++)
            p[i].flags = PG_ZERO;
    }
}

u64 page_release(u64 max)
{
    u64 done;

    for (done = 0; done < max; done++) {
        spin_lock(&zone.lock);
        struct page *p = pull_stale();
        spin_unlock(&zone.lock);
        if (!p)
            break;
        release_block(p);
        spin_lock(&zone.lock);
        free_block(p, p->order, false, true);
        spin_unlock(&zone.lock);
    }
    return done;
}

/*
 * Blocks that nobody wanted for a whole delay go: as many as were stale at any moment of it. So
 * memory that is freed and taken again in turn stays. The thread sleeps while nothing is stale.
 */
static void releaser(void *arg)
{
    for (;;) {
        while (!__atomic_load_n(&zone.stale, __ATOMIC_RELAXED))
            machine_park(U64_MAX);
        spin_lock(&zone.lock);
        zone.stale_low = zone.stale;
        spin_unlock(&zone.lock);
        u64 wake = machine_clock_mono() + RELEASE_DELAY;
        while (machine_park(wake) != -ETIMEDOUT)
            ;
        page_release(__atomic_load_n(&zone.stale_low, __ATOMIC_RELAXED));
    }
}

void page_release_start(void)
{
    zone.releaser = kthread_start("release", releaser, NULL);
    if (!zone.releaser)
        log_warn("no thread to give free memory back to the host");
}

void page_init(pa_t base, u64 size)
{
    u64 array;

    memset(&zone, 0, sizeof(zone));
    memset(pcps, 0, sizeof(pcps));
    for (unsigned i = 0; i <= MAX_ORDER; i++)
        list_init(&zone.free[i]);
    zone.base = base;
    zone.npages = size >> PAGE_SHIFT;
    zone.map = phys_to_virt(base);
    zone.reserve = MIN(zone.npages / 64, 2048UL);
    array = PAGE_ALIGN(zone.npages * sizeof(struct page)) >> PAGE_SHIFT;
    zone.frontier = array;
    grow();
}
