// SPDX-License-Identifier: Apache-2.0
/*
 * The end after a bug of the Sentry: registers and a back trace along the frame pointers to the
 * host's log. Addresses are written with all 16 digits: the host adds the function's name to each.
 */
#include "sentry/machine/ring0/percpu.h"

#define TEXT_SIZE  8192
#define MAX_FRAMES 40

static char *text; /* in RAM: the host takes buffers only from there */
static size_t text_len;
static u32 panicking;

void panic_init(void)
{
    struct page *p = page_alloc(1, 0);

    BUILD_ASSERT(TEXT_SIZE == 2 * PAGE_SIZE);
    if (p)
        text = page_virt(p);
}

__attribute__((format(printf, 1, 2))) static void put(const char *fmt, ...)
{
    va_list ap;
    int n;

    if (!text)
        return;
    va_start(ap, fmt);
    n = vsnprintf_(text + text_len, TEXT_SIZE - text_len, fmt, ap);
    va_end(ap);
    text_len = MIN(text_len + (size_t)n, (size_t)TEXT_SIZE - 1);
}

static bool on_kernel_stack(u64 addr)
{
    return (addr >= STACKS_VA && addr < STACKS_VA + GIB(1) && !stack_guard_hit(addr)) ||
           (addr >= (u64)image_data_start && addr < (u64)image_end);
}

static void put_backtrace(u64 rip, u64 rbp)
{
    if (rip)
        put("  %016lx\n", rip);
    for (int i = 0; i < MAX_FRAMES && !(rbp & 7) && on_kernel_stack(rbp); i++) {
        u64 next = *(u64 *)rbp, ret = *(u64 *)(rbp + 8);

        if (!ret)
            break;
        put("  %016lx\n", ret);
        if (next <= rbp)
            break;
        rbp = next;
    }
}

static void put_header(const char *msg)
{
    struct percpu *c = this_cpu();

    put("Ringfort: the Sentry has failed: %s\n", msg);
    if (c->task)
        put("cpu %u, task %d \"%.16s\"\n", c->cpu, c->task->tid, c->task->comm);
}

static void put_registers(const struct kframe *f)
{
    put("rip %016lx  rsp %016lx  rflags %08lx  cs %lx  error %lx\n", f->rip, f->rsp, f->rflags,
        f->cs, f->error);
    put("rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
    put("rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx\n", f->rsi, f->rdi, f->rbp, f->r8);
    put("r9  %016lx  r10 %016lx  r11 %016lx  r12 %016lx\n", f->r9, f->r10, f->r11, f->r12);
    put("r13 %016lx  r14 %016lx  r15 %016lx\n", f->r13, f->r14, f->r15);
}

static _Noreturn void finish(void)
{
    /* too early to tell anybody: end with a triple fault, which the host reports */
    if (!this_cpu()->hostcall)
        __asm__ volatile("lidt %0; int3" : : "m"((struct { u8 b[10]; }){{0}}));
    for (;;) {
        HOSTCALL(HC_PANIC, text ? virt_to_phys(text) : 0, text_len);
        __asm__ volatile("hlt");
    }
}

/* Only the first panic tells its story; others wait for the end that it brings. */
static void enter(void)
{
    if (__atomic_exchange_n(&panicking, 1, __ATOMIC_SEQ_CST))
        for (;;)
            __asm__ volatile("hlt");
}

void panic_frame(const struct kframe *f, const char *msg)
{
    enter();
    put_header(msg);
    put_registers(f);
    put_backtrace(f->rip, f->rbp);
    finish();
}

void machine_panic(const char *msg)
{
    enter();
    put_header(msg);
    put_backtrace(0, (u64)__builtin_frame_address(0));
    finish();
}
