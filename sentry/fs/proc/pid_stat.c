// SPDX-License-Identifier: Apache-2.0
//
// proc: stat, statm and status of a process or thread.

#include "sentry/fs/internal.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/fs/tty/tty.h"

#define TICK_NS 10000000UL

void proc_times(struct process *p, u64 *utime, u64 *stime)
{
    struct task *t;

    *utime = p->utime_dead;
    *stime = p->stime_dead;
    list_for_each (t, &p->threads, thread_link) {
        *utime += __atomic_load_n(&t->utime, __ATOMIC_RELAXED);
        *stime += __atomic_load_n(&t->stime, __ATOMIC_RELAXED);
    }
}

static char state_of(const struct task *t)
{
    if (t->state == TASK_ZOMBIE || t->state == TASK_DEAD || t->exiting)
        return 'Z';
    if (t->stopped)
        return 'T';
    return t == current || t->state == TASK_RUNNING ? 'R' : 'S';
}

static const char *state_name(char c)
{
    switch (c) {
    case 'R':
        return "R (running)";
    case 'T':
        return "T (stopped)";
    case 'Z':
        return "Z (zombie)";
    default:
        return "S (sleeping)";
    }
}

/* What the tree knows about a task, taken under the tasklist lock. */
struct tree_info {
    int pid, ppid, pgrp, sid, tty, tpgid;
    unsigned nthreads;
    u64 utime, stime, cutime, cstime, min_flt, maj_flt, cmin_flt, cmaj_flt;
};

static void tree_info(struct task *t, struct tree_info *i)
{
    struct process *p = t->process;

    *i = (struct tree_info){.tpgid = -1};
    spin_lock(&tasklist_lock);
    i->pid = p->pid;
    i->ppid = p->parent ? p->parent->pid : 0;
    i->pgrp = p->pgrp;
    i->sid = p->sid;
    i->nthreads = MAX(p->nthreads, 1u);
    if (p->tty) {
        i->tty = (int)p->tty->rdev;
        i->tpgid = p->tty->pgrp;
    }
    i->cutime = p->cutime;
    i->cstime = p->cstime;
    i->min_flt = t->min_flt + p->min_flt_dead;
    i->maj_flt = t->maj_flt + p->maj_flt_dead;
    i->cmin_flt = p->cmin_flt;
    i->cmaj_flt = p->cmaj_flt;
    if (t == p->leader) {
        proc_times(p, &i->utime, &i->stime);
    } else {
        i->utime = t->utime;
        i->stime = t->stime;
    }
    spin_unlock(&tasklist_lock);
}

/* Signal sets for stat and status. */
struct signal_info {
    u64 pending, shared, blocked, ignored, caught;
    unsigned queued;
};

static void signal_info(struct task *t, struct signal_info *i)
{
    struct sighand *h = t->sighand;

    *i = (struct signal_info){0};
    if (!h)
        return;
    spin_lock(&h->lock);
    i->pending = t->pending.set;
    i->shared = t->process->shared_pending.set;
    i->blocked = t->blocked;
    i->queued = t->process->nsigqueued;
    for (int n = 0; n < NSIGNALS; n++) {
        if (h->action[n].handler == 1)
            i->ignored |= 1ULL << n;
        else if (h->action[n].handler)
            i->caught |= 1ULL << n;
    }
    spin_unlock(&h->lock);
}

struct mm_info {
    u64 vsize, peak, rss, hwm, anon, file, data, stack, text, lib, locked, tables;
    u64 start_code, end_code, start_stack, start_data, end_data, brk_start;
    u64 arg_start, arg_end, env_start, env_end;
};

