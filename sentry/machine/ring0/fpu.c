// SPDX-License-Identifier: Apache-2.0
/*
 * The application's x87, SSE, AVX (and so on) registers. The Sentry itself uses general registers
 * only, so they stay in the CPU while it runs. They are saved when another task gets the CPU and
 * loaded before user mode, unless the CPU still holds them. XSAVE where the CPU has it, else
 * FXSAVE.
 */
#include "sentry/machine/ring0/extable.h"
#include "sentry/machine/ring0/percpu.h"

#define FXSAVE_SIZE     512
#define XSAVE_HEADER    64
#define MXCSR_DEFAULT   0x1f80
#define FCW_DEFAULT     0x37f
#define OFF_MXCSR       24
#define OFF_MXCSR_MASK  28
#define MXCSR_MASK_BASE 0xffbf /* what a zero mask field means */

u32 machine_fpu_size = FXSAVE_SIZE;
u64 machine_xcr0 = 3;
static u32 mxcsr_mask = MXCSR_MASK_BASE;
static enum { FPU_FXSAVE, FPU_XSAVE, FPU_XSAVEOPT } fpu_kind;

void fpu_setup(const struct bios_cpu *b)
{
    _Alignas(16) u8 area[FXSAVE_SIZE] = {0};
    u32 mask;

    if (b->features & BIOS_XSAVE)
        fpu_kind = b->features & BIOS_XSAVEOPT ? FPU_XSAVEOPT : FPU_XSAVE;
    machine_fpu_size = b->xsave_size;
    machine_xcr0 = b->xcr0;
    __asm__ volatile("fxsave64 %0" : "+m"(area));
    memcpy(&mask, area + OFF_MXCSR_MASK, sizeof(mask));
    if (mask)
        mxcsr_mask = mask;
}

void machine_fpu_init(void *area)
{
    u8 *a = area;
    u16 fcw = FCW_DEFAULT;
    u32 mxcsr = MXCSR_DEFAULT;

    memset(a, 0, machine_fpu_size);
    memcpy(a, &fcw, sizeof(fcw));
    memcpy(a + OFF_MXCSR, &mxcsr, sizeof(mxcsr));
    memcpy(a + OFF_MXCSR_MASK, &mxcsr_mask, sizeof(mxcsr_mask));
}

void fpu_save(struct task *t)
{
    u8(*area)[] = t->fpu;
    u32 lo = (u32)machine_xcr0, hi = (u32)(machine_xcr0 >> 32);

    switch (fpu_kind) {
    case FPU_XSAVEOPT:
        __asm__ volatile("xsaveopt64 (%0)" : : "r"(area), "a"(lo), "d"(hi) : "memory");
        break;
    case FPU_XSAVE:
        __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(lo), "d"(hi) : "memory");
        break;
    case FPU_FXSAVE:
        __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
        break;
    }
}

/* 0, or -EFAULT: the CPU refuses the content. */
#define RESTORE(insn, area)                                                        \
    ({                                                                             \
        int err_;                                                                  \
        __asm__ volatile("1: " insn " (%[from])\n\t"                               \
                         "xorl %[err], %[err]\n"                                   \
                         "2:\n\t" EX(1b, 2b)                                       \
                         : [err] "=&r"(err_)                                       \
                         : [from] "r"(area), "0"(-EFAULT), "a"((u32)machine_xcr0), \
                           "d"((u32)(machine_xcr0 >> 32))                          \
                         : "memory");                                              \
        err_;                                                                      \
    })

static int fpu_restore(const void *area)
{
    return fpu_kind == FPU_FXSAVE ? RESTORE("fxrstor64", area) : RESTORE("xrstor64", area);
}

void fpu_load(struct percpu *c, struct task *t)
{
    if (c->fpu_task == t && t->mthread.fpu_cpu == c->cpu)
        return;
    if (fpu_restore(t->fpu)) {
        /* fpu_sanitize() knows nothing of components yet to be invented */
        machine_fpu_init(t->fpu);
        fpu_restore(t->fpu);
    }
    c->fpu_task = t;
    t->mthread.fpu_cpu = c->cpu;
}

void machine_fpu_read(struct task *t)
{
    struct percpu *c = this_cpu();

    if (c->user == t)
        user_save(c);
}

/*
 * What may come from the application (sigreturn, ptrace) must not make the restore fault in
 * ring 0: unknown MXCSR bits, unknown or compacted components, reserved bytes of the header.
 */
static void fpu_sanitize(u8 *area)
{
    u64 header[XSAVE_HEADER / 8] = {0};
    u32 mxcsr;

    memcpy(&mxcsr, area + OFF_MXCSR, sizeof(mxcsr));
    mxcsr &= mxcsr_mask;
    memcpy(area + OFF_MXCSR, &mxcsr, sizeof(mxcsr));
    if (fpu_kind == FPU_FXSAVE)
        return;
    memcpy(header, area + FXSAVE_SIZE, sizeof(header[0]));
    header[0] &= machine_xcr0;
    memcpy(area + FXSAVE_SIZE, header, sizeof(header));
}

void machine_fpu_write(struct task *t)
{
    struct percpu *c = this_cpu();

    fpu_sanitize(t->fpu);
    t->mthread.fpu_cpu = NO_CPU;
    if (c->user == t) {
        /* keep what else is only in the CPU, but not the old FPU content over the new */
        c->fpu_task = NULL;
        user_save(c);
    }
}
