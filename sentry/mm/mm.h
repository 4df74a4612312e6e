/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory: physical pages, slabs, page tables, VMAs.
 */
#pragma once

#include <linux/mman.h>
#include "sentry/lib/lock.h"
#include "sentry/machine/machine.h"

/* ---- physical pages: page.c ---- */

/*
 * One per 4 KiB page of RAM, in an array at the start of RAM that is touched only as RAM is used.
 * refs counts page table entries and holders; the last page_put() frees it.
 */
struct page {
    refcount_t refs;
    u8 order;  /* of a free block's first page; of the slab or kmalloc block; level of a table */
    u8 flags;  /* PG_*; guarded by the allocator's lock while free */
    u16 count; /* page tables: entries in use */
    struct list link; /* free list, or the owner's use */
};
#define PG_FREE  1 /* first page of a block on a free list */
#define PG_ZERO  2 /* free page, known to hold zeroes (fresh from the host) */
#define PG_SLAB  4 /* part of a slab */
#define PG_STALE 8 /* first page of a free block that the host may have back */

/* Set up the allocator over the RAM that the device tree names. */
void page_init(pa_t base, u64 size);
struct page *page_of(pa_t pa);
pa_t page_to_phys(const struct page *p);
static inline void *page_virt(const struct page *p)
{
    return phys_to_virt(page_to_phys(p));
}
#define PAGE_ALLOC_ZERO 1u /* cleared */
#define PAGE_ALLOC_USER 2u /* for the application: leaves a reserve to the Sentry */
/* 2^order contiguous pages, each with one reference of its own; NULL when there are none. */
struct page *page_alloc(unsigned order, unsigned flags);
static inline void page_get(struct page *p)
{
    ref_get(&p->refs);
}
void page_put(struct page *p);
/* Drop one reference of each of n pages (any pages). */
void pages_put(struct page **p, unsigned n);
/* Drop one reference of each of the 2^order pages that page_alloc(order) gave. */
void page_put_block(struct page *p, unsigned order);
/* Give up to max free blocks (of 2 MiB or more) back to the host; how many there were. */
u64 page_release(u64 max);
/* Start the thread that gives long-free memory back to the host. Once, when tasks can run. */
void page_release_start(void);
/* Pages free and in all, for meminfo; RAM above what was ever used counts as free. */
u64 pages_free(void);
u64 pages_total(void);
u64 pages_peak(void); /* most pages that were in use at once */

/* ---- kernel memory: slab.c ---- */

void slab_init(void); /* after page_init() */

void *kmalloc(size_t n); /* NULL when out of memory; up to 4 MiB; 16-aligned (>= 64: 64-aligned) */
void *kzalloc(size_t n);
void *krealloc(void *p, size_t n);
void kfree(void *p); /* NULL is fine */
char *kstrdup(const char *s);
/* Cache of objects of one type; same memory as kmalloc, exact size. */
struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align);
void *slab_alloc(struct slab_cache *c); /* zeroed; NULL when out of memory */
void slab_free(struct slab_cache *c, void *p);

/* ---- page tables: pgtable.c. x86-64 format on both machines ---- */

typedef u64 pte_t;
#define PTE_P       (1ULL << 0)
#define PTE_W       (1ULL << 1)
#define PTE_U       (1ULL << 2)
#define PTE_A       (1ULL << 5)
#define PTE_D       (1ULL << 6)
#define PTE_PS      (1ULL << 7)
#define PTE_G       (1ULL << 8)
#define PTE_SPECIAL (1ULL << 9) /* software: no struct page behind it (file window) */
#define PTE_FILE                                                                                 \
    (1ULL << 10)              /* software: the page belongs to the mapped object, not to this mm \
                               */
#define PTE_NONE (1ULL << 11) /* software, with P clear: page kept under PROT_NONE */
#define PTE_NX   (1ULL << 63)
#define PTE_ADDR 0x000ffffffffff000ULL

struct mm;
/*
 * The entry that maps va: *level 1 (4 KiB) or 2 (2 MiB). alloc_level != 0: make the tables down to
 * that level. NULL when there is none (or no memory). Under pt_lock.
 */
pte_t *pt_walk(struct mm *mm, uva_t va, int alloc_level, int *level);
/* Drop all pages and tables of the user half; nobody uses mm any more. */
void pt_destroy(struct mm *mm);
/* Turn the 2 MiB entry that maps va into 512 small ones. 0 or -ENOMEM. Under pt_lock. */
int pt_split_huge(struct mm *mm, uva_t va);

