// SPDX-License-Identifier: Apache-2.0
//
// Pseudo-terminals: line discipline, echo, signals from control characters, job control, window
// size, hang-up.

#include "t.h"
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static volatile int got;

static void on_signal(int sig)
{
    got = sig;
}

static int master, slave;

/* What the master can read now, made printable. */
static const char *screen(void)
{
    static char out[256];
    char buf[128];
    struct pollfd p = {master, POLLIN, 0};
    int n = 0;

    out[0] = 0;
    while (poll(&p, 1, 50) == 1 && (p.revents & POLLIN)) {
        int r = read(master, buf, sizeof(buf));
        for (int i = 0; i < r && n < 200; i++)
            n += sprintf(out + n,
                         buf[i] == '\n'   ? "\\n"
                         : buf[i] == '\r' ? "\\r"
                         : buf[i] == 8    ? "\\b"
                         : buf[i] == 7    ? "\\a"
                                          : "%c",
                         buf[i]);
    }
    return out;
}

static void type(const char *s)
{
    must(write(master, s, strlen(s)) == (ssize_t)strlen(s));
}

static void open_pair(void)
{
    int n = -1;

    master = posix_openpt(O_RDWR | O_NOCTTY);
    ok(master >= 0 && grantpt(master) == 0, "posix_openpt");
    fails(open(ptsname(master), O_RDWR | O_NOCTTY), EIO);
    ok(unlockpt(master) == 0, "unlockpt");
    ok(!strncmp(ptsname(master), "/dev/pts/", 9), "ptsname");
    ok(ioctl(master, TIOCGPTN, &n) == 0 && n == atoi(ptsname(master) + 9), "TIOCGPTN");
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    ok(slave >= 0 && isatty(slave) && isatty(master), "both are terminals");
    ok(ttyname(slave) && !strcmp(ttyname(slave), ptsname(master)), "ttyname");
    struct stat st;
    ok(fstat(slave, &st) == 0 && S_ISCHR(st.st_mode), "character device");
}

static void cooked(void)
{
    char buf[64] = "";
    int n;
    struct pollfd p = {slave, POLLIN, 0};

    type("ab");
    ok(poll(&p, 1, 20) == 0, "half a line is not there yet");
    t_say("  echo %s", screen());
    type("c\x7f\x7fX\n");
    ok(poll(&p, 1, 1000) == 1, "a line is");
    n = read(slave, buf, sizeof(buf));
    ok(n == 3 && !memcmp(buf, "aX\n", 3), "erase works");
    t_say("  echo %s", screen());
    type("wipe\x15ok\n");
    n = read(slave, buf, sizeof(buf));
    ok(n == 3 && !memcmp(buf, "ok\n", 3), "kill works");
    screen();
    type("one two\x17x\n");
    n = read(slave, buf, sizeof(buf));
    ok(n == 6 && !memcmp(buf, "one x\n", 6), "word erase works");
    screen();
    type("cr\r");
    ok(read(slave, buf, sizeof(buf)) == 3 && buf[2] == '\n', "CR becomes NL");
    screen();
    type("first\nsecond\n");
    ok(read(slave, buf, sizeof(buf)) == 6, "one line at a time");
    ok(read(slave, buf, 3) == 3 && read(slave, buf, 10) == 4, "or less");
    type("\x04");
    ok(read(slave, buf, sizeof(buf)) == 0, "^D is end of file");
    type("x\x04");
    ok(read(slave, buf, sizeof(buf)) == 1, "or the end of an unfinished line");
    type("q\x16\x03\n");
    ok(read(slave, buf, sizeof(buf)) == 3 && buf[1] == 3, "^V quotes");
    screen();
    write(slave, "line\n", 5);
    t_say("  output %s", screen());
}

static void raw(void)
{
    struct termios t, saved;
    char buf[8];

    ok(tcgetattr(slave, &t) == 0, "tcgetattr");
    saved = t;
    ok((t.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG) && (t.c_oflag & OPOST),
       "defaults");
    ok(t.c_cc[VINTR] == 3 && t.c_cc[VERASE] == 0x7f && t.c_cc[VEOF] == 4 && t.c_cc[VMIN] == 1,
       "characters");
    cfmakeraw(&t);
    ok(tcsetattr(slave, TCSANOW, &t) == 0, "raw mode");
    type("a\x03\r");
    ok(read(slave, buf, 8) == 3 && buf[1] == 3 && buf[2] == '\r', "everything as it is");
    ok(screen()[0] == 0, "no echo");
    write(slave, "x\n", 2);
    ok(!strcmp(screen(), "x\\n"), "no output processing");
    t.c_cc[VMIN] = 0;
    t.c_cc[VTIME] = 1;
    tcsetattr(slave, TCSANOW, &t);
    int64_t t0 = t_now_ms();
    ok(read(slave, buf, 8) == 0 && t_now_ms() - t0 >= 90, "VTIME");
    t.c_cc[VMIN] = 4;
    t.c_cc[VTIME] = 0;
    tcsetattr(slave, TCSANOW, &t);
    type("1234");
    ok(read(slave, buf, 8) == 4, "VMIN");
    type("lost");
    struct pollfd p = {slave, POLLIN, 0};
    must(poll(&p, 1, 1000) == 1);
    ok(tcsetattr(slave, TCSAFLUSH, &saved) == 0, "TCSAFLUSH");
    type("kept\n");
    ok(read(slave, buf, 8) == 5, "drops what was typed before");
    screen();
}

