/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine: what the Sentry needs from the thing it runs on. ring0/ and ptrace/ implement it;
 * the include path selects machine_arch.h, which defines
 *
 *   struct mthread    the machine's part of a task (context, stack, host thread)
 *   struct mspace     the machine's part of an address space
 *   struct spinlock   with spin_lock_raw(), spin_unlock_raw(), spin_trylock_raw()
 *   current           the running task (struct task *)
 *   cpu_id()          index of the CPU that runs us, < machine_ncpus
 *   cpu_relax()       in every spin loop; serves what other CPUs ask of us
 *   phys_base         virtual address of physical address 0
 *   MACHINE_FAULT_AROUND  bytes that one page fault should fill when it cheaply can
 *   MACHINE_FILE_AROUND   the same for pages of the file window, which cost no memory
 *   MACHINE_HUGE_PAGES    whether 2 MiB page table entries are of use
 *   MACHINE_SEES_WRITES   whether a fault without the write bit was certainly no write
 *   MACHINE_COPY_FILE_ENTRIES  whether fork should copy the entries of mapped files, too
 */
#pragma once

#include <stdbool.h>
#include "vmm/abi/types.h"
#include "vmm/abi/layout.h"
#include "vmm/abi/hostcall.h"

struct task;
struct mm;

typedef u64 pa_t;  /* physical address inside the sandbox */
typedef u64 uva_t; /* user virtual address: an integer, never dereferenced */

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096UL
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define HUGE_SHIFT 21
#define HUGE_SIZE (1UL << HUGE_SHIFT)
#define PAGE_ALIGN(x) (((x) + PAGE_SIZE - 1) & PAGE_MASK)
#define U64_MAX (~0ULL)
#define NSEC_PER_SEC 1000000000ULL

/*
 * User registers of a task: the layout of Linux' struct user_regs_struct, so that PTRACE_GETREGS
 * reads into it and ptrace inside the sandbox can hand it out. Owned by the task; the machine
 * touches it only inside machine_user_run(). entry.S knows the offsets.
 */
struct uregs {
    u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax;
    u64 rip, cs, eflags, rsp, ss;
    u64 fs_base, gs_base, ds, es, fs, gs;
};

#define USER_CS 0x33
#define USER_DS 0x2b

enum trap_kind {
    TRAP_SYSCALL,   /* number in regs.orig_rax; rip is behind the instruction */
    TRAP_FAULT,     /* page fault: addr, error (X86 bits: 1 present, 2 write, 4 user, 16 fetch) */
    TRAP_EXCEPTION, /* vector (X86), error, addr where known; the signal is the kernel's business */
    TRAP_INTERRUPT, /* kicked, or preempted: look at pending work */
    TRAP_DONE,      /* task_syscall() has run a system call, and there is work after it */
};

struct trap {
    enum trap_kind kind;
    u32 vector;
    u32 error;
    u64 addr;
};

#include <machine_arch.h>

static inline void *phys_to_virt(pa_t pa)
{
    return (void *)(phys_base + pa);
}

static inline pa_t virt_to_phys(const void *v)
{
    return (u64)v - phys_base;
}

extern unsigned machine_ncpus;

/* ---- user mode ---- */

/*
 * Run `current` in user mode with its uregs until something happens; fills *trap. Loads the FPU
 * state, FS/GS base and the address space as needed. Returns TRAP_INTERRUPT at once when a kick is
 * pending. Never called with a lock held.
 */
void machine_user_run(struct trap *trap);

/*
 * Run the system call in current's registers: loop.c. A machine may call it itself while
 * machine_user_run() goes on, which then returns TRAP_DONE in place of TRAP_SYSCALL, and only when
 * there is something to do before user mode.
 */
void task_syscall(void);

/* Make t leave user mode soon (or not enter it): signals, exit. Any context. */
void machine_kick(struct task *t);

/* FPU: bytes of the XSAVE area on this machine (512 without XSAVE) and its XCR0 (3 without). */
extern u32 machine_fpu_size;
extern u64 machine_xcr0;
/*
 * Make t->fpu hold the user's state, and fs_base, gs_base, ds, es, fs, gs in t->regs what the
 * application has made of them itself (t is current or not running). Blocks never.
 */
void machine_fpu_read(struct task *t);
/* t->fpu was changed: load it before t's next user_run. */
void machine_fpu_write(struct task *t);
/* Put the initial FPU state into an area of machine_fpu_size bytes. */
void machine_fpu_init(void *area);

/* ---- threads ---- */

/* Prepare t->mthread to run entry(t) on a stack of its own; not started. 0 or -errno. */
int machine_thread_create(struct task *t, void (*entry)(struct task *t));
/* Let it run. */
void machine_thread_start(struct task *t);
/*
 * End the current thread. The machine calls task_put(current) when nothing of it is in use any
 * more (stack left, stub gone). Does not return.
 */
