// SPDX-License-Identifier: Apache-2.0
//
// Vector and floating point registers across signal handlers, fork, exec and page faults: a handler
// starts with clean control words and may use all of them; what it interrupted gets its own back;
// the frame shows them and takes changes.

#include "t.h"
#include <cpuid.h>
#include <ucontext.h>

static volatile int calls;
static volatile uint32_t handler_mxcsr;
static volatile uint16_t handler_cw;
static bool has_avx;

static uint32_t get_mxcsr(void)
{
    uint32_t v;

    asm volatile("stmxcsr %0" : "=m"(v));
    return v;
}

static void set_mxcsr(uint32_t v)
{
    asm volatile("ldmxcsr %0" : : "m"(v));
}

static void trash(int sig)
{
    double x = 1.5;

    handler_mxcsr = get_mxcsr();
    uint16_t cw;
    asm volatile("fnstcw %0" : "=m"(cw));
    handler_cw = cw;
    asm volatile("fninit\n\tfldl %0\n\tfldl %0\n\tfldpi" : : "m"(x));
    set_mxcsr(0x1f80 | 0x6000);
    asm volatile("pcmpeqd %%xmm0, %%xmm0\n\tmovaps %%xmm0, %%xmm7\n\tmovaps %%xmm0, %%xmm15" ::
                     : "xmm0", "xmm7", "xmm15");
    if (has_avx)
        asm volatile("vcmptrueps %%ymm0, %%ymm0, %%ymm0\n\tvmovaps %%ymm0, %%ymm9" ::
                         : "xmm0", "xmm9");
    calls++;
}

static void interrupted(void)
{
    uint64_t in[4] = {1, 0x123456789abcdef, 3, 0xfedcba987654321}, out[4] = {}, out9[4] = {};
    double st = 2.25, back = 0;

    signal(SIGUSR1, trash);
    set_mxcsr(0x1f80 | 0x2000);
    asm volatile("fninit\n\tfldl %0" : : "m"(st));
    if (has_avx) {
        asm volatile("vmovups %[in], %%ymm0\n\tvmovups %[in], %%ymm9\n\tsyscall\n\t"
                     "vmovups %%ymm0, %[out]\n\tvmovups %%ymm9, %[out9]\n\tvzeroupper"
                     : [out] "=m"(out), [out9] "=m"(out9)
                     : [in] "m"(in), "a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1)
                     : "rcx", "r11", "memory", "xmm0", "xmm9");
        ok(!memcmp(in, out, 32) && !memcmp(in, out9, 32), "vector registers come back");
    } else {
        asm volatile("movups %[in], %%xmm0\n\tmovups %[in], %%xmm15\n\tsyscall\n\t"
                     "movups %%xmm0, %[out]\n\tmovups %%xmm15, %[out9]"
                     : [out] "=m"(out), [out9] "=m"(out9)
                     : [in] "m"(in), "a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1)
                     : "rcx", "r11", "memory", "xmm0", "xmm15");
        ok(!memcmp(in, out, 16) && !memcmp(in, out9, 16), "vector registers come back");
    }
    asm volatile("fstpl %0" : "=m"(back));
    ok(back == 2.25, "the x87 stack comes back");
    ok((get_mxcsr() & ~0x3fU) == (0x1f80 | 0x2000), "MXCSR comes back");
    ok(calls == 1, "the handler ran");
    ok((handler_mxcsr & ~0x3fU) == 0x1f80, "a handler starts with the default MXCSR");
    ok(handler_cw == 0x37f, "and the default control word");
    set_mxcsr(0x1f80);
}

static void change(int sig, siginfo_t *si, void *ucp)
{
    ucontext_t *uc = ucp;
    struct _libc_fpstate *fp = uc->uc_mcontext.fpregs;

    calls++;
    if (fp && fp->_xmm[3].element[0] == 0x11111111)
        calls++;
    fp->_xmm[3].element[0] = 0x22222222;
    fp->mxcsr = 0x1f80 | 0x4000;
}

