// SPDX-License-Identifier: Apache-2.0
/*
 * The gofer's codec: what one end writes the other reads back, and anything else, a byte short, a
 * byte long, or with a name that is none, is refused.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "gofer/codec.h"

static u8 buf[GOFER_MSG_MAX];
static struct gofer_msg msg;

static int walk_request(const char *const *names, unsigned n, u16 count)
{
    struct gofer_walk_req req = {.fid = 7, .newfid = 8, .flags = GOFER_WALK_OPEN, .count = count};
    struct gofer_writer w;

    gofer_begin(&w, buf, sizeof(buf), GOFER_WALK, 42, 0);
    gofer_put(&w, &req, sizeof(req));
    gofer_put_str(&w, "base/dir", 8);
    for (unsigned i = 0; i < n; i++)
        gofer_put_str(&w, names[i], strlen(names[i]));
    return gofer_end(&w);
}

START_TEST(walk_round_trip)
{
    const char *names[] = {"usr", "share", "...", "a"};
    int len = walk_request(names, 4, 4);

    ck_assert_int_gt(len, 0);
    ck_assert_int_eq(gofer_decode_request(&msg, buf, len), 0);
    ck_assert_uint_eq(msg.hdr.type, GOFER_WALK);
    ck_assert_uint_eq(msg.hdr.tag, 42);
    ck_assert_uint_eq(msg.body.walk.fid, 7);
    ck_assert_uint_eq(msg.nstr, 5);
    ck_assert_uint_eq(msg.str[0].len, 8);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(msg.str[i + 1].len, strlen(names[i]));
        ck_assert_mem_eq(msg.str[i + 1].p, names[i], msg.str[i + 1].len);
    }
}
END_TEST

START_TEST(bad_names)
{
    static const char *const bad[] = {"", ".", "..", "a/b", "/", "/etc"};
    char longname[GOFER_NAME_MAX + 2];
    const char *name;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(gofer_decode_request(&msg, buf, walk_request(&bad[i], 1, 1)), -EBADMSG);
    memset(longname, 'x', sizeof(longname));
    longname[GOFER_NAME_MAX + 1] = '\0';
    name = longname;
    ck_assert_int_eq(gofer_decode_request(&msg, buf, walk_request(&name, 1, 1)), -EBADMSG);
    name = longname + 1;
    ck_assert_int_eq(gofer_decode_request(&msg, buf, walk_request(&name, 1, 1)), 0);
    ck_assert(!gofer_name_ok("a\0b", 3));
}
END_TEST

START_TEST(paths)
{
    static const char *const good[] = {"a", "a/b", "..a/.b/...", "a b/\xff"};
    static const char *const bad[] = {"",    "/",    "a/",   "/a",  "a//b",  ".",
                                      "a/.", "a/..", "../a", "./a", "a/../b"};
    char deep[GOFER_TEXT_MAX + 2];

    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ck_assert(gofer_path_ok(good[i], strlen(good[i])));
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert(!gofer_path_ok(bad[i], strlen(bad[i])));
    ck_assert(!gofer_path_ok("a\0b/c", 5));
    for (unsigned i = 0; i < sizeof(deep); i++)
        deep[i] = i % 2 ? '/' : 'x';
    ck_assert(gofer_path_ok(deep, GOFER_TEXT_MAX));
    ck_assert(!gofer_path_ok(deep, GOFER_TEXT_MAX - 1)); /* ends in a slash */
    ck_assert(!gofer_path_ok(deep, GOFER_TEXT_MAX + 2));
}
END_TEST

START_TEST(bad_lengths)
{
    const char *names[] = {"usr", "share"};
    int len = walk_request(names, 2, 2);

    for (int i = 0; i < len; i++)
        ck_assert_int_eq(gofer_decode_request(&msg, buf, i), -EBADMSG);
    /* A header that owns up to the shorter length does not help. */
    for (int i = sizeof(struct gofer_hdr); i < len; i++) {
        memcpy(buf, &i, 4);
        ck_assert_int_eq(gofer_decode_request(&msg, buf, i), -EBADMSG);
    }
    len++;
    memcpy(buf, &len, 4);
    ck_assert_int_eq(gofer_decode_request(&msg, buf, len), -EBADMSG);
    /* Counts that lie. */
    ck_assert_int_eq(gofer_decode_request(&msg, buf, walk_request(names, 2, 1)), -EBADMSG);
    ck_assert_int_eq(gofer_decode_request(&msg, buf, walk_request(names, 2, 3)), -EBADMSG);
    ck_assert_int_eq(gofer_decode_request(&msg, buf, walk_request(names, 2, 65535)), -EBADMSG);
}
END_TEST

