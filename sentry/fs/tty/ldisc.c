// SPDX-License-Identifier: Apache-2.0
/*
 * The line discipline: what typed bytes become (editing, signals, echo) and what output becomes
 * (OPOST). termios(3).
 */
#include "sentry/fs/tty/tty.h"
#include "sentry/kernel/signal.h"

/* Byte of the input ring that stands for an end of file typed at the start of a line. */
#define EOF_MARK 0

static bool iflag(const struct tty *t, u32 f)
{
    return t->termios.c_iflag & f;
}

static bool lflag(const struct tty *t, u32 f)
{
    return t->termios.c_lflag & f;
}

/* Control character `which` is set and is c. */
static bool is_cc(const struct tty *t, unsigned which, u8 c)
{
    return c && t->termios.c_cc[which] == c;
}

/* ---- output ---- */

static bool emit(struct tty *t, const char *s, size_t n)
{
    return t->driver->write(t, s, n) == n;
}

/* Where the cursor is after c, for a device that does OPOST itself. */
static void track_column(struct tty *t, u8 c)
{
    if (c == '\n' || c == '\r')
        t->column = 0;
    else if (c == '\t')
        t->column += 8 - (t->column & 7);
    else if (c == '\b')
        t->column -= t->column ? 1 : 0;
    else if (c >= ' ' && c != 127 && (c & 0xc0) != 0x80) /* UTF-8 tails take no room */
        t->column++;
}

/* One byte through OPOST; false: the device is full and nothing of it was written. */
static bool output_byte(struct tty *t, u8 c)
{
    u32 o = t->termios.c_oflag;

    if (!(o & OPOST))
        return emit(t, (char *)&c, 1);
    if (t->driver->does_opost) {
        track_column(t, c);
        return emit(t, (char *)&c, 1);
    }
    switch (c) {
    case '\n':
        if (o & ONLRET)
            t->column = 0;
        if (o & ONLCR) {
            if (!emit(t, "\r\n", 2))
                return false;
            t->column = 0;
            return true;
        }
        break;
    case '\r':
        if ((o & ONOCR) && t->column == 0)
            return true;
        if (o & OCRNL)
            c = '\n';
        if (!emit(t, (char *)&c, 1))
            return false;
        if (c == '\r' || (o & ONLRET))
            t->column = 0;
        return true;
    case '\t': {
        u32 spaces = 8 - (t->column & 7);
        if ((o & TABDLY) == XTABS ? !emit(t, "        ", spaces) : !emit(t, "\t", 1))
            return false;
        t->column += spaces;
        return true;
    }
    case '\b':
        if (t->column)
            t->column--;
        break;
    default:
        if (c >= ' ' && c != 127 && (c & 0xc0) != 0x80) /* UTF-8 tails take no room */
            t->column++;
    }
    return emit(t, (char *)&c, 1);
}

size_t tty_output(struct tty *t, const u8 *buf, size_t n)
{
    size_t done;

    if (t->stopped)
        return 0;
    if (!(t->termios.c_oflag & OPOST))
        return t->driver->write(t, (const char *)buf, n);
    if (t->driver->does_opost) {
        done = t->driver->write(t, (const char *)buf, n);
        for (size_t i = 0; i < done; i++)
            track_column(t, buf[i]);
        return done;
    }
    for (done = 0; done < n && output_byte(t, buf[done]); done++)
        ;
    return done;
}

/* ---- echo ---- */

static bool is_control(u8 c)
{
    return (c < 32 && c != '\t' && c != '\n') || c == 127;
}

static void echo(struct tty *t, u8 c)
{
    if (lflag(t, ECHOCTL) && is_control(c)) {
        output_byte(t, '^');
        output_byte(t, c ^ 64);
    } else {
        output_byte(t, c);
    }
}

/* Columns that c takes on the screen, starting at `column`. */
static u32 echo_width(const struct tty *t, u8 c, u32 column)
{
    if (c == '\t')
        return 8 - (column & 7);
    if (is_control(c))
        return lflag(t, ECHOCTL) ? 2 : 0;
    return (c & 0xc0) == 0x80 && iflag(t, IUTF8) ? 0 : 1;
}

