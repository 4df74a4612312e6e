// SPDX-License-Identifier: Apache-2.0
//
// Worker threads behind the rings. All idle workers wait on the doorbell; one at a time spins for a
// short while first, as long as that pays (requests that follow one another closely then cost
// no doorbell, no exit of the guest CPU and no wake-up). A worker that takes an entry makes sure
// that another one is there for the next, because its own may take for ever.
//
// The guest may write anything into the ring at any time. Indexes that we own live in private
// memory; the guest's are only compared with them; an entry is copied once before use.

#include "vmm/ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

#include "vmm/abi/layout.h"
#include "vmm/hostcall/hostcall.h"
#include "vmm/log.h"

#define STACK_SIZE    KIB(64)
#define WORKERS_MAX   32
#define IDLE_MAX      2       /* more than so many end when they find nothing to do */
#define SPIN_MIN      1000U   /* TSC ticks */
#define SPIN_MAX      100000U /* some 30 us */
#define BROKEN_STATUS 134

static struct ring *ring;
static int doorbell_fd, completion_fd;

static pthread_mutex_t sq_lock = PTHREAD_MUTEX_INITIALIZER;
static u32 sq_head;            /* guarded by sq_lock */
static unsigned workers, idle; /* guarded by sq_lock */
static pthread_mutex_t cq_lock = PTHREAD_MUTEX_INITIALIZER;
static u32 cq_tail; /* guarded by cq_lock */

static int spinner;                   /* atomic: 1 = somebody spins */
static u32 spin_ticks = SPIN_MAX / 4; /* owned by the spinner */
static bool can_spin;
static unsigned long submissions, doorbells, interrupts; /* atomic, relaxed */

static _Noreturn void broken(const char *what)
{
    log_line(LOG_WARN, "ring: %s", what);
    if (hostcall_ops.exit)
        hostcall_ops.exit(BROKEN_STATUS);
    log_die(BROKEN_STATUS, "ring: %s", what);
}

static bool pending(void)
{
    return __atomic_load_n(&ring->sq_tail, __ATOMIC_ACQUIRE) !=
           __atomic_load_n(&sq_head, __ATOMIC_RELAXED);
}

/* Copy the next entry; false when there is none. sq_lock held. */
static bool take(struct ring_sqe *e)
{
    u32 tail = __atomic_load_n(&ring->sq_tail, __ATOMIC_ACQUIRE);

    if (tail == sq_head)
        return false;
    if (tail - sq_head > RING_ENTRIES)
        broken("submission index out of range");
    memcpy(e, &ring->sq[sq_head % RING_ENTRIES], sizeof(*e));
    __atomic_store_n(&sq_head, sq_head + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->sq_head, sq_head, __ATOMIC_RELEASE);
    return true;
}

static void complete(u64 cookie, const struct hostcall *hc)
{
    struct ring_cqe e = {.cookie = cookie, .ret = hc->ret, .out = {hc->out[0], hc->out[1]}};
    u64 one = 1;

    pthread_mutex_lock(&cq_lock);
    if (cq_tail - __atomic_load_n(&ring->cq_head, __ATOMIC_ACQUIRE) >= RING_ENTRIES)
        broken("more calls in flight than completion entries");
    memcpy(&ring->cq[cq_tail % RING_ENTRIES], &e, sizeof(e));
    cq_tail++;
    __atomic_store_n(&ring->cq_tail, cq_tail, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&cq_lock);
    /* a CPU that looks anyway looks once more after it has taken itself off the count */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&ring->cq_pollers, __ATOMIC_RELAXED))
        return;
    __atomic_fetch_add(&interrupts, 1, __ATOMIC_RELAXED);
    if (write(completion_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
        broken("completion interrupt");
}

/* Wait for work by looking at the ring; the budget follows how often that succeeds. */
static void spin_for_work(void)
{
    u64 start;

    if (!can_spin || __atomic_exchange_n(&spinner, 1, __ATOMIC_ACQUIRE))
        return;
    __atomic_store_n(&ring->sq_need_kick, 0, __ATOMIC_RELAXED);
    start = __rdtsc();
    while (!pending() && __rdtsc() - start < spin_ticks)
        _mm_pause();
    __atomic_store_n(&ring->sq_need_kick, 1, __ATOMIC_SEQ_CST);
    if (pending())
        spin_ticks = spin_ticks * 2 < SPIN_MAX ? spin_ticks * 2 : SPIN_MAX;
    else
        spin_ticks = spin_ticks / 2 > SPIN_MIN ? spin_ticks / 2 : SPIN_MIN;
    __atomic_store_n(&spinner, 0, __ATOMIC_RELEASE);
}

/* Everything that came without a doorbell has been seen when this is called. */
static void sleep_for_doorbell(void)
{
    u64 n;

    if (read(doorbell_fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
        __atomic_fetch_add(&doorbells, 1, __ATOMIC_RELAXED);
}

static int start_worker(void);

/* Entries that came while we were spinning rang no doorbell: wake somebody for them. */
static void pass_on(void)
{
    u64 one = 1;

    if (pending() && write(doorbell_fd, &one, sizeof(one)) < 0)
        broken("doorbell");
}

/*
 * Next entry for this worker. False: there are enough others, end. The doorbell is wanted unless a
 * spinner is looking, so that an entry never waits for a worker that is busy.
 */
static bool next(struct ring_sqe *e)
{
    for (;;) {
        bool got, enough;

        pthread_mutex_lock(&sq_lock);
        got = take(e);
        if (got) {
            idle--;
            if (idle == 0 && workers < WORKERS_MAX && start_worker() != 0)
                log_line(LOG_WARN, "ring: no more threads, %u workers", workers);
        }
        enough = !got && idle > IDLE_MAX;
        if (enough) {
            idle--;
            workers--;
        }
        pthread_mutex_unlock(&sq_lock);
        if (got) {
            pass_on();
            return true;
        }
        if (enough)
            return false;
        spin_for_work();
        if (!pending())
            sleep_for_doorbell();
    }
}

static void *worker(void *arg)
{
    struct ring_sqe e;

    while (next(&e)) {
        struct hostcall hc = {.nr = e.nr};

        memcpy(hc.arg, e.arg, sizeof(hc.arg));
        __atomic_fetch_add(&submissions, 1, __ATOMIC_RELAXED);
        hostcall_dispatch(&hc);
        complete(e.cookie, &hc);
        pthread_mutex_lock(&sq_lock);
        idle++;
        pthread_mutex_unlock(&sq_lock);
    }
    return NULL;
}

/* sq_lock held. */
static int start_worker(void)
{
    pthread_attr_t attr;
    pthread_t t;
    int r;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    r = pthread_create(&t, &attr, worker, NULL);
    pthread_attr_destroy(&attr);
    if (r == 0) {
        workers++;
        idle++;
    }
    return -r;
}

int ring_start(struct ring *r, int doorbell, int completion, bool spin)
{
    int err;

    ring = r;
    ring->sq_need_kick = 1;
    doorbell_fd = doorbell;
    completion_fd = completion;
    can_spin = spin;
    pthread_mutex_lock(&sq_lock);
    err = start_worker();
    pthread_mutex_unlock(&sq_lock);
    return err;
}

void ring_counters(char *buf, size_t size)
{
    snprintf(buf, size, "ring: calls=%lu doorbells=%lu interrupts=%lu workers=%u", submissions,
             doorbells, interrupts, workers);
}
