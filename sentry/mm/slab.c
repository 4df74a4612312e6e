// SPDX-License-Identifier: Apache-2.0
/*
 * Kernel memory: caches of equal objects in slabs of 2^order pages, and kmalloc() on size classes.
 * A slab's header is in its first 64 bytes; the struct page of each of its pages says PG_SLAB and
 * the order, so kfree() finds the header from the object's address. Larger kmalloc()s are
 * page blocks. With SENTRY_DEBUG freed objects are poisoned and every object ends in a red zone.
 */
#include "sentry/mm/internal.h"

#define SLAB_HEADER    64
#define SLAB_OBJECTS   8 /* at least that many fit, up to SLAB_MAX_ORDER */
#define SLAB_MAX_ORDER 3
#define SLAB_BIG       2048 /* kmalloc() above this takes pages */
#define KMALLOC_MAX    MIB(4)

#ifdef SENTRY_DEBUG
#define RED_ZONE 16
#else
#define RED_ZONE 0
#endif
#define POISON_FREE 0x6b
#define POISON_RED  0xbb

/* Head of a slab, in its memory; guarded by its cache's lock. */
struct slab {
    struct list link; /* cache->partial; full slabs are on no list */
    struct slab_cache *cache;
    void *free; /* freed objects, each with the next one's address in its first word */
    u16 used;   /* objects handed out */
    u16 fresh;  /* objects never used start here */
};
BUILD_ASSERT(sizeof(struct slab) <= SLAB_HEADER);

/* Objects of one size. Lives for ever. lock guards the slabs. */
struct slab_cache {
    struct spinlock lock;
    const char *name;
    u32 size; /* with red zone, rounded to the alignment */
    u32 object_size;
    u16 objects; /* per slab */
    u8 order;
    struct list partial;
    struct slab *spare; /* an empty one is kept */
};

static const u16 class_sizes[] = {16,  32,  48,  64,  128,  192,  256,
                                  320, 448, 576, 768, 1024, 1344, SLAB_BIG};
static struct slab_cache classes[ARRAY_SIZE(class_sizes)];
static u8 class_of[SLAB_BIG / 16 + 1]; /* by size / 16, rounded up */
static struct slab_cache cache_cache;

static void cache_init(struct slab_cache *c, const char *name, size_t size, size_t align)
{
    memset(c, 0, sizeof(*c));
    c->name = name;
    align = MAX(align, sizeof(void *));
    c->object_size = (u32)size;
    c->size = (u32)ROUND_UP(size + RED_ZONE, align);
    while (c->order < SLAB_MAX_ORDER &&
           ((PAGE_SIZE << c->order) - SLAB_HEADER) / c->size < SLAB_OBJECTS - 1)
        c->order++;
    c->objects = (u16)(((PAGE_SIZE << c->order) - SLAB_HEADER) / c->size);
    BUG_ON(!c->objects || align > SLAB_HEADER);
    list_init(&c->partial);
}

void slab_init(void)
{
    cache_init(&cache_cache, "slab_cache", sizeof(struct slab_cache), 64);
    for (unsigned i = 0, s = 0; i < ARRAY_SIZE(class_sizes); i++) {
        cache_init(&classes[i], "kmalloc", class_sizes[i], class_sizes[i] % 64 ? 16 : 64);
        for (; s <= class_sizes[i] / 16; s++)
            class_of[s] = (u8)i;
    }
}

struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align)
{
    struct slab_cache *c = slab_alloc(&cache_cache);

    if (c)
        cache_init(c, name, size, align);
    return c;
}

static struct slab *slab_of(void *p, struct page *pg)
{
    pa_t pa = virt_to_phys(p);

    return phys_to_virt(pa & ~((PAGE_SIZE << pg->order) - 1));
}

static struct slab *slab_new(struct slab_cache *c)
{
    struct page *p = page_alloc(c->order, 0);
    struct slab *s;

    if (!p)
        return NULL;
    for (unsigned i = 0; i < 1u << c->order; i++) {
        p[i].flags = PG_SLAB;
        p[i].order = c->order;
    }
    s = page_virt(p);
    *s = (struct slab){.cache = c};
    return s;
}

static void slab_delete(struct slab *s)
{
    struct page *p = page_of(virt_to_phys(s));

    page_put_block(p, p->order);
}

static void check_free(struct slab_cache *c, void *p)
{
#ifdef SENTRY_DEBUG
    u8 *b = p;
    for (u32 i = sizeof(void *); i < c->object_size; i++)
        if (b[i] != POISON_FREE)
            panic("%s: %p was written to after it was freed", c->name, p);
#endif
}

