/* SPDX-License-Identifier: Apache-2.0
 *
 * Terminals: one line discipline (N_TTY, termios(3)) over two kinds of device, pseudo-terminals
 * (pty.c) and the console that stands on the host's terminal (console.c).
 */
#pragma once

#include <asm/termbits.h>
#include <asm/ioctls.h>
#include <asm/termios.h>
#include "sentry/fs/vfs.h"

struct tty;

/* The device below the line discipline. Called with tty->lock held. */
struct tty_driver {
    bool does_opost; /* output processing happens below: bytes are passed on as they are */
    /* Take output bytes; how many were taken (0: full, wait on tty->write_wait). Never sleeps. */
    size_t (*write)(struct tty *tty, const char *buf, size_t n);
    /* termios changed. May be NULL. */
    void (*termios_changed)(struct tty *tty, const struct termios2 *old);
    /* Window size changed by the application. May be NULL. */
    void (*resized)(struct tty *tty);
    /* The last open file on the terminal was closed. May be NULL. */
    void (*closed)(struct tty *tty);
    /* The last reference went: free tty->driver_data. May be NULL. */
    void (*destroy)(struct tty *tty);
};

#define TTY_INPUT_SIZE 4096 /* as N_TTY_BUF_SIZE: longest canonical line */

/*
 * A terminal (for a pty: its slave side). Referenced by open files, by its session and, for a pty,
 * by the master. lock guards everything unless a field says otherwise.
 */
struct tty {
    refcount_t refs;
    struct mutex lock;
    const struct tty_driver *driver;
    void *driver_data;
    u64 rdev;
    int index; /* N of /dev/pts/N */
    struct termios2 termios;
    struct winsize winsize;
    int session, pgrp; /* 0: none; tasklist lock */
    bool hung_up;      /* the other side has gone: reads 0, writes EIO */
    bool stopped;      /* ^S */
    bool packet;       /* TIOCPKT on the master */
    u8 packet_status;  /* TIOCPKT_* to report */
    bool exclusive;
    bool locked;    /* pty not yet unlocked by unlockpt() */
    unsigned opens; /* open files on it */
    bool was_opened;

    /*
     * Input: a ring of bytes. [head, canon) are complete lines (canonical mode), [canon, tail) is
     * the line being edited. eol marks the last byte of a line; a line ended by VEOF has EOF_MARK
     * there.
     */
    u8 input[TTY_INPUT_SIZE];
    u64 eol[TTY_INPUT_SIZE / 64];
    u32 head, canon, tail;
    bool literal_next; /* after VLNEXT */
    u32 column;        /* of the output cursor, for tabs and erasing */
    u32 edit_column;   /* where the edited line began */
    struct waitq read_wait, write_wait;
};

/* A terminal with the default settings; one reference. NULL when out of memory. */
struct tty *tty_new(const struct tty_driver *driver, void *data, u64 rdev, int index);
static inline void tty_get(struct tty *tty)
{
    ref_get(&tty->refs);
}
void tty_put(struct tty *tty);

/* Bytes typed at the terminal. Lock held. Returns how many were taken (fewer: input is full). */
size_t tty_receive(struct tty *tty, const u8 *buf, size_t n);
/* Output through OPOST. Lock held. How many of n were taken. */
size_t tty_output(struct tty *tty, const u8 *buf, size_t n);
void tty_flush_input(struct tty *tty);
/* Bytes that a read could return now. Lock held. */
size_t tty_readable(const struct tty *tty);
/* The device is gone: SIGHUP and SIGCONT to the session's leader and the foreground group. */
void tty_hangup(struct tty *tty);
/* SIGWINCH to the foreground group when it is a new size; returns that. */
bool tty_set_winsize(struct tty *tty, const struct winsize *ws);
/* Signal to the foreground process group. */
void tty_signal(struct tty *tty, int sig);

/* File operations of a slave or the console: f->private is the tty. tty_file.c */
extern const struct file_ops tty_file_ops;
/* An open file on the tty; makes it the controlling terminal when Linux would. */
int tty_open(struct tty *tty, struct vfs_file *f);
s64 tty_ioctl(struct tty *tty, u32 cmd, u64 arg);
/*
 * current is about to change the terminal's settings: 0, -EIO, or -ERESTARTSYS after SIGTTOU went
 * to its background group.
 */
int tty_check_change(struct tty *tty);
/* Controlling terminal of current with a reference, or NULL. */
struct tty *tty_current_get(void);
/* current, a session leader, gives up (or exits with) its terminal. */
void tty_disassociate(bool on_exit);

/* ---- devices ---- */

/* devpts: register the type; /dev/ptmx opens through ptmx_open. pty.c */
void devpts_init(void);
int ptmx_open(struct inode *ino, struct vfs_file *f);
/* Make tty visible as /dev/pts/N. */
int devpts_add(struct tty *tty);
void devpts_remove(struct tty *tty);
/* Open it without a name: also where no devpts is mounted. File or ERR_PTR. */
struct vfs_file *devpts_open(struct tty *tty, u32 flags);
/* Device numbers: slave ptys are 136:N, the console of the container is 136:0. */
#define PTS_MAJOR 136u

/*
 * A console on a host terminal, shown as /dev/pts/N: console.c. It takes the two host descriptors
 * over. A temporary one gives them back when nobody has it open, after console_release(). With a
 * reference; NULL: the descriptors are still the caller's.
 */
struct tty *console_create(u32 host_in, u32 host_out, bool temporary);
/* The process that it was made for has ended. */
void console_release(struct tty *tty);
/* Take over the window size of the host's terminal. */
void console_refresh(struct tty *tty);
