// SPDX-License-Identifier: Apache-2.0
//
// futex(2) itself: wait and wake, time-outs, bit sets, requeue, wake-op, shared between processes,
// robust lists.

#include "t.h"
#include <linux/futex.h>
#include <pthread.h>

static int *shared;

static long futex(int *addr, int op, int val, const struct timespec *ts, int *addr2, int val3)
{
    return syscall(SYS_futex, addr, op, val, ts, addr2, val3);
}

static void errors(void)
{
    int word = 1;
    struct timespec ts = {0, 20000000}, bad = {0, 1000000000};
    int64_t t0;

    fails(futex(&word, FUTEX_WAIT, 2, NULL, NULL, 0), EAGAIN);
    t0 = t_now_ms();
    fails(futex(&word, FUTEX_WAIT, 1, &ts, NULL, 0), ETIMEDOUT);
    ok(t_now_ms() - t0 >= 19, "not before its time");
    fails(futex(&word, FUTEX_WAIT, 1, &bad, NULL, 0), EINVAL);
    fails(futex((int *)((char *)&word + 1), FUTEX_WAIT, 1, NULL, NULL, 0), EINVAL);
    fails(futex((int *)8, FUTEX_WAIT, 1, NULL, NULL, 0), EFAULT);
    fails(futex(&word, 99, 1, NULL, NULL, 0), ENOSYS);
    ok(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0) == 0, "nobody to wake");
    fails(futex(&word, FUTEX_WAIT_BITSET, 1, NULL, NULL, 0), EINVAL);
    clock_gettime(CLOCK_MONOTONIC, &ts);
    fails(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, &ts, NULL, 1), ETIMEDOUT);
    clock_gettime(CLOCK_REALTIME, &ts);
    fails(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 1, &ts, NULL, 1),
          ETIMEDOUT);
}

static int started;

static void *waiter(void *arg)
{
    __atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
    return (void *)futex(arg, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void *bit_waiter(void *arg)
{
    __atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
    return (void *)futex(shared + 8, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 1 << (long)arg);
}

/* Waking COUNT waiters may need some attempts: they may not sleep yet. */
static int wake_all(int *addr, int op, int count, int *addr2, int val3)
{
    int n = 0;

    for (int i = 0; i < 2000 && n < count; i++, usleep(1000))
        n += futex(addr, op, count - n, NULL, addr2, val3);
    return n;
}

static void wakes(void)
{
    static int word, word2;
    pthread_t t[10];
    void *r;
    int bad = 0;

    for (int i = 0; i < 10; i++)
        pthread_create(&t[i], NULL, waiter, &word);
    ok(wake_all(&word, FUTEX_WAKE_PRIVATE, 10, NULL, 0) == 10, "ten woken");
    for (int i = 0; i < 10; i++) {
        pthread_join(t[i], &r);
        bad += r != NULL;
    }
    ok(!bad, "all with 0");

    started = 0;
    for (long i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, bit_waiter, (void *)i);
    while (started < 4)
        usleep(1000);
    t_msleep(30);
    ok(futex(shared + 8, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 1 << 2) == 1,
       "one has this bit");
    pthread_join(t[2], NULL);
    ok(futex(shared + 8, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 0xb) == 3, "three have these");
    pthread_join(t[0], NULL);
    pthread_join(t[1], NULL);
    pthread_join(t[3], NULL);

    started = 0;
    for (int i = 0; i < 5; i++)
        pthread_create(&t[i], NULL, waiter, &word);
    while (started < 5)
        usleep(1000);
    t_msleep(30);
    ok(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &word2, 0) == 3, "wake 1, requeue 2");
    fails(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &word2, 5), EAGAIN);
    ok(futex(&word2, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0) == 2, "two moved");
    ok(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0) == 2, "two stayed");
    for (int i = 0; i < 5; i++)
        pthread_join(t[i], NULL);
    int op = FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 1);
    ok(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word2, op) == 0 && word2 == 5, "wake-op");
}

static void between_processes(void)
{
    int st;
    pid_t pid = fork();

    if (pid == 0)
        _exit(futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 0 : 1);
    ok(wake_all(shared, FUTEX_WAKE, 1, NULL, 0) == 1, "woken across processes");
    waitpid(pid, &st, 0);
    ok(t_exited(st, 0), "child");

    pthread_mutexattr_t ma;
    pthread_mutex_t *m = (pthread_mutex_t *)(shared + 64);
    pthread_mutexattr_init(&ma);
    pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&ma, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(m, &ma);
    pid = fork();
    if (pid == 0) {
        pthread_mutex_lock(m);
        t_msleep(30);
        _exit(0);
    }
    t_msleep(10);
    int r = pthread_mutex_lock(m);
    bool early = r == 0; /* the child had not started yet */
    if (early)
        pthread_mutex_unlock(m);
    waitpid(pid, &st, 0);
    if (early)
        r = pthread_mutex_lock(m);
    ok(r == EOWNERDEAD, "a robust mutex tells of its dead owner");
    ok(pthread_mutex_consistent(m) == 0 && pthread_mutex_unlock(m) == 0, "and can be repaired");

    for (int i = 0; i < 4; i++)
        if (fork() == 0) {
            for (int k = 0; k < 2000; k++) {
                pthread_mutex_lock(m);
                shared[32]++;
                pthread_mutex_unlock(m);
            }
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    ok(shared[32] == 8000, "a mutex shared by four processes");
}

static void nothing(int sig) {}

static void interrupted(void)
{
    int word = 0;
    struct sigaction sa = {.sa_handler = nothing};

    sigaction(SIGALRM, &sa, NULL);
    ualarm(30000, 0);
    fails(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
}

int main(void)
{
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(shared != MAP_FAILED);
    errors();
    wakes();
    between_processes();
    interrupted();
    return t_done();
}
