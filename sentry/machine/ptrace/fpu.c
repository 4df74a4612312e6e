// SPDX-License-Identifier: Apache-2.0
/*
 * FPU state: it stays in the stub, which is a thread of the host, until somebody wants to see or
 * change it. The application is shown the XSAVE components that need no permission (not AMX).
 */
#include "sentry/machine/ptrace/internal.h"

#include <cpuid.h>

#define NT_PRFPREG    2
#define NT_X86_XSTATE 0x202

#define FXSAVE_SIZE 512
#define XCR0_LEGACY 3ULL
#define XCR0_HIDDEN (3ULL << 17) /* AMX tiles: the host wants prctl() for them */
#define XSTATE_BV   512          /* offset in the area: which components are not initial */
#define FCW_DEFAULT 0x37f
#define MXCSR_OFF   24
#define MXCSR_FLAGS 0x3f

u32 machine_fpu_size = FXSAVE_SIZE;
u64 machine_xcr0 = XCR0_LEGACY;

/* The host's register set may be larger than what we show. */
#define HOST_SIZE_MAX 16384

static bool has_xsave;

struct host_iovec {
    void *base;
    u64 len;
};

void fpu_init(void)
{
    u32 a, b, c, d, lo, hi;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    machine_xcr0 = ((u64)hi << 32 | lo) & ~XCR0_HIDDEN;
    machine_fpu_size = FXSAVE_SIZE + 64;
    for (u32 i = 2; i < 63; i++) {
        if (!(machine_xcr0 >> i & 1))
            continue;
        __cpuid_count(0xd, i, a, b, c, d);
        machine_fpu_size = MAX(machine_fpu_size, a + b);
    }
    has_xsave = true;
}

void machine_fpu_init(void *area)
{
    u8 *p = area;

    memset(p, 0, machine_fpu_size);
    *(u16 *)p = FCW_DEFAULT;
    *(u32 *)(p + MXCSR_OFF) = 0x1f80;
    if (has_xsave)
        *(u64 *)(p + XSTATE_BV) = XCR0_LEGACY;
}

/* *len: room in buf; becomes what the host filled in. */
static long get_regset(int stub, void *buf, u64 *len)
{
    struct host_iovec iov = {buf, *len};
    long r = host_ptrace(PTRACE_GETREGSET, stub, has_xsave ? NT_X86_XSTATE : NT_PRFPREG, (u64)&iov);

    *len = iov.len;
    return r;
}

static long set_regset(int stub, void *buf, u64 len)
{
    struct host_iovec iov = {buf, len};

    return host_ptrace(PTRACE_SETREGSET, stub, has_xsave ? NT_X86_XSTATE : NT_PRFPREG, (u64)&iov);
}

/* current's stub to t->fpu. */
static void fpu_save(struct task *t)
{
    _Alignas(64) u8 buf[HOST_SIZE_MAX];
    u64 len = sizeof(buf);

    if (get_regset(t->mthread.stub, buf, &len) < 0 || len < machine_fpu_size)
        return;
    memcpy(t->fpu, buf, machine_fpu_size);
    if (has_xsave)
        *(u64 *)((u8 *)t->fpu + XSTATE_BV) &= machine_xcr0;
    t->mthread.fpu = FPU_BOTH;
}

void fpu_load(struct task *t)
{
    static u32 host_size; /* the host takes its own size and no other */
    _Alignas(64) u8 buf[HOST_SIZE_MAX];
    u64 len = sizeof(buf);
    long r = 0;

    if (!host_size) {
        r = get_regset(t->mthread.stub, buf, &len);
        host_size = (u32)MAX(len, (u64)machine_fpu_size);
    }
    memcpy(buf, t->fpu, machine_fpu_size);
    memset(buf + machine_fpu_size, 0, host_size - machine_fpu_size);
    if (r == 0)
        r = set_regset(t->mthread.stub, buf, host_size);
    if (r < 0)
        log_warn("the host refuses the FPU state of %s[%d]: error %ld", t->comm, t->tid, -r);
    t->mthread.fpu = FPU_BOTH;
}

void fpu_serve(struct mthread *mt)
{
    if (likely(!__atomic_load_n(&mt->fpu_wanted, __ATOMIC_ACQUIRE)))
        return;
    if (mt->fpu == FPU_STUB && mt->stub)
        fpu_save(current);
    __atomic_store_n(&mt->fpu_wanted, 0, __ATOMIC_RELEASE);
    host_futex_wake(&mt->fpu_wanted, ~0u >> 1);
}

void machine_fpu_read(struct task *t)
{
    struct mthread *mt = &t->mthread;

    if (mt->fpu != FPU_STUB)
        return;
    if (t == current) {
        if (mt->stub)
            fpu_save(t);
        return;
    }
    /* Only its own thread can look into its stub. */
    __atomic_store_n(&mt->fpu_wanted, 1, __ATOMIC_SEQ_CST);
    machine_unpark(t);
    while (__atomic_load_n(&mt->fpu_wanted, __ATOMIC_ACQUIRE))
        host_futex_wait(&mt->fpu_wanted, 1, U64_MAX);
}

void machine_fpu_write(struct task *t)
{
    t->mthread.fpu = FPU_MEMORY;
}

bool fpu_simd_pending(void)
{
    u32 mxcsr;

    machine_fpu_read(current);
    mxcsr = *(u32 *)((u8 *)current->fpu + MXCSR_OFF);
    return mxcsr & ~(mxcsr >> 7) & MXCSR_FLAGS;
}
