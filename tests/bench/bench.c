// SPDX-License-Identifier: Apache-2.0
//
// Measures what system calls, faults, processes and files cost where it runs. Statically linked, so
// that it runs in any container; with no names it measures everything. One line for each: name,
// nanoseconds for one operation (the median of several batches). "count NAME N" does an operation
// exactly N times and prints nothing, for counting exits.

#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES = 7, BATCH_NS = 20 * 1000 * 1000, FAULT_SIZE = 8 << 20, FILES = 64, STEPS = 100000 };

static char self[4096], scratch[64];
static int file = -1, ping[2], pong[2];
static char buffer[65536];
static pid_t partner;

static int64_t now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void must(int good, const char *what)
{
    if (!good)
        err(1, "%s", what);
}

static void do_getppid(long n)
{
    while (n--)
        syscall(SYS_getppid);
}

static void do_clock_gettime(long n)
{
    struct timespec ts;

    while (n--)
        clock_gettime(CLOCK_MONOTONIC, &ts);
}

static void setup_pipe(void)
{
    char c;

    must(!pipe(ping) && !pipe(pong), "pipe");
    partner = fork();
    must(partner >= 0, "fork");
    if (partner == 0) {
        close(ping[1]);
        close(pong[0]);
        while (read(ping[0], &c, 1) == 1)
            must(write(pong[1], &c, 1) == 1, "write");
        _exit(0);
    }
    close(ping[0]);
    close(pong[1]);
}

static void do_pipe(long n)
{
    char c = 'x';

    while (n--)
        must(write(ping[1], &c, 1) == 1 && read(pong[0], &c, 1) == 1, "ping-pong");
}

static void end_pipe(void)
{
    close(ping[1]);
    close(pong[0]);
    waitpid(partner, NULL, 0);
}

/* Small pages one by one, even where the kernel would rather give large ones. */
static void do_fault(long n)
{
    while (n > 0) {
        char *p =
            mmap(NULL, FAULT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        must(p != MAP_FAILED, "mmap");
        madvise(p, FAULT_SIZE, MADV_NOHUGEPAGE);
        for (long i = 0; i < FAULT_SIZE && n > 0; i += 4096, n--)
            p[i] = 1;
        munmap(p, FAULT_SIZE);
    }
}

static void do_fork_exec(long n)
{
    while (n--) {
        int st;
        pid_t pid = fork();
        must(pid >= 0, "fork");
        if (pid == 0) {
            execl(self, self, "nothing", NULL);
            _exit(127);
        }
        must(waitpid(pid, &st, 0) == pid && st == 0, "exec");
    }
}

static void do_mmap(long n)
{
    while (n--) {
        void *p = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        must(p != MAP_FAILED && munmap(p, 16384) == 0, "mmap");
    }
}

static void setup_file(void)
{
    file = open(self, O_RDONLY | O_CLOEXEC);
    must(file >= 0 && pread(file, buffer, sizeof(buffer), 0) == sizeof(buffer), self);
}

static void do_read4k(long n)
{
    while (n--)
        must(pread(file, buffer, 4096, 8192) == 4096, "pread");
}

static void do_read64k(long n)
{
    while (n--)
        must(pread(file, buffer, 65536, 0) == 65536, "pread");
}

static void end_file(void)
{
    close(file);
}

static void do_open_close(long n)
{
    while (n--) {
        int fd = open(self, O_RDONLY);
        must(fd >= 0 && close(fd) == 0, "open");
    }
}

static void do_stat(long n)
{
    struct stat st;

    while (n--)
        must(stat(self, &st) == 0, "stat");
}

static void setup_scratch(void)
{
    strcpy(scratch, "/tmp/bench.XXXXXX");
    must(mkdtemp(scratch) && chdir(scratch) == 0, "/tmp");
}

/* One small file: create, write, close, stat, read, unlink. */
static void do_small_file(long n)
{
    struct stat st;
    char name[16];

    for (long i = 0; i < n; i++) {
        sprintf(name, "f%ld", i % FILES);
        int fd = open(name, O_RDWR | O_CREAT, 0644);
        must(fd >= 0 && write(fd, buffer, 1000) == 1000 && close(fd) == 0, "create");
        must(stat(name, &st) == 0 && (fd = open(name, O_RDONLY)) >= 0, "stat");
        must(read(fd, buffer, 4096) == 1000 && close(fd) == 0 && unlink(name) == 0, "read");
    }
}

static void end_scratch(void)
{
    must(chdir("/") == 0 && rmdir(scratch) == 0, "rmdir");
}

static volatile uint64_t sink;

static void *spin(void *arg)
{
    uint64_t x = 1;

    for (long i = *(long *)arg * STEPS; i; i--)
        x = x * 6364136223846793005 + 1442695040888963407;
    sink = x;
    return NULL;
}

static void do_spin(long n)
{
    spin(&n);
}

/* Two threads do the same work each: as fast as do_spin where there are two CPUs. */
static void do_spin_two(long n)
{
    pthread_t t[2];

    for (int i = 0; i < 2; i++)
        must(pthread_create(&t[i], NULL, spin, &n) == 0, "pthread_create");
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
}

static const struct bench {
    const char *name;
    void (*run)(long n);
    void (*setup)(void), (*end)(void);
} benches[] = {
    {"getppid", do_getppid, NULL, NULL},
    {"clock_gettime", do_clock_gettime, NULL, NULL},
    {"pipe", do_pipe, setup_pipe, end_pipe},
    {"fault", do_fault, NULL, NULL},
    {"fork_exec", do_fork_exec, NULL, NULL},
    {"mmap", do_mmap, NULL, NULL},
    {"read4k", do_read4k, setup_file, end_file},
    {"read64k", do_read64k, setup_file, end_file},
    {"open_close", do_open_close, NULL, NULL},
    {"stat", do_stat, NULL, NULL},
    {"small_file", do_small_file, setup_scratch, end_scratch},
    {"spin", do_spin, NULL, NULL},
    {"spin_two", do_spin_two, NULL, NULL},
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double measure(void (*run)(long))
{
    double batch[BATCHES];
    long n = 1;
    int64_t t = 0;

    for (;; n *= 2) {
        t = now();
        run(n);
        t = now() - t;
        if (t > BATCH_NS / 4)
            break;
    }
    n = (double)n * BATCH_NS / t + 1;
    for (int i = 0; i < BATCHES; i++) {
        t = now();
        run(n);
        batch[i] = (double)(now() - t) / n;
    }
    qsort(batch, BATCHES, sizeof(*batch), compare);
    return batch[BATCHES / 2];
}

static const struct bench *find(const char *name)
{
    for (size_t i = 0; i < sizeof(benches) / sizeof(*benches); i++)
        if (!strcmp(benches[i].name, name))
            return &benches[i];
    errx(2, "no benchmark %s", name);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "nothing"))
        return 0;
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (len <= 0)
        strcpy(self, argv[0]);
    if (argc == 4 && !strcmp(argv[1], "count")) {
        const struct bench *b = find(argv[2]);
        if (b->setup)
            b->setup();
        b->run(atol(argv[3]));
        if (b->end)
            b->end();
        return 0;
    }
    for (size_t i = 0; i < sizeof(benches) / sizeof(*benches); i++) {
        int wanted = argc < 2;
        for (int k = 1; k < argc; k++)
            wanted |= find(argv[k]) == &benches[i];
        if (!wanted)
            continue;
        if (benches[i].setup)
            benches[i].setup();
        printf("%s %.2f\n", benches[i].name, measure(benches[i].run));
        fflush(stdout);
        if (benches[i].end)
            benches[i].end();
    }
    return 0;
}
