// SPDX-License-Identifier: Apache-2.0
//
// The host stub without a guest: everything the guest may say is said here with bad intent.
// check(3) forks for every test, so each has fresh module state.

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/abi/control.h"
#include "vmm/hostcall/control.h"
#include "vmm/hostcall/fd.h"
#include "vmm/hostcall/hostcall.h"
#include "vmm/memory.h"
#include "vmm/sandbox.h"
#include "vmm/window.h"

#define RAM MIB(64)
#define BUF (RAM_GPA + MIB(1))

static int control[2];
static struct hostcall last;

static s64 call_(u32 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    last = (struct hostcall){.nr = nr, .arg = {a, b, c, d, e, f}};
    hostcall_dispatch(&last);
    return last.ret;
}

#define CALL6(nr, a, b, c, d, e, f, ...) call_(HC_##nr, a, b, c, d, e, f)
#define CALL(nr, ...)                    CALL6(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

static void *host(u64 pa)
{
    return (char *)memory_base() + pa;
}

static void setup(void)
{
    ck_assert_int_eq(memory_init(MEMORY_SHARED, RAM), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), 0);
    ck_assert_int_eq(hostcall_init(control[0], -1), 0);
}

static int temp_file(size_t size)
{
    int fd = memfd_create("t", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    return fd;
}

START_TEST(translate)
{
    const u64 end = RAM_GPA + RAM;

    ck_assert_ptr_eq(memory_translate(GPA(RAM_GPA), 1), host(RAM_GPA));
    ck_assert_ptr_eq(memory_translate(GPA(RAM_GPA), RAM), host(RAM_GPA));
    ck_assert_ptr_eq(memory_translate(GPA(end - 1), 1), host(end - 1));
    ck_assert_ptr_null(memory_translate(GPA(end - 1), 2));
    ck_assert_ptr_null(memory_translate(GPA(end), 1));
    ck_assert_ptr_null(memory_translate(GPA(RAM_GPA - 1), 2));
    ck_assert_ptr_null(memory_translate(GPA(0), 1));
    ck_assert_ptr_null(memory_translate(GPA(IMAGE_GPA), 8));
    ck_assert_ptr_null(memory_translate(GPA(WINDOW_GPA), 8));
    ck_assert_ptr_null(memory_translate(GPA(RAM_GPA), 0));
    ck_assert_ptr_null(memory_translate(GPA(RAM_GPA), RAM + 1));
    ck_assert_ptr_null(memory_translate(GPA(RAM_GPA + 8), ~0ULL - 4));
    ck_assert_ptr_null(memory_translate(GPA(~0ULL), 2));
    ck_assert_ptr_null(memory_translate(GPA(~0ULL - RAM_GPA), RAM_GPA + 2));
}
END_TEST

START_TEST(unknown_calls)
{
    ck_assert_int_eq(call_(HC_COUNT, 0, 0, 0, 0, 0, 0), -ENOSYS);
    ck_assert_int_eq(call_(~0U, 0, 0, 0, 0, 0, 0), -ENOSYS);
    ck_assert_int_eq(CALL(CPU_START, 1), -ENOSYS);
}
END_TEST

START_TEST(descriptors)
{
    const u64 bad[] = {1, HOST_FDS_MAX, ~0ULL, 1ULL << 32};
    int a = hfile_install(temp_file(10)), b;

    ck_assert_int_eq(a, 0);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(CALL(FD_CLOSE, bad[i]), -EBADF);
        ck_assert_int_eq(CALL(FD_STAT, bad[i], BUF), -EBADF);
        ck_assert_int_eq(CALL(PREAD, bad[i], BUF, 1, 0), -EBADF);
        ck_assert_int_eq(CALL(WRITE, bad[i], BUF, 1), -EBADF);
        ck_assert_int_eq(CALL(POLL_ADD, bad[i], POLLIN, 1), -EBADF);
        ck_assert_int_eq(CALL(WINDOW_MAP, bad[i], 0, 4096, WINDOW_GPA, 0), -EBADF);
        ck_assert_int_eq(CALL(GOFER, bad[i], BUF, 1, BUF, 1), -EBADF);
        ck_assert_int_eq(CALL(FTRUNCATE, bad[i], 0), -EBADF);
    }
    ck_assert_int_eq(CALL(FD_STAT, a, BUF), 0);
    ck_assert_uint_eq(((struct host_stat *)host(BUF))->size, 10);
    ck_assert_int_eq(CALL(FD_STAT, a, RAM_GPA + RAM - 8), -EFAULT);
    b = hfile_install(temp_file(0));
    ck_assert_int_eq(b, 1);
    ck_assert_int_eq(CALL(FD_CLOSE, a), 0);
    ck_assert_int_eq(CALL(FD_CLOSE, a), -EBADF);
    ck_assert_int_eq(hfile_install(temp_file(0)), a); /* lowest free */
    ck_assert_int_eq(hfile_install(-1), -EBADF);
}
END_TEST

