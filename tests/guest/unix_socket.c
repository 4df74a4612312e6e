// SPDX-License-Identifier: Apache-2.0
//
// AF_UNIX sockets: pairs of each type, names, passing of descriptors and credentials, shutdown,
// errors.

#include "t.h"
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static void streams(void)
{
    int s[2], n = 0;
    char buf[32];

    ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0, "stream pair");
    ok(write(s[0], "abc", 3) == 3 && write(s[0], "def", 3) == 3, "write twice");
    ok(ioctl(s[1], FIONREAD, &n) == 0 && n == 6, "FIONREAD");
    ok(recv(s[1], buf, 4, MSG_PEEK) == 4 && read(s[1], buf, 32) == 6, "a stream has no borders");
    fails(recv(s[1], buf, 1, MSG_DONTWAIT), EAGAIN);
    ok(write(s[1], "back", 4) == 4 && read(s[0], buf, 32) == 4, "the other way");
    shutdown(s[0], SHUT_WR);
    ok(read(s[1], buf, 1) == 0, "shutdown gives end of file");
    fails(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    ok(write(s[1], "still", 5) == 5 && read(s[0], buf, 32) == 5, "the other way still works");
    close(s[1]);
    fails(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    ok(read(s[0], buf, 1) == 0, "closed peer: end of file");
    close(s[0]);
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        static char out[300000];
        close(s[0]);
        memset(out, 'z', sizeof(out));
        _exit(write(s[1], out, sizeof(out)) == sizeof(out) ? 0 : 1);
    }
    close(s[1]);
    size_t total = 0;
    static char in[7000];
    ssize_t r;
    while ((r = read(s[0], in, sizeof(in))) > 0)
        total += r;
    int st;
    waitpid(pid, &st, 0);
    ok(total == 300000 && t_exited(st, 0), "300000 bytes between processes");
    close(s[0]);
}

static void datagrams(int type, const char *name)
{
    int s[2];
    char buf[8];

    must(socketpair(AF_UNIX, type, 0, s) == 0);
    ok(send(s[0], "one", 3, 0) == 3 && send(s[0], "second", 6, 0) == 6 && send(s[0], "", 0, 0) == 0,
       "%s: send", name);
    ok(recv(s[1], buf, 8, 0) == 3, "%s: borders are kept", name);
    ok(recv(s[1], buf, 2, 0) == 2, "%s: the rest of a long one is cut", name);
    ok(recv(s[1], buf, 8, 0) == 0, "%s: an empty one", name);
    send(s[0], "second", 6, 0);
    ok(recv(s[1], buf, 2, MSG_TRUNC) == 6, "%s: MSG_TRUNC tells its size", name);
    struct iovec iov = {buf, 2};
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
    send(s[0], "long", 4, 0);
    ok(recvmsg(s[1], &mh, 0) == 2 && (mh.msg_flags & MSG_TRUNC), "%s: and recvmsg the flag", name);
    static char big[1 << 20];
    fails(send(s[0], big, sizeof(big), 0), EMSGSIZE);
    close(s[0]);
    if (type == SOCK_SEQPACKET)
        ok(recv(s[1], buf, 8, 0) == 0, "%s: end of file", name);
    else
        fails(send(s[1], "x", 1, 0), ECONNREFUSED);
    close(s[1]);
}

static struct sockaddr_un address(const char *path, socklen_t *len)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    memcpy(a.sun_path, path, strlen(path + 1) + 1);
    *len = offsetof(struct sockaddr_un, sun_path) + strlen(path + 1) + 1 + (path[0] != 0);
    return a;
}

