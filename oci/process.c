// SPDX-License-Identifier: Apache-2.0
/*
 * Processes by pid and start time.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "oci/oci.h"
#include "oci/state.h"

/* State letter and start time of a process; false: there is none. */
static bool read_stat(pid_t pid, char *letter, uint64_t *start)
{
    char path[64], buf[1024], *p;
    autoclose int fd = -1;
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
    if (n <= 0)
        return false;
    buf[n] = 0;
    p = strrchr(buf, ')'); /* the name before it may hold anything */
    if (!p || p[1] != ' ')
        return false;
    *letter = p[2];
    for (int field = 2; field < 22 && p; field++) /* p is behind field 2 */
        p = strchr(p + 1, ' ');
    if (!p)
        return false;
    *start = strtoull(p, NULL, 10);
    return true;
}

struct process_id process_of(pid_t pid)
{
    struct process_id p = {0};
    uint64_t start;
    char letter;

    if (pid > 0 && read_stat(pid, &letter, &start))
        p = (struct process_id){pid, start};
    return p;
}

bool process_alive(struct process_id p)
{
    uint64_t start;
    char letter;

    return p.pid > 0 && read_stat(p.pid, &letter, &start) && start == p.start && letter != 'Z' &&
           letter != 'X';
}

/* A descriptor of that very process, or -errno. */
static int process_fd(struct process_id p)
{
    int fd = p.pid > 0 ? (int)syscall(SYS_pidfd_open, p.pid, 0) : -1;

    if (fd < 0)
        return p.pid > 0 ? -errno : -ESRCH;
    if (process_of(p.pid).start == p.start) /* it had the pid when we opened it */
        return fd;
    close(fd);
    return -ESRCH;
}

int process_signal(struct process_id p, int sig)
{
    int fd = process_fd(p), err;

    if (fd < 0)
        return fd;
    err = syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) ? -errno : 0;
    close(fd);
    return err;
}

bool process_wait(struct process_id p, int ms)
{
    int fd = process_fd(p);
    struct pollfd pfd = {fd, POLLIN, 0};
    int n;

    if (fd < 0)
        return fd == -ESRCH || !process_alive(p);
    do
        n = poll(&pfd, 1, ms);
    while (n < 0 && errno == EINTR);
    close(fd);
    return n > 0;
}

/* ---- the title ---- */

static char *title_area; /* argv and, behind it, the environment, as the kernel has laid them out */
static size_t title_size;

void process_title_init(int argc, char **argv)
{
    char *end = argc > 0 ? argv[0] : NULL;

    for (int i = 0; i < argc && argv[i] == end; i++)
        end += strlen(end) + 1;
    for (char **e = environ; *e == end; e++)
        end += strlen(end) + 1;
    title_area = argc > 0 ? argv[0] : NULL;
    title_size = title_area ? (size_t)(end - title_area) : 0;
}

void process_title(const char *what, const char *const *words)
{
    size_t n;

    if (title_size < 2)
        return;
    n = (size_t)snprintf(title_area, title_size, "%s", what);
    for (; *words && n < title_size; words++)
        n += (size_t)snprintf(title_area + n, title_size - n, " %s", *words);
    if (n < title_size)
        memset(title_area + n, 0, title_size - n);
}
