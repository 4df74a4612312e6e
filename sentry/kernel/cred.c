// SPDX-License-Identifier: Apache-2.0
/*
 * Credentials: copy-on-change objects, and the calls that read and change user and group ids.
 * There is one user namespace. Rules of credentials(7) and capabilities(7).
 */
#include <linux/capability.h>
#include <linux/securebits.h>
#include "sentry/kernel/internal.h"
#include "sentry/mm/mm.h"
#include "sentry/syscall/syscall.h"

#define NGROUPS_MAX 65536

static struct cred *cred_alloc(u32 ngroups)
{
    struct cred *c = kzalloc(sizeof(*c) + ngroups * sizeof(c->groups[0]));

    if (c) {
        ref_init(&c->refs, 1);
        c->ngroups = ngroups;
    }
    return c;
}

struct cred *cred_initial(void)
{
    struct cred *c = cred_alloc(0);

    if (c)
        c->cap_effective = c->cap_permitted = c->cap_bounding = CAP_ALL;
    return c;
}

struct cred *cred_get(struct cred *c)
{
    ref_get(&c->refs);
    return c;
}

void cred_put(struct cred *c)
{
    if (ref_put(&c->refs))
        kfree(c);
}

struct cred *task_cred_get(struct task *t)
{
    struct cred *c;

    spin_lock(&t->lock);
    c = cred_get(t->cred);
    spin_unlock(&t->lock);
    return c;
}

struct cred *cred_copy(const struct cred *c, u32 ngroups)
{
    struct cred *n = cred_alloc(ngroups);
    u32 keep = MIN(ngroups, c->ngroups);

    if (!n)
        return NULL;
    memcpy(n, c, sizeof(*n) + keep * sizeof(n->groups[0]));
    ref_init(&n->refs, 1);
    n->ngroups = ngroups;
    return n;
}

void cred_commit(struct cred *c)
{
    struct task *t = current;
    struct cred *old = t->cred;

    if (old->euid != c->euid || old->egid != c->egid || old->fsuid != c->fsuid ||
        old->fsgid != c->fsgid || (c->cap_permitted & ~old->cap_permitted)) {
        t->process->dumpable = false;
        t->pdeath_signal = 0;
    }
    spin_lock(&t->lock);
    t->cred = c;
    spin_unlock(&t->lock);
    cred_put(old);
}

struct cred *cred_swap(struct cred *c)
{
    struct task *t = current;
    struct cred *old;

    spin_lock(&t->lock);
    old = t->cred;
    t->cred = c;
    spin_unlock(&t->lock);
    return old;
}

bool capable(int cap)
{
    return current->cred->cap_effective & (1ULL << cap);
}