START_TEST(transfers)
{
    int f = hfile_install(temp_file(8192)), p[2], r;

    ck_assert_int_eq(CALL(PREAD, f, BUF, MIB(1) + 1, 0), -EINVAL);
    ck_assert_int_eq(CALL(PREAD, f, RAM_GPA - 1, 2, 0), -EFAULT);
    ck_assert_int_eq(CALL(PREAD, f, WINDOW_GPA, 2, 0), -EFAULT);
    ck_assert_int_eq(CALL(PREAD, f, RAM_GPA + RAM - 1, 2, 0), -EFAULT);
    ck_assert_int_eq(CALL(PREAD, f, BUF, 100, 8100), 92);
    ck_assert_int_eq(CALL(PREAD, f, BUF, 100, ~0ULL), -EINVAL);
    memcpy(host(BUF), "hello", 5);
    ck_assert_int_eq(CALL(PWRITE, f, BUF, 5, 8192), 5);
    ck_assert_int_eq(CALL(LSEEK, f, 0, SEEK_END), 8197);
    ck_assert_int_eq(CALL(FTRUNCATE, f, ~0ULL), -EINVAL);
    ck_assert_int_eq(CALL(FALLOCATE, f, ~0ULL, 0, 1), -EOPNOTSUPP);
    ck_assert_int_eq(CALL(RANDOM, BUF, 257), -EINVAL);
    ck_assert_int_eq(CALL(LOG, 9, BUF, 4097), -EINVAL);
    ck_assert_int_eq(CALL(LOG, 9, 0, 10), -EFAULT);

    /* a blocking pipe that others share: never waited for */
    ck_assert_int_eq(pipe(p), 0);
    r = hfile_install(p[0]);
    ck_assert_int_eq(CALL(READ, r, BUF, 10), -EAGAIN);
    ck_assert_int_eq(CALL(POLL_NOW, r, POLLIN), 0);
    ck_assert_int_eq(write(p[1], "abc", 3), 3);
    ck_assert_int_eq(CALL(POLL_NOW, r, POLLIN), POLLIN);
    ck_assert_int_eq(CALL(READ, r, BUF, 10), 3);
    r = hfile_install(p[1]);
    while (CALL(WRITE, r, BUF, MIB(1)) > 0)
        ;
    ck_assert_int_eq(last.ret, -EAGAIN);
}
END_TEST

START_TEST(memory)
{
    char *p = host(BUF);

    p[0] = 1;
    ck_assert_int_eq(CALL(MEM_RELEASE, BUF + 1, 4096), -EINVAL);
    ck_assert_int_eq(CALL(MEM_RELEASE, BUF, 1), -EINVAL);
    ck_assert_int_eq(CALL(MEM_RELEASE, IMAGE_GPA, 4096), -EFAULT);
    ck_assert_int_eq(CALL(MEM_RELEASE, RAM_GPA, RAM + 4096), -EFAULT);
    ck_assert_int_eq(p[0], 1);
    ck_assert_int_eq(CALL(MEM_RELEASE, BUF, 4096), 0);
    ck_assert_int_eq(p[0], 0);
    ck_assert_int_eq(CALL(MEM_PLUG, RAM_GPA + RAM + 1), -EINVAL);
    ck_assert_int_eq(CALL(MEM_PLUG, RAM_GPA + RAM), 0);
    ck_assert_uint_eq(last.out[0], RAM_GPA + RAM);
}
END_TEST

