// SPDX-License-Identifier: Apache-2.0
/*
 * Exceptions and interrupts, wherever they happen: the descriptor table, faults of the Sentry
 * itself, and the interrupts that the timer, the host and the other CPUs send.
 */
#include "sentry/machine/ring0/percpu.h"

/* One entry of the interrupt descriptor table. */
struct gate {
    u16 offset_low;
    u16 selector;
    u8 ist;
    u8 type;
    u16 offset_mid;
    u32 offset_high;
    u32 reserved;
};

#define GATE_INTERRUPT 0x8e /* present, interrupts off in the handler */
#define GATE_USER      0x60 /* ring 3 may raise it with INT n */

static struct gate idt[256]; /* written once by the boot CPU */

/* Stacks of their own for what can happen at any instruction: IST index of each. */
static unsigned ist_of(unsigned vector)
{
    switch (vector) {
    case EXC_NMI:
        return 1;
    case EXC_DF:
        return 2;
    case EXC_MC:
        return 3;
    default:
        return 0;
    }
}

void idt_init(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(idt); i++) {
        u64 stub = (u64)exception_stubs + i * 16;
        idt[i] = (struct gate){
            .offset_low = (u16)stub,
            .selector = SEL_KERNEL_CS,
            .ist = (u8)ist_of(i),
            .type = GATE_INTERRUPT | (i == EXC_BP || i == EXC_OF ? GATE_USER : 0),
            .offset_mid = (u16)(stub >> 16),
            .offset_high = (u32)(stub >> 32),
        };
    }
}

void idt_use(struct bios_cpu *b)
{
    b->idt = (u64)idt;
    b->idt_limit = sizeof(idt) - 1;
}

void interrupt(u32 vector)
{
    struct percpu *c = this_cpu();

    switch (vector) {
    case VECTOR_TIMER:
        apic_eoi();
        timer_interrupt(c);
        break;
    case VECTOR_RESCHED:
        apic_eoi();
        cpu_work_add(c, CPU_SCHED);
        break;
    case VECTOR_TLB:
        apic_eoi();
        tlb_serve();
        break;
    case VECTOR_RING:
        apic_eoi();
        ring_poll();
        break;
    case VECTOR_SPURIOUS:
        break;
    default:
        apic_eoi();
        log_warn("interrupt %#x from nowhere", vector);
    }
}

/* A user copy met a page that is not there (yet). True when it can go on. */
static bool user_copy_fault(struct kframe *f, u64 addr)
{
    u64 resume = extable_find(f->rip);

    if (!resume || addr >= USER_END || !current->mm)
        return false;
    if (mm_fault(current->mm, addr, f->error & PF_WRITE ? FAULT_WRITE : 0).sig)
        f->rip = resume;
    return true;
}

static void page_fault(struct kframe *f)
{
    u64 addr = read_cr2();
    char msg[96];

    if (user_copy_fault(f, addr))
        return;
    snprintf_(msg, sizeof(msg), "page fault in the Sentry: %s of %#lx, %s",
              f->error & PF_FETCH   ? "fetch"
              : f->error & PF_WRITE ? "write"
                                    : "read",
              addr, f->error & PF_PRESENT ? "not permitted" : "not mapped");
    panic_frame(f, msg);
}

/*
 * The host says that the file behind a page of the window has been truncated; there are zeroes now.
 * A copy from or to the application ends with -EFAULT. Any other access goes on with the zeroes: it
 * read a page cache page beyond the new end of the file, as read(2) may on Linux.
 */
static void machine_check(struct kframe *f)
{
    u64 resume = extable_find(f->rip);

    if (resume)
        f->rip = resume;
}

void trap_kernel(struct kframe *f)
{
    char msg[64];
    u64 resume;

    if (f->vector == EXC_PF) {
        page_fault(f);
        return;
    }
    if (f->vector == EXC_MC) {
        machine_check(f);
        return;
    }
    if (f->vector >= EXC_COUNT) {
        interrupt((u32)f->vector); /* cpu_halt() is the only place that lets them in */
        if (f->rip == (u64)cpu_halt_insn)
            f->rip = (u64)cpu_halt_end;
        return;
    }
    resume = f->vector == EXC_GP ? extable_find(f->rip) : 0;
    if (resume) {
        f->rip = resume;
        return;
    }
    snprintf_(msg, sizeof(msg), "exception %lu (error %#lx) in the Sentry", f->vector, f->error);
    panic_frame(f, msg);
}

void trap_fatal(struct kframe *f)
{
    char msg[128];
    u64 addr = read_cr2();

    if (f->vector == EXC_DF && stack_guard_hit(addr))
        snprintf_(msg, sizeof(msg), "kernel stack overflow of %s[%d] at %#lx", current->comm,
                  current->tid, addr);
    else
        snprintf_(msg, sizeof(msg), "%s in the Sentry, CR2 %#lx",
                  f->vector == EXC_DF ? "double fault" : "non-maskable interrupt", addr);
    panic_frame(f, msg);
}
