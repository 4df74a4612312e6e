// SPDX-License-Identifier: Apache-2.0
/*
 * Futexes: wait, wake, requeue, wake-op, robust lists. User memory cannot be read under a
 * spinlock, so "compare and sleep" is made atomic by a counter: each bucket counts the wake-ups
 * and a waiter that read the value before a wake-up, and queues after it, starts over.
 */
#include <linux/futex.h>
#include <linux/time.h>
#include "sentry/fs/vfs.h"
#include "sentry/kernel/internal.h"
#include "sentry/mm/mm.h"
#include "sentry/syscall/syscall.h"

#define BUCKETS         256
#define ROBUST_LIST_MAX 2048
#define FUTEX_CMD_MASK_ (~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME))

/*
 * What a futex is: a word of an address space, or a word of a page of a shared object. Names only,
 * nothing is held: a key that outlives its object can at worst wake a waiter for nothing.
 */
struct futex_key {
    const void *object; /* mm, inode, or what shared anonymous memory has instead */
    u64 offset;         /* address, or offset in the file */
};

/* A waiting task, on its stack; bucket lock. */
struct futex_waiter {
    struct list link;
    struct futex_key key;
    struct futex_bucket *bucket; /* changes with a requeue; NULL once woken (atomic) */
    struct task *task;
    u32 bitset;
};

struct futex_bucket {
    struct spinlock lock;
    struct list waiters;
    u64 wakes;    /* calls that woke or moved waiters, even if there were none; atomic */
    u64 arrivals; /* waiters that queued; changed under lock, atomic */
};

static struct futex_bucket buckets[BUCKETS];

void futex_init(void)
{
    for (int i = 0; i < BUCKETS; i++)
        list_init(&buckets[i].waiters);
}

static struct futex_bucket *bucket_of(const struct futex_key *k)
{
    u64 h = ((u64)k->object >> 4) * 0x9e3779b97f4a7c15ull ^ (k->offset >> 2);

    h *= 0xbf58476d1ce4e5b9ull;
    return &buckets[h >> 56];
}

static bool same_key(const struct futex_key *a, const struct futex_key *b)
{
    return a->object == b->object && a->offset == b->offset;
}

static int futex_key(uva_t addr, bool shared, struct futex_key *key)
{
    struct mm *mm = current->mm;
    struct vma *vma;
    int err = 0;

    if (addr & 3)
        return -EINVAL;
    if (addr >= USER_END)
        return -EFAULT;
    *key = (struct futex_key){.object = mm, .offset = addr};
    if (!shared)
        return 0;
    down_read(&mm->lock);
    vma = vma_find_exact(mm, addr);
    if (!vma) {
        err = -EFAULT;
    } else if ((vma->flags & VMA_SHARED) && (vma->file || vma->private)) {
        key->object = vma->file ? (void *)vma->file->inode : vma->private;
        key->offset = (vma->pgoff << PAGE_SHIFT) + (addr - vma->start);
    }
    up_read(&mm->lock);
    return err;
}

/* ---- waking ---- */

/* Bucket lock held. The waiter may be gone, and its task ended, once its bucket is NULL. */
static void wake_waiter(struct futex_waiter *w)
{
    struct task *t = w->task;

    task_get(t);
    list_del(&w->link);
    __atomic_store_n(&w->bucket, NULL, __ATOMIC_RELEASE);
    machine_unpark(t);
    task_put(t);
}

static int wake_locked(struct futex_bucket *b, const struct futex_key *key, int n, u32 bitset)
{
    struct futex_waiter *w, *next;
    int woken = 0;

    __atomic_fetch_add(&b->wakes, 1, __ATOMIC_RELEASE);
    list_for_each_safe (w, next, &b->waiters, link) {
        if (woken >= n)
            break;
        if (!same_key(&w->key, key) || !(w->bitset & bitset))
            continue;
        wake_waiter(w);
        woken++;
    }
    return woken;
}

static s64 futex_wake(uva_t addr, bool shared, int n, u32 bitset)
{
    struct futex_key key;
    struct futex_bucket *b;
    int err = futex_key(addr, shared, &key), woken;

    if (err)
        return err;
    if (!bitset)
        return -EINVAL;
    b = bucket_of(&key);
    spin_lock(&b->lock);
    woken = wake_locked(b, &key, MAX(n, 1), bitset);
    spin_unlock(&b->lock);
    return woken;
}

