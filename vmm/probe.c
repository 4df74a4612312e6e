// SPDX-License-Identifier: Apache-2.0
//
// Is this KVM any good? Where KVM has no hardware behind it, ring 0 may be emulated instruction by
// instruction and SYSCALL may never arrive; nothing that KVM says about itself tells. So a tiny
// guest makes system calls, in a child process that can be killed whatever it is stuck in, and the
// fastest batch is timed. The child also keeps the VM's slow destruction out of our way.

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmm/clock.h"
#include "vmm/kvm.h"
#include "vmm/sandbox.h"

#define STUCK_MS    600  /* without a step forward: it never comes back */
#define DEADLINE_MS 5000 /* in any case */
#define STEP_MS     20
#define BATCHES     8
#define TRIPS       128
#define BENCH_TRIPS 200000
/* The ptrace platform takes about twice this for a system call: slower than this is unfit. */
#define FIT_NS 4000

#define MEMORY_SIZE (2UL << 20)
#define CODE_AT     0x8000
#define TABLES_AT   0x1000
#define PROGRESS_AT 0x4000 /* trips (probe_guest.S), steps of the child */

extern const char probe_guest[], probe_guest_end[];

/* What the child writes to the pipe. */
struct result {
    int err;
    char what[60];
    long ns;
};

static void fail(struct result *r, const char *what)
{
    r->err = -(errno ? errno : EIO);
    snprintf(r->what, sizeof(r->what), "%s", what);
}

static void build_memory(char *mem)
{
    u64 *t = (u64 *)(mem + TABLES_AT);

    memcpy(mem + CODE_AT, probe_guest, (size_t)(probe_guest_end - probe_guest));
    t[0] = (TABLES_AT + 0x1000) | 7; /* present, writable, user on every level */
    t[512] = (TABLES_AT + 0x2000) | 7;
    t[1024] = 0x80 | 7; /* one 2 MiB page */
}

static int set_state(int vcpu, unsigned long trips)
{
    struct kvm_segment code = {
        .limit = ~0U, .selector = 0x10, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
    struct kvm_segment data = {
        .limit = ~0U, .selector = 0x18, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
    struct kvm_regs regs = {
        .rip = CODE_AT, .rflags = 2, .r12 = ~0ULL, .r13 = BATCHES, .r14 = trips};
    struct kvm_sregs s;

    if (ioctl(vcpu, KVM_GET_SREGS, &s) != 0)
        return -1;
    s.cs = code;
    s.ds = s.es = s.fs = s.gs = s.ss = data;
    s.cr0 = 0x80050033;
    s.cr3 = TABLES_AT;
    s.cr4 = 0x20;
    s.efer = 0xd01;
    return ioctl(vcpu, KVM_SET_SREGS, &s) | ioctl(vcpu, KVM_SET_REGS, &regs);
}

static int run(int vcpu, struct kvm_run *run, struct result *r)
{
    while (ioctl(vcpu, KVM_RUN, 0) != 0) {
        if (errno != EINTR && errno != EAGAIN) {
            fail(r, "run");
            return -1;
        }
    }
    if (run->exit_reason == KVM_EXIT_IO && run->io.port == HOSTCALL_PORT)
        return 0;
    errno = EIO;
    fail(r, "guest ran astray");
    return -1;
}

/* Changes whenever the child or its guest gets a step further. */
static u64 progress(const char *mem)
{
    const volatile u64 *p = (const volatile u64 *)(mem + PROGRESS_AT);

    return p[0] + (p[1] << 32);
}

static void step(char *mem)
{
    ((volatile u64 *)(mem + PROGRESS_AT))[1]++;
}

/* mem: MEMORY_SIZE bytes for the guest, which our parent watches. */
static void probe(int dev, char *mem, unsigned long trips, struct result *r)
{
    struct kvm_userspace_memory_region slot = {.memory_size = MEMORY_SIZE};
    struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {1}};
    struct kvm_regs regs;
    const char *what;
    int vm, vcpu, khz, size;
    void *shared;

    r->err = kvm_check(dev, &what);
    if (r->err) {
        snprintf(r->what, sizeof(r->what), "no %s", what);
        return;
    }
    vm = ioctl(dev, KVM_CREATE_VM, 0);
    size = ioctl(dev, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (vm < 0 || size <= 0)
        return fail(r, "create the machine");
    step(mem);
    build_memory(mem);
    slot.userspace_addr = (u64)mem;
    ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000UL);
    /* never used, but a CPU without an APIC makes KVM patch the host kernel when it comes and goes */
    ioctl(vm, KVM_ENABLE_CAP, &split);
    vcpu = ioctl(vm, KVM_CREATE_VCPU, 0UL);
    if (vcpu < 0 || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) != 0)
        return fail(r, "create the processor");
    step(mem);
    shared = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (shared == MAP_FAILED || set_state(vcpu, trips) != 0)
        return fail(r, "set the processor up");
    step(mem);
    if (run(vcpu, shared, r) != 0)
        return;
    khz = ioctl(vcpu, KVM_GET_TSC_KHZ, 0);
    if (khz <= 0)
        khz = (int)clock_tsc_khz();
    if (ioctl(vcpu, KVM_GET_REGS, &regs) != 0)
        return fail(r, "read the result");
    r->ns = (long)(regs.r12 * 1000000 / (u64)khz / trips);
}

