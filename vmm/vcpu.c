// SPDX-License-Identifier: Apache-2.0
//
// Virtual CPUs. Each starts in 64-bit mode at the image's entry; there is no firmware and no SIPI:
// a secondary CPU's thread is made when the Sentry asks for it. Whatever the guest does wrong ends
// the sandbox with its registers in the log; the one host-side fault that is nobody's bug, a
// truncated file in the window, is turned into a machine check.

#include "vmm/vcpu.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vmm/hostcall/hostcall.h"
#include "vmm/log.h"
#include "vmm/stats.h"
#include "vmm/window.h"

#define STACK_SIZE     KIB(64)
#define REASONS        48
#define MACHINE_CHECK  18
#define FAULT_RETRIES  16 /* EFAULT at one instruction so often in a row: not the window's */
#define WATCH_NS       200000000
#define WATCH_THOROUGH 5 /* times at the same instruction before nothing is trusted */
#define DIED           134

/* A virtual CPU; made before confinement, for ever. Counters are written by its own thread only. */
struct vcpu {
    int fd, stats_fd;
    struct kvm_run *run;
    bool started; /* atomic */
    u64 fault_rip, watch_rip;
    unsigned fault_count, watch_count;
    unsigned long exits[REASONS];
};

static struct vcpu vcpus[MAX_CPUS];
static unsigned nvcpus;
static const struct image *image;

static const char *const reason_names[REASONS] = {
    [KVM_EXIT_UNKNOWN] = "unknown",
    [KVM_EXIT_IO] = "io",
    [KVM_EXIT_HLT] = "hlt",
    [KVM_EXIT_MMIO] = "mmio",
    [KVM_EXIT_SHUTDOWN] = "shutdown",
    [KVM_EXIT_FAIL_ENTRY] = "fail-entry",
    [KVM_EXIT_INTR] = "intr",
    [KVM_EXIT_INTERNAL_ERROR] = "internal-error",
    [KVM_EXIT_IOAPIC_EOI] = "ioapic-eoi",
};

static _Noreturn void die(struct vcpu *v, const char *what, u64 detail)
{
    struct kvm_regs r = {0};
    struct kvm_sregs s = {0};
    u64 offset = 0;

    ioctl(v->fd, KVM_GET_REGS, &r);
    ioctl(v->fd, KVM_GET_SREGS, &s);
    log_line(LOG_WARN, "guest CPU %u: %s (%#llx)", (unsigned)(v - vcpus), what,
             (unsigned long long)detail);
    log_line(LOG_WARN, "rip %016llx <%s+0x%llx> cs %x rflags %llx", r.rip,
             image_symbol(r.rip, &offset), (unsigned long long)offset, s.cs.selector, r.rflags);
    log_line(LOG_WARN, "rax %016llx rbx %016llx rcx %016llx rdx %016llx", r.rax, r.rbx, r.rcx,
             r.rdx);
    log_line(LOG_WARN, "rsi %016llx rdi %016llx rbp %016llx rsp %016llx", r.rsi, r.rdi, r.rbp,
             r.rsp);
    log_line(LOG_WARN, "r8  %016llx r9  %016llx r10 %016llx r11 %016llx", r.r8, r.r9, r.r10, r.r11);
    log_line(LOG_WARN, "r12 %016llx r13 %016llx r14 %016llx r15 %016llx", r.r12, r.r13, r.r14,
             r.r15);
    log_line(LOG_WARN, "cr0 %llx cr2 %llx cr3 %llx cr4 %llx efer %llx gs %llx", s.cr0, s.cr2, s.cr3,
             s.cr4, s.efer, s.gs.base);
    if (hostcall_ops.exit)
        hostcall_ops.exit(DIED);
    log_die(DIED, "guest died");
}

static void hostcall(struct vcpu *v)
{
    struct kvm_run *run = v->run;
    const char *data = (const char *)run + run->io.data_offset;
    struct hostcall *block, hc;
    u32 index;

    if (run->io.port != HOSTCALL_PORT || run->io.direction != KVM_EXIT_IO_OUT ||
        run->io.size != 4 || run->io.count != 1)
        die(v, "unknown port", run->io.port);
    memcpy(&index, data, sizeof(index));
    if (index >= nvcpus)
        die(v, "hostcall block out of range", index);
    block = image_block(image, index);
    memcpy(&hc, block, sizeof(hc));
    __asm__ volatile("" : : : "memory"); /* from here on only the copy is looked at */
    hostcall_dispatch(&hc);
    block->out[0] = hc.out[0];
    block->out[1] = hc.out[1];
    block->ret = hc.ret;
}