START_TEST(window)
{
    int fd = temp_file(8192), f = hfile_install(fd), ro, back;
    volatile char *w = host(WINDOW_GPA);
    u64 off;
    bool writable;
    char path[40];

    ck_assert_int_eq(CALL(WINDOW_MAP, f, 0, 4096, RAM_GPA, 0), -EINVAL);
    ck_assert_int_eq(CALL(WINDOW_MAP, f, 0, 4096, WINDOW_GPA + 4096, 0), -EINVAL);
    ck_assert_int_eq(CALL(WINDOW_MAP, f, 0, 4096, WINDOW_GPA + WINDOW_SIZE, 0), -EINVAL);
    ck_assert_int_eq(CALL(WINDOW_MAP, f, 0, MIB(4), PHYS_END - MIB(2), 0), -EINVAL);
    ck_assert_int_eq(CALL(WINDOW_MAP, f, 0, 0, WINDOW_GPA, 0), -EINVAL);
    ck_assert_int_eq(CALL(WINDOW_MAP, f, 0, ~0xfffULL, WINDOW_GPA, 0), -EINVAL);
    ck_assert_int_eq(CALL(WINDOW_MAP, f, 1, 4096, WINDOW_GPA, 0), -EINVAL);
    ck_assert_int_eq(CALL(WINDOW_MAP, f, ~0xfffULL, 4096, WINDOW_GPA, 0), -EINVAL);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ro = hfile_install(open(path, O_RDONLY | O_CLOEXEC));
    ck_assert_int_eq(CALL(WINDOW_MAP, ro, 0, 4096, WINDOW_GPA, 1), -EACCES);
    ck_assert_int_eq(CALL(WINDOW_MAP, hfile_install(dup(control[1])), 0, 4096, WINDOW_GPA, 0),
                     -ENODEV);

    ck_assert_int_eq(CALL(WINDOW_MAP, f, 4096, 4096, WINDOW_GPA, 1), 0);
    w[1] = 'x';
    ck_assert_int_eq(CALL(PREAD, f, BUF, 2, 4096), 2);
    ck_assert_int_eq(((char *)host(BUF))[1], 'x');
    ck_assert_int_eq(window_backing(WINDOW_GPA, &back, &off, &writable), 0);
    ck_assert(off == 4096 && writable && back == fd);
    ck_assert_int_eq(window_backing(WINDOW_GPA + 4096, &back, &off, &writable), -EFAULT);
    ck_assert_int_eq(window_backing(WINDOW_GPA - 1, &back, &off, &writable), -EFAULT);
    ck_assert_int_eq(CALL(FD_CLOSE, f), 0); /* the mapping stays */
    w[2] = 'y';
    ck_assert_int_eq(CALL(WINDOW_UNMAP, WINDOW_GPA, 4096), 0);
    ck_assert_int_eq(CALL(WINDOW_UNMAP, WINDOW_GPA, 4096), 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

START_TEST(truncated)
{
    int fd = temp_file(3 * 4096), f = hfile_install(dup(fd));
    volatile char *w = host(WINDOW_GPA + MIB(2));

    ck_assert_int_eq(window_catch_sigbus(), 0);
    ck_assert_int_eq(CALL(WINDOW_MAP, f, 0, 3 * 4096, WINDOW_GPA + MIB(2), 0), 0);
    ck_assert_int_eq(CALL(WINDOW_LOST), 0);
    ck_assert_int_eq(ftruncate(fd, 100), 0);
    ck_assert_int_eq(w[2 * 4096], 0); /* SIGBUS, repaired */
    ck_assert_int_eq(CALL(WINDOW_LOST), 1);
    ck_assert_uint_eq(last.out[0], WINDOW_GPA + MIB(2));
    ck_assert_int_eq(CALL(WINDOW_LOST), 0);
    ck_assert_int_eq(CALL(EVENT_WAIT, BUF, 8), 1);
    ck_assert_uint_eq(((struct host_event *)host(BUF))->kind, HOST_EVENT_WINDOW);
    ck_assert_int_eq(window_repair(), 1);
    ck_assert_int_eq(CALL(WINDOW_MAP, f, 0, 4096, WINDOW_GPA + MIB(2), 0), 0);
    ck_assert_int_eq(window_repair(), 0);
}
END_TEST

START_TEST(events)
{
    struct host_event *ev = host(BUF);
    int p[2], r;

    ck_assert_int_eq(CALL(EVENT_WAIT, BUF, 0), -EINVAL);
    ck_assert_int_eq(CALL(EVENT_WAIT, BUF, 1ULL << 32), -EINVAL);
    ck_assert_int_eq(CALL(EVENT_WAIT, RAM_GPA + RAM - 8, 1), -EFAULT);

    ck_assert_int_eq(pipe(p), 0);
    r = hfile_install(p[0]);
    ck_assert_int_eq(CALL(POLL_ADD, r, POLLIN, 77), 0);
    ck_assert_int_eq(CALL(POLL_ADD, r, POLLIN, 78), 0); /* again: changes it */
    ck_assert_int_eq(write(p[1], "x", 1), 1);
    ck_assert_int_eq(CALL(EVENT_WAIT, BUF, 64), 1);
    ck_assert(ev->kind == HOST_EVENT_POLL && ev->a == 78 && (ev->b & POLLIN));
    ck_assert_int_eq(CALL(FD_CLOSE, r), 0);
    ck_assert(event_post(HOST_EVENT_MEMORY, 1, 2));
    ck_assert_int_eq(CALL(EVENT_WAIT, BUF, 64), 1);
    ck_assert(ev->kind == HOST_EVENT_MEMORY && ev->a == 1 && ev->b == 2);
}
END_TEST

/* ---- the control channel ---- */

static int listen_at(struct sockaddr_un *a)
{
    int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "ringfort-test-%d", getpid());
    ck_assert_int_eq(bind(sock, (struct sockaddr *)a, sizeof(*a)), 0);
    ck_assert_int_eq(listen(sock, 300), 0);
    return sock;
}

static int connect_to(const struct sockaddr_un *a)
{
    int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(connect(sock, (struct sockaddr *)a, sizeof(*a)), 0);
    return sock;
}

static void send_with_fds(int sock, const void *text, size_t len, int nfds)
{
    char control_bytes[CMSG_SPACE(sizeof(int) * 8)] = {0};
    struct iovec iov = {(void *)text, len};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control_bytes,
                       .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfds)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nfds);
    for (int i = 0; i < nfds; i++)
        memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &(int){2}, sizeof(int));
    ck_assert_int_eq(sendmsg(sock, &m, 0), (ssize_t)len);
}