static bool mm_info(struct task *t, struct mm_info *i)
{
    struct mm *mm = task_mm_get(t);
    struct vma *v;

    memset(i, 0, sizeof(*i));
    if (!mm)
        return false;
    down_read(&mm->lock);
    i->vsize = mm->total_vm * 4;
    i->peak = i->vsize;
    i->anon = (u64)MAX(mm->rss_anon, 0L) * 4;
    i->file = (u64)MAX(mm->rss_file, 0L) * 4;
    i->rss = i->anon + i->file;
    i->hwm = MAX((u64)MAX(mm->rss_peak, 0L) * 4, i->rss);
    i->locked = mm->locked_vm * 4;
    list_for_each (v, &mm->vmas, link) {
        u64 kb = (v->end - v->start) >> 10;
        if (v->flags & VMA_GROWSDOWN)
            i->stack += kb;
        else if ((v->prot & PROT_EXEC) && !(v->prot & PROT_WRITE) && v->file)
            i->lib += kb;
        else if ((v->prot & PROT_WRITE) && !(v->flags & VMA_SHARED))
            i->data += kb;
    }
    i->text = (mm->end_code - mm->start_code + 1023) >> 10;
    i->lib -= MIN(i->lib, i->text);
    i->tables = (mm->nvmas + 8) * 4;
    i->start_code = mm->start_code;
    i->end_code = mm->end_code;
    i->start_stack = mm->stack_start;
    i->start_data = mm->start_data;
    i->end_data = mm->end_data;
    i->brk_start = mm->brk_start;
    i->arg_start = mm->arg_start;
    i->arg_end = mm->arg_end;
    i->env_start = mm->env_start;
    i->env_end = mm->env_end;
    up_read(&mm->lock);
    mm_put(mm);
    return true;
}

int proc_show_stat(struct seq *s, const struct proc_ctx *c)
{
    struct task *t = c->t;
    struct tree_info tree;
    struct signal_info sig;
    struct mm_info mm;
    bool may = !proc_may_access(t);

    tree_info(t, &tree);
    signal_info(t, &sig);
    mm_info(t, &mm);
    seq_printf(s, "%d (%s) %c %d %d %d %d %d 4194304 %lu %lu %lu %lu ", t->tid, t->comm,
               state_of(t), tree.ppid, tree.pgrp, tree.sid, tree.tty, tree.tpgid, tree.min_flt,
               tree.cmin_flt, tree.maj_flt, tree.cmaj_flt);
    seq_printf(s, "%lu %lu %lu %lu %d %d %u 0 %lu %lu %lu %lu ", tree.utime / TICK_NS,
               tree.stime / TICK_NS, tree.cutime / TICK_NS, tree.cstime / TICK_NS, 20 + t->nice,
               t->nice, tree.nthreads, t->start_time / TICK_NS, mm.vsize * 1024, mm.rss / 4,
               t->process->rlimits[RLIMIT_RSS].cur);
    seq_printf(s, "%lu %lu %lu 0 0 %lu %lu %lu %lu 0 0 0 %d %d %d %d 0 0 0 ",
               may ? mm.start_code : 0, may ? mm.end_code : 0, may ? mm.start_stack : 0,
               sig.pending, sig.blocked, sig.ignored, sig.caught,
               t->exit_signal ? t->exit_signal : 17, 0, t->rt_priority, t->policy);
    if (may)
        seq_printf(s, "%lu %lu %lu %lu %lu %lu %lu %d\n", mm.start_data, mm.end_data, mm.brk_start,
                   mm.arg_start, mm.arg_end, mm.env_start, mm.env_end, t->exit_code);
    else
        seq_puts(s, "0 0 0 0 0 0 0 0\n");
    return 0;
}

int proc_show_statm(struct seq *s, const struct proc_ctx *c)
{
    struct mm_info mm;

    mm_info(c->t, &mm);
    seq_printf(s, "%lu %lu %lu %lu 0 %lu 0\n", mm.vsize / 4, mm.rss / 4, mm.file / 4, mm.text / 4,
               (mm.data + mm.stack) / 4);
    return 0;
}

/* ---- status ---- */

