// SPDX-License-Identifier: Apache-2.0
/*
 * The console: a terminal of our own on top of the host's, which runsc has put into raw mode (but
 * for output processing, which stays there so that other programs on the same terminal look right).
 */
#include "sentry/fs/host/host.h"
#include "sentry/fs/tty/tty.h"
#include "sentry/kernel/kernel.h"
#include "sentry/kernel/task.h"

/* Owned by its tty; lives as long as the sandbox. buf pages are RAM the host may touch. */
struct console {
    struct host_stream in, out;
    char *out_buf;
    u8 *in_buf;
    struct tty *tty;
};

static size_t console_write(struct tty *t, const char *buf, size_t n)
{
    struct console *c = t->driver_data;
    s64 done;

    if (!buf)
        return host_stream_poll(&c->out, POLLOUT) ? n : 0;
    n = MIN(n, (size_t)PAGE_SIZE);
    memcpy(c->out_buf, buf, n);
    done = host_stream_write(&c->out, c->out_buf, n);
    if (done < 0 && done != -EAGAIN)
        return n; /* the host's terminal is gone; its hang-up arrives as an event */
    return done < 0 ? 0 : (size_t)done;
}

/* The host's OPOST follows what the application asks for; ours only keeps count of columns. */
static void console_termios(struct tty *t, const struct termios2 *old)
{
    struct console *c = t->driver_data;

    if (old->c_oflag != t->termios.c_oflag)
        HOSTCALL(HC_TTY_SET, c->out.fd, t->termios.c_oflag);
}

static void console_resized(struct tty *t)
{
    struct console *c = t->driver_data;

    HOSTCALL(HC_TTY_WINSZ, c->out.fd, t->winsize.ws_row, t->winsize.ws_col);
}

static const struct tty_driver console_driver = {
    .does_opost = true,
    .write = console_write,
    .termios_changed = console_termios,
    .resized = console_resized,
};

static void out_ready(struct host_stream *s, u32 events)
{
    struct console *c = s->private;

    waitq_wake(&s->wq, events, ~0u);
    waitq_wake(&c->tty->write_wait, POLLOUT | POLLWRNORM, ~0u);
}

static bool room_for_input(struct tty *t)
{
    return t->tail - t->head < TTY_INPUT_SIZE / 2;
}

/* Kernel thread: what is typed at the host goes into the line discipline. */
static void console_input(void *arg)
{
    struct console *c = arg;
    struct tty *t = c->tty;

    for (;;) {
        s64 n = host_stream_read(&c->in, c->in_buf, PAGE_SIZE / 16);
        s64 done = 0;

        if (n == -EAGAIN) {
            wait_event_uninterruptible(&c->in.wq, host_stream_poll(&c->in, POLLIN | POLLHUP));
            continue;
        }
        if (n <= 0)
            break;
        while (done < n) {
            mutex_lock(&t->lock);
            done += (s64)tty_receive(t, c->in_buf + done, (size_t)(n - done));
            mutex_unlock(&t->lock);
            if (done < n)
                wait_event_uninterruptible(&t->write_wait, room_for_input(t));
        }
    }
    tty_hangup(t);
}

static void initial_state(struct console *c)
{
    struct host_tty *h = (struct host_tty *)c->out_buf;

    if (HOSTCALL(HC_TTY_GET, c->in.fd, virt_to_phys(h)))
        return;
    c->tty->winsize = (struct winsize){h->rows, h->cols, h->xpixel, h->ypixel};
}

struct tty *console_create(u32 host_in, u32 host_out)
{
    struct console *c = kzalloc(sizeof(*c));
    struct page *out = page_alloc(0, 0), *in = page_alloc(0, 0);
    struct tty *t = NULL;

    if (!c || !out || !in)
        goto fail;
    c->out_buf = page_virt(out);
    c->in_buf = page_virt(in);
    t = c->tty = tty_new(&console_driver, c, (u64)PTS_MAJOR << 8, 0);
    if (!t)
        goto fail;
    c->in.private = c->out.private = c;
    c->out.ready = out_ready;
    if (host_stream_init(&c->in, host_in) || host_stream_init(&c->out, host_out))
        goto fail;
    initial_state(c);
    if (kthread_start("console", console_input, c))
        return t;
fail:
    log_warn("cannot set up the console");
    kfree(c);
    return NULL;
}
