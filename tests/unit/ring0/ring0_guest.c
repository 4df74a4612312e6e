// SPDX-License-Identifier: Apache-2.0
/*
 * Test of the ring 0 machine on the real bios and VMM: threads, time, user mode with every way in
 * and out, FPU state, user copies, preemption, TLB shootdown. Exit status 42, or the number of
 * the step that failed.
 */
#include "tests/unit/ring0/fake.h"

#define EXIT_NR 1000
#define PASS    42

extern const char user_code[], user_code_end[];
extern const char user_count[], user_regs[], user_fpu[], user_spin[], user_touch[], user_ud[],
    user_iret[];

static void check(int step, bool ok)
{
    if (ok)
        return;
    log_warn("step %d failed", step);
    machine_exit(step);
}

static void sleep_ns(u64 ns)
{
    u64 end = machine_clock_mono() + ns;

    while (machine_park(end) != -ETIMEDOUT)
        ;
}

static uva_t at(const char *routine)
{
    return CODE_VA + (u64)(routine - user_code);
}

static struct mm *user_mm(void)
{
    struct mm *mm = fake_mm_new();

    memcpy(fake_map(mm, CODE_VA, 0), user_code, (size_t)(user_code_end - user_code));
    fake_map(mm, STACK_VA - PAGE_SIZE, PTE_W | PTE_NX);
    fake_map(mm, DATA_VA, PTE_W | PTE_NX);
    return mm;
}

static void set_regs(const char *routine, u64 rdi, u64 rsi, u64 rdx)
{
    current->regs = (struct uregs){.rip = at(routine),
                                   .rsp = STACK_VA - 64,
                                   .rdi = rdi,
                                   .rsi = rsi,
                                   .rdx = rdx,
                                   .eflags = 0x202,
                                   .cs = USER_CS,
                                   .ss = USER_DS};
}

static u64 calls;

void task_syscall(void)
{
    if (current->regs.orig_rax == EXIT_NR)
        __atomic_fetch_or(&current->work, 2, __ATOMIC_SEQ_CST);
    current->regs.rax = current->regs.orig_rax;
    calls++;
}

/* Run user mode to its exit call; the value in RDI. */
static u64 run(void)
{
    struct trap trap;

    for (;;) {
        machine_user_run(&trap);
        if (trap.kind == TRAP_DONE) {
            current->work = 0;
            return current->regs.rdi;
        }
        if (trap.kind == TRAP_INTERRUPT) {
            current->work = 0;
        } else if (trap.kind != TRAP_FAULT || mm_fault(current->mm, trap.addr, trap.error).sig) {
            log_warn("trap %u vector %u addr %#lx rip %#lx", trap.kind, trap.vector, trap.addr,
                     current->regs.rip);
            return ~0ULL;
        }
    }
}

/* ---- threads ---- */

static struct task *waiter;
static u32 woken;

static void wait_thread(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        machine_park(U64_MAX);
        __atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
    }
}

static void test_threads(void)
{
    u64 before = machine_clock_mono(), took;

    sleep_ns(5000000);
    took = machine_clock_mono() - before;
    check(1, took >= 5000000 && took < 500000000);
    waiter = kthread_start("waiter", wait_thread, NULL);
    for (u32 i = 1; i <= 1000; i++) {
        machine_unpark(waiter);
        before = machine_clock_mono();
        while (__atomic_load_n(&woken, __ATOMIC_SEQ_CST) < i) {
            machine_yield();
            check(2, machine_clock_mono() - before < NSEC_PER_SEC);
        }
    }
    sleep_ns(1000000);
    check(3, tasks_freed == 2); /* and the one that ran sentry_main() */
    machine_unpark(current);
    check(4, machine_park(machine_clock_mono() + NSEC_PER_SEC) == 0);
}

/* ---- user mode, one task ---- */

