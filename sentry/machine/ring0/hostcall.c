// SPDX-License-Identifier: Apache-2.0
/*
 * Calls to the host. A quick one goes through this CPU's request block and an `out`; one that may
 * block goes through the shared ring, and its task sleeps until the completion comes.
 */
#include "sentry/kernel/kernel.h"
#include "sentry/machine/ring0/percpu.h"
#include "vmm/abi/ring.h"

s64 host_call(struct hostcall *r)
{
    struct percpu *c = this_cpu();
    struct hostcall *b = c->hostcall;

    b->nr = r->nr;
    memcpy(b->arg, r->arg, sizeof(b->arg));
    outl(HOSTCALL_PORT, c->cpu);
    r->ret = b->ret;
    memcpy(r->out, b->out, sizeof(r->out));
    return r->ret;
}

/* A call on its way, on its task's stack; its address is the cookie. */
struct ring_call {
    struct task *task;
    s64 ret;
    u64 out[2];
    u32 done; /* atomic; the task may be gone after it was set */
};

static struct ring *ring;
/* Guards everything below and the guest's side of the ring. */
static struct spinlock sq_lock = SPINLOCK_INIT;
static u32 sq_tail, in_flight;
static struct waitq room; /* in_flight went below the limit */
static struct spinlock cq_lock = SPINLOCK_INIT;
static u32 cq_head; /* changed under cq_lock */

void ring_init(void)
{
    waitq_init(&room);
    if (boot.ring_gpa)
        ring = boot_ptr(boot.ring_gpa);
}

bool ring_busy(void)
{
    return ring && __atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE) !=
                       __atomic_load_n(&cq_head, __ATOMIC_RELAXED);
}

static void complete(const struct ring_cqe *cqe)
{
    struct ring_call *call = (struct ring_call *)cqe->cookie;
    struct task *t = call->task;

    call->ret = cqe->ret;
    memcpy(call->out, cqe->out, sizeof(call->out));
    task_get(t);
    __atomic_store_n(&call->done, 1, __ATOMIC_RELEASE);
    machine_unpark(t);
    task_put(t);
}

/* cq_lock held: take what is there; how many. */
static u32 take_completions(void)
{
    u32 n = 0;

    for (; ring_busy() && n < RING_ENTRIES; n++) {
        complete(&ring->cq[cq_head % RING_ENTRIES]);
        __atomic_store_n(&ring->cq_head, ++cq_head, __ATOMIC_RELEASE);
    }
    return n;
}

bool ring_poll(void)
{
    u32 n, all = 0;

    /* Again after unlocking: whoever came with news meanwhile has found the lock taken. */
    while (ring_busy() && spin_trylock_raw(&cq_lock)) {
        n = take_completions();
        spin_unlock(&cq_lock);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        all += n;
        if (n && __atomic_fetch_sub(&in_flight, n, __ATOMIC_SEQ_CST) == RING_ENTRIES)
            wake_all(&room);
    }
    return all != 0;
}

void ring_poll_begin(void)
{
    if (ring)
        __atomic_fetch_add(&ring->cq_pollers, 1, __ATOMIC_SEQ_CST);
}

void ring_poll_end(void)
{
    if (!ring)
        return;
    __atomic_fetch_sub(&ring->cq_pollers, 1, __ATOMIC_SEQ_CST);
    ring_poll(); /* what came before that raised no interrupt */
}

/* Take a slot of the ring, if there is one. */
static bool slot_get(void)
{
    u32 n = __atomic_load_n(&in_flight, __ATOMIC_RELAXED);

    while (n < RING_ENTRIES)
        if (__atomic_compare_exchange_n(&in_flight, &n, n + 1, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return true;
    return false;
}

static void submit(const struct hostcall *r, struct ring_call *call)
{
    struct ring_sqe *sqe;

    spin_lock(&sq_lock);
    sqe = &ring->sq[sq_tail % RING_ENTRIES];
    sqe->cookie = (u64)call;
    sqe->nr = r->nr;
    memcpy(sqe->arg, r->arg, sizeof(sqe->arg));
    __atomic_store_n(&ring->sq_tail, ++sq_tail, __ATOMIC_SEQ_CST);
    spin_unlock(&sq_lock);
    /* The host sets the flag, then looks at the tail once more before it sleeps. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&ring->sq_need_kick, __ATOMIC_RELAXED))
        outl(HOSTCALL_DOORBELL, 1);
}

s64 host_call_wait(struct hostcall *r)
{
    struct ring_call call = {.task = current};
    bool idle = current == this_cpu()->idle; /* start-up: there is nobody to switch to */

    if (!ring)
        return host_call(r);
    while (!slot_get()) {
        if (idle)
            ring_poll();
        else
            wait_event_uninterruptible(&room, in_flight < RING_ENTRIES);
    }
    submit(r, &call);
    while (!__atomic_load_n(&call.done, __ATOMIC_ACQUIRE)) {
        if (idle) {
            cpu_relax();
            ring_poll();
        } else {
            machine_park(U64_MAX);
        }
    }
    r->ret = call.ret;
    memcpy(r->out, call.out, sizeof(r->out));
    return r->ret;
}

void machine_exit(int status)
{
    for (;;)
        HOSTCALL(HC_EXIT, (u64)status);
}
