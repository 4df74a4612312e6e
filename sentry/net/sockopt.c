// SPDX-License-Identifier: Apache-2.0
/*
 * Socket options of SOL_SOCKET: socket(7). What a family has of its own goes to its setopt and
 * getopt.
 */
#include <asm/socket.h>
#include <linux/capability.h>
#include "sentry/kernel/task.h"
#include "sentry/net/socket.h"
#include "sentry/syscall/syscall.h"

#define OPTION_MAX 256
#define BUFFER_MIN 2304u
#define SNDBUF_MIN 4608u
#define BUFFER_MAX 212992 /* net.core.wmem_max */

/* 0 is no time-out, and so is one that never comes; less than 0 is as short as can be. */
static int set_timeout(u64 *out, const s64 tv[2])
{
    if (tv[1] < 0 || tv[1] >= 1000000)
        return -EDOM;
    if (tv[0] < 0)
        *out = 1;
    else if ((u64)tv[0] >= U64_MAX / 2 / NSEC_PER_SEC)
        *out = 0;
    else
        *out = (u64)tv[0] * NSEC_PER_SEC + (u64)tv[1] * 1000;
    return 0;
}

static u32 buffer_size(int v)
{
    u32 n = MIN((u32)v, (u32)BUFFER_MAX) * 2; /* less than 0 is more than all */

    return MAX(n, BUFFER_MIN);
}

static int set_bool(struct socket *s, bool *field, int v)
{
    spin_lock(&s->lock);
    *field = v != 0;
    spin_unlock(&s->lock);
    return 0;
}

static bool is_timeout(int name)
{
    return name == SO_RCVTIMEO_OLD || name == SO_SNDTIMEO_OLD || name == SO_RCVTIMEO_NEW ||
           name == SO_SNDTIMEO_NEW;
}

static u64 *timeout_of(struct socket *s, int name)
{
    return name == SO_RCVTIMEO_OLD || name == SO_RCVTIMEO_NEW ? &s->rcv_timeout : &s->snd_timeout;
}

/* Everything goes by the one interface there is. */
static int bind_to_device(const u8 *name, u32 len)
{
    if (!capable(CAP_NET_RAW))
        return -EPERM;
    return !len || !name[0] || (len >= 2 && !strncmp((const char *)name, "lo", len)) ? 0 : -ENODEV;
}