static void put_ids(struct seq *s, struct task *t)
{
    struct cred *c = task_cred_get(t);
    struct files *files = task_files_get(t);

    seq_printf(s, "Uid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid, c->fsuid);
    seq_printf(s, "Gid:\t%u\t%u\t%u\t%u\n", c->gid, c->egid, c->sgid, c->fsgid);
    seq_printf(s, "FDSize:\t%u\nGroups:\t", files ? files_max(files) : 0);
    files_put(files);
    for (u32 i = 0; i < c->ngroups; i++)
        seq_printf(s, "%u ", c->groups[i]);
    seq_putc(s, '\n');
    cred_put(c);
}

static void put_memory(struct seq *s, struct task *t)
{
    struct mm_info mm;

    if (!mm_info(t, &mm))
        return;
    const struct {
        const char *name;
        u64 kb;
    } lines[] = {
        {"VmPeak", mm.peak}, {"VmSize", mm.vsize}, {"VmLck", mm.locked}, {"VmPin", 0},
        {"VmHWM", mm.hwm},   {"VmRSS", mm.rss},    {"RssAnon", mm.anon}, {"RssFile", mm.file},
        {"RssShmem", 0},     {"VmData", mm.data},  {"VmStk", mm.stack},  {"VmExe", mm.text},
        {"VmLib", mm.lib},   {"VmPTE", mm.tables}, {"VmSwap", 0},        {"HugetlbPages", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        seq_printf(s, "%s:\t%8lu kB\n", lines[i].name, lines[i].kb);
}

static void put_signals(struct seq *s, struct task *t)
{
    struct signal_info sig;

    signal_info(t, &sig);
    seq_printf(s, "SigQ:\t%u/%lu\n", sig.queued, t->process->rlimits[RLIMIT_SIGPENDING].cur);
    seq_printf(
        s, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
        sig.pending, sig.shared, sig.blocked, sig.ignored, sig.caught);
}

static void put_caps(struct seq *s, struct task *t)
{
    struct cred *c = task_cred_get(t);

    seq_printf(
        s, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\n",
        c->cap_inheritable, c->cap_permitted, c->cap_effective, c->cap_bounding, c->cap_ambient);
    cred_put(c);
}

static void put_cpus(struct seq *s, struct task *t)
{
    u64 all = machine_ncpus >= 64 ? U64_MAX : (1ULL << machine_ncpus) - 1;
    u64 allowed = t->cpus_allowed & all;
    bool first = true;

    if (machine_ncpus > 32)
        seq_printf(s, "Cpus_allowed:\t%08x,%08x\nCpus_allowed_list:\t", (u32)(allowed >> 32),
                   (u32)allowed);
    else
        seq_printf(s, "Cpus_allowed:\t%0*x\nCpus_allowed_list:\t", (int)(machine_ncpus + 3) / 4,
                   (u32)allowed);
    for (unsigned n = 0; n < machine_ncpus; n++) {
        unsigned end = n;
        if (!(allowed >> n & 1))
            continue;
        while (end + 1 < machine_ncpus && (allowed >> (end + 1) & 1))
            end++;
        seq_printf(s, end > n ? "%s%u-%u" : "%s%u", first ? "" : ",", n, end);
        first = false;
        n = end;
    }
    seq_puts(s, "\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
}

int proc_show_status(struct seq *s, const struct proc_ctx *c)
{
    struct task *t = c->t;
    struct fs_context *fs = task_fs_get(t);
    struct tree_info tree;

    tree_info(t, &tree);
    seq_puts(s, "Name:\t");
    seq_escaped(s, t->comm, "\n");
    seq_putc(s, '\n');
    if (fs)
        seq_printf(s, "Umask:\t%04o\n", fs->umask);
    fs_context_put(fs);
    seq_printf(s, "State:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
               state_name(state_of(t)), tree.pid, t->tid, tree.ppid);
    put_ids(s, t);
    seq_printf(s, "NStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", tree.pid, t->tid, tree.pgrp,
               tree.sid);
    put_memory(s, t);
    seq_printf(s, "Threads:\t%u\n", tree.nthreads);
    put_signals(s, t);
    put_caps(s, t);
    seq_printf(s, "NoNewPrivs:\t%d\nSeccomp:\t0\n", t->no_new_privs);
    put_cpus(s, t);
    seq_printf(s, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", t->nvcsw,
               t->nivcsw);
    return 0;
}
