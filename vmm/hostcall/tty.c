// SPDX-License-Identifier: Apache-2.0
//
// The host terminal behind a console.

#include "vmm/hostcall/stub.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <asm/termbits.h>

#include "vmm/hostcall/fd.h"

static s64 tty_ioctl(u64 index, unsigned long request, void *arg)
{
    struct hfile *f = hfile_get(index);
    s64 r;

    if (!f)
        return -EBADF;
    r = ioctl(f->fd, request, arg) == 0 ? 0 : -errno;
    hfile_put(f);
    return r;
}

s64 hc_TTY_GET(struct hostcall *hc)
{
    struct termios t;
    struct winsize w;
    struct host_tty out = {0};
    s64 r = tty_ioctl(hc->arg[0], TCGETS, &t);

    if (!r)
        r = tty_ioctl(hc->arg[0], TIOCGWINSZ, &w);
    if (r)
        return r;
    out = (struct host_tty){
        .iflag = t.c_iflag,
        .oflag = t.c_oflag,
        .cflag = t.c_cflag,
        .lflag = t.c_lflag,
        .rows = w.ws_row,
        .cols = w.ws_col,
        .xpixel = w.ws_xpixel,
        .ypixel = w.ws_ypixel,
    };
    memcpy(out.cc, t.c_cc, sizeof(t.c_cc));
    return stub_copy_out(hc->arg[1], &out, sizeof(out));
}

s64 hc_TTY_SET(struct hostcall *hc)
{
    struct termios t;
    s64 r = tty_ioctl(hc->arg[0], TCGETS, &t);

    if (r)
        return r;
    t.c_oflag = (tcflag_t)hc->arg[1] & (OPOST | ONLCR | OCRNL | ONOCR | ONLRET);
    return tty_ioctl(hc->arg[0], TCSETS, &t);
}

s64 hc_TTY_WINSZ(struct hostcall *hc)
{
    struct winsize w = {.ws_row = (unsigned short)hc->arg[1], .ws_col = (unsigned short)hc->arg[2]};

    if (hc->arg[1] > 0xffff || hc->arg[2] > 0xffff)
        return -EINVAL;
    return tty_ioctl(hc->arg[0], TIOCSWINSZ, &w);
}
