// SPDX-License-Identifier: Apache-2.0
/*
 * Address spaces. The page tables of mm/ are the truth; the host address space of the stubs is a
 * cache of it, like a TLB that is filled by software: a fault in a stub is answered by mapping the
 * pages behind the entries, and entries that go are unmapped before they are used again.
 *
 * Invariant: what a stub that runs has mapped is in the page tables with at least these rights.
 * A filler reads entries and maps them under mspace.lock; whoever takes an entry away comes by
 * mspace_flush() afterwards, which takes the same lock. A flush need not call into a stub at
 * once: it is enough that no stub of the space runs, and that the next to run unmaps first.
 */
#include "sentry/machine/ptrace/space.h"

#include "sentry/machine/ptrace/fillmap.h"

long space_call(struct mthread *mt, long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    const u64 arg[6] = {a, b, c, d, e, f};
    bool kicked = false;
    long r = stub_call(mt->stub, STUB_CALL, nr, arg, &kicked);

    mt->stats[STAT_CALLS]++;
    mt->regs_valid = false;
    if (kicked)
        __atomic_store_n(&mt->kick, 1, __ATOMIC_SEQ_CST);
    return r;
}

/* ---- unmapping ---- */

/* Drop everything; the space's lock is held. */
long space_unmap_all(struct mthread *mt, struct mspace *ms)
{
    long r = space_call(mt, __NR_munmap, 0, STUB_BASE, 0, 0, 0, 0);

    if (r == 0) {
        fillmap_clear(&ms->filled, 0, USER_END);
        __atomic_store_n(&ms->npending, 0, __ATOMIC_SEQ_CST);
    }
    return r;
}

/* Unmap what is pending, except what lies in [from, to): that is about to be mapped over. */
long space_unmap_pending(struct mthread *mt, struct mspace *ms, uva_t from, uva_t to)
{
    for (u32 i = 0; i < ms->npending; i++) {
        u64 start = ms->pending[i].start, end = ms->pending[i].end;
        long r;

        if (start >= from && end <= to)
            continue;
        r = space_call(mt, __NR_munmap, start, end - start, 0, 0, 0, 0);
        if (r == -ENOMEM) /* the host would have to split a mapping and has too many */
            r = space_unmap_all(mt, ms);
        if (r)
            return r;
    }
    __atomic_store_n(&ms->npending, 0, __ATOMIC_SEQ_CST);
    return 0;
}

void space_add_pending(struct mspace *ms, uva_t start, uva_t end)
{
    u32 n = ms->npending;

    for (u32 i = 0; i < n; i++) {
        if (start > ms->pending[i].end || end < ms->pending[i].start)
            continue;
        ms->pending[i].start = MIN(start, ms->pending[i].start);
        ms->pending[i].end = MAX(end, ms->pending[i].end);
        return;
    }
    if (n == MSPACE_PENDING) { /* too many: make one of all */
        for (u32 i = 0; i < n; i++) {
            start = MIN(start, ms->pending[i].start);
            end = MAX(end, ms->pending[i].end);
        }
        fillmap_clear(&ms->filled, start, end);
        n = 0;
    }
    ms->pending[n].start = start;
    ms->pending[n].end = end;
    __atomic_store_n(&ms->npending, n + 1, __ATOMIC_SEQ_CST);
}

/* Whether a stub other than current's runs. */
static bool others_run(struct mspace *ms)
{
    struct mthread *mt;

    list_for_each (mt, &ms->threads, space_link)
        if (__atomic_load_n(&mt->in_user, __ATOMIC_SEQ_CST))
            return true;
    return false;
}