static void named(const char *path, const char *what)
{
    socklen_t len, got = sizeof(struct sockaddr_un);
    struct sockaddr_un a = address(path, &len), b;
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
    char buf[8] = "";

    fails(connect(c, (struct sockaddr *)&a, len), path[0] ? ENOENT : ECONNREFUSED);
    ok(bind(l, (struct sockaddr *)&a, len) == 0, "%s: bind", what);
    fails(connect(c, (struct sockaddr *)&a, len), ECONNREFUSED);
    ok(listen(l, 5) == 0, "%s: listen", what);
    int l2 = socket(AF_UNIX, SOCK_STREAM, 0);
    fails(bind(l2, (struct sockaddr *)&a, len), EADDRINUSE);
    close(l2);
    struct pollfd p = {l, POLLIN, 0};
    ok(poll(&p, 1, 0) == 0, "%s: nobody waits", what);
    ok(connect(c, (struct sockaddr *)&a, len) == 0, "%s: connect", what);
    ok(poll(&p, 1, 0) == 1, "%s: somebody waits", what);
    int s = accept4(l, (struct sockaddr *)&b, &got, SOCK_CLOEXEC);
    ok(s >= 0 && got == 2, "%s: accept", what);
    got = sizeof(b);
    ok(getpeername(c, (struct sockaddr *)&b, &got) == 0 && got == len &&
           !memcmp(a.sun_path, b.sun_path, len - 2),
       "%s: getpeername", what);
    ok(write(c, "hi", 2) == 2 && read(s, buf, 8) == 2 && !strcmp(buf, "hi"), "%s: data", what);
    struct ucred uc;
    got = sizeof(uc);
    ok(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &uc, &got) == 0 && uc.pid == getpid() &&
           uc.uid == getuid(),
       "%s: SO_PEERCRED", what);
    close(c);
    close(s);
    close(l);
    if (path[0]) {
        struct stat st;
        ok(stat(path, &st) == 0 && S_ISSOCK(st.st_mode), "%s: it is a file", what);
        fails(open(path, O_RDONLY), ENXIO);
        unlink(path);
    }
}

static void passing(void)
{
    int s[2], p[2], got = -1;
    char byte = 'b', buf[8] = "";
    union {
        struct cmsghdr h;
        char space[CMSG_SPACE(sizeof(int))];
    } c;
    struct iovec iov = {&byte, 1};
    struct msghdr mh = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)};

    must(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        c.h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&c.h), &p[1], sizeof(int));
        _exit(sendmsg(s[0], &mh, 0) == 1 ? 0 : 1);
    }
    int st;
    waitpid(pid, &st, 0);
    ok(t_exited(st, 0), "send a descriptor");
    memset(&c, 0, sizeof(c));
    ok(recvmsg(s[1], &mh, MSG_CMSG_CLOEXEC) == 1 && c.h.cmsg_type == SCM_RIGHTS, "receive it");
    memcpy(&got, CMSG_DATA(&c.h), sizeof(int));
    ok(got > p[1] && fcntl(got, F_GETFD) == FD_CLOEXEC, "a new number, close-on-exec");
    close(p[1]);
    ok(write(got, "via", 3) == 3 && read(p[0], buf, 8) == 3 && !strcmp(buf, "via"), "it works");
    close(got);
    ok(read(p[0], buf, 8) == 0, "no copy is left behind");
    c.h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    int bad = 999;
    memcpy(CMSG_DATA(&c.h), &bad, sizeof(int));
    mh.msg_controllen = sizeof(c);
    fails(sendmsg(s[0], &mh, 0), EBADF);
}

static void errors(void)
{
    int v = 0, s = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t len = sizeof(v);
    char c;

    ok(getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &len) == 0 && v == SOCK_STREAM, "SO_TYPE");
    ok(getsockopt(s, SOL_SOCKET, SO_DOMAIN, &v, &len) == 0 && v == AF_UNIX, "SO_DOMAIN");
    fails(socket(AF_UNIX, 99, 0), EINVAL);
    fails(socket(12345, SOCK_STREAM, 0), EAFNOSUPPORT);
    fails(socketpair(AF_UNIX, SOCK_STREAM, 77, &v), EPROTONOSUPPORT);
    fails(accept(s, NULL, NULL), EINVAL);
    fails(send(s, "x", 1, MSG_NOSIGNAL), ENOTCONN);
    fails(recv(0, &c, 1, 0), ENOTSOCK);
    fails(listen(999, 1), EBADF);
    fails(getpeername(s, (struct sockaddr *)&v, &len), ENOTCONN);
    struct timeval tv = {0, 30000};
    int p[2];
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    ok(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0, "SO_RCVTIMEO");
    int64_t t0 = t_now_ms();
    fails(recv(p[0], &c, 1, 0), EAGAIN);
    ok(t_now_ms() - t0 >= 29, "after its time");
}

int main(void)
{
    t_scratch();
    close(0);
    must(open("/dev/null", O_RDWR) == 0);
    streams();
    datagrams(SOCK_DGRAM, "dgram");
    datagrams(SOCK_SEQPACKET, "seqpacket");
    named("sock", "path");
    named("\0abstract-name-of-test", "abstract");
    passing();
    errors();
    return t_done();
}
