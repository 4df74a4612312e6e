// SPDX-License-Identifier: Apache-2.0
/*
 * Terminal ioctls: tty_ioctl(4).
 */
#include "sentry/fs/tty/tty.h"
#include "sentry/kernel/task.h"

static s64 get_termios(struct tty *t, u32 cmd, u64 arg)
{
    struct termios2 v;
    size_t size = cmd == TCGETS2 ? sizeof(struct termios2) : sizeof(struct termios);

    mutex_lock(&t->lock);
    v = t->termios;
    mutex_unlock(&t->lock);
    return copy_to_user(arg, &v, size);
}

/* Going from canonical to raw makes the half-typed line readable. */
static void apply_termios(struct tty *t, const struct termios2 *v)
{
    struct termios2 old = t->termios;

    t->termios = *v;
    if ((old.c_lflag ^ v->c_lflag) & ICANON)
        t->canon = t->tail;
    if (!(v->c_iflag & IXON))
        t->stopped = false;
    if (t->driver->termios_changed)
        t->driver->termios_changed(t, &old);
    waitq_wake(&t->read_wait, POLLIN, ~0u);
    waitq_wake(&t->write_wait, POLLOUT, ~0u);
}

/* Output is handed over at once, so there is nothing to drain for the W and F forms. */
static s64 set_termios(struct tty *t, u64 arg, bool two, bool flush)
{
    struct termios2 v;
    int err;

    mutex_lock(&t->lock);
    v = t->termios;
    mutex_unlock(&t->lock);
    err = copy_from_user(&v, arg, two ? sizeof(struct termios2) : sizeof(struct termios));
    if (!err)
        err = tty_check_change(t);
    if (err)
        return err;
    mutex_lock(&t->lock);
    if (flush)
        tty_flush_input(t);
    apply_termios(t, &v);
    mutex_unlock(&t->lock);
    return 0;
}

static s64 set_pgrp(struct tty *t, u64 arg)
{
    struct process *p;
    int pgrp, err;

    err = get_user(pgrp, arg);
    if (err)
        return err;
    if (pgrp < 0)
        return -EINVAL;
    err = tty_check_change(t);
    if (err)
        return err == -EIO ? -ENOTTY : err;
    err = -ESRCH;
    spin_lock(&tasklist_lock);
    if (current->process->tty != t || t->session != current->process->sid) {
        err = -ENOTTY;
        goto out;
    }
    list_for_each (p, &all_processes, all_link) {
        if (p->pgrp != pgrp)
            continue;
        err = p->sid == t->session ? 0 : -EPERM;
        break;
    }
    if (!err)
        t->pgrp = pgrp;
out:
    spin_unlock(&tasklist_lock);
    return err;
}

static s64 get_id(struct tty *t, u64 arg, bool session)
{
    int id;

    spin_lock(&tasklist_lock);
    id = current->process->tty == t ? (session ? t->session : t->pgrp) : -1;
    spin_unlock(&tasklist_lock);
    return id < 0 ? -ENOTTY : put_user(id, arg);
}

static s64 set_controlling(struct tty *t, u64 arg)
{
    struct process *me = current->process, *p;
    unsigned drop = 0;
    s64 err = 0;

    spin_lock(&tasklist_lock);
    if (me->tty == t && t->session == me->sid)
        goto out;
    if (me->sid != me->pid || me->tty) {
        err = -EPERM;
        goto out;
    }
    if (t->session) {
        if (arg != 1 || !capable(21 /* CAP_SYS_ADMIN */)) {
            err = -EPERM;
            goto out;
        }
        list_for_each (p, &all_processes, all_link) {
            if (p->tty == t) {
                p->tty = NULL;
                drop++;
            }
        }
    }
    ref_get(&t->refs);
    me->tty = t;
    t->session = me->sid;
    t->pgrp = me->pgrp;
out:
    spin_unlock(&tasklist_lock);
    while (drop--)
        tty_put(t);
    return err;
}

static s64 give_up(struct tty *t)
{
    bool mine;

    spin_lock(&tasklist_lock);
    mine = current->process->tty == t;
    spin_unlock(&tasklist_lock);
    if (!mine)
        return -ENOTTY;
    tty_disassociate(false);
    return 0;
}

static s64 winsize_ioctl(struct tty *t, u32 cmd, u64 arg)
{
    struct winsize ws;
    int err;

    if (cmd == TIOCGWINSZ) {
        mutex_lock(&t->lock);
        ws = t->winsize;
        mutex_unlock(&t->lock);
        return copy_to_user(arg, &ws, sizeof(ws));
    }
    err = copy_from_user(&ws, arg, sizeof(ws));
    if (err)
        return err;
    /* Shells set what they have just got: the host may have a newer size by then. */
    if (!tty_set_winsize(t, &ws) || !t->driver->resized)
        return 0;
    mutex_lock(&t->lock);
    t->driver->resized(t);
    mutex_unlock(&t->lock);
    return 0;
}

static s64 flush_queues(struct tty *t, u64 which)
{
    int err = tty_check_change(t);

    if (err)
        return err;
    if (which > TCIOFLUSH)
        return -EINVAL;
    if (which != TCOFLUSH) {
        mutex_lock(&t->lock);
        tty_flush_input(t);
        mutex_unlock(&t->lock);
    }
    return 0;
}

static s64 flow(struct tty *t, u64 what)
{
    int err = tty_check_change(t);

    if (err)
        return err;
    if (what > TCION)
        return -EINVAL;
    mutex_lock(&t->lock);
    if (what == TCOOFF)
        t->stopped = true;
    else if (what == TCOON)
        t->stopped = false;
    waitq_wake(&t->write_wait, POLLOUT, ~0u);
    mutex_unlock(&t->lock);
    return 0;
}

static s64 put_count(struct tty *t, u64 arg)
{
    int n;

    mutex_lock(&t->lock);
    n = (int)tty_readable(t);
    mutex_unlock(&t->lock);
    return put_user(n, arg);
}

s64 tty_ioctl(struct tty *t, u32 cmd, u64 arg)
{
    switch (cmd) {
    case TCGETS:
    case TCGETS2:
        return get_termios(t, cmd, arg);
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        return set_termios(t, arg, false, cmd == TCSETSF);
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
        return set_termios(t, arg, true, cmd == TCSETSF2);
    case TIOCGWINSZ:
    case TIOCSWINSZ:
        return winsize_ioctl(t, cmd, arg);
    case TIOCGPGRP:
        return get_id(t, arg, false);
    case TIOCGSID:
        return get_id(t, arg, true);
    case TIOCSPGRP:
        return set_pgrp(t, arg);
    case TIOCSCTTY:
        return set_controlling(t, arg);
    case TIOCNOTTY:
        return give_up(t);
    case FIONREAD:
        return put_count(t, arg);
    case TIOCOUTQ:
        return put_user(0, arg);
    case TCFLSH:
        return flush_queues(t, arg);
    case TCXONC:
        return flow(t, arg);
    case TCSBRK:
    case TCSBRKP:
        return tty_check_change(t); /* output is never queued: a break or a drain is done at once */
    case TIOCEXCL:
    case TIOCNXCL:
        mutex_lock(&t->lock);
        t->exclusive = cmd == TIOCEXCL;
        mutex_unlock(&t->lock);
        return 0;
    case TIOCSTI:
        return -EIO; /* as Linux with dev.tty.legacy_tiocsti = 0 */
    default:
        return -ENOTTY;
    }
}
