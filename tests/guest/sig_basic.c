// SPDX-License-Identifier: Apache-2.0
//
// Signal handlers: what they are told, masks while they run, nesting, resetting, the alternate
// stack.

#include "t.h"
#include <setjmp.h>
#include <ucontext.h>

static volatile int calls, depth, max_depth, order[8], norder;
static siginfo_t last;
static sigjmp_buf env;
static char *stack_lo, *stack_hi;
static volatile bool on_alt;

static void simple(int sig)
{
    calls++;
}

static void info(int sig, siginfo_t *si, void *uc)
{
    last = *si;
    calls++;
}

static void nested(int sig)
{
    if (++depth > max_depth)
        max_depth = depth;
    order[norder++ & 7] = sig;
    if (norder < 4)
        raise(sig == SIGUSR1 ? SIGUSR2 : SIGUSR1);
    depth--;
}

static void jump(int sig)
{
    siglongjmp(env, sig);
}

static void where(int sig, siginfo_t *si, void *ucp)
{
    char here;
    ucontext_t *uc = ucp;
    stack_t ss;

    on_alt = &here >= stack_lo && &here < stack_hi;
    sigaltstack(NULL, &ss);
    calls += (ss.ss_flags & SS_ONSTACK) && uc->uc_stack.ss_sp == stack_lo;
    ss.ss_flags = SS_DISABLE;
    calls += sigaltstack(&ss, NULL) == -1 && errno == EPERM;
}

static void handlers(void)
{
    struct sigaction sa = {.sa_handler = simple}, old;
    sigset_t set;

    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    kill(getpid(), SIGUSR1);
    ok(calls == 2, "raise and kill run the handler");
    ok(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == simple, "sigaction reads back");
    sa.sa_flags = SA_RESETHAND;
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    ok(!sigaction(SIGUSR1, NULL, &old) && old.sa_handler == SIG_DFL, "SA_RESETHAND");
    sa = (struct sigaction){.sa_sigaction = info, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &sa, NULL);
    kill(getpid(), SIGUSR1);
    ok(last.si_signo == SIGUSR1 && last.si_code == SI_USER && last.si_pid == getpid() &&
           last.si_uid == getuid(),
       "siginfo of kill");
    raise(SIGUSR1);
    ok(last.si_code == SI_TKILL, "siginfo of raise");
    union sigval v = {.sival_int = 4711};
    sigaction(SIGUSR2, &sa, NULL);
    sigqueue(getpid(), SIGUSR2, v);
    ok(last.si_code == SI_QUEUE && last.si_value.sival_int == 4711, "siginfo of sigqueue");
    sigemptyset(&set);
    sigaddset(&set, SIGKILL);
    sigaddset(&set, SIGSTOP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigprocmask(SIG_BLOCK, NULL, &set);
    ok(!sigismember(&set, SIGKILL) && !sigismember(&set, SIGSTOP), "SIGKILL cannot be blocked");
    fails(sigaction(SIGKILL, &sa, NULL), EINVAL);
    fails(sigaction(SIGSTOP, &sa, NULL), EINVAL);
    fails(sigaction(65, &sa, NULL), EINVAL);
    fails(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
    fails(syscall(SYS_rt_sigaction, SIGUSR1, 8, NULL, 8), EFAULT);
}

static void nesting(void)
{
    struct sigaction sa = {.sa_handler = nested};

    sigaction(SIGUSR1, &sa, NULL);
    sigaction(SIGUSR2, &sa, NULL);
    raise(SIGUSR1);
    ok(max_depth == 2, "the other signal nests, the same one does not");
    for (int i = 0; i < 4 && i < norder; i++)
        t_say("  %s", order[i] == SIGUSR1 ? "USR1" : "USR2");
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    raise(SIGWINCH);
    raise(SIGURG);
    raise(SIGCHLD);
    raise(SIGCONT);
    ok(true, "some signals do nothing by default");
}

static void jumps(void)
{
    sigset_t set;

    signal(SIGUSR1, jump);
    int r = sigsetjmp(env, 1);
    if (r == 0) {
        raise(SIGUSR1);
        ok(false, "not reached");
    }
    sigprocmask(SIG_BLOCK, NULL, &set);
    ok(r == SIGUSR1 && !sigismember(&set, SIGUSR1),
       "siglongjmp out of a handler restores the mask");
}

static void alt_stack(void)
{
    stack_t ss = {.ss_size = 65536}, old;
    struct sigaction sa = {.sa_sigaction = where, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    ok(sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE, "no alternate stack at first");
    ss.ss_sp = stack_lo = malloc(ss.ss_size);
    stack_hi = stack_lo + ss.ss_size;
    ok(sigaltstack(&ss, NULL) == 0, "sigaltstack");
    calls = 0;
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    ok(on_alt && calls == 2, "SA_ONSTACK runs there, and it cannot be changed meanwhile");
    sa.sa_flags = SA_SIGINFO;
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    ok(!on_alt, "without it, not");
    ss.ss_size = 100;
    fails(sigaltstack(&ss, NULL), ENOMEM);
    ss.ss_flags = SS_DISABLE;
    ok(sigaltstack(&ss, NULL) == 0, "disable");
}

static void context(int sig, siginfo_t *si, void *ucp)
{
    ucontext_t *uc = ucp;

    uc->uc_mcontext.gregs[REG_RBX] = 0x1122334455667788;
    sigaddset(&uc->uc_sigmask, SIGUSR2);
}

static void change_context(void)
{
    struct sigaction sa = {.sa_sigaction = context, .sa_flags = SA_SIGINFO};
    unsigned long rbx = 1;
    sigset_t set;

    sigaction(SIGUSR1, &sa, NULL);
    asm volatile("mov $1, %%ebx\n\tsyscall\n\tmov %%rbx, %0"
                 : "=r"(rbx)
                 : "a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1)
                 : "rbx", "rcx", "r11", "memory");
    ok(rbx == 0x1122334455667788, "a handler can change registers");
    sigprocmask(SIG_BLOCK, NULL, &set);
    ok(sigismember(&set, SIGUSR2), "and the mask to return to");
}

int main(void)
{
    handlers();
    nesting();
    jumps();
    alt_stack();
    change_context();
    return t_done();
}