/* Tell the guest that pages of the window are gone. */
static void machine_check(struct vcpu *v, u64 rip)
{
    struct kvm_vcpu_events ev;

    log_line(LOG_DEBUG, "guest CPU %u: a file in the window was truncated, rip %#llx",
             (unsigned)(v - vcpus), (unsigned long long)rip);
    if (ioctl(v->fd, KVM_GET_VCPU_EVENTS, &ev) != 0)
        die(v, "events after a fault", (u64)errno);
    if (ev.exception.injected || ev.exception.pending)
        return; /* something is on its way; zero pages are there now, the next access finds out */
    ev.exception.injected = 1;
    ev.exception.nr = MACHINE_CHECK;
    ev.exception.has_error_code = 0;
    if (ioctl(v->fd, KVM_SET_VCPU_EVENTS, &ev) != 0)
        die(v, "inject machine check", (u64)errno);
}

/* KVM_RUN said EFAULT: host memory behind a guest address is gone. */
static void memory_fault(struct vcpu *v)
{
    struct kvm_regs r;

    if (ioctl(v->fd, KVM_GET_REGS, &r) != 0)
        die(v, "registers after a fault", (u64)errno);
    if (r.rip != v->fault_rip)
        v->fault_count = 0;
    v->fault_rip = r.rip;
    if (window_repair() == 0 || ++v->fault_count > FAULT_RETRIES)
        die(v, "access to memory that the host cannot provide", r.rip);
    machine_check(v, r.rip);
}

/*
 * KVM does not always say EFAULT. With interrupts on, it leaves a page that is not at hand to a
 * kernel thread and tries again afterwards, for ever when there is no such page any more. So a CPU
 * that is found at the same instruction again and again may be one that waits for a truncated file.
 * Called each WATCH_NS of processor time.
 */
static void watch(struct vcpu *v)
{
    struct kvm_regs r;

    if (!v->run->if_flag || ioctl(v->fd, KVM_GET_REGS, &r) != 0)
        return;
    if (r.rip != v->watch_rip)
        v->watch_count = 0;
    v->watch_rip = r.rip;
    if (v->watch_count++ && window_check(v->watch_count == WATCH_THOROUGH))
        machine_check(v, r.rip);
}

static void on_watch(int sig) {}

/* Have KVM_RUN interrupted after each WATCH_NS of this thread's processor time. An idle CPU never
 * is. */
static void start_watch(void)
{
    struct sigaction sa = {.sa_handler = on_watch, .sa_flags = SA_RESTART};
    struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    struct itimerspec each = {{0, WATCH_NS}, {0, WATCH_NS}};
    sigset_t set;
    int timer;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    ev._sigev_un._tid = gettid();
    if (sigaction(SIGUSR1, &sa, NULL) != 0 || pthread_sigmask(SIG_UNBLOCK, &set, NULL) != 0 ||
        syscall(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, &ev, &timer) != 0 ||
        syscall(SYS_timer_settime, timer, 0, &each, NULL) != 0)
        log_line(LOG_WARN, "no timer to watch a guest CPU (errno %d)", errno);
}

static _Noreturn void run_loop(struct vcpu *v)
{
    start_watch();
    for (;;) {
        if (ioctl(v->fd, KVM_RUN, 0) != 0) {
            if (errno == EFAULT)
                memory_fault(v);
            else if (errno == EINTR)
                watch(v);
            else if (errno != EINTR && errno != EAGAIN)
                die(v, "KVM_RUN", (u64)errno);
            continue;
        }
        v->exits[v->run->exit_reason < REASONS ? v->run->exit_reason : 0]++;
        switch (v->run->exit_reason) {
        case KVM_EXIT_IO:
            hostcall(v);
            break;
        case KVM_EXIT_INTR:
        case KVM_EXIT_IOAPIC_EOI:
            break;
        case KVM_EXIT_MMIO:
            die(v, "access to physical memory that does not exist", v->run->mmio.phys_addr);
        case KVM_EXIT_SHUTDOWN:
            die(v, "triple fault", 0);
        case KVM_EXIT_FAIL_ENTRY:
            die(v, "entry failed", v->run->fail_entry.hardware_entry_failure_reason);
        case KVM_EXIT_INTERNAL_ERROR:
            die(v, "KVM internal error", v->run->internal.suberror);
        default:
            die(v, "unexpected exit", v->run->exit_reason);
        }
    }
}