void futex_wake_address(uva_t addr)
{
    futex_wake(addr, true, 1, FUTEX_BITSET_MATCH_ANY);
}

/* ---- waiting ---- */

/* Queue w if *addr is still val. 0, -EAGAIN, -EFAULT. */
static int queue_if_equal(struct futex_waiter *w, uva_t addr, u32 val)
{
    struct futex_bucket *b = bucket_of(&w->key);
    u64 wakes;
    u32 now;

    for (;;) {
        wakes = __atomic_load_n(&b->wakes, __ATOMIC_ACQUIRE);
        if (get_user(now, addr))
            return -EFAULT;
        if (now != val)
            return -EAGAIN;
        spin_lock(&b->lock);
        if (b->wakes == wakes)
            break;
        spin_unlock(&b->lock);
        cpu_relax();
    }
    w->bucket = b;
    __atomic_fetch_add(&b->arrivals, 1, __ATOMIC_RELAXED);
    list_add_tail(&b->waiters, &w->link);
    spin_unlock(&b->lock);
    return 0;
}

/* Leave the queue; true when we still were in it (nobody woke us). */
static bool unqueue(struct futex_waiter *w)
{
    for (;;) {
        struct futex_bucket *b = __atomic_load_n(&w->bucket, __ATOMIC_ACQUIRE);
        bool same;

        if (!b)
            return false;
        spin_lock(&b->lock);
        same = b == w->bucket;
        if (same)
            list_del(&w->link);
        spin_unlock(&b->lock);
        if (same)
            return true;
    }
}

/* 0 woken, -ETIMEDOUT, -ERESTARTSYS, -EAGAIN, -EFAULT. */
static int futex_wait(uva_t addr, bool shared, u32 val, u64 deadline, u32 bitset)
{
    struct futex_waiter w = {.task = current, .bitset = bitset};
    int err = futex_key(addr, shared, &w.key), why = 0;

    if (!err)
        err = queue_if_equal(&w, addr, val);
    if (err)
        return err;
    current->state = TASK_SLEEPING;
    while (__atomic_load_n(&w.bucket, __ATOMIC_ACQUIRE)) {
        if (why)
            break;
        if (signal_pending(current))
            why = -ERESTARTSYS;
        else if (machine_park(deadline) == -ETIMEDOUT)
            why = -ETIMEDOUT;
    }
    current->state = TASK_RUNNING;
    return unqueue(&w) ? why : 0;
}

static s64 wait_and_restart(uva_t addr, bool shared, u32 val, u64 deadline, u32 bitset);

static long wait_restart(struct restart_block *rb)
{
    return wait_and_restart(rb->addr, rb->arg[2], (u32)rb->arg[0], rb->deadline, (u32)rb->arg[1]);
}

static s64 wait_and_restart(uva_t addr, bool shared, u32 val, u64 deadline, u32 bitset)
{
    int err;

    if (!bitset)
        return -EINVAL;
    err = futex_wait(addr, shared, val, deadline, bitset);
    if (err != -ERESTARTSYS || deadline == U64_MAX)
        return err;
    current->restart = (struct restart_block){
        .fn = wait_restart, .deadline = deadline, .addr = addr, .arg = {val, bitset, shared}};
    return -ERESTART_RESTARTBLOCK;
}

/* ---- two futexes ---- */

static void lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
    spin_lock(a < b ? &a->lock : &b->lock);
    if (a != b)
        spin_lock(a < b ? &b->lock : &a->lock);
}

static void unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
    spin_unlock(&a->lock);
    if (a != b)
        spin_unlock(&b->lock);
}

static void move_waiters(struct futex_bucket *from, const struct futex_key *k1,
                         struct futex_bucket *to, const struct futex_key *k2, int n, int *moved)
{
    struct futex_waiter *w, *next;
    struct list go = LIST_INIT(go);

    list_for_each_safe (w, next, &from->waiters, link) {
        if (*moved >= n)
            break;
        if (!same_key(&w->key, k1))
            continue;
        list_del(&w->link);
        list_add_tail(&go, &w->link);
        (*moved)++;
    }
    while (!list_empty(&go)) {
        w = list_first(&go, struct futex_waiter, link);
        list_del(&w->link);
        w->key = *k2;
        __atomic_store_n(&w->bucket, to, __ATOMIC_RELEASE);
        list_add_tail(&to->waiters, &w->link);
    }
    __atomic_fetch_add(&to->arrivals, (u64)*moved, __ATOMIC_RELAXED);
}