static void mark_used(struct slab_cache *c, void *p)
{
#ifdef SENTRY_DEBUG
    memset((u8 *)p + c->object_size, POISON_RED, c->size - c->object_size);
#endif
}

static void mark_free(struct slab_cache *c, void *p)
{
#ifdef SENTRY_DEBUG
    u8 *b = p;
    for (u32 i = c->object_size; i < c->size; i++)
        if (b[i] != POISON_RED)
            panic("%s: %p was written to past its end, or freed twice", c->name, p);
    memset(p, POISON_FREE, c->size);
#endif
}

/* Take an object from a slab that has one. c->lock held. */
static void *take_object(struct slab_cache *c, struct slab *s)
{
    void *p = s->free;

    if (p) {
        s->free = *(void **)p;
        check_free(c, p);
    } else {
        p = (u8 *)s + SLAB_HEADER + (size_t)s->fresh++ * c->size;
    }
    if (++s->used == c->objects)
        list_del(&s->link);
    return p;
}

static void *cache_alloc(struct slab_cache *c)
{
    struct slab *s;
    void *p;

    spin_lock(&c->lock);
    while (list_empty(&c->partial)) {
        s = c->spare;
        c->spare = NULL;
        if (!s) {
            spin_unlock(&c->lock);
            s = slab_new(c);
            if (!s)
                return NULL;
            spin_lock(&c->lock);
        }
        list_add(&c->partial, &s->link);
    }
    s = list_first(&c->partial, struct slab, link);
    p = take_object(c, s);
    spin_unlock(&c->lock);
    mark_used(c, p);
    return p;
}

static void cache_free(struct slab_cache *c, struct slab *s, void *p)
{
    struct slab *empty = NULL;

    mark_free(c, p);
    spin_lock(&c->lock);
    BUG_ON(!s->used);
    *(void **)p = s->free;
    s->free = p;
    if (s->used-- == c->objects)
        list_add(&c->partial, &s->link);
    if (!s->used) {
        list_del(&s->link);
        empty = c->spare;
        c->spare = s;
    }
    spin_unlock(&c->lock);
    if (empty)
        slab_delete(empty);
}

void *slab_alloc(struct slab_cache *c)
{
    void *p = cache_alloc(c);

    if (p)
        memset(p, 0, c->object_size);
    return p;
}

void slab_free(struct slab_cache *c, void *p)
{
    if (p) {
        struct slab *s = slab_of(p, page_of(virt_to_phys(p)));
        BUG_ON(s->cache != c);
        cache_free(c, s, p);
    }
}

static unsigned order_for(size_t n)
{
    return n <= PAGE_SIZE ? 0 : 64 - PAGE_SHIFT - (unsigned)__builtin_clzl(n - 1);
}

static void *alloc(size_t n, unsigned flags)
{
    if (likely(n <= SLAB_BIG)) {
        struct slab_cache *c = &classes[class_of[(n + 15) / 16]];
        void *p = cache_alloc(c);
        if (p && flags)
            memset(p, 0, n);
        return p;
    }
    if (n > KMALLOC_MAX)
        return NULL;
    struct page *p = page_alloc(order_for(n), flags);
    return p ? page_virt(p) : NULL;
}

void *kmalloc(size_t n)
{
    return alloc(n, 0);
}

void *kzalloc(size_t n)
{
    return alloc(n, PAGE_ALLOC_ZERO);
}

void kfree(void *p)
{
    if (!p)
        return;
    struct page *pg = page_of(virt_to_phys(p));
    if (likely(pg->flags & PG_SLAB)) {
        struct slab *s = slab_of(p, pg);
        cache_free(s->cache, s, p);
    } else {
        page_put_block(pg, pg->order);
    }
}

static size_t usable_size(void *p)
{
    struct page *pg = page_of(virt_to_phys(p));

    return pg->flags & PG_SLAB ? slab_of(p, pg)->cache->object_size : PAGE_SIZE << pg->order;
}

void *krealloc(void *p, size_t n)
{
    size_t old = p ? usable_size(p) : 0;
    void *q;

    if (p && n <= old && n > old / 4)
        return p;
    q = kmalloc(n);
    if (q && p) {
        memcpy(q, p, MIN(n, old));
        kfree(p);
    }
    return q;
}

char *kstrdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = kmalloc(n);

    if (p)
        memcpy(p, s, n);
    return p;
}