static void frame(void)
{
    struct sigaction sa = {.sa_sigaction = change, .sa_flags = SA_SIGINFO};
    uint32_t in[4] = {0x11111111, 1, 2, 3}, out[4];

    calls = 0;
    sigaction(SIGUSR1, &sa, NULL);
    asm volatile("movups %[in], %%xmm3\n\tsyscall\n\tmovups %%xmm3, %[out]"
                 : [out] "=m"(out)
                 : [in] "m"(in), "a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1)
                 : "rcx", "r11", "memory", "xmm3");
    ok(calls == 2, "the frame shows the registers");
    ok(out[0] == 0x22222222 && out[1] == 1, "and takes changes");
    ok(get_mxcsr() == (0x1f80 | 0x4000), "of MXCSR too");
    set_mxcsr(0x1f80);
}

static void bad_frame_handler(int sig, siginfo_t *si, void *ucp)
{
    ucontext_t *uc = ucp;

    uc->uc_mcontext.fpregs->mxcsr = 0xffffffff;
}

static void bad_frame(void *arg)
{
    struct sigaction sa = {.sa_sigaction = bad_frame_handler, .sa_flags = SA_SIGINFO};

    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    ok((get_mxcsr() & 0xffff0000) == 0, "reserved MXCSR bits do not get through");
}

static void children(void)
{
    uint64_t in[2] = {0xaaaaaaaaaaaaaaaa, 0x5555555555555555}, out[2] = {};
    long pid;
    int st;

    asm volatile("movups %[in], %%xmm8\n\tsyscall\n\tmovups %%xmm8, %[out]"
                 : [out] "=m"(out), "=a"(pid)
                 : [in] "m"(in), "a"(SYS_fork)
                 : "rcx", "r11", "memory", "xmm8");
    if (pid == 0)
        _exit(memcmp(in, out, 16) ? 1 : 0);
    waitpid(pid, &st, 0);
    ok(t_exited(st, 0) && !memcmp(in, out, 16), "fork copies them");
}

static void faults(void)
{
    uint64_t in[2] = {77, 88}, out[2] = {};
    char *p = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long n = 64;

    asm volatile(
        "movups %[in], %%xmm8\n1:\tmovb $1, (%[p])\n\tadd $4096, %[p]\n\tdec %[n]\n\tjnz 1b\n\t"
        "movups %%xmm8, %[out]"
        : [out] "=m"(out), [p] "+r"(p), [n] "+r"(n)
        : [in] "m"(in)
        : "memory", "xmm8");
    ok(!memcmp(in, out, 16), "page faults leave them alone");
}

/* x87, not SSE: software emulators of the CPU do not raise SSE exceptions. */
static void fp_exception(void *arg)
{
    uint16_t cw = 0x37b; /* division by zero unmasked */

    asm volatile("fninit\n\tfldcw %0\n\tfldz\n\tfld1\n\tfdivp\n\tfwait" : : "m"(cw));
}

int main(int argc, char **argv)
{
    unsigned a, b, c, d, lo, hi;

    if (argc > 1) {
        uint16_t cw;
        asm volatile("fnstcw %0" : "=m"(cw));
        ok(get_mxcsr() == 0x1f80 && cw == 0x37f, "exec starts with defaults");
        return 0;
    }
    __cpuid(1, a, b, c, d);
    if (c & bit_OSXSAVE) {
        asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
        has_avx = (c & bit_AVX) && (lo & 6) == 6;
    }
    interrupted();
    frame();
    t_child(bad_frame, NULL);
    children();
    faults();
    ok(t_killed(t_child(fp_exception, NULL), SIGFPE), "an x87 exception kills with SIGFPE");
    if (fork() == 0) {
        set_mxcsr(0x1f80 | 0x6000);
        execl("/proc/self/exe", "x", "exec", NULL);
        _exit(1);
    }
    wait(NULL);
    return t_done();
}
