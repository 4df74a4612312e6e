// SPDX-License-Identifier: Apache-2.0
//
// Anonymous memory: mapping, placing, protecting, splitting, moving, dropping; big regions.

#include "t.h"
#include <setjmp.h>
#include <sys/resource.h>

#define PG 4096L

static sigjmp_buf env;

static void on_fault(int sig)
{
    siglongjmp(env, sig);
}

/* 0 when the byte can be read (or written), else the signal that it made. */
static int touch(volatile char *p, bool write)
{
    struct sigaction sa = {.sa_handler = on_fault};

    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
    int sig = sigsetjmp(env, 1);
    if (sig == 0) {
        if (write)
            *p = 1;
        else
            (void)*p;
    }
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    return sig;
}

static char *map(size_t size, int prot)
{
    char *p = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    must(p != MAP_FAILED);
    return p;
}

static void basics(void)
{
    char *p = map(3 * PG, PROT_READ | PROT_WRITE), *q;

    ok(p[0] == 0 && p[3 * PG - 1] == 0, "new memory is zero");
    memset(p, 'a', 3 * PG);
    ok(munmap(p + PG, PG) == 0, "unmap the middle");
    ok(touch(p + PG, false) == SIGSEGV && p[0] == 'a' && p[2 * PG] == 'a', "only it is gone");
    q = mmap(p + PG, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    ok(q == p + PG && q[5] == 0, "MAP_FIXED puts a fresh page there");
    q = mmap(p, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    ok(q == p && q[0] == 0, "and replaces what is there");
    q = mmap(p, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    ok(q == MAP_FAILED && errno == EEXIST, "MAP_FIXED_NOREPLACE does not");
    munmap(p, 3 * PG);
    q = mmap(p, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ok(q == p, "a hint that is free is taken");
    ok(munmap(q, PG) == 0 && munmap(q, PG) == 0, "unmapping nothing is fine");
    fails((long)mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
    fails((long)mmap((void *)1, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
          EINVAL);
    fails((long)mmap(NULL, PG, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
    fails((long)mmap(NULL, 1L << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    fails((long)mmap((void *)(1L << 47), PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                     0),
          ENOMEM);
    fails((long)mmap(NULL, PG, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
    fails(munmap((void *)1, PG), EINVAL);
    fails(munmap(p, 0), EINVAL);
    fails((long)mmap(NULL, -1UL, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
}

static void protection(void)
{
    char *p = map(5 * PG, PROT_READ | PROT_WRITE);

    memset(p, 'b', 5 * PG);
    ok(mprotect(p + PG, PG, PROT_READ) == 0, "mprotect read-only");
    ok(touch(p + PG, false) == 0 && touch(p + PG, true) == SIGSEGV, "can be read, not written");
    ok(touch(p, true) == 0 && touch(p + 2 * PG, true) == 0, "its neighbours can");
    ok(mprotect(p + PG, PG, PROT_NONE) == 0 && touch(p + PG, false) == SIGSEGV, "PROT_NONE");
    fails(read(open("/dev/zero", O_RDONLY), p + PG, 10), EFAULT);
    ok(mprotect(p, 5 * PG, PROT_READ | PROT_WRITE) == 0 && p[PG + 1] == 'b',
       "back: contents are kept");
    munmap(p + 3 * PG, PG);
    fails(mprotect(p, 5 * PG, PROT_READ), ENOMEM);
    ok(touch(p, true) == SIGSEGV, "but the part before the hole was changed");
    fails(mprotect(p + 1, PG, PROT_READ), EINVAL);
    ok(mprotect(p, 0, PROT_READ) == 0, "of nothing");
    char *code = map(PG, PROT_READ | PROT_WRITE);
    memcpy(code, "\xb8\x2a\x00\x00\x00\xc3", 6); /* mov $42, %eax; ret */
    mprotect(code, PG, PROT_READ | PROT_EXEC);
    ok(((int (*)(void))code)() == 42, "made code runs");
    mprotect(code, PG, PROT_READ | PROT_WRITE | PROT_EXEC);
    code[1] = 43;
    ok(((int (*)(void))code)() == 43, "changed code runs");
}

static void moving(void)
{
    char *p = map(4 * PG, PROT_READ | PROT_WRITE), *q, *big;

    strcpy(p, "first");
    strcpy(p + 3 * PG, "last");
    ok(mremap(p, 4 * PG, 2 * PG, 0) == p && touch(p + 2 * PG, false) == SIGSEGV, "shrink");
    q = mremap(p, 2 * PG, 64 * PG, MREMAP_MAYMOVE);
    ok(q != MAP_FAILED && !strcmp(q, "first") && q[63 * PG] == 0, "grow");
    char *target = map(64 * PG, PROT_NONE);
    p = mremap(q, 64 * PG, 64 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    ok(p == target && !strcmp(p, "first") && touch(q, false) == SIGSEGV, "move to a place");
    fails((long)mremap(p, 64 * PG, 0, 0), EINVAL);
    fails((long)mremap(p + 1, PG, PG, 0), EINVAL);
    fails((long)mremap(p, PG, PG, MREMAP_FIXED, q), EINVAL);
    munmap(p, 64 * PG);
    fails((long)mremap(p, PG, 2 * PG, MREMAP_MAYMOVE), EFAULT);
    big = map(8 * PG, PROT_READ | PROT_WRITE);
    munmap(big + 4 * PG, PG);
    strcpy(big, "x");
    ok(mremap(big, 4 * PG, 5 * PG, 0) == big && big[4 * PG] == 0, "grow in place into a hole");
    fails((long)mremap(big, PG, 2 * PG, 0), ENOMEM);
}

static void dropping(void)
{
    char *p = map(4 * PG, PROT_READ | PROT_WRITE);
    unsigned char vec[4] = {};

    memset(p, 'c', 4 * PG);
    ok(madvise(p + PG, 2 * PG, MADV_DONTNEED) == 0, "MADV_DONTNEED");
    ok(p[PG] == 0 && p[2 * PG + 7] == 0 && p[0] == 'c' && p[3 * PG] == 'c', "zero again");
    fails(madvise(p + 1, PG, MADV_DONTNEED), EINVAL);
    fails(madvise(p, PG, 9999), EINVAL);
    ok(madvise(p, 4 * PG, MADV_WILLNEED) == 0 && madvise(p, 4 * PG, MADV_NORMAL) == 0, "advice");
    ok(madvise(p, 4 * PG, MADV_DONTFORK) == 0, "MADV_DONTFORK");
    pid_t pid = fork();
    if (pid == 0)
        _exit(touch(p, false));
    int st;
    waitpid(pid, &st, 0);
    ok(t_exited(st, SIGSEGV), "not in the child");
    ok(mincore(p, 4 * PG, vec) == 0 && (vec[0] & 1), "mincore");
    munmap(p, 4 * PG);
    fails(mincore(p, PG, vec), ENOMEM);
    fails(madvise(p, PG, MADV_DONTNEED), ENOMEM);
}

static void big(void)
{
    enum { SIZE = 64 << 20 };
    char *p = map(SIZE, PROT_READ | PROT_WRITE);
    long sum = 0;

    for (long i = 0; i < SIZE; i += PG)
        p[i] = i >> 12;
    for (long i = 0; i < SIZE; i += PG)
        sum += (unsigned char)p[i];
    ok(sum == (SIZE / PG / 256) * (255 * 256 / 2), "64 MiB touched");
    ok(mprotect(p + (1 << 20), PG, PROT_NONE) == 0 && touch(p + (1 << 20), true) == SIGSEGV &&
           touch(p + (1 << 20) + PG, true) == 0,
       "one page in the middle of it protected");
    ok(munmap(p + (5 << 20), PG) == 0 && touch(p + (5 << 20), false) == SIGSEGV, "one unmapped");
    ok(madvise(p + (8 << 20), 3 * PG, MADV_DONTNEED) == 0 && p[(8 << 20) + PG] == 0 &&
           p[(8 << 20) + 3 * PG] == (char)((8 << 8) + 3),
       "three dropped");
    pid_t pid = fork();
    if (pid == 0) {
        p[10 << 20] = 99;
        _exit(p[(10 << 20) + PG] == (char)((10 << 8) + 1) ? 0 : 1);
    }
    int st;
    waitpid(pid, &st, 0);
    ok(t_exited(st, 0) && p[10 << 20] == 0, "forked, copied on write");
    munmap(p, SIZE);
    char *lazy = mmap(NULL, 64L << 30, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ok(lazy != MAP_FAILED, "64 GiB reserved");
    lazy[40L << 30] = 1;
    ok(lazy[40L << 30] == 1 && lazy[50L << 30] == 0 && munmap(lazy, 64L << 30) == 0,
       "and used thinly");
}

static void many(void)
{
    char *p = map(2000 * PG, PROT_READ | PROT_WRITE);
    int bad = 0;

    for (int i = 0; i < 2000; i += 2)
        bad += mprotect(p + i * PG, PG, PROT_READ) != 0;
    ok(!bad, "2000 areas of alternating protection");
    for (int i = 0; i < 2000; i++)
        bad += touch(p + i * PG, true) != (i % 2 ? 0 : SIGSEGV);
    ok(!bad, "each is what it should be");
    ok(mprotect(p, 2000 * PG, PROT_READ | PROT_WRITE) == 0 && munmap(p, 2000 * PG) == 0,
       "and away");
}

static void heap(void)
{
    char *start = sbrk(0);

    ok(sbrk(0) == start, "sbrk(0)");
    ok(brk(start + 100 * PG) == 0 && sbrk(0) == start + 100 * PG, "grow");
    memset(start, 'h', 100 * PG);
    ok(brk(start + PG) == 0 && start[5] == 'h', "shrink");
    ok(touch((char *)(((uintptr_t)start + 3 * PG) & -PG), false) == SIGSEGV,
       "what is behind is gone");
    ok(brk(start + 2 * PG) == 0 && start[2 * PG - 1] == 0, "and zero when it is back");
    fails(brk((void *)(1L << 47)), ENOMEM);
    struct rlimit rl = {64 << 20, RLIM_INFINITY};
    setrlimit(RLIMIT_AS, &rl);
    fails((long)mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
}

int main(void)
{
    basics();
    protection();
    moving();
    dropping();
    big();
    many();
    heap();
    return t_done();
}
