// SPDX-License-Identifier: Apache-2.0
//
// System calls with numbers that do not exist and pointers that lead nowhere, into read-only
// memory, across the end of a mapping or into the kernel: an errno comes back, nothing else
// happens.

#include "t.h"
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>

static void numbers(void)
{
    static const long nr[] = {-1, 500, 999, 0xffff, 1L << 31, 423};

    for (unsigned i = 0; i < sizeof(nr) / sizeof(*nr); i++) {
        errno = 0;
        long r = syscall(nr[i]);
        t_say("call %ld: %s", nr[i], r == -1 ? strerrorname_np(errno) : "no error");
    }
}

static void pointers(void *bad, const char *what)
{
    int p[2];
    struct stat st;

    must(pipe(p) == 0 && write(p[1], "12345678", 8) == 8);
    t_say("%s:", what);
    fails(syscall(SYS_read, p[0], bad, 8), EFAULT);
    fails(syscall(SYS_uname, bad), EFAULT);
    fails(syscall(SYS_stat, "/", bad), EFAULT);
    fails(syscall(SYS_pipe, bad), EFAULT);
    fails(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, bad), EFAULT);
    fails(syscall(SYS_getcwd, bad, 100), EFAULT);
    fails(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, bad, 8), EFAULT);
    fails(syscall(SYS_getrandom, bad, 8, 0), EFAULT);
    fails(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, bad), EFAULT);
    fails(syscall(SYS_getdents64, open("/", O_RDONLY | O_DIRECTORY), bad, 1000), EFAULT);
    fails(syscall(SYS_sysinfo, bad), EFAULT);
    fails(syscall(SYS_getrlimit, 0, bad), EFAULT);
    struct iovec iov = {bad, 8};
    fails(syscall(SYS_readv, p[0], &iov, 1), EFAULT);
    if (fstat(p[0], &st) < 0)
        ok(false, "the pipe is still there");
    for (int i = 3; i < 50; i++)
        close(i);
}

static void unreadable(void *bad, const char *what)
{
    int p[2];

    must(pipe(p) == 0);
    t_say("%s:", what);
    fails(syscall(SYS_write, p[1], bad, 8), EFAULT);
    fails(syscall(SYS_open, bad, O_RDONLY), EFAULT);
    fails(syscall(SYS_execve, bad, NULL, NULL), EFAULT);
    fails(syscall(SYS_nanosleep, bad, NULL), EFAULT);
    fails(syscall(SYS_writev, p[1], bad, 1), EFAULT);
    fails(syscall(SYS_poll, bad, 1, 0), EFAULT);
    fails(syscall(SYS_rt_sigaction, SIGUSR1, bad, NULL, 8), EFAULT);
    close(p[0]);
    close(p[1]);
}

int main(void)
{
    char *rw = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int p[2];
    char path[16];

    must(rw != MAP_FAILED && ro != MAP_FAILED && munmap(rw + 4096, 4096) == 0);
    for (int i = 3; i < 50; i++)
        close(i);
    numbers();
    ok(syscall(1L << 40 | SYS_getppid) == getppid(), "only 32 bits of the number count");
    pointers((void *)8, "a small number");
    pointers(ro, "read-only memory");
    pointers((void *)0xffffffff81000000, "the kernel");
    pointers((void *)0xffff888000000000, "the kernel's memory");
    pointers((void *)0x8000000000000000, "a non-canonical address");
    pointers((void *)0x7ffffffff000, "the end of user memory");
    unreadable((void *)8, "a small number");
    unreadable((void *)0xffffffff81000000, "the kernel");
    unreadable((void *)0xffff888000000000, "the kernel's memory");
    unreadable((void *)0x8000000000000000, "a non-canonical address");

    must(pipe(p) == 0);
    memset(rw, 'r', 4096);
    ok(write(p[1], rw + 4092, 8) == 4 || errno == EFAULT, "a buffer that ends at a hole");
    fails(uname((struct utsname *)(rw + 4000)), EFAULT);
    memset(rw, 'r', 4096);
    fails(open(rw + 4090, O_RDONLY), EFAULT);
    memcpy(rw + 4091, "/tmp", 5);
    ok(open(rw + 4091, O_RDONLY) >= 0, "a string that ends just before it");
    strcpy(path, "/dev/zero");
    int z = open(path, O_RDONLY);
    ssize_t n = read(z, rw + 4092, 8);
    ok(n == 4 || (n == -1 && errno == EFAULT), "reading up to a hole");
    fails(read(z, rw, -1L), EFAULT);
    fails(read(z, (void *)-4096L, 4096), EFAULT);
    return t_done();
}