/* Wait until no stub runs. They do not start again: they see npending first. */
static void stop_all(struct mspace *ms)
{
    struct mthread *mt;

    list_for_each (mt, &ms->threads, space_link) {
        u32 in = 1;

        __atomic_compare_exchange_n(&mt->in_user, &in, 2, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
        if (in == 0)
            continue;
        HOST_SYSCALL(__NR_tgkill, mt->stub, mt->stub, STUB_KICK);
        while (__atomic_load_n(&mt->in_user, __ATOMIC_SEQ_CST) == 2)
            host_futex_wait(&mt->in_user, 2, U64_MAX);
    }
}

void mspace_flush(struct mm *mm, uva_t start, uva_t end)
{
    struct mspace *ms = &mm->mspace;
    struct mthread *mt = current ? &current->mthread : NULL;

    end = MIN(end, (uva_t)USER_END);
    if (start >= end)
        return;
    spin_lock(&ms->lock);
    if (fillmap_clear(&ms->filled, start, end)) {
        space_add_pending(ms, start, end);
        if (!mt || mt->space != mm || !mt->stub)
            stop_all(ms);
        else if (others_run(ms) && space_unmap_pending(mt, ms, 0, 0) != 0)
            stop_all(ms);
    }
    spin_unlock(&ms->lock);
}

/* ---- stubs ---- */

/* current got a stub in ms; the lock is held. */
static void join(struct mthread *mt, struct mm *mm, int stub)
{
    mt->stub = stub;
    mt->space = mm;
    mt->regs_valid = false;
    mt->fpu = FPU_MEMORY;
    list_add(&mm->mspace.threads, &mt->space_link);
}

void space_leave(struct mthread *mt)
{
    struct mspace *ms;
    int stub = mt->stub ? mt->stub : mt->newborn;

    if (!stub)
        return;
    ms = &mt->space->mspace;
    spin_lock(&ms->lock);
    if (mt->stub)
        list_del(&mt->space_link);
    mt->stub = mt->newborn = 0;
    mt->space = NULL;
    mt->regs_valid = false;
    spin_unlock(&ms->lock);
    stub_kill(stub);
    __atomic_sub_fetch(&ms->nstubs, 1, __ATOMIC_SEQ_CST);
}

void space_lost(struct mthread *mt)
{
    log_warn("the stub process of %s[%d] is gone", current->comm, current->tid);
    space_leave(mt);
    signal_send_process(current->process, SIGKILL, NULL);
}

/* Find or make a stub for current and become its tracer. */
static bool space_acquire(struct mthread *mt)
{
    struct mm *mm = current->mm;
    struct mspace *ms = &mm->mspace;
    int r, stub = mt->newborn;

    mt->newborn = 0;
    spin_lock(&ms->lock);
    if (!stub) {
        stub = ms->spare;
        ms->spare = 0;
    }
    if (!stub && ms->nstubs == 0) {
        stub = zygote_spawn();
        if (stub > 0) {
            __atomic_add_fetch(&ms->nstubs, 1, __ATOMIC_SEQ_CST);
            fillmap_clear(&ms->filled, 0, USER_END);
            __atomic_store_n(&ms->npending, 0, __ATOMIC_SEQ_CST);
        }
    }
    r = stub > 0 ? stub_seize(stub) : -EAGAIN;
    if (r == 0)
        join(mt, mm, stub);
    else if (stub > 0)
        __atomic_sub_fetch(&ms->nstubs, 1, __ATOMIC_SEQ_CST);
    spin_unlock(&ms->lock);
    if (r == 0) {
        balance_bind(mt);
        return true;
    }
    log_warn("no stub process for %s[%d]: error %d", current->comm, current->tid,
             stub < 0 ? -stub : -r);
    signal_send_process(current->process, SIGKILL, NULL);
    return false;
}

bool space_enter(struct mthread *mt)
{
    struct mspace *ms = &current->mm->mspace;
    uva_t refill = mt->refill;
    long r = 0;

    if (mt->stub && mt->space != current->mm)
        space_leave(mt);
    if (!mt->stub && !space_acquire(mt))
        return false;
    mt->refill = 0;
    spin_lock(&ms->lock);
    if (refill)
        r = space_fill_locked(mt, ms, refill & PAGE_MASK);
    if (r >= 0 || r == -EFAULT)
        r = space_unmap_pending(mt, ms, 0, 0);
    spin_unlock(&ms->lock);
    if (r == 0)
        return true;
    space_lost(mt);
    return false;
}

int space_share(struct mthread *mt, struct task *t)
{
    struct mspace *ms = &current->mm->mspace;
    bool kicked = false;
    int stub;

    if (!mt->stub || mt->space != current->mm)
        return -EAGAIN;
    spin_lock(&ms->lock);
    stub = stub_clone(mt->stub, true, &kicked);
    mt->regs_valid = false;
    if (kicked)
        __atomic_store_n(&mt->kick, 1, __ATOMIC_SEQ_CST);
    if (stub > 0) {
        t->mthread.newborn = stub;
        t->mthread.space = current->mm;
        __atomic_add_fetch(&ms->nstubs, 1, __ATOMIC_SEQ_CST);
    }
    spin_unlock(&ms->lock);
    return stub > 0 ? 0 : stub;
}

/* ---- the machine interface ---- */

int mspace_init(struct mm *mm)
{
    mm->mspace = (struct mspace){0};
    list_init(&mm->mspace.threads);
    return 0;
}

/* ---- rights ---- */

/* Consecutive pages that get the same rights. */
struct sweep {
    struct mthread *mt;
    struct mm *mm;
    bool all;         /* any right may have changed, not only that to write */
    uva_t start, end; /* start == end: none yet */
    u32 prot;
    long err;
};

static u32 prot_of(pte_t e)
{
    if (!entry_ok(e))
        return PROT_NONE;
    return PROT_READ | (e & PTE_W ? PROT_WRITE : 0) | (e & PTE_NX ? 0 : PROT_EXEC);
}

static pte_t entry_of(struct mm *mm, uva_t va)
{
    int level;
    pte_t *e = pt_walk(mm, va, 0, &level);

    return e ? *e : 0;
}

static void protect_run(struct sweep *s)
{
    u64 len = s->end - s->start;

    if (len && !s->err)
        s->err = s->prot ? space_call(s->mt, __NR_mprotect, s->start, len, s->prot, 0, 0, 0)
                         : space_call(s->mt, __NR_munmap, s->start, len, 0, 0, 0, 0);
    s->start = s->end = 0;
}

/* Give the stub's page the rights that its entry has. */
static void visit_rights(void *arg, struct fill_chunk *c, uva_t page, unsigned bit)
{
    u64 *writable = &c->writable[bit / 64], *there = &c->bits[bit / 64], mask = 1ULL << bit % 64;
    struct sweep *s = arg;
    u32 prot;

    if (!s->all && !(*writable & mask))
        return;
    spin_lock(&s->mm->pt_lock);
    prot = prot_of(entry_of(s->mm, page));
    spin_unlock(&s->mm->pt_lock);
    if (!s->all && prot & PROT_WRITE)
        return;
    if (!(prot & PROT_WRITE) || !(*writable & mask))
        prot &= ~(u32)PROT_WRITE; /* only ever take away: what is gained comes with a fault */
    if (!(prot & PROT_WRITE))
        *writable &= ~mask;
    if (!prot)
        *there &= ~mask;
    if (page != s->end || prot != s->prot) {
        protect_run(s);
        s->start = page;
        s->prot = prot;
    }
    s->end = page + PAGE_SIZE;
}

/* Make [start, end) of the stubs what the entries say. The lock is held. */
static bool take_rights(struct mthread *mt, struct mm *mm, uva_t start, uva_t end, bool all)
{
    struct sweep s = {.mt = mt, .mm = mm, .all = all};
    struct mspace *ms = &mm->mspace;

    if (!ms->filled.unknown && space_unmap_pending(mt, ms, 0, 0) == 0) {
        fillmap_each(&ms->filled, start, end, visit_rights, &s);
        protect_run(&s);
        if (!s.err)
            return true;
    }
    if (space_unmap_all(mt, ms) == 0)
        return true;
    stop_all(ms); /* the next of these stubs to run finds itself in this state again */
    space_add_pending(ms, 0, USER_END);
    return false;
}

void mspace_protect(struct mm *mm, uva_t start, uva_t end)
{
    struct mthread *mt = current ? &current->mthread : NULL;

    if (!mt || mt->space != mm || !mt->stub) {
        mspace_flush(mm, start, end);
        return;
    }
    spin_lock(&mm->mspace.lock);
    take_rights(mt, mm, start, end, true);
    spin_unlock(&mm->mspace.lock);
}

/* A page of the child's stub that is not in the child's tables, or with fewer rights. */
static void visit_child(void *arg, struct fill_chunk *c, uva_t page, unsigned bit)
{
    u64 mask = 1ULL << bit % 64;
    struct mm *mm = arg;
    pte_t e = entry_of(mm, page);

    if (entry_ok(e) && (e & PTE_W || !(c->writable[bit / 64] & mask)))
        return;
    c->bits[bit / 64] &= ~mask;
    c->writable[bit / 64] &= ~mask;
    space_add_pending(&mm->mspace, page, page + PAGE_SIZE);
}

void mspace_inherit(struct mm *mm, struct mm *from, uva_t lo, uva_t hi)
{
    struct mthread *mt = &current->mthread;
    struct mspace *ms = &from->mspace, *to = &mm->mspace;
    bool kicked = false;
    int stub = 0;

    if (!mt->stub || mt->space != from) {
        mspace_flush(from, lo, hi);
        return;
    }
    spin_lock(&ms->lock);
    if (take_rights(mt, from, lo, hi, false))
        stub = stub_clone(mt->stub, false, &kicked);
    mt->regs_valid = false;
    if (kicked)
        __atomic_store_n(&mt->kick, 1, __ATOMIC_SEQ_CST);
    if (stub > 0) {
        to->spare = stub;
        to->nstubs = 1;
        fillmap_copy(&to->filled, &ms->filled);
        fillmap_each(&to->filled, 0, USER_END, visit_child, mm);
        if (to->filled.unknown)
            space_add_pending(to, 0, USER_END);
    }
    spin_unlock(&ms->lock);
}

void mspace_destroy(struct mm *mm)
{
    struct mspace *ms = &mm->mspace;

    if (ms->spare)
        stub_kill(ms->spare);
    ms->spare = 0;
    fillmap_free(&ms->filled);
}

void mspace_switch(struct mm *mm)
{
    struct mthread *mt = &current->mthread;
    struct mm *old = mt->space;
    bool reuse = false;
    int stub = mt->stub;

    mt->refill = 0;
    if (old == mm)
        return;
    if (!stub) {
        space_leave(mt);
        return;
    }
    spin_lock(&old->mspace.lock);
    /* exec of a process that shares its memory with nobody: empty the stub and keep it */
    if (mm && old->mspace.nstubs == 1 && mm->mspace.nstubs == 0)
        reuse = space_unmap_all(mt, &old->mspace) == 0;
    if (reuse) {
        list_del(&mt->space_link);
        old->mspace.nstubs = 0;
    }
    spin_unlock(&old->mspace.lock);
    if (!reuse) {
        space_leave(mt);
        return;
    }
    spin_lock(&mm->mspace.lock);
    mm->mspace.nstubs = 1;
    join(mt, mm, stub);
    spin_unlock(&mm->mspace.lock);
}
