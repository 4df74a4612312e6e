/* SPDX-License-Identifier: Apache-2.0
 *
 * Tasks (threads) and processes (thread groups), credentials, identifiers, life and death.
 */
#pragma once

#include <linux/resource.h>
#include "sentry/kernel/signal.h"
#include "sentry/kernel/wait.h"
#include "sentry/machine/machine.h"

struct files;
struct fs_context;
struct mm;
struct tty;
struct vfs_file;

/* Credentials; immutable once published, replaced as a whole (cred_put drops a reference). */
struct cred {
    refcount_t refs;
    u32 uid, euid, suid, fsuid;
    u32 gid, egid, sgid, fsgid;
    u64 cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
    u32 securebits;
    u32 ngroups;
    u32 groups[]; /* sorted */
};

enum task_state { TASK_RUNNING, TASK_SLEEPING, TASK_STOPPED, TASK_ZOMBIE, TASK_DEAD };

/* Bits of task->work: reasons to leave the fast path before user mode; set atomically. */
#define WORK_SIGNAL    1u /* look for signals, group stop, group exit */
#define WORK_RESCHED   2u /* the time slice is over */
#define WORK_CPU_TIMER 4u /* look at the process' CPU timers */
#define WORK_PAUSE     8u /* the container is paused */

/* How to go on with a call that a signal interrupted (restart_syscall(2)); owned by its task. */
struct restart_block {
    long (*fn)(struct restart_block *rb);
    u64 deadline;
    uva_t addr; /* timespec for remaining time, or futex, or pollfds */
    u64 arg[3];
};

/*
 * A thread. Created by task_clone(), freed when the last reference goes (task_put); its own thread
 * holds one until it has left its stack. Fields without a remark are private to the task itself.
 */
struct task {
    struct uregs regs;      /* first: entry.S relies on it */
    struct mthread mthread; /* the machine's */
    void *fpu;              /* machine_fpu_size bytes, 64-aligned */

    refcount_t refs;
    int tid;                  /* tasklist lock; changes only when a thread execs and becomes the leader */
    u32 work;                 /* WORK_*, atomic */
    enum task_state state;    /* tasklist lock for ZOMBIE/DEAD; else informative */
    struct process *process;  /* constant */
    struct list thread_link;  /* process->threads; tasklist lock */
    struct mm *mm;            /* NULL: kernel thread; changed by self only, read by others under tasklist lock */
    struct files *files;      /* task->lock for others' reads */
    struct fs_context *fs;
    struct cred *cred;        /* task->lock for others' reads */
    struct spinlock lock;
    char comm[16];

    struct sighand *sighand;  /* constant while alive */
    struct sigpending pending; /* sighand->lock */
    sigset64_t blocked;       /* written by self under sighand->lock */
    sigset64_t saved_blocked; /* valid with restore_blocked */
    sigset64_t sigwait;       /* rt_sigtimedwait waits for these although blocked; sighand->lock */
    bool restore_blocked;
    bool stillborn;           /* clone gave up: its thread ends without ever having been visible */
    bool exiting;             /* takes no signals any more; sighand->lock */
    bool stop_wanted;         /* has to take part in the group stop; sighand->lock */
    bool stopped;             /* in the group stop; sighand->lock */
    bool stop_dequeued;       /* took a stop signal, no SIGCONT since; sighand->lock */
    u64 trap_nr, trap_error, trap_addr; /* last exception, for sigcontext */
    bool in_syscall;          /* regs.orig_rax is a call that may be restarted */
    stack_t altstack;
    struct restart_block restart;

    uva_t clear_child_tid, set_child_tid;
    uva_t robust_list;
    uva_t rseq;
    u32 rseq_len, rseq_sig;
    struct vfork_wait *vfork; /* parent waits here until exec or exit */
    int exit_signal;          /* of the leader: sent to the parent */
    int exit_code;            /* wait status of this thread */
    u64 cpus_allowed;
    int nice, policy, rt_priority;
    u64 timer_slack, default_timer_slack; /* ns; only remembered */
    u64 start_time;           /* monotonic ns */
    u64 utime, stime;         /* ns; by machine accounting at user_run boundaries */
    u64 acct_stamp;           /* when the time that is not yet booked began; see task_account() */
    u64 acct_hint;            /* ns of a system call, running average */
    u32 acct_calls;           /* system calls since acct_stamp that were not timed */
    u64 min_flt, maj_flt, nvcsw, nivcsw;
    u32 personality;
    bool no_new_privs;
    u32 pdeath_signal;
    struct scm *scm_dying;    /* being freed by this task: scm_free() */
    void (*kthread_fn)(void *);
    void *kthread_arg;
};

enum { STOP_NONE, STOP_PENDING, STOP_DONE };

/*
 * A process. Lives until its parent has waited for it (or at once, when nobody will). The tree
 * (parent, children, group, session) is guarded by the tasklist lock; signals by sighand->lock.
 */
