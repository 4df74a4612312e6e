// SPDX-License-Identifier: Apache-2.0
//
// Second wall: what a process that the Sentry has been taken over through can still do on the host.
// It sees an empty root and empty namespaces, runs as nobody without capabilities, and may make
// only the system calls of the table below.

#include "vmm/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kvm.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vmm/log.h"
#include "vmm/seccomp.h"

#define NOBODY 65534

/* N: calls of the host's network, in the table only when the sandbox was given it. */
enum { K = 1 << PLATFORM_KVM, P = 1 << PLATFORM_PTRACE, ALL = K | P, N = 1 << 8 };

/* clang-format off */
static const struct seccomp_rule rules[] = {
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)KVM_RUN, K, "run the guest"},
    {__NR_ptrace, SECCOMP_ANY, 0, 0, P, "run the application; acts on our stubs only"},
    {__NR_wait4, SECCOMP_ANY, 0, 0, P, "stops of the stub processes"},
    {__NR_futex, SECCOMP_ANY, 0, 0, ALL, "locks, parked tasks, thread ends"},
    {__NR_read, SECCOMP_ANY, 0, 0, ALL, "doorbell, posted events"},
    {__NR_write, SECCOMP_ANY, 0, 0, ALL, "completion interrupt, log"},
    {__NR_readv, SECCOMP_ANY, 0, 0, ALL, "HC_READ"},
    {__NR_writev, SECCOMP_ANY, 0, 0, ALL, "HC_WRITE"},
    {__NR_preadv2, SECCOMP_ANY, 0, 0, ALL, "HC_READ without waiting"},
    {__NR_pwritev2, SECCOMP_ANY, 0, 0, ALL, "HC_WRITE without waiting"},
    {__NR_pread64, SECCOMP_ANY, 0, 0, ALL, "HC_PREAD"},
    {__NR_pwrite64, SECCOMP_ANY, 0, 0, ALL, "HC_PWRITE"},
    {__NR_sendmsg, SECCOMP_ANY, 0, 0, ALL, "HC_GOFER"},
    {__NR_recvmsg, SECCOMP_ANY, 0, 0, ALL, "HC_GOFER, HC_CONTROL_RECV"},
    {__NR_sendto, SECCOMP_ANY, 0, 0, ALL, "HC_WRITE on a socket, HC_CONTROL_SEND"},
    {__NR_recvfrom, SECCOMP_ANY, 0, 0, ALL, "HC_READ on a socket"},
    {__NR_accept4, SECCOMP_ANY, 0, 0, ALL, "control socket: a connection"},
    {__NR_getsockopt, SECCOMP_ARG_EQ, 2, SO_PEERCRED, ALL, "control socket: whose connection"},
    {__NR_getsockopt, SECCOMP_ANY, 0, 0, N, "HC_SOCK_GETOPT"},
    {__NR_setsockopt, SECCOMP_ANY, 0, 0, N, "HC_SOCK_SETOPT"},
    {__NR_socket, SECCOMP_ARG_EQ, 0, AF_INET, N, "HC_SOCKET"},
    {__NR_socket, SECCOMP_ARG_EQ, 0, AF_INET6, N, "HC_SOCKET"},
    {__NR_socket, SECCOMP_ARG_EQ, 0, AF_NETLINK, N, "HC_SOCKET; questions about interfaces"},
    {__NR_connect, SECCOMP_ANY, 0, 0, N, "HC_SOCK_CONNECT"},
    {__NR_bind, SECCOMP_ANY, 0, 0, N, "HC_SOCK_BIND"},
    {__NR_listen, SECCOMP_ANY, 0, 0, N, "HC_SOCK_LISTEN"},
    {__NR_shutdown, SECCOMP_ANY, 0, 0, N, "HC_SOCK_SHUTDOWN"},
    {__NR_getsockname, SECCOMP_ANY, 0, 0, N, "HC_SOCK_NAME"},
    {__NR_getpeername, SECCOMP_ANY, 0, 0, N, "HC_SOCK_NAME"},
    {__NR_poll, SECCOMP_ANY, 0, 0, ALL, "HC_POLL_NOW"},
    {__NR_epoll_wait, SECCOMP_ANY, 0, 0, ALL, "HC_EVENT_WAIT"},
    {__NR_epoll_ctl, SECCOMP_ANY, 0, 0, ALL, "HC_POLL_ADD, HC_POLL_DEL"},
    {__NR_fstat, SECCOMP_ANY, 0, 0, ALL, "HC_FD_STAT"},
    /* glibc spells fstat(fd) as newfstatat(fd, ""); paths lead nowhere in the empty root */
    {__NR_newfstatat, SECCOMP_ARG_SET, 3, AT_EMPTY_PATH, ALL, "HC_FD_STAT"},
    {__NR_lseek, SECCOMP_ANY, 0, 0, ALL, "HC_LSEEK"},
    {__NR_ftruncate, SECCOMP_ANY, 0, 0, ALL, "HC_FTRUNCATE"},
    {__NR_fallocate, SECCOMP_ANY, 0, 0, ALL, "HC_FALLOCATE"},
    {__NR_fsync, SECCOMP_ANY, 0, 0, ALL, "HC_FSYNC"},
    {__NR_fdatasync, SECCOMP_ANY, 0, 0, ALL, "HC_FSYNC"},
    {__NR_fcntl, SECCOMP_ARG_EQ, 1, F_GETFL, ALL, "access mode of a donated descriptor"},
    {__NR_close, SECCOMP_ANY, 0, 0, ALL, "HC_FD_CLOSE"},
    {__NR_mmap, SECCOMP_ARG_CLEAR, 2, PROT_EXEC, ALL, "file window, heap, stacks; never code"},
    {__NR_munmap, SECCOMP_ANY, 0, 0, ALL, "heap, stacks of ended threads"},
    {__NR_mprotect, SECCOMP_ARG_CLEAR, 2, PROT_EXEC, ALL, "guard pages of stacks; never code"},
    {__NR_madvise, SECCOMP_ANY, 0, 0, ALL, "HC_MEM_RELEASE, stacks of ended threads"},
    {__NR_brk, SECCOMP_ANY, 0, 0, ALL, "heap"},
    {__NR_getrandom, SECCOMP_ANY, 0, 0, ALL, "HC_RANDOM"},
    {__NR_clock_gettime, SECCOMP_ANY, 0, 0, ALL, "HC_CLOCK where the vDSO cannot"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)TCGETS, ALL, "HC_TTY_GET"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)TCSETS, ALL, "HC_TTY_SET"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)TIOCGWINSZ, ALL, "HC_TTY_GET"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)TIOCSWINSZ, ALL, "HC_TTY_WINSZ"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)FIONREAD, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)TIOCOUTQ, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)SIOCATMARK, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)SIOCGSTAMP_OLD, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)SIOCGSTAMPNS_OLD, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)SIOCGIFCONF, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)SIOCGIFNAME, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)SIOCGIFINDEX, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)SIOCGIFFLAGS, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)SIOCGIFADDR, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)SIOCGIFDSTADDR, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)SIOCGIFBRDADDR, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)SIOCGIFNETMASK, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)SIOCGIFMETRIC, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)SIOCGIFMTU, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)SIOCGIFTXQLEN, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)SIOCGIFHWADDR, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)SIOCGIFMAP, N, "HC_SOCK_IOCTL"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)KVM_SET_USER_MEMORY_REGION, K, "HC_MEM_PLUG, HC_WINDOW_MAP"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)KVM_GET_REGS, K, "truncated window file, dead guest"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)KVM_GET_SREGS, K, "dead guest: registers in the log"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)KVM_GET_VCPU_EVENTS, K, "truncated window file"},
    {__NR_ioctl, SECCOMP_ARG_EQ, 1, (u32)KVM_SET_VCPU_EVENTS, K, "truncated window file"},
    /* threads only: clone3 hides its flags from us, the library then falls back to clone */
    {__NR_clone3, SECCOMP_REFUSE, 0, ENOSYS, ALL, "library tries it before clone"},
    {__NR_clone, SECCOMP_ARG_SET, 0, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, ALL, "threads, never processes"},
    {__NR_set_robust_list, SECCOMP_ANY, 0, 0, ALL, "library: start of a thread"},
    {__NR_rseq, SECCOMP_ANY, 0, 0, ALL, "library: start of a thread"},
    {__NR_rt_sigprocmask, SECCOMP_ANY, 0, 0, ALL, "library: start and end of a thread"},
    {__NR_rt_sigaction, SECCOMP_ANY, 0, 0, ALL, "library: abort; a fault that is not the window's"},
    {__NR_rt_sigreturn, SECCOMP_ANY, 0, 0, ALL, "return from a signal handler"},
    {__NR_sched_yield, SECCOMP_ANY, 0, 0, ALL, "contended locks"},
    {__NR_sched_setaffinity, SECCOMP_ANY, 0, 0, P, "tracer and stub on one CPU"},
    {__NR_sched_getaffinity, SECCOMP_ANY, 0, 0, P, "tracer and stub on one CPU"},
    {__NR_getcpu, SECCOMP_ANY, 0, 0, P, "tracer and stub on one CPU"},
    {__NR_timer_create, SECCOMP_ARG_EQ, 0, CLOCK_THREAD_CPUTIME_ID, K, "watch of a further guest CPU"},
    {__NR_timer_settime, SECCOMP_ANY, 0, 0, K, "watch of a further guest CPU"},
    {__NR_getpid, SECCOMP_ANY, 0, 0, ALL, "library: raise and abort"},
    {__NR_gettid, SECCOMP_ANY, 0, 0, ALL, "library: raise and abort"},
    {__NR_tgkill, SECCOMP_ANY, 0, 0, ALL, "kick a thread; other processes are out of sight"},
    {__NR_kill, SECCOMP_ANY, 0, 0, P, "end a stub process (the zygote, started before this filter, makes them)"},
    {__NR_sigaltstack, SECCOMP_ANY, 0, 0, P, "stack on which the hosted Sentry reports its death"},
    {__NR_restart_syscall, SECCOMP_ANY, 0, 0, ALL, "interrupted sleep of a stopped process"},
    {__NR_exit, SECCOMP_ANY, 0, 0, ALL, "end of a thread"},
    {__NR_exit_group, SECCOMP_ANY, 0, 0, ALL, "end of the sandbox"},
};
/* clang-format on */

