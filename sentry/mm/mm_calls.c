// SPDX-License-Identifier: Apache-2.0
/*
 * System calls of memory management.
 */
#include "sentry/fs/vfs.h"
#include "sentry/mm/internal.h"
#include "sentry/syscall/syscall.h"

SYSCALL6(mmap, uva_t, addr, u64, len, u32, prot, u32, flags, int, fd, u64, offset)
{
    struct vfs_file *f = NULL;
    s64 ret;

    if (offset & ~PAGE_MASK)
        return -EINVAL;
    if (!(flags & MAP_ANONYMOUS)) {
        f = fd_get(fd);
        if (!f)
            return -EBADF;
        if (flags & MAP_HUGETLB) {
            file_put(f);
            return -EINVAL;
        }
    }
    ret = mm_mmap(current->mm, addr, len, prot, flags, f, offset);
    if (f)
        file_put(f);
    return ret;
}

SYSCALL2(munmap, uva_t, addr, u64, len)
{
    return mm_munmap(current->mm, addr, len);
}

SYSCALL3(mprotect, uva_t, addr, u64, len, u32, prot)
{
    return mm_mprotect(current->mm, addr, len, prot);
}

/* There are no protection keys; -1 means none. */
SYSCALL4(pkey_mprotect, uva_t, addr, u64, len, u32, prot, int, pkey)
{
    return pkey == -1 ? mm_mprotect(current->mm, addr, len, prot) : -EINVAL;
}

SYSCALL2(pkey_alloc, u64, flags, u64, rights)
{
    if (flags || (rights & ~3ull)) /* PKEY_DISABLE_ACCESS, PKEY_DISABLE_WRITE */
        return -EINVAL;
    return -ENOSPC;
}

SYSCALL1(pkey_free, int, pkey)
{
    return -EINVAL;
}

SYSCALL1(brk, uva_t, brk)
{
    return (s64)mm_brk(current->mm, brk);
}

SYSCALL5(mremap, uva_t, addr, u64, old_len, u64, new_len, u64, flags, uva_t, new_addr)
{
    if (flags >> 32)
        return -EINVAL;
    return mm_mremap(current->mm, addr, old_len, new_len, (u32)flags, new_addr);
}

SYSCALL3(madvise, uva_t, addr, u64, len, int, advice)
{
    return mm_madvise(current->mm, addr, len, advice);
}

SYSCALL3(msync, uva_t, addr, u64, len, int, flags)
{
    return mm_msync(current->mm, addr, len, flags);
}

SYSCALL3(mincore, uva_t, addr, u64, len, uva_t, vec)
{
    return mm_mincore(current->mm, addr, len, vec);
}

SYSCALL2(mlock, uva_t, addr, u64, len)
{
    return mm_mlock(current->mm, addr, len, false);
}

SYSCALL3(mlock2, uva_t, addr, u64, len, int, flags)
{
    if (flags & ~MLOCK_ONFAULT)
        return -EINVAL;
    return mm_mlock(current->mm, addr, len, flags & MLOCK_ONFAULT);
}

SYSCALL2(munlock, uva_t, addr, u64, len)
{
    return mm_munlock(current->mm, addr, len);
}

SYSCALL1(mlockall, int, flags)
{
    return mm_mlockall(current->mm, flags);
}

SYSCALL0(munlockall)
{
    return mm_munlockall(current->mm);
}
