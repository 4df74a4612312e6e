// SPDX-License-Identifier: Apache-2.0
//
// RAM of the sandbox. The whole physical address space is reserved without access once; RAM is
// opened inside it (demand-faulted by the host), window chunks come and go (window.c), and the
// image's writable part is opened by image.c. No lock: everything is set before the first thread
// starts.

#include "vmm/memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

static char *base;
static u64 ram_size;
static int ram_fd = -1;

u64 memory_host_ram(void)
{
    struct sysinfo si;
    u64 n;

    if (sysinfo(&si) != 0)
        return GIB(1);
    n = (u64)si.totalram * si.mem_unit;
    if (n > RAM_MAX)
        n = RAM_MAX;
    return n & ~(MIB(2) - 1);
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
        madvise(p, ram_size, MADV_HUGEPAGE); /* a wish; kernels without THP refuse it */
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
