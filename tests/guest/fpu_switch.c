// SPDX-License-Identifier: Apache-2.0
//
// Registers that hold vectors and floating point numbers belong to one task: processes and threads
// that share one CPU and are switched by force, by yielding and by system calls must never see each
// other's. Covers x87, MXCSR, SSE and, where the CPU has them, AVX, AVX-512 registers and masks.

#include "t.h"
#include <cpuid.h>
#include <pthread.h>
#include <stddef.h>

enum { TASKS = 4, MS = 300 };

static bool has_avx, has_avx512;

static void detect(void)
{
    unsigned a, b, c, d, lo, hi;

    __cpuid(1, a, b, c, d);
    if (!(c & bit_OSXSAVE))
        return;
    asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    has_avx = (c & bit_AVX) && (lo & 6) == 6;
    __cpuid_count(7, 0, a, b, c, d);
    has_avx512 = has_avx && (b & bit_AVX512F) && (lo & 0xe0) == 0xe0;
}

struct regs {
    uint64_t xmm[16][2] __attribute__((aligned(16)));
    uint64_t ymm[16][4] __attribute__((aligned(32)));
    uint64_t zmm[32][8] __attribute__((aligned(64)));
    uint64_t k[8];
    double st[4];
    uint32_t mxcsr;
    uint16_t cw;
};

#define EACH16(F) \
    F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15)
#define EACH32(F) \
    EACH16(F)     \
    F(16) F(17) F(18) F(19) F(20) F(21) F(22) F(23) F(24) F(25) F(26) F(27) F(28) F(29) F(30) F(31)
#define S_LOAD_X(n)  "movaps 16*" #n "(%0), %%xmm" #n "\n\t"
#define S_STORE_X(n) "movaps %%xmm" #n ", 16*" #n "(%0)\n\t"
#define S_LOAD_Y(n)  "vmovaps 32*" #n "(%0), %%ymm" #n "\n\t"
#define S_STORE_Y(n) "vmovaps %%ymm" #n ", 32*" #n "(%0)\n\t"
#define S_LOAD_Z(n)  "vmovdqa64 64*" #n "(%0), %%zmm" #n "\n\t"
#define S_STORE_Z(n) "vmovdqa64 %%zmm" #n ", 64*" #n "(%0)\n\t"
#define MOVE_X(n)    S_LOAD_X(n)
#define SAVE_X(n)    S_STORE_X(n)
#define MOVE_Y(n)    S_LOAD_Y(n)
#define SAVE_Y(n)    S_STORE_Y(n)
#define MOVE_Z(n)    S_LOAD_Z(n)
#define SAVE_Z(n)    S_STORE_Z(n)

static void fill(struct regs *r, unsigned seed)
{
    uint64_t *w = (uint64_t *)r;

    memset(r, 0, sizeof(*r));
    for (unsigned i = 0; i < offsetof(struct regs, st) / 8; i++)
        w[i] = (i + 1) * 0x9e3779b97f4a7c15 * (2 * seed + 1);
    for (int i = 0; i < 8; i++)
        r->k[i] &= 0xffff;
    for (int i = 0; i < 4; i++)
        r->st[i] = seed % 1000 * 1000.25 + i; /* 24 bits: emulators round what FLD loads */
    r->mxcsr = 0x1f80 | (seed & 3) << 13;
    r->cw = 0x37f & ~(seed & 1 ? 0x300 : 0);
}

/* Loads every register from in, spends time outside (a system call or a loop), stores them to out:
 * no C in between. */
