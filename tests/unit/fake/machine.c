// SPDX-License-Identifier: Apache-2.0
/*
 * The fake machine: RAM is one anonymous mapping, flushes are counted, a spinlock that is taken
 * twice or a sleep under a spinlock is an error.
 */
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>

/* <sys/mman.h> does not go with <linux/mman.h>. */
void *mmap(void *addr, size_t len, int prot, int flags, int fd, long off);
int munmap(void *addr, size_t len);
int madvise(void *addr, size_t len, int advice);

struct task *fake_current;
u64 phys_base;
u64 fake_fault_around = 4096;
bool fake_huge_pages;
u64 fake_released;
u64 fake_limits[RLIM_NLIMITS];
unsigned fake_kills;
unsigned machine_ncpus = 1;
u64 machine_tsc_khz = 1000000;
int log_level;
struct machine_clock machine_clock;
const char vdso_image[1], vdso_image_end[1];

static struct task the_task;
static struct process the_process;
static void *ram;
static u64 ram_size;
static unsigned spinlocks_held;

void fake_start(u64 size)
{
    ram_size = size;
    ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
               0);
    if (ram == (void *)-1)
        abort();
    phys_base = (u64)ram - RAM_GPA;
    fake_released = 0;
    fake_kills = 0;
    for (int i = 0; i < RLIM_NLIMITS; i++)
        fake_limits[i] = RLIM64_INFINITY;
    the_task = (struct task){.tid = 1, .process = &the_process, .comm = "test"};
    the_process = (struct process){.pid = 1, .leader = &the_task};
    fake_current = &the_task;
    page_init(RAM_GPA, size);
    slab_init();
    mm_init();
}

void fake_stop(void)
{
    munmap(ram, ram_size);
    phys_base = 0;
}

void spin_lock_raw(struct spinlock *l)
{
    if (l->locked)
        panic("spinlock taken twice");
    l->locked = 1;
    spinlocks_held++;
}

void spin_unlock_raw(struct spinlock *l)
{
    if (!l->locked)
        panic("spinlock not held");
    l->locked = 0;
    spinlocks_held--;
}

bool spin_trylock_raw(struct spinlock *l)
{
    if (l->locked)
        return false;
    spin_lock_raw(l);
    return true;
}

int machine_park(u64 deadline)
{
    if (spinlocks_held)
        panic("sleeps with a spinlock held");
    if (deadline == U64_MAX)
        panic("sleeps for ever");
    return -ETIMEDOUT;
}

void machine_unpark(struct task *t) {}

void machine_yield(void) {}

u64 machine_clock_mono(void)
{
    static u64 now;
    return now += 1000000;
}

u64 clock_monotonic(void)
{
    return machine_clock_mono();
}

s64 host_call(struct hostcall *r)
{
    r->ret = -ENOSYS;
    if (r->nr == HC_MEM_PLUG) {
        r->out[0] = RAM_GPA + ram_size;
        r->ret = 0;
    }
    if (r->nr == HC_MEM_PLUG) {
        r->out[0] = RAM_GPA + ram_size;
        r->ret = 0;
    }
    if (r->nr == HC_MEM_RELEASE) {
        if (spinlocks_held)
            panic("host call with a spinlock held");
        if (r->arg[0] < RAM_GPA || r->arg[0] + r->arg[1] > RAM_GPA + ram_size)
            panic("releases what is no RAM");
        madvise(phys_to_virt(r->arg[0]), r->arg[1], MADV_DONTNEED);
        fake_released += r->arg[1];
        r->ret = 0;
    }
    return r->ret;
}

s64 host_call_wait(struct hostcall *r)
{
    return host_call(r);
}

int mspace_init(struct mm *mm)
{
    return 0;
}

void mspace_protect(struct mm *mm, uva_t start, uva_t end)
{
    mspace_flush(mm, start, end);
}

void mspace_inherit(struct mm *mm, struct mm *from, uva_t lo, uva_t hi)
{
    if (lo < hi)
        mspace_flush(from, lo, hi);
}

void mspace_destroy(struct mm *mm) {}

void mspace_switch(struct mm *mm)
{
    current->mm = mm;
}

void mspace_flush(struct mm *mm, uva_t start, uva_t end)
{
    if (spinlocks_held)
        panic("flush with a spinlock held");
    if (!mm->lock.count)
        panic("flush without mm->lock");
    if (start >= end)
        panic("empty flush");
    mm->mspace.flushes++;
    mm->mspace.flush_start = start;
    mm->mspace.flush_end = end;
}

void log_write(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fputs("# ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

void panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    abort();
}

void random_bytes(void *buf, size_t n)
{
    static u64 state = 88172645463325252ULL;

    for (size_t i = 0; i < n; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((u8 *)buf)[i] = (u8)(state >> 24);
    }
}

u64 rlimit(int which)
{
    return fake_limits[which];
}

bool capable(int cap)
{
    return current->cred && (current->cred->cap_effective >> cap & 1);
}

struct task *kthread_start(const char *name, void (*fn)(void *), void *arg)
{
    return NULL;
}

struct spinlock tasklist_lock;
struct list all_processes = LIST_INIT(all_processes);
struct process *init_process = &the_process;

int signal_send_process(struct process *p, int sig, const kernel_siginfo_t *info)
{
    fake_kills++;
    return 0;
}

bool signal_pending(const struct task *t)
{
    return false;
}

/* User memory, through the page tables of the current task. */

int copy_to_user(uva_t dst, const void *src, size_t n)
{
    return mm_access(current->mm, dst, (void *)src, n, true, false) == (s64)n ? 0 : -EFAULT;
}

int copy_from_user(void *dst, uva_t src, size_t n)
{
    return mm_access(current->mm, src, dst, n, false, false) == (s64)n ? 0 : -EFAULT;
}
