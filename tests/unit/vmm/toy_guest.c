// SPDX-License-Identifier: Apache-2.0
//
// A guest for the VMM's own test: stands where the Sentry would, on the real bios, and makes one
// hostcall of each kind, an IPI, a timer interrupt, ring calls and a file-window fault. Exit status
// 42 when everything was as it should be, else the number of the step that failed.
//
// Standard input is a regular file, opened for reading and writing, of 8192 bytes 'A'.

#include <errno.h>
#include <libfdt.h>

#include "bios/bios.h"
#include "vmm/abi/bootinfo.h"
#include "vmm/abi/hostcall.h"
#include "vmm/abi/layout.h"
#include "vmm/abi/ring.h"

#define BUF_GPA   (RAM_GPA + MIB(4))
#define BUF       ((char *)(DIRECT_MAP_VA + BUF_GPA))
#define WINDOW    ((volatile char *)(DIRECT_MAP_VA + WINDOW_GPA))
#define VECTOR_MC 18

static struct bios_cpu cpus[2];
static struct ring *ring;
static struct hostcall *blocks;
static u64 idt[256 * 2] __attribute__((aligned(16)));
static char stacks[2][16384] __attribute__((aligned(16)));
static volatile unsigned ring_irqs, timer_irqs, ipis, machine_checks, second_up;

void *memcpy(void *d, const void *s, size_t n)
{
    void *r = d;

    __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
    return r;
}

void *memset(void *d, int c, size_t n)
{
    void *r = d;

    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
    return r;
}

void *memmove(void *d, const void *s, size_t n);
void *memmove(void *d, const void *s, size_t n)
{
    return memcpy(d, s, n);
}

int memcmp(const void *a, const void *b, size_t n)
{
    const u8 *x = a, *y = b;

    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

size_t strnlen(const char *s, size_t max);
size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n])
        n++;
    return n;
}

void *memchr(const void *s, int c, size_t n)
{
    const u8 *p = s;

    for (; n; n--, p++)
        if (*p == (u8)c)
            return (void *)p;
    return NULL;
}

char *strchr(const char *s, int c)
{
    return memchr(s, c, strlen(s) + 1);
}

char *strrchr(const char *s, int c)
{
    char *found = NULL;

    for (; *s; s++)
        if (*s == (char)c)
            found = (char *)s;
    return found;
}

static void wrmsr(u32 msr, u64 v)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

static u64 rdtsc(void)
{
    u32 lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return lo | (u64)hi << 32;
}

static s64 call(u32 cpu, u32 nr, u64 a, u64 b, u64 c, u64 d, u64 e)
{
    struct hostcall *hc = (void *)((char *)blocks + (u64)cpu * HOSTCALL_BLOCK_STRIDE);

    *hc = (struct hostcall){.nr = nr, .arg = {a, b, c, d, e}};
    __asm__ volatile("outl %0, %w1" : : "a"(cpu), "d"(HOSTCALL_PORT) : "memory");
    return hc->ret;
}

#define CALL5(nr, a, b, c, d, e, ...) call(0, HC_##nr, a, b, c, d, e)
#define CALL(nr, ...)                 CALL5(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)

static void check(int step, int ok)
{
    if (!ok)
        CALL(EXIT, (u64)step);
}

struct frame;
/* counts, and writes the local APIC's end-of-interrupt register (0x80b) */
#define HANDLER(name, counter)                                               \
    __attribute__((interrupt)) static void name(struct frame *f)             \
    {                                                                        \
        counter++;                                                           \
        __asm__ volatile("wrmsr" : : "c"(0x80b), "a"(0), "d"(0) : "memory"); \
    }
HANDLER(on_ring, ring_irqs)
HANDLER(on_timer, timer_irqs)
HANDLER(on_ipi, ipis)
__attribute__((interrupt)) static void on_mc(struct frame *f)
{
    machine_checks++;
}

static void gate(unsigned vector, void (*handler)(struct frame *))
{
    u64 a = (u64)handler;

    idt[2 * vector] = (a & 0xffff) | (u64)SEL_KERNEL_CS << 16 | 0x8e00ULL << 32 | (a >> 16) << 48;
    idt[2 * vector + 1] = a >> 32;
}

static void load_cpu(u32 n)
{
    struct bios_cpu *c = &cpus[n];

    c->cpu = n;
    c->idt = (u64)idt;
    c->idt_limit = sizeof(idt) - 1;
    c->stack = (u64)stacks[n] + sizeof(stacks[n]);
    bios_cpus[n] = c;
}

static u64 reg(const void *fdt, const char *path, const char *prop)
{
    const fdt64_t *p = fdt_getprop(fdt, fdt_path_offset(fdt, path), prop, NULL);

    return p ? fdt64_to_cpu(*p) : 0;
}

static struct ring_cqe ring_call(u32 nr, u64 a, u64 b, u64 c, u64 d)
{
    static u32 tail, head;
    struct ring_sqe *e = &ring->sq[tail % RING_ENTRIES];
    struct ring_cqe done;

    *e = (struct ring_sqe){.cookie = 1000 + tail, .nr = nr, .arg = {a, b, c, d}};
    __atomic_store_n(&ring->sq_tail, ++tail, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&ring->sq_need_kick, __ATOMIC_SEQ_CST))
        __asm__ volatile("outl %0, %w1" : : "a"(0), "d"(HOSTCALL_DOORBELL) : "memory");
    while (__atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE) == head)
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    done = ring->cq[head % RING_ENTRIES];
    __atomic_store_n(&ring->cq_head, ++head, __ATOMIC_RELEASE);
    return done;
}

