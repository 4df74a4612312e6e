// SPDX-License-Identifier: Apache-2.0
/*
 * The life of a user task: user mode until something happens, deal with it, look for work, again.
 * CPU time is accounted at the borders.
 */
#include "sentry/fs/gofer.h"
#include "sentry/kernel/container.h"
#include "sentry/kernel/internal.h"
#include "sentry/kernel/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/syscall/strace.h"
#include "sentry/syscall/syscall.h"

#define VSYSCALL_ADDR 0xffffffffff600000ull
#define EFLAGS_TF     0x100u

enum vector {
    V_DE,
    V_DB,
    V_NMI,
    V_BP,
    V_OF,
    V_BR,
    V_UD,
    V_NP = 11,
    V_SS,
    V_GP,
    V_PF,
    V_MF = 16,
    V_AC,
    V_MC,
    V_XF
};

s64 sys_gettimeofday(const struct uregs *r);
s64 sys_time(const struct uregs *r);
s64 sys_getcpu(const struct uregs *r);

/*
 * The page of three calls at a fixed address that old programs still enter: do the call and
 * return to the caller.
 */
static void vsyscall(void)
{
    struct uregs *r = &current->regs;
    uva_t back;
    s64 ret;

    switch (r->rip) {
    case VSYSCALL_ADDR:
        ret = sys_gettimeofday(r);
        break;
    case VSYSCALL_ADDR + 0x400:
        ret = sys_time(r);
        break;
    case VSYSCALL_ADDR + 0x800:
        ret = sys_getcpu(r);
        break;
    default:
        signal_force(SIGSEGV, SEGV_MAPERR, r->rip, V_PF, FAULT_EXEC | 4);
        return;
    }
    if (get_user(back, r->rsp)) {
        signal_force(SIGSEGV, SEGV_MAPERR, r->rsp, V_PF, 4);
        return;
    }
    r->rax = (u64)ret;
    r->rip = back;
    r->rsp += 8;
}

static void page_fault(const struct trap *trap)
{
    struct task *t = current;
    struct fault_result f;

    if ((trap->addr & PAGE_MASK) == VSYSCALL_ADDR && trap->addr == t->regs.rip) {
        vsyscall();
        return;
    }
    f = mm_fault(t->mm, trap->addr, trap->error & (FAULT_WRITE | FAULT_EXEC));
    if (likely(!f.sig)) {
        t->min_flt++;
        return;
    }
    if (f.sig == SIGKILL)
        process_exit(SIGKILL);
    signal_force(f.sig, f.code, trap->addr, V_PF, trap->error);
}

/* Which of the unmasked floating point exceptions happened. */
static int fpu_code(u32 vector)
{
    struct task *t = current;
    u16 control, status;
    u32 mxcsr, err;

    machine_fpu_read(t);
    memcpy(&control, t->fpu, 2);
    memcpy(&status, (char *)t->fpu + 2, 2);
    memcpy(&mxcsr, (char *)t->fpu + 24, 4);
    err = vector == V_MF ? status & ~control : mxcsr & ~(mxcsr >> 7);
    if (err & 0x01)
        return FPE_FLTINV;
    if (err & 0x04)
        return FPE_FLTDIV;
    if (err & 0x08)
        return FPE_FLTOVF;
    if (err & 0x12)
        return FPE_FLTUND;
    if (err & 0x20)
        return FPE_FLTRES;
    return SI_KERNEL;
}

static void exception(const struct trap *trap)
{
    struct uregs *r = &current->regs;
    int sig = SIGSEGV, code = SI_KERNEL;
    uva_t addr = 0;

    switch (trap->vector) {
    case V_DE:
        sig = SIGFPE;
        code = FPE_INTDIV;
        addr = r->rip;
        break;
    case V_DB:
        sig = SIGTRAP;
        code = r->eflags & EFLAGS_TF ? TRAP_TRACE : TRAP_BRKPT;
        addr = r->rip;
        break;
    case V_BP:
        sig = SIGTRAP;
        break;
    case V_UD:
        sig = SIGILL;
        code = ILL_ILLOPN;
        addr = r->rip;
        break;
    case V_NP:
    case V_SS:
        sig = SIGBUS;
        break;
    case V_MF:
    case V_XF:
        sig = SIGFPE;
        code = fpu_code(trap->vector);
        addr = r->rip;
        break;
    case V_MC: /* a host file became shorter: its pages go, the instruction is run again and faults
                */
        gofer_windows_check();
        return;
    case V_AC:
        sig = SIGBUS;
        code = BUS_ADRALN;
        addr = trap->addr;
        break;
    }
    signal_force(sig, code, addr, trap->vector, trap->error);
}

/* A call that wants to be restarted is looked at by signal_deliver(), whatever woke it. */
static inline void after_system_call(struct task *t)
{
    if (unlikely((u64) - (s64)t->regs.rax - ERESTARTSYS <= ERESTART_RESTARTBLOCK - ERESTARTSYS) ||
        unlikely(t->restore_blocked))
        __atomic_or_fetch(&t->work, WORK_SIGNAL, __ATOMIC_RELAXED);
}

static void do_work(struct task *t)
{
    u32 work = __atomic_load_n(&t->work, __ATOMIC_ACQUIRE);

    if (unlikely(work & WORK_PAUSE))
        container_pause_here();
    if (work & WORK_CPU_TIMER) {
        __atomic_and_fetch(&t->work, ~WORK_CPU_TIMER, __ATOMIC_ACQ_REL);
        cpu_timers_check();
    }
    if (work & WORK_SIGNAL)
        signal_deliver();
    if (work & WORK_RESCHED) {
        __atomic_and_fetch(&t->work, ~WORK_RESCHED, __ATOMIC_ACQ_REL);
        t->nivcsw++;
        account_kernel(t);
        machine_yield();
        t->acct_stamp = machine_clock_mono();
    }
}

/* One call in so many is timed; a prime, so that it does not always hit the same of a pattern. */
#define TIMED_CALLS 13

static void timed_system_call(struct task *t)
{
    u64 begin, now;

    account_user(t);
    begin = t->acct_stamp;
    t->in_syscall = true;
    syscall_dispatch();
    after_system_call(t);
    now = machine_clock_mono();
    if (t->acct_stamp == begin) /* it has not slept */
        t->acct_hint = (7 * t->acct_hint + now - begin) / 8;
    task_account(t, now, false);
}

/* The way of most calls: every instruction here counts. */
void task_syscall(void)
{
    struct task *t = current;
    syscall_fn fn = syscall_handler((u32)t->regs.orig_rax);

    if (unlikely(++t->acct_calls >= TIMED_CALLS || !fn || strace_enabled)) {
        timed_system_call(t);
        return;
    }
    t->in_syscall = true;
    t->regs.rax = (u64)fn(&t->regs);
    after_system_call(t);
}

static void handle_trap(struct task *t, const struct trap *trap)
{
    t->in_syscall = false;
    account_user(t);
    if (trap->kind == TRAP_FAULT)
        page_fault(trap);
    else if (trap->kind == TRAP_EXCEPTION)
        exception(trap);
    account_kernel(t);
}

void task_loop(void)
{
    struct task *t = current;
    struct trap trap;

    account_kernel(t);
    for (;;) {
        while (unlikely(__atomic_load_n(&t->work, __ATOMIC_ACQUIRE)))
            do_work(t);
        machine_user_run(&trap);
        if (likely(trap.kind == TRAP_SYSCALL))
            task_syscall();
        else if (trap.kind != TRAP_DONE)
            handle_trap(t, &trap);
    }
}