/* compare: only if *addr1 is val at the moment of the change. */
static s64 futex_requeue(uva_t addr1, uva_t addr2, bool shared, int wake, int requeue, bool compare,
                         u32 val)
{
    struct futex_key k1, k2;
    struct futex_bucket *b1, *b2;
    int err = futex_key(addr1, shared, &k1), woken, moved = 0;
    u64 arrivals = 0;
    u32 now;

    if (!err)
        err = futex_key(addr2, shared, &k2);
    if (err)
        return err;
    if (wake < 0 || requeue < 0)
        return -EINVAL;
    b1 = bucket_of(&k1);
    b2 = bucket_of(&k2);
    for (;;) {
        /* Nobody may have queued between our look at the value and our lock. */
        arrivals = __atomic_load_n(&b1->arrivals, __ATOMIC_ACQUIRE);
        if (compare && get_user(now, addr1))
            return -EFAULT;
        if (compare && now != val)
            return -EAGAIN;
        lock_two(b1, b2);
        if (!compare || b1->arrivals == arrivals)
            break;
        unlock_two(b1, b2);
        cpu_relax();
    }
    woken = wake_locked(b1, &k1, wake, FUTEX_BITSET_MATCH_ANY);
    move_waiters(b1, &k1, b2, &k2, requeue, &moved);
    unlock_two(b1, b2);
    return woken + moved;
}

static u32 apply_op(u32 op, u32 old, u32 arg)
{
    switch (op) {
    case FUTEX_OP_SET:
        return arg;
    case FUTEX_OP_ADD:
        return old + arg;
    case FUTEX_OP_OR:
        return old | arg;
    case FUTEX_OP_ANDN:
        return old & ~arg;
    default:
        return old ^ arg;
    }
}

static int compare_op(u32 cmp, s32 old, s32 arg)
{
    switch (cmp) {
    case FUTEX_OP_CMP_EQ:
        return old == arg;
    case FUTEX_OP_CMP_NE:
        return old != arg;
    case FUTEX_OP_CMP_LT:
        return old < arg;
    case FUTEX_OP_CMP_GE:
        return old >= arg;
    case FUTEX_OP_CMP_LE:
        return old <= arg;
    case FUTEX_OP_CMP_GT:
        return old > arg;
    }
    return -ENOSYS;
}

static int sign_extend12(u32 v)
{
    return (s32)(v << 20) >> 20;
}

/* Change *addr as `encoded` says; whether the old value compares, or -errno. */
static int user_atomic_op(u32 encoded, uva_t addr)
{
    u32 op = encoded >> 28 & 7, cmp = encoded >> 24 & 15, was, old;
    s32 arg = sign_extend12(encoded >> 12 & 0xfff), cmparg = sign_extend12(encoded & 0xfff);

    if (op > FUTEX_OP_XOR)
        return -ENOSYS;
    if (encoded >> 28 & FUTEX_OP_OPARG_SHIFT)
        arg = (s32)(1u << (arg & 31));
    if (get_user(old, addr))
        return -EFAULT;
    for (;;) {
        if (cmpxchg_user_u32(addr, old, apply_op(op, old, (u32)arg), &was))
            return -EFAULT;
        if (was == old)
            break;
        old = was;
    }
    return compare_op(cmp, (s32)old, cmparg);
}

static s64 futex_wake_op(uva_t addr1, uva_t addr2, bool shared, int wake1, int wake2, u32 encoded)
{
    struct futex_key k1, k2;
    struct futex_bucket *b1, *b2;
    int err = futex_key(addr1, shared, &k1), also, woken;

    if (!err)
        err = futex_key(addr2, shared, &k2);
    if (err)
        return err;
    also = user_atomic_op(encoded, addr2);
    if (also < 0)
        return also;
    b1 = bucket_of(&k1);
    b2 = bucket_of(&k2);
    lock_two(b1, b2);
    woken = wake_locked(b1, &k1, MAX(wake1, 1), FUTEX_BITSET_MATCH_ANY);
    if (also)
        woken += wake_locked(b2, &k2, MAX(wake2, 1), FUTEX_BITSET_MATCH_ANY);
    unlock_two(b1, b2);
    return woken;
}

/* ---- the system call ---- */