static void test_calls(void)
{
    struct host_stat *st = (void *)BUF;

    check(1, CALL(VERSION) == HOSTCALL_VERSION);
    check(2, call(0, 9999, 0, 0, 0, 0, 0) == -ENOSYS);
    check(3, CALL(CLOCK) == 0);
    check(4, CALL(RANDOM, IMAGE_GPA, 16) == -EFAULT);
    check(5, CALL(RANDOM, RAM_GPA - 8, 16) == -EFAULT);
    check(6, CALL(RANDOM, BUF_GPA, 16) == 0 && (*(u64 *)BUF || *(u64 *)(BUF + 8)));
    memcpy(BUF, "toy guest\n", 10);
    check(7, CALL(LOG, 1, BUF_GPA, 10) == 0);
    check(8, CALL(MEM_RELEASE, BUF_GPA, 4096) == 0 && BUF[0] == 0);
    check(9, CALL(FD_STAT, 0, BUF_GPA) == 0 && st->size == 8192);
    check(10, CALL(FD_STAT, 77, BUF_GPA) == -EBADF);
    check(11, CALL(POLL_ADD, 0, 1, 5) == -EPERM); /* regular files are always ready */
    check(12, CALL(EVENT_WAIT, BUF_GPA, 65) == -EINVAL);
    check(13, CALL(MEM_PLUG, RAM_GPA + GIB(3) + 1) == -EINVAL && CALL(MEM_PLUG, 0) == -EINVAL);
    check(14, CALL(MEM_PLUG, RAM_GPA + GIB(2)) == 0 && blocks->out[0] >= RAM_GPA + GIB(2));
    *(volatile u64 *)(DIRECT_MAP_VA + RAM_GPA + GIB(2) - 8) = 1;
}

static void test_ring(void)
{
    struct ring_cqe c = ring_call(HC_PREAD, 0, BUF_GPA, 100, 8100);

    check(20, c.ret == 92 && c.cookie == 1000 && BUF[0] == 'A');
    for (int i = 0; i < 300; i++) {
        c = ring_call(HC_PREAD, 0, BUF_GPA, 1, 0);
        check(21, c.ret == 1 && c.cookie == 1001 + (u64)i);
    }
    check(22, ring_irqs > 0);
}

static void test_cpus(void)
{
    check(30, CALL(CPU_START, 0) == -EINVAL && CALL(CPU_START, 2) == -EINVAL);
    load_cpu(1);
    check(31, CALL(CPU_START, 1) == 0 && CALL(CPU_START, 1) == -EBUSY);
    while (!second_up)
        __asm__ volatile("pause");
    wrmsr(0x830, 1ULL << 32 | VECTOR_RESCHED);
    while (!ipis)
        __asm__ volatile("pause");
}

static void test_timer(void)
{
    wrmsr(0x832, 2 << 17 | VECTOR_TIMER);
    wrmsr(0x6e0, rdtsc() + 1000000);
    while (!timer_irqs)
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
}

static void test_window(void)
{
    struct hostcall *hc = blocks;

    check(40, CALL(WINDOW_MAP, 0, 0, 8192, WINDOW_GPA, 1) == 0);
    check(41, WINDOW[0] == 'A' && WINDOW[8191] == 'A');
    WINDOW[1] = 'B';
    check(42, ring_call(HC_PREAD, 0, BUF_GPA, 2, 0).ret == 2 && BUF[1] == 'B');
    check(43, CALL(WINDOW_LOST) == 0);
    check(44, CALL(FTRUNCATE, 0, 4096) == 0);
    check(45, WINDOW[0] == 'A' && machine_checks == 0);
    check(46, WINDOW[5000] == 0 && machine_checks == 1);
    check(47, CALL(WINDOW_LOST) == 1 && hc->out[0] == WINDOW_GPA);
    check(48, CALL(WINDOW_LOST) == 0);
    check(49, ring_call(HC_EVENT_WAIT, BUF_GPA, 64, 0, 0).ret == 1 &&
                  ((struct host_event *)BUF)->kind == HOST_EVENT_WINDOW);
    check(50, CALL(WINDOW_UNMAP, WINDOW_GPA, 8192) == 0);
}

void sentry_boot(u64 fdt_gpa)
{
    const void *fdt = (const void *)(IMAGE_VA + fdt_gpa);

    blocks = (void *)(IMAGE_VA + reg(fdt, "/hostcall", "reg"));
    ring = (void *)(IMAGE_VA + reg(fdt, "/ring", "reg"));
    gate(VECTOR_RING, on_ring);
    gate(VECTOR_TIMER, on_timer);
    gate(VECTOR_RESCHED, on_ipi);
    gate(VECTOR_MC, on_mc);
    load_cpu(0);
    bios_cpu_load(&cpus[0]);
    test_calls();
    test_ring();
    test_cpus();
    test_timer();
    test_window();
    CALL(EXIT, 42);
    for (;;)
        ;
}

void sentry_boot_secondary(u32 cpu)
{
    second_up = cpu;
    for (;;)
        __asm__ volatile("sti\n\thlt" : : : "memory");
}
