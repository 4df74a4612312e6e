// SPDX-License-Identifier: Apache-2.0
/*
 * Running a task in user mode, and the part of its registers that is not in struct uregs while it
 * runs: FPU, FS and GS base, data selectors. They are loaded when the CPU does not hold them yet
 * and saved when another task gets the CPU, so a system call does not touch them.
 */
#include "sentry/machine/ring0/percpu.h"

static inline bool have_fsgsbase(void)
{
    return cpu_features & BIOS_FSGSBASE;
}

static void load_bases(struct percpu *c, const struct uregs *r)
{
    if (have_fsgsbase()) {
        wrfsbase(r->fs_base);
        wrgsbase_user(r->gs_base);
    } else {
        wrmsr(MSR_FS_BASE, r->fs_base);
        wrmsr(MSR_KERNEL_GS_BASE, r->gs_base);
    }
    c->fs_base = r->fs_base;
    c->gs_base = r->gs_base;
}

/* Nobody in 64-bit mode looks at these, but a program finds in them what it put there. */
static void load_selectors(struct percpu *c, const struct uregs *r)
{
    __asm__ volatile("movl %0, %%ds\n\tmovl %1, %%es\n\tmovl %2, %%fs\n\t"
                     "swapgs\n\tmovl %3, %%gs\n\tswapgs"
                     :
                     : "r"((u32)r->ds), "r"((u32)r->es), "r"((u32)r->fs), "r"((u32)r->gs)
                     : "memory");
    c->selectors = (r->ds | r->es | r->fs | r->gs) != 0;
}

static void save_selectors(struct percpu *c, struct uregs *r)
{
    u32 ds, es, fs, gs;

    __asm__ volatile("movl %%ds, %0\n\tmovl %%es, %1\n\tmovl %%fs, %2\n\tmovl %%gs, %3"
                     : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
    r->ds = ds;
    r->es = es;
    r->fs = fs;
    r->gs = gs;
    c->selectors = (ds | es | fs | gs) != 0;
}

/* Only what the GDT offers to ring 3; anything else would fault in ring 0. */
static u64 valid_selector(u64 sel)
{
    return sel == SEL_USER_DS || sel == SEL_CPU || sel <= 3 ? sel : 0;
}

static void user_load(struct percpu *c, struct task *t)
{
    struct uregs *r = &t->regs;

    if (c->user != t) {
        fpu_load(c, t);
        r->ds = valid_selector(r->ds);
        r->es = valid_selector(r->es);
        r->fs = valid_selector(r->fs);
        r->gs = valid_selector(r->gs);
        if (c->selectors || (r->ds | r->es | r->fs | r->gs))
            load_selectors(c, r); /* before the bases, which it clears */
    }
    load_bases(c, r);
    c->user = t;
}

void user_save(struct percpu *c)
{
    struct task *t = c->user;

    if (!t)
        return;
    c->user = NULL;
    if (c->fpu_task == t && t->mthread.fpu_cpu == c->cpu)
        fpu_save(t);
    save_selectors(c, &t->regs);
    /*
     * What the application wrote itself; but a value that the Sentry has set and that was never
     * loaded is newer than the CPU's.
     */
    if (have_fsgsbase()) {
        if (t->regs.fs_base == c->fs_base)
            t->regs.fs_base = rdfsbase();
        if (t->regs.gs_base == c->gs_base)
            t->regs.gs_base = rdgsbase_user();
    }
}

void user_forget(struct task *t)
{
    struct percpu *c = this_cpu();

    if (c->user == t)
        c->user = NULL;
    if (c->fpu_task == t)
        c->fpu_task = NULL;
}

/* RIP is not in the user half: what the CPU would say to fetching there. */
static void bad_rip(struct trap *trap)
{
    u64 rip = current->regs.rip;

    current->regs.orig_rax = ~0ULL;
    if (rip >> 47 == 0x1ffff)
        *trap = (struct trap){
            .kind = TRAP_FAULT, .vector = EXC_PF, .addr = rip, .error = PF_USER | PF_FETCH};
    else
        *trap = (struct trap){.kind = TRAP_EXCEPTION, .vector = EXC_GP};
}

static void user_exception(struct trap *trap, struct user_event ev)
{
    bool pf = ev.vector == EXC_PF;

    trap->kind = pf ? TRAP_FAULT : TRAP_EXCEPTION;
    trap->vector = (u32)ev.vector;
    trap->error = (u32)ev.error;
    trap->addr = pf ? read_cr2() : 0;
}

/* Whether user mode can go on with what the CPU holds. entry.S does the same after a system call. */
static inline bool user_ready(const struct percpu *c, const struct task *t)
{
    return !(__atomic_load_n(&t->work, __ATOMIC_RELAXED) | c->work) && c->user == t &&
           c->fs_base == t->regs.fs_base && c->gs_base == t->regs.gs_base && t->regs.rip < USER_END;
}

/* What this CPU has to do first; may come back on another one. */
static void cpu_work_do(struct percpu *c)
{
    if (c->work & CPU_SCHED)
        sched_user_check(c);
    c = this_cpu();
    if (c->work & CPU_TIMER)
        timer_program(c);
}

void machine_user_run(struct trap *trap)
{
    struct task *t = current;
    bool after_call = false;

    for (;;) {
        struct percpu *c = this_cpu();
        struct user_event ev;

        if (unlikely(!user_ready(c, t))) {
            if (__atomic_load_n(&t->work, __ATOMIC_RELAXED)) {
                trap->kind = after_call ? TRAP_DONE : TRAP_INTERRUPT;
                return;
            }
            if (t->regs.rip >= USER_END) {
                bad_rip(trap);
                return;
            }
            if (c->work) {
                cpu_work_do(c);
                continue;
            }
            user_load(c, t);
        }
        ev = user_enter(t);
        after_call = ev.vector == VECTOR_SYSCALL;
        if (after_call)
            continue;
        if (ev.vector < EXC_COUNT) {
            user_exception(trap, ev);
            return;
        }
        interrupt((u32)ev.vector);
    }
}

/*
 * The caller has set a bit of t->work. A CPU looks at it with interrupts off right before user
 * mode, so an interrupt that is sent now is either taken there or not needed.
 */
void machine_kick(struct task *t)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (t != current && __atomic_load_n(&t->mthread.on_cpu, __ATOMIC_ACQUIRE))
        apic_send(__atomic_load_n(&t->mthread.cpu, __ATOMIC_RELAXED), VECTOR_RESCHED);
}
