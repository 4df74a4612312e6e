// SPDX-License-Identifier: Apache-2.0
/*
 * The zygote: a process that was emptied of everything but the stub's code, shares the sandbox's
 * descriptor table (stubs map RAM and files from it), and copies itself on request. It and the
 * stubs may make a handful of system calls, and those only from the code page.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sentry/machine/ptrace/stub.h"

extern const char stub_code[], stub_code_end[];

/* Shared by sandbox and zygote only; lives as long as the sandbox. Guarded by `busy`. */
struct zygote_page {
    uint32_t request; /* futex: number of requests so far */
    uint32_t served;  /* futex: requests done */
    int32_t tid;      /* result of the last: tid or -errno */
    uint32_t busy;    /* futex mutex among the sandbox's threads; the zygote leaves it alone */
};
static struct zygote_page *page;
static pid_t zygote;
int stub_parent;

#define DENY    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define LOAD(f) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, f))
#define LOAD_HI(f) \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, f) + sizeof(uint32_t))
#define ALLOW_NR(nr) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/*
 * x86-64 calls from the code page, and only those that stub.S and stub_call() make. The kernel's
 * vsyscall page, where it is emulated, raises a signal that the tracer turns into a fault.
 */
static int confine_stubs(void)
{
    struct sock_filter prog[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        DENY,
        LOAD_HI(instruction_pointer),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xffffffff, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(STUB_BASE >> 32), 1, 0),
        DENY,
        LOAD(instruction_pointer),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfffff000),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)STUB_BASE, 1, 0),
        DENY,
        LOAD(nr),
        ALLOW_NR(SYS_mmap),
        ALLOW_NR(SYS_munmap),
        ALLOW_NR(SYS_mprotect),
        ALLOW_NR(SYS_futex),
        ALLOW_NR(SYS_clone),
        ALLOW_NR(SYS_prctl),
        ALLOW_NR(SYS_getppid),
        ALLOW_NR(SYS_pause),
        ALLOW_NR(SYS_restart_syscall),
        DENY,
    };
    struct sock_fprog fprog = {sizeof(prog) / sizeof(prog[0]), prog};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    /* no speculation limits of their own: they slow down the application and guard nothing here */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &fprog) == 0)
        return 0;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) == 0)
        return 0;
    return -errno;
}

/* The sandbox may have kept one for its sockets; nothing here needs any. 0 or -1. */
static int drop_capabilities(void)
{
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};

    return (int)syscall(SYS_capset, &h, none);
}

static void forget_libc(void)
{
    struct rlimit none = {0, 0};
    stack_t off = {.ss_flags = SS_DISABLE};
    sigset_t empty;

    if (__rseq_size) /* else the kernel writes into memory that will be gone */
        syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32,
                RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
    for (int sig = 1; sig < 65; sig++)
        signal(sig, SIG_DFL);
    sigaltstack(&off, NULL);
    sigemptyset(&empty);
    sigprocmask(SIG_SETMASK, &empty, NULL);
    setrlimit(RLIMIT_CORE, &none);
}

/* The zygote, on a stack of its own. arg: descriptor of the two shared pages. */
static int zygote_main(void *arg)
{
    int fd = (int)(intptr_t)arg;
    void *code, *shared;

    forget_libc();
    if (drop_capabilities() != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
        prctl(PR_SET_DUMPABLE, 1) != 0)
        return 1;
    if (getppid() != stub_parent)
        return 1; /* it died before our first call */
    setsid();
    code = mmap((void *)STUB_BASE, 4096, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0);
    shared =
        mmap((void *)STUB_SHARED, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 4096);
    if (code == MAP_FAILED || shared == MAP_FAILED || madvise(shared, 4096, MADV_DONTFORK) != 0)
        return 1;
    if (confine_stubs() != 0)
        return 1;
    __asm__ volatile("mov %0, %%r12; mov %1, %%r13; mov %2, %%r14; mov %3, %%r15; mov %5, %%rbp; "
                     "jmp *%4"
                     :
                     : "r"(STUB_SHARED), "r"(STUB_BASE), "r"(STUB_END), "r"(STUB_TOP),
                       "a"(STUB_ZYGOTE), "d"((long)stub_parent)
                     : "r12", "r13", "r14", "r15", "memory");
    __builtin_unreachable();
}

static int map_shared_page(int fd)
{
    void *p;

    if (ftruncate(fd, 8192) != 0)
        return -errno;
    if (pwrite(fd, stub_code, (size_t)(stub_code_end - stub_code), 0) < 0)
        return -errno;
    p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
    if (p == MAP_FAILED)
        return -errno;
    page = p;
    return 0;
}

/* Whether this host lets us do all that stubs need, before anything depends on it. 0 or -errno. */
static int try_stub(void)
{
    const uint64_t arg[6] = {STUB_BASE - 4096, 4096};
    bool kicked = false;
    int r, tid = zygote_spawn();

    if (tid < 0)
        return tid;
    r = stub_seize(tid);
    if (r)
        return r;
    r = (int)stub_call(tid, STUB_CALL, SYS_munmap, arg, &kicked);
    stub_kill(tid);
    return r;
}

int zygote_init(void)
{
    static char stack[32768] __attribute__((aligned(16)));
    /* stops and ends of stubs are waited for; the signals would only cost time */
    struct sigaction sa = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP};
    int fd = memfd_create("ringfort-stub", MFD_CLOEXEC);
    int r;

    stub_parent = getpid();
    if (fd < 0)
        return -errno;
    r = map_shared_page(fd);
    if (r == 0 && sigaction(SIGCHLD, &sa, NULL) != 0)
        r = -errno;
    if (r == 0) {
        /* no exit signal: children and tracees alike are waited for with __WALL */
        zygote =
            clone(zygote_main, stack + sizeof(stack), CLONE_FILES | CLONE_FS, (void *)(intptr_t)fd);
        if (zygote < 0)
            r = -errno;
    }
    /* The zygote maps the pages itself: the descriptor stays open until it has served once. */
    if (r == 0)
        r = try_stub();
    close(fd);
    return r;
}

static long futex(uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
    return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

static void page_lock(void)
{
    uint32_t free = 0;

    if (__atomic_compare_exchange_n(&page->busy, &free, 1, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(&page->busy, 2, __ATOMIC_ACQUIRE) != 0)
        futex(&page->busy, FUTEX_WAIT, 2, NULL);
}

static void page_unlock(void)
{
    if (__atomic_exchange_n(&page->busy, 0, __ATOMIC_RELEASE) == 2)
        futex(&page->busy, FUTEX_WAKE, 1, NULL);
}

int zygote_spawn(void)
{
    const struct timespec tick = {0, 100000000};
    uint32_t want, served;
    int tid = 0;

    page_lock();
    want = __atomic_add_fetch(&page->request, 1, __ATOMIC_SEQ_CST);
    futex(&page->request, FUTEX_WAKE, 1, NULL);
    while ((served = __atomic_load_n(&page->served, __ATOMIC_ACQUIRE)) != want && tid == 0) {
        if (futex(&page->served, FUTEX_WAIT, served, &tick) == 0 || errno != ETIMEDOUT)
            continue;
        if (waitpid(zygote, NULL, __WALL | WNOHANG) != 0)
            tid = -ECHILD; /* it was killed */
    }
    if (tid == 0)
        tid = page->tid;
    page_unlock();
    return tid;
}
