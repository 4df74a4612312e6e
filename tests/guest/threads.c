// SPDX-License-Identifier: Apache-2.0
//
// 64 threads with mutexes, condition variables, barriers, semaphores and read-write locks, while
// signals arrive.

#include "t.h"
#include <pthread.h>
#include <semaphore.h>

enum { N = 64, ROUNDS = 200 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t sem;
static int counter, turn, initialised, a, b;
static __thread int mine;
static __thread long mine_too = 0x1234567;
static volatile sig_atomic_t signals;

static void init_once(void)
{
    initialised++;
}

static void *count(void *arg)
{
    long id = (long)arg;

    pthread_once(&once, init_once);
    mine = id;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&lock);
        counter++;
        pthread_mutex_unlock(&lock);
        if (mine != id)
            return NULL;
        if (i % 50 == 0)
            sched_yield();
    }
    mine_too += id;
    return (void *)mine_too;
}

static void *take_turns(void *arg)
{
    long id = (long)arg;

    for (int i = 0; i < 3; i++) {
        pthread_mutex_lock(&lock);
        while (turn % N != id)
            pthread_cond_wait(&turn_changed, &lock);
        turn++;
        pthread_cond_broadcast(&turn_changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void *meet(void *arg)
{
    long leaders = 0;

    for (int i = 0; i < 5; i++)
        leaders += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
    return (void *)leaders;
}

static void *read_write(void *arg)
{
    long bad = 0;

    for (int i = 0; i < 100; i++) {
        if ((long)arg % 8 == 0) {
            pthread_rwlock_wrlock(&rw);
            a++;
            sched_yield();
            b++;
        } else {
            pthread_rwlock_rdlock(&rw);
            bad += a != b;
        }
        pthread_rwlock_unlock(&rw);
    }
    return (void *)bad;
}

static void *semaphore(void *arg)
{
    static int inside;
    long bad = 0;

    for (int i = 0; i < 20; i++) {
        while (sem_wait(&sem) < 0 && errno == EINTR)
            ;
        bad += __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST) > 3;
        sched_yield();
        __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
        sem_post(&sem);
    }
    return (void *)bad;
}

static long run(void *(*fn)(void *))
{
    pthread_t t[N];
    long sum = 0;

    for (long i = 0; i < N; i++)
        must(pthread_create(&t[i], NULL, fn, (void *)i) == 0);
    for (int i = 0; i < N; i++) {
        void *r;
        must(pthread_join(t[i], &r) == 0);
        sum += (long)r;
    }
    return sum;
}

static void on_signal(int sig)
{
    signals++;
}

int main(void)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct itimerval it = {{0, 2000}, {0, 2000}}, off = {};

    sigaction(SIGALRM, &sa, NULL);
    pthread_barrier_init(&barrier, NULL, N);
    sem_init(&sem, 0, 3);
    setitimer(ITIMER_REAL, &it, NULL);
    ok(run(count) == N * 0x1234567L + N * (N - 1) / 2, "thread-local storage");
    ok(counter == N * ROUNDS, "mutex: %d", counter);
    ok(initialised == 1, "pthread_once");
    ok(run(take_turns) == 0 && turn == 3 * N, "condition variable: %d turns", turn);
    ok(run(meet) == 5, "barrier: one leader each round");
    ok(run(read_write) == 0 && a == b && a == N / 8 * 100, "read-write lock");
    ok(run(semaphore) == 0, "semaphore");
    setitimer(ITIMER_REAL, &off, NULL);
    for (int i = 0; i < 10; i++)
        must(run(meet) == 5);
    ok(signals > 0, "signals arrived meanwhile");
    return t_done();
}