static void set_segments(struct kvm_sregs *s)
{
    struct kvm_segment code = {
        .limit = 0xffffffff, .selector = 0x10, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
    struct kvm_segment data = {
        .limit = 0xffffffff, .selector = 0x18, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};

    s->cs = code;
    s->ds = s->es = s->fs = s->gs = s->ss = data;
}

static int set_state(struct vcpu *v, unsigned cpu)
{
    struct kvm_mp_state mp = {.mp_state = KVM_MP_STATE_RUNNABLE};
    struct kvm_regs r = {.rip = image->entry, .rflags = 2, .rdi = image->fdt_gpa, .rsi = cpu};
    struct kvm_sregs s;

    if (ioctl(v->fd, KVM_GET_SREGS, &s) != 0)
        return -errno;
    set_segments(&s);
    s.cr0 = 0x80050033; /* PG AM WP NE ET MP PE */
    s.cr3 = image->cr3;
    s.cr4 = 0xa0;   /* PGE PAE */
    s.efer = 0xd01; /* NXE LMA LME SCE */
    if (ioctl(v->fd, KVM_SET_SREGS, &s) != 0 || ioctl(v->fd, KVM_SET_REGS, &r) != 0 ||
        ioctl(v->fd, KVM_SET_MP_STATE, &mp) != 0)
        return -errno;
    return 0;
}

/*
 * Everything in XCR0 that the guest's CPUID offers. bios/ does the same with XSETBV, but emulated
 * AMD-V runs that instruction without telling KVM, which then takes it back.
 */
static int set_xcr0(struct vcpu *v, const struct kvm_cpuid_list *cpuid)
{
    struct kvm_xcrs x = {.nr_xcrs = 1};

    for (u32 i = 0; i < cpuid->head.nent; i++)
        if (cpuid->entries[i].function == 0xd && cpuid->entries[i].index == 0)
            x.xcrs[0].value = cpuid->entries[i].eax;
    return !x.xcrs[0].value || ioctl(v->fd, KVM_SET_XCRS, &x) == 0 ? 0 : -errno;
}

static int create(struct kvm *k, unsigned cpu, unsigned count)
{
    struct vcpu *v = &vcpus[cpu];
    struct kvm_cpuid_list cpuid;
    int r;

    v->fd = ioctl(k->vm, KVM_CREATE_VCPU, (unsigned long)cpu);
    if (v->fd < 0)
        return -errno;
    v->run = mmap(NULL, k->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
    if (v->run == MAP_FAILED)
        return -errno;
    cpuid_for_cpu(k, cpu, count, &cpuid);
    if (ioctl(v->fd, KVM_SET_CPUID2, &cpuid) != 0)
        return -errno;
    v->stats_fd = log_enabled(LOG_INFO) ? stats_open(v->fd) : -1;
    r = set_state(v, cpu);
    return r ? r : set_xcr0(v, &cpuid);
}

int vcpu_create_all(struct kvm *k, const struct image *img, unsigned count)
{
    int r = 0;

    image = img;
    for (unsigned i = 0; i < count && !r; i++)
        r = create(k, i, count);
    nvcpus = count;
    return r;
}

u64 vcpu_tsc_khz(void)
{
    int khz = ioctl(vcpus[0].fd, KVM_GET_TSC_KHZ, 0);

    return khz > 0 ? (u64)khz : 0;
}

void vcpu_run_boot(void)
{
    vcpus[0].started = true;
    run_loop(&vcpus[0]);
}

static void *thread(void *arg)
{
    run_loop(arg);
}

int vcpu_start(unsigned cpu)
{
    pthread_attr_t attr;
    pthread_t t;
    int r;

    if (cpu >= nvcpus)
        return -EINVAL;
    if (__atomic_exchange_n(&vcpus[cpu].started, true, __ATOMIC_ACQ_REL))
        return -EBUSY;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    r = pthread_create(&t, &attr, thread, &vcpus[cpu]);
    pthread_attr_destroy(&attr);
    return -r;
}

void vcpu_exits(char *buf, size_t size)
{
    unsigned long sum[REASONS] = {0}, user = 0;
    struct stats st = {0};
    char line[512];
    size_t at = 0;

    for (unsigned i = 0; i < nvcpus; i++) {
        for (unsigned r = 0; r < REASONS; r++) {
            sum[r] += vcpus[i].exits[r];
            user += vcpus[i].exits[r];
        }
        stats_add(vcpus[i].stats_fd, &st);
    }
    line[0] = 0;
    for (unsigned r = 0; r < REASONS; r++)
        if (sum[r] && at + 40 < sizeof(line))
            at += (size_t)snprintf(line + at, sizeof(line) - at, " %s=%lu",
                                   reason_names[r] ? reason_names[r] : "other", sum[r]);
    /* total counts what the host kernel handled by itself too, where the kernel tells */
    snprintf(buf, size, "exits: total=%lu userspace=%lu halt=%lu irq=%lu%s",
             st.exits ? (unsigned long)st.exits : user, user, (unsigned long)st.halt_exits,
             (unsigned long)st.irq_exits, line);
}
