// SPDX-License-Identifier: Apache-2.0
/*
 * User mode: let current's stub run until the application makes a system call, faults or is
 * interrupted, and say which it was. A system call costs four calls of the host: PTRACE_SYSEMU,
 * wait4, PTRACE_GETREGS, PTRACE_POKEUSER of the result.
 */
#include "sentry/machine/ptrace/internal.h"

#include <linux/audit.h>

#include "vmm/window.h"

/* Wait statuses, as wait(2) gives them. */
#define STOPPED(status)    (((status)&0xff) == 0x7f)
#define STOP_SIG(status)   ((status) >> 8 & 0xff)
#define STOP_EVENT(status) ((status) >> 16)
#define SYSCALL_STOP       ((SIGTRAP | 0x80) << 8 | 0x7f)

/* Codes of the host's signals. */
#define CODE_MAPERR 1
#define CODE_ACCERR 2
#define CODE_KERNEL 0x80
#define CODE_FLTDIV 3

/* Exception vectors. */
enum {
    X_DIVIDE = 0,
    X_DEBUG = 1,
    X_BREAKPOINT = 3,
    X_OPCODE = 6,
    X_STACK = 12,
    X_PROTECTION = 13,
    X_FPU = 16,
    X_ALIGN = 17,
    X_MACHINE_CHECK = 18,
    X_SIMD = 19
};

#define ERR_PRESENT 1u
#define ERR_WRITE   2u
#define ERR_USER    4u
#define ERR_FETCH   16u

#define STUCK_MAX 100

/* What the host reports about a signal: the part of its siginfo_t that faults use. */
struct host_siginfo {
    s32 signo, err, code, pad;
    u64 addr;
    u8 rest[104];
};

void user_left(struct mthread *mt)
{
    if (__atomic_exchange_n(&mt->in_user, 0, __ATOMIC_SEQ_CST) == 2)
        host_futex_wake(&mt->in_user, ~0u >> 1);
}

void machine_kick(struct task *t)
{
    struct mthread *mt = &t->mthread;

    __atomic_store_n(&mt->kick, 1, __ATOMIC_SEQ_CST);
    /* The stub may have stopped by now: then it stops once more, for nothing, when it next runs. */
    if (__atomic_load_n(&mt->in_user, __ATOMIC_SEQ_CST) && mt->stub)
        HOST_SYSCALL(__NR_tgkill, mt->stub, mt->stub, STUB_KICK);
}

static bool take_kick(struct mthread *mt, struct trap *trap)
{
    if (likely(!__atomic_load_n(&mt->kick, __ATOMIC_RELAXED)))
        return false;
    if (!__atomic_exchange_n(&mt->kick, 0, __ATOMIC_SEQ_CST))
        return false;
    trap->kind = TRAP_INTERRUPT;
    return true;
}

/* ---- registers ---- */

/* Whether a and b differ at most in what a system call returns. */
static bool same_but_result(const struct uregs *a, const struct uregs *b)
{
    const size_t rax = offsetof(struct uregs, rax);
    const size_t rcx = offsetof(struct uregs, rcx), rip = offsetof(struct uregs, rip);
    const size_t orig = offsetof(struct uregs, orig_rax);

    return memcmp(a, b, rax) == 0 &&
           memcmp((const char *)a + rcx, (const char *)b + rcx, orig - rcx) == 0 &&
           memcmp((const char *)a + rip, (const char *)b + rip, sizeof(*a) - rip) == 0;
}

/* Codes that make the host restart "its" call when a signal arrives. */
static bool looks_like_restart(u64 rax)
{
    return rax >= (u64)-516 && rax <= (u64)-512;
}

/* 0 or -errno; -EIO: the host refuses such values. */
static int load_regs(struct mthread *mt)
{
    int r;

    struct uregs *want = &current->regs;

    if (mt->regs_valid && same_but_result(want, &mt->regs) && !looks_like_restart(want->rax)) {
        if (want->rax == mt->regs.rax)
            return 0;
        mt->regs.rax = want->rax;
        return (int)host_ptrace(PTRACE_POKEUSR, mt->stub, offsetof(struct uregs, rax), want->rax);
    }
    mt->regs = *want;
    mt->regs.orig_rax = U64_MAX; /* nothing for the host to restart */
    r = (int)host_ptrace(PTRACE_SETREGS, mt->stub, 0, (u64)&mt->regs);
    mt->regs_valid = r == 0;
    return r;
}