static void window(void)
{
    struct winsize ws = {33, 111, 0, 0}, out = {};

    ok(ioctl(slave, TIOCGWINSZ, &out) == 0 && out.ws_row == 0 && out.ws_col == 0,
       "no size at first");
    got = 0;
    ok(ioctl(master, TIOCSWINSZ, &ws) == 0 && ioctl(slave, TIOCGWINSZ, &out) == 0 &&
           out.ws_row == 33 && out.ws_col == 111,
       "window size");
}

/* A session of its own with the terminal as the controlling one. */
static void job_control(void *arg)
{
    int st;
    pid_t fg;
    struct t_gate ready;

    t_gate_init(&ready);
    setsid();
    ok(ioctl(slave, TIOCSCTTY, 0) == 0, "TIOCSCTTY");
    int tty = open("/dev/tty", O_RDWR);
    ok(tty >= 0 && isatty(tty), "/dev/tty");
    ok(tcgetpgrp(slave) == getpgrp(), "the session leader is in the foreground");
    ok(tcgetsid(slave) == getpid(), "tcgetsid");
    signal(SIGINT, on_signal);
    signal(SIGQUIT, on_signal);
    signal(SIGWINCH, on_signal);
    type("\x03");
    for (int i = 0; i < 1000 && !got; i++)
        usleep(1000);
    ok(got == SIGINT, "^C: SIGINT");
    t_say("  echo %s", screen());
    got = 0;
    type("\x1c");
    for (int i = 0; i < 1000 && !got; i++)
        usleep(1000);
    ok(got == SIGQUIT, "^\\: SIGQUIT");
    screen();
    got = 0;
    ioctl(master, TIOCSWINSZ, &(struct winsize){10, 20, 0, 0});
    ok(got == SIGWINCH, "SIGWINCH");
    if ((fg = fork()) == 0) {
        signal(SIGINT, SIG_DFL);
        setpgid(0, 0);
        t_gate_open(&ready);
        for (;;)
            pause();
    }
    t_gate_pass(&ready);
    ok(tcsetpgrp(slave, fg) == 0 && tcgetpgrp(slave) == fg, "tcsetpgrp");
    type("\x1a");
    ok(waitpid(fg, &st, WUNTRACED) == fg && WIFSTOPPED(st) && WSTOPSIG(st) == SIGTSTP,
       "^Z: SIGTSTP");
    screen();
    kill(fg, SIGCONT);
    type("\x03");
    ok(waitpid(fg, &st, 0) == fg && t_killed(st, SIGINT), "^C goes to the foreground group only");
    screen();
    if ((fg = fork()) == 0) {
        char c;
        setpgid(0, 0);
        signal(SIGTTOU, SIG_IGN);
        tcsetpgrp(slave, getppid());
        signal(SIGTTOU, SIG_DFL);
        _exit(read(slave, &c, 1));
    }
    setpgid(fg, fg);
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(slave, getpid());
    ok(waitpid(fg, &st, WUNTRACED) == fg && WIFSTOPPED(st) && WSTOPSIG(st) == SIGTTIN,
       "reading in the background: SIGTTIN");
    kill(fg, SIGKILL);
    waitpid(fg, &st, 0);
    fails(tcsetpgrp(slave, 1 << 29), ESRCH);
    got = 0;
    signal(SIGHUP, on_signal);
    close(master);
    for (int i = 0; i < 1000 && !got; i++)
        usleep(1000);
    ok(got == SIGHUP, "closing the master: SIGHUP");
    char c;
    ok(read(slave, &c, 1) == 0, "and end of file");
    fails(write(slave, "x", 1), EIO);
}

int main(void)
{
    int st;

    open_pair();
    cooked();
    raw();
    window();
    pid_t pid = fork();
    if (pid == 0) {
        job_control(NULL);
        _exit(t_failed);
    }
    close(master);
    waitpid(pid, &st, 0);
    ok(t_exited(st, 0), "session");
    return t_done();
}