static int set_socket_option(struct socket *s, int name, const u8 *value, u32 len)
{
    s64 tv[2] = {0};
    int v;

    if (is_timeout(name)) {
        if (len < sizeof(tv))
            return -EINVAL;
        memcpy(tv, value, sizeof(tv));
        return set_timeout(timeout_of(s, name), tv);
    }
    if (name == SO_BINDTODEVICE)
        return bind_to_device(value, len);
    if (len < sizeof(v))
        return -EINVAL;
    memcpy(&v, value, sizeof(v));
    switch (name) {
    case SO_SNDBUFFORCE:
        if (!capable(CAP_NET_ADMIN))
            return -EPERM;
        /* fall through */
    case SO_SNDBUF:
        s->sndbuf = MAX(buffer_size(v), SNDBUF_MIN);
        s->buf_locked = true;
        return 0;
    case SO_RCVBUFFORCE:
        if (!capable(CAP_NET_ADMIN))
            return -EPERM;
        /* fall through */
    case SO_RCVBUF:
        s->rcvbuf = buffer_size(v);
        s->buf_locked = true;
        return 0;
    case SO_RCVLOWAT:
        s->rcvlowat = v < 0 ? 0x7fffffff : MAX(v, 1);
        return 0;
    case SO_PRIORITY:
        if ((v < 0 || v > 6) && !capable(CAP_NET_ADMIN) && !capable(CAP_NET_RAW))
            return -EPERM;
        s->priority = v;
        return 0;
    case SO_MARK:
        if (!capable(CAP_NET_ADMIN) && !capable(CAP_NET_RAW))
            return -EPERM;
        s->mark = (u32)v;
        return 0;
    case SO_DEBUG:
        return v && !capable(CAP_NET_ADMIN) ? -EACCES : set_bool(s, &s->debug, v);
    case SO_REUSEPORT:
        return set_bool(s, &s->reuseport, v);
    case SO_OOBINLINE:
        return set_bool(s, &s->oobinline, v);
    case SO_DONTROUTE:
        return set_bool(s, &s->dontroute, v);
    case SO_TIMESTAMP_OLD:
        s->timestampns = false;
        return set_bool(s, &s->timestamp, v);
    case SO_TIMESTAMPNS_OLD:
        s->timestamp = false;
        return set_bool(s, &s->timestampns, v);
    case SO_RXQ_OVFL:
        return set_bool(s, &s->rxq_ovfl, v);
    case SO_PASSCRED:
        return set_bool(s, &s->passcred, v);
    case SO_REUSEADDR:
        return set_bool(s, &s->reuseaddr, v);
    case SO_KEEPALIVE:
        return set_bool(s, &s->keepalive, v);
    case SO_BROADCAST:
        return set_bool(s, &s->broadcast, v);
    case SO_LINGER:
        if (len < 8)
            return -EINVAL;
        memcpy(&s->linger, value + 4, 4);
        if (!v)
            s->linger = -1;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static bool generic(const struct socket *s, int level, s64 err)
{
    return err == 1 || (err == -ENOPROTOOPT && level == SOL_SOCKET && !s->ops->all_options);
}

SYSCALL5(setsockopt, int, fd, int, level, int, name, uva_t, value, u32, len)
{
    u8 buf[OPTION_MAX];
    struct vfs_file *f;
    struct socket *s;
    s64 err;

    if ((s32)len < 0)
        return -EINVAL;
    s = socket_from_fd(fd, &f);
    if (IS_ERR(s))
        return PTR_ERR(s);
    len = MIN(len, (u32)sizeof(buf));
    err = copy_from_user(buf, value, len);
    if (!err) {
        err = s->ops->setopt ? s->ops->setopt(s, level, name, buf, len) : -ENOPROTOOPT;
        if (generic(s, level, err))
            err = set_socket_option(s, name, buf, len);
    }
    file_put(f);
    return err;
}

static int take_error(struct socket *s)
{
    int e;

    spin_lock(&s->lock);
    e = s->error;
    s->error = 0;
    spin_unlock(&s->lock);
    return e;
}

/* An option that is an int; -ENOPROTOOPT when it is none. */
static int get_int_option(struct socket *s, int name, int *v)
{
    switch (name) {
    case SO_TYPE:
        *v = s->type;
        return 0;
    case SO_DOMAIN:
        *v = s->family;
        return 0;
    case SO_PROTOCOL:
        *v = s->protocol;
        return 0;
    case SO_ERROR:
        *v = take_error(s);
        return 0;
    case SO_SNDBUF:
        *v = (int)s->sndbuf;
        return 0;
    case SO_RCVBUF:
        *v = (int)s->rcvbuf;
        return 0;
    case SO_RCVLOWAT:
        *v = s->rcvlowat;
        return 0;
    case SO_SNDLOWAT:
        *v = 1;
        return 0;
    case SO_PRIORITY:
        *v = s->priority;
        return 0;
    case SO_MARK:
        *v = (int)s->mark;
        return 0;
    case SO_DEBUG:
        *v = s->debug;
        return 0;
    case SO_REUSEPORT:
        *v = s->reuseport;
        return 0;
    case SO_OOBINLINE:
        *v = s->oobinline;
        return 0;
    case SO_DONTROUTE:
        *v = s->dontroute;
        return 0;
    case SO_TIMESTAMP_OLD:
        *v = s->timestamp;
        return 0;
    case SO_TIMESTAMPNS_OLD:
        *v = s->timestampns;
        return 0;
    case SO_RXQ_OVFL:
        *v = s->rxq_ovfl;
        return 0;
    case SO_ACCEPTCONN:
        *v = s->ops->listening && s->ops->listening(s);
        return 0;
    case SO_PASSCRED:
        *v = s->passcred;
        return 0;
    case SO_REUSEADDR:
        *v = s->reuseaddr;
        return 0;
    case SO_KEEPALIVE:
        *v = s->keepalive;
        return 0;
    case SO_BROADCAST:
        *v = s->broadcast;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int get_socket_option(struct socket *s, int name, u8 *buf, u32 *len)
{
    u64 timeout;
    s64 tv[2];
    int v[2], err;

    if (is_timeout(name)) {
        timeout = *timeout_of(s, name);
        tv[0] = (s64)(timeout / NSEC_PER_SEC);
        tv[1] = (s64)(timeout % NSEC_PER_SEC / 1000);
        memcpy(buf, tv, sizeof(tv));
        *len = MIN(*len, (u32)sizeof(tv));
        return 0;
    }
    if (name == SO_LINGER) {
        v[0] = s->linger >= 0;
        v[1] = MAX(s->linger, 0);
        memcpy(buf, v, sizeof(v));
        *len = MIN(*len, (u32)sizeof(v));
        return 0;
    }
    if (name == SO_PEERCRED) { /* a family that has none */
        memcpy(buf, &(struct ucred){0, ~0u, ~0u}, sizeof(struct ucred));
        *len = MIN(*len, (u32)sizeof(struct ucred));
        return 0;
    }
    if (name == SO_BINDTODEVICE) {
        *len = 0;
        return 0;
    }
    err = get_int_option(s, name, v);
    if (!err) {
        memcpy(buf, v, sizeof(int));
        *len = MIN(*len, (u32)sizeof(int));
    }
    return err;
}

SYSCALL5(getsockopt, int, fd, int, level, int, name, uva_t, value, uva_t, lenp)
{
    u8 buf[OPTION_MAX] = {0};
    struct vfs_file *f;
    struct socket *s;
    u32 len;
    s64 err;

    if (get_user(len, lenp))
        return -EFAULT;
    if ((s32)len < 0)
        return -EINVAL;
    s = socket_from_fd(fd, &f);
    if (IS_ERR(s))
        return PTR_ERR(s);
    len = MIN(len, (u32)sizeof(buf));
    err = s->ops->getopt ? s->ops->getopt(s, level, name, buf, &len) : -ENOPROTOOPT;
    if (generic(s, level, err))
        err = get_socket_option(s, name, buf, &len);
    file_put(f);
    if (!err)
        err = copy_to_user(value, buf, len);
    return err ? err : put_user(len, lenp);
}