/* ---- address spaces ---- */

struct vfs_file;
struct vma;
struct inode;

/* What a page fault finds behind a mapping. */
struct fault_page {
    pa_t pa;
    bool special;  /* in the file window: no reference, valid while the mapping exists */
    bool writable; /* shared mapping may be mapped writable at once */
    u32 npages; /* special: contiguous pages from pa that are valid too (fault-around); else 0, 1 */
    u32 nbefore; /* special: contiguous pages before pa that are valid too */
};

/*
 * Operations of a mapping's object. fault: find (or make) page `index` of the object, with a
 * reference on a RAM page. write: a store through a shared mapping. 0, -EFAULT (beyond the end:
 * SIGBUS), -ENOMEM. May sleep; mm->lock is held for read, so it takes no inode lock. *out is
 * zeroed. open and close run under no lock or mm->lock for write; close may sleep.
 */
struct vma_ops {
    int (*fault)(struct vma *vma, u64 index, bool write, struct fault_page *out);
    void (*open)(struct vma *vma); /* a copy of the vma was made (fork, split) */
    void (*close)(struct vma *vma);
    const char *(*name)(struct vma *vma); /* for /proc/PID/maps: [vdso] … ; NULL: the file's path */
};

/* Mapping of [start, end). Owned by its mm, guarded by mm->lock (write to change). */
struct vma {
    uva_t start, end;
    struct mm *mm;
    struct list link;              /* mm->vmas, sorted by address */
    struct vma *left, *right, *up; /* balanced tree in mm->root; see vma.c */
    u64 gap_max;                   /* largest hole in front of a vma of this subtree */
    u32 prio;                      /* treap priority */
    u32 prot;                      /* PROT_* */
    u32 flags;                     /* VMA_* */
    struct vfs_file *file;         /* reference, or NULL: anonymous */
    u64 pgoff;                     /* page index of start in the file */
    const struct vma_ops *ops;
    struct list mapping_link; /* inode->mapping.vmas; mapping lock */
    u64 unmap_seq;            /* last sweep of mapping_unmap_range() that saw it; mapping lock */
    void *private;            /* of ops: shared anonymous memory, shm segment, … */
};
#define VMA_SHARED     1u
#define VMA_GROWSDOWN  2u
#define VMA_MAYWRITE   4u /* mprotect may add PROT_WRITE */
#define VMA_LOCKED     8u
#define VMA_DONTFORK   16u
#define VMA_WIPEONFORK 32u
#define VMA_NOHUGE     64u
#define VMA_HUGE       128u
#define VMA_STACK      256u
#define VMA_SPECIAL    512u  /* vdso, vvar: no mremap/munmap accounting surprises */
#define VMA_HEAP       1024u /* made by brk(2): [heap] */
#define VMA_NORESERVE  2048u

/* An address space; shared by CLONE_VM. */
struct mm {
    refcount_t users;        /* tasks, and others that look into it for a while (mm_get/mm_put) */
    struct rwsem lock;       /* vmas; read for faults */
    struct spinlock pt_lock; /* page table entries */
    pa_t pgd;
    struct mspace mspace; /* the machine's */
    struct list vmas;
    struct vma *root;
    unsigned nvmas;
    u32 def_flags;                    /* VMA_LOCKED after mlockall(MCL_FUTURE) */
    u64 total_vm, data_vm, locked_vm; /* pages */
    s64 rss_anon, rss_file;           /* pages, pt_lock */
    s64 rss_peak;
    uva_t mmap_base, mmap_min;
    uva_t brk_start, brk;
    uva_t stack_start, arg_start, arg_end, env_start, env_end, start_code, end_code, start_data,
        end_data;
    uva_t vdso;
    u8 auxv[512];
    u32 auxv_len;
    struct vfs_file *exe;
    bool oom_killed;
    bool dumpable;
};

struct mm *mm_new(void);            /* one user; NULL when out of memory */
struct mm *mm_fork(struct mm *old); /* copy-on-write copy of current's; NULL when out of memory */
static inline void mm_get(struct mm *mm)
{
    ref_get(&mm->users);
}
void mm_put(struct mm *mm);