START_TEST(bad_headers)
{
    const char *names[] = {"usr"};
    int len = walk_request(names, 1, 1);
    struct gofer_hdr *hdr = (struct gofer_hdr *)buf;

    for (unsigned type = 0; type < 65536; type++) {
        hdr->type = type;
        if (type != GOFER_WALK)
            ck_assert_int_eq(gofer_decode_request(&msg, buf, len), -EBADMSG);
    }
    hdr->type = GOFER_WALK;
    hdr->err = -1;
    ck_assert_int_eq(gofer_decode_request(&msg, buf, len), -EBADMSG);
}
END_TEST

START_TEST(writer_bounds)
{
    struct gofer_writer w;
    char text[GOFER_TEXT_MAX + 1] = {0};

    gofer_begin(&w, buf, sizeof(struct gofer_hdr) + 3, GOFER_CLUNK, 0, 0);
    ck_assert_uint_eq(gofer_room(&w), 3);
    gofer_put(&w, "abcd", 4);
    ck_assert_uint_eq(gofer_room(&w), 0);
    gofer_put(&w, "a", 1);
    ck_assert_int_eq(gofer_end(&w), -EMSGSIZE);

    gofer_begin(&w, buf, 5, GOFER_CLUNK, 0, 0);
    ck_assert_int_eq(gofer_end(&w), -EMSGSIZE);

    gofer_begin(&w, buf, sizeof(buf), GOFER_CLUNK, 0, 0);
    gofer_put_str(&w, text, sizeof(text));
    ck_assert_int_eq(gofer_end(&w), -EMSGSIZE);
}
END_TEST

START_TEST(walk_reply)
{
    struct gofer_walk_rep rep = {.stop = -ELOOP, .count = 2};
    struct gofer_attr a = {.ino = 5, .mode = 0120777}, b;
    struct gofer_writer w;
    int len;

    gofer_begin(&w, buf, sizeof(buf), GOFER_WALK, 9, 0);
    gofer_put(&w, &rep, sizeof(rep));
    gofer_put(&w, &a, sizeof(a));
    a.ino = 6;
    gofer_put(&w, &a, sizeof(a));
    gofer_put_str(&w, "../lib", 6);
    len = gofer_end(&w);
    ck_assert_int_eq(gofer_decode_reply(&msg, GOFER_WALK, 9, buf, len), 0);
    ck_assert_int_eq(msg.body.walk_rep.stop, -ELOOP);
    b = gofer_msg_attr(&msg, 1);
    ck_assert_uint_eq(b.ino, 6);
    ck_assert_uint_eq(msg.str[0].len, 6);
    for (int i = 0; i < len; i++) {
        memcpy(buf, &i, 4);
        ck_assert_int_eq(gofer_decode_reply(&msg, GOFER_WALK, 9, buf, i), -EBADMSG);
    }
    memcpy(buf, &len, 4);
    ck_assert_int_eq(gofer_decode_reply(&msg, GOFER_WALK, 8, buf, len), -EBADMSG);
    ck_assert_int_eq(gofer_decode_reply(&msg, GOFER_OPEN, 9, buf, len), -EBADMSG);
}
END_TEST

START_TEST(error_reply)
{
    struct gofer_writer w;
    int len;

    gofer_begin(&w, buf, sizeof(buf), GOFER_OPEN, 1, -ENOENT);
    len = gofer_end(&w);
    ck_assert_int_eq(gofer_decode_reply(&msg, GOFER_OPEN, 1, buf, len), 0);
    ck_assert_int_eq(msg.hdr.err, -ENOENT);
    gofer_begin(&w, buf, sizeof(buf), GOFER_OPEN, 1, 5);
    ck_assert_int_eq(gofer_decode_reply(&msg, GOFER_OPEN, 1, buf, gofer_end(&w)), -EBADMSG);
    gofer_begin(&w, buf, sizeof(buf), GOFER_OPEN, 1, -5000);
    ck_assert_int_eq(gofer_decode_reply(&msg, GOFER_OPEN, 1, buf, gofer_end(&w)), -EBADMSG);
}
END_TEST

