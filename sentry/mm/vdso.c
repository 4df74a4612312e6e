// SPDX-License-Identifier: Apache-2.0
/*
 * The vDSO in the Sentry: its code and its data page in RAM pages that every process maps, and the
 * clock parameters in them.
 */
#include "sentry/mm/internal.h"
#include "sentry/vdso/vdso_data.h"

#define COARSE_RES 4000000 /* ns: what clock_getres() tells of the coarse clocks */
#define MAX_PAGES  8

extern const char vdso_image[], vdso_image_end[];

bool machine_tsc_aux;

/* The data page, then the code. Made once, mapped by everybody, never freed. */
static struct page *pages[1 + MAX_PAGES];
static u64 npages;
static struct spinlock update_lock = SPINLOCK_INIT;

void vdso_init(void)
{
    size_t size = (size_t)(vdso_image_end - vdso_image);

    npages = 1 + PAGE_ALIGN(size) / PAGE_SIZE;
    BUG_ON(npages > ARRAY_SIZE(pages));
    for (u64 i = 0; i < npages; i++) {
        pages[i] = page_alloc(0, PAGE_ALLOC_ZERO);
        BUG_ON(!pages[i]);
    }
    for (u64 i = 1; i < npages; i++) {
        u64 off = (i - 1) * PAGE_SIZE;
        memcpy(page_virt(pages[i]), vdso_image + off, MIN(size - off, PAGE_SIZE));
    }
}

void vdso_set_realtime(u64 offset, u64 until)
{
    struct vdso_data *d = page_virt(pages[0]);

    spin_lock(&update_lock);
    __atomic_store_n(&d->seq, d->seq + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    d->flags = (machine_clock.mult ? VDSO_TSC : 0) | (machine_tsc_aux ? VDSO_TSC_AUX : 0);
    d->tsc_base = machine_clock.tsc_base;
    d->mono_base = machine_clock.ns_base;
    d->mult = machine_clock.mult;
    d->shift = 32;
    d->coarse_res = COARSE_RES;
    d->real_offset = offset;
    d->real_until = until;
    __atomic_store_n(&d->seq, d->seq + 1, __ATOMIC_RELEASE);
    spin_unlock(&update_lock);
}

static int vdso_fault(struct vma *v, u64 index, bool write, struct fault_page *out)
{
    if (index >= npages)
        return -EFAULT;
    page_get(pages[index]);
    *out = (struct fault_page){.pa = page_to_phys(pages[index])};
    return 0;
}

static const char *data_name(struct vma *v)
{
    return "[vvar]";
}

static const char *code_name(struct vma *v)
{
    return "[vdso]";
}

static const struct vma_ops data_ops = {.fault = vdso_fault, .name = data_name};
static const struct vma_ops code_ops = {.fault = vdso_fault, .name = code_name};

s64 vdso_map(struct mm *mm, uva_t hint)
{
    u64 len = npages * PAGE_SIZE;
    s64 at, code;

    down_read(&mm->lock);
    at = mm_get_unmapped(mm, hint, len, 0);
    up_read(&mm->lock);
    if (at < 0)
        return at;
    code = at + (s64)PAGE_SIZE;
    at = mm_map_special(mm, (uva_t)at, PAGE_SIZE, PROT_READ, 0, &data_ops, 0);
    if (at < 0)
        return at;
    at = mm_map_special(mm, (uva_t)code, len - PAGE_SIZE, PROT_READ | PROT_EXEC, 0, &code_ops, 1);
    return at == code || at < 0 ? at : -ENOMEM;
}
