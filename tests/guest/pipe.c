// SPDX-License-Identifier: Apache-2.0
//
// Pipes and FIFOs: blocking, end of file, broken pipes, non-blocking mode, atomic writes, poll.

#include "t.h"
#include <limits.h>
#include <sys/ioctl.h>

static void broken(void *arg)
{
    int p[2];

    must(pipe(p) == 0);
    close(p[0]);
    if (arg)
        signal(SIGPIPE, SIG_IGN);
    ssize_t n = write(p[1], "x", 1);
    ok(n == -1 && errno == EPIPE, "EPIPE");
    _exit(7);
}

static void blocking(void)
{
    int p[2];
    char buf[16];
    enum { TOTAL = 1 << 20 };

    must(pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        static char chunk[5000];
        size_t left = TOTAL;
        close(p[0]);
        for (unsigned n = 0; left; n++) {
            size_t want = left < sizeof(chunk) ? left : sizeof(chunk);
            memset(chunk, 'a' + n % 26, want);
            must(write(p[1], chunk, want) == (ssize_t)want);
            left -= want;
        }
        _exit(0);
    }
    close(p[1]);
    unsigned sum = 0;
    size_t got = 0;
    ssize_t n;
    while ((n = read(p[0], buf, sizeof(buf))) > 0) {
        for (ssize_t i = 0; i < n; i++)
            sum = sum * 31 + buf[i];
        got += n;
    }
    ok(n == 0 && got == TOTAL, "1 MiB through a pipe, then end of file");
    t_say("checksum %u", sum);
    waitpid(pid, NULL, 0);
    close(p[0]);
}

static void nonblocking(void)
{
    int p[2], avail = -1;
    static char buf[PIPE_BUF * 2];
    size_t total = 0;
    ssize_t n;

    must(pipe2(p, O_NONBLOCK | O_CLOEXEC) == 0);
    ok(fcntl(p[0], F_GETFD) == FD_CLOEXEC && (fcntl(p[1], F_GETFL) & O_NONBLOCK), "pipe2 flags");
    fails(read(p[0], buf, 1), EAGAIN);
    while ((n = write(p[1], buf, PIPE_BUF)) > 0)
        total += n;
    ok(n == -1 && errno == EAGAIN, "full");
    ok(total == 65536 && (size_t)fcntl(p[1], F_GETPIPE_SZ) == total, "at 64 KiB");
    ok(ioctl(p[0], FIONREAD, &avail) == 0 && avail == 65536, "FIONREAD");
    struct pollfd pf[2] = {{.fd = p[0], .events = POLLIN}, {.fd = p[1], .events = POLLOUT}};
    ok(poll(pf, 2, 0) == 1 && pf[0].revents == POLLIN && !pf[1].revents, "poll: readable only");
    ok(read(p[0], buf, PIPE_BUF) == PIPE_BUF, "make room for one page");
    ok(poll(pf, 2, 0) == 2 && pf[1].revents == POLLOUT, "poll: writable too");
    ok(write(p[1], buf, PIPE_BUF) == PIPE_BUF, "one atomic write fits");
    close(p[1]);
    while (read(p[0], buf, sizeof(buf)) > 0)
        ;
    pf[1].fd = -1;
    ok(poll(pf, 1, 0) == 1 && pf[0].revents == POLLHUP, "poll: POLLHUP without writers");
    close(p[0]);
    must(pipe(p) == 0);
    close(p[0]);
    pf[0] = (struct pollfd){.fd = p[1], .events = POLLOUT};
    ok(poll(pf, 1, 0) == 1 && (pf[0].revents & POLLERR), "poll: POLLERR without readers");
    close(p[1]);
    must(pipe(p) == 0);
    fails(lseek(p[0], 0, SEEK_CUR), ESPIPE);
    fails(pread(p[0], buf, 1, 0), ESPIPE);
    fails(write(p[0], "x", 1), EBADF);
    fails(read(p[1], buf, 1), EBADF);
    struct stat st;
    ok(fstat(p[0], &st) == 0 && S_ISFIFO(st.st_mode), "fstat says FIFO");
}

static void atomic_writes(void)
{
    int p[2];
    bool mixed = false;
    static char rec[1000];
    enum { WRITERS = 4, RECORDS = 200 };

    must(pipe(p) == 0);
    for (int i = 0; i < WRITERS; i++)
        if (fork() == 0) {
            memset(rec, 'A' + i, sizeof(rec));
            for (int k = 0; k < RECORDS; k++)
                must(write(p[1], rec, sizeof(rec)) == sizeof(rec));
            _exit(0);
        }
    close(p[1]);
    FILE *f = fdopen(p[0], "r");
    int n = 0;
    while (fread(rec, sizeof(rec), 1, f) == 1) {
        for (size_t k = 1; k < sizeof(rec); k++)
            mixed |= rec[k] != rec[0];
        n++;
    }
    ok(n == WRITERS * RECORDS && !mixed, "writes up to PIPE_BUF are atomic");
    while (wait(NULL) > 0)
        ;
    fclose(f);
}

static void fifo(void)
{
    char buf[8] = "";

    ok(mkfifo("fifo", 0600) == 0, "mkfifo");
    fails(mkfifo("fifo", 0600), EEXIST);
    fails(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    pid_t pid = fork();
    if (pid == 0) {
        int w = open("fifo", O_WRONLY);
        must(w >= 0 && write(w, "hi", 2) == 2);
        _exit(0);
    }
    int r = open("fifo", O_RDONLY);
    ok(r >= 0 && read(r, buf, 8) == 2 && !strcmp(buf, "hi"), "through a FIFO");
    waitpid(pid, NULL, 0);
    ok(read(r, buf, 8) == 0, "end of file when the writer is gone");
    close(r);
}

static void nothing(int sig) {}

static void interrupted(void)
{
    int p[2];
    char c;
    struct sigaction sa = {.sa_handler = nothing};

    must(pipe(p) == 0);
    sigaction(SIGALRM, &sa, NULL);
    ualarm(30000, 0);
    fails(read(p[0], &c, 1), EINTR);
}

int main(void)
{
    int st;

    t_scratch();
    st = t_child(broken, NULL);
    ok(t_killed(st, SIGPIPE), "a broken pipe kills");
    st = t_child(broken, "ignore");
    ok(t_exited(st, 7), "unless SIGPIPE is ignored");
    blocking();
    nonblocking();
    atomic_writes();
    fifo();
    interrupted();
    return t_done();
}
