// SPDX-License-Identifier: Apache-2.0
//
// RAM of the sandbox. The whole physical address space is reserved without access once; RAM is
// opened inside it (demand-faulted by the host), window chunks come and go (window.c), and the
// image's writable part is opened by image.c. All that is set before the first thread starts; only
// how much of RAM the guest has memory slots for grows later.

#include "vmm/memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define SMALL_PAGES MIB(16)
#define PLUG_MIN    GIB(1)

static char *base;
static u64 ram_size;
static int ram_fd = -1;

int (*memory_add_slot)(u64 gpa, u64 size);
static u64 plugged = RAM_GPA; /* written under plug_lock */
static pthread_mutex_t plug_lock = PTHREAD_MUTEX_INITIALIZER;

/* MemAvailable of /proc/meminfo in bytes, or 0. */
static u64 available(void)
{
    char line[128];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/meminfo", "re");

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib << 10;
}

u64 memory_host_ram(void)
{
    struct sysinfo si;
    u64 n = available();

    if (!n && sysinfo(&si) == 0)
        n = (u64)si.totalram * si.mem_unit;
    if (!n)
        return GIB(1);
    /* A sandbox that has used up its RAM kills the application; a host that has, the sandbox. */
    n -= n / 16 + MIB(32) < n / 2 ? n / 16 + MIB(32) : n / 2;
    if (n > RAM_MAX)
        n = RAM_MAX;
    return n & ~(MIB(2) - 1);
}

/*
 * Huge pages, but not where the Sentry starts: its page array (1/128 of RAM, hardly touched) and
 * the first memory that it hands out, which is all that a small container ever uses. Only wishes.
 */
static void wish_pages(char *p)
{
    u64 small = (ram_size / 128 + SMALL_PAGES + MIB(2) - 1) & ~(MIB(2) - 1);

    if (small > ram_size)
        small = ram_size;
    madvise(p, small, MADV_NOHUGEPAGE);
    madvise(p + small, ram_size - small, MADV_HUGEPAGE);
}

static int map_ram(enum memory_kind kind)
{
    int flags = MAP_FIXED | MAP_NORESERVE;
    void *p;

    if (kind == MEMORY_SHARED) {
        ram_fd = memfd_create("ringfort-ram", MFD_CLOEXEC);
        if (ram_fd < 0)
            return -errno;
        if (ftruncate(ram_fd, (off_t)ram_size) != 0)
            return -errno;
        flags |= MAP_SHARED;
    } else {
        flags |= MAP_PRIVATE | MAP_ANONYMOUS;
    }
    p = mmap(base + RAM_GPA, ram_size, PROT_READ | PROT_WRITE, flags, ram_fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    if (kind == MEMORY_PRIVATE)
        wish_pages(p);
    madvise(p, ram_size, MADV_DONTDUMP);
    return 0;
}

int memory_init(enum memory_kind kind, u64 ram_bytes)
{
    const u64 align = GIB(1);
    char *p;

    if (base)
        return -EBUSY;
    if (ram_bytes == 0 || ram_bytes > RAM_MAX || ram_bytes % MIB(2))
        return -EINVAL;
    /* 1 GiB aligned, so that huge pages of host and guest fall together */
    p = mmap(NULL, PHYS_END + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    base = (char *)(((u64)p + align - 1) & ~(align - 1));
    ram_size = ram_bytes;
    return map_ram(kind);
}

u64 memory_ram_size(void)
{
    return ram_size;
}

void *memory_base(void)
{
    return base;
}

int memory_ram_fd(void)
{
    return ram_fd;
}

void *memory_translate(gpa_t gpa, u64 len)
{
    if (gpa.addr < RAM_GPA || len == 0 || len > ram_size)
        return NULL;
    if (gpa.addr - RAM_GPA > ram_size - len)
        return NULL;
    return base + gpa.addr;
}

u64 memory_plugged(void)
{
    return __atomic_load_n(&plugged, __ATOMIC_ACQUIRE);
}

int memory_plug(u64 end)
{
    int r = 0;

    if (end < RAM_GPA || end > RAM_GPA + ram_size)
        return -EINVAL;
    pthread_mutex_lock(&plug_lock);
    while (plugged < end && !r) {
        u64 step = plugged - RAM_GPA; /* doubles: few slots, and little waste */

        if (step < PLUG_MIN)
            step = PLUG_MIN;
        if (step < end - plugged)
            step = (end - plugged + PLUG_MIN - 1) & ~(PLUG_MIN - 1);
        if (step > RAM_GPA + ram_size - plugged)
            step = RAM_GPA + ram_size - plugged;
        r = memory_add_slot ? memory_add_slot(plugged, step) : 0;
        if (!r)
            __atomic_store_n(&plugged, plugged + step, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&plug_lock);
    return r;
}

int memory_release(gpa_t gpa, u64 len)
{
    void *p = memory_translate(gpa, len);

    if (!p)
        return -EFAULT;
    if (gpa.addr % 4096 || len % 4096)
        return -EINVAL;
    if (madvise(p, len, ram_fd >= 0 ? MADV_REMOVE : MADV_DONTNEED) != 0)
        return -errno;
    return 0;
}
