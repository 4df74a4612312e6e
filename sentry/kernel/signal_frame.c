// SPDX-License-Identifier: Apache-2.0
/*
 * The frame of a signal handler on the user stack, as Linux lays it out on x86-64 (rt_sigframe,
 * ucontext, the FPU state with its XSAVE extension), and rt_sigreturn, which takes it back and
 * believes nothing in it.
 */
#include "sentry/kernel/internal.h"
#include "sentry/syscall/syscall.h"
#include <asm/sigcontext.h>
#include <asm/ucontext.h>

#define RED_ZONE 128

#define EFLAGS_DF         0x400u
#define EFLAGS_RF         0x10000u
#define EFLAGS_TF         0x100u
#define EFLAGS_IF         0x200u
#define EFLAGS_FIXED      0x2u
#define EFLAGS_USER       0x50dd5u /* what a program may choose: AC OF DF TF SF ZF AF PF CF RF */
#define FXSAVE_SIZE       512u
#define FXSAVE_SW         464u /* the part of the FXSAVE area that is left to software */
#define FXSAVE_MXCSR      24u
#define FXSAVE_MASK       28u /* valid bits of MXCSR; 0: those of the first CPUs */
#define MXCSR_MASK_OLDEST 0xffbfu
#define XSAVE_HEADER      512u
#define XSTATE_FP_SSE     3ull

struct xsave_header {
    u64 xfeatures, xcomp_bv, reserved[6];
};

struct rt_sigframe {
    u64 pretcode;
    struct ucontext uc;
    siginfo_t info;
};
BUILD_ASSERT(sizeof(struct rt_sigframe) == 440);

/* ---- making it ---- */

static bool has_xsave(void)
{
    return machine_fpu_size > FXSAVE_SIZE;
}

static u32 frame_fpu_size(void)
{
    return machine_fpu_size + (has_xsave() ? FP_XSTATE_MAGIC2_SIZE : 0);
}

static int push_fpu(uva_t to)
{
    struct task *t = current;
    struct _fpx_sw_bytes sw = {
        .magic1 = FP_XSTATE_MAGIC1,
        .extended_size = machine_fpu_size + FP_XSTATE_MAGIC2_SIZE,
        .xfeatures = machine_xcr0,
        .xstate_size = machine_fpu_size,
    };
    u32 magic2 = FP_XSTATE_MAGIC2;
    u64 features;

    machine_fpu_read(t);
    if (copy_to_user(to, t->fpu, machine_fpu_size) || copy_to_user(to + FXSAVE_SW, &sw, sizeof(sw)))
        return -EFAULT;
    if (has_xsave()) {
        features = ((struct xsave_header *)((char *)t->fpu + XSAVE_HEADER))->xfeatures;
        features |= XSTATE_FP_SSE;
        if (put_user(features, to + XSAVE_HEADER) || put_user(magic2, to + machine_fpu_size))
            return -EFAULT;
    }
    machine_fpu_init(t->fpu);
    machine_fpu_write(t);
    return 0;
}

static void fill_context(struct rt_sigframe *f, uva_t fpstate, sigset64_t mask)
{
    struct task *t = current;
    const struct uregs *r = &t->regs;
    struct sigcontext *sc = &f->uc.uc_mcontext;

    f->uc.uc_flags = (has_xsave() ? UC_FP_XSTATE : 0) | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
    f->uc.uc_stack = t->altstack;
    memcpy(&f->uc.uc_sigmask, &mask, sizeof(mask));
    *sc = (struct sigcontext){
        .r8 = r->r8,
        .r9 = r->r9,
        .r10 = r->r10,
        .r11 = r->r11,
        .r12 = r->r12,
        .r13 = r->r13,
        .r14 = r->r14,
        .r15 = r->r15,
        .rdi = r->rdi,
        .rsi = r->rsi,
        .rbp = r->rbp,
        .rbx = r->rbx,
        .rdx = r->rdx,
        .rax = r->rax,
        .rcx = r->rcx,
        .rsp = r->rsp,
        .rip = r->rip,
        .eflags = r->eflags,
        .cs = (u16)r->cs,
        .ss = (u16)r->ss,
        .err = t->trap_error,
        .trapno = t->trap_nr,
        .oldmask = mask,
        .cr2 = t->trap_addr,
        .fpstate = (void *)fpstate,
    };
}

