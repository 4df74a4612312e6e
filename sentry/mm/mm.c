// SPDX-License-Identifier: Apache-2.0
/*
 * Address spaces as objects: birth, death, limits.
 */
#include "sentry/fs/vfs.h"
#include "sentry/mm/internal.h"

static struct slab_cache *mm_cache;

void mm_init(void)
{
    zero_pa = pt_alloc_table();
    mm_cache = slab_cache_create("mm", sizeof(struct mm), 64);
    BUG_ON(!zero_pa || !mm_cache);
    vma_init();
    vdso_init();
}

struct mm *mm_new(void)
{
    struct mm *mm = slab_alloc(mm_cache);

    if (!mm)
        return NULL;
    ref_init(&mm->users, 1);
    rwsem_init(&mm->lock);
    list_init(&mm->vmas);
    mm->mmap_min = USER_MIN;
    mm->mmap_base = USER_END;
    mm->dumpable = true;
    mm->pgd = pt_alloc_table();
    if (!mm->pgd || mspace_init(mm)) {
        if (mm->pgd)
            page_put(page_of(mm->pgd));
        slab_free(mm_cache, mm);
        return NULL;
    }
    return mm;
}

void mm_put(struct mm *mm)
{
    if (!mm || !ref_put(&mm->users))
        return;
    mspace_destroy(mm);
    vma_forget_all(mm);
    pt_destroy(mm);
    vma_free_list(&mm->vmas); /* after the entries: these objects' pages were in them */
    if (mm->exe)
        file_put(mm->exe);
    slab_free(mm_cache, mm);
}

u64 mm_rss(struct mm *mm)
{
    return (u64)(mm->rss_anon + mm->rss_file);
}

int mm_may_expand(struct mm *mm, u32 vma_flags, u32 prot, u64 pages)
{
    bool private_writable = (prot & PROT_WRITE) && !(vma_flags & VMA_SHARED);

    if (mm->total_vm + pages > rlimit(RLIMIT_AS) >> PAGE_SHIFT)
        return -ENOMEM;
    if (private_writable && !(vma_flags & VMA_GROWSDOWN) &&
        mm->data_vm + pages > rlimit(RLIMIT_DATA) >> PAGE_SHIFT)
        return -ENOMEM;
    /* As Linux' heuristic: only what could never be had is refused. */
    if (private_writable && !(vma_flags & VMA_NORESERVE) && pages > pages_total())
        return -ENOMEM;
    return 0;
}

bool mm_may_lock(struct mm *mm, u64 pages)
{
    return capable(CAP_IPC_LOCK) || mm->locked_vm + pages <= rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
}
