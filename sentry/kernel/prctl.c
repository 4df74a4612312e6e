// SPDX-License-Identifier: Apache-2.0
/*
 * prctl: the options that programs use.
 */
#include <linux/prctl.h>
#include "sentry/kernel/internal.h"
#include "sentry/syscall/syscall.h"

static s64 set_name(uva_t from)
{
    char name[sizeof(current->comm)] = {0};
    long n = strncpy_from_user(name, from, sizeof(name) - 1);

    if (n == -EFAULT)
        return n;
    name[sizeof(name) - 1] = 0;
    spin_lock(&current->lock);
    memset(current->comm, 0, sizeof(current->comm));
    memcpy(current->comm, name, strlen(name));
    spin_unlock(&current->lock);
    return 0;
}

static s64 get_int(u64 value, uva_t to)
{
    int v = (int)value;

    return put_user(v, to);
}

static s64 set_timer_slack(u64 ns)
{
    current->timer_slack = (s64)ns > 0 ? ns : current->default_timer_slack;
    return 0;
}

static s64 set_pdeath_signal(u64 sig)
{
    if (sig > NSIGNALS)
        return -EINVAL;
    current->pdeath_signal = (u32)sig;
    return 0;
}

static s64 set_dumpable(u64 v)
{
    if (v > 1)
        return -EINVAL;
    current->process->dumpable = v;
    return 0;
}

static s64 no_new_privs(bool set, u64 v, bool rest)
{
    if (rest || (set && v != 1))
        return -EINVAL;
    if (!set)
        return current->no_new_privs;
    current->no_new_privs = true;
    return 0;
}

SYSCALL5(prctl, int, option, u64, a2, u64, a3, u64, a4, u64, a5)
{
    struct task *t = current;
    bool rest = a3 || a4 || a5;

    switch (option) {
    case PR_SET_NAME:
        return set_name(a2);
    case PR_GET_NAME:
        return copy_to_user(a2, t->comm, sizeof(t->comm));
    case PR_SET_PDEATHSIG:
        return set_pdeath_signal(a2);
    case PR_GET_PDEATHSIG:
        return get_int(t->pdeath_signal, a2);
    case PR_SET_DUMPABLE:
        return set_dumpable(a2);
    case PR_GET_DUMPABLE:
        return t->process->dumpable;
    case PR_SET_KEEPCAPS:
        return prctl_keepcaps(true, a2);
    case PR_GET_KEEPCAPS:
        return prctl_keepcaps(false, 0);
    case PR_SET_SECUREBITS:
        return prctl_set_securebits(a2);
    case PR_GET_SECUREBITS:
        return t->cred->securebits;
    case PR_CAPBSET_READ:
        return prctl_capbset(false, a2);
    case PR_CAPBSET_DROP:
        return prctl_capbset(true, a2);
    case PR_CAP_AMBIENT:
        return a4 || a5 ? -EINVAL : prctl_cap_ambient(a2, a3);
    case PR_SET_NO_NEW_PRIVS:
        return no_new_privs(true, a2, rest);
    case PR_GET_NO_NEW_PRIVS:
        return no_new_privs(false, 0, a2 || rest);
    case PR_SET_CHILD_SUBREAPER:
        t->process->child_subreaper = a2 != 0;
        return 0;
    case PR_GET_CHILD_SUBREAPER:
        return get_int(t->process->child_subreaper, a2);
    case PR_SET_TIMERSLACK:
        return set_timer_slack(a2);
    case PR_GET_TIMERSLACK:
        return (s64)t->timer_slack;
    case PR_GET_SECCOMP:
        return 0;
    case PR_GET_TIMING:
        return PR_TIMING_STATISTICAL;
    case PR_SET_TIMING:
        return a2 == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
    case PR_SET_MM:
        return -EPERM;
    case PR_GET_TSC:
        return get_int(PR_TSC_ENABLE, a2);
    case PR_SET_TSC:
        return a2 == PR_TSC_ENABLE ? 0 : -EINVAL;
    case PR_GET_THP_DISABLE:
        return 0;
    case PR_MCE_KILL_GET:
        return PR_MCE_KILL_DEFAULT;
    case PR_GET_TID_ADDRESS:
        return put_user(t->clear_child_tid, a2);
    }
    log_info("prctl %d of %s[%d] refused", option, t->comm, t->tid);
    return -EINVAL;
}
