// SPDX-License-Identifier: Apache-2.0
/*
 * kmalloc and object caches: alignment, no overlap, sizes up to 4 MiB, memory comes back.
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

START_TEST(alignment_and_sizes)
{
    for (size_t n = 0; n <= MIB(4); n = n * 9 / 8 + 1) {
        u8 *p = kmalloc(n);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((u64)p % (n >= 64 ? 64 : 16), 0);
        memset(p, 0x5a, n);
        kfree(p);
        p = kzalloc(n);
        ck_assert(all_zero(p, n));
        kfree(p);
    }
    ck_assert_ptr_null(kmalloc(MIB(4) + 1));
    kfree(NULL);
}
END_TEST

START_TEST(realloc_keeps_contents)
{
    u8 *p = NULL;

    for (size_t n = 1; n < 200000; n = n * 2 + 1) {
        p = krealloc(p, n);
        ck_assert_ptr_nonnull(p);
        for (size_t i = 0; i < n / 2; i++)
            ck_assert_uint_eq(p[i], (u8)i);
        for (size_t i = 0; i < n; i++)
            p[i] = (u8)i;
    }
    p = krealloc(p, 100);
    for (size_t i = 0; i < 100; i++)
        ck_assert_uint_eq(p[i], (u8)i);
    kfree(p);
    char *s = kstrdup("a string");
    ck_assert_str_eq(s, "a string");
    kfree(s);
}
END_TEST

START_TEST(cache_objects)
{
    struct slab_cache *c = slab_cache_create("test", 104, 8);
    static void *p[5000];
    u64 before = pages_free();

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 5000; i++) {
            p[i] = slab_alloc(c);
            ck_assert(all_zero(p[i], 104));
            memset(p[i], (int)i, 104);
        }
        for (unsigned i = 0; i < 5000; i++)
            ck_assert(((u8 *)p[i])[0] == (u8)i && ((u8 *)p[i])[103] == (u8)i);
        for (unsigned i = 0; i < 5000; i++)
            slab_free(c, p[(i * 7) % 5000]);
    }
    ck_assert_uint_ge(pages_free(), before - 2);
}
END_TEST

START_TEST(random_calls)
{
    static struct {
        u8 *p;
        size_t n;
        u8 tag;
    } held[1000];

    srand(2);
    for (unsigned step = 0; step < 300000; step++) {
        unsigned k = (unsigned)rand() % 1000;
        if (held[k].p) {
            ck_assert_uint_eq(held[k].p[0], held[k].tag);
            ck_assert_uint_eq(held[k].p[held[k].n - 1], held[k].tag);
            kfree(held[k].p);
            held[k].p = NULL;
        } else {
            held[k].n = 1 + (size_t)rand() % (rand() % 50 ? 3000 : 40000);
            held[k].tag = (u8)rand();
            held[k].p = kmalloc(held[k].n);
            memset(held[k].p, held[k].tag, held[k].n);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("slab");
    TCase *tc = tcase_create("slab");

    tcase_add_checked_fixture(tc, setup, fake_stop);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, alignment_and_sizes);
    tcase_add_test(tc, realloc_keeps_contents);
    tcase_add_test(tc, cache_objects);
    tcase_add_test(tc, random_calls);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
