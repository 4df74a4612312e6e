// SPDX-License-Identifier: Apache-2.0
/*
 * vmas: the tree against a plain scan of the list, the search for holes, and random mmap, munmap,
 * mprotect, mremap and madvise against a model that remembers one protection and one byte a page.
 */
#include "fake/fake_file.h"
#include "sentry/mm/internal.h"

#include <check.h>
#include <stdlib.h>

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static struct mm *mm;

static void setup(void)
{
    fake_start(FAKE_RAM);
    mm = mm_new();
    current->mm = mm;
}

static void teardown(void)
{
    mm_put(mm);
    fake_stop();
}

/* The tree is in order, a heap, linked both ways, and its gap_max is right; returns nodes. */
static unsigned check_tree(struct vma *v, struct vma *up)
{
    if (!v)
        return 0;
    ck_assert_ptr_eq(v->up, up);
    if (up)
        ck_assert_uint_le(v->prio, up->prio);
    struct vma *prev = vma_prev(v);
    uva_t start = v->start - ((v->flags & VMA_GROWSDOWN) ? STACK_GUARD_GAP : 0);
    uva_t from = prev ? prev->end : 0;
    u64 gap = start > from ? start - from : 0;
    unsigned n = 1 + check_tree(v->left, v) + check_tree(v->right, v);
    if (v->left)
        gap = MAX(gap, v->left->gap_max);
    if (v->right)
        gap = MAX(gap, v->right->gap_max);
    ck_assert_uint_eq(gap, v->gap_max);
    return n;
}

static void check_mm(void)
{
    struct vma *v;
    uva_t last = 0;
    unsigned n = 0;
    u64 pages = 0;

    list_for_each (v, &mm->vmas, link) {
        ck_assert_uint_ge(v->start, last);
        ck_assert_uint_lt(v->start, v->end);
        last = v->end;
        pages += vma_pages(v);
        n++;
        ck_assert_ptr_eq(vma_find(mm, v->start), v);
        ck_assert_ptr_eq(vma_find(mm, v->end - 1), v);
    }
    ck_assert_uint_eq(n, mm->nvmas);
    ck_assert_uint_eq(pages, mm->total_vm);
    ck_assert_uint_eq(check_tree(mm->root, NULL), n);
}

static uva_t brute_topdown(u64 len, uva_t low, uva_t high)
{
    struct vma *v;
    uva_t from = low, best = 0;

    list_for_each (v, &mm->vmas, link) {
        uva_t to = MIN(v->start - ((v->flags & VMA_GROWSDOWN) ? STACK_GUARD_GAP : 0), high);
        if (to > from && to - from >= len)
            best = to - len;
        from = MAX(v->end, low);
    }
    if (high > from && high - from >= len)
        best = high - len;
    return best;
}

START_TEST(holes)
{
    u64 unit = MIB(4);

    srand(3);
    for (unsigned i = 0; i < 3000; i++) {
        uva_t at = unit + (u64)(rand() % 500) * unit + (u64)(rand() % 100) * PAGE_SIZE;
        u64 len = (u64)(1 + rand() % 1500) * PAGE_SIZE;
        if (rand() % 3)
            mm_mmap(mm, at, len, rand() % 2 ? RW : PROT_READ,
                    ANON | MAP_FIXED | (rand() % 10 ? 0 : MAP_GROWSDOWN), NULL, 0);
        else
            mm_munmap(mm, at, len);
        uva_t low = unit * (u64)(rand() % 100), high = unit * (u64)(300 + rand() % 300);
        u64 want = (u64)(1 + rand() % 3000) * PAGE_SIZE;
        ck_assert_uint_eq(vma_gap_topdown(mm, want, low + PAGE_SIZE, high),
                          brute_topdown(want, low + PAGE_SIZE, high));
        if (i % 50 == 0)
            check_mm();
    }
}
END_TEST

