// SPDX-License-Identifier: Apache-2.0
/*
 * Reading and writing the gofer's messages, driven by the table in proto.h. Everything read here
 * was sent by the other side of a security boundary: nothing is used before its length was checked,
 * and a message with a byte too many is as bad as one with a byte too few.
 */
#include "gofer/codec.h"
#include <linux/errno.h>
#include "sentry/lib/string.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "wire structures are used as they are");

/* What proto.h's table says about one message. */
struct shape {
    const char *name;
    const char *req_strs;
    const char *rep_tail;
    u16 req_size;
    u16 rep_size;
    u16 flags;
};

static const struct shape shapes[GOFER_OP_END] = {
#define SHAPE(nr, NAME, name, req, rep, flags)                                                     \
    [nr] = {#NAME, req, rep, sizeof(struct gofer_##name##_req), sizeof(struct gofer_##name##_rep), \
            flags},
    GOFER_OPS(SHAPE)
#undef SHAPE
};

static const struct shape *shape_of(u16 type)
{
    return type < GOFER_OP_END && shapes[type].name ? &shapes[type] : NULL;
}

unsigned gofer_op_flags(u16 type)
{
    const struct shape *s = shape_of(type);
    return s ? s->flags : 0;
}

const char *gofer_op_name(u16 type)
{
    const struct shape *s = shape_of(type);
    return s ? s->name : "?";
}

bool gofer_name_ok(const char *name, size_t len)
{
    if (len == 0 || len > GOFER_NAME_MAX)
        return false;
    if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
        return false;
    return !memchr(name, '/', len) && !memchr(name, '\0', len);
}

bool gofer_path_ok(const char *path, size_t len)
{
    if (len > GOFER_TEXT_MAX)
        return false;
    for (;;) {
        const char *slash = len ? memchr(path, '/', len) : NULL;
        size_t n = slash ? (size_t)(slash - path) : len;

        if (!gofer_name_ok(path, n))
            return false;
        if (!slash)
            return true;
        path += n + 1;
        len -= n + 1;
    }
}

static bool text_ok(const char *text, size_t len)
{
    return len > 0 && len <= GOFER_TEXT_MAX && !memchr(text, '\0', len);
}

/* ---- reading ---- */

/* What is left of a message. */
struct cursor {
    const u8 *p;
    size_t left;
};

static bool take(struct cursor *c, void *dst, size_t n)
{
    if (n > c->left)
        return false;
    memcpy(dst, c->p, n);
    c->p += n;
    c->left -= n;
    return true;
}

static bool take_str(struct cursor *c, struct gofer_str *s)
{
    u16 len;

    if (!take(c, &len, sizeof(len)) || len > c->left)
        return false;
    s->p = (const char *)c->p;
    s->len = len;
    c->p += len;
    c->left -= len;
    return true;
}

/* An array of count elements, left in the buffer. */
static bool take_tail(struct cursor *c, struct gofer_msg *m, u16 count, size_t elem)
{
    size_t n = (size_t)count * elem;

    if (n > c->left)
        return false;
    m->tail = c->p;
    m->tail_len = n;
    m->count = count;
    c->p += n;
    c->left -= n;
    return true;
}

static bool take_names(struct cursor *c, struct gofer_msg *m, u16 count)
{
    if (count > GOFER_WALK_MAX)
        return false;
    for (; count > 0; count--) {
        struct gofer_str *s = &m->str[m->nstr++];
        if (!take_str(c, s) || !gofer_name_ok(s->p, s->len))
            return false;
    }
    return true;
}

static bool take_request_part(struct cursor *c, struct gofer_msg *m, char kind)
{
    struct gofer_str *s = &m->str[m->nstr];

    switch (kind) {
    case '*':
        return take_names(c, m, m->body.walk.count);
    case 'f':
        return m->body.clunk.count <= GOFER_CLUNK_MAX &&
               take_tail(c, m, m->body.clunk.count, sizeof(u32));
    }
    if (!take_str(c, s))
        return false;
    m->nstr++;
    switch (kind) {
    case 'p':
        return gofer_path_ok(s->p, s->len);
    case 'o':
        return s->len == 0 || gofer_path_ok(s->p, s->len);
    case 't':
        return text_ok(s->p, s->len);
    }
    return false;
}

/* Header and fixed part. */
static bool take_head(struct cursor *c, struct gofer_msg *m, const void *buf, size_t len)
{
    *c = (struct cursor){buf, len};
    m->tail = NULL;
    m->tail_len = 0;
    m->count = 0;
    m->nstr = 0;
    return len <= GOFER_MSG_MAX && take(c, &m->hdr, sizeof(m->hdr)) && m->hdr.len == len;
}

int gofer_decode_request(struct gofer_msg *m, const void *buf, size_t len)
{
    const struct shape *s;
    struct cursor c;

    if (!take_head(&c, m, buf, len) || m->hdr.err != 0)
        return -EBADMSG;
    s = shape_of(m->hdr.type);
    if (!s || !take(&c, &m->body, s->req_size))
        return -EBADMSG;
    for (const char *k = s->req_strs; *k; k++) {
        if (!take_request_part(&c, m, *k))
            return -EBADMSG;
    }
    return c.left == 0 ? 0 : -EBADMSG;
}

