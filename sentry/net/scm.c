// SPDX-License-Identifier: Apache-2.0
/*
 * Control messages that carry descriptors and credentials: unix(7), cmsg(3).
 */
#include <linux/capability.h>
#include "sentry/kernel/task.h"
#include "sentry/net/socket.h"

#define CONTROL_MAX 20480 /* net.core.optmem_max */

struct cmsg_header {
    u64 len;
    s32 level, type;
};
#define CMSG_ROUND(n) (((n) + 7) & ~7ULL)

/*
 * The last reference to a socket frees what is in flight to it, which may be the last reference to
 * another socket, and so on for as long a chain as the application likes: a free within a free
 * only queues, or the kernel stack would overflow.
 */
void scm_free(struct scm *scm)
{
    struct scm *next;

    if (!scm)
        return;
    if (scm->in_flight)
        scm_land(scm);
    scm->next = NULL;
    if (current->scm_dying) {
        scm->next = current->scm_dying->next;
        current->scm_dying->next = scm;
        return;
    }
    for (; scm; scm = next) {
        current->scm_dying = scm;
        for (u32 i = 0; i < scm->nfiles; i++)
            file_put(scm->files[i]);
        next = scm->next;
        kfree(scm);
    }
    current->scm_dying = NULL;
}

struct scm *scm_copy(const struct scm *scm)
{
    struct scm *c = scm ? kmalloc(sizeof(*c) + SCM_MAX_FD * sizeof(c->files[0])) : NULL;

    if (!c)
        return NULL;
    c->cred = scm->cred;
    c->in_flight = false;
    c->nfiles = scm->nfiles;
    for (u32 i = 0; i < scm->nfiles; i++) {
        c->files[i] = scm->files[i];
        file_get(c->files[i]);
    }
    return c;
}

static struct scm *scm_new(void)
{
    struct scm *scm = kzalloc(sizeof(*scm) + SCM_MAX_FD * sizeof(scm->files[0]));

    if (scm)
        scm->cred =
            (struct ucred){(u32)current->process->pid, current->cred->uid, current->cred->gid};
    return scm;
}

static int take_files(struct scm *scm, const u8 *data, u64 len)
{
    if (len / 4 + scm->nfiles > SCM_MAX_FD)
        return -EINVAL;
    for (u64 i = 0; i < len / 4; i++) {
        int fd;

        memcpy(&fd, data + i * 4, 4);
        scm->files[scm->nfiles] = fd_get_any(fd);
        if (!scm->files[scm->nfiles])
            return -EBADF;
        scm->nfiles++;
    }
    return 0;
}

/* The sender may only claim ids that it has, unless it is privileged. */
static int take_cred(struct scm *scm, const u8 *data, u64 len)
{
    const struct cred *c = current->cred;
    struct ucred u;

    if (len != sizeof(u))
        return -EINVAL;
    memcpy(&u, data, sizeof(u));
    if ((u.pid != (u32)current->process->pid && !capable(CAP_SYS_ADMIN)) ||
        (u.uid != c->uid && u.uid != c->euid && u.uid != c->suid && !capable(CAP_SETUID)) ||
        (u.gid != c->gid && u.gid != c->egid && u.gid != c->sgid && !capable(CAP_SETGID)))
        return -EPERM;
    scm->cred = u;
    return 0;
}

static int parse(struct scm *scm, const u8 *buf, u64 len)
{
    u64 off = 0;

    while (len - off >= sizeof(struct cmsg_header)) {
        struct cmsg_header h;
        const u8 *data = buf + off + sizeof(h);
        int err = -EINVAL;

        memcpy(&h, buf + off, sizeof(h));
        if (h.len < sizeof(h) || h.len > len - off)
            return -EINVAL;
        if (h.level == SOL_SOCKET && h.type == SCM_RIGHTS)
            err = take_files(scm, data, h.len - sizeof(h));
        else if (h.level == SOL_SOCKET && h.type == SCM_CREDENTIALS)
            err = take_cred(scm, data, h.len - sizeof(h));
        if (err)
            return err;
        if (CMSG_ROUND(h.len) >= len - off)
            break;
        off += CMSG_ROUND(h.len);
    }
    return 0;
}

int scm_from_user(struct message *m, uva_t control, u64 len, struct socket *s)
{
    int err = 0;
    u8 *buf;

    if (len > CONTROL_MAX)
        return -ENOBUFS;
    m->scm = scm_new();
    if (!m->scm)
        return -ENOMEM;
    if (len < sizeof(struct cmsg_header))
        return 0;
    buf = kmalloc(len);
    if (!buf)
        err = -ENOMEM;
    if (!err)
        err = copy_from_user(buf, control, len);
    if (!err)
        err = parse(m->scm, buf, len);
    kfree(buf);
    if (err) {
        scm_free(m->scm);
        m->scm = NULL;
    }
    return err;
}

/* Append one control message; *off advances. False: no room (nothing written). */
static int put_cmsg(uva_t control, u64 room, u64 *off, int type, const void *data, u64 n)
{
    struct cmsg_header h = {sizeof(h) + n, SOL_SOCKET, type};
    int err;

    if (*off > room || room - *off < h.len)
        return -ENOSPC;
    err = copy_to_user(control + *off, &h, sizeof(h));
    if (!err)
        err = copy_to_user(control + *off + sizeof(h), data, n);
    *off = MIN(*off + CMSG_ROUND(h.len), room);
    return err;
}

/* Install as many files as there is room for; the rest is dropped and reported as truncated. */
static int put_files(struct message *m, uva_t control, u64 room, u64 *off, bool cloexec)
{
    u64 fit = room > *off + sizeof(struct cmsg_header)
                  ? (room - *off - sizeof(struct cmsg_header)) / 4
                  : 0;
    int fds[SCM_MAX_FD];
    u32 n = 0, want = (u32)MIN(fit, (u64)m->scm->nfiles);

    while (n < want) {
        int fd;

        file_get(m->scm->files[n]);
        fd = fd_install_new(m->scm->files[n], cloexec);
        if (fd < 0)
            break;
        fds[n++] = fd;
    }
    if (n < m->scm->nfiles)
        m->out_flags |= MSG_CTRUNC;
    return n ? put_cmsg(control, room, off, SCM_RIGHTS, fds, n * 4) : 0;
}

int scm_to_user(struct message *m, uva_t control, u64 *len, bool passcred, bool cloexec)
{
    u64 room = *len, off = 0;
    int err = 0;

    if (m->scm && passcred) {
        err = put_cmsg(control, room, &off, SCM_CREDENTIALS, &m->scm->cred, sizeof(m->scm->cred));
        if (err == -ENOSPC) {
            m->out_flags |= MSG_CTRUNC;
            err = 0;
        }
    }
    if (!err && m->scm && m->scm->nfiles)
        err = put_files(m, control, room, &off, cloexec);
    *len = off;
    return err;
}
