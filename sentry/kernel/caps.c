// SPDX-License-Identifier: Apache-2.0
/*
 * capget and capset, and what prctl does with capabilities.
 */
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include "sentry/kernel/internal.h"
#include "sentry/syscall/syscall.h"

/* Number of 32-bit words of the sets, 0 for a version that nobody knows. */
static int words_of_version(u32 version)
{
    switch (version) {
    case _LINUX_CAPABILITY_VERSION_1:
        return _LINUX_CAPABILITY_U32S_1;
    case _LINUX_CAPABILITY_VERSION_2:
    case _LINUX_CAPABILITY_VERSION_3:
        return _LINUX_CAPABILITY_U32S_3;
    }
    return 0;
}

/* Reads the header; tells an unknown asker which version to use. */
static int read_header(uva_t uhdr, struct __user_cap_header_struct *h)
{
    u32 preferred = _LINUX_CAPABILITY_VERSION_3;
    int words;

    if (copy_from_user(h, uhdr, sizeof(*h)))
        return -EFAULT;
    words = words_of_version(h->version);
    if (words)
        return words;
    if (put_user(preferred, uhdr))
        return -EFAULT;
    return -EINVAL;
}

SYSCALL2(capget, uva_t, uhdr, uva_t, udata)
{
    struct __user_cap_header_struct h;
    struct __user_cap_data_struct d[2] = {0};
    int words = read_header(uhdr, &h);
    struct task *t = current;
    struct cred *c;

    if (words == -EINVAL && !udata)
        return 0;
    if (words < 0)
        return words;
    if (h.pid < 0)
        return -EINVAL;
    if (h.pid) {
        t = task_find_get(h.pid);
        if (!t)
            return -ESRCH;
    }
    c = task_cred_get(t);
    if (h.pid)
        task_put(t);
    for (int i = 0; i < words; i++) {
        d[i].effective = (u32)(c->cap_effective >> 32 * i);
        d[i].permitted = (u32)(c->cap_permitted >> 32 * i);
        d[i].inheritable = (u32)(c->cap_inheritable >> 32 * i);
    }
    cred_put(c);
    if (udata && copy_to_user(udata, d, (size_t)words * sizeof(d[0])))
        return -EFAULT;
    return 0;
}

static bool subset(u64 a, u64 b)
{
    return !(a & ~b);
}

SYSCALL2(capset, uva_t, uhdr, uva_t, udata)
{
    struct __user_cap_header_struct h;
    struct __user_cap_data_struct d[2] = {0};
    const struct cred *old = current->cred;
    int words = read_header(uhdr, &h);
    u64 effective, permitted, inheritable;
    struct cred *c;

    if (words < 0)
        return words;
    if (h.pid && h.pid != current->tid)
        return -EPERM;
    if (copy_from_user(d, udata, (size_t)words * sizeof(d[0])))
        return -EFAULT;
    effective = (d[0].effective | (u64)d[1].effective << 32) & CAP_ALL;
    permitted = (d[0].permitted | (u64)d[1].permitted << 32) & CAP_ALL;
    inheritable = (d[0].inheritable | (u64)d[1].inheritable << 32) & CAP_ALL;
    if (!subset(permitted, old->cap_permitted) || !subset(effective, permitted))
        return -EPERM;
    if (!capable(CAP_SETPCAP) && !subset(inheritable, old->cap_inheritable | old->cap_permitted))
        return -EPERM;
    if (!subset(inheritable, old->cap_inheritable | old->cap_bounding))
        return -EPERM;
    c = cred_copy(old, old->ngroups);
    if (!c)
        return -ENOMEM;
    c->cap_effective = effective;
    c->cap_permitted = permitted;
    c->cap_inheritable = inheritable;
    c->cap_ambient &= permitted & inheritable;
    cred_commit(c);
    return 0;
}

static struct cred *copy_mine(void)
{
    return cred_copy(current->cred, current->cred->ngroups);
}

s64 prctl_capbset(bool drop, u64 cap)
{
    struct cred *c;

    if (cap > CAP_LAST_CAP)
        return -EINVAL;
    if (!drop)
        return (current->cred->cap_bounding >> cap) & 1;
    if (!capable(CAP_SETPCAP))
        return -EPERM;
    c = copy_mine();
    if (!c)
        return -ENOMEM;
    c->cap_bounding &= ~(1ull << cap);
    cred_commit(c);
    return 0;
}

s64 prctl_cap_ambient(u64 what, u64 cap)
{
    const struct cred *old = current->cred;
    struct cred *c;

    if (what == PR_CAP_AMBIENT_CLEAR_ALL ? cap != 0 : cap > CAP_LAST_CAP)
        return -EINVAL;
    if (what == PR_CAP_AMBIENT_IS_SET)
        return (old->cap_ambient >> cap) & 1;
    if (what != PR_CAP_AMBIENT_RAISE && what != PR_CAP_AMBIENT_LOWER &&
        what != PR_CAP_AMBIENT_CLEAR_ALL)
        return -EINVAL;
    if (what == PR_CAP_AMBIENT_RAISE &&
        (!((old->cap_permitted & old->cap_inheritable) >> cap & 1) ||
         (old->securebits & SECBIT_NO_CAP_AMBIENT_RAISE)))
        return -EPERM;
    c = copy_mine();
    if (!c)
        return -ENOMEM;
    if (what == PR_CAP_AMBIENT_CLEAR_ALL)
        c->cap_ambient = 0;
    else if (what == PR_CAP_AMBIENT_RAISE)
        c->cap_ambient |= 1ull << cap;
    else
        c->cap_ambient &= ~(1ull << cap);
    cred_commit(c);
    return 0;
}

#define SECUREBITS_ALL (SECURE_ALL_BITS | SECURE_ALL_LOCKS)

s64 prctl_set_securebits(u64 bits)
{
    u32 old = current->cred->securebits;
    struct cred *c;

    /* A locked bit stays, a lock stays, and there are no others. */
    if ((((old & SECURE_ALL_LOCKS) >> 1) & (old ^ bits)) || ((old & SECURE_ALL_LOCKS) & ~bits) ||
        (bits & ~(u64)SECUREBITS_ALL) || !capable(CAP_SETPCAP))
        return -EPERM;
    c = copy_mine();
    if (!c)
        return -ENOMEM;
    c->securebits = (u32)bits;
    cred_commit(c);
    return 0;
}

s64 prctl_keepcaps(bool set, u64 on)
{
    u32 bits = current->cred->securebits;
    struct cred *c;

    if (!set)
        return !!(bits & SECBIT_KEEP_CAPS);
    if (on > 1)
        return -EINVAL;
    if (bits & SECBIT_KEEP_CAPS_LOCKED)
        return -EPERM;
    c = copy_mine();
    if (!c)
        return -ENOMEM;
    c->securebits = on ? bits | SECBIT_KEEP_CAPS : bits & ~(u32)SECBIT_KEEP_CAPS;
    cred_commit(c);
    return 0;
}
