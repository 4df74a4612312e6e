// SPDX-License-Identifier: Apache-2.0
//
// File window. The guest chooses the chunk; a record per chunk says which file is behind it and
// where, which is also what it takes to map it again. A file that shrinks under its mapping
// leaves pages that nobody can touch: zero pages are put over them, the chunk counts as lost until
// the guest maps or unmaps it, and the guest is told, so that it can take the pages from
// applications.

#include "vmm/window.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "vmm/hostcall/fd.h"
#include "vmm/hostcall/stub.h"
#include "vmm/log.h"

#define CHUNKS    (WINDOW_SIZE / WINDOW_CHUNK)
#define MAP_MAX   GIB(1)
#define SLOT_SIZE GIB(1) /* unit in which the guest gets memory slots of the window */

/*
 * One chunk of the window; guarded by lock, but `lost` and `reported` also change in the SIGBUS
 * handler, which takes no lock. Holds a reference to its file while it is mapped.
 */
struct chunk {
    struct hfile *file; /* NULL: nothing mapped */
    u64 offset;
    u32 len;
    u32 valid; /* bytes that the file had here when it was mapped */
    u8 writable;
    u8 lost;     /* zero pages over (part of) it */
    u8 reported; /* HC_WINDOW_LOST has named it */
};

static struct chunk chunks[CHUNKS]; /* mostly never touched */
static u64 chunks_used;             /* chunks at and above this index were never mapped */
static unsigned nlost;              /* atomic */
static u64 slots_added;             /* bit per SLOT_SIZE; guarded by lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

_Static_assert(WINDOW_SIZE / SLOT_SIZE <= 64, "slots_added is too small");

static char *host_address(u64 i)
{
    return (char *)memory_base() + WINDOW_GPA + i * WINDOW_CHUNK;
}

static u64 chunk_pa(u64 i)
{
    return WINDOW_GPA + i * WINDOW_CHUNK;
}

/* Check a range of chunks that came from the guest. */
static int range_check(u64 pa, u64 len)
{
    if (pa < WINDOW_GPA || pa % WINDOW_CHUNK || len == 0 || len > MAP_MAX)
        return -EINVAL;
    if (pa - WINDOW_GPA > WINDOW_SIZE - len)
        return -EINVAL;
    return 0;
}

static void chunk_clear(u64 i)
{
    struct chunk *c = &chunks[i];

    if (!c->file)
        return;
    if (c->lost)
        __atomic_sub_fetch(&nlost, 1, __ATOMIC_RELAXED);
    hfile_put(c->file);
    memset(c, 0, sizeof(*c));
}

