// SPDX-License-Identifier: Apache-2.0
/*
 * What sentry/fs needs of sentry/kernel, for tests with one task: root's credentials that tests may
 * change, clocks, nothing that waits.
 */
#include "fake_kernel.h"

struct cred *fake_cred;

void fake_kernel_start(void)
{
    fake_cred = kzalloc(sizeof(struct cred) + 8 * sizeof(u32));
    ref_init(&fake_cred->refs, 1);
    fake_cred->cap_effective = fake_cred->cap_permitted = ~0ULL;
    current->cred = fake_cred;
    current->files = files_new();
}

void fake_kernel_stop(void)
{
    files_put(current->files);
    fs_context_put(current->fs);
    kfree(fake_cred);
}

u64 clock_realtime(void)
{
    return clock_monotonic();
}

bool in_group(const struct cred *c, u32 gid)
{
    for (u32 i = 0; i < c->ngroups; i++)
        if (c->groups[i] == gid)
            return true;
    return false;
}

struct cred *cred_copy(const struct cred *c, u32 ngroups)
{
    struct cred *n = kzalloc(sizeof(*n) + 8 * sizeof(u32));

    memcpy(n, c, sizeof(*n) + ngroups * sizeof(u32));
    return n;
}

void cred_put(struct cred *c)
{
    kfree(c);
}

int signal_send_task(struct task *t, int sig, const kernel_siginfo_t *info)
{
    return 0;
}

void epoll_forget_file(struct vfs_file *f) {}

int fifo_open(struct inode *ino, struct vfs_file *f)
{
    return -ENXIO;
}

s64 pipe_fcntl(struct vfs_file *f, u32 cmd, u64 arg)
{
    return -EBADF;
}

long strncpy_from_user(char *dst, uva_t src, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (copy_from_user(dst + i, src + i, 1))
            return -EFAULT;
        if (!dst[i])
            return (long)i;
    }
    return -ENAMETOOLONG;
}

int clear_user(uva_t dst, size_t n)
{
    char zero[512] = {0};

    for (size_t i = 0; i < n; i += sizeof(zero))
        if (copy_to_user(dst + i, zero, MIN(n - i, sizeof(zero))))
            return -EFAULT;
    return 0;
}