/* The connection that the next event is about. */
static u64 next_connection(void)
{
    struct host_event *ev = host(BUF);

    ck_assert_int_ge(CALL(EVENT_WAIT, BUF, 1), 1);
    ck_assert_uint_eq(ev->kind, HOST_EVENT_CONTROL);
    return ev->a;
}

static int count_open(void)
{
    int n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

START_TEST(control_messages)
{
    struct sockaddr_un a;
    int before, client;
    u64 conn;

    ck_assert_int_eq(memory_init(MEMORY_SHARED, RAM), 0);
    ck_assert_int_eq(hostcall_init(-1, listen_at(&a)), 0);
    client = connect_to(&a);
    send(client, "hello", 5, 0);
    conn = next_connection();
    ck_assert_uint_eq(conn, 1); /* 0 is the launcher's, also when there is none */
    ck_assert_int_eq(CALL(CONTROL_RECV, 0, BUF, 100), -EBADF);
    ck_assert_int_eq(CALL(CONTROL_RECV, 1ULL << 32, BUF, 100), -EBADF);
    ck_assert_int_eq(CALL(CONTROL_RECV, conn, BUF, CONTROL_MESSAGE_MAX + 1), -EINVAL);
    ck_assert_int_eq(CALL(CONTROL_RECV, conn, RAM_GPA + RAM - 8, 100), -EFAULT);
    ck_assert_int_eq(CALL(CONTROL_RECV, conn, IMAGE_GPA, 100), -EFAULT);
    ck_assert_int_eq(CALL(CONTROL_RECV, conn, BUF, 100), 5);
    ck_assert_mem_eq(host(BUF), "hello", 5);
    ck_assert(last.out[0] == ~0ULL && last.out[1] == 0xffffffff);
    ck_assert_int_eq(CALL(CONTROL_RECV, conn, BUF, 100), -EAGAIN);

    before = count_open();
    send_with_fds(client, "3", 1, 3);
    ck_assert_int_eq(CALL(CONTROL_RECV, conn, BUF, 100), 1);
    ck_assert_int_eq(count_open(), before + 3);
    ck_assert_uint_ne(last.out[0], ~0ULL);
    for (u64 i = 0; i < 3; i++) {
        u64 out[3] = {(u32)last.out[0], last.out[0] >> 32, (u32)last.out[1]};
        struct hostcall saved = last;

        ck_assert_int_eq(CALL(FD_CLOSE, out[i]), 0);
        last = saved;
    }
    send_with_fds(client, "4", 1, 4); /* one too many: none */
    ck_assert_int_eq(CALL(CONTROL_RECV, conn, BUF, 100), -E2BIG);
    send_with_fds(client, "too long", 8, 2);
    ck_assert_int_eq(CALL(CONTROL_RECV, conn, BUF, 4), -EMSGSIZE);
    ck_assert_int_eq(count_open(), before);

    memcpy(host(BUF), "answer", 6);
    ck_assert_int_eq(CALL(CONTROL_SEND, conn, BUF, 6), 0);
    ck_assert_int_eq(CALL(CONTROL_SEND, conn, BUF, CONTROL_MESSAGE_MAX + 1), -EINVAL);
    ck_assert_int_eq(CALL(CONTROL_SEND, conn + 1, BUF, 6), -EBADF);
    while (CALL(CONTROL_SEND, conn, BUF, 4096) == 0) /* nobody reads: it must not wait */
        ;
    ck_assert_int_eq(last.ret, -EAGAIN);
    close(client);
    ck_assert_uint_eq(next_connection(), conn);
    ck_assert_int_le(CALL(CONTROL_RECV, conn, BUF, 100), 0); /* 0, or -ECONNRESET */
    ck_assert_int_eq(CALL(CONTROL_CLOSE, conn), 0);
    ck_assert_int_eq(CALL(CONTROL_CLOSE, conn), -EBADF);
}
END_TEST

START_TEST(control_connections)
{
    struct sockaddr_un a;
    int clients[280], refused = 0, n = 0;
    char byte;

    ck_assert_int_eq(memory_init(MEMORY_SHARED, RAM), 0);
    ck_assert_int_eq(hostcall_init(-1, listen_at(&a)), 0);
    for (; n < 280; n++)
        clients[n] = connect_to(&a);
    ck_assert(event_post(HOST_EVENT_MEMORY, 0, 0)); /* ends the wait */
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_ge(CALL(EVENT_WAIT, BUF, 1), 1);
        ck_assert(event_post(HOST_EVENT_MEMORY, 0, 0));
    }
    for (int i = 0; i < n; i++)
        refused += recv(clients[i], &byte, 1, MSG_DONTWAIT) == 0;
    ck_assert_int_eq(refused, 280 - (CONTROL_CONNECTIONS - 1));
    close(clients[0]); /* and the next gets its place */
    do {
        ck_assert_int_ge(CALL(EVENT_WAIT, BUF, 1), 1);
    } while (((struct host_event *)host(BUF))->kind != HOST_EVENT_CONTROL);
    ck_assert_int_eq(CALL(CONTROL_CLOSE, ((struct host_event *)host(BUF))->a), 0);
    clients[0] = connect_to(&a);
    send(clients[0], "x", 1, 0);
    do {
        ck_assert_int_ge(CALL(EVENT_WAIT, BUF, 1), 1);
    } while (((struct host_event *)host(BUF))->kind != HOST_EVENT_CONTROL);
    ck_assert_int_eq(CALL(CONTROL_RECV, ((struct host_event *)host(BUF))->a, BUF, 8), 1);
}
END_TEST

