// SPDX-License-Identifier: Apache-2.0
/*
 * The vDSO: clocks and the CPU number without a system call. Position-independent, no
 * relocations, runs in user mode of every process; see mm/vdso.c for how it gets there.
 */
#include <asm/unistd.h>
#include <linux/time.h>
#include "sentry/vdso/vdso_data.h"

#define NSEC_PER_SEC 1000000000ull
#define CPU_MASK     0xfff

#define public __attribute__((visibility("default")))
#define alias(name) __attribute__((weak, visibility("default"), alias(#name)))

/* One page in front of the image (vdso.lds). */
extern const struct vdso_data vdso_page __attribute__((visibility("hidden")));

struct getcpu_cache;

static inline long call2(long nr, long a, long b)
{
    long ret;

    __asm__ volatile("syscall" : "=a"(ret) : "0"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
    return ret;
}

static inline u64 read_tsc(void)
{
    u32 lo, hi;

    __asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (u64)hi << 32 | lo;
}

/* Monotonic or real time in ns; 0: the Sentry has to be asked. */
static inline u64 now(int real)
{
    const struct vdso_data *d = &vdso_page;
    u64 ns, delta;
    u32 seq;

    do {
        while ((seq = __atomic_load_n(&d->seq, __ATOMIC_ACQUIRE)) & 1)
            __asm__ volatile("pause");
        if (!(d->flags & VDSO_TSC))
            return 0;
        delta = read_tsc() - d->tsc_base;
        if ((s64)delta < 0)
            delta = 0;
        ns = d->mono_base + (u64)((unsigned __int128)delta * d->mult >> d->shift);
        if (real)
            ns = ns < d->real_until ? ns + d->real_offset : 0;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (seq != __atomic_load_n(&d->seq, __ATOMIC_RELAXED));
    return ns;
}

enum kind { OTHER, MONOTONIC, REAL };

static inline enum kind kind_of(int id)
{
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
        return REAL;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        return MONOTONIC;
    default:
        return OTHER;
    }
}

public
int __vdso_clock_gettime(int id, struct timespec *ts);
public
int __vdso_clock_getres(int id, struct timespec *ts);
public
int __vdso_gettimeofday(struct timeval *tv, struct timezone *tz);
public
long __vdso_time(long *t);
public
long __vdso_getcpu(unsigned *cpu, unsigned *node, struct getcpu_cache *unused);

int __vdso_clock_gettime(int id, struct timespec *ts)
{
    enum kind kind = kind_of(id);
    u64 ns = kind == OTHER ? 0 : now(kind == REAL);

    if (!ns)
        return (int)call2(__NR_clock_gettime, id, (long)ts);
    ts->tv_sec = (long)(ns / NSEC_PER_SEC);
    ts->tv_nsec = (long)(ns % NSEC_PER_SEC);
    return 0;
}

int __vdso_clock_getres(int id, struct timespec *ts)
{
    if (kind_of(id) == OTHER)
        return (int)call2(__NR_clock_getres, id, (long)ts);
    if (ts) {
        ts->tv_sec = 0;
        ts->tv_nsec = id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE
                          ? (long)vdso_page.coarse_res
                          : 1;
    }
    return 0;
}

int __vdso_gettimeofday(struct timeval *tv, struct timezone *tz)
{
    u64 ns = now(1);

    if (!ns)
        return (int)call2(__NR_gettimeofday, (long)tv, (long)tz);
    if (tv) {
        tv->tv_sec = (long)(ns / NSEC_PER_SEC);
        tv->tv_usec = (long)(ns % NSEC_PER_SEC / 1000);
    }
    if (tz)
        tz->tz_minuteswest = tz->tz_dsttime = 0;
    return 0;
}

long __vdso_time(long *t)
{
    u64 ns = now(1);
    long sec = (long)(ns / NSEC_PER_SEC);

    if (!ns)
        return call2(__NR_time, (long)t, 0);
    if (t)
        *t = sec;
    return sec;
}

long __vdso_getcpu(unsigned *cpu, unsigned *node, struct getcpu_cache *unused)
{
    u32 aux;

    if (!(vdso_page.flags & VDSO_TSC_AUX))
        return call2(__NR_getcpu, (long)cpu, (long)node);
    __asm__ volatile("rdtscp" : "=c"(aux)::"rax", "rdx");
    if (cpu)
        *cpu = aux & CPU_MASK;
    if (node)
        *node = 0;
    return 0;
}

int clock_gettime(int id, struct timespec *ts) alias(__vdso_clock_gettime);
int clock_getres(int id, struct timespec *ts) alias(__vdso_clock_getres);
int gettimeofday(struct timeval *tv, struct timezone *tz) alias(__vdso_gettimeofday);
long time(long *t) alias(__vdso_time);
long getcpu(unsigned *cpu, unsigned *node, struct getcpu_cache *unused) alias(__vdso_getcpu);