int confine_syscalls(enum platform p, enum sandbox_network network)
{
    return seccomp_install(rules, sizeof(rules) / sizeof(rules[0]),
                           1U << p | (network == NETWORK_HOST ? N : 0U));
}

/* Directories that may serve as a mount point for a moment. */
static const char *const mount_points[] = {"/proc", "/sys", "/tmp", "/dev", "/run"};

/* An empty, read-only file system as root; the old one is gone from this mount namespace. */
static int empty_root(void)
{
    int r = -ENOENT;

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return -errno;
    for (size_t i = 0; i < sizeof(mount_points) / sizeof(mount_points[0]); i++) {
        const char *at = mount_points[i];

        if (mount("none", at, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY,
                  "size=0,nr_inodes=2,mode=0555") != 0) {
            r = -errno;
            continue;
        }
        if (chdir(at) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
            umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
            return -errno;
        return 0;
    }
    return r;
}

/* With the host's network one stays: the Sentry decides which ports the application may have. */
static int drop_capabilities(enum sandbox_network network)
{
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    const u32 keep = network == NETWORK_HOST ? 1U << CAP_NET_BIND_SERVICE : 0;
    struct __user_cap_data_struct none[2] = {{0}}, some[2] = {{keep, keep, 0}};

    for (int c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
        prctl(PR_CAPBSET_DROP, c, 0, 0, 0); /* EPERM without CAP_SETPCAP: capset is enough then */
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (keep && syscall(SYS_capset, &h, some) == 0)
        return 0;
    if (syscall(SYS_capset, &h, none) != 0)
        return -errno;
    return 0;
}

static void set_limits(void)
{
    struct rlimit none = {0, 0}, files;

    setrlimit(RLIMIT_CORE, &none);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* Root gives up its identity; an ordinary user has become nobody by entering a user namespace. */
static void become_nobody(void)
{
    int death_signal = 0;

    prctl(PR_GET_PDEATHSIG, &death_signal);
    if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) != 0)
        log_line(LOG_INFO, "confine: identity stays (errno %d)", errno);
    prctl(PR_SET_PDEATHSIG, death_signal); /* a new identity clears it */
}

static bool have_namespaces; /* a mount namespace of our own, in which the root can be changed */

/* In a new user namespace we are the only user that exists; peers are known by their number then.
 */
static void map_user(uid_t uid)
{
    char line[64];
    int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
    int n = snprintf(line, sizeof(line), "%u %u 1\n", uid, uid);

    if (fd < 0 || write(fd, line, (size_t)n) != n)
        log_line(LOG_INFO, "confine: no user map (errno %d)", errno);
    if (fd >= 0)
        close(fd);
}

/* Join a namespace that cfg names by descriptor, or add its bit to what is to be made new. */
static int choose_namespace(int fd, int type, int *fresh)
{
    int r = 0;

    if (fd == NAMESPACE_NEW)
        *fresh |= type;
    if (fd < 0)
        return 0;
    if (setns(fd, type) != 0)
        r = -errno;
    close(fd);
    return r;
}

int confine_namespaces(const struct sandbox_namespaces *ns)
{
    const uid_t uid = geteuid();
    int fresh = CLONE_NEWNS, r;

    r = choose_namespace(ns->net, CLONE_NEWNET, &fresh);
    if (!r)
        r = choose_namespace(ns->ipc, CLONE_NEWIPC, &fresh);
    if (!r)
        r = choose_namespace(ns->uts, CLONE_NEWUTS, &fresh);
    if (r)
        return r;
    have_namespaces = true;
    if (uid == 0 && unshare(fresh) == 0)
        return 0;
    if (unshare(fresh | CLONE_NEWUSER) == 0) {
        map_user(uid);
        return 0;
    }
    have_namespaces = false;
    log_line(LOG_WARN, "confine: no namespaces for us on this host (errno %d)", errno);
    return 0;
}

int confine_process(enum platform p, enum sandbox_network network)
{
    int r;

    set_limits();
    r = have_namespaces ? empty_root() : 0;
    if (r && r != -EPERM && r != -EACCES && r != -ENOSPC && r != -EINVAL)
        return r;
    if (network == NETWORK_HOST)
        prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0); /* over the change of identity only */
    if (geteuid() == 0)
        become_nobody();
    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    r = drop_capabilities(network);
    if (r)
        return r;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    /* nobody may attach, no core file; but stub processes inherit this and must be attachable */
    if (prctl(PR_SET_DUMPABLE, p == PLATFORM_PTRACE, 0, 0, 0) != 0)
        return -errno;
    return 0;
}
