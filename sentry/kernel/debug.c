// SPDX-License-Identifier: Apache-2.0
/*
 * What runsc ps and runsc debug show of the running container.
 */
#include "sentry/fs/proc/proc.h"
#include "sentry/fs/tty/tty.h"
#include "sentry/kernel/control.h"
#include "sentry/kernel/internal.h"
#include "sentry/mm/mm.h"
#include "sentry/syscall/strace.h"
#include "vmm/abi/control.h"

/* ---- processes ---- */

static char state_of(const struct process *p)
{
    const struct task *t = p->leader;

    if (!p->nthreads)
        return 'Z';
    if (__atomic_load_n(&p->stop_state, __ATOMIC_RELAXED) == STOP_DONE)
        return 'T';
    return t->state == TASK_RUNNING ? 'R' : 'S';
}

/* All but memory, which has other locks. Tasklist lock held. */
static void describe(struct process *p, struct control_process *out)
{
    struct task *t = p->leader;

    *out = (struct control_process){
        .pid = p->pid,
        .ppid = p->parent ? p->parent->pid : 0,
        .uid = task_uid(t),
        .threads = MAX(p->nthreads, 1u),
        .start_ns = t->start_time,
        .state = state_of(p),
    };
    process_times_locked(p, &out->utime_ns, &out->stime_ns);
    memcpy(out->comm, t->comm, sizeof(out->comm));
    if (p->tty)
        snprintf_(out->tty, sizeof(out->tty), "pts/%d", p->tty->index);
    else
        snprintf_(out->tty, sizeof(out->tty), "?");
}

/* The process with the lowest pid above `after`: its leader with a reference, or NULL. */
static struct task *next_process(int after, struct control_process *out)
{
    struct process *p, *best = NULL;
    struct task *leader = NULL;

    spin_lock(&tasklist_lock);
    list_for_each (p, &all_processes, all_link)
        if (p->pid > after && p->leader && (!best || p->pid < best->pid))
            best = p;
    if (best) {
        describe(best, out);
        leader = best->leader;
        task_get(leader);
    }
    spin_unlock(&tasklist_lock);
    return leader;
}

static void describe_memory(struct task *t, struct control_process *out)
{
    struct mm *mm = task_mm_get(t);

    if (!mm)
        return;
    down_read(&mm->lock);
    out->vsize = mm->total_vm * PAGE_SIZE;
    out->rss = ((u64)MAX(mm->rss_anon, 0L) + (u64)MAX(mm->rss_file, 0L)) * PAGE_SIZE;
    up_read(&mm->lock);
    mm_put(mm);
}

size_t debug_processes(int after, struct control_process *out, size_t max)
{
    struct task *leader;
    size_t n = 0;

    while (n < max && (leader = next_process(after, &out[n]))) {
        describe_memory(leader, &out[n]);
        task_put(leader);
        after = out[n++].pid;
    }
    return n;
}

/* ---- stacks ---- */

/* A text that grows up to a size. */
struct text {
    char *buf;
    size_t len, size;
};

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (t->len + 1 >= t->size)
        return;
    va_start(ap, fmt);
    n = vsnprintf_(t->buf + t->len, t->size - t->len, fmt, ap);
    va_end(ap);
    t->len = MIN(t->len + (size_t)MAX(n, 0), t->size - 1);
}

/* Registers are another CPU's to change: what is shown is a glance. */
static void show_task(struct text *out, const struct task *t)
{
    static const char *const states[] = {"running", "sleeping", "stopped", "zombie", "dead"};
    const struct uregs *r = &t->regs;
    const char *name = t->in_syscall ? syscall_name(r->orig_rax) : NULL;

    add(out, "task %d of process %d (%s): %s", t->tid, t->process->pid, t->comm,
        t->state < ARRAY_SIZE(states) ? states[t->state] : "?");
    if (t->in_syscall)
        add(out, " in %s(%#lx, %#lx, %#lx, %#lx)", name ? name : "?", r->rdi, r->rsi, r->rdx,
            r->r10);
    add(out, ", user rip %#lx rsp %#lx\n", r->rip, r->rsp);
}

static void show_tasks(struct text *out)
{
    struct process *p;
    struct task *t;

    spin_lock(&tasklist_lock);
    list_for_each (p, &all_processes, all_link)
        list_for_each (t, &p->threads, thread_link)
            show_task(out, t);
    spin_unlock(&tasklist_lock);
}

s64 debug_text(u32 what, s64 arg, char *buf, size_t size)
{
    struct text out = {.buf = buf, .size = size};

    switch (what) {
    case CONTROL_DEBUG_STACKS:
        show_tasks(&out);
        return (s64)out.len;
    case CONTROL_DEBUG_STRACE_ON:
    case CONTROL_DEBUG_STRACE_OFF:
        __atomic_store_n(&strace_enabled, what == CONTROL_DEBUG_STRACE_ON, __ATOMIC_RELAXED);
        return 0;
    case CONTROL_DEBUG_LEVEL:
        if (arg < LOG_WARN || arg > LOG_DEBUG)
            return -EINVAL;
        __atomic_store_n(&log_level, (int)arg, __ATOMIC_RELAXED);
        return 0;
    case CONTROL_DEBUG_EXITS:
        return HOSTCALL(HC_COUNTERS, virt_to_phys(buf), size);
    default:
        return -EINVAL;
    }
}