bool in_group(const struct cred *c, u32 gid)
{
    u32 lo = 0, hi = c->ngroups;

    while (lo < hi) {
        u32 mid = (lo + hi) / 2;

        if (c->groups[mid] == gid)
            return true;
        if (c->groups[mid] < gid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

#define CAP_FS_MASK                                                                \
    ((1ULL << CAP_CHOWN) | (1ULL << CAP_MKNOD) | (1ULL << CAP_DAC_OVERRIDE) |      \
     (1ULL << CAP_DAC_READ_SEARCH) | (1ULL << CAP_FOWNER) | (1ULL << CAP_FSETID) | \
     (1ULL << CAP_LINUX_IMMUTABLE) | (1ULL << CAP_MAC_OVERRIDE))

/* What becomes of the capabilities when user ids change between 0 and others. */
static void fix_capabilities(struct cred *n, const struct cred *old)
{
    bool had_root = !old->uid || !old->euid || !old->suid;

    if (n->securebits & SECBIT_NO_SETUID_FIXUP)
        return;
    if (had_root && n->uid && n->euid && n->suid) {
        if (!(n->securebits & SECBIT_KEEP_CAPS))
            n->cap_permitted = n->cap_effective = 0;
        n->cap_ambient = 0;
    }
    if (!old->euid && n->euid)
        n->cap_effective = 0;
    if (old->euid && !n->euid)
        n->cap_effective = n->cap_permitted;
    if (!old->fsuid && n->fsuid)
        n->cap_effective &= ~CAP_FS_MASK;
    if (old->fsuid && !n->fsuid)
        n->cap_effective |= CAP_FS_MASK & n->cap_permitted;
}

static bool kept(u32 id)
{
    return id == (u32)-1;
}

static struct cred *change_begin(void)
{
    return cred_copy(current->cred, current->cred->ngroups);
}

static s64 change_uid_end(struct cred *n)
{
    fix_capabilities(n, current->cred);
    cred_commit(n);
    return 0;
}

static bool is_own_uid(u32 uid)
{
    const struct cred *c = current->cred;
    return uid == c->uid || uid == c->euid || uid == c->suid;
}

static bool is_own_gid(u32 gid)
{
    const struct cred *c = current->cred;
    return gid == c->gid || gid == c->egid || gid == c->sgid;
}

SYSCALL0(getuid)
{
    return current->cred->uid;
}

SYSCALL0(geteuid)
{
    return current->cred->euid;
}

SYSCALL0(getgid)
{
    return current->cred->gid;
}

SYSCALL0(getegid)
{
    return current->cred->egid;
}

SYSCALL1(setuid, u32, uid)
{
    const struct cred *c = current->cred;
    struct cred *n;

    if (kept(uid))
        return -EINVAL;
    if (!capable(CAP_SETUID) && uid != c->uid && uid != c->suid)
        return -EPERM;
    n = change_begin();
    if (!n)
        return -ENOMEM;
    if (capable(CAP_SETUID))
        n->uid = n->suid = uid;
    n->euid = n->fsuid = uid;
    return change_uid_end(n);
}

SYSCALL1(setgid, u32, gid)
{
    const struct cred *c = current->cred;
    struct cred *n;

    if (kept(gid))
        return -EINVAL;
    if (!capable(CAP_SETGID) && gid != c->gid && gid != c->sgid)
        return -EPERM;
    n = change_begin();
    if (!n)
        return -ENOMEM;
    if (capable(CAP_SETGID))
        n->gid = n->sgid = gid;
    n->egid = n->fsgid = gid;
    cred_commit(n);
    return 0;
}

SYSCALL2(setreuid, u32, ruid, u32, euid)
{
    const struct cred *c = current->cred;
    struct cred *n;

    if (!capable(CAP_SETUID) &&
        ((!kept(ruid) && ruid != c->uid && ruid != c->euid) || (!kept(euid) && !is_own_uid(euid))))
        return -EPERM;
    n = change_begin();
    if (!n)
        return -ENOMEM;
    if (!kept(ruid))
        n->uid = ruid;
    if (!kept(euid))
        n->euid = euid;
    if (!kept(ruid) || (!kept(euid) && euid != c->uid))
        n->suid = n->euid;
    n->fsuid = n->euid;
    return change_uid_end(n);
}

SYSCALL2(setregid, u32, rgid, u32, egid)
{
    const struct cred *c = current->cred;
    struct cred *n;

    if (!capable(CAP_SETGID) &&
        ((!kept(rgid) && rgid != c->gid && rgid != c->egid) || (!kept(egid) && !is_own_gid(egid))))
        return -EPERM;
    n = change_begin();
    if (!n)
        return -ENOMEM;
    if (!kept(rgid))
        n->gid = rgid;
    if (!kept(egid))
        n->egid = egid;
    if (!kept(rgid) || (!kept(egid) && egid != c->gid))
        n->sgid = n->egid;
    n->fsgid = n->egid;
    cred_commit(n);
    return 0;
}

SYSCALL3(setresuid, u32, ruid, u32, euid, u32, suid)
{
    struct cred *n;

    if (!capable(CAP_SETUID) &&
        ((!kept(ruid) && !is_own_uid(ruid)) || (!kept(euid) && !is_own_uid(euid)) ||
         (!kept(suid) && !is_own_uid(suid))))
        return -EPERM;
    n = change_begin();
    if (!n)
        return -ENOMEM;
    if (!kept(ruid))
        n->uid = ruid;
    if (!kept(euid))
        n->euid = euid;
    if (!kept(suid))
        n->suid = suid;
    n->fsuid = n->euid;
    return change_uid_end(n);
}

SYSCALL3(setresgid, u32, rgid, u32, egid, u32, sgid)
{
    struct cred *n;

    if (!capable(CAP_SETGID) &&
        ((!kept(rgid) && !is_own_gid(rgid)) || (!kept(egid) && !is_own_gid(egid)) ||
         (!kept(sgid) && !is_own_gid(sgid))))
        return -EPERM;
    n = change_begin();
    if (!n)
        return -ENOMEM;
    if (!kept(rgid))
        n->gid = rgid;
    if (!kept(egid))
        n->egid = egid;
    if (!kept(sgid))
        n->sgid = sgid;
    n->fsgid = n->egid;
    cred_commit(n);
    return 0;
}

static s64 put_three(u32 a, u32 b, u32 c, uva_t pa, uva_t pb, uva_t pc)
{
    if (put_user(a, pa) || put_user(b, pb) || put_user(c, pc))
        return -EFAULT;
    return 0;
}

SYSCALL3(getresuid, uva_t, ruid, uva_t, euid, uva_t, suid)
{
    const struct cred *c = current->cred;
    return put_three(c->uid, c->euid, c->suid, ruid, euid, suid);
}

SYSCALL3(getresgid, uva_t, rgid, uva_t, egid, uva_t, sgid)
{
    const struct cred *c = current->cred;
    return put_three(c->gid, c->egid, c->sgid, rgid, egid, sgid);
}

/* Both return the old value whatever happens. */
SYSCALL1(setfsuid, u32, uid)
{
    u32 old = current->cred->fsuid;
    struct cred *n;

    if (kept(uid) || uid == old || !(capable(CAP_SETUID) || is_own_uid(uid)))
        return old;
    n = change_begin();
    if (!n)
        return old;
    n->fsuid = uid;
    change_uid_end(n);
    return old;
}

SYSCALL1(setfsgid, u32, gid)
{
    u32 old = current->cred->fsgid;
    struct cred *n;

    if (kept(gid) || gid == old || !(capable(CAP_SETGID) || is_own_gid(gid)))
        return old;
    n = change_begin();
    if (!n)
        return old;
    n->fsgid = gid;
    cred_commit(n);
    return old;
}

SYSCALL2(getgroups, int, size, uva_t, list)
{
    const struct cred *c = current->cred;

    if (size < 0)
        return -EINVAL;
    if (size == 0)
        return c->ngroups;
    if ((u32)size < c->ngroups)
        return -EINVAL;
    if (copy_to_user(list, c->groups, c->ngroups * sizeof(u32)))
        return -EFAULT;
    return c->ngroups;
}

void groups_sort(u32 *g, u32 n)
{
    for (u32 gap = n / 2; gap; gap /= 2) {
        for (u32 i = gap; i < n; i++) {
            u32 v = g[i], j = i;

            for (; j >= gap && g[j - gap] > v; j -= gap)
                g[j] = g[j - gap];
            g[j] = v;
        }
    }
}

SYSCALL2(setgroups, u64, size, uva_t, list)
{
    struct cred *n;

    if (!capable(CAP_SETGID))
        return -EPERM;
    if (size > NGROUPS_MAX)
        return -EINVAL;
    n = cred_copy(current->cred, (u32)size);
    if (!n)
        return -ENOMEM;
    if (copy_from_user(n->groups, list, size * sizeof(u32))) {
        cred_put(n);
        return -EFAULT;
    }
    groups_sort(n->groups, n->ngroups);
    cred_commit(n);
    return 0;
}