static bool next_dirent(struct cursor *c, struct gofer_dirent *ent, struct gofer_attr *attr,
                        struct gofer_str *name)
{
    if (!take(c, ent, sizeof(*ent)))
        return false;
    if ((ent->flags & GOFER_DIRENT_ATTR) && !take(c, attr, sizeof(*attr)))
        return false;
    if (ent->namelen > c->left || !gofer_name_ok((const char *)c->p, ent->namelen))
        return false;
    name->p = (const char *)c->p;
    name->len = ent->namelen;
    c->p += ent->namelen;
    c->left -= ent->namelen;
    return true;
}

static bool take_dirents(struct cursor *c, struct gofer_msg *m, u16 count)
{
    struct gofer_dirent ent;
    struct gofer_attr attr;
    struct gofer_str name;

    m->tail = c->p;
    m->tail_len = c->left;
    m->count = count;
    for (unsigned i = 0; i < count; i++) {
        if (!next_dirent(c, &ent, &attr, &name))
            return false;
    }
    return true;
}

static bool take_reply_tail(struct cursor *c, struct gofer_msg *m, char kind)
{
    struct gofer_str *s = &m->str[0];

    switch (kind) {
    case '\0':
        return true;
    case 'e':
        return take_dirents(c, m, m->body.readdir_rep.count);
    case 'd':
        return take_tail(c, m, 1, m->body.readfile_rep.len);
    case 't':
        m->nstr = 1;
        return take_str(c, s) && text_ok(s->p, s->len);
    case 'a':
        m->nstr = 1;
        return m->body.walk_rep.count <= GOFER_WALK_MAX &&
               take_tail(c, m, m->body.walk_rep.count, sizeof(struct gofer_attr)) &&
               take_str(c, s) && (s->len == 0 || text_ok(s->p, s->len));
    }
    return false;
}

int gofer_decode_reply(struct gofer_msg *m, u16 type, u16 tag, const void *buf, size_t len)
{
    const struct shape *s = shape_of(type);
    struct cursor c;

    if (!s || !take_head(&c, m, buf, len) || m->hdr.type != type || m->hdr.tag != tag)
        return -EBADMSG;
    if (m->hdr.err != 0)
        return m->hdr.err < 0 && m->hdr.err >= -4095 && c.left == 0 ? 0 : -EBADMSG;
    if (!take(&c, &m->body, s->rep_size) || !take_reply_tail(&c, m, s->rep_tail[0]))
        return -EBADMSG;
    return c.left == 0 ? 0 : -EBADMSG;
}

struct gofer_attr gofer_msg_attr(const struct gofer_msg *m, unsigned i)
{
    struct gofer_attr a;
    memcpy(&a, m->tail + i * sizeof(a), sizeof(a));
    return a;
}

u32 gofer_msg_fid(const struct gofer_msg *m, unsigned i)
{
    u32 fid;
    memcpy(&fid, m->tail + i * sizeof(fid), sizeof(fid));
    return fid;
}

bool gofer_msg_dirent(const struct gofer_msg *m, u32 *pos, struct gofer_dirent *ent,
                      struct gofer_attr *attr, struct gofer_str *name)
{
    struct cursor c;

    if (*pos >= m->tail_len)
        return false;
    c = (struct cursor){m->tail + *pos, m->tail_len - *pos};
    if (!next_dirent(&c, ent, attr, name))
        return false;
    *pos = m->tail_len - c.left;
    return true;
}

/* ---- writing ---- */

void gofer_begin(struct gofer_writer *w, void *buf, size_t cap, u16 type, u16 tag, s32 err)
{
    struct gofer_hdr hdr = {.type = type, .tag = tag, .err = err};

    w->buf = buf;
    w->cap = cap < GOFER_MSG_MAX ? cap : GOFER_MSG_MAX;
    w->len = 0;
    gofer_put(w, &hdr, sizeof(hdr));
}

size_t gofer_room(const struct gofer_writer *w)
{
    return w->len <= w->cap ? w->cap - w->len : 0;
}

void gofer_put(struct gofer_writer *w, const void *data, size_t n)
{
    if (w->len > w->cap || n > w->cap - w->len) {
        w->len = w->cap + 1;
        return;
    }
    if (n > 0)
        memcpy(w->buf + w->len, data, n);
    w->len += n;
}

char *gofer_put_space(struct gofer_writer *w, size_t len)
{
    u16 n = len;
    char *p;

    if (len > GOFER_TEXT_MAX || len + sizeof(n) > gofer_room(w)) {
        w->len = w->cap + 1;
        return NULL;
    }
    gofer_put(w, &n, sizeof(n));
    p = (char *)w->buf + w->len;
    w->len += len;
    return p;
}

void gofer_put_str(struct gofer_writer *w, const char *s, size_t len)
{
    char *p = gofer_put_space(w, len);

    if (p && len > 0)
        memcpy(p, s, len);
}

int gofer_end(struct gofer_writer *w)
{
    if (w->len > w->cap)
        return -EMSGSIZE;
    memcpy(w->buf, &w->len, sizeof(w->len));
    return w->len;
}
