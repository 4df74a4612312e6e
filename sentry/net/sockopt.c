// SPDX-License-Identifier: Apache-2.0
/*
 * Socket options of SOL_SOCKET: socket(7). What a family has of its own goes to its setopt and
 * getopt.
 */
#include <asm/socket.h>
#include "sentry/net/socket.h"
#include "sentry/syscall/syscall.h"

#define OPTION_MAX 128
#define BUFFER_MIN 2304
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
    u32 n = (u32)MIN(MAX(v, 0), BUFFER_MAX) * 2;

    return MAX(n, (u32)BUFFER_MIN);
}

static int set_bool(struct socket *s, bool *field, int v)
{
    spin_lock(&s->lock);
    *field = v != 0;
    spin_unlock(&s->lock);
    return 0;
}

static int set_socket_option(struct socket *s, int name, const u8 *value, u32 len)
{
    s64 tv[2] = {0};
    int v;

    if (name == SO_RCVTIMEO_OLD || name == SO_SNDTIMEO_OLD) {
        if (len < sizeof(tv))
            return -EINVAL;
        memcpy(tv, value, sizeof(tv));
        return set_timeout(name == SO_RCVTIMEO_OLD ? &s->rcv_timeout : &s->snd_timeout, tv);
    }
    if (len < sizeof(v))
        return -EINVAL;
    memcpy(&v, value, sizeof(v));
    switch (name) {
    case SO_SNDBUF:
        s->sndbuf = buffer_size(v);
        return 0;
    case SO_RCVBUF:
        s->rcvbuf = buffer_size(v);
        return 0;
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
        if (err == -ENOPROTOOPT && level == SOL_SOCKET)
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

    if (name == SO_RCVTIMEO_OLD || name == SO_SNDTIMEO_OLD) {
        timeout = name == SO_RCVTIMEO_OLD ? s->rcv_timeout : s->snd_timeout;
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
    if (err == -ENOPROTOOPT && level == SOL_SOCKET)
        err = get_socket_option(s, name, buf, &len);
    file_put(f);
    if (!err)
        err = copy_to_user(value, buf, len);
    return err ? err : put_user(len, lenp);
}
