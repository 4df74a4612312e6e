// SPDX-License-Identifier: Apache-2.0
//
// Faults: each kind kills only the one that made it, with the right status; a handler is told the
// right details and may repair the damage and go on.

#include "t.h"
#include <setjmp.h>
#include <ucontext.h>

static siginfo_t info;
static sigjmp_buf env;
static char *page;

static void read_null(void *arg)
{
    (void)*(volatile int *)8;
}

static void write_rodata(void *arg)
{
    *(volatile char *)"constant" = 'x';
}

static void call_null(void *arg)
{
    ((void (*)(void))(uintptr_t)16)();
}

static void run_data(void *arg)
{
    static char code[] = {(char)0xc3};
    char *volatile p = code;

    ((void (*)(void))p)();
}

static void kernel_address(void *arg)
{
    *(volatile char *)0xffffffff80000000 = 1;
}

static void non_canonical(void *arg)
{
    *(volatile char *)0x8000000000000000 = 1;
}

static void divide(void *arg)
{
    int zero = 0;

    asm volatile("mov $1, %%eax\n\tcltd\n\tidivl %0" : : "r"(zero) : "eax", "edx");
}

static void undefined(void *arg)
{
    asm volatile("ud2");
}

static void breakpoint(void *arg)
{
    asm volatile("int3");
}

static void privileged(void *arg)
{
    asm volatile("hlt");
}

static void bad_interrupt(void *arg)
{
    asm volatile("int $0x33");
}

static void aborts(void *arg)
{
    abort();
}

static int recurse(volatile int n)
{
    volatile char pad[4096];

    pad[0] = n;
    return recurse(n + 1) + pad[0];
}

static void overflow(void *arg)
{
    recurse(0);
}

static void bus_error(void *arg)
{
    char *p;
    int fd = open("short", O_RDWR | O_CREAT, 0644);

    must(ftruncate(fd, 100) == 0);
    p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(p != MAP_FAILED);
    p[4095] = 1;
    p[4096] = 1;
}

static void deaths(void)
{
    static const struct {
        const char *name;
        void (*fn)(void *);
        int sig;
    } t[] = {
        {"read through NULL", read_null, SIGSEGV},
        {"write to read-only memory", write_rodata, SIGSEGV},
        {"jump to NULL", call_null, SIGSEGV},
        {"jump to data", run_data, SIGSEGV},
        {"kernel address", kernel_address, SIGSEGV},
        {"non-canonical address", non_canonical, SIGSEGV},
        {"division by zero", divide, SIGFPE},
        {"undefined instruction", undefined, SIGILL},
        {"breakpoint", breakpoint, SIGTRAP},
        {"privileged instruction", privileged, SIGSEGV},
        {"unknown interrupt", bad_interrupt, SIGSEGV},
        {"abort", aborts, SIGABRT},
        {"stack overflow", overflow, SIGSEGV},
        {"mapping beyond its file", bus_error, SIGBUS},
    };

    for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++) {
        int st = t_child(t[i].fn, NULL);
        ok(t_killed(st, t[i].sig), "%s: %s", t[i].name, sigabbrev_np(t[i].sig));
    }
}

static void note(int sig, siginfo_t *si, void *uc)
{
    info = *si;
    siglongjmp(env, 1);
}

static void expect(const char *what, void (*fn)(void *), int sig, int code, const void *addr,
                   long trap)
{
    struct sigaction sa = {.sa_sigaction = note, .sa_flags = SA_SIGINFO}, old;

    memset(&info, 0, sizeof(info));
    sigaction(sig, &sa, &old);
    if (sigsetjmp(env, 1) == 0)
        fn(NULL);
    ok(info.si_signo == sig, "%s: signal", what);
    ok(info.si_code == code, "%s: code %d", what, info.si_code);
    if (addr)
        ok(info.si_addr == addr, "%s: address", what);
    sigaction(sig, &old, NULL);
}

static void write_page(void *arg)
{
    page[5] = 1;
}