START_TEST(dirents)
{
    struct gofer_readdir_rep rep = {.eof = 1, .count = 2};
    struct gofer_dirent ent = {.cookie = 11, .ino = 1, .type = 8, .flags = GOFER_DIRENT_ATTR};
    struct gofer_attr attr = {.ino = 1, .size = 99};
    struct gofer_str name;
    struct gofer_writer w;
    u32 pos = 0;
    int len;

    gofer_begin(&w, buf, sizeof(buf), GOFER_READDIR, 0, 0);
    gofer_put(&w, &rep, sizeof(rep));
    ent.namelen = 3;
    gofer_put(&w, &ent, sizeof(ent));
    gofer_put(&w, &attr, sizeof(attr));
    gofer_put(&w, "abc", 3);
    ent.flags = 0;
    ent.namelen = 1;
    gofer_put(&w, &ent, sizeof(ent));
    gofer_put(&w, "d", 1);
    len = gofer_end(&w);
    ck_assert_int_eq(gofer_decode_reply(&msg, GOFER_READDIR, 0, buf, len), 0);
    memset(&attr, 0, sizeof(attr));
    ck_assert(gofer_msg_dirent(&msg, &pos, &ent, &attr, &name));
    ck_assert_uint_eq(attr.size, 99);
    ck_assert_mem_eq(name.p, "abc", 3);
    ck_assert(gofer_msg_dirent(&msg, &pos, &ent, &attr, &name));
    ck_assert_uint_eq(name.len, 1);
    ck_assert(!gofer_msg_dirent(&msg, &pos, &ent, &attr, &name));
    /* A name that would lead the client astray. */
    buf[len - 1] = '/';
    ck_assert_int_eq(gofer_decode_reply(&msg, GOFER_READDIR, 0, buf, len), -EBADMSG);
}
END_TEST

START_TEST(two_strings)
{
    struct gofer_symlink_req req = {.fid = 3};
    struct gofer_writer w;
    int len;

    gofer_begin(&w, buf, sizeof(buf), GOFER_SYMLINK, 0, 0);
    gofer_put(&w, &req, sizeof(req));
    gofer_put_str(&w, "link", 4);
    gofer_put_str(&w, "/../any/thing", 13);
    len = gofer_end(&w);
    ck_assert_int_eq(gofer_decode_request(&msg, buf, len), 0);
    ck_assert_uint_eq(msg.nstr, 2);
    ck_assert_uint_eq(msg.str[1].len, 13);
}
END_TEST

START_TEST(fids)
{
    struct gofer_clunk_req req = {.count = 3};
    u32 fid[3] = {1, 2, 70000};
    struct gofer_writer w;
    int len;

    gofer_begin(&w, buf, sizeof(buf), GOFER_CLUNK, 0, 0);
    gofer_put(&w, &req, sizeof(req));
    gofer_put(&w, fid, sizeof(fid));
    len = gofer_end(&w);
    ck_assert_int_eq(gofer_decode_request(&msg, buf, len), 0);
    ck_assert_uint_eq(msg.count, 3);
    ck_assert_uint_eq(gofer_msg_fid(&msg, 2), 70000);
    ck_assert_str_eq(gofer_op_name(GOFER_CLUNK), "CLUNK");
    ck_assert_str_eq(gofer_op_name(999), "?");
    ck_assert_uint_eq(gofer_op_flags(GOFER_CREATE), GOFER_W | GOFER_D);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("codec");
    TCase *tc = tcase_create("codec");
    SRunner *sr;
    int failed;

    tcase_add_test(tc, walk_round_trip);
    tcase_add_test(tc, bad_names);
    tcase_add_test(tc, paths);
    tcase_add_test(tc, bad_lengths);
    tcase_add_test(tc, bad_headers);
    tcase_add_test(tc, writer_bounds);
    tcase_add_test(tc, walk_reply);
    tcase_add_test(tc, error_reply);
    tcase_add_test(tc, dirents);
    tcase_add_test(tc, two_strings);
    tcase_add_test(tc, fids);
    suite_add_tcase(s, tc);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
