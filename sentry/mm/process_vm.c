// SPDX-License-Identifier: Apache-2.0
/*
 * process_vm_readv(2) and process_vm_writev(2): copying between the memory of two processes, by way
 * of a page of the Sentry's.
 */
#include "sentry/fs/proc/proc.h"
#include "sentry/fs/uio.h"
#include "sentry/mm/internal.h"
#include "sentry/syscall/syscall.h"

#define IOV_MAX   1024
#define TOTAL_MAX 0x7ffff000u

/* Vectors from the application, kmalloc'ed; NULL with *err = 0 when there are none. */
static struct uio_vec *copy_vecs(uva_t from, u64 n, int *err)
{
    struct uio_vec *v;
    u64 total = 0;

    *err = n > IOV_MAX ? -EINVAL : 0;
    if (*err || !n)
        return NULL;
    v = kmalloc(n * sizeof(*v));
    if (!v)
        *err = -ENOMEM;
    else if (copy_from_user(v, from, n * sizeof(*v)))
        *err = -EFAULT;
    for (u64 i = 0; i < n && !*err; i++) {
        if ((s64)v[i].len < 0)
            *err = -EINVAL;
        else
            v[i].len = MIN(v[i].len, TOTAL_MAX - total);
        total += v[i].len;
    }
    if (!*err)
        return v;
    kfree(v);
    return NULL;
}

/* One copy; addresses in the other process and in our own. */
static int move(struct mm *mm, uva_t theirs, uva_t ours, u8 *buf, u64 n, bool write)
{
    if (write) {
        if (copy_from_user(buf, ours, n))
            return -EFAULT;
        return mm_access(mm, theirs, buf, n, true, false) == (s64)n ? 0 : -EFAULT;
    }
    if (mm_access(mm, theirs, buf, n, false, false) != (s64)n)
        return -EFAULT;
    return copy_to_user(ours, buf, n);
}

/* Bytes copied, up to the first address that is bad; -EFAULT when that is the first of all. */
static s64 move_all(struct mm *mm, const struct uio_vec *l, u64 nl, const struct uio_vec *r, u64 nr,
                    bool write)
{
    u64 i = 0, ioff = 0, done = 0;
    u8 *buf = kmalloc(PAGE_SIZE);
    int err = 0;

    if (!buf)
        return -ENOMEM;
    for (u64 j = 0; j < nr && !err; j++) {
        for (u64 off = 0; off < r[j].len && i < nl && !err;) {
            uva_t at = r[j].base + off;
            u64 n = MIN(MIN(r[j].len - off, l[i].len - ioff), PAGE_SIZE - (at & ~PAGE_MASK));
            err = n ? move(mm, at, l[i].base + ioff, buf, n, write) : 0;
            if (err)
                break;
            off += n;
            done += n;
            ioff += n;
            if (ioff == l[i].len) {
                i++;
                ioff = 0;
            }
        }
    }
    kfree(buf);
    return done ? (s64)done : err;
}

static s64 process_vm(int pid, uva_t lvec, u64 nl, uva_t rvec, u64 nr, u64 flags, bool write)
{
    struct uio_vec *l, *r = NULL;
    struct task *t = NULL;
    struct mm *mm = NULL;
    int err;
    s64 ret;

    if (flags)
        return -EINVAL;
    l = copy_vecs(lvec, nl, &err);
    if (!err)
        r = copy_vecs(rvec, nr, &err);
    ret = err;
    if (!l || !r)
        goto out;
    t = task_find_get(pid);
    ret = !t ? -ESRCH : proc_may_access(t) ? -EPERM : 0;
    if (!ret && !(mm = task_mm_get(t)))
        ret = -ESRCH;
    if (!ret)
        ret = move_all(mm, l, nl, r, nr, write);
    mm_put(mm);
    if (t)
        task_put(t);
out:
    kfree(l);
    kfree(r);
    return ret;
}

SYSCALL6(process_vm_readv, int, pid, uva_t, lvec, u64, nl, uva_t, rvec, u64, nr, u64, flags)
{
    return process_vm(pid, lvec, nl, rvec, nr, flags, false);
}

SYSCALL6(process_vm_writev, int, pid, uva_t, lvec, u64, nl, uva_t, rvec, u64, nr, u64, flags)
{
    return process_vm(pid, lvec, nl, rvec, nr, flags, true);
}