/* Lookups; mm->lock held. */
struct vma *vma_find(struct mm *mm, uva_t addr);       /* first vma with end > addr */
struct vma *vma_find_exact(struct mm *mm, uva_t addr); /* the one that contains addr, or NULL */

/*
 * mmap(2) for exec, shm and the system call. Returns the address or -errno. Takes mm->lock itself.
 * flags: MAP_*. file may be NULL. A reference to the file is taken.
 */
s64 mm_mmap(struct mm *mm, uva_t addr, u64 len, u32 prot, u32 flags, struct vfs_file *file,
            u64 offset);
/* Mapping with given operations (vdso, vvar) from page pgoff of it; vma_flags: VMA_*. */
s64 mm_map_special(struct mm *mm, uva_t addr, u64 len, u32 prot, u32 vma_flags,
                   const struct vma_ops *ops, u64 pgoff);
/* Shared mapping of an object that is no file (shm): map_flags: MAP_*; ops->open is called for it.
 */
s64 mm_map_object(struct mm *mm, uva_t addr, u64 len, u32 prot, u32 map_flags,
                  const struct vma_ops *ops, void *private, u64 pgoff);
int mm_munmap(struct mm *mm, uva_t addr, u64 len);
/* Where mmap(2) with these MAP_* flags would put len: address or -errno. mm->lock held. */
s64 mm_get_unmapped(struct mm *mm, uva_t hint, u64 len, u32 map_flags);

/*
 * Resolve a page fault at addr. access: FAULT_*. 0, or a signal: the caller sends it for user
 * faults, turns it into -EFAULT for kernel copies. Takes mm->lock for read; may sleep.
 */
#define FAULT_WRITE 2u
#define FAULT_EXEC  16u
struct fault_result {
    int sig;  /* 0: resolved; SIGSEGV, SIGBUS, SIGKILL (out of memory) */
    int code; /* SEGV_MAPERR, ... */
};
struct fault_result mm_fault(struct mm *mm, uva_t addr, u32 access);

/*
 * Access another (or any) address space by walking its page tables, page by page; faults pages in.
 * write: PROT is honoured unless force. Bytes copied, or -EFAULT when none.
 */
s64 mm_access(struct mm *mm, uva_t addr, void *buf, size_t len, bool write, bool force);
/*
 * Physical address of user page `addr` with the wanted access, faulting it in; RAM pages get a
 * reference (*page), special ones give *page = NULL. For futex keys and host I/O. 0 or -EFAULT.
 */
int mm_pin(struct mm *mm, uva_t addr, bool write, pa_t *pa, struct page **page);

/*
 * Who maps an inode. seq changes before pages are taken out of page tables, so that a fault that
 * found its page before does not put it in afterwards.
 */
struct mapping {
    struct spinlock lock;
    struct list vmas;   /* of vma.mapping_link; lock */
    u64 seq;            /* lock to change */
    struct mutex sweep; /* one sweep at a time; taken before any mm->lock */
};
void mapping_init(struct mapping *m);
/*
 * Pages [first, last] of an inode went (truncate): unmap them everywhere, private copies too. The
 * object must not hand them out any more. May sleep; not with an mm->lock or a spinlock held.
 */
void mapping_unmap_range(struct mapping *m, u64 first, u64 last);
/* The same without private copies: hole punching, or the window chunk behind them is wanted back.
 */
void mapping_evict_range(struct mapping *m, u64 first, u64 last);

/* Out of memory: choose and kill a process, log it. True when something was killed. oom.c */
bool oom_kill(void);

/* vDSO: vdso.c maps it into a fresh mm, at `hint` if there is room; its address or -errno. */
s64 vdso_map(struct mm *mm, uva_t hint);
/*
 * Real time is monotonic time + offset (ns); good until monotonic time `until`, then the vDSO asks
 * by system call. May be called at any time by any task; not under a spinlock.
 */
void vdso_set_realtime(u64 offset, u64 until);

/* All of the above that needs a start after page_init() and slab_init(). */
void mm_init(void);
/* Resident pages now, and the peak (VmHWM). */
u64 mm_rss(struct mm *mm);
/*
 * A vma of the mm for /proc/PID/maps: the name in brackets ("[heap]", "[stack]", "[vdso]") or NULL:
 * the file's path, if any. mm->lock held.
 */
const char *vma_name(struct vma *vma);
