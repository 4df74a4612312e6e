// SPDX-License-Identifier: Apache-2.0
/*
 * Client of a sandbox's control socket (vmm/abi/control.h). Paths of sockets may be longer than
 * what fits into an address: the socket's directory is named by descriptor then.
 */
#include "oci/control.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "oci/oci.h"

#define BACKLOG 64

/* Address of the socket at path; *dir is a descriptor to keep while it is used. 0 or -errno. */
static int make_address(const char *path, struct sockaddr_un *a, int *dir)
{
    char copy[PATH_MAX], name[PATH_MAX];
    int n;

    memset(a, 0, sizeof(*a));
    a->sun_family = AF_UNIX;
    *dir = -1;
    if (strlen(path) < sizeof(a->sun_path)) {
        strcpy(a->sun_path, path);
        return 0;
    }
    if (strlen(path) >= sizeof(copy))
        return -ENAMETOOLONG;
    strcpy(copy, path);
    strcpy(name, path);
    *dir = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*dir < 0)
        return -errno;
    n = snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d/%s", *dir, basename(name));
    return n < (int)sizeof(a->sun_path) ? 0 : -ENAMETOOLONG;
}

/* A long request must fit into the socket's buffer as a whole. */
static int new_socket(void)
{
    const int size = CONTROL_MESSAGE_MAX;
    int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (sock >= 0)
        setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    return sock;
}

int control_listen(const char *path)
{
    struct sockaddr_un a;
    autoclose int dir = -1;
    int sock, err = make_address(path, &a, &dir);
    mode_t mask;

    if (err)
        return err;
    sock = new_socket();
    if (sock < 0)
        return -errno;
    if (unlink(path) && errno != ENOENT)
        goto fail;
    mask = umask(0177); /* there is no moment at which others could connect */
    err = bind(sock, (struct sockaddr *)&a, sizeof(a));
    umask(mask);
    if (!err && !listen(sock, BACKLOG))
        return sock;
fail:
    err = -errno;
    close(sock);
    return err;
}

int control_connect(const char *path)
{
    struct sockaddr_un a;
    autoclose int dir = -1;
    int sock, err = make_address(path, &a, &dir);

    if (err)
        return err;
    sock = new_socket();
    if (sock < 0)
        return -errno;
    if (!connect(sock, (struct sockaddr *)&a, sizeof(a)))
        return sock;
    err = -errno;
    close(sock);
    return err;
}

int control_send(int sock, const struct control_message *m, const void *payload, const int *fds,
                 size_t nfds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * CONTROL_FDS)];
    } control = {0};
    struct iovec iov[2] = {{(void *)m, sizeof(*m)}, {(void *)payload, m->length}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = m->length ? 2 : 1};
    ssize_t n;

    if (nfds > CONTROL_FDS || m->length > CONTROL_MESSAGE_MAX - sizeof(*m))
        return -E2BIG;
    if (nfds) {
        struct cmsghdr *c;

        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
    }
    do {
        n = sendmsg(sock, &msg, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

int control_receive(int sock, struct control_message *m, void *payload, size_t cap)
{
    struct iovec iov[2] = {{m, sizeof(*m)}, {payload, cap}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = cap ? 2 : 1};
    ssize_t n;

    /* no room for descriptors: the kernel closes what a sandbox should not have sent */
    do {
        n = recvmsg(sock, &msg, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if (n == 0)
        return -ECONNRESET;
    if ((size_t)n < sizeof(*m) || m->length != (size_t)n - sizeof(*m) ||
        (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return -EBADMSG;
    if (cap > m->length)
        ((char *)payload)[m->length] = 0;
    return 0;
}

int control_request(int sock, struct control_message *m, const void *payload, void *reply,
                    size_t cap)
{
    static uint32_t last_tag;
    const uint32_t kind = m->kind, tag = ++last_tag;
    int err;

    m->tag = tag;
    err = control_send(sock, m, payload, NULL, 0);
    if (err)
        return err;
    do {
        err = control_receive(sock, m, reply, cap);
    } while (!err && (m->kind != kind || m->tag != tag));
    if (err)
        return err;
    return m->a < -4095 || m->a > INT_MAX ? -EBADMSG : (int)m->a;
}

void control_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 32 && *text != '\n' && *text != '\t')
            *text = '?';
        else if (*text == 127)
            *text = '?';
}
