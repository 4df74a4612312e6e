// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzzes the gofer's codec from both ends: every input is decoded as a request and as a reply of
 * each type, and what was accepted is walked through to its last byte. Entry point as libFuzzer
 * wants it; compiled without -DFUZZ_LIBFUZZER the program replays the files named on its command
 * line, or standard input (for AFL).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gofer/codec.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* Read every byte, so that a sanitizer sees a length that is wrong. */
static unsigned touch(const void *p, size_t n)
{
    const u8 *b = p;
    unsigned sum = 0;

    while (n-- > 0)
        sum += *b++;
    return sum;
}

static volatile unsigned sink;

static void look(const struct gofer_msg *m, bool dirents)
{
    struct gofer_dirent ent;
    struct gofer_attr attr;
    struct gofer_str name;
    u32 pos = 0;
    unsigned n = 0;

    for (unsigned i = 0; i < m->nstr; i++)
        sink += touch(m->str[i].p, m->str[i].len);
    sink += touch(m->tail, m->tail_len);
    if (!dirents)
        return;
    while (gofer_msg_dirent(m, &pos, &ent, &attr, &name)) {
        sink += touch(name.p, name.len);
        n++;
    }
    if (n != m->count)
        abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static struct gofer_msg m;
    struct gofer_hdr hdr = {0};

    if (gofer_decode_request(&m, data, size) == 0) {
        look(&m, false);
        for (unsigned i = 0; m.hdr.type == GOFER_CLUNK && i < m.count; i++)
            sink += gofer_msg_fid(&m, i);
    }
    memcpy(&hdr, data, size < sizeof(hdr) ? size : sizeof(hdr));
    if (gofer_decode_reply(&m, hdr.type, hdr.tag, data, size) == 0 && m.hdr.err == 0) {
        look(&m, m.hdr.type == GOFER_READDIR);
        for (unsigned i = 0; m.hdr.type == GOFER_WALK && i < m.count; i++)
            sink += gofer_msg_attr(&m, i).mode;
    }
    return 0;
}

#ifndef FUZZ_LIBFUZZER
static void replay(FILE *f)
{
    /* Exactly as large as the input, so that a sanitizer's red zone begins right behind it. */
    static u8 all[2 * GOFER_MSG_MAX];
    size_t n = fread(all, 1, sizeof(all), f);
    u8 *exact = malloc(n > 0 ? n : 1);

    if (!exact)
        abort();
    memcpy(exact, all, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        replay(stdin);
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        if (!f) {
            perror(argv[i]);
            return 1;
        }
        replay(f);
        fclose(f);
    }
    return 0;
}
#endif
