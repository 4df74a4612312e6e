// SPDX-License-Identifier: Apache-2.0
/*
 * As much of the rest of the Sentry as the ring 0 machine calls: memory that is never given back,
 * address spaces with tables made by hand, tasks without processes.
 */
#include "tests/unit/ring0/fake.h"

bool machine_tsc_aux;

static pa_t next_page;
static struct spinlock lock;
static struct page *pages; /* one per page from RAM_GPA */

void page_init(pa_t base, u64 size)
{
    pages = phys_to_virt(base);
    next_page = PAGE_ALIGN(base + 16384 * sizeof(struct page));
}

void slab_init(void) {}

void mm_init(void) {}

struct page *page_of(pa_t pa)
{
    return &pages[(pa - RAM_GPA) >> PAGE_SHIFT];
}

pa_t page_to_phys(const struct page *p)
{
    return RAM_GPA + ((u64)(p - pages) << PAGE_SHIFT);
}

struct page *page_alloc(unsigned order, unsigned flags)
{
    pa_t pa;

    spin_lock(&lock);
    pa = next_page;
    next_page += PAGE_SIZE << order;
    spin_unlock(&lock);
    return page_of(pa);
}

void page_put(struct page *p) {}

void *kzalloc(size_t n)
{
    unsigned order = 0;

    while (PAGE_SIZE << order < n)
        order++;
    return page_virt(page_alloc(order, 0));
}

void kfree(void *p) {}

/* ---- address spaces ---- */

static u64 *table_at(u64 *entry)
{
    if (!(*entry & PTE_P))
        *entry = page_to_phys(page_alloc(0, 0)) | PTE_P | PTE_W | PTE_U;
    return phys_to_virt(*entry & PTE_ADDR);
}

pte_t *fake_pte(struct mm *mm, uva_t va)
{
    u64 *t = phys_to_virt(mm->pgd);

    t = table_at(&t[va >> 39 & 511]);
    t = table_at(&t[va >> 30 & 511]);
    t = table_at(&t[va >> 21 & 511]);
    return &t[va >> 12 & 511];
}

struct mm *fake_mm_new(void)
{
    struct mm *mm = kzalloc(sizeof(*mm));

    mm->pgd = page_to_phys(page_alloc(0, 0));
    mspace_init(mm);
    return mm;
}

void *fake_map(struct mm *mm, uva_t va, u64 flags)
{
    struct page *p = page_alloc(0, 0);

    *fake_pte(mm, va) = page_to_phys(p) | PTE_P | PTE_U | flags;
    return page_virt(p);
}

/* Pages of [LAZY_VA, LAZY_END) appear when they are touched; the task sleeps over it. */
struct fault_result mm_fault(struct mm *mm, uva_t addr, u32 access)
{
    if (addr < LAZY_VA || addr >= LAZY_END)
        return (struct fault_result){.sig = SIGSEGV};
    machine_park(machine_clock_mono() + 20000);
    fake_map(mm, addr, PTE_W | PTE_NX);
    return (struct fault_result){0};
}

/* ---- tasks ---- */

u32 tasks_freed;

void task_get(struct task *t)
{
    ref_get(&t->refs);
}

void task_put(struct task *t)
{
    if (ref_put(&t->refs))
        __atomic_fetch_add(&tasks_freed, 1, __ATOMIC_SEQ_CST);
}

bool signal_pending(const struct task *t)
{
    return false;
}

static void entry(struct task *t)
{
    t->kthread_fn(t->kthread_arg);
    machine_thread_exit();
}

struct task *fake_task(const char *name, void (*fn)(void *), void *arg, struct mm *mm)
{
    struct task *t = kzalloc(sizeof(*t));

    ref_init(&t->refs, 1);
    t->fpu = kzalloc(machine_fpu_size);
    machine_fpu_init(t->fpu);
    snprintf_(t->comm, sizeof(t->comm), "%s", name);
    t->mm = mm;
    t->kthread_fn = fn;
    t->kthread_arg = arg;
    if (machine_thread_create(t, entry))
        panic("no thread");
    return t;
}

struct task *kthread_start(const char *name, void (*fn)(void *), void *arg)
{
    struct task *t = fake_task(name, fn, arg, NULL);

    machine_thread_start(t);
    return t;
}

void random_bytes(void *buf, size_t n) {}
