// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzzes what runsc reads of others: an input is taken as config.json of a bundle, as a process
 * document and as runsc.toml. Entry point as libFuzzer wants it; compiled without -DFUZZ_LIBFUZZER
 * the program replays the files named on its command line, or standard input (for AFL).
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "oci/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/fuzz_config.XXXXXX", file[64];

static void clean_up(void)
{
    unlink(file);
    rmdir(dir);
}

/* Once: a bundle directory; what the parsers say goes nowhere. */
static void set_up(void)
{
    if (*file)
        return;
    if (!mkdtemp(dir) || !freopen("/dev/null", "w", stderr))
        abort();
    snprintf(file, sizeof(file), "%s/config.json", dir);
    atexit(clean_up);
}

static void put(const uint8_t *data, size_t size)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
}

static size_t touch(const char *const *list)
{
    size_t n = 0;

    for (; list && *list; list++)
        n += strlen(*list);
    return n;
}

static volatile size_t sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct global_flags defaults = flags;
    struct sandbox_process p = {0};
    struct launch l = {0};
    struct bundle b;

    set_up();
    put(data, size);
    if (bundle_load(dir, &b, &l) == 0) {
        sink += touch(l.sandbox.process.argv) + touch(l.sandbox.process.envp);
        sink += touch(l.sandbox.sysctl) + touch(l.sandbox.masked_paths);
        for (size_t i = 0; i < l.nmounts; i++)
            sink += strlen(l.mounts[i].destination) + touch(l.mounts[i].options);
        for (size_t i = 0; i < l.sandbox.ndevices; i++)
            sink += strlen(l.sandbox.devices[i].path);
    }
    bundle_free(&b);
    if (bundle_load_process(file, &b, &p) == 0)
        sink += touch(p.argv) + touch(p.envp);
    bundle_free(&b);
    sink += (size_t)config_read(file);
    flags = defaults;
    return 0;
}

#ifndef FUZZ_LIBFUZZER
static int replay(FILE *f)
{
    static uint8_t buf[1 << 20];
    size_t n = f ? fread(buf, 1, sizeof(buf), f) : 0;

    if (!f)
        return 1;
    LLVMFuzzerTestOneInput(buf, n);
    fclose(f);
    return 0;
}

int main(int argc, char **argv)
{
    int bad = 0;

    if (argc == 1)
        return replay(stdin);
    for (int i = 1; i < argc; i++)
        bad |= replay(fopen(argv[i], "rb"));
    return bad;
}
#endif
