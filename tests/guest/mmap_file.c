// SPDX-License-Identifier: Apache-2.0
//
// Mapped files: private and shared, seen by read and write, across processes, cut short under a
// mapping, memfd.

#include "t.h"
#include <setjmp.h>

#define PG 4096L

static sigjmp_buf env;

static void on_fault(int sig)
{
    siglongjmp(env, sig);
}

static int touch(volatile char *p)
{
    int sig = sigsetjmp(env, 1);

    if (sig == 0)
        (void)*p;
    return sig;
}

static int make(const char *name, size_t size)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    char buf[PG];

    must(fd >= 0);
    for (size_t i = 0; i < size; i += PG) {
        memset(buf, 'A' + i / PG % 26, PG);
        must(write(fd, buf, size - i < PG ? size - i : PG) > 0);
    }
    return fd;
}

static void privates(void)
{
    int fd = make("p", 3 * PG + 100);
    char c, *p = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

    ok(p != MAP_FAILED && p[0] == 'A' && p[PG] == 'B' && p[3 * PG + 99] == 'D',
       "private: contents");
    ok(p[3 * PG + 100] == 0 && p[4 * PG - 1] == 0, "zero behind the end");
    p[PG] = 'x';
    ok(pread(fd, &c, 1, PG) == 1 && c == 'B', "writes stay private");
    char *q = mmap(NULL, PG, PROT_READ, MAP_PRIVATE, fd, 2 * PG);
    ok(q[0] == 'C', "with an offset");
    pid_t pid = fork();
    if (pid == 0) {
        p[PG + 1] = 'y';
        _exit(p[PG] == 'x' ? 0 : 1);
    }
    int st;
    waitpid(pid, &st, 0);
    ok(t_exited(st, 0) && p[PG + 1] == 'B', "and forks copy");
    close(fd);
    ok(p[2 * PG] == 'C', "the mapping outlives the descriptor");
    unlink("p");
    ok(p[2 * PG + 1] == 'C', "and the name");
    munmap(p, 4 * PG);
    munmap(q, PG);
}

static void shareds(void)
{
    int fd = make("s", 4 * PG), fd2;
    char buf[8] = "", *p = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *q;

    must(p != MAP_FAILED);
    memcpy(p + PG, "mapped", 6);
    ok(pread(fd, buf, 6, PG) == 6 && !memcmp(buf, "mapped", 6), "shared: read() sees the map");
    ok(pwrite(fd, "WRITTEN", 7, 2 * PG) == 7 && !memcmp(p + 2 * PG, "WRITTEN", 7),
       "the map sees write()");
    fd2 = open("s", O_RDWR);
    q = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd2, 0);
    q[5] = 'q';
    ok(p[5] == 'q', "two maps agree");
    pid_t pid = fork();
    if (pid == 0) {
        p[6] = 'c';
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    ok(q[6] == 'c', "a child's writes are seen");
    ok(msync(p, 4 * PG, MS_SYNC) == 0, "msync");
    fails(msync(p, PG, 99), EINVAL);
    ok(write(fd, p, 10) == 10 && read(fd2, q + 100, 10) == 10, "I/O into a map of the same file");
    munmap(p, 4 * PG);
    munmap(q, 4 * PG);
    char *w = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd2, 0);
    close(fd);
    close(fd2);
    fd = open("s", O_RDONLY);
    fails((long)mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
    q = mmap(NULL, PG, PROT_READ, MAP_SHARED, fd, 0);
    ok(q != MAP_FAILED && q[5] == 'q', "read-only map of a read-only descriptor");
    fails(mprotect(q, PG, PROT_READ | PROT_WRITE), EACCES);
    close(fd);
    fd = open("s", O_WRONLY);
    fails((long)mmap(NULL, PG, PROT_READ, MAP_PRIVATE, fd, 0), EACCES);
    close(fd);
    fd = open("s", O_RDONLY);
    fails((long)mmap(NULL, PG, PROT_READ, MAP_PRIVATE, fd, 100), EINVAL);
    munmap(w, PG);
    int d = open(".", O_RDONLY);
    fails((long)mmap(NULL, PG, PROT_READ, MAP_PRIVATE, d, 0), ENODEV);
}

static void truncation(void)
{
    int fd = make("t", 4 * PG), sig;
    char *p = mmap(NULL, 6 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), buf[8];

    signal(SIGBUS, on_fault);
    ok(touch(p + 3 * PG) == 0, "inside");
    ok(touch(p + 4 * PG) == SIGBUS, "behind the end: SIGBUS");
    must(ftruncate(fd, 2 * PG) == 0);
    ok(touch(p + PG) == 0, "cut to two pages: the second is there");
    sig = touch(p + 3 * PG);
    ok(sig == SIGBUS, "a page that was there: SIGBUS");
    fails(write(make("u", 0), p + 3 * PG, 10), EFAULT);
    must(ftruncate(fd, 4 * PG) == 0);
    ok(touch(p + 3 * PG) == 0 && p[3 * PG] == 0, "grown again: zero");
    must(ftruncate(fd, 10) == 0 && ftruncate(fd, PG) == 0);
    ok(p[5] == 'A' && p[10] == 0 && p[100] == 0, "the cut part of a page is zero");
    must(ftruncate(fd, 0) == 0);
    ok(touch(p) == SIGBUS, "empty file: SIGBUS");
    fails(read(fd, buf, 0) == 0 ? write(make("u", 0), p, 1) : 0, EFAULT);
    signal(SIGBUS, SIG_DFL);
}

static void memfds(void)
{
    int fd = memfd_create("name", MFD_ALLOW_SEALING);
    char *p;

    ok(fd >= 0 && ftruncate(fd, 2 * PG) == 0, "memfd_create");
    p = mmap(NULL, 2 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ok(p != MAP_FAILED && p[PG] == 0, "mapped");
    strcpy(p + PG, "in memory");
    char buf[16] = "";
    ok(pread(fd, buf, 9, PG) == 9 && !strcmp(buf, "in memory"), "read");
    fails(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    ok(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0, "seals");
    fails(ftruncate(fd, PG), EPERM);
    fails(ftruncate(fd, 3 * PG), EPERM);
    ok(fcntl(fd, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_GROW), "read back");
    munmap(p, 2 * PG);
}

static void executable(void)
{
    static const unsigned char code[] = {0xb8, 7, 0, 0, 0, 0xc3};
    int fd = make("x", PG);

    pwrite(fd, code, sizeof(code), 0);
    char *p = mmap(NULL, PG, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    ok(((int (*)(void))p)() == 7, "mapped code runs");
}

static void big(void)
{
    enum { PAGES = 2000 };
    int fd = make("big", PAGES * PG), bad = 0;
    char *p = mmap(NULL, PAGES * PG, PROT_READ, MAP_SHARED, fd, 0);

    for (long i = PAGES - 1; i >= 0; i -= 7)
        bad += p[i * PG] != 'A' + i % 26;
    for (long i = 0; i < PAGES; i++)
        bad += p[i * PG + 4095] != 'A' + i % 26;
    ok(!bad, "8 MiB read through a map");
}

int main(void)
{
    t_scratch();
    privates();
    shareds();
    truncation();
    memfds();
    executable();
    big();
    return t_done();
}