static bool on_altstack(const stack_t *ss, u64 rsp)
{
    u64 base = (u64)ss->ss_sp;

    if (ss->ss_flags & (int)SS_AUTODISARM)
        return false;
    return rsp > base && rsp - base <= ss->ss_size;
}

/* Where the stack for the handler starts; *floor is as far down as it may go. */
static u64 handler_stack(const struct ksigaction *ka, u64 *floor)
{
    const stack_t *ss = &current->altstack;
    u64 rsp = current->regs.rsp;

    *floor = 0;
    if (on_altstack(ss, rsp)) {
        *floor = (u64)ss->ss_sp;
    } else if ((ka->flags & SA_ONSTACK) && ss->ss_size) {
        *floor = (u64)ss->ss_sp;
        return (u64)ss->ss_sp + ss->ss_size;
    }
    return rsp - RED_ZONE;
}

int signal_frame_push(const struct ksigaction *ka, siginfo_t *info, sigset64_t saved_mask)
{
    struct task *t = current;
    struct uregs *r = &t->regs;
    struct rt_sigframe f;
    uva_t fpstate, frame;
    u64 top, floor;

    if (!(ka->flags & SA_RESTORER))
        return -EFAULT;
    memset(&f, 0, sizeof(f));
    top = handler_stack(ka, &floor);
    fpstate = (top - frame_fpu_size()) & ~63ull;
    frame = ((fpstate - sizeof(f)) & ~15ull) - 8;
    if (frame >= top || frame < floor)
        return -EFAULT;
    f.pretcode = ka->restorer;
    f.info = *info;
    fill_context(&f, fpstate, saved_mask);
    if (copy_to_user(frame, &f, sizeof(f)) || push_fpu(fpstate))
        return -EFAULT;
    if (t->altstack.ss_flags & (int)SS_AUTODISARM)
        t->altstack = (stack_t){.ss_flags = SS_DISABLE};
    r->rdi = (u64)info->si_signo;
    r->rsi = frame + offsetof(struct rt_sigframe, info);
    r->rdx = frame + offsetof(struct rt_sigframe, uc);
    r->rax = 0;
    r->rip = ka->handler;
    r->rsp = frame;
    r->cs = USER_CS;
    r->ss = USER_DS;
    r->eflags &= ~(u64)(EFLAGS_DF | EFLAGS_RF | EFLAGS_TF);
    return 0;
}

/* ---- taking it back ---- */

/* Whether the area that the program gave holds a whole XSAVE image of this machine's shape. */
static int check_extension(uva_t fp, bool *whole)
{
    struct _fpx_sw_bytes sw;
    u32 magic2;

    *whole = false;
    if (!has_xsave())
        return 0;
    if (copy_from_user(&sw, fp + FXSAVE_SW, sizeof(sw)))
        return -EFAULT;
    if (sw.magic1 != FP_XSTATE_MAGIC1 || sw.xstate_size != machine_fpu_size ||
        sw.extended_size != machine_fpu_size + FP_XSTATE_MAGIC2_SIZE)
        return 0;
    if (get_user(magic2, fp + machine_fpu_size))
        return -EFAULT;
    *whole = magic2 == FP_XSTATE_MAGIC2;
    return 0;
}

/* XRSTOR must not fault on what is in the area now. */
static int sanitise(char *area, bool whole, u32 mxcsr_mask)
{
    struct xsave_header *h = (void *)(area + XSAVE_HEADER);
    u32 mxcsr;

    memcpy(&mxcsr, area + FXSAVE_MXCSR, sizeof(mxcsr));
    if (mxcsr & ~mxcsr_mask)
        return -EINVAL;
    if (!has_xsave())
        return 0;
    if (!whole) {
        *h = (struct xsave_header){.xfeatures = XSTATE_FP_SSE};
        return 0;
    }
    if (h->xcomp_bv)
        return -EINVAL;
    h->xfeatures &= machine_xcr0;
    memset(h->reserved, 0, sizeof(h->reserved));
    return 0;
}