/* ---- the input ring ---- */

static u32 slot(u32 i)
{
    return i % TTY_INPUT_SIZE;
}

static bool is_eol(const struct tty *t, u32 i)
{
    return t->eol[slot(i) / 64] >> (slot(i) % 64) & 1;
}

static void set_eol(struct tty *t, u32 i, bool on)
{
    u64 bit = 1ULL << (slot(i) % 64);

    if (on)
        t->eol[slot(i) / 64] |= bit;
    else
        t->eol[slot(i) / 64] &= ~bit;
}

static void input_push(struct tty *t, u8 c, bool eol)
{
    t->input[slot(t->tail)] = c;
    set_eol(t, t->tail, eol);
    t->tail++;
}

static void line_done(struct tty *t)
{
    t->canon = t->tail;
    t->edit_column = t->column;
    waitq_wake(&t->read_wait, POLLIN | POLLRDNORM, ~0u);
}

size_t tty_readable(const struct tty *t)
{
    return (lflag(t, ICANON) ? t->canon : t->tail) - t->head;
}

void tty_flush_input(struct tty *t)
{
    t->head = t->canon = t->tail = 0;
    memset(t->eol, 0, sizeof(t->eol));
    t->literal_next = false;
    waitq_wake(&t->write_wait, POLLOUT, ~0u);
}

/* ---- editing (canonical mode) ---- */

static u32 column_of_tail(const struct tty *t)
{
    u32 col = t->edit_column;

    for (u32 i = t->canon; i < t->tail; i++)
        col += echo_width(t, t->input[slot(i)], col);
    return col;
}

static void erase_columns(struct tty *t, u32 n)
{
    while (n--) {
        output_byte(t, '\b');
        output_byte(t, ' ');
        output_byte(t, '\b');
    }
}

/* Remove the last character (all bytes of a UTF-8 one) of the edited line. False: it is empty. */
static bool erase_one(struct tty *t)
{
    u32 before = column_of_tail(t);

    if (t->tail == t->canon)
        return false;
    do
        t->tail--;
    while (iflag(t, IUTF8) && t->tail > t->canon && (t->input[slot(t->tail)] & 0xc0) == 0x80);
    if (!lflag(t, ECHO))
        return true;
    if (lflag(t, ECHOE))
        erase_columns(t, before - column_of_tail(t));
    else
        echo(t, t->termios.c_cc[VERASE]);
    return true;
}

static bool word_byte(u8 c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c >= 0x80;
}

static void erase_word(struct tty *t)
{
    bool seen = false;

    while (t->tail > t->canon) {
        bool word = word_byte(t->input[slot(t->tail - 1)]);
        if (seen && !word)
            break;
        seen |= word;
        erase_one(t);
    }
}

static void erase_line(struct tty *t)
{
    if (lflag(t, ECHO) && lflag(t, ECHOK) && !lflag(t, ECHOKE)) {
        t->tail = t->canon;
        echo(t, t->termios.c_cc[VKILL]);
        output_byte(t, '\n');
        return;
    }
    while (erase_one(t))
        ;
}

static void reprint(struct tty *t)
{
    echo(t, t->termios.c_cc[VREPRINT]);
    output_byte(t, '\n');
    for (u32 i = t->canon; i < t->tail; i++)
        echo(t, t->input[slot(i)]);
}

/* True when c was an editing character and is dealt with. */
static bool edit(struct tty *t, u8 c)
{
    if (is_cc(t, VERASE, c)) {
        erase_one(t);
    } else if (is_cc(t, VKILL, c)) {
        erase_line(t);
    } else if (lflag(t, IEXTEN) && is_cc(t, VWERASE, c)) {
        erase_word(t);
    } else if (lflag(t, IEXTEN) && is_cc(t, VREPRINT, c)) {
        if (lflag(t, ECHO))
            reprint(t);
    } else if (lflag(t, IEXTEN) && is_cc(t, VLNEXT, c)) {
        t->literal_next = true;
        if (lflag(t, ECHO) && lflag(t, ECHOCTL)) {
            output_byte(t, '^');
            output_byte(t, '\b');
        }
    } else {
        return false;
    }
    return true;
}

