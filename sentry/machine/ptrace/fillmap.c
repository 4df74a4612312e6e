// SPDX-License-Identifier: Apache-2.0
/*
 * See fillmap.h. Open addressing, linear probing; chunks are never removed one by one, only
 * emptied, until the whole map is cleared. Out of memory makes the map "unknown": everything may be
 * there.
 */
#include "sentry/machine/ptrace/fillmap.h"

#include "sentry/lib/lib.h"
#include "sentry/mm/mm.h"

#define MIN_SLOTS 32

static u64 key_of(uva_t va)
{
    return (va >> HUGE_SHIFT) + 1;
}

static struct fill_chunk *probe(const struct fillmap *m, u64 key)
{
    u32 i = (u32)(key * 0x9e3779b97f4a7c15ULL >> 32);

    for (;; i++) {
        struct fill_chunk *c = &m->slots[i & (m->size - 1)];
        if (c->key == key || c->key == 0)
            return c;
    }
}

static bool grow(struct fillmap *m)
{
    struct fillmap n = {.size = m->size ? m->size * 2 : MIN_SLOTS, .used = m->used};

    n.slots = kzalloc(n.size * sizeof(*n.slots));
    if (!n.slots)
        return false;
    for (u32 i = 0; i < m->size; i++)
        if (m->slots[i].key)
            *probe(&n, m->slots[i].key) = m->slots[i];
    kfree(m->slots);
    *m = n;
    return true;
}

static struct fill_chunk *chunk_make(struct fillmap *m, u64 key)
{
    struct fill_chunk *c;

    if (m->used * 4 >= m->size * 3 && !grow(m))
        return NULL;
    c = probe(m, key);
    if (!c->key) {
        c->key = key;
        m->used++;
    }
    return c;
}

/* Bits of [start, end) within word w of the chunk that begins at base. */
static u64 word_mask(uva_t base, unsigned w, uva_t start, uva_t end)
{
    uva_t lo = base + w * 64 * PAGE_SIZE;
    u64 mask = ~0ULL;

    if (start >= lo + 64 * PAGE_SIZE || end <= lo)
        return 0;
    if (start > lo)
        mask &= ~0ULL << ((start - lo) >> PAGE_SHIFT);
    if (end < lo + 64 * PAGE_SIZE)
        mask &= ~(~0ULL << ((end - lo) >> PAGE_SHIFT));
    return mask;
}

void fillmap_set(struct fillmap *m, uva_t start, uva_t end, bool writable)
{
    for (uva_t base = start & ~(HUGE_SIZE - 1); base < end; base += HUGE_SIZE) {
        struct fill_chunk *c = m->unknown ? NULL : chunk_make(m, key_of(base));

        if (!c) {
            fillmap_free(m);
            m->unknown = true;
            return;
        }
        for (unsigned w = 0; w < FILL_WORDS; w++) {
            u64 mask = word_mask(base, w, start, end);

            c->bits[w] |= mask;
            c->writable[w] = writable ? c->writable[w] | mask : c->writable[w] & ~mask;
        }
    }
}

static bool chunk_clear(struct fill_chunk *c, uva_t start, uva_t end)
{
    uva_t base = (c->key - 1) << HUGE_SHIFT;
    bool any = false;

    for (unsigned w = 0; w < FILL_WORDS; w++) {
        u64 mask = word_mask(base, w, start, end);

        any |= (c->bits[w] & mask) != 0;
        c->bits[w] &= ~mask;
        c->writable[w] &= ~mask;
    }
    return any;
}

static bool clear_range(struct fillmap *m, uva_t start, uva_t end)
{
    bool any = false;

    if ((end - start) >> HUGE_SHIFT >= m->size) { /* fewer slots than chunks */
        for (u32 i = 0; i < m->size; i++)
            if (m->slots[i].key)
                any |= chunk_clear(&m->slots[i], start, end);
        return any;
    }
    for (uva_t base = start & ~(HUGE_SIZE - 1); base < end; base += HUGE_SIZE) {
        struct fill_chunk *c = probe(m, key_of(base));
        if (c->key)
            any |= chunk_clear(c, start, end);
    }
    return any;
}

bool fillmap_clear(struct fillmap *m, uva_t start, uva_t end)
{
    bool any = m->unknown || (m->size && clear_range(m, start, end));

    if (start == 0 && end >= USER_END) {
        m->unknown = false;
        if (m->slots)
            memset(m->slots, 0, m->size * sizeof(*m->slots));
        m->used = 0;
    }
    return any;
}

bool fillmap_test(const struct fillmap *m, uva_t page, bool writable)
{
    unsigned bit = page >> PAGE_SHIFT & 511;
    struct fill_chunk *c;

    if (m->unknown || !m->size)
        return false;
    c = probe(m, key_of(page));
    return (writable ? c->writable : c->bits)[bit / 64] >> bit % 64 & 1;
}

void fillmap_each(struct fillmap *m, uva_t start, uva_t end,
                  void (*visit)(void *arg, struct fill_chunk *c, uva_t page, unsigned bit),
                  void *arg)
{
    for (u32 i = 0; i < m->size; i++) {
        struct fill_chunk *c = &m->slots[i];
        uva_t base = (c->key - 1) << HUGE_SHIFT;

        if (!c->key || base >= end || base + HUGE_SIZE <= start)
            continue;
        for (unsigned w = 0; w < FILL_WORDS; w++)
            for (u64 left = c->bits[w] & word_mask(base, w, start, end); left; left &= left - 1) {
                unsigned bit = w * 64 + (unsigned)__builtin_ctzl(left);
                visit(arg, c, base + bit * PAGE_SIZE, bit);
            }
    }
}

void fillmap_copy(struct fillmap *dst, const struct fillmap *src)
{
    *dst = *src;
    if (!src->slots)
        return;
    dst->slots = kmalloc(src->size * sizeof(*src->slots));
    if (dst->slots)
        memcpy(dst->slots, src->slots, src->size * sizeof(*src->slots));
    else
        *dst = (struct fillmap){.unknown = true};
}

void fillmap_free(struct fillmap *m)
{
    kfree(m->slots);
    *m = (struct fillmap){0};
}