static int pop_fpu(uva_t fp)
{
    struct task *t = current;
    bool whole = false;
    u32 mxcsr_mask;
    int err = 0;

    machine_fpu_read(t); /* the machine's copy must not overwrite ours later */
    memcpy(&mxcsr_mask, (char *)t->fpu + FXSAVE_MASK, sizeof(mxcsr_mask));
    if (!mxcsr_mask)
        mxcsr_mask = MXCSR_MASK_OLDEST;
    machine_fpu_init(t->fpu);
    if (fp) {
        err = check_extension(fp, &whole);
        if (!err)
            err = copy_from_user(t->fpu, fp, whole ? machine_fpu_size : FXSAVE_SIZE);
        if (!err)
            err = sanitise(t->fpu, whole, mxcsr_mask);
        if (err)
            machine_fpu_init(t->fpu);
    }
    machine_fpu_write(t);
    return err;
}

static int pop_registers(const struct sigcontext *sc)
{
    struct uregs *r = &current->regs;

    if ((sc->cs | 3) != USER_CS || sc->rip >= USER_END)
        return -EINVAL;
    r->r8 = sc->r8;
    r->r9 = sc->r9;
    r->r10 = sc->r10;
    r->r11 = sc->r11;
    r->r12 = sc->r12;
    r->r13 = sc->r13;
    r->r14 = sc->r14;
    r->r15 = sc->r15;
    r->rdi = sc->rdi;
    r->rsi = sc->rsi;
    r->rbp = sc->rbp;
    r->rbx = sc->rbx;
    r->rdx = sc->rdx;
    r->rax = sc->rax;
    r->rcx = sc->rcx;
    r->rsp = sc->rsp;
    r->rip = sc->rip;
    r->cs = USER_CS;
    r->ss = USER_DS;
    r->eflags = (sc->eflags & EFLAGS_USER) | EFLAGS_IF | EFLAGS_FIXED;
    return 0;
}

SYSCALL0(rt_sigreturn)
{
    struct task *t = current;
    struct ucontext uc;
    sigset64_t mask;
    stack_t old;

    t->in_syscall = false;
    if (copy_from_user(&uc, t->regs.rsp - 8 + offsetof(struct rt_sigframe, uc), sizeof(uc)))
        goto bad;
    memcpy(&mask, &uc.uc_sigmask, sizeof(mask));
    signal_set_blocked(t, mask);
    if (pop_registers(&uc.uc_mcontext) || pop_fpu((uva_t)uc.uc_mcontext.fpstate))
        goto bad;
    /* As on Linux, a stack that cannot be set is not a reason to fail. */
    (void)do_sigaltstack(&uc.uc_stack, &old, t->regs.rsp);
    t->regs.orig_rax = ~0ull;
    return (s64)t->regs.rax;
bad:
    signal_force(SIGSEGV, SI_KERNEL, 0, t->trap_nr, t->trap_error);
    return 0;
}

/* ---- the alternate stack ---- */

int do_sigaltstack(const stack_t *new_ss, stack_t *old_ss, u64 rsp)
{
    struct task *t = current;
    stack_t *ss = &t->altstack;
    bool active = on_altstack(ss, rsp);
    int mode;

    *old_ss = *ss;
    old_ss->ss_flags |= active ? SS_ONSTACK : 0;
    if (!new_ss)
        return 0;
    if (active)
        return -EPERM;
    mode = new_ss->ss_flags & ~(int)SS_AUTODISARM;
    if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
        return -EINVAL;
    if (mode == SS_DISABLE) {
        *ss = (stack_t){.ss_flags = new_ss->ss_flags};
        return 0;
    }
    if (new_ss->ss_size < MINSIGSTKSZ)
        return -ENOMEM;
    *ss = *new_ss;
    return 0;
}

SYSCALL2(sigaltstack, uva_t, new_ss, uva_t, old_ss)
{
    stack_t new, old;
    int err;

    if (new_ss && copy_from_user(&new, new_ss, sizeof(new)))
        return -EFAULT;
    err = do_sigaltstack(new_ss ? &new : NULL, &old, current->regs.rsp);
    if (err)
        return err;
    if (old_ss && copy_to_user(old_ss, &old, sizeof(old)))
        return -EFAULT;
    return 0;
}
