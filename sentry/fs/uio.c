// SPDX-License-Identifier: Apache-2.0
//
// The cursor over user or kernel memory that reads and writes move bytes through. A bad user
// address ends the transfer at the page where it begins, so that callers can report a short count
// as Linux does.

#include "sentry/fs/uio.h"
#include "sentry/lib/lib.h"

void uio_user(struct uio *u, uva_t base, u64 len)
{
    *u = (struct uio){.nvec = 1, .left = len, .one = {.base = base, .len = len}};
    u->vec = &u->one;
}

void uio_kernel(struct uio *u, void *base, u64 len)
{
    uio_user(u, (u64)base, len);
    u->kernel = true;
}

void uio_vecs(struct uio *u, const struct uio_vec *v, u32 n)
{
    *u = (struct uio){.vec = v, .nvec = n};
    for (u32 i = 0; i < n; i++)
        u->left += v[i].len;
}

enum uio_dir { UIO_TO, UIO_FROM, UIO_ZERO };

static int move_user(uva_t base, void *mem, u64 n, enum uio_dir dir)
{
    switch (dir) {
    case UIO_TO:
        return copy_to_user(base, mem, n);
    case UIO_FROM:
        return copy_from_user(mem, base, n);
    default:
        return clear_user(base, n);
    }
}

/* Bytes moved; after a fault page by page, to learn where the bad address begins. */
static u64 move_part(const struct uio *u, u64 base, char *mem, u64 n, enum uio_dir dir)
{
    if (u->kernel) {
        if (dir == UIO_TO)
            memcpy((void *)base, mem, n);
        else if (dir == UIO_FROM)
            memcpy(mem, (const void *)base, n);
        else
            memset((void *)base, 0, n);
        return n;
    }
    if (!move_user(base, mem, n, dir))
        return n;
    u64 done = 0;
    while (done < n) {
        u64 part = MIN(n - done, PAGE_SIZE - ((base + done) & ~PAGE_MASK));
        if (move_user(base + done, mem ? mem + done : NULL, part, dir))
            break;
        done += part;
    }
    return done;
}

static u64 uio_move(struct uio *u, char *mem, u64 n, enum uio_dir dir)
{
    u64 done = 0;

    while (done < n && u->left) {
        const struct uio_vec *v = &u->vec[u->cur];
        u64 part = MIN(n - done, v->len - u->off);
        u64 moved = 0;
        if (part)
            moved = move_part(u, v->base + u->off, mem ? mem + done : NULL, part, dir);
        done += moved;
        u->off += moved;
        u->left -= moved;
        if (moved < part)
            break;
        if (u->off == v->len && u->left) {
            u->cur++;
            u->off = 0;
        }
    }
    return done;
}

u64 copy_to_uio(struct uio *u, const void *src, u64 n)
{
    return uio_move(u, (char *)src, n, UIO_TO);
}

u64 copy_from_uio(void *dst, struct uio *u, u64 n)
{
    return uio_move(u, dst, n, UIO_FROM);
}

u64 zero_uio(struct uio *u, u64 n)
{
    return uio_move(u, NULL, n, UIO_ZERO);
}
