/* SPDX-License-Identifier: Apache-2.0
 *
 * Per-CPU data of the ring 0 machine and the functions that its files offer to each other.
 */
#pragma once

#include "bios/bios.h"
#include "sentry/kernel/task.h"
#include "sentry/lib/lib.h"
#include "sentry/machine/ring0/offsets.h"
#include "sentry/machine/ring0/x86.h"
#include "sentry/mm/mm.h"

#define NO_CPU (~0u)

/* Runnable tasks of one CPU, by vruntime; the running one is not among them. */
struct runq {
    struct spinlock lock;
    u32 nr;            /* atomic for readers without the lock */
    struct list tasks; /* of mthread.run_link */
    u64 min_vruntime;  /* never goes back */
};

/* Bits of percpu.work: what the CPU has to do before it enters user mode or halts; atomic. */
#define CPU_SCHED 1u /* the run queue has changed: preempt, or set a time slice */
#define CPU_TIMER 2u /* program the timer */

/* What a CPU is at, for those who give it work. */
enum cpu_state {
    CPU_OFFLINE, /* not started yet */
    CPU_STARTING,
    CPU_BUSY,    /* runs a task */
    CPU_POLLING, /* idle, looks at its queue all the time */
    CPU_HALTED,  /* idle in HLT: needs an interrupt */
};

/* A wish that other CPUs forget translations; lives in the percpu of the CPU that wants it. */
struct tlb_request {
    struct mm *mm;
    uva_t start, end; /* end 0: stop using mm altogether */
    u64 pending;      /* CPUs that have not done it yet; atomic */
};

#define ENTRY_STACK_SIZE 512

/* One CPU. Allocated once, lives for ever; private to the CPU but where a lock or "atomic" is said.
 */
struct percpu {
    struct percpu *self; /* offset 0 */
    struct task *task;   /* current */
    u64 regs_top;        /* &task->regs.ss: SYSCALL pushes the registers below it */
    u64 ksp;             /* where user_enter() left the kernel stack */
    u64 scratch;
    u32 cpu;        /* offset 40: machine_arch.h */
    u32 work;       /* CPU_*, atomic */
    u64 tlb_wanted; /* offset 48: CPUs whose tlb.request is for us; atomic */

    struct task *user;     /* whose FPU, FS, GS and selectors are loaded and newer than in memory */
    u64 fs_base, gs_base;  /* what is loaded for it */
    struct task *fpu_task; /* whose FPU content the registers hold; mthread.fpu_cpu must agree */
    bool selectors;        /* user data selectors other than 0 are loaded */

    struct mm *mm; /* CR3's, NULL: the kernel's own tables */
    u32 state;     /* enum cpu_state, atomic */
    struct hostcall *hostcall;

    u64 run_start;       /* when current got the CPU, ns */
    u64 slice_end;       /* when current has to give way; U64_MAX: nobody waits */
    u64 ktimer_deadline; /* the Sentry's timers, as far as they are this CPU's business */
    u64 hw_deadline;     /* what the timer hardware is set to */
    u64 runtime;         /* up to when current's virtual time is booked */

    struct task *prev; /* who ran before current, until its stack is released */
    bool prev_dead;

    _Alignas(64) struct runq rq;
    _Alignas(64) struct tlb_request request;
    struct task *idle;
    struct bios_cpu bios;
    _Alignas(16) u8 entry_stack[ENTRY_STACK_SIZE]; /* exceptions and interrupts in user mode */
};

BUILD_ASSERT(offsetof(struct percpu, self) == PC_SELF);
BUILD_ASSERT(offsetof(struct percpu, task) == PC_CURRENT);
BUILD_ASSERT(offsetof(struct percpu, regs_top) == PC_REGS_TOP);
BUILD_ASSERT(offsetof(struct percpu, ksp) == PC_KSP);
BUILD_ASSERT(offsetof(struct percpu, scratch) == PC_SCRATCH);
BUILD_ASSERT(offsetof(struct percpu, cpu) == PC_CPU);
BUILD_ASSERT(offsetof(struct percpu, work) == PC_WORK);
BUILD_ASSERT(offsetof(struct percpu, tlb_wanted) == PC_WANTED);
BUILD_ASSERT(offsetof(struct percpu, user) == PC_USER);
BUILD_ASSERT(offsetof(struct percpu, fs_base) == PC_FS_BASE);
BUILD_ASSERT(offsetof(struct percpu, gs_base) == PC_GS_BASE);
BUILD_ASSERT(offsetof(struct uregs, rbx) == UR_RBX);
BUILD_ASSERT(offsetof(struct uregs, r11) == UR_R11);
BUILD_ASSERT(offsetof(struct uregs, rax) == UR_RAX);
BUILD_ASSERT(offsetof(struct uregs, orig_rax) == UR_ORIG_RAX);
BUILD_ASSERT(offsetof(struct uregs, rip) == UR_RIP);
BUILD_ASSERT(offsetof(struct uregs, ss) == UR_SS);
BUILD_ASSERT(offsetof(struct uregs, fs_base) == UR_FS_BASE);
BUILD_ASSERT(offsetof(struct uregs, gs_base) == UR_GS_BASE);
BUILD_ASSERT(offsetof(struct task, regs) == 0);
BUILD_ASSERT(offsetof(struct task, mthread) + offsetof(struct mthread, ksp) == TASK_KSP);
BUILD_ASSERT(offsetof(struct task, work) == TASK_WORK);

