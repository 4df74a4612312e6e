// SPDX-License-Identifier: Apache-2.0
//
// Debug log of the sandbox process. The descriptor is inherited; nothing here allocates, so it may
// be used at any time, also after a failure.

#include "vmm/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static int log_fd = -1;
static int log_level;
static struct timespec start;

void log_init(int fd, int level)
{
    log_fd = fd;
    log_level = level;
    clock_gettime(CLOCK_MONOTONIC, &start);
}

bool log_enabled(int level)
{
    return level <= log_level && (log_fd >= 0 || level == LOG_WARN);
}

static void put(int fd, const char *s, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, s, n);

        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return; /* a log that cannot be written must not stop the sandbox */
        s += w;
        n -= (size_t)w;
    }
}

static size_t format(char *line, const char *fmt, va_list ap)
{
    struct timespec now;
    size_t at = 0;
    int n;

    if (log_fd >= 0) { /* time since log_init(): where a start spends it */
        clock_gettime(CLOCK_MONOTONIC, &now);
        n = snprintf(
            line, LINE_MAX_BYTES, "[%ld us] ",
            (long)((now.tv_sec - start.tv_sec) * 1000000 + (now.tv_nsec - start.tv_nsec) / 1000));
        at = n > 0 ? (size_t)n : 0;
    }
    at += (size_t)snprintf(line + at, LINE_MAX_BYTES - at, "vmm: ");
    n = vsnprintf(line + at, LINE_MAX_BYTES - at - 1, fmt, ap);

    if (n > 0)
        at += (size_t)n < LINE_MAX_BYTES - at - 2 ? (size_t)n : LINE_MAX_BYTES - at - 2;
    line[at++] = '\n';
    return at;
}

void log_line(int level, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list ap;
    size_t n;

    if (!log_enabled(level))
        return;
    va_start(ap, fmt);
    n = format(line, fmt, ap);
    va_end(ap);
    put(log_fd >= 0 ? log_fd : STDERR_FILENO, line, n);
}

void log_text(int level, const char *text, size_t len)
{
    char line[LINE_MAX_BYTES];
    size_t n = 0;

    if (!log_enabled(level))
        return;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        line[n++] = (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t' || c >= 0x80 ? (char)c : '?';
        if (n == sizeof(line)) {
            put(log_fd >= 0 ? log_fd : STDERR_FILENO, line, n);
            n = 0;
        }
    }
    put(log_fd >= 0 ? log_fd : STDERR_FILENO, line, n);
}

void log_die(int status, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    n = format(line, fmt, ap);
    va_end(ap);
    if (log_fd >= 0)
        put(log_fd, line, n);
    if (log_fd != STDERR_FILENO)
        put(STDERR_FILENO, line, n);
    _exit(status);
}
