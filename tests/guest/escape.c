// SPDX-License-Identifier: Apache-2.0
//
// What an application might try to get out: ports, privileged instructions, kernel addresses,
// forged signal frames, segment selectors, device files. Each must end as it does for a plain
// process on Linux. Runs as nobody, so that the native run has no more rights than the sandboxed
// one.

#include "t.h"
#include <asm/ldt.h>
#include <grp.h>
#include <setjmp.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <ucontext.h>

static sigjmp_buf env;
static int code;

static void on_fault(int sig, siginfo_t *si, void *uc)
{
    code = si->si_code;
    siglongjmp(env, sig);
}

/* Runs the instructions and names the signal that they raise. */
#define TRY(what, ...)                                  \
    do {                                                \
        int t_sig = sigsetjmp(env, 1);                  \
        if (t_sig == 0) {                               \
            __VA_ARGS__;                                \
            t_say("%s: nothing happened", what);        \
        } else {                                        \
            t_say("%s: %s", what, sigabbrev_np(t_sig)); \
        }                                               \
    } while (0)

static void instructions(void)
{
    static const int sigs[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) desc = {0, 0};

    for (unsigned i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
        sigaction(sigs[i], &sa, NULL);
    TRY("in from a port", asm volatile("inb $0x80, %%al" ::: "eax"));
    TRY("out to a port", asm volatile("outb %%al, $0x80" ::: "eax"));
    TRY("out to a high port", asm volatile("outl %%eax, %%dx" : : "a"(0), "d"(0x600)));
    TRY("string out", asm volatile("outsb" : : "d"(0x3f8), "S"(&desc)));
    TRY("rdmsr", asm volatile("rdmsr" : : "c"(0xc0000082) : "eax", "edx"));
    TRY("wrmsr", asm volatile("wrmsr" : : "c"(0xc0000082), "a"(0), "d"(0)));
    TRY("hlt", asm volatile("hlt"));
    TRY("cli", asm volatile("cli"));
    TRY("sti", asm volatile("sti"));
    TRY("read cr0", asm volatile("mov %%cr0, %%rax" ::: "rax"));
    TRY("read cr3", asm volatile("mov %%cr3, %%rax" ::: "rax"));
    TRY("write cr3", asm volatile("mov %%rax, %%cr3" : : "a"(0)));
    TRY("write cr4", asm volatile("mov %%rax, %%cr4" : : "a"(0)));
    TRY("debug register", asm volatile("mov %%rax, %%dr7" : : "a"(0)));
    TRY("lgdt", asm volatile("lgdt %0" : : "m"(desc)));
    TRY("lidt", asm volatile("lidt %0" : : "m"(desc)));
    TRY("ltr", asm volatile("ltr %%ax" : : "a"(0x28)));
    TRY("swapgs", asm volatile("swapgs"));
    TRY("invlpg", asm volatile("invlpg (%0)" : : "r"(&desc)));
    TRY("wbinvd", asm volatile("wbinvd"));
    TRY("clts", asm volatile("clts"));
    TRY("xsetbv", asm volatile("xsetbv" : : "c"(0), "a"(1), "d"(0)));
    TRY("sysret", asm volatile("sysretq" : : "c"(&&after)));
after:
    TRY("int 0x7f", asm volatile("int $0x7f"));
    TRY("int 8", asm volatile("int $8"));
    TRY("load a kernel selector", asm volatile("mov %%ax, %%ss" : : "a"(0x10)));
    TRY("load a wild selector", asm volatile("mov %%ax, %%ds" : : "a"(0xfff8)));
    TRY("far call", asm volatile("lcall *%0"
                                 :
                                 : "m"(((struct {
                                     uint32_t o;
                                     uint16_t s;
                                 }){0, 0x10}))));
}

static void addresses(void)
{
    static const uint64_t at[] = {0xffff888000000000, 0xffffc90000000000, 0xffffffff80000000,
                                  0xffffffff80100000, 0xffffffffff5fd000, 0xffff800000000000,
                                  0x0000800000000000, 0xfffffffffffff000, 0x00007ffffffff000};

    for (volatile unsigned i = 0; i < sizeof(at) / sizeof(*at); i++) {
        TRY("read a kernel address", (void)*(volatile char *)at[i]);
        TRY("write a kernel address", *(volatile char *)at[i] = 1);
        TRY("jump to a kernel address", ((void (*)(void))at[i])());
    }
}

/* Returns through a signal frame changed by FORGE; what becomes of the process is the result. */
static void (*forge)(ucontext_t *uc);

static void forging_handler(int sig, siginfo_t *si, void *uc)
{
    forge(uc);
}

static void rip_kernel(ucontext_t *uc)
{
    uc->uc_mcontext.gregs[REG_RIP] = 0xffffffff80000000;
}

static void rip_wild(ucontext_t *uc)
{
    uc->uc_mcontext.gregs[REG_RIP] = 0x8000000000000000;
}

static void rip_edge(ucontext_t *uc)
{
    uc->uc_mcontext.gregs[REG_RIP] = 0x7ffffffff000;
}

static void rsp_wild(ucontext_t *uc)
{
    uc->uc_mcontext.gregs[REG_RSP] = 0x8000000000000000;
}

static void cs_kernel(ucontext_t *uc)
{
    uc->uc_mcontext.gregs[REG_CSGSFS] &= ~0xffffL;
    uc->uc_mcontext.gregs[REG_CSGSFS] |= 0x10;
}

static void flags_all(ucontext_t *uc)
{
    uc->uc_mcontext.gregs[REG_EFL] |= 0x3000 | 0x4000 | 0x20000; /* IOPL, NT, VM */
    uc->uc_mcontext.gregs[REG_EFL] &= ~0x200L;                   /* interrupts off */
}

static void fp_wild(ucontext_t *uc)
{
    uc->uc_mcontext.fpregs = (void *)0xffffffff80000000;
}

static void forged(void *fn)
{
    struct sigaction sa = {.sa_sigaction = forging_handler, .sa_flags = SA_SIGINFO};
    uint64_t flags;

    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    forge = (void (*)(ucontext_t *))fn;
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    asm volatile("pushfq\n\tpop %0" : "=r"(flags));
    ok((flags & 0x23000) == 0 && (flags & 0x200), "flags are still a user's");
}

static void forged_frames(void)
{
    static const struct {
        const char *what;
        void (*fn)(ucontext_t *);
    } t[] = {{"rip in the kernel", rip_kernel},  {"rip not canonical", rip_wild},
             {"rip at the edge", rip_edge},      {"rsp not canonical", rsp_wild},
             {"kernel code segment", cs_kernel}, {"all flags", flags_all},
             {"state in the kernel", fp_wild}};

    for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++) {
        int st = t_child(forged, (void *)t[i].fn);
        /* A stack pointer that is not canonical is a stack fault, but not on every emulated CPU. */
        if (t[i].fn == rsp_wild)
            ok(t_killed(st, SIGBUS) || t_killed(st, SIGSEGV), "sigreturn, %s", t[i].what);
        else if (WIFSIGNALED(st))
            t_say("sigreturn, %s: SIG%s", t[i].what, sigabbrev_np(WTERMSIG(st)));
        else
            t_say("sigreturn, %s: exit %d", t[i].what, WEXITSTATUS(st));
    }
}

