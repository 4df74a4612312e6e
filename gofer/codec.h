/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading and writing the messages of proto.h. The gofer and the Sentry share this code; it is
 * freestanding and allocates nothing. The shape of every message comes from the table in proto.h,
 * so there is one decoder, and what it accepts is structurally sound: lengths add up exactly,
 * strings obey their grammar, counts match what is there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "gofer/proto.h"

/* A string inside a message buffer; not NUL-terminated. */
struct gofer_str {
    const char *p;
    u32 len;
};

/*
 * A decoded message. The fixed part is a copy; strings and tail point into the buffer that was
 * decoded and live as long as it does. A request has its strings in str; a reply has its count
 * attributes, directory entries or data in tail, and its text in str[0].
 */
struct gofer_msg {
    struct gofer_hdr hdr;
    union gofer_body body;
    const u8 *tail; /* attributes, entries or fids, packed */
    u32 tail_len;
    u16 count; /* of what is in tail */
    u16 nstr;
    struct gofer_str str[GOFER_WALK_MAX + 1];
};

/* Both return 0 or -EBADMSG. A reply must be of the type and tag that the caller waits for; if its
 * hdr.err is not 0 nothing but the header is set. */
int gofer_decode_request(struct gofer_msg *m, const void *buf, size_t len);
int gofer_decode_reply(struct gofer_msg *m, u16 type, u16 tag, const void *buf, size_t len);

/* The i-th attribute or fid of the tail; i < m->count. */
struct gofer_attr gofer_msg_attr(const struct gofer_msg *m, unsigned i);
u32 gofer_msg_fid(const struct gofer_msg *m, unsigned i);

/*
 * Iterate over the entries of a READDIR reply: *pos starts at 0. False at the end. attr is filled
 * only when ent->flags says that the entry has attributes.
 */
bool gofer_msg_dirent(const struct gofer_msg *m, u32 *pos, struct gofer_dirent *ent,
                      struct gofer_attr *attr, struct gofer_str *name);

/*
 * Writer of one message. A piece that does not fit poisons it: every later call does nothing and
 * gofer_end() fails, so the pieces need no checks of their own.
 */
struct gofer_writer {
    u8 *buf;
    u32 cap; /* <= GOFER_MSG_MAX */
    u32 len; /* > cap: poisoned */
};

void gofer_begin(struct gofer_writer *w, void *buf, size_t cap, u16 type, u16 tag, s32 err);
void gofer_put(struct gofer_writer *w, const void *data, size_t n);
void gofer_put_str(struct gofer_writer *w, const char *s, size_t len);
/* Room for a string of len bytes that the caller fills in; NULL: poisoned. */
char *gofer_put_space(struct gofer_writer *w, size_t len);
/* Length of the message, its header complete; -EMSGSIZE when it did not fit. */
int gofer_end(struct gofer_writer *w);
/* Bytes that still fit. */
size_t gofer_room(const struct gofer_writer *w);

/* Are these the 'n' and the 'p' of proto.h's grammar? */
bool gofer_name_ok(const char *name, size_t len);
bool gofer_path_ok(const char *path, size_t len);

/* Flags of proto.h's table and the name of a message, for checks and logs; 0 and "?" if unknown. */
unsigned gofer_op_flags(u16 type);
const char *gofer_op_name(u16 type);