/* FUTEX_WAIT has a relative timeout, FUTEX_WAIT_BITSET an absolute one. */
static int wait_deadline(int op, uva_t timeout, u64 *deadline)
{
    u64 ns;
    int err;

    *deadline = U64_MAX;
    if (!timeout)
        return 0;
    err = timespec_from_user(timeout, &ns);
    if (err)
        return err;
    if ((op & FUTEX_CMD_MASK_) == FUTEX_WAIT)
        *deadline = deadline_after(ns);
    else
        *deadline = op & FUTEX_CLOCK_REALTIME ? realtime_to_monotonic(ns) : ns;
    return 0;
}

SYSCALL6(futex, uva_t, addr, int, op, u32, val, uva_t, timeout, uva_t, addr2, u32, val3)
{
    bool shared = !(op & FUTEX_PRIVATE_FLAG);
    int val2 = (int)timeout, err;
    u64 deadline;

    if ((op & FUTEX_CLOCK_REALTIME) && (op & FUTEX_CMD_MASK_) != FUTEX_WAIT_BITSET &&
        (op & FUTEX_CMD_MASK_) != FUTEX_WAIT)
        return -ENOSYS;
    switch (op & FUTEX_CMD_MASK_) {
    case FUTEX_WAIT:
        val3 = FUTEX_BITSET_MATCH_ANY;
        /* fall through */
    case FUTEX_WAIT_BITSET:
        err = wait_deadline(op, timeout, &deadline);
        return err ? err : wait_and_restart(addr, shared, val, deadline, val3);
    case FUTEX_WAKE:
        return futex_wake(addr, shared, (int)val, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAKE_BITSET:
        return futex_wake(addr, shared, (int)val, val3);
    case FUTEX_REQUEUE:
        return futex_requeue(addr, addr2, shared, (int)val, val2, false, 0);
    case FUTEX_CMP_REQUEUE:
        return futex_requeue(addr, addr2, shared, (int)val, val2, true, val3);
    case FUTEX_WAKE_OP:
        return futex_wake_op(addr, addr2, shared, (int)val, val2, val3);
    }
    return -ENOSYS; /* priority inheritance: as Linux without CONFIG_FUTEX_PI */
}

/* ---- robust lists ---- */

SYSCALL2(set_robust_list, uva_t, head, u64, len)
{
    if (len != sizeof(struct robust_list_head))
        return -EINVAL;
    current->robust_list = head;
    return 0;
}

SYSCALL3(get_robust_list, int, tid, uva_t, head, uva_t, len)
{
    struct task *t = current;
    u64 size = sizeof(struct robust_list_head);
    uva_t list;
    int err = 0;

    if (tid) {
        t = task_find_get(tid);
        if (!t)
            return -ESRCH;
        err = signal_permission(t, SIGKILL);
    }
    list = t->robust_list;
    if (tid)
        task_put(t);
    if (err)
        return err;
    if (put_user(size, len) || put_user(list, head))
        return -EFAULT;
    return 0;
}

/* A lock that the dying task may hold: mark it, wake one who waits for it. */
static int owner_died(struct task *t, uva_t addr, bool pending)
{
    u32 val, was;

    if ((addr & 3) || get_user(val, addr))
        return -EFAULT;
    if (pending && !val) {
        futex_wake_address(addr);
        return 0;
    }
    while ((val & FUTEX_TID_MASK) == (u32)t->tid) {
        if (cmpxchg_user_u32(addr, val, (val & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &was))
            return -EFAULT;
        if (was == val) {
            if (val & FUTEX_WAITERS)
                futex_wake_address(addr);
            break;
        }
        val = was;
    }
    return 0;
}

void futex_exit(struct task *t)
{
    struct robust_list_head head;
    uva_t at = t->robust_list, entry, pending;
    u64 next;

    t->robust_list = 0;
    if (!at || copy_from_user(&head, at, sizeof(head)))
        return;
    pending = (uva_t)head.list_op_pending & ~1ull;
    entry = (uva_t)head.list.next;
    for (int n = 0; (entry & ~1ull) != at && n < ROBUST_LIST_MAX; n++) {
        uva_t here = entry & ~1ull;
        bool bad = get_user(next, here) != 0;

        if (here != pending && owner_died(t, here + (u64)head.futex_offset, false))
            return;
        if (bad)
            return;
        entry = next;
    }
    if (pending)
        owner_died(t, pending + (u64)head.futex_offset, true);
}