static void no_frame(void *arg)
{
    signal(SIGSEGV, SIG_DFL);
    asm volatile("mov %0, %%rsp\n\tsyscall" : : "r"(0x8000000000000000), "a"(SYS_rt_sigreturn));
}

/* Which error depends on how the kernel was configured (EPERM, ENOSYS). */
#define refused(expr) ok((long)(expr) == -1, "%s", #expr)

static void privileges(void)
{
    char buf[64];

    refused(iopl(3));
    refused(ioperm(0x80, 1, 1));
    refused(syscall(SYS_init_module, buf, 10, ""));
    refused(syscall(SYS_finit_module, 0, "", 0));
    refused(syscall(SYS_delete_module, "kvm", 0));
    fails(reboot(RB_AUTOBOOT), EPERM);
    fails(mount("none", "/tmp", "tmpfs", 0, ""), EPERM);
    fails(umount("/tmp"), EPERM);
    refused(syscall(SYS_pivot_root, "/", "/tmp"));
    fails(chroot("/tmp"), EPERM);
    fails(sethostname("x", 1), EPERM);
    fails(setuid(0), EPERM);
    fails(setgid(0), EPERM);
    fails(setgroups(0, NULL), EPERM);
    fails(syscall(SYS_settimeofday, &(struct timeval){1, 0}, NULL), EPERM);
    refused(syscall(SYS_swapon, "/etc/passwd", 0));
    refused(syscall(SYS_syslog, 5, NULL, 0));
    refused(syscall(SYS_kexec_load, 0, 0, NULL, 0));
    refused(syscall(SYS_bpf, 5, buf, 48));
    fails(kill(1, SIGKILL), EPERM);
    refused(ptrace(PTRACE_ATTACH, 1, 0, 0));
    fails(setpriority(PRIO_PROCESS, 0, -10), EACCES);
    fails(mknod("/tmp/escape-node", S_IFBLK | 0600, 0), EPERM);
    fails(chmod("/", 0777), EPERM);
    fails(chown("/", 65534, 65534), EPERM);
    fails(open("/etc/shadow", O_RDONLY), EACCES);
    fails(open("/etc/escape-test", O_CREAT | O_WRONLY, 0644), EACCES);
    ok(open("/dev/mem", O_RDONLY) == -1, "/dev/mem");
    ok(open("/dev/kvm", O_RDWR) == -1, "/dev/kvm");
    ok(open("/dev/port", O_RDWR) == -1, "/dev/port");
    ok(open("/proc/kcore", O_RDONLY) == -1, "/proc/kcore");
    ok(open("/proc/1/mem", O_RDWR) == -1, "/proc/1/mem");
    ok(open("/proc/1/root/", O_RDONLY) == -1, "/proc/1/root");
    ok(open("/proc/sysrq-trigger", O_WRONLY) == -1, "/proc/sysrq-trigger");
    ok(open("/proc/sys/kernel/core_pattern", O_WRONLY) == -1, "/proc/sys/kernel/core_pattern");
}

int main(void)
{
    if (geteuid() == 0) {
        must(setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0);
        must(setresuid(65534, 65534, 65534) == 0);
    }
    prctl(PR_SET_DUMPABLE, 1);
    must(chdir("/") == 0);
    instructions();
    addresses();
    forged_frames();
    ok(t_killed(t_child(no_frame, NULL), SIGSEGV), "sigreturn without a frame");
    privileges();
    return t_done();
}
