/* SPDX-License-Identifier: Apache-2.0
 *
 * Doubly linked list whose links live in the elements.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define LIST_INIT(l) \
    {                \
        &(l), &(l)   \
    }
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_insert_(struct list *n, struct list *prev, struct list *next)
{
    n->next = next;
    n->prev = prev;
    prev->next = n;
    next->prev = n;
}

/* Insert n as the first element of l. */
static inline void list_add(struct list *l, struct list *n)
{
    list_insert_(n, l, l->next);
}

/* Insert n as the last element of l. */
static inline void list_add_tail(struct list *l, struct list *n)
{
    list_insert_(n, l->prev, l);
}

/* Unlink n and leave it empty, so that a second removal is harmless. */
static inline void list_del(struct list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}

#define list_first(l, type, member) container_of((l)->next, type, member)
#define list_last(l, type, member)  container_of((l)->prev, type, member)
#define list_for_each(pos, l, member)                                                  \
    for (pos = container_of((l)->next, __typeof__(*pos), member); &pos->member != (l); \
         pos = container_of(pos->member.next, __typeof__(*pos), member))
#define list_for_each_safe(pos, tmp, l, member)                         \
    for (pos = container_of((l)->next, __typeof__(*pos), member),       \
        tmp = container_of(pos->member.next, __typeof__(*pos), member); \
         &pos->member != (l);                                           \
         pos = tmp, tmp = container_of(tmp->member.next, __typeof__(*tmp), member))
