// SPDX-License-Identifier: Apache-2.0
//
// Lives of threads: cancellation, detached threads, exit of the first one, exit_group, ids, names,
// signals to one thread.

#include "t.h"
#include <pthread.h>
#include <sys/prctl.h>

static int cleaned;
static pthread_key_t key;
static volatile sig_atomic_t got_tid, handled;

static void cleanup(void *arg)
{
    cleaned += (long)arg;
}

static void *blocks(void *arg)
{
    char c;

    pthread_setspecific(key, (void *)100);
    pthread_cleanup_push(cleanup, (void *)1);
    read(*(int *)arg, &c, 1);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *spins(void *arg)
{
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (;;)
        (*(volatile long *)arg)++;
    return NULL;
}

static void cancel(void)
{
    int p[2];
    pthread_t t;
    void *r = NULL;
    long n = 0;

    must(pipe(p) == 0 && pthread_key_create(&key, cleanup) == 0);
    pthread_create(&t, NULL, blocks, &p[0]);
    t_msleep(20);
    pthread_cancel(t);
    pthread_join(t, &r);
    ok(r == PTHREAD_CANCELED && cleaned == 101,
       "cancelled in read(), handlers and destructors ran");
    pthread_create(&t, NULL, spins, &n);
    while (!*(volatile long *)&n)
        sched_yield();
    pthread_cancel(t);
    pthread_join(t, &r);
    ok(r == PTHREAD_CANCELED, "cancelled while spinning");
}

static void on_usr1(int sig)
{
    got_tid = syscall(SYS_gettid);
    handled++;
}

static void *waits(void *arg)
{
    *(volatile pid_t *)arg = syscall(SYS_gettid);
    while (!handled)
        usleep(1000);
    return (void *)(long)(got_tid == syscall(SYS_gettid));
}

static void directed(void)
{
    volatile pid_t tid = 0;
    pthread_t t;
    void *r;

    signal(SIGUSR1, on_usr1);
    pthread_create(&t, NULL, waits, (void *)&tid);
    while (!tid)
        sched_yield();
    ok(tid != getpid(), "a thread has its own id");
    ok(syscall(SYS_tgkill, getpid(), tid, SIGUSR1) == 0, "tgkill");
    pthread_join(t, &r);
    ok(r == (void *)1, "the right thread took it");
    fails(syscall(SYS_tgkill, getpid(), 1 << 29, 0), ESRCH);
    fails(syscall(SYS_tgkill, 0, 0, 0), EINVAL);
}

static void *names(void *arg)
{
    char buf[20] = "";

    prctl(PR_SET_NAME, "a-rather-long-name");
    prctl(PR_GET_NAME, buf);
    return (void *)(long)!strcmp(buf, "a-rather-long-n");
}

static void *second(void *arg)
{
    t_msleep(30);
    t_say("the second thread outlives the first");
    exit(12);
}

static void first_exits(void *arg)
{
    pthread_t t;

    pthread_create(&t, NULL, second, NULL);
    pthread_exit(NULL);
}

static void *exits(void *arg)
{
    _exit(13);
}

static void group_exit(void *arg)
{
    pthread_t t;

    for (int i = 0; i < 8; i++)
        pthread_create(&t, NULL, waits, &(pid_t){0});
    pthread_create(&t, NULL, exits, NULL);
    for (;;)
        pause();
}

static void *crashes(void *arg)
{
    *(volatile int *)8 = 1;
    return NULL;
}

static void crash(void *arg)
{
    pthread_t t;

    pthread_create(&t, NULL, crashes, NULL);
    for (;;)
        pause();
}

static void *counts(void *arg)
{
    __atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void *forks(void *arg)
{
    int st = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(getpid() == syscall(SYS_gettid) ? 0 : 1);
    waitpid(pid, &st, 0);
    return (void *)(long)t_exited(st, 0);
}

int main(void)
{
    pthread_t t;
    pthread_attr_t at;
    void *r;
    int n = 0;

    cancel();
    directed();
    pthread_create(&t, NULL, names, NULL);
    pthread_join(t, &r);
    ok(r == (void *)1, "names are cut to 15 bytes");
    ok(t_exited(t_child(first_exits, NULL), 12), "the first thread may exit alone");
    ok(t_exited(t_child(group_exit, NULL), 13), "exit_group from a thread");
    ok(t_killed(t_child(crash, NULL), SIGSEGV), "a crash in a thread kills all");
    pthread_attr_init(&at);
    pthread_attr_setdetachstate(&at, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 500; i++)
        while (pthread_create(&t, &at, counts, &n) == EAGAIN)
            usleep(1000);
    for (int i = 0; i < 5000 && *(volatile int *)&n < 500; i++)
        usleep(1000);
    ok(n == 500, "500 detached threads");
    pthread_create(&t, NULL, forks, NULL);
    pthread_join(t, &r);
    ok(r == (void *)1, "a fork from a thread has one thread, the leader");
    return t_done();
}
