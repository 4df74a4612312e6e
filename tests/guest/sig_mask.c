// SPDX-License-Identifier: Apache-2.0
//
// Blocking, pending, waiting for signals; queues of real-time signals; signalfd.

#include "t.h"
#include <sys/signalfd.h>

static volatile int calls, seen[64], nseen;

static void record(int sig, siginfo_t *si, void *uc)
{
    seen[nseen++ & 63] = sig * 100 + (si->si_code == SI_QUEUE ? si->si_value.sival_int : 0);
    calls++;
}

static void catch (int sig)
{
    struct sigaction sa = {.sa_sigaction = record, .sa_flags = SA_SIGINFO};

    sigfillset(&sa.sa_mask);
    sigaction(sig, &sa, NULL);
}

static void blocking(void)
{
    sigset_t set, old, pend;

    catch (SIGUSR1);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    ok(sigprocmask(SIG_BLOCK, &set, &old) == 0, "block");
    raise(SIGUSR1);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR1);
    ok(calls == 0, "nothing runs");
    ok(sigpending(&pend) == 0 && sigismember(&pend, SIGUSR1), "pending");
    sigprocmask(SIG_SETMASK, &old, NULL);
    ok(calls == 2, "unblocked: once from the thread's queue, once from the process's");
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_IGN);
    sigpending(&pend);
    ok(!sigismember(&pend, SIGUSR1), "ignoring drops what is pending");
    fails(sigprocmask(99, &set, NULL), EINVAL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void suspend(void)
{
    sigset_t set, empty;

    calls = 0;
    catch (SIGUSR2);
    sigemptyset(&empty);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR2);
    fails(sigsuspend(&empty), EINTR);
    ok(calls == 1, "sigsuspend lets it in");
    sigprocmask(SIG_BLOCK, NULL, &empty);
    ok(sigismember(&empty, SIGUSR2), "and the mask is back");
    pid_t pid = fork();
    if (pid == 0) {
        t_msleep(30);
        kill(getppid(), SIGUSR2);
        _exit(0);
    }
    sigemptyset(&empty);
    fails(sigsuspend(&empty), EINTR);
    ok(calls == 2, "also from another process");
    waitpid(pid, NULL, 0);
}

static void timed_wait(void)
{
    sigset_t set;
    siginfo_t si;
    struct timespec ts = {0, 20000000};

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    fails(sigtimedwait(&set, &si, &ts), EAGAIN);
    kill(getpid(), SIGUSR2);
    ok(sigtimedwait(&set, &si, &ts) == SIGUSR2 && si.si_code == SI_USER && si.si_pid == getpid(),
       "sigtimedwait");
    pid_t pid = fork();
    if (pid == 0) {
        t_msleep(20);
        sigqueue(getppid(), SIGUSR2, (union sigval){.sival_int = 55});
        _exit(0);
    }
    ok(sigwaitinfo(&set, &si) == SIGUSR2 && si.si_value.sival_int == 55 && si.si_pid == pid,
       "sigwaitinfo");
    waitpid(pid, NULL, 0);
}

static void realtime(void)
{
    sigset_t set;
    int base = SIGRTMIN;

    nseen = calls = 0;
    sigemptyset(&set);
    for (int i = 0; i < 3; i++) {
        catch (base + i);
        sigaddset(&set, base + i);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < 3; i++)
        for (int k = 2; k >= 0; k--)
            sigqueue(getpid(), base + k, (union sigval){.sival_int = i});
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    ok(nseen == 9, "nine queued, nine delivered");
    for (int i = 0; i < nseen; i++)
        t_say("  rt+%d value %d", seen[i] / 100 - base, seen[i] % 100);
}

static void fds(void)
{
    sigset_t set;
    struct signalfd_siginfo si;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    must(fd >= 0);
    fails(read(fd, &si, sizeof(si)), EAGAIN);
    kill(getpid(), SIGUSR2);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ok(poll(&p, 1, 1000) == 1, "signalfd polls readable");
    ok(read(fd, &si, sizeof(si)) == sizeof(si) && si.ssi_signo == SIGUSR2, "and reads the signal");
    pid_t pid = fork();
    if (pid == 0)
        _exit(17);
    p.revents = 0;
    ok(poll(&p, 1, 10000) == 1 && read(fd, &si, sizeof(si)) == sizeof(si), "SIGCHLD through it");
    ok(si.ssi_signo == SIGCHLD && si.ssi_pid == (uint32_t)pid && si.ssi_status == 17 &&
           si.ssi_code == CLD_EXITED,
       "with its details");
    waitpid(pid, NULL, 0);
    fails(read(fd, &si, 4), EINVAL);
    close(fd);
}

int main(void)
{
    blocking();
    suspend();
    timed_wait();
    realtime();
    fds();
    return t_done();
}
