/* SPDX-License-Identifier: Apache-2.0
 *
 * Signals: sending, queueing, delivery. signal(7).
 */
#pragma once

#include <asm/signal.h>
#include <asm/siginfo.h>
#include "sentry/kernel/wait.h"

typedef u64 sigset64_t;
#define SIGBIT(n) (1ULL << ((n)-1))
#define SIG_KERNEL_UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
#define NSIGNALS 64

/* The kernel's struct sigaction for x86-64. */
struct ksigaction {
    uva_t handler; /* 0 SIG_DFL, 1 SIG_IGN */
    u64 flags;
    uva_t restorer;
    sigset64_t mask;
};

struct task;
struct process;
struct cred;

/* Handlers; shared by CLONE_SIGHAND. lock guards all of it and every pending queue of its users. */
struct sighand {
    refcount_t refs;
    struct spinlock lock;
    struct ksigaction action[NSIGNALS]; /* of signal n at n - 1 */
    struct sighand *superseded; /* what an exec unshared from; kept as senders may still look at it */
};

/*
 * One queued signal; on one pending queue or owned by whoever took it off. A posix timer embeds
 * one (embedded: never freed by the queue) and counts expirations while it is still queued.
 */
struct sigqueue {
    struct list link;
    siginfo_t info;
    struct process *process; /* whose nsigqueued counts it */
    bool embedded;
};

/* Pending signals of a task or of a process; guarded by sighand->lock. */
struct sigpending {
    sigset64_t set;
    struct list queue; /* of struct sigqueue */
};

/* Woken for each signal that is queued to anybody; signalfd waits here. */
extern struct waitq signalfd_waitq;

void sigpending_init(struct sigpending *p);
void sigpending_flush(struct sigpending *p);

/* Send to one thread / to the process (any thread takes it). info NULL: SI_KERNEL. 0 or -EAGAIN. */
int signal_send_task(struct task *t, int sig, const siginfo_t *info);
int signal_send_process(struct process *p, int sig, const siginfo_t *info);
/* To every process of a group; -ESRCH when there is none. */
int signal_send_pgrp(int pgrp, int sig, const siginfo_t *info);
/* A fault of current: SIGSEGV & co. that cannot be blocked or ignored (then the default action). */
void signal_force(int sig, int code, uva_t addr, u32 trapno, u64 error);

/* Whether current must leave an interruptible sleep. */
bool signal_pending(const struct task *t);
/* t->blocked = set (minus KILL and STOP); recalculates and wakes as needed. */
void signal_set_blocked(struct task *t, sigset64_t set);
/*
 * Before going back to user mode: deliver what is pending, set up handler frames, stop, or exit;
 * restarts the interrupted system call (regs.rax = -ERESTART*) as its code says.
 */
void signal_deliver(void);
/* Replace the mask for the time of a call (ppoll, sigsuspend); restored at delivery. */
void signal_mask_temporarily(sigset64_t set);

/*
 * Take the first pending signal of current (own, then the process's) that is in `set`, for
 * sigtimedwait and signalfd; 0 when there is none. Fills *info.
 */
int signal_dequeue(sigset64_t set, siginfo_t *info);
/* Signals of `set` that wait for current. */
sigset64_t signal_pending_set(void);
/* May current send sig to t? 0, -EPERM. (SIGCONT within the session is always allowed.) */
int signal_permission(struct task *t, int sig);
/* Whether current ignores or blocks sig (job control of terminals). */
bool signal_ignored_or_blocked(int sig);
/* Whether the process group of current has no member that could be continued by its shell. */
bool current_pgrp_orphaned(void);

struct sighand *sighand_new(const struct sighand *copy_of); /* NULL: defaults */
void sighand_put(struct sighand *s);
/* exec: handlers back to the default, unshared. 0 or -ENOMEM. */
int sighand_reset_for_exec(struct task *t);