START_TEST(placement)
{
    s64 a = mm_mmap(mm, 0, 5000, RW, ANON, NULL, 0), b;

    ck_assert_uint_eq((u64)a, USER_END - 2 * PAGE_SIZE);
    b = mm_mmap(mm, 0, PAGE_SIZE, RW, ANON, NULL, 0);
    ck_assert_int_eq(b, a - (s64)PAGE_SIZE);
    ck_assert_uint_eq(mm->nvmas, 1); /* merged */
    b = mm_mmap(mm, (uva_t)b, PAGE_SIZE, RW, ANON, NULL, 0);
    ck_assert_int_eq(b, a - 2 * (s64)PAGE_SIZE);
    ck_assert_int_eq(mm_mmap(mm, (uva_t)a, PAGE_SIZE, RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0),
                     -EEXIST);
    ck_assert_int_eq(mm_mmap(mm, 0x10000, PAGE_SIZE, RW, ANON, NULL, 0), 0x10000);
    ck_assert_int_eq(mm_mmap(mm, 0x1000, PAGE_SIZE, RW, ANON | MAP_FIXED, NULL, 0), -EPERM);
    ck_assert_int_eq(mm_mmap(mm, 0x10001, PAGE_SIZE, RW, ANON | MAP_FIXED, NULL, 0), -EINVAL);
    ck_assert_int_eq(mm_mmap(mm, 0, 0, RW, ANON, NULL, 0), -EINVAL);
    ck_assert_int_eq(mm_mmap(mm, 0, U64_MAX, RW, ANON, NULL, 0), -ENOMEM);
    ck_assert_int_eq(mm_mmap(mm, 0, USER_END, RW, ANON | MAP_NORESERVE, NULL, 0), -ENOMEM);
    ck_assert_int_eq(mm_mmap(mm, USER_END, PAGE_SIZE, RW, ANON | MAP_FIXED, NULL, 0), -ENOMEM);
    ck_assert_int_eq(mm_mmap(mm, 0, PAGE_SIZE, RW, MAP_ANONYMOUS, NULL, 0), -EINVAL);
    b = mm_mmap(mm, 0, PAGE_SIZE, RW, ANON | MAP_32BIT, NULL, 0);
    ck_assert(b > 0 && b < 0x80000000);
    ck_assert_int_eq(mm_munmap(mm, 0x10001, PAGE_SIZE), -EINVAL);
    ck_assert_int_eq(mm_munmap(mm, 0x10000, 0), -EINVAL);
    ck_assert_int_eq(mm_munmap(mm, 0x20000, PAGE_SIZE), 0);
    check_mm();
}
END_TEST

START_TEST(limits)
{
    fake_limits[RLIMIT_AS] = 100 * PAGE_SIZE;
    ck_assert_int_gt(mm_mmap(mm, 0, 100 * PAGE_SIZE, PROT_READ, ANON, NULL, 0), 0);
    ck_assert_int_eq(mm_mmap(mm, 0, PAGE_SIZE, PROT_READ, ANON, NULL, 0), -ENOMEM);
    fake_limits[RLIMIT_AS] = RLIM64_INFINITY;
    fake_limits[RLIMIT_DATA] = 10 * PAGE_SIZE;
    ck_assert_int_eq(mm_mmap(mm, 0, 11 * PAGE_SIZE, RW, ANON, NULL, 0), -ENOMEM);
    fake_limits[RLIMIT_DATA] = RLIM64_INFINITY;
    ck_assert_int_eq(mm_mmap(mm, 0, 2 * FAKE_RAM, RW, ANON, NULL, 0), -ENOMEM);
    ck_assert_int_gt(mm_mmap(mm, 0, 2 * FAKE_RAM, RW, ANON | MAP_NORESERVE, NULL, 0), 0);
    fake_limits[RLIMIT_MEMLOCK] = 4 * PAGE_SIZE;
    s64 a = mm_mmap(mm, 0, 8 * PAGE_SIZE, RW, ANON, NULL, 0);
    ck_assert_int_eq(mm_mlock(mm, (uva_t)a, 5 * PAGE_SIZE, false), -ENOMEM);
    ck_assert_int_eq(mm_mlock(mm, (uva_t)a, 4 * PAGE_SIZE, false), 0);
    ck_assert_int_eq(mm_mlock(mm, (uva_t)a, 4 * PAGE_SIZE, false), 0);
    ck_assert_uint_eq(mm->locked_vm, 4);
    ck_assert_int_eq(mm_madvise(mm, (uva_t)a, PAGE_SIZE, MADV_DONTNEED), -EINVAL);
    ck_assert_int_eq(mm_munlock(mm, (uva_t)a, 4 * PAGE_SIZE), 0);
    ck_assert_uint_eq(mm->locked_vm, 0);
    fake_limits[RLIMIT_MEMLOCK] = 0;
    ck_assert_int_eq(mm_mlock(mm, (uva_t)a, PAGE_SIZE, false), -EPERM);
    check_mm();
}
END_TEST

