// SPDX-License-Identifier: Apache-2.0
/*
 * The page allocator: blocks are aligned, disjoint and cleared once, everything comes back and
 * merges, and unused memory goes back to the host.
 */
#include "fake.h"

#include <check.h>
#include <stdlib.h>

static void setup(void)
{
    fake_start(FAKE_RAM);
}

static bool all_zero(const u8 *p, size_t n)
{
    while (n && !*p)
        p++, n--;
    return !n;
}

START_TEST(blocks_are_aligned_and_referenced)
{
    for (unsigned order = 0; order <= 10; order++) {
        struct page *p = page_alloc(order, 0);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((page_to_phys(p) - RAM_GPA) & ((PAGE_SIZE << order) - 1), 0);
        for (unsigned i = 0; i < 1u << order; i++)
            ck_assert_uint_eq(ref_read(&p[i].refs), 1);
        ck_assert_ptr_eq(page_of(page_to_phys(p) + 5), p);
        page_put_block(p, order);
    }
    ck_assert_ptr_null(page_alloc(11, 0));
}
END_TEST

START_TEST(everything_comes_back)
{
    u64 before = pages_free();
    static struct page *p[70000];
    unsigned n = 0;

    while (n < 70000 && (p[n] = page_alloc(0, 0)))
        n++;
    ck_assert_uint_eq(n, before);
    ck_assert_uint_eq(pages_free(), 0);
    ck_assert_ptr_null(page_alloc(0, 0));
    for (unsigned i = 0; i < n; i++) /* in a scattered order; 7919 is prime to any n here */
        page_put(p[(u64)i * 7919 % n]);
    ck_assert_uint_eq(pages_free(), before);
    /* And it has merged: all but the piece next to the page array is there as 4 MiB blocks. */
    unsigned big = 0;
    while ((p[big] = page_alloc(10, 0)))
        big++;
    ck_assert_uint_ge(big, FAKE_RAM / MIB(4) - 2);
}
END_TEST

START_TEST(reserve_is_kept_from_users)
{
    static struct page *p[70000];
    unsigned n = 0;

    while (n < 70000 && (p[n] = page_alloc(0, PAGE_ALLOC_USER)))
        n++;
    ck_assert_uint_ge(pages_free(), 512);
    ck_assert_ptr_nonnull(page_alloc(0, 0));
}
END_TEST

/* Fresh pages must not be touched by clearing; used ones must be cleared. */
START_TEST(zeroed_once)
{
    struct page *p = page_alloc(9, PAGE_ALLOC_ZERO);
    u8 *mem = page_virt(p);

    ck_assert(all_zero(mem, HUGE_SIZE));
    memset(mem, 0xaa, PAGE_SIZE);
    mem[HUGE_SIZE - 1] = 1;
    page_put_block(p, 9);
    p = page_alloc(9, PAGE_ALLOC_ZERO);
    mem = page_virt(p);
    ck_assert(all_zero(mem, HUGE_SIZE));
    for (unsigned i = 0; i < 2000; i++) {
        struct page *one = page_alloc(0, PAGE_ALLOC_ZERO);
        u8 *m = page_virt(one);
        ck_assert(all_zero(m, PAGE_SIZE));
        memset(m, 0xbb, PAGE_SIZE);
        if (i & 1)
            page_put(one);
    }
}
END_TEST

START_TEST(goes_back_to_the_host)
{
    struct page *p[8];

    for (unsigned i = 0; i < 8; i++) {
        p[i] = page_alloc(9, 0);
        memset(page_virt(p[i]), 0xcc, HUGE_SIZE);
    }
    ck_assert_uint_eq(page_release(100), 0);
    for (unsigned i = 0; i < 8; i++)
        page_put_block(p[i], 9);
    ck_assert_uint_gt(page_release(100), 0);
    ck_assert_uint_ge(fake_released, 8 * HUGE_SIZE);
    ck_assert_uint_eq(page_release(100), 0);
    for (unsigned i = 0; i < 8; i++) {
        p[i] = page_alloc(9, PAGE_ALLOC_ZERO);
        ck_assert(all_zero(page_virt(p[i]), HUGE_SIZE));
    }
}
END_TEST

struct held {
    struct page *p;
    unsigned order;
    u8 tag;
};

/* Any sequence of calls: nobody's memory is handed out twice. */
START_TEST(random_calls)
{
    static struct held held[500];
    u64 before = pages_free();

    srand(1);
    for (unsigned step = 0; step < 100000; step++) {
        struct held *h = &held[(unsigned)rand() % 500];
        if (h->p) {
            for (u64 i = 0; i < PAGE_SIZE << h->order; i += PAGE_SIZE)
                ck_assert_uint_eq(((u8 *)page_virt(h->p))[i], h->tag);
            if (rand() & 1)
                page_put_block(h->p, h->order);
            else
                for (unsigned i = 0; i < 1u << h->order; i++)
                    page_put(h->p + i);
            h->p = NULL;
        } else {
            h->order = (unsigned)rand() % 6 * ((unsigned)rand() % 3 == 0);
            h->tag = (u8)rand();
            h->p = page_alloc(h->order, 0);
            ck_assert_ptr_nonnull(h->p);
            for (u64 i = 0; i < PAGE_SIZE << h->order; i += PAGE_SIZE)
                ((u8 *)page_virt(h->p))[i] = h->tag;
        }
        if (step % 1000 == 0)
            page_release(1);
    }
    for (unsigned i = 0; i < 500; i++)
        if (held[i].p)
            page_put_block(held[i].p, held[i].order);
    ck_assert_uint_eq(pages_free(), before);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("page");
    TCase *tc = tcase_create("page");

    tcase_add_checked_fixture(tc, setup, fake_stop);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, blocks_are_aligned_and_referenced);
    tcase_add_test(tc, everything_comes_back);
    tcase_add_test(tc, reserve_is_kept_from_users);
    tcase_add_test(tc, zeroed_once);
    tcase_add_test(tc, goes_back_to_the_host);
    tcase_add_test(tc, random_calls);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
