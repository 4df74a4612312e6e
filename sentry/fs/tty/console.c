// SPDX-License-Identifier: Apache-2.0
/*
 * The console: a terminal of our own on top of the host's, which runsc has put into raw mode (but
 * for output processing, which stays there so that other programs on the same terminal look right).
 */
#include "sentry/fs/host/host.h"
#include "sentry/fs/tty/tty.h"
#include "sentry/kernel/kernel.h"
#include "sentry/kernel/task.h"

/*
 * Owned by its tty, freed with it. buf pages are RAM the host may touch. Flags: tty->lock. Its
 * input thread ends with the host's terminal, or when the console is closed for good.
 */
struct console {
    struct host_stream in, out;
    char *out_buf;
    u8 *in_buf;
    struct tty *tty;
    bool temporary, released;
    bool closing; /* for good: the host descriptors go, nobody may use them any more */
};

static size_t console_write(struct tty *t, const char *buf, size_t n)
{
    struct console *c = t->driver_data;
    s64 done;

    if (c->closing)
        return n;
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

    if (!c->closing && old->c_oflag != t->termios.c_oflag)
        HOSTCALL(HC_TTY_SET, c->out.fd, t->termios.c_oflag);
}

static void console_resized(struct tty *t)
{
    struct console *c = t->driver_data;

    if (!c->closing)
        HOSTCALL(HC_TTY_WINSZ, c->out.fd, t->winsize.ws_row, t->winsize.ws_col);
}

/* Nobody uses it any more, and nobody will: let the input thread take it down. Lock held. */
static void close_for_good(struct tty *t)
{
    struct console *c = t->driver_data;

    if (!c->temporary || !c->released || t->opens || c->closing)
        return;
    c->closing = true;
    wake_all(&c->in.wq);
    wake_all(&t->write_wait);
}

static void console_destroy(struct tty *t)
{
    struct console *c = t->driver_data;

    page_put(page_of(virt_to_phys(c->out_buf)));
    page_put(page_of(virt_to_phys(c->in_buf)));
    kfree(c);
}

static const struct tty_driver console_driver = {
    .does_opost = true,
    .write = console_write,
    .termios_changed = console_termios,
    .resized = console_resized,
    .closed = close_for_good,
    .destroy = console_destroy,
};

void console_release(struct tty *t)
{
    struct console *c = t->driver_data;

    mutex_lock(&t->lock);
    c->released = true;
    close_for_good(t);
    mutex_unlock(&t->lock);
}

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

static bool closing(const struct console *c)
{
    return __atomic_load_n(&c->closing, __ATOMIC_ACQUIRE);
}

/* n bytes from the host into the line discipline. */
static void take_input(struct console *c, size_t n)
{
    struct tty *t = c->tty;
    size_t done = 0;

    while (done < n && !closing(c)) {
        mutex_lock(&t->lock);
        done += tty_receive(t, c->in_buf + done, n - done);
        mutex_unlock(&t->lock);
        if (done < n)
            wait_event_uninterruptible(&t->write_wait, room_for_input(t) || closing(c));
    }
}

/* Kernel thread: what is typed at the host goes into the line discipline. Owns a reference. */
static void console_input(void *arg)
{
    struct console *c = arg;
    struct tty *t = c->tty;

    while (!closing(c)) {
        s64 n = host_stream_read(&c->in, c->in_buf, PAGE_SIZE / 16);

        if (n == -EAGAIN)
            wait_event_uninterruptible(&c->in.wq,
                                       host_stream_poll(&c->in, POLLIN | POLLHUP) || closing(c));
        else if (n > 0)
            take_input(c, (size_t)n);
        else
            break;
    }
    if (!closing(c))
        tty_hangup(t);
    if (c->temporary) {
        wait_event_uninterruptible(&c->in.wq, closing(c));
        devpts_remove(t);
        host_stream_destroy(&c->in);
        host_stream_destroy(&c->out);
        HOSTCALL(HC_FD_CLOSE, c->in.fd);
        HOSTCALL(HC_FD_CLOSE, c->out.fd);
    }
    tty_put(t);
}

/* What the host's terminal says; the buffer is the caller's. */
static bool host_size(struct console *c, char *buf, struct winsize *ws)
{
    struct host_tty *h = (struct host_tty *)buf;

    if (HOSTCALL(HC_TTY_GET, c->in.fd, virt_to_phys(h)))
        return false;
    *ws = (struct winsize){h->rows, h->cols, h->xpixel, h->ypixel};
    return true;
}

void console_refresh(struct tty *t)
{
    char *buf = kmalloc(sizeof(struct host_tty));
    struct winsize ws;

    if (buf && host_size(t->driver_data, buf, &ws))
        tty_set_winsize(t, &ws);
    kfree(buf);
}

struct tty *console_create(u32 host_in, u32 host_out, bool temporary)
{
    struct console *c = kzalloc(sizeof(*c));
    struct page *out = page_alloc(0, 0), *in = page_alloc(0, 0);
    struct tty *t = NULL;

    if (!c || !out || !in)
        goto no_memory;
    c->out_buf = page_virt(out);
    c->in_buf = page_virt(in);
    c->temporary = temporary;
    t = c->tty = tty_new(&console_driver, c, (u64)PTS_MAJOR << 8, 0);
    if (!t)
        goto no_memory;
    c->in.private = c->out.private = c;
    c->out.ready = out_ready;
    if (host_stream_init(&c->in, host_in))
        goto fail;
    if (host_stream_init(&c->out, host_out))
        goto no_out;
    host_size(c, c->out_buf, &t->winsize);
    if (devpts_add(t))
        goto no_number;
    tty_get(t); /* the thread's */
    if (kthread_start("console", console_input, c))
        return t;
    tty_put(t);
    devpts_remove(t);
no_number:
    host_stream_destroy(&c->out);
no_out:
    host_stream_destroy(&c->in);
fail:
    log_warn("cannot set up a console");
    tty_put(t);
    return NULL;

no_memory:
    log_warn("no memory for a console");
    if (out)
        page_put(out);
    if (in)
        page_put(in);
    kfree(c);
    return NULL;
}
