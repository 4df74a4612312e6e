// SPDX-License-Identifier: Apache-2.0
/*
 * The caller's terminal while a sandbox is attached to it.
 */
#include <errno.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>
#include "oci/oci.h"

static struct {
    int fd;
    bool raw;
    struct termios saved;
} terminal = {.fd = -1};

void terminal_restore(void)
{
    if (terminal.raw)
        tcsetattr(terminal.fd, TCSADRAIN, &terminal.saved);
    terminal.raw = false;
}

int terminal_raw(int fd)
{
    struct termios t;

    if (tcgetattr(fd, &terminal.saved))
        return -errno;
    t = terminal.saved;
    cfmakeraw(&t);
    t.c_oflag = terminal.saved.c_oflag;
    if (tcsetattr(fd, TCSADRAIN, &t))
        return -errno;
    if (terminal.fd < 0)
        atexit(terminal_restore);
    terminal.fd = fd;
    terminal.raw = true;
    return 0;
}
