// SPDX-License-Identifier: Apache-2.0
/*
 * What runsc says about itself: errors on standard error and in the file of --log, in the form that
 * the engine asked for, and the debug log of a sandbox.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "oci/oci.h"

static void stamp_now(char *out, size_t size)
{
    struct timespec now;
    struct tm tm;
    size_t n;

    clock_gettime(CLOCK_REALTIME, &now);
    n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &tm));
    snprintf(out + n, size - n, ".%09ldZ", now.tv_nsec);
}

/* As a JSON string; what is no plain ASCII goes out as \u00XX but for UTF-8 bytes. */
static void put_quoted(FILE *f, const char *msg)
{
    fputc('"', f);
    for (; *msg; msg++) {
        if (*msg == '"' || *msg == '\\')
            fprintf(f, "\\%c", *msg);
        else if ((unsigned char)*msg < 32 || *msg == 127)
            fprintf(f, "\\u%04x", (unsigned char)*msg);
        else
            fputc(*msg, f);
    }
    fputc('"', f);
}

/* One line of --log. The engine looks for the last one of level error. */
static void put_line(FILE *f, const char *level, const char *msg)
{
    char stamp[48];

    stamp_now(stamp, sizeof(stamp));
    if (!strcmp(flags.log_format, "text")) {
        fprintf(f, "time=\"%s\" level=%s msg=", stamp, level);
        put_quoted(f, msg);
        fputc('\n', f);
        return;
    }
    fprintf(f, "{\"%s\":", strcmp(flags.log_format, "json-k8s") ? "msg" : "log");
    put_quoted(f, msg);
    fprintf(f, ",\"level\":\"%s\",\"time\":\"%s\"}\n", level, stamp);
}

static void log_to_file(const char *level, const char *msg)
{
    FILE *f = flags.log && *flags.log ? fopen(flags.log, "ae") : NULL;

    if (!f)
        return;
    put_line(f, level, msg);
    fclose(f);
}

int fail(const char *fmt, ...)
{
    char msg[4096];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    fprintf(stderr, "runsc: %s\n", msg);
    log_to_file("error", msg);
    return STATUS_FAILED;
}

void warn(const char *fmt, ...)
{
    char msg[4096];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    log_to_file("warning", msg);
}

char *printable(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127)
            *c = ' ';
    return text;
}

/* The name in --debug-log with %TIMESTAMP%, %COMMAND% and %ID% filled in; a directory gets all. */
static int debug_log_path(const char *command, const char *id, char *out, size_t size)
{
    const char *pattern = flags.debug_log;
    char stamp[32], whole[PATH_MAX];
    size_t n = 0, len = strlen(pattern);
    time_t now = time(NULL);
    struct tm tm;

    strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", localtime_r(&now, &tm));
    if (len && pattern[len - 1] == '/') {
        if (mkdir(pattern, 0755) && errno != EEXIST)
            return -errno;
        snprintf(whole, sizeof(whole), "%srunsc.log.%s.%s.%s.%d.txt", pattern, stamp, id, command,
                 getpid());
        pattern = whole;
    }
    while (*pattern) {
        const char *value = !strncmp(pattern, "%TIMESTAMP%", 11) ? stamp
                            : !strncmp(pattern, "%COMMAND%", 9)  ? command
                            : !strncmp(pattern, "%ID%", 4)       ? id
                                                                 : NULL;
        int put = value ? snprintf(out + n, size - n, "%s", value)
                        : snprintf(out + n, size - n, "%c", *pattern);

        n += (size_t)put;
        if (n >= size)
            return -ENAMETOOLONG;
        pattern = value ? strchr(pattern + 1, '%') + 1 : pattern + 1;
    }
    return 0;
}

int log_open_debug(const char *command, const char *id, bool detached)
{
    char path[PATH_MAX];
    int err;

    if (!flags.debug_log || !*flags.debug_log) {
        if (!flags.debug && !flags.strace)
            return -1;
        /* a detached sandbox must not keep the caller's standard error open */
        return detached ? -1 : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    }
    err = debug_log_path(command, id, path, sizeof(path));
    if (err)
        return err;
    err = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
    if (err < 0)
        return errno == EPERM ? -EACCES : -errno; /* -1 has its own meaning */
    return err;
}
