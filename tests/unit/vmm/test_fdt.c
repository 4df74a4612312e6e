// SPDX-License-Identifier: Apache-2.0
/*
 * Device trees: what vmm/fdt.c writes is what sentry/lib/dt.c reads, and damaged ones do no harm.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sentry/lib/dt.h"
#include "vmm/abi/bootinfo.h"
#include "vmm/fdt.h"

static const char *const argv[] = {"sh", "-c", "exit 0", NULL}, *const envp[] = {"A=1", "", NULL};
static const uint32_t groups[] = {7, 8, 9};
static const struct sandbox_process process = {
    .argv = argv,
    .envp = envp,
    .cwd = "/tmp",
    .uid = 1000,
    .gid = 100,
    .groups = groups,
    .ngroups = 3,
    .caps = {1, 2, 3, 4, 1ULL << 40},
    .umask = 027,
    .oom_score_adj = -5,
    .no_new_privs = true,
    .rlimits = {[3] = {8192, 16384}},
};

/* A blob at the end of a page that another follows which cannot be touched. */
static unsigned char *build(size_t *size)
{
    const u32 stdio[3] = {0, 2, ~0u};
    unsigned char *area =
        mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char buf[4096];
    int n = fdt_build_process(&process, stdio, buf, sizeof(buf));

    ck_assert_int_gt(n, 0);
    ck_assert_uint_le((size_t)n, fdt_process_bound(&process));
    mprotect(area + 4096, 4096, PROT_NONE);
    memcpy(area + 4096 - n, buf, (size_t)n);
    *size = (size_t)n;
    return area + 4096 - n;
}

START_TEST(round_trip)
{
    size_t size, len;
    unsigned char *blob = build(&size);
    u32 chosen, u[4];
    u64 caps[6], limits[40];
    struct dt d;

    ck_assert_int_eq(dt_open(&d, blob, size), 0);
    chosen = dt_child(&d, dt_root(&d), "chosen");
    ck_assert_uint_ne(chosen, 0);
    ck_assert_uint_eq(dt_child(&d, dt_root(&d), "chose"), 0);
    ck_assert_uint_eq(dt_next_child(&d, dt_root(&d), chosen), 0);
    ck_assert_uint_eq(dt_next_child(&d, chosen, 0), 0);
    ck_assert_mem_eq(dt_text(&d, chosen, BOOT_ARGV, &len), "sh\0-c\0exit 0", 13);
    ck_assert_uint_eq(len, 13);
    ck_assert_mem_eq(dt_text(&d, chosen, BOOT_ENVP, &len), "A=1\0", 5);
    ck_assert_uint_eq(len, 5);
    ck_assert_str_eq(dt_text(&d, chosen, BOOT_CWD, NULL), "/tmp");
    ck_assert_ptr_null(dt_text(&d, chosen, BOOT_HOSTNAME, NULL));
    ck_assert_ptr_null(dt_text(&d, chosen, BOOT_UID, NULL));
    ck_assert_uint_eq(dt_int(&d, chosen, BOOT_UID, 5), 1000);
    ck_assert_uint_eq(dt_int(&d, chosen, BOOT_DEBUG, 5), 5);
    ck_assert_int_eq((s32)dt_int(&d, chosen, BOOT_OOM_SCORE_ADJ, 0), -5);
    ck_assert(dt_flag(&d, chosen, BOOT_NO_NEW_PRIVS));
    ck_assert(!dt_flag(&d, chosen, BOOT_CONSOLE));
    ck_assert_uint_eq(dt_u32s(&d, chosen, BOOT_GROUPS, u, 4), 3);
    ck_assert(u[0] == 7 && u[2] == 9);
    ck_assert_uint_eq(dt_u32s(&d, chosen, BOOT_STDIO, u, 3), 3);
    ck_assert(u[0] == 0 && u[1] == 2 && u[2] == ~0u);
    ck_assert_uint_eq(dt_u64s(&d, chosen, BOOT_CAPS, caps, 6), 5);
    ck_assert(caps[0] == 1 && caps[4] == 1ULL << 40);
    ck_assert_uint_eq(dt_u64s(&d, chosen, BOOT_RLIMITS, limits, 40), 32);
    ck_assert(limits[6] == 8192 && limits[7] == 16384 && !limits[8]);
}
END_TEST

/* Everything that the Sentry does with a tree. */
static void use(const struct dt *d, u32 node, int depth)
{
    size_t len;
    u64 v[40];

    dt_text(d, node, BOOT_ARGV, &len);
    dt_int(d, node, BOOT_UID, 0);
    dt_u64s(d, node, BOOT_RLIMITS, v, 40);
    for (u32 child = 0, n = 0; n < 100 && (child = dt_next_child(d, node, child)); n++) {
        ck_assert_uint_le(strlen(dt_name(d, child)), 4096);
        if (depth < 10)
            use(d, child, depth + 1);
    }
}

START_TEST(damaged)
{
    size_t size;
    unsigned char *blob = build(&size);
    struct dt d;

    ck_assert_int_eq(dt_open(&d, blob, 39), -EINVAL);
    ck_assert_int_eq(dt_open(&d, blob, size - 1), -EINVAL);
    srand(1);
    for (int i = 0; i < 200000; i++) {
        unsigned char saved[4];
        size_t at = (size_t)rand() % (size - 4);

        if (i % 4 == 0) /* mostly the header and the first tokens */
            at %= 160;
        memcpy(saved, blob + at, 4);
        blob[at] ^= (unsigned char)(1u << rand() % 8);
        if (i % 3 == 0)
            memset(blob + at, rand(), 4);
        if (dt_open(&d, blob, size) == 0)
            use(&d, dt_root(&d), 0);
        memcpy(blob + at, saved, 4);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fdt");
    TCase *c = tcase_create("all");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_set_timeout(c, 60);
    tcase_add_test(c, round_trip);
    tcase_add_test(c, damaged);
    suite_add_tcase(s, c);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