START_TEST(control_other_user)
{
    struct sockaddr_un a;
    int status;

    if (geteuid() != 0)
        return;
    ck_assert_int_eq(memory_init(MEMORY_SHARED, RAM), 0);
    ck_assert_int_eq(hostcall_init(-1, listen_at(&a)), 0);
    if (fork() == 0) {
        char byte;
        int sock;

        if (setresuid(65534, 65534, 65534))
            _exit(1);
        sock = connect_to(&a);
        send(sock, "x", 1, MSG_NOSIGNAL);
        _exit(recv(sock, &byte, 1, 0) == 0 || errno == ECONNRESET ? 0 : 2);
    }
    ck_assert(event_post(HOST_EVENT_MEMORY, 0, 0));
    for (int i = 0; i < 50 && waitpid(-1, &status, WNOHANG) == 0; i++) {
        ck_assert_int_ge(CALL(EVENT_WAIT, BUF, 1), 1);
        ck_assert_uint_ne(((struct host_event *)host(BUF))->kind, HOST_EVENT_CONTROL);
        ck_assert(event_post(HOST_EVENT_MEMORY, 0, 0));
        usleep(20000);
    }
    ck_assert_int_eq(status, 0);
}
END_TEST

/* A gofer that answers each message with its length and `nfds` descriptors. */
static void *fake_gofer(void *arg)
{
    int sock = *(int *)arg;
    char in[4096], fds[CMSG_SPACE(3 * sizeof(int))];
    ssize_t n;

    while ((n = recv(sock, in, sizeof(in), 0)) > 0) {
        struct iovec iov = {&n, sizeof(n)};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
        int three[3] = {sock, sock, sock};
        size_t nfds = (size_t)(in[0] - '0');

        if (nfds) {
            m.msg_control = fds;
            m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
            CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
            CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
            CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(nfds * sizeof(int));
            memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), three, nfds * sizeof(int));
        }
        sendmsg(sock, &m, 0);
    }
    return NULL;
}