static void details(void)
{
    page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect("unmapped", read_null, SIGSEGV, SEGV_MAPERR, (void *)8, 0);
    expect("protected", write_page, SIGSEGV, SEGV_ACCERR, page + 5, 0);
    expect("jump", call_null, SIGSEGV, SEGV_MAPERR, (void *)16, 0);
    expect("kernel", kernel_address, SIGSEGV, SEGV_MAPERR, (void *)0xffffffff80000000, 0);
    expect("non-canonical", non_canonical, SIGSEGV, SI_KERNEL, NULL, 0);
    expect("privileged", privileged, SIGSEGV, SI_KERNEL, NULL, 0);
    expect("divide", divide, SIGFPE, FPE_INTDIV, NULL, 0);
    expect("undefined", undefined, SIGILL, ILL_ILLOPN, NULL, 0);
    expect("int3", breakpoint, SIGTRAP, SI_KERNEL, NULL, 0);
    expect("bus", bus_error, SIGBUS, BUS_ADRERR, NULL, 0);
}

static void repair(int sig, siginfo_t *si, void *uc)
{
    info = *si;
    mprotect((char *)((uintptr_t)si->si_addr & ~4095UL), 4096, PROT_READ | PROT_WRITE);
}

static void skip(int sig, siginfo_t *si, void *ucp)
{
    ucontext_t *uc = ucp;

    uc->uc_mcontext.gregs[REG_RIP] += 2;
    uc->uc_mcontext.gregs[REG_RAX] = 123;
}

static void resume(void)
{
    struct sigaction sa = {.sa_sigaction = repair, .sa_flags = SA_SIGINFO};
    enum { PAGES = 300 };
    int sum = 0;
    long rax = 0;

    char *p = mmap(NULL, PAGES * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaction(SIGSEGV, &sa, NULL);
    for (int i = 0; i < PAGES; i++)
        p[i * 4096 + 7] = 1;
    for (int i = 0; i < PAGES; i++)
        sum += p[i * 4096 + 7];
    ok(sum == PAGES, "300 faults repaired by mprotect in the handler");
    sa.sa_sigaction = skip;
    sigaction(SIGILL, &sa, NULL);
    asm volatile("ud2" : "+a"(rax));
    ok(rax == 123, "a handler can skip the instruction and set a register");
}

static void on_overflow(int sig, siginfo_t *si, void *uc)
{
    siglongjmp(env, 1);
}

static void survive_overflow(void *arg)
{
    stack_t ss = {.ss_sp = malloc(65536), .ss_size = 65536};
    struct sigaction sa = {.sa_sigaction = on_overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigaltstack(&ss, NULL);
    sigaction(SIGSEGV, &sa, NULL);
    if (sigsetjmp(env, 1) == 0)
        recurse(0);
    t_say("survived");
}

static void blocked_fault(void *arg)
{
    sigset_t set;

    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGSEGV, SIG_IGN);
    read_null(NULL);
}

static void fault_in_handler(int sig)
{
    read_null(NULL);
}

static void double_fault(void *arg)
{
    signal(SIGSEGV, fault_in_handler);
    read_null(NULL);
}

static void no_stack(void *arg)
{
    signal(SIGUSR1, fault_in_handler);
    asm volatile("xor %%esp, %%esp\n\tsyscall"
                 :
                 : "a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1)
                 : "memory");
}

int main(void)
{
    t_scratch();
    deaths();
    details();
    resume();
    ok(t_exited(t_child(survive_overflow, NULL), 0),
       "stack overflow handled on the alternate stack");
    ok(t_killed(t_child(blocked_fault, NULL), SIGSEGV),
       "a blocked, ignored fault kills all the same");
    ok(t_killed(t_child(double_fault, NULL), SIGSEGV), "a fault in its own handler kills");
    ok(t_killed(t_child(no_stack, NULL), SIGSEGV), "no stack for the frame: SIGSEGV");
    return t_done();
}