static __attribute__((noinline)) void carry(const struct regs *in, struct regs *out, long nr,
                                            long loops)
{
    if (has_avx512) {
        asm volatile(EACH32(MOVE_Z) : : "r"(in->zmm) : "memory");
        asm volatile("kmovw 8(%0), %%k1\n\tkmovw 16(%0), %%k2\n\tkmovw 56(%0), %%k7"
                     :
                     : "r"(in->k));
    } else if (has_avx) {
        asm volatile(EACH16(MOVE_Y) : : "r"(in->ymm) : "memory");
    } else {
        asm volatile(EACH16(MOVE_X) : : "r"(in->xmm) : "memory");
    }
    asm volatile("fninit\n\tfldcw %0\n\tldmxcsr %1" : : "m"(in->cw), "m"(in->mxcsr));
    asm volatile("fldl 24(%0)\n\tfldl 16(%0)\n\tfldl 8(%0)\n\tfldl (%0)" : : "r"(in->st));
    long rc;
    asm volatile("syscall" : "=a"(rc) : "a"(nr), "D"(0) : "rcx", "r11", "memory");
    asm volatile("1: dec %0\n\tjnz 1b" : "+r"(loops));
    asm volatile("fstpl (%0)\n\tfstpl 8(%0)\n\tfstpl 16(%0)\n\tfstpl 24(%0)"
                 :
                 : "r"(out->st)
                 : "memory");
    asm volatile("fnstcw %0\n\tstmxcsr %1" : "=m"(out->cw), "=m"(out->mxcsr));
    if (has_avx512) {
        asm volatile(EACH32(SAVE_Z) : : "r"(out->zmm) : "memory");
        asm volatile("kmovw %%k1, 8(%0)\n\tkmovw %%k2, 16(%0)\n\tkmovw %%k7, 56(%0)"
                     :
                     : "r"(out->k)
                     : "memory");
        asm volatile("vzeroupper");
    } else if (has_avx) {
        asm volatile(EACH16(SAVE_Y) : : "r"(out->ymm) : "memory");
        asm volatile("vzeroupper");
    } else {
        asm volatile(EACH16(SAVE_X) : : "r"(out->xmm) : "memory");
    }
    static const uint32_t mxcsr = 0x1f80;
    asm volatile("fninit\n\tldmxcsr %0" : : "m"(mxcsr));
}

/* What carry() does not touch on this CPU is taken over, so that all of it can be compared. */
static const char *difference(const struct regs *a, const struct regs *b)
{
    if (has_avx512) {
        if (memcmp(a->zmm, b->zmm, sizeof(a->zmm)))
            return "zmm";
        if (a->k[1] != b->k[1] || a->k[2] != b->k[2] || a->k[7] != b->k[7])
            return "k";
    } else if (has_avx) {
        if (memcmp(a->ymm, b->ymm, sizeof(a->ymm)))
            return "ymm";
    } else if (memcmp(a->xmm, b->xmm, sizeof(a->xmm))) {
        return "xmm";
    }
    if (memcmp(a->st, b->st, sizeof(a->st)))
        return "x87";
    return a->cw != b->cw                               ? "control word"
           : (a->mxcsr & ~0x3fU) != (b->mxcsr & ~0x3fU) ? "mxcsr"
                                                        : NULL;
}

static const char *work(unsigned seed)
{
    static const long calls[] = {SYS_getppid, SYS_sched_yield, SYS_getuid};
    struct regs in, out;
    int64_t end = t_now_ms() + MS;
    const char *d;

    for (unsigned i = 0; t_now_ms() < end; i++) {
        fill(&in, seed + i * TASKS);
        memset(&out, 0, sizeof(out));
        carry(&in, &out, calls[i % 3], i % 16 ? 200 : 200000);
        if ((d = difference(&in, &out)))
            return d;
    }
    return NULL;
}

static void *thread(void *arg)
{
    return (void *)work((long)arg);
}

int main(void)
{
    pthread_t t[TASKS];
    pid_t pid[TASKS];
    cpu_set_t one;
    int st, bad = 0;

    detect();
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    ok(sched_setaffinity(0, sizeof(one), &one) == 0, "all on one CPU");
    for (long i = 0; i < TASKS; i++)
        if ((pid[i] = fork()) == 0) {
            const char *d = work(i);
            if (d)
                t_say("process %ld: %s changed", i, d);
            _exit(d != NULL);
        }
    for (int i = 0; i < TASKS; i++)
        bad += waitpid(pid[i], &st, 0) != pid[i] || !t_exited(st, 0);
    ok(!bad, "processes keep their registers");
    bad = 0;
    for (long i = 0; i < TASKS; i++)
        must(pthread_create(&t[i], NULL, thread, (void *)i) == 0);
    for (int i = 0; i < TASKS; i++) {
        void *d;
        pthread_join(t[i], &d);
        if (d) {
            t_say("thread %d: %s changed", i, (char *)d);
            bad++;
        }
    }
    ok(!bad, "threads keep their registers");
    return t_done();
}