START_TEST(gofer)
{
    int pair[2], before;
    pthread_t t;
    char *req = host(BUF);

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    ck_assert_int_eq(hostcall_set_gofers(pair, 1), 0);
    pthread_create(&t, NULL, fake_gofer, &pair[1]);
    ck_assert_int_eq(CALL(GOFER, 0, BUF, MIB(1), BUF, 8), -EINVAL);
    ck_assert_int_eq(CALL(GOFER, 0, BUF, 8, 0, 8), -EFAULT);
    ck_assert_int_eq(CALL(GOFER, 0, RAM_GPA - 4, 8, BUF, 8), -EFAULT);
    req[0] = '0';
    ck_assert_int_eq(CALL(GOFER, 0, BUF, 100, BUF + 4096, 4096), 8);
    ck_assert_int_eq(*(u64 *)host(BUF + 4096), 100);
    ck_assert_int_eq((int)last.out[0], -1);
    req[0] = '1';
    ck_assert_int_eq(CALL(GOFER, 0, BUF, 100, BUF + 4096, 4096), 8);
    ck_assert_int_eq((int)last.out[0], 0);
    before = dup(0);
    close(before);
    req[0] = '3';
    ck_assert_int_eq(CALL(GOFER, 0, BUF, 100, BUF + 4096, 4096), 8);
    ck_assert_int_eq((int)last.out[0], 1);
    ck_assert_int_eq(CALL(FD_CLOSE, 1), 0);
    ck_assert_int_eq(dup(0), before); /* the surplus ones were closed */
    close(before);
    ck_assert_int_eq(CALL(GOFER, 0, BUF, 100, BUF + 4096, 4), -EMSGSIZE);
    ck_assert_int_eq(dup(0), before); /* and that of a reply that was cut */
    shutdown(pair[1], SHUT_RDWR);
    ck_assert_int_lt(CALL(GOFER, 0, BUF, 100, BUF + 4096, 4096), 0);
}
END_TEST

/* Whatever is in the arguments, the stub answers. Blocking and final calls are left out. */
START_TEST(garbage)
{
    const u64 odd[] = {0,
                       1,
                       4095,
                       4096,
                       RAM_GPA,
                       BUF,
                       RAM_GPA + RAM - 1,
                       WINDOW_GPA,
                       WINDOW_GPA + MIB(2),
                       PHYS_END,
                       ~0ULL,
                       1ULL << 63,
                       MIB(1),
                       MIB(2),
                       0xffffffff,
                       1ULL << 32};
    int f = hfile_install(temp_file(100000));

    ck_assert_int_eq(f, 0);
    srandom(1);
    for (int i = 0; i < 200000; i++) {
        u32 nr = (u32)random() % (HC_COUNT + 2);
        u64 a[6];

        if (nr == HC_EXIT || nr == HC_PANIC || nr == HC_EVENT_WAIT || nr == HC_LOG ||
            nr == HC_FALLOCATE || nr == HC_FTRUNCATE || nr == HC_FD_CLOSE)
            continue;
        for (int j = 0; j < 6; j++)
            a[j] = odd[(size_t)random() % (sizeof(odd) / sizeof(odd[0]))];
        if (nr == HC_PWRITE && a[3] > MIB(1))
            continue;
        call_(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("hostcall");
    TCase *t = tcase_create("all"), *control_channel = tcase_create("control");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_set_timeout(t, 60);
    tcase_add_test(control_channel, control_messages);
    tcase_add_test(control_channel, control_connections);
    tcase_add_test(control_channel, control_other_user);
    suite_add_tcase(s, control_channel);
    tcase_add_test(t, translate);
    tcase_add_test(t, unknown_calls);
    tcase_add_test(t, descriptors);
    tcase_add_test(t, transfers);
    tcase_add_test(t, memory);
    tcase_add_test(t, window);
    tcase_add_test(t, truncated);
    tcase_add_test(t, events);
    tcase_add_test(t, gofer);
    tcase_add_test(t, garbage);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