static void receive_canonical(struct tty *t, u8 c)
{
    if (t->literal_next) {
        t->literal_next = false;
    } else if (edit(t, c)) {
        return;
    } else if (is_cc(t, VEOF, c)) {
        if (t->tail == t->canon || !is_eol(t, t->tail - 1)) {
            input_push(t, EOF_MARK, true);
            line_done(t);
        }
        return;
    } else if (c == '\n' || is_cc(t, VEOL, c) || (lflag(t, IEXTEN) && is_cc(t, VEOL2, c))) {
        if (lflag(t, ECHO) || (c == '\n' && lflag(t, ECHONL)))
            output_byte(t, c);
        input_push(t, c, true);
        line_done(t);
        return;
    }
    /* Keep room for the end of the line: what is typed beyond is lost, with a bell. */
    if (t->tail - t->head >= TTY_INPUT_SIZE - 1) {
        if (iflag(t, IMAXBEL))
            output_byte(t, '\a');
        return;
    }
    if (lflag(t, ECHO))
        echo(t, c);
    input_push(t, c, false);
}

/* ---- signals and flow control ---- */

/* Signal that c raises, or 0. */
static int signal_of(const struct tty *t, u8 c)
{
    if (!lflag(t, ISIG))
        return 0;
    if (is_cc(t, VINTR, c))
        return SIGINT;
    if (is_cc(t, VQUIT, c))
        return SIGQUIT;
    return is_cc(t, VSUSP, c) ? SIGTSTP : 0;
}

static void restart_output(struct tty *t)
{
    t->stopped = false;
    waitq_wake(&t->write_wait, POLLOUT | POLLWRNORM, ~0u);
}

static bool flow_control(struct tty *t, u8 c)
{
    if (!iflag(t, IXON))
        return false;
    if (is_cc(t, VSTART, c)) {
        restart_output(t);
        return true;
    }
    if (is_cc(t, VSTOP, c)) {
        t->stopped = true;
        return true;
    }
    if (t->stopped && iflag(t, IXANY))
        restart_output(t);
    return false;
}

static void receive_byte(struct tty *t, u8 c)
{
    int sig;

    if (iflag(t, ISTRIP))
        c &= 0x7f;
    if (!t->literal_next) {
        if (flow_control(t, c))
            return;
        sig = signal_of(t, c);
        if (sig) {
            if (!lflag(t, NOFLSH))
                tty_flush_input(t);
            if (lflag(t, ECHO))
                echo(t, c);
            t->edit_column = t->column;
            restart_output(t);
            tty_signal(t, sig);
            return;
        }
        if (c == '\r') {
            if (iflag(t, IGNCR))
                return;
            if (iflag(t, ICRNL))
                c = '\n';
        } else if (c == '\n' && iflag(t, INLCR)) {
            c = '\r';
        }
    }
    if (t->tail == t->canon)
        t->edit_column = t->column;
    if (lflag(t, ICANON)) {
        receive_canonical(t, c);
        return;
    }
    if (lflag(t, ECHO))
        echo(t, c);
    input_push(t, c, false);
    t->canon = t->tail;
    waitq_wake(&t->read_wait, POLLIN | POLLRDNORM, ~0u);
}

size_t tty_receive(struct tty *t, const u8 *buf, size_t n)
{
    size_t done;

    for (done = 0; done < n; done++) {
        /* Full: only a canonical line may still be edited or ended, and signals must get through.
         */
        if (t->tail - t->head >= TTY_INPUT_SIZE - 1 && !(lflag(t, ICANON) && t->canon == t->head) &&
            !signal_of(t, buf[done]))
            break;
        if (t->tail - t->head >= TTY_INPUT_SIZE)
            break;
        receive_byte(t, buf[done]);
    }
    return done;
}