static bool save_regs(struct mthread *mt)
{
    if (host_ptrace(PTRACE_GETREGS, mt->stub, 0, (u64)&current->regs) < 0)
        return false;
    mt->regs = current->regs;
    mt->regs_valid = true;
    return true;
}

/* ---- what stopped it ---- */

static bool exception(struct trap *trap, u32 vector, u64 addr)
{
    *trap = (struct trap){.kind = TRAP_EXCEPTION, .vector = vector, .addr = addr};
    return true;
}

/*
 * A call by `int $0x80` or sysenter: there is no 32-bit entry here, as on a kernel without it. The
 * SYSCALL instruction leaves rip in rcx, except on CPUs with FRED: seen once, not asked again.
 */
static void foreign_syscall(struct mthread *mt, struct trap *trap)
{
    static bool rcx_is_kept;
    struct uregs *r = &current->regs;
    struct {
        u8 op, pad[3];
        u32 arch;
        u64 rest[12];
    } info;

    if (rcx_is_kept)
        return;
    if (host_ptrace(PTRACE_GET_SYSCALL_INFO, mt->stub, sizeof(info), (u64)&info) <= 0)
        return;
    if (info.arch == AUDIT_ARCH_X86_64) {
        rcx_is_kept = true;
        return;
    }
    r->rax = r->orig_rax;
    r->rip -= 2;
    exception(trap, X_PROTECTION, 0);
}

static bool is_fetch(u64 addr, u64 rip)
{
    if (addr == rip)
        return true;
    /* an instruction that goes on in the next page */
    return !(addr & ~PAGE_MASK) && addr > rip && addr - rip < 15;
}

/* Count fills that do not help; an access that the host denies for a reason we do not see. */
static bool stuck(struct mthread *mt, u64 addr)
{
    if (mt->stuck_at != (addr ^ current->regs.rip)) {
        mt->stuck_at = addr ^ current->regs.rip;
        mt->stuck = 0;
    }
    return ++mt->stuck > STUCK_MAX;
}

/*
 * A page fault in the stub. The host does not say what kind of access it was: where a page is
 * mapped but denied (ACCERR) and the instruction is not in it, it was a write. Else take it for a
 * read; a write comes back as ACCERR when the page was mapped read-only. False: filled, go on.
 */
static bool page_fault(struct mthread *mt, struct trap *trap, u64 addr, int code)
{
    bool fetch = is_fetch(addr, current->regs.rip);
    bool write = code == CODE_ACCERR && !fetch;
    pte_t pte = space_pte(addr);
    int r;

    if (pte && !(write && !(pte & PTE_W)) && !(fetch && pte & PTE_NX)) {
        if (stuck(mt, addr)) {
            log_warn("%s[%d]: access to %lx at %lx keeps failing", current->comm, current->tid,
                     addr, current->regs.rip);
            return exception(trap, X_PROTECTION, addr);
        }
        mt->stats[STAT_REFILLS]++;
        r = space_fill(mt, addr);
        if (r > 0)
            return false;
        if (r == -EFAULT)
            return exception(trap, X_MACHINE_CHECK, addr);
        if (r < 0) {
            space_lost(mt);
            trap->kind = TRAP_INTERRUPT;
            return true;
        }
        pte = 0; /* it has gone meanwhile */
    }
    mt->stats[STAT_FAULTS]++;
    *trap = (struct trap){.kind = TRAP_FAULT, .vector = 14, .addr = addr, .error = ERR_USER};
    trap->error |= (pte ? ERR_PRESENT : 0) | (write ? ERR_WRITE : 0) | (fetch ? ERR_FETCH : 0);
    mt->refill = (addr & PAGE_MASK) | 1;
    return true;
}

/* The host emulates a call in its vsyscall page and our filter refused: as if the page were not
 * there. */
static bool vsyscall_fault(struct trap *trap, u64 addr)
{
    struct uregs *r = &current->regs;

    r->rsp -= 8; /* the host has already returned to the caller */
    r->rip = addr & ~0x3ffULL;
    *trap = (struct trap){.kind = TRAP_FAULT, .vector = 14, .addr = r->rip};
    trap->error = ERR_USER | ERR_FETCH;
    return true;
}