START_TEST(heap)
{
    u8 c = 9;

    mm->brk_start = mm->brk = 0x400000;
    ck_assert_uint_eq(mm_brk(mm, 0), 0x400000);
    ck_assert_uint_eq(mm_brk(mm, 0x400001), 0x400001);
    ck_assert_uint_eq(mm_brk(mm, 0x410123), 0x410123);
    ck_assert_uint_eq(mm->nvmas, 1);
    ck_assert_str_eq(vma_name(vma_find(mm, 0x400000)), "[heap]");
    ck_assert_int_eq(mm_access(mm, 0x410000, &c, 1, true, false), 1);
    ck_assert_uint_eq(mm_brk(mm, 0x402000), 0x402000);
    ck_assert_int_eq(mm_access(mm, 0x410000, &c, 1, true, false), -EFAULT);
    ck_assert_uint_eq(mm_brk(mm, 0x3fffff), 0x402000);
    ck_assert_int_gt(mm_mmap(mm, 0x410000, PAGE_SIZE, RW, ANON | MAP_FIXED, NULL, 0), 0);
    ck_assert_uint_eq(mm_brk(mm, 0x411000), 0x402000);
    check_mm();
}
END_TEST

/* ---- the model ---- */

#define WINDOW 0x10000000UL
#define SLOTS  1536 /* 6 MiB: crosses 2 MiB borders */

static struct model {
    bool mapped;
    u32 prot;
    u8 byte; /* of the page's first byte; 0 fresh */
} model[SLOTS];

static uva_t slot_addr(unsigned i)
{
    return WINDOW + i * PAGE_SIZE;
}

static void model_write(unsigned i)
{
    u8 b = (u8)(rand() | 1);
    s64 n = mm_access(mm, slot_addr(i), &b, 1, true, false);

    if (model[i].mapped && (model[i].prot & PROT_WRITE)) {
        ck_assert_int_eq(n, 1);
        model[i].byte = b;
    } else {
        ck_assert_int_eq(n, -EFAULT);
    }
}

static void model_check(unsigned i)
{
    u8 b = 0xff;
    s64 n = mm_access(mm, slot_addr(i), &b, 1, false, false);

    if (model[i].mapped && model[i].prot) {
        ck_assert_int_eq(n, 1);
        ck_assert_uint_eq(b, model[i].byte);
    } else {
        ck_assert_int_eq(n, -EFAULT);
    }
}

static void op_map(unsigned at, unsigned n)
{
    static const u32 prots[] = {PROT_NONE, PROT_READ, RW, RW, PROT_READ | PROT_EXEC};
    u32 prot = prots[rand() % 5];
    s64 r = mm_mmap(mm, slot_addr(at), n * PAGE_SIZE, prot, ANON | MAP_FIXED, NULL, 0);

    ck_assert_int_eq(r, (s64)slot_addr(at));
    for (unsigned i = at; i < at + n; i++)
        model[i] = (struct model){true, prot, 0};
}

static void op_unmap(unsigned at, unsigned n)
{
    ck_assert_int_eq(mm_munmap(mm, slot_addr(at), n * PAGE_SIZE), 0);
    for (unsigned i = at; i < at + n; i++)
        model[i] = (struct model){0};
}

static void op_protect(unsigned at, unsigned n)
{
    u32 prot = rand() % 3 ? RW : (u32)(rand() % 2);
    int err = mm_mprotect(mm, slot_addr(at), n * PAGE_SIZE, prot);
    unsigned i;

    for (i = at; i < at + n && model[i].mapped; i++)
        model[i].prot = prot;
    ck_assert_int_eq(err, i < at + n ? -ENOMEM : 0);
}

static void op_dontneed(unsigned at, unsigned n)
{
    int err = mm_madvise(mm, slot_addr(at), n * PAGE_SIZE, MADV_DONTNEED);
    bool hole = false;

    for (unsigned i = at; i < at + n; i++) {
        hole |= !model[i].mapped;
        model[i].byte = 0;
    }
    ck_assert_int_eq(err, hole ? -ENOMEM : 0);
}

