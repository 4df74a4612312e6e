// SPDX-License-Identifier: Apache-2.0
/*
 * User memory: the page tables say where in RAM or in the file window a page is; it is copied
 * from there. pt_lock keeps the page while it is used.
 */
#include "sentry/machine/ptrace/internal.h"

/* Does something with n bytes of one user page at p; op->p is advanced by it. */
struct access {
    void (*step)(struct access *a, void *p, size_t n);
    char *buf;
    bool write;
    bool done; /* set by step: no need to go on */
    u32 old, new;
};

static bool range_ok(uva_t addr, size_t n)
{
    return addr <= USER_END && n <= USER_END - addr;
}

static void *user_page(struct mm *mm, uva_t addr, bool write)
{
    const pte_t want = PTE_P | PTE_U | (write ? PTE_W : 0);
    int level;
    pte_t *pte = pt_walk(mm, addr, 0, &level);

    if (!pte || (*pte & want) != want)
        return NULL;
    *pte |= PTE_A | (write ? PTE_D : 0);
    return phys_to_virt((*pte & PTE_ADDR) +
                        (level == 2 ? addr & (HUGE_SIZE - 1) : addr & ~PAGE_MASK));
}

/* Apply a->step to [addr, addr + n), page by page, faulting pages in. */
static int walk(uva_t addr, size_t n, struct access *a)
{
    struct mm *mm = current->mm;

    if (!mm || !range_ok(addr, n))
        return -EFAULT;
    while (n && !a->done) {
        size_t part = MIN(n, PAGE_SIZE - (addr & ~PAGE_MASK));
        void *p;

        spin_lock(&mm->pt_lock);
        p = user_page(mm, addr, a->write);
        if (p)
            a->step(a, p, part);
        spin_unlock(&mm->pt_lock);
        if (!p) {
            if (mm_fault(mm, addr, a->write ? FAULT_WRITE : 0).sig)
                return -EFAULT;
            continue;
        }
        addr += part;
        n -= part;
    }
    return 0;
}

static void step_from(struct access *a, void *p, size_t n)
{
    memcpy(a->buf, p, n);
    a->buf += n;
}

static void step_to(struct access *a, void *p, size_t n)
{
    memcpy(p, a->buf, n);
    a->buf += n;
}

static void step_clear(struct access *a, void *p, size_t n)
{
    memset(p, 0, n);
}

/* The application may write to the string meanwhile: look for the end in our copy. */
static void step_string(struct access *a, void *p, size_t n)
{
    char *nul;

    memcpy(a->buf, p, n);
    nul = memchr(a->buf, 0, n);
    a->done = nul != NULL;
    a->buf = nul ? nul : a->buf + n;
}

static void step_cmpxchg(struct access *a, void *p, size_t n)
{
    __atomic_compare_exchange_n((u32 *)p, &a->old, a->new, false, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
}

int copy_from_user(void *dst, uva_t src, size_t n)
{
    struct access a = {.step = step_from, .buf = dst};

    return walk(src, n, &a);
}

int copy_to_user(uva_t dst, const void *src, size_t n)
{
    struct access a = {.step = step_to, .buf = (char *)src, .write = true};

    return walk(dst, n, &a);
}

int clear_user(uva_t dst, size_t n)
{
    struct access a = {.step = step_clear, .write = true};

    return walk(dst, n, &a);
}

long strncpy_from_user(char *dst, uva_t src, size_t n)
{
    struct access a = {.step = step_string, .buf = dst};

    if (src >= USER_END)
        return -EFAULT;
    /* The string may end before the address range does. */
    if (walk(src, MIN(n, USER_END - src), &a))
        return -EFAULT;
    if (!a.done)
        return n > USER_END - src ? -EFAULT : -ENAMETOOLONG;
    return a.buf - dst;
}

int cmpxchg_user_u32(uva_t p, u32 old, u32 new, u32 *was)
{
    struct access a = {.step = step_cmpxchg, .write = true, .old = old, .new = new};

    if (p % sizeof(u32) || walk(p, sizeof(u32), &a))
        return -EFAULT;
    *was = a.old;
    return 0;
}
