// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzzes the gofer behind its codec: an input is a sequence of requests, [type, length, body] each,
 * which get a proper header and are served over a small temporary tree. Every reply must be one
 * that the client's side of the codec takes, and no request may reach the file outside of the tree.
 * Entry point as libFuzzer wants it; compiled without -DFUZZ_LIBFUZZER it replays files or standard
 * input.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "gofer/server.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static char dir[] = "/tmp/fuzz-gofer-XXXXXX", tree[64], outside[64];
static struct stat secret;
static struct gofer_mount mounts[2];
static struct gofer_config cfg = {
    .sock = -1,
    .log_fd = -1,
    .mounts = mounts,
    .nmounts = 2,
    .unconfined_for_test = true,
};
static struct server srv = {.cfg = &cfg, .bound_max = 64};

static void must(bool good, const char *what)
{
    if (!good) {
        perror(what);
        abort();
    }
}

static void clean_up(void)
{
    char cmd[96];

    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    if (system(cmd) != 0)
        perror(cmd);
}

static void start(void)
{
    static struct fid fids[GOFER_FIDS];
    static struct root roots[2];
    static u8 request[GOFER_MSG_MAX], reply[GOFER_MSG_MAX];
    int fd;

    must(mkdtemp(dir) != NULL, "mkdtemp");
    atexit(clean_up);
    snprintf(tree, sizeof(tree), "%s/tree", dir);
    snprintf(outside, sizeof(outside), "%s/outside", dir);
    must(mkdir(tree, 0700) == 0, "mkdir");
    fd = open(outside, O_CREAT | O_WRONLY, 0600);
    must(fd >= 0 && write(fd, "secret", 6) == 6 && fstat(fd, &secret) == 0, "outside");
    close(fd);
    mounts[0] = (struct gofer_mount){tree, false};
    mounts[1] = (struct gofer_mount){tree, true};
    srv.fids = fids;
    srv.roots = roots;
    srv.request = request;
    srv.reply = reply;
    must(confine_mounts(&srv) == 0, "roots");
    must(chdir(tree) == 0, "chdir");
}

/* A few things to find; what earlier inputs did to them is part of the game. */
static void plant(void)
{
    if (access("d", F_OK) == 0)
        return;
    if (mkdir("d", 0700) || symlink("..", "up") || symlink(outside, "abs") || mkfifo("p", 0600))
        return;
    close(open("f", O_CREAT | O_WRONLY, 0600));
    close(open("d/f", O_CREAT | O_WRONLY, 0600));
}

static void check_outside(int fd)
{
    struct stat st;

    if (fd >= 0) {
        must(fstat(fd, &st) == 0 && S_ISREG(st.st_mode), "donated something else");
        must(st.st_ino != secret.st_ino || st.st_dev != secret.st_dev, "donated the outside");
        close(fd);
    }
    must(stat(outside, &st) == 0 && st.st_size == 6 && st.st_mode == secret.st_mode &&
             st.st_nlink == 1,
         "the outside was touched");
}

static void serve_input(u16 type, const u8 *body, size_t n)
{
    static struct gofer_msg m;
    struct gofer_writer w;
    int fd = -1, len;

    gofer_begin(&w, srv.request, GOFER_MSG_MAX, type, 7, 0);
    gofer_put(&w, body, n);
    len = gofer_end(&w);
    if (len < 0)
        return;
    len = serve_one(&srv, len, &fd);
    must(type == 0 || gofer_decode_reply(&m, type, 7, srv.reply, len) == 0 ||
             strcmp(gofer_op_name(type), "?") == 0,
         "bad reply");
    check_outside(fd);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    if (!srv.fids)
        start();
    plant();
    while (size >= 3) {
        u16 type = data[0], n;

        memcpy(&n, data + 1, sizeof(n));
        data += 3;
        size -= 3;
        if (n > size)
            n = size;
        serve_input(type, data, n);
        data += n;
        size -= n;
    }
    for (u32 i = 0; i < 256; i++)
        fid_clunk(&srv, i);
    return 0;
}

#ifndef FUZZ_LIBFUZZER
static void replay(FILE *f)
{
    static u8 all[2 * GOFER_MSG_MAX];
    size_t n = fread(all, 1, sizeof(all), f);

    LLVMFuzzerTestOneInput(all, n);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        replay(stdin);
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");

        must(f != NULL, argv[i]);
        replay(f);
        fclose(f);
    }
    return 0;
}
#endif
