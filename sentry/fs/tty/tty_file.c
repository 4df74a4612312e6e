// SPDX-License-Identifier: Apache-2.0
/*
 * A terminal as a file: open, read, write, poll, and job control on the way. tty(4).
 */
#include "sentry/fs/tty/tty.h"
#include "sentry/kernel/task.h"

#define CHUNK 512

struct tty *tty_new(const struct tty_driver *driver, void *data, u64 rdev, int index)
{
    static const u8 default_cc[] = {
        [VINTR] = 3,     [VQUIT] = 28,   [VERASE] = 127, [VKILL] = 21, [VEOF] = 4,
        [VMIN] = 1,      [VSTART] = 17,  [VSTOP] = 19,   [VSUSP] = 26, [VREPRINT] = 18,
        [VDISCARD] = 15, [VWERASE] = 23, [VLNEXT] = 22,
    };
    struct tty *t = kzalloc(sizeof(*t));

    if (!t)
        return NULL;
    ref_init(&t->refs, 1);
    mutex_init(&t->lock);
    waitq_init(&t->read_wait);
    waitq_init(&t->write_wait);
    t->driver = driver;
    t->driver_data = data;
    t->rdev = rdev;
    t->index = index;
    t->termios.c_iflag = ICRNL | IXON;
    t->termios.c_oflag = OPOST | ONLCR;
    t->termios.c_cflag = B38400 | CS8 | CREAD | HUPCL;
    t->termios.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
    t->termios.c_ispeed = t->termios.c_ospeed = 38400;
    memcpy(t->termios.c_cc, default_cc, sizeof(default_cc));
    return t;
}

void tty_put(struct tty *t)
{
    if (!t || !ref_put(&t->refs))
        return;
    if (t->driver->destroy)
        t->driver->destroy(t);
    kfree(t);
}

void tty_signal(struct tty *t, int sig)
{
    if (t->pgrp)
        signal_send_pgrp(t->pgrp, sig, NULL);
}

bool tty_set_winsize(struct tty *t, const struct winsize *ws)
{
    bool changed;

    mutex_lock(&t->lock);
    changed = memcmp(&t->winsize, ws, sizeof(*ws)) != 0;
    t->winsize = *ws;
    mutex_unlock(&t->lock);
    if (changed)
        tty_signal(t, SIGWINCH);
    return changed;
}

/* ---- controlling terminal and job control ---- */

struct tty *tty_current_get(void)
{
    struct tty *t;

    spin_lock(&tasklist_lock);
    t = current->process->tty;
    if (t)
        ref_get(&t->refs);
    spin_unlock(&tasklist_lock);
    return t;
}

/*
 * A background process touches its terminal: 0 to go on, -EIO, or -ERESTARTSYS with the stop signal
 * sent to its group. force: even TOSTOP-less writes (changing settings) count.
 */
static int job_control(struct tty *t, int sig)
{
    struct process *p = current->process;
    bool background;
    int pgrp;

    spin_lock(&tasklist_lock);
    background = p->tty == t && t->pgrp && p->pgrp != t->pgrp;
    pgrp = p->pgrp;
    spin_unlock(&tasklist_lock);
    if (!background)
        return 0;
    if (signal_ignored_or_blocked(sig))
        return sig == SIGTTIN ? -EIO : 0;
    if (current_pgrp_orphaned())
        return -EIO;
    signal_send_pgrp(pgrp, sig, NULL);
    return -ERESTARTSYS;
}

int tty_check_change(struct tty *t)
{
    return job_control(t, SIGTTOU);
}

/* ---- reading ---- */

/* Move up to n bytes of the ready input to out; *eof: a typed end of file was met (and consumed).
 */
static size_t take_input(struct tty *t, u8 *out, size_t n, bool *line_end)
{
    bool canonical = t->termios.c_lflag & ICANON;
    size_t got = 0;

    *line_end = false;
    while (got < n && t->head != (canonical ? t->canon : t->tail)) {
        u32 i = t->head % TTY_INPUT_SIZE;
        bool eol = t->eol[i / 64] >> (i % 64) & 1;

        t->head++;
        t->eol[i / 64] &= ~(1ULL << (i % 64));
        if (canonical && eol && t->input[i] == 0) {
            *line_end = true;
            break;
        }
        out[got++] = t->input[i];
        if (canonical && eol) {
            *line_end = true;
            break;
        }
    }
    /* A full line is followed by its end of file in the same read: do not report it twice. */
    if (canonical && got && got == n && !*line_end && t->head != t->canon) {
        u32 i = t->head % TTY_INPUT_SIZE;
        if ((t->eol[i / 64] >> (i % 64) & 1) && t->input[i] == 0) {
            t->head++;
            t->eol[i / 64] &= ~(1ULL << (i % 64));
        }
    }
    return got;
}

