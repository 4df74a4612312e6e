// SPDX-License-Identifier: Apache-2.0
//
// Small calls that programs make at start: random bytes, limits, affinity, prctl, sysinfo, the
// device files.

#include "t.h"
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <asm/prctl.h>

static void random_bytes(void)
{
    unsigned char a[32] = {}, b[32] = {};

    ok(getrandom(a, 32, 0) == 32 && getrandom(b, 32, 0) == 32 && memcmp(a, b, 32), "getrandom");
    fails(getrandom(a, 32, 99), EINVAL);
    int fd = open("/dev/urandom", O_RDONLY);
    ok(fd >= 0 && read(fd, b, 32) == 32 && memcmp(a, b, 32), "/dev/urandom");
    close(fd);
}

static void devices(void)
{
    char buf[16] = "xxxx";
    int fd = open("/dev/null", O_RDWR);

    ok(write(fd, buf, 16) == 16 && read(fd, buf, 16) == 0, "/dev/null");
    close(fd);
    fd = open("/dev/zero", O_RDWR);
    ok(read(fd, buf, 4) == 4 && !memcmp(buf, "\0\0\0\0", 4) && write(fd, buf, 4) == 4, "/dev/zero");
    char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    ok(p != MAP_FAILED && p[9] == 0, "mapped");
    close(fd);
    fd = open("/dev/full", O_RDWR);
    fails(write(fd, buf, 4), ENOSPC);
    ok(read(fd, buf, 4) == 4, "/dev/full reads zeros");
    close(fd);
    struct stat st;
    ok(stat("/dev/fd", &st) == 0 && S_ISDIR(st.st_mode), "/dev/fd");
    ok(stat("/dev/shm", &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX), "/dev/shm");
}

static void limits(void)
{
    struct rlimit rl, old;

    ok(getrlimit(RLIMIT_NOFILE, &old) == 0 && old.rlim_cur > 0 && old.rlim_cur <= old.rlim_max,
       "getrlimit");
    rl = old;
    rl.rlim_cur = 100;
    ok(setrlimit(RLIMIT_NOFILE, &rl) == 0 && getrlimit(RLIMIT_NOFILE, &rl) == 0 &&
           rl.rlim_cur == 100,
       "setrlimit");
    rl.rlim_cur = rl.rlim_max + 1;
    if (rl.rlim_max != RLIM_INFINITY)
        fails(setrlimit(RLIMIT_NOFILE, &rl), EINVAL);
    else
        ok(true, "setrlimit(RLIMIT_NOFILE, &rl): EINVAL");
    fails(getrlimit(99, &rl), EINVAL);
    ok(prlimit(0, RLIMIT_NOFILE, &old, &rl) == 0 && rl.rlim_cur == 100, "prlimit");
    ok(getpriority(PRIO_PROCESS, 0) == nice(0), "getpriority");
    rl = (struct rlimit){4096, RLIM_INFINITY};
    t_scratch();
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &rl);
    int fd = open("f", O_RDWR | O_CREAT, 0644);
    static char buf[8192];
    ok(write(fd, buf, 8192) == 4096, "RLIMIT_FSIZE cuts");
    fails(write(fd, buf, 1), EFBIG);
    fails(ftruncate(fd, 5000), EFBIG);
}

static void processors(void)
{
    cpu_set_t set;
    unsigned cpu = 12345, node = 12345;

    ok(sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) >= 1, "sched_getaffinity");
    ok(CPU_COUNT(&set) <= get_nprocs(), "get_nprocs");
    ok(getcpu(&cpu, &node) == 0 && CPU_ISSET(cpu, &set) && node < 64, "getcpu");
    ok(sched_yield() == 0, "sched_yield");
    ok(sched_getscheduler(0) == SCHED_OTHER, "sched_getscheduler");
    ok(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_FIFO) == 1,
       "priorities");
    CPU_ZERO(&set);
    fails(sched_setaffinity(0, sizeof(set), &set), EINVAL);
    fails(sched_getaffinity(1 << 29, sizeof(set), &set), ESRCH);
}

static void process_controls(void)
{
    unsigned long base = 0;
    int sig = -1;
    char name[16] = "";

    ok(prctl(PR_SET_NAME, "me") == 0 && prctl(PR_GET_NAME, name) == 0 && !strcmp(name, "me"),
       "PR_SET_NAME");
    ok(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0 && prctl(PR_GET_PDEATHSIG, &sig) == 0 &&
           sig == SIGUSR1,
       "PR_SET_PDEATHSIG");
    ok(prctl(PR_GET_DUMPABLE) == 1 && prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_GET_DUMPABLE) == 0,
       "PR_SET_DUMPABLE");
    ok(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
       "PR_SET_NO_NEW_PRIVS");
    fails(prctl(99999), EINVAL);
    ok(personality(0xffffffff) == 0, "personality");
    ok(syscall(SYS_arch_prctl, ARCH_GET_FS, &base) == 0 && base == *(unsigned long *)base,
       "ARCH_GET_FS");
    fails(syscall(SYS_arch_prctl, ARCH_SET_GS, 1UL << 63), EPERM);
    fails(syscall(SYS_arch_prctl, 0x9999, 0), EINVAL);
    unsigned long gs[2] = {0x1111, 0x2222}, v;
    ok(syscall(SYS_arch_prctl, ARCH_SET_GS, gs) == 0, "ARCH_SET_GS");
    asm volatile("mov %%gs:8, %0" : "=r"(v));
    ok(v == 0x2222, "%%gs works");
    sched_yield();
    t_msleep(5);
    asm volatile("mov %%gs:0, %0" : "=r"(v));
    ok(v == 0x1111, "and survives switching");
    struct sysinfo si;
    ok(sysinfo(&si) == 0 && si.totalram > 0 && si.freeram <= si.totalram && si.procs > 0,
       "sysinfo");
}

static void death_signal(void *arg)
{
    int p[2];
    char c;

    must(pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct t_gate g;
        t_gate_init(&g);
        if (fork() == 0) {
            close(p[0]);
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            t_gate_open(&g);
            for (;;)
                pause();
        }
        t_gate_pass(&g);
        _exit(0);
    }
    close(p[1]);
    waitpid(pid, NULL, 0);
    ok(read(p[0], &c, 1) == 0, "a parent's death kills");
}

int main(void)
{
    random_bytes();
    devices();
    limits();
    processors();
    process_controls();
    t_child(death_signal, NULL);
    return t_done();
}