static void op_remap(unsigned at, unsigned n)
{
    unsigned to = (unsigned)rand() % SLOTS, len = 1 + (unsigned)rand() % 600;
    struct model keep[SLOTS];
    struct vma *v = vma_find_exact(mm, slot_addr(at));
    s64 r;

    if (to + len > SLOTS)
        len = SLOTS - to;
    if (rand() % 2)
        to = (to & ~511u) | (at & 511); /* alike within 2 MiB: whole tables move */
    if (to + len > SLOTS)
        return;
    bool overlap = at + n > to && to + len > at;
    r = mm_mremap(mm, slot_addr(at), n * PAGE_SIZE, len * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
                  slot_addr(to));
    if (!v || overlap) {
        ck_assert_int_eq(r, v ? -EINVAL : -EFAULT);
        return;
    }
    memcpy(keep, model, sizeof(keep));
    for (unsigned i = to; i < to + len; i++)
        model[i] = (struct model){0};
    for (unsigned i = at + len; i < at + n; i++)
        model[i] = (struct model){0};
    n = MIN(n, len);
    bool one = true;
    for (unsigned i = at; i < at + n; i++)
        one &= keep[i].mapped;
    if (r < 0) { /* several vmas, or holes */
        ck_assert_int_eq(r, -EFAULT);
        return;
    }
    ck_assert(one);
    for (unsigned i = 0; i < len; i++)
        model[to + i] = i < n ? keep[at + i] : (struct model){true, keep[at].prot, 0};
    for (unsigned i = at; i < at + n; i++)
        model[i] = (struct model){0};
}

/* A large move between places that are alike: whole tables and 2 MiB pages go as they are. */
static void op_big_move(void)
{
    op_map(0, 512);
    ck_assert_int_eq(mm_mprotect(mm, slot_addr(0), 512 * PAGE_SIZE, RW), 0);
    for (unsigned i = 0; i < 512; i++) {
        model[i].prot = RW;
        if (rand() % 2)
            model_write(i);
    }
    op_unmap(1024, 512);
    ck_assert_int_eq(mm_mremap(mm, slot_addr(0), 512 * PAGE_SIZE, 512 * PAGE_SIZE,
                               MREMAP_MAYMOVE | MREMAP_FIXED, slot_addr(1024)),
                     (s64)slot_addr(1024));
    memcpy(model + 1024, model, 512 * sizeof(model[0]));
    memset(model, 0, 512 * sizeof(model[0]));
}

static void run_model(unsigned seed)
{
    srand(seed);
    for (unsigned step = 0; step < 20000; step++) {
        unsigned at = (unsigned)rand() % SLOTS, n = 1 + (unsigned)rand() % (rand() % 8 ? 40 : 900);
        if (at + n > SLOTS)
            n = SLOTS - at;
        switch (rand() % 16) {
        case 0:
        case 1:
            op_map(at, n);
            break;
        case 2:
            op_unmap(at, n);
            break;
        case 3:
        case 4:
            op_protect(at, n);
            break;
        case 5:
            op_dontneed(at, n);
            break;
        case 6:
            op_remap(at, n);
            break;
        default:
            model_write(at);
        }
        model_check((unsigned)rand() % SLOTS);
        if (step % 200 == 0) {
            op_big_move();
            check_mm();
            for (unsigned i = 0; i < SLOTS; i++)
                model_check(i);
        }
    }
    /* Everything that was allocated comes back. */
    ck_assert_int_eq(mm_munmap(mm, WINDOW, SLOTS * PAGE_SIZE), 0);
    ck_assert_int_eq(mm->rss_anon, 0);
    ck_assert_uint_eq(page_of(mm->pgd)->count, 0);
    memset(model, 0, sizeof(model));
}

START_TEST(model_small_pages)
{
    u64 before = pages_free();

    run_model(4);
    ck_assert_uint_ge(pages_free() + 4, before);
}
END_TEST

START_TEST(model_big_pages)
{
    u64 before = pages_free();

    fake_huge_pages = true;
    run_model(5);
    run_model(6);
    fake_huge_pages = false;
    ck_assert_uint_ge(pages_free() + 4, before);
}
END_TEST

START_TEST(model_fault_around)
{
    fake_fault_around = 65536;
    run_model(7);
    fake_fault_around = 4096;
}
END_TEST

int main(void)
{
    Suite *s = suite_create("vma");
    TCase *tc = tcase_create("vma");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, holes);
    tcase_add_test(tc, placement);
    tcase_add_test(tc, limits);
    tcase_add_test(tc, heap);
    tcase_add_test(tc, model_small_pages);
    tcase_add_test(tc, model_big_pages);
    tcase_add_test(tc, model_fault_around);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