/* Keep only the two descriptors that the child needs: it may outlive us for a moment. */
static void close_others(int a, int b)
{
    int lo = a < b ? a : b, hi = a < b ? b : a;

    if (lo > 0)
        syscall(SYS_close_range, 0, lo - 1, 0);
    if (hi > lo + 1)
        syscall(SYS_close_range, lo + 1, hi - 1, 0);
    syscall(SYS_close_range, hi + 1, ~0U, 0);
}

/* Waits until the child has answered; false when it makes no progress any more. */
static bool answers(int fd, const char *mem)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    u64 last = progress(mem);
    int stuck = 0;

    for (int waited = 0; waited < DEADLINE_MS && stuck < STUCK_MS; waited += STEP_MS) {
        u64 now;

        if (poll(&p, 1, STEP_MS) > 0)
            return true;
        now = progress(mem);
        stuck = now == last ? stuck + STEP_MS : 0;
        last = now;
    }
    return false;
}

/*
 * Start the probing process as a grandchild: init takes it away whenever the kernel is done with
 * its VM, and no zombie is left to our caller. Its pid or -1.
 */
static pid_t spawn(int dev, int out, char *mem, unsigned long trips)
{
    volatile long pid = -1;
    pid_t between = vfork();

    if (between == 0) {
        pid = syscall(SYS_clone, 0, 0, 0, 0, 0); /* a fork, but one that may be called here */
        if (pid == 0) {
            struct result r = {0};

            close_others(dev, out);
            probe(dev, mem, trips, &r);
            _exit(write(out, &r, sizeof(r)) != (ssize_t)sizeof(r));
        }
        _exit(0);
    }
    while (between > 0 && waitpid(between, NULL, 0) < 0 && errno == EINTR)
        ;
    return (pid_t)pid;
}

static struct result probe_in_child(int dev, unsigned long trips)
{
    struct result r = {0};
    int fds[2];
    pid_t pid;
    char *mem = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (mem == MAP_FAILED || pipe2(fds, O_CLOEXEC) != 0) {
        fail(&r, "memory or pipe");
        return r;
    }
    pid = spawn(dev, fds[1], mem, trips);
    close(fds[1]);
    if (pid < 0) {
        fail(&r, "fork");
    } else if (!answers(fds[0], mem)) {
        errno = ETIMEDOUT;
        fail(&r, "no system call came through in time");
        kill(pid, SIGKILL);
    } else if (read(fds[0], &r, sizeof(r)) != (ssize_t)sizeof(r)) {
        errno = EIO;
        fail(&r, "the probing process died");
    }
    close(fds[0]);
    munmap(mem, MEMORY_SIZE);
    return r;
}

int platform_choose(enum platform want, enum platform *chosen, int *kvm_fd, char *why,
                    size_t why_size)
{
    struct result r;
    int dev = -1;

    clock_start();
    *kvm_fd = -1;
    *chosen = PLATFORM_PTRACE;
    if (want == PLATFORM_PTRACE) {
        snprintf(why, why_size, "platform ptrace: asked for");
        return 0;
    }
    if (&guest_image[0] == &guest_image_end[0]) {
        r = (struct result){.err = -ENOEXEC, .what = "this runsc was built without a guest image"};
    } else if ((dev = open("/dev/kvm", O_RDWR | O_CLOEXEC)) < 0) {
        r = (struct result){.err = -errno};
        snprintf(r.what, sizeof(r.what), "/dev/kvm: %s", strerror(errno));
    } else {
        r = probe_in_child(dev, TRIPS);
        if (!r.err && r.ns > FIT_NS) {
            r.err = -ENODEV;
            snprintf(r.what, sizeof(r.what), "a system call takes %ld ns", r.ns);
        }
    }
    if (!r.err) {
        *kvm_fd = dev;
        *chosen = PLATFORM_KVM;
        snprintf(why, why_size, "platform kvm: %ld ns per bare system call", r.ns);
        return 0;
    }
    if (dev >= 0)
        close(dev);
    snprintf(why, why_size, "%s: KVM is %s (%s)",
             want == PLATFORM_KVM ? "platform kvm" : "platform ptrace",
             dev < 0 ? "absent" : "unfit", r.what);
    return want == PLATFORM_KVM ? r.err : 0;
}

long platform_probe_benchmark(void)
{
    int dev = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    struct result r;

    if (dev < 0)
        return -errno;
    r = probe_in_child(dev, BENCH_TRIPS);
    close(dev);
    return r.err ? r.err : r.ns;
}
