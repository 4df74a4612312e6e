/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share among themselves and nobody else needs.
 */
#pragma once

#include <linux/signal.h>
#include "sentry/kernel/task.h"

/* ---- task.c ---- */

/* A task without an identity: one reference, FPU area, empty signal state. NULL: no memory. */
struct task *task_alloc(void);
/* An empty process, one reference, in no tree. NULL: no memory. */
struct process *process_alloc(void);
/* Drop what a task that never ran has acquired. */
void task_discard(struct task *t);
/* CPU time of the process: its threads and those that have gone. Takes the tasklist lock. */
void process_times(struct process *p, u64 *utime, u64 *stime);
void process_times_locked(struct process *p, u64 *utime, u64 *stime);
/* Real user id, as in signals that tell of t. */
u32 task_uid(struct task *t);
#define TICK_NS 10000000ull /* clock_t of the ABI: 100 a second */
/* Book the time since current was last looked at. */
static inline void account_user(struct task *t)
{
    task_account(t, machine_clock_mono(), true);
}
static inline void account_kernel(struct task *t)
{
    task_account(t, machine_clock_mono(), false);
}

/* ---- pid.c; all but pid_reserve with the tasklist lock held ---- */

#define PID_MAX 32768

/* A number that nobody uses, kept until pid_publish or pid_unreserve. -EAGAIN: none left. */
int pid_reserve(void);
void pid_publish(int pid, struct task *t);
void pid_unreserve(int pid);
void pid_withdraw(int pid);             /* the task is gone */
void pid_move(int pid, struct task *t); /* another task has the number now */
void process_set_group(struct process *p, int pgrp);
void process_set_session(struct process *p, int sid);
/* Whether the group has no member whose parent is outside of it and in its session. */
bool pgrp_orphaned(int pgrp, const struct process *ignored);
bool pgrp_has_stopped(int pgrp);

/* ---- signal.c ---- */

/* Lock the sighand that t (p) has at this moment; a reference to t (p) is held. */
struct sighand *sighand_lock(struct task *t);
struct sighand *process_lock(struct process *p);
static inline void sighand_unlock(struct sighand *s)
{
    spin_unlock(&s->lock);
}
/* The following with sighand->lock held. */
void signal_wake(struct task *t); /* make it look at its signals */
void signal_recalc(void);         /* does current have work? */
int signal_queue_locked(struct process *p, struct task *t, int sig, const siginfo_t *info);
/* Queue a posix timer's own entry; false when it is still queued or the signal is ignored. */
enum timer_signal { TIMER_QUEUED, TIMER_STILL_QUEUED, TIMER_IGNORED };
enum timer_signal signal_queue_timer(struct process *p, struct task *t, struct sigqueue *q);
/* Take a timer's entry back off the queue, if it is there. */
void signal_unqueue_timer(struct process *p, struct task *t, struct sigqueue *q);
void signal_discard_locked(struct sigpending *p, sigset64_t set);
int signal_dequeue_locked(sigset64_t set, siginfo_t *info);
/* Begin the exit of the whole process with this wait status. */
void process_kill_locked(struct process *p, int code);
void signal_retarget_locked(struct task *t, sigset64_t set); /* somebody else must take these */
bool signal_default_ignored(int sig);
/* Raised by what the task itself does: taken first. */
#define SIG_SYNCHRONOUS                                                                     \
    (SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGFPE) | \
     SIGBIT(SIGSYS))
#define SIG_STOPS (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))

/* After taking a signal off a queue, without locks: timers that go on only then. */
void signal_taken(int sig, const siginfo_t *info);
/* current no longer takes part in a stop; true when it was the last: tell the parent. */
bool stop_leave_locked(struct task *t);
/* Tell the parent of a stop or continuation (CLD_*); no locks held. */
void notify_parent_stop(struct process *p, int why);
void siginfo_user(siginfo_t *info, int sig, int code); /* sent by current */
/* The mask for the time of a call goes back to what it was. */
void signal_restore_mask(void);
int do_sigaltstack(const stack_t *new_ss, stack_t *old_ss, u64 rsp);

/* ---- signal_frame.c ---- */

/* Make the user stack frame for a handler and point the registers at it. 0, or -EFAULT. */
int signal_frame_push(const struct ksigaction *ka, siginfo_t *info, sigset64_t saved_mask);

/* ---- cred.c ---- */

void groups_sort(u32 *g, u32 n); /* ascending, in place */

/* ---- caps.c: parts of prctl ---- */

s64 prctl_capbset(bool drop, u64 cap);
s64 prctl_cap_ambient(u64 what, u64 cap);
s64 prctl_set_securebits(u64 bits);
s64 prctl_keepcaps(bool set, u64 on);

/* ---- timers ---- */

void itimer_init(struct process *p);
void itimer_signal_taken(struct process *p); /* SIGALRM; sighand->lock held */
void posix_timer_signal_taken(int id);       /* its signal was taken */
void timers_exit(struct process *p);         /* the process ends */
void cpu_timers_start(struct process *p);    /* RLIMIT_CPU changed */
void posix_timers_delete(struct process *p);
void cpu_timers_check(void); /* current: WORK_CPU_TIMER */

/* ---- others ---- */

void vfork_done(struct task *t);
_Noreturn void task_exit_unborn(void);
void futex_exit(struct task *t);     /* robust list */
void futex_wake_address(uva_t addr); /* FUTEX_WAKE 1 for clear_child_tid */
/* Unlink a dead process; its numbers become free. Tasklist lock held. Drops the tree's references.
 */
void process_release(struct process *p);
/* Wait status of a process all of whose threads have ended or are about to. */
int process_status(const struct process *p);
/* Most memory that the address space has had resident. */
u64 mm_peak_kib(const struct mm *mm);
struct rusage;
void rusage_fill(struct rusage *ru, u64 utime, u64 stime, u64 min_flt, u64 maj_flt, u64 maxrss);

/* ---- time.c ---- */

int clock_read(int id, u64 *ns); /* 0 or -EINVAL */
void time_init(void);
void uts_init(void);
void futex_init(void);