static bool bus_error(struct mthread *mt, struct trap *trap, const struct host_siginfo *si)
{
    if (si->code == CODE_KERNEL)
        return exception(trap, X_STACK, 0);
    if (si->code == 1 /* BUS_ADRALN */)
        return exception(trap, X_ALIGN, si->addr);
    /* The file behind a mapping was truncated: the Sentry takes its pages away and tries again. */
    window_repair();
    return exception(trap, stuck(mt, si->addr) ? X_STACK : X_MACHINE_CHECK, si->addr);
}

/* True: *trap says what to do; false: let the stub go on. */
static bool signal_stop(struct mthread *mt, struct trap *trap, int sig)
{
    struct host_siginfo si;

    if (sig != SIGSEGV && sig != SIGBUS && sig != SIGILL && sig != SIGFPE && sig != SIGTRAP &&
        sig != SIGSYS)
        return false;
    if (host_ptrace(PTRACE_GETSIGINFO, mt->stub, 0, (u64)&si) < 0)
        return false;
    if (si.code <= 0) /* somebody on the host sent it */
        return false;
    switch (sig) {
    case SIGSEGV:
        if (si.code == CODE_MAPERR || si.code == CODE_ACCERR)
            return page_fault(mt, trap, si.addr, si.code);
        return exception(trap, X_PROTECTION, 0);
    case SIGBUS:
        return bus_error(mt, trap, &si);
    case SIGILL:
        return exception(trap, X_OPCODE, si.addr);
    case SIGFPE:
        if (si.code == 1 /* FPE_INTDIV */)
            return exception(trap, X_DIVIDE, si.addr);
        return exception(trap, fpu_simd_pending() ? X_SIMD : X_FPU, si.addr);
    case SIGTRAP:
        return exception(trap, si.code == CODE_KERNEL ? X_BREAKPOINT : X_DEBUG, si.addr);
    default: /* SIGSYS */
        return vsyscall_fault(trap, si.addr);
    }
}

/* Any stop but that of a system call. */
static bool other_stop(struct mthread *mt, struct trap *trap, int status)
{
    if (status < 0 || !STOPPED(status) || !save_regs(mt)) {
        space_lost(mt);
        trap->kind = TRAP_INTERRUPT;
        return true;
    }
    mt->regs.orig_rax = U64_MAX;
    current->regs.orig_rax = U64_MAX;
    mt->stats[STAT_OTHERS]++;
    if (STOP_EVENT(status))
        return false;
    return signal_stop(mt, trap, STOP_SIG(status));
}

/* Whether the stub is there and has nothing mapped that it must not. */
static bool ready(struct mthread *mt)
{
    return mt->stub && mt->space == current->mm && !mt->refill &&
           !__atomic_load_n(&mt->space->mspace.npending, __ATOMIC_SEQ_CST);
}

/* Bring the stub to the state that current wants. False: *trap says why not. */
static bool prepare(struct mthread *mt, struct trap *trap)
{
    int r;

    trap->kind = TRAP_INTERRUPT;
    if (!ready(mt) && !space_enter(mt))
        return false;
    if (unlikely(mt->fpu == FPU_MEMORY))
        fpu_load(current);
    if (unlikely(balance_crowded(mt)))
        balance_check(mt);
    r = load_regs(mt);
    if (likely(r == 0))
        return true;
    if (r == -EIO)
        exception(trap, X_PROTECTION, 0);
    else
        space_lost(mt);
    return false;
}

static int run_stub(struct mthread *mt)
{
    mt->fpu = FPU_STUB;
    mt->entries++;
    if (unlikely(host_ptrace(PTRACE_SYSEMU, mt->stub, 0, 0) < 0))
        return -ESRCH;
    return host_wait(mt->stub);
}

void machine_user_run(struct trap *trap)
{
    struct mthread *mt = &current->mthread;
    int status;

    while (prepare(mt, trap)) {
        __atomic_store_n(&mt->in_user, 1, __ATOMIC_SEQ_CST);
        if (unlikely(__atomic_load_n(&mt->kick, __ATOMIC_SEQ_CST) || !ready(mt))) {
            user_left(mt);
            if (take_kick(mt, trap))
                return;
            continue;
        }
        status = run_stub(mt);
        user_left(mt);
        if (likely(status == SYSCALL_STOP && save_regs(mt))) {
            trap->kind = TRAP_SYSCALL;
            mt->stuck = 0;
            mt->stats[STAT_SYSCALLS]++;
            if (unlikely(current->regs.rcx != current->regs.rip))
                foreign_syscall(mt, trap);
            return;
        }
        if (other_stop(mt, trap, status) || take_kick(mt, trap))
            return;
    }
}
