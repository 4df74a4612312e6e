// SPDX-License-Identifier: Apache-2.0
/*
 * Control messages that carry descriptors and credentials: unix(7), cmsg(3).
 */
#include <asm/socket.h>
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

static int parse(struct socket *s, struct message *m, const u8 *buf, u64 len)
{
    u64 off = 0;

    while (len - off >= sizeof(struct cmsg_header)) {
        struct cmsg_header h;
        const u8 *data = buf + off + sizeof(h);
        int err = -EINVAL;

        memcpy(&h, buf + off, sizeof(h));
        if (h.len < sizeof(h) || h.len > len - off)
            return -EINVAL;
        if (!m->scm)
            err = s->ops->cmsg_in ? s->ops->cmsg_in(s, m, h.level, h.type, data, h.len - sizeof(h))
                                  : -EINVAL;
        else if (h.level == SOL_SOCKET && h.type == SCM_RIGHTS)
            err = take_files(m->scm, data, h.len - sizeof(h));
        else if (h.level == SOL_SOCKET && h.type == SCM_CREDENTIALS)
            err = take_cred(m->scm, data, h.len - sizeof(h));
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
    if (s->family == AF_UNIX) { /* the others carry no files */
        m->scm = scm_new();
        if (!m->scm)
            return -ENOMEM;
    }
    if (len < sizeof(struct cmsg_header))
        return 0;
    buf = kmalloc(len);
    if (!buf)
        err = -ENOMEM;
    if (!err)
        err = copy_from_user(buf, control, len);
    if (!err)
        err = parse(s, m, buf, len);
    kfree(buf);
    if (err) {
        scm_free(m->scm);
        m->scm = NULL;
    }
    return err;
}

int cmsg_put(struct cmsg_room *room, int level, int type, const void *data, u64 n)
{
    struct cmsg_header h = {sizeof(h) + n, level, type};
    u64 left = room->size - room->used;
    int err;

    if (left < sizeof(h)) {
        room->truncated = true;
        return 0;
    }
    if (left < h.len) {
        room->truncated = true;
        h.len = left;
    }
    err = copy_to_user(room->at + room->used, &h, sizeof(h));
    if (!err)
        err = copy_to_user(room->at + room->used + sizeof(h), data, h.len - sizeof(h));
    room->used += MIN(CMSG_ROUND(h.len), left);
    return err;
}

/* Install as many files as there is room for; the rest is dropped and reported as truncated. */
static int put_files(struct message *m, struct cmsg_room *room)
{
    u64 left = room->size - room->used;
    u64 fit = left > sizeof(struct cmsg_header) ? (left - sizeof(struct cmsg_header)) / 4 : 0;
    int fds[SCM_MAX_FD];
    u32 n = 0, want = (u32)MIN(fit, (u64)m->scm->nfiles);

    while (n < want) {
        int fd;

        file_get(m->scm->files[n]);
        fd = fd_install_new(m->scm->files[n], m->flags & MSG_CMSG_CLOEXEC);
        if (fd < 0)
            break;
        fds[n++] = fd;
    }
    room->truncated |= n < m->scm->nfiles;
    return n ? cmsg_put(room, SOL_SOCKET, SCM_RIGHTS, fds, n * 4) : 0;
}

/* When the packet came, as SO_TIMESTAMP or SO_TIMESTAMPNS want to know it. */
static int put_stamp(struct socket *s, u64 stamp, struct cmsg_room *room)
{
    s64 t[2] = {(s64)(stamp / NSEC_PER_SEC), (s64)(stamp % NSEC_PER_SEC)};

    if (!stamp || (!s->timestamp && !s->timestampns))
        return 0;
    if (!s->timestampns)
        t[1] /= 1000;
    return cmsg_put(room, SOL_SOCKET, s->timestampns ? SO_TIMESTAMPNS_OLD : SO_TIMESTAMP_OLD, t,
                    sizeof(t));
}

int scm_to_user(struct socket *s, struct message *m, uva_t control, u64 *len)
{
    struct cmsg_room room = {.at = control, .size = *len};
    int err = put_stamp(s, m->pkt.stamp, &room);

    if (!err && s->ops->cmsg_out)
        err = s->ops->cmsg_out(s, m, &room);
    if (!err && m->scm && s->passcred)
        err = cmsg_put(&room, SOL_SOCKET, SCM_CREDENTIALS, &m->scm->cred, sizeof(m->scm->cred));
    if (!err && m->scm && m->scm->nfiles)
        err = put_files(m, &room);
    if (room.truncated)
        m->out_flags |= MSG_CTRUNC;
    *len = room.used;
    return err;
}