static void test_traps(void)
{
    struct trap trap;

    set_regs(user_ud, 0, 0, 0);
    machine_user_run(&trap);
    check(20, trap.kind == TRAP_EXCEPTION && trap.vector == 6 && current->regs.rip == at(user_ud));
    set_regs(user_spin, 0x5000, 0, 0);
    machine_user_run(&trap);
    check(21, trap.kind == TRAP_FAULT && trap.addr == 0x5000 && trap.error == 4);
    current->regs.rip = 0x123456789abcdefULL;
    machine_user_run(&trap);
    check(22, trap.kind == TRAP_EXCEPTION && trap.vector == 13);
    current->regs.rip = 0xffffffffff600000ULL;
    machine_user_run(&trap);
    check(23, trap.kind == TRAP_FAULT && trap.addr == 0xffffffffff600000ULL && trap.error & 16);
    set_regs(user_iret, 0, 0, 0);
    current->regs.rcx = 0x1111;
    current->regs.r11 = 0x2222;
    current->regs.eflags = ~0ULL & ~0x100ULL; /* what is not the application's must not stick */
    current->regs.cs = current->regs.ss = 0;
    check(24, run() == 0);
    check(25, (current->regs.eflags & ~0x250cd5ULL) == 0x202);
    set_regs(user_iret, 0, 0, 0);
    current->regs.eflags |= 0x100;
    machine_user_run(&trap);
    check(26, trap.kind == TRAP_EXCEPTION && trap.vector == 1);
    current->work = 1;
    machine_user_run(&trap);
    check(27, trap.kind == TRAP_INTERRUPT);
    current->work = 0;
}

static void test_copies(void)
{
    char buf[64], *data = phys_to_virt(*fake_pte(current->mm, DATA_VA) & PTE_ADDR);
    u32 was;
    u64 v;

    memcpy(data + 4090, "hello", 6);
    check(30, strncpy_from_user(buf, DATA_VA + 4090, sizeof(buf)) == 5 && !strcmp(buf, "hello"));
    data[4095] = 'x';
    check(31, strncpy_from_user(buf, DATA_VA + 4090, sizeof(buf)) == -EFAULT);
    check(32, strncpy_from_user(buf, DATA_VA + 4090, 3) == -ENAMETOOLONG);
    check(33, copy_from_user(buf, DATA_VA + 4090, 6) == 0);
    check(34, copy_from_user(buf, DATA_VA + 4090, 7) == -EFAULT);
    check(35, get_user(v, DATA_VA + 4096) == -EFAULT && get_user(v, DATA_VA + 4088) == 0);
    check(36, copy_from_user(buf, USER_END - 8, 16) == -EFAULT);
    check(37, copy_from_user(buf, (uva_t)data, 8) == -EFAULT && get_user(v, (uva_t)data));
    check(38, copy_to_user(CODE_VA, buf, 8) == -EFAULT && copy_to_user(CODE_VA, buf, 5));
    check(39, copy_to_user(LAZY_VA + 4000, buf, 60) == 0 && clear_user(LAZY_VA, 9000) == 0);
    *(u32 *)data = 5;
    check(40, cmpxchg_user_u32(DATA_VA, 5, 6, &was) == 0 && was == 5 && *(u32 *)data == 6);
    check(41, cmpxchg_user_u32(DATA_VA, 5, 7, &was) == 0 && was == 6 && *(u32 *)data == 6);
    check(42, cmpxchg_user_u32(0x5000, 5, 7, &was) == -EFAULT);
    check(43, clear_user(0x5000, 8) == -EFAULT);
}

static void test_user(void *arg)
{
    u64 before;

    test_traps();
    test_copies();
    set_regs(user_regs, 0, 0, 0);
    check(50, run() == 0);
    set_regs(user_count, 1000000, 0, 0);
    calls = 0;
    before = machine_clock_mono();
    check(51, run() == 0 && calls == 1000001);
    log_warn("a system call takes %lu ps", (machine_clock_mono() - before) / 1000);
    set_regs(user_touch, LAZY_VA + 0x100000, 512, 0);
    check(52, run() == 0);
    machine_unpark(arg);
}

/* ---- several tasks ---- */

#define NFPU 6
static u32 finished;

static void fpu_task(void *arg)
{
    set_regs(user_fpu, 0x1234500 + (u64)arg, 300, machine_xcr0 & 4);
    check(60, run() == 0);
    __atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
}

static void wait_finished(int step, u32 n)
{
    u64 end = machine_clock_mono() + 60 * NSEC_PER_SEC;

    while (__atomic_load_n(&finished, __ATOMIC_SEQ_CST) < n) {
        check(step, machine_clock_mono() < end);
        sleep_ns(1000000);
    }
    finished = 0;
}

