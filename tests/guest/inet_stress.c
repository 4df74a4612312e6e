// SPDX-License-Identifier: Apache-2.0
//
// Sockets under races: many threads connect, send, shut down and close at once; nothing is lost
// that was sent in order, nothing hangs, and all ports are free afterwards.

#include "t.h"
#include <netinet/in.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define THREADS 6
#define ROUNDS  150

static struct sockaddr_in server;
static int listening;
static volatile int stop;
static int served, mangled, failed;

static unsigned rnd(unsigned *s)
{
    *s = *s * 1103515245 + 12345;
    return *s >> 8;
}

/* Echo until the end, then close in one of several ways. */
static void *serve(void *arg)
{
    unsigned seed = (unsigned)(long)arg;
    char buf[5000];

    while (!stop) {
        int c = accept(listening, NULL, NULL), n;

        if (c < 0)
            continue;
        while ((n = recv(c, buf, 1 + rnd(&seed) % sizeof(buf), 0)) > 0)
            if (send(c, buf, n, MSG_NOSIGNAL) != n)
                break;
        if (rnd(&seed) % 4 == 0)
            shutdown(c, rnd(&seed) % 3);
        close(c);
        __sync_fetch_and_add(&served, 1);
    }
    return NULL;
}

static void *ask(void *arg)
{
    unsigned seed = 77 + (unsigned)(long)arg;
    char out[3000], in[3000];

    for (int r = 0; r < ROUNDS; r++) {
        int c = socket(AF_INET, SOCK_STREAM, 0), n = 1 + rnd(&seed) % sizeof(out);

        for (int i = 0; i < n; i++)
            out[i] = (char)rnd(&seed);
        if (connect(c, (void *)&server, sizeof(server))) {
            failed++;
            close(c);
            continue;
        }
        switch (rnd(&seed) % 5) {
        case 0: /* rude */
            send(c, out, n, MSG_NOSIGNAL);
            break;
        case 1: {
            struct linger l = {1, 0};
            setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
            send(c, out, n, MSG_NOSIGNAL);
            break;
        }
        default:
            for (int k = 0; k < 3; k++)
                if (send(c, out, n, MSG_NOSIGNAL) != n || recv(c, in, n, MSG_WAITALL) != n ||
                    memcmp(in, out, n))
                    __sync_fetch_and_add(&mangled, 1);
            shutdown(c, SHUT_WR);
            if (recv(c, in, 1, 0) != 0)
                __sync_fetch_and_add(&mangled, 1);
        }
        close(c);
    }
    return NULL;
}

/* Everybody uses the same socket in every way. */
static int shared;

static void *abuse(void *arg)
{
    unsigned seed = 999 + (unsigned)(long)arg;
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    char buf[2000] = "";
    int v = 1;

    for (int r = 0; r < 400; r++) {
        int fd = shared;

        switch (rnd(&seed) % 10) {
        case 0:
            connect(fd, (void *)&server, sizeof(server));
            break;
        case 1:
            connect(fd, &none, sizeof(none));
            break;
        case 2:
        case 3:
            send(fd, buf, rnd(&seed) % sizeof(buf), MSG_NOSIGNAL | MSG_DONTWAIT);
            break;
        case 4:
        case 5:
            recv(fd, buf, sizeof(buf), MSG_DONTWAIT | (rnd(&seed) % 2 ? MSG_PEEK : 0));
            break;
        case 6:
            shutdown(fd, rnd(&seed) % 3);
            break;
        case 7:
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &v, sizeof(v));
            listen(fd, 3);
            break;
        case 8:
            send(fd, buf, 3, MSG_OOB | MSG_NOSIGNAL | MSG_DONTWAIT);
            recv(fd, buf, 1, MSG_OOB | MSG_DONTWAIT);
            break;
        default: {
            int fresh = socket(AF_INET, rnd(&seed) % 3 ? SOCK_STREAM : SOCK_DGRAM, 0);
            fcntl(fresh, F_SETFL, O_NONBLOCK);
            dup2(fresh, shared);
            close(fresh);
        }
        }
    }
    return NULL;
}

static void run(void *(*fn)(void *))
{
    pthread_t t[THREADS];

    for (long i = 0; i < THREADS; i++)
        must(pthread_create(&t[i], NULL, fn, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
}

int main(void)
{
    pthread_t servers[THREADS];
    socklen_t n = sizeof(server);
    int one = 1;

    listening = socket(AF_INET, SOCK_STREAM, 0);
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    /* room for all: one that finds none may think it is connected, and be reset unseen */
    must(bind(listening, (void *)&server, n) == 0 && listen(listening, 4096) == 0);
    must(getsockname(listening, (void *)&server, &n) == 0);
    for (long i = 0; i < THREADS; i++)
        must(pthread_create(&servers[i], NULL, serve, (void *)i) == 0);
    run(ask);
    ok(failed == 0, "all connect");
    ok(mangled == 0, "every echo is what was sent");
    for (int i = 0; i < 1000 && served < THREADS * ROUNDS; i++)
        t_msleep(5);
    ok(served == THREADS * ROUNDS, "every connection came to its end");
    shared = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    run(abuse);
    close(shared);
    ok(true, "a socket that everybody abuses");
    stop = 1;
    shutdown(listening, SHUT_RD);
    for (int i = 0; i < THREADS; i++)
        pthread_join(servers[i], NULL);
    close(listening);
    listening = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    t_msleep(50);
    server.sin_port = 0;
    ok(bind(listening, (void *)&server, n) == 0, "and a fresh start");
    return t_done();
}