/* Deadline for the next wait in non-canonical mode; 0: do not wait. */
static u64 raw_deadline(const struct tty *t, size_t got)
{
    u8 min = t->termios.c_cc[VMIN], time = t->termios.c_cc[VTIME];

    if (min)
        return time && got ? clock_monotonic() + time * 100000000ULL : U64_MAX;
    return time ? clock_monotonic() + time * 100000000ULL : 0;
}

static bool input_ready(struct tty *t)
{
    bool ready;

    mutex_lock(&t->lock);
    ready = tty_readable(t) || t->hung_up;
    mutex_unlock(&t->lock);
    return ready;
}

/* Wait for input. 0: look again; 1: time is up (VTIME); or -errno. */
static int wait_input(struct tty *t, const struct uio *to, size_t got)
{
    bool canonical = t->termios.c_lflag & ICANON;
    u64 deadline = canonical ? U64_MAX : raw_deadline(t, got);
    int err;

    if (!deadline)
        return 1;
    if (to->nowait)
        return -EAGAIN;
    err = wait_event_deadline(&t->read_wait, input_ready(t), deadline);
    return err == -ETIMEDOUT ? 1 : err;
}

static s64 tty_read(struct vfs_file *f, struct uio *to, u64 *pos)
{
    struct tty *t = f->private;
    size_t total = 0;
    bool line_end;
    u8 chunk[CHUNK];
    int err;

    err = job_control(t, SIGTTIN);
    while (!err && to->left) {
        size_t n;
        bool hung_up, canonical;
        u8 min;

        mutex_lock(&t->lock);
        n = take_input(t, chunk, MIN(to->left, (u64)CHUNK), &line_end);
        hung_up = t->hung_up;
        canonical = t->termios.c_lflag & ICANON;
        min = t->termios.c_cc[VMIN];
        if (n)
            waitq_wake(&t->write_wait, POLLOUT | POLLWRNORM, ~0u);
        mutex_unlock(&t->lock);

        if (n && copy_to_uio(to, chunk, n) != n) {
            err = -EFAULT;
            break;
        }
        total += n;
        if (line_end || (n && canonical && !to->left))
            break;
        if (!canonical && total && total >= min && (!n || n < CHUNK))
            break;
        if (n)
            continue;
        if (hung_up)
            break;
        err = wait_input(t, to, total);
        if (err == 1) {
            err = 0;
            break;
        }
    }
    return total ? (s64)total : err;
}

/* ---- writing ---- */

static bool output_ready(struct tty *t)
{
    bool ready;

    mutex_lock(&t->lock);
    ready = t->hung_up || (!t->stopped && t->driver->write(t, NULL, 1));
    mutex_unlock(&t->lock);
    return ready;
}

static s64 tty_write(struct vfs_file *f, struct uio *from, u64 *pos)
{
    struct tty *t = f->private;
    s64 total = 0;
    int err = 0;
    u8 chunk[CHUNK];

    if (t->termios.c_lflag & TOSTOP)
        err = job_control(t, SIGTTOU);
    while (!err && from->left) {
        size_t n = MIN(from->left, (u64)CHUNK), done = 0;

        if (copy_from_uio(chunk, from, n) != n) {
            err = -EFAULT;
            break;
        }
        while (!err && done < n) {
            size_t k;

            mutex_lock(&t->lock);
            if (t->hung_up) {
                mutex_unlock(&t->lock);
                err = -EIO;
                break;
            }
            k = tty_output(t, chunk + done, n - done);
            mutex_unlock(&t->lock);
            done += k;
            if (!k)
                err = from->nowait ? -EAGAIN : wait_event(&t->write_wait, output_ready(t));
        }
        total += (s64)done;
    }
    return total ? total : err;
}