static void test_fpu(bool one_cpu)
{
    struct mm *mm[2] = {user_mm(), user_mm()};

    for (u64 i = 0; i < NFPU; i++) {
        struct task *t = fake_task("fpu", fpu_task, (void *)i, mm[i % 2]);
        fake_map(mm[i % 2], STACK_VA + i * 0x2000, PTE_W | PTE_NX);
        t->cpus_allowed = one_cpu ? 1 : 0;
        machine_thread_start(t);
    }
    wait_finished(61, NFPU);
}

/* Tasks in one address space touch pages again and again while their entries are taken away. */
#define NTOUCH 4
static bool stop;

static void touch_task(void *arg)
{
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        set_regs(user_touch, LAZY_VA, 8, 0);
        check(70, run() == 0);
    }
    __atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
}

static void test_shootdown(void)
{
    struct mm *mm = user_mm();

    for (int i = 0; i < NTOUCH; i++)
        machine_thread_start(fake_task("touch", touch_task, NULL, mm));
    for (int i = 0; i < 40; i++) {
        for (uva_t va = LAZY_VA; va < LAZY_VA + 8 * PAGE_SIZE; va += PAGE_SIZE) {
            pte_t *e = fake_pte(mm, va);
            pte_t old = __atomic_exchange_n(e, 0, __ATOMIC_SEQ_CST);
            u32 *page = phys_to_virt(old & PTE_ADDR), seen;

            mspace_flush(mm, va, va + PAGE_SIZE);
            if (!old)
                continue;
            seen = *(volatile u32 *)page;
            for (int j = 0; j < 100; j++)
                cpu_relax();
            check(71, *(volatile u32 *)page == seen);
        }
        sleep_ns(100000);
    }
    stop = true;
    wait_finished(72, NTOUCH);
    mspace_destroy(mm);
}

/* A task that spins in user mode is kicked out of it, and shares its CPU with another one. */
static struct task *spinner;
static u32 kicked;

static void spin_task(void *arg)
{
    struct trap trap;

    set_regs(user_spin, DATA_VA, 0, 0);
    machine_user_run(&trap);
    check(80, trap.kind == TRAP_INTERRUPT && current->work == 1);
    __atomic_store_n(&kicked, 1, __ATOMIC_SEQ_CST);
    current->work = 0;
    check(81, run() == 0);
    __atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
}

static void test_kick(void)
{
    struct mm *mm = user_mm();
    u32 *data = phys_to_virt(*fake_pte(mm, DATA_VA) & PTE_ADDR);
    u64 before = machine_clock_mono();

    spinner = fake_task("spin", spin_task, NULL, mm);
    machine_thread_start(spinner);
    sleep_ns(5000000);
    __atomic_store_n(&spinner->work, 1, __ATOMIC_SEQ_CST);
    machine_kick(spinner);
    while (!__atomic_load_n(&kicked, __ATOMIC_SEQ_CST)) {
        check(82, machine_clock_mono() - before < NSEC_PER_SEC);
        machine_yield();
    }
    sleep_ns(5000000);
    *data = 1;
    wait_finished(83, 1);
}

/* Deeper than any stack. */
static u64 overflow(u64 n)
{
    volatile u64 pad[64];

    pad[n % 64] = n;
    return n > U64_MAX / 2 ? pad[0] : overflow(n + 1) + pad[n % 64];
}

static void test_main(void *arg)
{
    test_threads();
    machine_thread_start(fake_task("user", test_user, current, user_mm()));
    machine_park(U64_MAX);
    test_fpu(true);
    test_fpu(false);
    test_shootdown();
    test_kick();
    if (!strcmp(boot.process.argv, "overflow"))
        log_warn("%lu", overflow(0));
    if (!strcmp(boot.process.argv, "fault"))
        *(volatile u64 *)0xffff800000000000ULL = 1;
    log_warn("ring 0 machine: all well, %u of %u CPUs", cpu_id() + 1, machine_ncpus);
    machine_exit(PASS);
}

void sentry_main(void)
{
    kthread_start("test", test_main, NULL);
}