static int unmap_pages(void *at, u64 len)
{
    void *p =
        mmap(at, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

    return p == MAP_FAILED ? -errno : 0;
}

static int unmap_range(u64 first, u64 count)
{
    int r = unmap_pages(host_address(first), count * WINDOW_CHUNK);

    if (r)
        return r;
    for (u64 i = first; i < first + count; i++)
        chunk_clear(i);
    return 0;
}

/* Memory slots for [pa, pa + len), where the guest has none yet. */
static int add_slots(u64 pa, u64 len)
{
    for (u64 i = (pa - WINDOW_GPA) / SLOT_SIZE; i <= (pa - WINDOW_GPA + len - 1) / SLOT_SIZE; i++) {
        int r = 0;

        if (slots_added & 1ULL << i)
            continue;
        if (memory_add_slot)
            r = memory_add_slot(WINDOW_GPA + i * SLOT_SIZE, SLOT_SIZE);
        if (r)
            return r;
        slots_added |= 1ULL << i;
    }
    return 0;
}

static int map_range(struct hfile *f, u64 offset, u64 len, u64 first, bool writable)
{
    int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    u64 count = (len + WINDOW_CHUNK - 1) / WINDOW_CHUNK;
    struct stat st;
    void *p;

    if (fstat(f->fd, &st) != 0)
        return -errno;
    /* replaces what is there at once: CPUs of the guest may be using it */
    p = mmap(host_address(first), len, prot, MAP_SHARED | MAP_FIXED, f->fd, (off_t)offset);
    if (p == MAP_FAILED)
        return -errno;
    if (len % WINDOW_CHUNK && chunks[first + count - 1].len > len % WINDOW_CHUNK)
        unmap_pages((char *)p + len, WINDOW_CHUNK - len % WINDOW_CHUNK);
    for (u64 i = 0; i < count; i++) {
        struct chunk *c = &chunks[first + i];
        u64 at = offset + i * WINDOW_CHUNK;
        u64 left = len - i * WINDOW_CHUNK;

        hfile_ref(f);
        chunk_clear(first + i);
        c->file = f;
        c->offset = at;
        c->len = (u32)(left < WINDOW_CHUNK ? left : WINDOW_CHUNK);
        c->writable = writable;
        c->valid = (u64)st.st_size <= at ? 0 : c->len;
        if (c->valid && (u64)st.st_size - at < c->len)
            c->valid = (u32)((u64)st.st_size - at);
    }
    if (first + count > chunks_used)
        chunks_used = first + count;
    return 0;
}

s64 hc_WINDOW_MAP(struct hostcall *hc)
{
    u64 offset = hc->arg[1], len = hc->arg[2], pa = hc->arg[3];
    bool writable = hc->arg[4] != 0;
    struct hfile *f;
    int r = range_check(pa, len);

    if (r)
        return r;
    if (offset % 4096 || len % 4096 || (s64)offset < 0 || (s64)(offset + len) < 0)
        return -EINVAL;
    f = hfile_get(hc->arg[0]);
    if (!f)
        return -EBADF;
    r = -ENODEV;
    if (S_ISREG(f->mode)) {
        r = -EACCES;
        if (f->access == O_RDWR || (f->access == O_RDONLY && !writable)) {
            pthread_mutex_lock(&lock);
            r = add_slots(pa, len);
            if (!r)
                r = map_range(f, offset, len, (pa - WINDOW_GPA) / WINDOW_CHUNK, writable);
            pthread_mutex_unlock(&lock);
        }
    }
    hfile_put(f);
    return r;
}

s64 hc_WINDOW_UNMAP(struct hostcall *hc)
{
    u64 pa = hc->arg[0], len = hc->arg[1];
    int r = range_check(pa, len);

    if (r)
        return r;
    pthread_mutex_lock(&lock);
    r = unmap_range((pa - WINDOW_GPA) / WINDOW_CHUNK, (len + WINDOW_CHUNK - 1) / WINDOW_CHUNK);
    pthread_mutex_unlock(&lock);
    return r;
}

s64 hc_WINDOW_LOST(struct hostcall *hc)
{
    s64 found = 0;

    if (!__atomic_load_n(&nlost, __ATOMIC_RELAXED))
        return 0;
    pthread_mutex_lock(&lock);
    for (u64 i = 0; i < chunks_used && !found; i++) {
        struct chunk *c = &chunks[i];

        if (!c->lost || c->reported)
            continue;
        c->reported = 1;
        hc->out[0] = chunk_pa(i);
        hc->out[1] = WINDOW_CHUNK;
        found = 1;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

int window_backing(u64 pa, int *fd, u64 *offset, bool *writable)
{
    struct chunk *c;
    int r = -EFAULT;

    if (pa < WINDOW_GPA || pa >= WINDOW_GPA + WINDOW_SIZE)
        return -EFAULT;
    c = &chunks[(pa - WINDOW_GPA) / WINDOW_CHUNK];
    pthread_mutex_lock(&lock);
    if (c->file && !c->lost && pa % WINDOW_CHUNK < c->len) {
        *fd = c->file->fd;
        *offset = c->offset + pa % WINDOW_CHUNK;
        *writable = c->writable;
        r = 0;
    }
    pthread_mutex_unlock(&lock);
    return r;
}

/* Put zero pages over [from, end) of chunk i. Async-signal-safe. */
static int cover(u64 i, u64 from, u64 end)
{
    struct chunk *c = &chunks[i];
    void *p =
        mmap(host_address(i) + from, end - from, c->writable ? PROT_READ | PROT_WRITE : PROT_READ,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

    if (p == MAP_FAILED)
        return -errno;
    if (!__atomic_exchange_n(&c->lost, 1, __ATOMIC_RELAXED))
        __atomic_add_fetch(&nlost, 1, __ATOMIC_RELAXED);
    c->reported = 0;
    event_post(HOST_EVENT_WINDOW, chunk_pa(i), WINDOW_CHUNK);
    return 0;
}

/*
 * Cover chunk i where its file ends now, if that is less than what was mapped, or, being
 * `thorough`, than the chunk: the file may have grown and shrunk since. Returns whether it did.
 */
static bool repair_chunk(u64 i, bool thorough)
{
    struct chunk *c = &chunks[i];
    struct stat st;
    u64 now;

    if (!c->file || c->lost || fstat(c->file->fd, &st) != 0)
        return false;
    now = (u64)st.st_size <= c->offset ? 0 : (u64)st.st_size - c->offset;
    if (now > c->valid)
        c->valid = now < c->len ? (u32)now : c->len;
    now = (now + 4095) & ~4095ULL;
    return now < (thorough ? c->len : c->valid) && cover(i, now, c->len) == 0;
}

static bool repair_all(bool thorough)
{
    bool found = false;

    for (u64 i = 0; i < chunks_used; i++)
        found |= repair_chunk(i, thorough);
    return found;
}

unsigned window_repair(void)
{
    unsigned n;

    pthread_mutex_lock(&lock);
    if (!repair_all(false) && !__atomic_load_n(&nlost, __ATOMIC_RELAXED))
        repair_all(true);
    n = __atomic_load_n(&nlost, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&lock);
    return n;
}

bool window_check(bool thorough)
{
    bool found;

    if (!__atomic_load_n(&chunks_used, __ATOMIC_RELAXED))
        return false;
    pthread_mutex_lock(&lock);
    found = repair_all(thorough);
    pthread_mutex_unlock(&lock);
    return found;
}

static void on_sigbus(int sig, siginfo_t *si, void *uc)
{
    u64 at = (u64)si->si_addr - (u64)memory_base();
    u64 i;

    if (at >= WINDOW_GPA && at < WINDOW_GPA + WINDOW_SIZE) {
        i = (at - WINDOW_GPA) / WINDOW_CHUNK;
        if (chunks[i].file && cover(i, at % WINDOW_CHUNK & ~4095ULL, chunks[i].len) == 0)
            return;
    }
    signal(SIGBUS, SIG_DFL); /* not ours: the access is repeated and ends the process */
}

int window_catch_sigbus(void)
{
    struct sigaction sa = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};

    return sigaction(SIGBUS, &sa, NULL) == 0 ? 0 : -errno;
}
