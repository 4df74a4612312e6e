// SPDX-License-Identifier: Apache-2.0
/*
 * A terminal for a container: the engine gets the master by SCM_RIGHTS, as runc sends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>
#include "oci/console.h"
#include "oci/oci.h"

/* Master and slave; 0 or -errno. */
static int open_pair(int *master, int *slave)
{
    int unlocked = 0, m = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), s;

    if (m < 0)
        return -errno;
    s = ioctl(m, TIOCSPTLCK, &unlocked) ? -1 : ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (s < 0) {
        int err = -errno;

        close(m);
        return err;
    }
    *master = m;
    *slave = s;
    return 0;
}

/* One message: the master's name, and with it the master. 0 or -errno. */
static int send_master(int sock, int master)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char name[] = "/dev/ptmx";
    struct iovec iov = {name, sizeof(name) - 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &master, sizeof(int));
    while (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static int connect_to(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int sock, err;

    if (strlen(path) >= sizeof(a.sun_path))
        return -ENAMETOOLONG;
    strcpy(a.sun_path, path);
    sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0 || !connect(sock, (struct sockaddr *)&a, sizeof(a)))
        return sock < 0 ? -errno : sock;
    err = -errno;
    close(sock);
    return err;
}

int console_make(const char *socket_path, unsigned rows, unsigned columns)
{
    struct winsize w = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    autoclose int sock = connect_to(socket_path), master = -1;
    struct termios t;
    int slave = -1, err;

    if (sock < 0) {
        fail("--console-socket %s: %s", socket_path, strerror(-sock));
        return -1;
    }
    err = open_pair(&master, &slave);
    if (err) {
        fail("cannot make a terminal: %s", strerror(-err));
        return -1;
    }
    if (!tcgetattr(slave, &t)) {
        cfmakeraw(&t);
        t.c_oflag |= OPOST | ONLCR; /* the Sentry sets these as its own terminal has them */
        tcsetattr(slave, TCSANOW, &t);
    }
    if (rows || columns)
        ioctl(slave, TIOCSWINSZ, &w);
    err = send_master(sock, master);
    if (!err)
        return slave;
    close(slave);
    fail("--console-socket %s: cannot send the terminal: %s", socket_path, strerror(-err));
    return -1;
}
