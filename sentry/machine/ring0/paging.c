// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel half of every address space. The VMM's boot tables hold the image and the direct map
 * and stay in use as the tables of idle CPUs; we add the area of kernel stacks. The top-level
 * entries are complete before the first address space copies them.
 */
#include "sentry/machine/ring0/percpu.h"

/* Each stack has a guard of its size below. */
#define STACK_STRIDE (2 * KERNEL_STACK_SIZE)
#define STACKS_MAX   (GIB(1) / STACK_STRIDE)

u64 kernel_cr3;

/* Level-2 table of the stack area: entries are tables of 4 KiB pages, made when needed. */
static u64 *stacks_pd;
/* Guards the two below and the tables. */
static struct spinlock stacks_lock = SPINLOCK_INIT;
static u64 stacks_free; /* address of a free stack, whose first word is the next one; 0: none */
static u64 stacks_made;

static u64 *table_new(pa_t *pa)
{
    struct page *p = page_alloc(0, PAGE_ALLOC_ZERO);

    if (!p)
        return NULL;
    *pa = page_to_phys(p);
    return page_virt(p);
}

void paging_init(void)
{
    u64 *pml4, *pdpt;
    pa_t pa_pdpt, pa_pd;

    kernel_cr3 = read_cr3() & PTE_ADDR;
    pml4 = boot_ptr(kernel_cr3);
    pdpt = table_new(&pa_pdpt);
    stacks_pd = table_new(&pa_pd);
    if (!pdpt || !stacks_pd)
        machine_panic("no memory for kernel page tables");
    pdpt[STACKS_VA >> 30 & 511] = pa_pd | PTE_P | PTE_W | PTE_A;
    pml4[STACKS_VA >> 39 & 511] = pa_pdpt | PTE_P | PTE_W | PTE_A;
}

/* Back a stack that is used for the first time. stacks_lock held. */
static bool stack_map(u64 stack)
{
    u64 *e = &stacks_pd[stack >> 21 & 511], *pt;
    struct page *p = page_alloc(2, 0);
    pa_t pa;

    BUILD_ASSERT(KERNEL_STACK_SIZE == 4 * PAGE_SIZE);
    if (!p)
        return false;
    if (!(*e & PTE_P)) {
        if (!table_new(&pa)) {
            for (unsigned i = 0; i < 4; i++)
                page_put(p + i);
            return false;
        }
        *e = pa | PTE_P | PTE_W | PTE_A;
    }
    pt = phys_to_virt(*e & PTE_ADDR);
    for (unsigned i = 0; i < 4; i++)
        pt[(stack >> PAGE_SHIFT & 511) + i] =
            page_to_phys(p + i) | PTE_P | PTE_W | PTE_A | PTE_D | PTE_G | PTE_NX;
    return true;
}

u64 stack_alloc(void)
{
    u64 stack;

    spin_lock(&stacks_lock);
    stack = stacks_free;
    if (stack) {
        stacks_free = *(u64 *)stack;
    } else if (stacks_made < STACKS_MAX) {
        stack = STACKS_VA + stacks_made * STACK_STRIDE + KERNEL_STACK_SIZE;
        if (stack_map(stack))
            stacks_made++;
        else
            stack = 0;
    }
    spin_unlock(&stacks_lock);
    return stack;
}

void stack_free(u64 stack)
{
    spin_lock(&stacks_lock);
    *(u64 *)stack = stacks_free;
    stacks_free = stack;
    spin_unlock(&stacks_lock);
}

bool stack_guard_hit(u64 addr)
{
    return addr >= STACKS_VA && addr < STACKS_VA + STACKS_MAX * STACK_STRIDE &&
           (addr - STACKS_VA) % STACK_STRIDE < KERNEL_STACK_SIZE;
}
