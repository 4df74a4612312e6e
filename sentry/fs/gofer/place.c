// SPDX-License-Identifier: Apache-2.0
/*
 * The names that files are known by.
 */
#include "sentry/fs/gofer/client.h"

struct gofer_place *gofer_place_new(struct gofer_node *dir, const char *name, size_t len)
{
    struct gofer_place *p = kmalloc(sizeof(*p) + len);

    if (!p)
        return NULL;
    *p = (struct gofer_place){.dir = dir, .len = (u32)len};
    memcpy(p->name, name, len);
    inode_get(dir->inode);
    return p;
}

void gofer_place_free(struct gofer_place *p)
{
    if (!p)
        return;
    inode_put(p->dir->inode);
    kfree(p);
}

/* The pointer to the place in n's list, or to the NULL at its end. */
static struct gofer_place **find(struct gofer_node *n, const struct gofer_node *dir,
                                 const char *name, size_t len)
{
    struct gofer_place **p = &n->place;

    while (*p && !((*p)->dir == dir && (*p)->len == len && !memcmp((*p)->name, name, len)))
        p = &(*p)->next;
    return p;
}

void gofer_place_add(struct gofer_node *n, struct gofer_place *p)
{
    p->next = n->place;
    n->place = p;
}

struct gofer_place *gofer_place_take(struct gofer_node *n, const struct gofer_node *dir,
                                     const char *name, size_t len)
{
    struct gofer_place **at = find(n, dir, name, len), *p = *at;

    if (p)
        *at = p->next;
    return p;
}

int gofer_place_found(struct gofer_node *n, struct gofer_node *dir, const char *name, size_t len)
{
    struct gofer_conn *conn = n->tree->conn;
    struct gofer_place *p;

    if (n->tree->readonly || S_ISDIR(n->inode->attr.mode))
        return 0;
    p = gofer_place_new(dir, name, len);
    if (!p)
        return -ENOMEM;
    mutex_lock(&conn->lock);
    if (!*find(n, dir, name, len)) {
        gofer_place_add(n, p);
        p = NULL;
    }
    mutex_unlock(&conn->lock);
    gofer_place_free(p);
    return 0;
}
