// SPDX-License-Identifier: Apache-2.0
/*
 * The gofer's life: confine itself, then answer one request after the other until nobody is there
 * to ask any more. One thread and blocking reads are enough: what is asked often, file data, never
 * comes here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "gofer/server.h"

#define COMPLAINTS_MAX 20

void complain(struct server *s, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    int n;

    /* The other end may be hostile: it shall not fill the disk. */
    if (s->cfg->log_fd < 0 || s->complaints >= COMPLAINTS_MAX)
        return;
    s->complaints++;
    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n > sizeof(line) - 2)
        n = sizeof(line) - 2;
    line[n++] = '\n';
    if (write(s->cfg->log_fd, line, n) < 0)
        s->complaints = COMPLAINTS_MAX; /* nobody reads it: say no more */
}

static int (*const handlers[GOFER_OP_END])(struct server *, const struct gofer_msg *,
                                           struct answer *) = {
#define HANDLER(nr, NAME, name, req, rep, flags) [nr] = handle_##name,
    GOFER_OPS(HANDLER)
#undef HANDLER
};

int serve_one(struct server *s, size_t len, int *fd)
{
    static struct gofer_msg m;
    struct answer a = {.fd = -1};
    int err, n;

    memset(&m.hdr, 0, sizeof(m.hdr));
    err = gofer_decode_request(&m, s->request, len);
    if (err) {
        complain(s, "gofer: bad message refused: type %u, %zu bytes", m.hdr.type, len);
    } else {
        gofer_begin(&a.w, s->reply, GOFER_MSG_MAX, m.hdr.type, m.hdr.tag, 0);
        err = handlers[m.hdr.type](s, &m, &a);
    }
    n = err ? err : gofer_end(&a.w);
    if (n < 0) {
        if (a.fd >= 0)
            close(a.fd);
        a.fd = -1;
        gofer_begin(&a.w, s->reply, GOFER_MSG_MAX, m.hdr.type, m.hdr.tag, n);
        n = gofer_end(&a.w);
    }
    *fd = a.fd;
    return n;
}

static int send_reply(const struct server *s, size_t len, int fd)
{
    union {
        char buf[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec iov = {s->reply, len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    struct cmsghdr *c;

    if (fd >= 0) {
        msg.msg_control = control.buf;
        msg.msg_controllen = sizeof(control.buf);
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    while (sendmsg(s->cfg->sock, &msg, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

/* Until end of file. 0 or -errno. */
static int serve(struct server *s)
{
    for (;;) {
        /* No room for control data: descriptors that somebody sends us are dropped by the kernel.
         */
        ssize_t n = recv(s->cfg->sock, s->request, GOFER_MSG_MAX, MSG_TRUNC);
        int fd, err;

        if (n == 0)
            return 0;
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return errno == ECONNRESET ? 0 : -errno;
        }
        n = serve_one(s, n, &fd);
        err = send_reply(s, n, fd);
        if (fd >= 0)
            close(fd);
        if (err)
            return err == -EPIPE || err == -ECONNRESET ? 0 : err;
    }
}

/* Everything that is needed later: there will be no allocating when confined. */
static int allocate(struct server *s)
{
    const int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    const size_t fids = GOFER_FIDS * sizeof(struct fid);
    u8 *p = mmap(NULL, fids + 2 * GOFER_MSG_MAX, prot, flags, -1, 0);

    if (p == MAP_FAILED)
        return -errno;
    s->fids = (struct fid *)p;
    s->request = p + fids;
    s->reply = s->request + GOFER_MSG_MAX;
    s->roots = calloc(s->cfg->nmounts, sizeof(*s->roots));
    return s->roots ? 0 : -ENOMEM;
}

/* Descriptors that are not fids: the log, the socket, directories being read, a file in flight. */
#define OTHER_DESCRIPTORS 64

int gofer_main(const struct gofer_config *cfg)
{
    struct server s = {.cfg = cfg};
    u32 nofile;
    int err;

    err = allocate(&s);
    if (!err)
        err = gofer_confine(&s, &nofile);
    if (!err)
        err = confine_mounts(&s);
    if (!err)
        err = confine_rights(&s);
    if (!err) {
        u32 others = OTHER_DESCRIPTORS + cfg->nmounts;
        s.bound_max = nofile > others ? nofile - others : 1;
        if (s.bound_max > GOFER_FIDS)
            s.bound_max = GOFER_FIDS;
        err = serve(&s);
    }
    if (err)
        complain(&s, "gofer: ended by an error: %s", strerror(-err));
    return err ? 1 : 0;
}
