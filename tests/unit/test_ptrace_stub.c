// SPDX-License-Identifier: Apache-2.0
/*
 * The ptrace machine alone: a few lines of machine code run in a stub process, over a page table of
 * the test's own. No file system, no kernel: what the machine calls is faked below. (check.h
 * includes libc headers that redefine the Sentry's types, so each test is a process that exits with
 * 0.)
 */
#include "sentry/machine/ptrace/host.h"
#include "sentry/machine/ptrace/internal.h"
#include "vmm/hostcall/hostcall.h"
#include "vmm/memory.h"
#include "vmm/window.h"

#define CODE  0x400000UL
#define DATA  0x500000UL
#define PAGES 4096 /* page table of the test: va [0, 16 MiB) */

void *calloc(size_t n, size_t size);
void free(void *p);
int printf(const char *fmt, ...);
int fflush(void *);
int vsnprintf(char *, size_t, const char *, va_list);
_Noreturn void _exit(int);

#define CHECK(cond)                                                   \
    do {                                                              \
        if (!(cond)) {                                                \
            printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #cond); \
            fflush(NULL);                                             \
            _exit(1);                                                 \
        }                                                             \
    } while (0)
#define CHECK_EQ(a, b)                                                               \
    do {                                                                             \
        u64 a_ = (u64)(a), b_ = (u64)(b);                                            \
        if (a_ != b_) {                                                              \
            printf("%s:%d: %s is %#lx, not %#lx\n", __FILE__, __LINE__, #a, a_, b_); \
            fflush(NULL);                                                            \
            _exit(1);                                                                \
        }                                                                            \
    } while (0)

/* ---- fakes ---- */

u64 phys_base, machine_tsc_khz = 2600000;
int log_level;
static pte_t table[PAGES];
static pa_t next_pa = RAM_GPA;
static struct process process;
static int killed;

void *kmalloc(size_t n)
{
    return calloc(1, n);
}
void *kzalloc(size_t n)
{
    return calloc(1, n);
}
void kfree(void *p)
{
    free(p);
}
void task_put(struct task *t)
{
    __atomic_sub_fetch(&t->refs.n, 1, __ATOMIC_SEQ_CST);
    host_futex_wake(&t->refs.n, 1);
}
int signal_send_process(struct process *p, int sig, const siginfo_t *info)
{
    killed = sig;
    return 0;
}
u64 ktimers_run(u64 now)
{
    return U64_MAX;
}
void log_write(enum log_level level, const char *fmt, ...)
{
    char line[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    printf("%s\n", line);
}
int window_backing(u64 pa, int *fd, u64 *offset, bool *writable)
{
    return -EFAULT;
}
unsigned window_repair(void)
{
    return 0;
}

pte_t *pt_walk(struct mm *mm, uva_t va, int alloc_level, int *level)
{
    *level = 1;
    return va / PAGE_SIZE < PAGES ? (pte_t *)mm->pgd + va / PAGE_SIZE : NULL;
}

struct fault_result mm_fault(struct mm *mm, uva_t addr, u32 access)
{
    pte_t *pte = pt_walk(mm, addr, 0, &(int){0});

    if (!pte || addr < DATA || addr >= DATA + 0x100000)
        return (struct fault_result){SIGSEGV, 1};
    if (!*pte) {
        *pte = next_pa | PTE_P | PTE_U | PTE_NX;
        next_pa += PAGE_SIZE;
    }
    if (access & FAULT_WRITE)
        *pte |= PTE_W;
    return (struct fault_result){0, 0};
}

/* ---- the code that runs in the stub ---- */

__asm__(".section .rodata\n"
        "guest_code:\n"
        "guest_loop: mov $110, %eax; syscall; jmp guest_loop\n" /* getppid for ever */
        "guest_write: movq $42, (%rdi); mov (%rdi), %rax; ud2\n"
        "guest_read: mov (%rdi), %rax; ud2\n"
        "guest_int3: int3\n"
        "guest_int80: mov $20, %eax; int $0x80; ud2\n"
        "guest_div: xor %ecx, %ecx; div %ecx\n"
        "guest_gp: hlt\n"
        "guest_spin: jmp guest_spin\n"
        "guest_call: call *%rdi; ud2\n"
        "guest_sse: movq %rdi, %xmm3; mov $1, %eax; syscall; movq %xmm3, %rax; ud2\n"
        "guest_end:\n"
        ".text\n");
extern const char guest_code[], guest_loop[], guest_write[], guest_read[], guest_int3[],
    guest_int80[], guest_div[], guest_gp[], guest_spin[], guest_call[], guest_sse[], guest_end[];

static struct mm *space_new(void)
{
    struct mm *mm = calloc(1, sizeof(*mm));

    mm->pgd = (pa_t)table;
    mspace_init(mm);
    return mm;
}

static struct task *task_new(struct mm *mm)
{
    struct task *t = calloc(1, sizeof(*t));

    t->refs.n = 2;
    t->mm = mm;
    t->process = &process;
    t->cpus_allowed = U64_MAX;
    t->fpu = calloc(1, machine_fpu_size);
    t->regs.cs = USER_CS;
    t->regs.ss = USER_DS;
    t->regs.eflags = 0x202;
    t->regs.rsp = DATA + 0x80000;
    machine_fpu_init(t->fpu);
    return t;
}

/* Run body on a task of its own and wait for its end. */
static void on_task(struct task *t, void (*body)(struct task *))
{
    CHECK_EQ(machine_thread_create(t, body), 0);
    machine_thread_start(t);
    while (__atomic_load_n(&t->refs.n, __ATOMIC_SEQ_CST) == 2)
        host_futex_wait(&t->refs.n, 2, U64_MAX);
}

static void setup(void)
{
    pte_t *code = &table[CODE / PAGE_SIZE];

    CHECK_EQ(zygote_init(), 0);
    CHECK_EQ(memory_init(MEMORY_SHARED, MIB(64)), 0);
    phys_base = (u64)memory_base();
    balance_init(0);
    fpu_init();
    memcpy(phys_to_virt(next_pa), guest_code, (size_t)(guest_end - guest_code));
    *code = next_pa | PTE_P | PTE_U;
    next_pa += PAGE_SIZE;
}

static struct trap run_at(const char *code, u64 rdi)
{
    struct trap trap;

    current->regs.rip = CODE + (u64)(code - guest_code);
    current->regs.rdi = rdi;
    do {
        machine_user_run(&trap);
        if (trap.kind == TRAP_FAULT &&
            mm_fault(current->mm, trap.addr, trap.error & FAULT_WRITE).sig)
            break;
    } while (trap.kind == TRAP_FAULT);
    return trap;
}

/* ---- tests ---- */

static void body_syscalls(struct task *t)
{
    const int n = 100000;
    struct trap trap = run_at(guest_loop, 0);
    u64 start;

    CHECK_EQ(trap.kind, TRAP_SYSCALL);
    CHECK_EQ(t->regs.orig_rax, 110);
    start = machine_clock_mono();
    for (int i = 0; i < n; i++) {
        t->regs.rax = 7;
        machine_user_run(&trap);
        CHECK_EQ(trap.kind, TRAP_SYSCALL);
    }
    printf("system call round trip: %lu ns\n", (machine_clock_mono() - start) / n);
    machine_thread_exit();
}

static void test_syscalls(void)
{
    on_task(task_new(space_new()), body_syscalls);
}

static void body_traps(struct task *t)
{
    struct trap trap = run_at(guest_write, DATA + 8);
    u64 value = 0;

    CHECK_EQ(trap.kind, TRAP_EXCEPTION);
    CHECK_EQ(trap.vector, 6);
    CHECK_EQ(t->regs.rax, 42);
    CHECK_EQ(get_user(value, DATA + 8), 0);
    CHECK_EQ(value, 42);
    CHECK_EQ(put_user((u64)43, DATA + 8), 0);
    run_at(guest_read, DATA + 8);
    CHECK_EQ(t->regs.rax, 43);
    CHECK_EQ(put_user((u64)43, 0x1000), -EFAULT);

    trap = run_at(guest_read, 0x1234);
    CHECK_EQ(trap.kind, TRAP_FAULT);
    CHECK_EQ(trap.addr, 0x1234);
    CHECK_EQ(run_at(guest_int3, 0).vector, 3);
    CHECK_EQ(run_at(guest_div, 0).vector, 0);
    CHECK_EQ(run_at(guest_gp, 0).vector, 13);
    CHECK_EQ(run_at(guest_read, 0x8000000000000000UL).vector, 13);
    trap = run_at(guest_int80, 0);
    CHECK_EQ(trap.kind, TRAP_EXCEPTION);
    CHECK_EQ(trap.vector, 13);
    trap = run_at(guest_call, 0xffffffffff600400UL);
    CHECK_EQ(trap.kind, TRAP_FAULT);
    CHECK_EQ(trap.addr, 0xffffffffff600400UL);
    CHECK_EQ(trap.error, 4 | 16);
    CHECK_EQ(t->regs.rip, 0xffffffffff600400UL);
    CHECK_EQ(t->regs.rsp, DATA + 0x80000 - 8);
    machine_thread_exit();
}

static void test_traps(void)
{
    on_task(task_new(space_new()), body_traps);
}

static void body_flush(struct task *t)
{
    pte_t *pte = &table[DATA / PAGE_SIZE];

    run_at(guest_write, DATA);
    *(u64 *)phys_to_virt(next_pa) = 99;
    *pte = next_pa | PTE_P | PTE_U | PTE_NX; /* another page, read-only */
    mspace_flush(t->mm, DATA, DATA + PAGE_SIZE);
    run_at(guest_read, DATA);
    CHECK_EQ(t->regs.rax, 99);
    machine_thread_exit();
}

static void test_flush(void)
{
    on_task(task_new(space_new()), body_flush);
}

static struct task *spinner;
static u32 spinning;

static void body_spin(struct task *t)
{
    struct trap trap;

    __atomic_store_n(&spinning, 1, __ATOMIC_SEQ_CST);
    do
        trap = run_at(guest_spin, 0);
    while (trap.kind == TRAP_FAULT); /* the code is away just now */
    CHECK_EQ(trap.kind, TRAP_INTERRUPT);
    machine_thread_exit();
}

/* A thread of the same address space computes while this one takes a page away and kicks it. */
static void body_threads(struct task *t)
{
    struct trap trap = run_at(guest_loop, 0);
    pte_t *pte = &table[CODE / PAGE_SIZE];
    pte_t was = *pte;

    CHECK_EQ(trap.kind, TRAP_SYSCALL);
    spinner = task_new(t->mm);
    CHECK_EQ(machine_thread_create(spinner, body_spin), 0);
    machine_thread_start(spinner);
    while (!__atomic_load_n(&spinning, __ATOMIC_SEQ_CST))
        machine_yield();
    for (int i = 0; i < 100; i++) {
        *pte = 0;
        mspace_flush(t->mm, CODE, CODE + PAGE_SIZE);
        *pte = was;
        machine_user_run(&trap);
        CHECK_EQ(trap.kind, TRAP_SYSCALL);
    }
    machine_kick(spinner);
    while (__atomic_load_n(&spinner->refs.n, __ATOMIC_SEQ_CST) == 2)
        host_futex_wait(&spinner->refs.n, 2, U64_MAX);
    machine_thread_exit();
}

static void test_threads(void)
{
    on_task(task_new(space_new()), body_threads);
}

static pte_t child_table[PAGES];
static struct mm *child_mm;

static void body_child(struct task *t)
{
    run_at(guest_read, DATA);
    CHECK_EQ(t->regs.rax, 42);
    /* then exec: an empty address space takes over the stub */
    t->mm = space_new();
    t->mm->pgd = (pa_t)child_table;
    child_table[DATA / PAGE_SIZE] = 0;
    mspace_switch(t->mm);
    run_at(guest_read, DATA);
    CHECK_EQ(t->regs.rax, 0);
    machine_thread_exit();
}

static void body_fork(struct task *t)
{
    struct task *child;
    u64 start;

    run_at(guest_write, DATA);
    table[DATA / PAGE_SIZE] &= ~PTE_W;
    memcpy(child_table, table, sizeof(table));
    child_mm = space_new();
    child_mm->pgd = (pa_t)child_table;
    start = machine_clock_mono();
    mspace_inherit(child_mm, t->mm, DATA, DATA + PAGE_SIZE);
    child = task_new(child_mm);
    on_task(child, body_child);
    printf("fork, exec, exit: %lu ns\n", machine_clock_mono() - start);
    mspace_destroy(child_mm);
    machine_thread_exit();
}

static void test_fork_exec(void)
{
    on_task(task_new(space_new()), body_fork);
}

static void body_fpu(struct task *t)
{
    struct trap trap = run_at(guest_sse, 0x1122334455667788UL);
    u64 *xmm3 = (u64 *)((char *)t->fpu + 160 + 3 * 16);

    CHECK_EQ(trap.kind, TRAP_SYSCALL);
    machine_fpu_read(t);
    CHECK_EQ(*xmm3, 0x1122334455667788UL);
    *xmm3 = 0x55;
    machine_fpu_write(t);
    machine_user_run(&trap);
    CHECK_EQ(t->regs.rax, 0x55);
    machine_thread_exit();
}

static void test_fpu(void)
{
    on_task(task_new(space_new()), body_fpu);
}

static const struct {
    const char *name;
    void (*fn)(void);
} tests[] = {
    {"syscalls", test_syscalls}, {"traps", test_traps},         {"flush", test_flush},
    {"threads", test_threads},   {"fork_exec", test_fork_exec}, {"fpu", test_fpu},
};

static int run(unsigned i)
{
    int pid = (int)HOST_SYSCALL(__NR_fork);
    int status = -1;

    if (pid == 0) {
        HOST_SYSCALL(__NR_alarm, 20);
        setup();
        tests[i].fn();
        CHECK_EQ(killed, 0);
        fflush(NULL);
        _exit(0);
    }
    HOST_SYSCALL(__NR_wait4, pid, &status);
    printf("%s: %s (%#x)\n", tests[i].name, status ? "FAIL" : "ok", status);
    fflush(NULL);
    return status != 0;
}

int main(void)
{
    int failed = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
        failed |= run(i);
    return failed;
}
