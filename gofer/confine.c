// SPDX-License-Identifier: Apache-2.0
/*
 * What the gofer gives up before it listens to anybody: other people's descriptors, its session,
 * and every right but those that reading (and, where asked for, writing) files as the container's
 * root takes. The name spaces are in mounts.c, the system calls in seccomp.c.
 */
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "gofer/server.h"

/* Close everything but a and b (either may be -1). */
static void close_others(int a, int b)
{
    unsigned lo = a < b ? a : b, hi = a < b ? b : a;
    unsigned from = 0;

    if ((int)lo >= 0) {
        if (lo > 0)
            syscall(SYS_close_range, 0, lo - 1, 0);
        from = lo + 1;
    }
    if (hi > from)
        syscall(SYS_close_range, from, hi - 1, 0);
    syscall(SYS_close_range, hi + 1, ~0u, 0);
}

static void reset_signals(void)
{
    sigset_t none;

    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int gofer_confine(struct server *s, u32 *nofile)
{
    struct rlimit rl;

    if (s->cfg->unconfined_for_test) {
        *nofile = 1024;
        return 0;
    }
    close_others(s->cfg->sock, s->cfg->log_fd);
    reset_signals();
    setsid(); /* Ctrl-C on the caller's terminal is for the container, not for us */
    prctl(PR_SET_NAME, "runsc-gofer");
    umask(0);
    /* Every fid is a descriptor. */
    if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
        return -errno;
    rl.rlim_cur = rl.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
        return -errno;
    *nofile = rl.rlim_cur < (1u << 20) ? rl.rlim_cur : 1u << 20;
    /* Never a core file: it would hold what passed through us. */
    rl = (struct rlimit){0, 0};
    return setrlimit(RLIMIT_CORE, &rl) < 0 ? -errno : 0;
}

/*
 * The Sentry decides who may do what inside the container; the gofer must be able to do whatever
 * the container's root might, below its mounts.
 */
static u64 needed_capabilities(bool writable)
{
    u64 caps = 1ull << CAP_DAC_READ_SEARCH; /* read files and directories of any owner and mode */

    if (writable)
        caps |= 1ull << CAP_DAC_OVERRIDE | /* write them */
                1ull << CAP_CHOWN |        /* new files belong to the task that made them */
                1ull << CAP_FOWNER |       /* chmod, utimes, sticky directories */
                1ull << CAP_FSETID;        /* chmod keeps set-group-id for a foreign group */
    return caps;
}

static int drop_capabilities(bool writable)
{
    struct __user_cap_header_struct hdr = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2], *d = data;
    u64 caps = needed_capabilities(writable);

    for (unsigned cap = 0; cap < 64; cap++) {
        if (!(caps >> cap & 1))
            prctl(PR_CAPBSET_DROP,
                  cap); /* EINVAL: no such capability; EPERM: we have none at all */
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capget, &hdr, data) < 0)
        return -errno;
    for (unsigned i = 0; i < 2; i++) {
        d[i].permitted &= (u32)(caps >> 32 * i);
        d[i].effective = d[i].permitted;
        d[i].inheritable = 0;
    }
    return syscall(SYS_capset, &hdr, data) < 0 ? -errno : 0;
}

int confine_rights(struct server *s)
{
    bool writable = false;
    int err;

    if (s->cfg->unconfined_for_test)
        return 0;
    for (size_t i = 0; i < s->cfg->nmounts; i++)
        writable |= !s->cfg->mounts[i].readonly;
    err = drop_capabilities(writable);
    if (err) {
        complain(s, "gofer: cannot drop capabilities: %s", strerror(-err));
        return err;
    }
    prctl(PR_SET_DUMPABLE, 0);
    /* After the changes of credentials, which reset it. If the parent is gone already, so is the
     * other end of the socket. */
    if (s->cfg->die_with_parent)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    err = confine_seccomp(writable);
    if (err)
        complain(s, "gofer: cannot install the system call filter: %s", strerror(-err));
    return err;
}