_Noreturn void machine_thread_exit(void);

/*
 * Wait until somebody calls machine_unpark(current) or the monotonic clock reaches deadline (ns;
 * U64_MAX: never). A token left by an earlier unpark is taken at once; spurious returns happen.
 * Returns 0, or -ETIMEDOUT. No spinlock held.
 */
int machine_park(u64 deadline);
/* Give t its token; wakes it when parked. Any context, spinlocks may be held. */
void machine_unpark(struct task *t);
/* Let another runnable task run. */
void machine_yield(void);
/* t->cpus_allowed changed. */
void machine_affinity_changed(struct task *t);

/* ---- address spaces: mm/pgtable.c owns the tables, the machine loads or mirrors them ---- */

int mspace_init(struct mm *mm);     /* mm->pgd is set; ring0 copies the kernel half into it */
void mspace_destroy(struct mm *mm); /* no task uses it any more */
/*
 * Fork: mm has become a copy of from, current's address space, whose entries in [lo, hi) were
 * weakened and are not flushed yet; from->lock is held for write. Does what mspace_flush(from, lo, hi) does;
 * besides the machine may copy translations that it caches, as far as mm has them.
 */
void mspace_inherit(struct mm *mm, struct mm *from, uva_t lo, uva_t hi);
/* current changes its address space (exec, or exit: NULL). */
void mspace_switch(struct mm *mm);
/*
 * Entries in [start, end) were removed or weakened: no CPU and no stub may use the old ones when
 * this returns. Caller holds mm->lock (any mode) but no spinlock; frees the pages after it.
 */
void mspace_flush(struct mm *mm, uva_t start, uva_t end);
/* The same where entries kept their pages and only have other rights now. */
void mspace_protect(struct mm *mm, uva_t start, uva_t end);

/* ---- user memory; all return 0 or -EFAULT; may sleep; current's address space ---- */

#define must_check __attribute__((warn_unused_result))
must_check int copy_from_user(void *dst, uva_t src, size_t n);
must_check int copy_to_user(uva_t dst, const void *src, size_t n);
must_check int clear_user(uva_t dst, size_t n);
/* Bytes of the string without NUL, -EFAULT, or -ENAMETOOLONG when there is no NUL within n. */
must_check long strncpy_from_user(char *dst, uva_t src, size_t n);
/* Atomically *p: if equal to old, store new; *was = value found. 4-byte aligned. */
must_check int cmpxchg_user_u32(uva_t p, u32 old, u32 new, u32 *was);

#define get_user(x, uva) copy_from_user(&(x), (uva), sizeof(x))
#define put_user(x, uva)                                                                           \
    ({                                                                                             \
        __typeof__(x) pu_val_ = (x);                                                               \
        copy_to_user((uva), &pu_val_, sizeof(pu_val_));                                            \
    })

/* ---- time ---- */

u64 machine_clock_mono(void); /* ns since boot of the host (CLOCK_MONOTONIC) */
extern u64 machine_tsc_khz;
/*
 * The same as arithmetic on the TSC, for the vDSO: ns_base + ((tsc - tsc_base) * mult >> 32).
 * mult = 0: not possible. Constant once the first task runs.
 */
extern struct machine_clock {
    u64 tsc_base, ns_base, mult;
} machine_clock;
/* Whether RDTSCP in user mode gives cpu_id(). Defined by mm/vdso.c, set by the machine at boot. */
extern bool machine_tsc_aux;
static inline u64 rdtsc(void)
{
    u32 lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (u64)hi << 32 | lo;
}
/* The earliest ktimer now expires at `deadline` (U64_MAX: none): call ktimers_run() then. */
void machine_timer_set(u64 deadline);

/* ---- the host ---- */

/* Quick call; returns r->ret. Any task context; not under interrupts. */
s64 host_call(struct hostcall *r);
/* A call that may block; the task sleeps meanwhile, not interruptibly. Returns r->ret. */
s64 host_call_wait(struct hostcall *r);

#define HOSTCALL(nr_, ...)                                                                         \
    ({                                                                                             \
        struct hostcall hc_ = {.nr = (nr_), .arg = {__VA_ARGS__}};                                 \
        host_call(&hc_);                                                                           \
    })
#define HOSTCALL_WAIT(nr_, ...)                                                                    \
    ({                                                                                             \
        struct hostcall hc_ = {.nr = (nr_), .arg = {__VA_ARGS__}};                                 \
        host_call_wait(&hc_);                                                                      \
    })

/* End the sandbox: status as for wait(2)'s exit code (signal: 128 + n). */
_Noreturn void machine_exit(int status);
/* Sentry bug: registers, symbolised back trace to the log, end with non-zero status. */
_Noreturn void machine_panic(const char *msg);