extern struct percpu *percpus[MAX_CPUS];
extern u32 cpu_features; /* BIOS_* */

static inline struct percpu *this_cpu(void)
{
    struct percpu *c;

    __asm__ volatile("movq %%gs:0, %0" : "=r"(c));
    return c;
}

static inline void cpu_work_add(struct percpu *c, u32 bits)
{
    __atomic_fetch_or(&c->work, bits, __ATOMIC_RELAXED);
}

/* ---- entry.S, switch.S ---- */

/* Why user mode was left: vector (VECTOR_SYSCALL: by SYSCALL) and error code. */
struct user_event {
    u64 vector, error;
};
struct user_event user_enter(struct task *t);

/* Leaves prev's stack for next's; comes back when somebody switches to prev again. */
void switch_stacks(u64 *prev_ksp, u64 next_ksp);
extern char thread_start[]; /* first return address of a new thread */
void cpu_halt(void);        /* until an interrupt */
extern char cpu_halt_insn[], cpu_halt_end[];
extern char syscall_entry[];
extern char exception_stubs[]; /* 16 bytes each, one per vector */

/* What an exception in the Sentry leaves on the stack. */
struct kframe {
    u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    u64 vector, error, rip, cs, rflags, rsp, ss;
};

/* ---- trap.c ---- */

void idt_init(void);
void idt_use(struct bios_cpu *b);
void trap_kernel(struct kframe *f);          /* called by entry.S */
_Noreturn void trap_fatal(struct kframe *f); /* NMI, double fault */
void interrupt(u32 vector);
/* Where to go on after a fault of the instruction at rip; 0: it is a bug. usercopy.c */
u64 extable_find(u64 rip);

/* ---- fpu.c ---- */

void fpu_setup(const struct bios_cpu *b);
void fpu_save(struct task *t);                   /* registers to t->fpu */
void fpu_load(struct percpu *c, struct task *t); /* t->fpu to registers, unless they hold it */

/* ---- user.c ---- */

/* current gives up the CPU: bring its registers that are only in the CPU into memory. */
void user_save(struct percpu *c);
/* t is gone: no CPU may believe that it holds its state. */
void user_forget(struct task *t);

/* ---- sched.c, idle.c ---- */

void sched_init_cpu(struct percpu *c);
void sched_enqueue(struct task *t);      /* became runnable: choose a CPU and tell it */
void sched_user_check(struct percpu *c); /* CPU_SCHED before user mode */
void sched_preempt(void);                /* current's turn is over */
void sched_finish(struct task *t);       /* called by thread_start on a new thread's stack */
struct task *sched_pick(struct percpu *c);
struct task *sched_steal(struct percpu *c);
void sched_switch(struct percpu *c, struct task *next);
_Noreturn void idle_loop(void);
bool cpu_allowed(const struct task *t, u32 cpu);

/* ---- apic.c, timer.c ---- */

void apic_init_cpu(struct percpu *c);
void apic_send(u32 cpu, u32 vector);
void apic_eoi(void);
void apic_timer_program(u64 tsc); /* 0: off */
void clock_init(void);
u64 ns_to_tsc(u64 ns);
void timer_program(struct percpu *c); /* CPU_TIMER: bring the hardware in line */
void timer_interrupt(struct percpu *c);

/* ---- tlb.c, paging.c ---- */

extern u64 kernel_cr3;
void paging_init(void);
void tlb_load(struct percpu *c, struct mm *mm); /* make mm (NULL: the kernel's) the loaded one */
u64 stack_alloc(void);                          /* lowest address of a kernel stack, 0: no memory */
void stack_free(u64 stack);
bool stack_guard_hit(u64 addr); /* is addr in the guard area below a stack? */
#define KERNEL_STACK_SIZE 16384

/* ---- boot.c ---- */

void *boot_ptr(u64 gpa); /* what the VMM left at gpa: image region or RAM */
bool cpu_start(u32 cpu); /* start a CPU that is CPU_OFFLINE */

/* ---- hostcall.c ---- */

void ring_init(void);
/* Take completions; true when there were some. Any CPU, any time. */
bool ring_poll(void);
bool ring_busy(void); /* completions wait */
/* Between these two calls this CPU looks at the ring by itself: the host raises no interrupt. */
void ring_poll_begin(void);
void ring_poll_end(void);

/* ---- panic.c ---- */

_Noreturn void panic_frame(const struct kframe *f, const char *msg);
void panic_init(void);