struct process {
    refcount_t refs;
    int pid;
    struct task *leader;   /* tasklist lock; NULL once reaped */
    struct sighand *sighand; /* the threads' one; see sighand_lock() */
    struct list threads;   /* of task.thread_link; changed under tasklist lock AND sighand->lock */
    unsigned nthreads;     /* that have not passed exit_notify(); as threads */
    unsigned nalive;       /* that do not exit yet; sighand->lock */
    struct task *exec_task; /* thread that waits in exec for all others to end; sighand->lock */
    struct process *parent;
    struct list children, sibling;
    struct list all_link;  /* all processes */
    int pgrp, sid;
    struct tty *tty;       /* controlling terminal, tasklist lock */
    bool did_exec;
    struct sigpending shared_pending;
    u32 nsigqueued;        /* queued to it or its threads, against RLIMIT_SIGPENDING; sighand->lock */
    struct waitq child_wait; /* wait4 of the parent's threads */
    bool exiting;          /* sighand->lock: group exit has begun with exit_code */
    int exit_code;
    int stop_state;        /* STOP_* */
    int stop_signal;       /* for wait4(WUNTRACED) */
    bool stop_reported, continued;
    int stop_notify;       /* CLD_* that the next of its threads to run tells the parent; sighand->lock */
    unsigned stop_count;   /* threads that still have to stop */
    struct waitq stop_wait;
    struct rlimit64_ {
        u64 cur, max;
    } rlimits[RLIM_NLIMITS]; /* process lock = sighand->lock */
    u64 cutime, cstime;    /* reaped children */
    u64 utime_dead, stime_dead; /* threads that have gone; tasklist lock */
    u64 min_flt_dead, maj_flt_dead;
    u64 cmin_flt, cmaj_flt; /* reaped children */
    u64 maxrss, cmaxrss;    /* KiB: of address spaces it had, of its children's */
    struct ktimer real_timer; /* ITIMER_REAL */
    u64 real_interval;     /* sighand->lock */
    struct cpu_timer {
        u64 expires, interval; /* ns of CPU time; expires 0: not armed */
    } virt_timer, prof_timer;  /* sighand->lock */
    struct ktimer cpu_tick;    /* makes the threads look at their CPU timers */
    struct list posix_timers;  /* sighand->lock */
    int next_timer_id;
    struct vfs_file *exe;  /* /proc/PID/exe */
    bool dumpable, child_subreaper;
    s32 oom_score_adj;
};

/* ---- identifiers and lookup: pid.c. Names stay valid while the tasklist lock or a reference is held ---- */

extern struct spinlock tasklist_lock;
struct task *task_find_get(int tid);       /* +reference or NULL */
struct process *process_find(int pid);     /* tasklist lock held */
struct process *process_find_get(int pid); /* +reference */
extern struct list all_processes;          /* tasklist lock */
extern struct process *init_process;

void task_get(struct task *t);
void task_put(struct task *t);
void process_put(struct process *p);

/* ---- life ---- */

struct clone_params {
    u64 flags;
    int exit_signal;
    uva_t stack, stack_size, parent_tid, child_tid, tls, pidfd;
};
/* clone(2), clone3(2), fork, vfork. Child's tid or -errno. */
long task_clone(const struct clone_params *p);
/* A thread of the Sentry itself (no user side). NULL when out of memory. */
struct task *kthread_start(const char *name, void (*fn)(void *), void *arg);
/*
 * current stops using its address space (exec before it switches, exit): robust futexes,
 * clear_child_tid, and the parent that waits in vfork goes on.
 */
void task_mm_release(void);
/* exec has succeeded: what the kernel resets (timers, alternate stack, exit signal, ...). */
void task_exec_reset(const char *comm);
/* End current's thread / all of its process. code: as wait(2) reports it (status << 8, or signal). */
_Noreturn void task_exit(int code);
_Noreturn void process_exit(int code);
/* Kill all other threads of current's process (exec); 0, or -EAGAIN when the process is exiting. */
int process_kill_other_threads(void);

/* execve(2) with everything in kernel memory: exec.c. Returns only on failure or with new regs set. */
struct exec_args {
    char *path;
    char **argv, **envp;  /* NULL-terminated, kmalloc'ed; exec does not free them */
    int argc, envc;
    int dirfd, flags;     /* execveat */
    char *home;           /* program.c: an entry of envp made by it */
};
int task_exec(struct exec_args *a);

/* The body of every user task: run, handle, deliver. Never returns. */
_Noreturn void task_loop(void);

/* ---- credentials: cred.c ---- */

#define CAP_ALL ((1ULL << 41) - 1) /* the capabilities that we know */
struct cred *cred_initial(void); /* root with all capabilities; NULL when out of memory */
struct cred *cred_get(struct cred *c);
struct cred *task_cred_get(struct task *t); /* of any task, +reference */
void cred_put(struct cred *c);
struct cred *cred_copy(const struct cred *c, u32 ngroups); /* a private, unpublished copy */
void cred_commit(struct cred *c);                          /* becomes current's; consumes c */
/* current uses c for a while, before it runs anything; returns what it had. References move along. */
struct cred *cred_swap(struct cred *c);
bool capable(int cap);                                     /* current, effective */
bool in_group(const struct cred *c, u32 gid);

/*
 * Accounting of CPU time: the time since acct_stamp becomes user or kernel time of t. The task
 * loop does it at the borders of user mode, the machine where t stops running, and it sets
 * acct_stamp where t runs again. Reading the clock is dear beside a short system call, so most
 * calls are not timed but counted (acct_calls), and taken to have lasted as long as those that
 * were timed did on average (acct_hint).
 */
static inline void task_account(struct task *t, u64 now, bool user)
{
    u64 time = now - t->acct_stamp, kernel = user ? 0 : time;

    if (t->acct_calls) {
        u64 guess = t->acct_calls * t->acct_hint;

        kernel = guess < time ? guess : time;
        t->acct_calls = 0;
    }
    t->acct_stamp = now;
    /* Others read them at any time. */
    __atomic_store_n(&t->utime, t->utime + time - kernel, __ATOMIC_RELAXED);
    __atomic_store_n(&t->stime, t->stime + kernel, __ATOMIC_RELAXED);
}
u64 task_cpu_time(const struct task *t);
static inline u64 task_utime(const struct task *t)
{
    return __atomic_load_n(&t->utime, __ATOMIC_RELAXED);
}
static inline u64 task_stime(const struct task *t)
{
    return __atomic_load_n(&t->stime, __ATOMIC_RELAXED);
}
u64 rlimit(int which); /* soft limit of current's process */