static u32 tty_poll(struct vfs_file *f, struct poll_table *pt)
{
    struct tty *t = f->private;
    u32 mask = 0;
    u8 min;

    poll_wait(pt, &t->read_wait);
    poll_wait(pt, &t->write_wait);
    mutex_lock(&t->lock);
    min = t->termios.c_lflag & ICANON || !t->termios.c_cc[VMIN] ? 1 : t->termios.c_cc[VMIN];
    if (tty_readable(t) >= min)
        mask |= POLLIN | POLLRDNORM;
    if (t->hung_up)
        mask |= POLLHUP | POLLIN | POLLRDNORM;
    if (!t->stopped && !t->hung_up && t->driver->write(t, NULL, 1))
        mask |= POLLOUT | POLLWRNORM;
    mutex_unlock(&t->lock);
    return mask;
}

/* ---- opening and closing ---- */

static void take_controlling(struct tty *t)
{
    struct process *p = current->process;

    spin_lock(&tasklist_lock);
    if (p->sid == p->pid && !p->tty && !t->session) {
        ref_get(&t->refs);
        p->tty = t;
        t->session = p->sid;
        t->pgrp = p->pgrp;
    }
    spin_unlock(&tasklist_lock);
}

int tty_open(struct tty *t, struct vfs_file *f)
{
    mutex_lock(&t->lock);
    if (t->hung_up || t->locked) {
        mutex_unlock(&t->lock);
        return -EIO;
    }
    t->opens++;
    t->was_opened = true;
    mutex_unlock(&t->lock);
    ref_get(&t->refs);
    f->private = t;
    f->ops = &tty_file_ops;
    f->mode |= FMODE_STREAM;
    if (!(f->flags & O_NOCTTY) && (f->mode & FMODE_READ))
        take_controlling(t);
    return 0;
}

static void tty_release(struct vfs_file *f)
{
    struct tty *t = f->private;

    mutex_lock(&t->lock);
    if (--t->opens == 0 && t->driver->closed)
        t->driver->closed(t);
    mutex_unlock(&t->lock);
    tty_put(t);
}

static s64 tty_file_ioctl(struct vfs_file *f, u32 cmd, u64 arg)
{
    return tty_ioctl(f->private, cmd, arg);
}

const struct file_ops tty_file_ops = {
    .read = tty_read,
    .write = tty_write,
    .poll = tty_poll,
    .ioctl = tty_file_ioctl,
    .release = tty_release,
};

/* ---- the end of a session or of the device ---- */

void tty_hangup(struct tty *t)
{
    int session, pgrp;
    struct process *p;

    mutex_lock(&t->lock);
    t->hung_up = true;
    waitq_wake(&t->read_wait, POLLIN | POLLHUP, ~0u);
    waitq_wake(&t->write_wait, POLLHUP, ~0u);
    mutex_unlock(&t->lock);

    spin_lock(&tasklist_lock);
    session = t->session;
    pgrp = t->pgrp;
    spin_unlock(&tasklist_lock);
    p = session ? process_find_get(session) : NULL;
    if (p) {
        signal_send_process(p, SIGHUP, NULL);
        signal_send_process(p, SIGCONT, NULL);
        process_put(p);
    }
    if (pgrp && pgrp != session) {
        signal_send_pgrp(pgrp, SIGHUP, NULL);
        signal_send_pgrp(pgrp, SIGCONT, NULL);
    }
}

void tty_disassociate(bool on_exit)
{
    struct process *me = current->process, *p;
    struct tty *t;
    unsigned drop = 0;
    int pgrp = 0;

    spin_lock(&tasklist_lock);
    t = me->tty;
    if (!t) {
        spin_unlock(&tasklist_lock);
        return;
    }
    if (me->sid == me->pid) {
        pgrp = t->pgrp;
        t->session = t->pgrp = 0;
        list_for_each (p, &all_processes, all_link) {
            if (p->tty == t && p->sid == me->sid) {
                p->tty = NULL;
                drop++;
            }
        }
    } else {
        me->tty = NULL;
        drop = 1;
    }
    spin_unlock(&tasklist_lock);
    if (pgrp) {
        signal_send_pgrp(pgrp, SIGHUP, NULL);
        if (!on_exit)
            signal_send_pgrp(pgrp, SIGCONT, NULL);
    }
    while (drop--)
        tty_put(t);
}
