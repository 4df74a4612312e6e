// SPDX-License-Identifier: Apache-2.0
//
// Built four ways (dynamic, static, static PIE, fixed address): each must load, relocate itself,
// have working thread-local storage, constructors, indirect functions (string routines) and a clean
// exit with atexit handlers.

#include "t.h"
#include <pthread.h>

static __thread int tls_value = 7;
static __thread char tls_zero[4096];
static int constructed;
static const char *const pointer = "relocated";
static const char *const *volatile indirect = &pointer;

__attribute__((constructor)) static void construct(void)
{
    constructed = 1;
}

static void at_exit(void)
{
    t_say("atexit runs");
}

static void *thread(void *arg)
{
    bool fresh = tls_value == 7 && tls_zero[100] == 0;

    tls_value = 9;
    return fresh ? &tls_value : NULL;
}

int main(void)
{
    pthread_t t;
    void *ret = NULL;
    char buf[200];

    atexit(at_exit);
    ok(constructed, "constructors ran");
    ok(!strcmp(*indirect, "relocated"), "relocations applied");
    ok(tls_value == 7 && tls_zero[4095] == 0, "initial thread-local storage");
    tls_value = 8;
    must(pthread_create(&t, NULL, thread, NULL) == 0);
    pthread_join(t, &ret);
    ok(ret && tls_value == 8, "each thread has its own");
    memset(buf, 'x', sizeof(buf));
    buf[150] = 0;
    ok(strlen(buf) == 150 && memchr(buf, 0, sizeof(buf)) == buf + 150, "string routines");
    double d = 0;
    for (int i = 1; i <= 100; i++)
        d += 1.0 / i;
    ok(d > 5.187 && d < 5.188, "floating point");
    return t_done() + 40;
}
