// SPDX-License-Identifier: Apache-2.0
/*
 * runsc ps. The table shows the container's processes as the Sentry knows them. The JSON form is
 * for engines, which look these pids up on the host: there the container is its sandbox process,
 * and a detached exec the process that stands for it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "oci/container.h"
#include "oci/oci.h"

#define BATCH 256

static const char *format = "table";
static const char *const formats[] = {"table", "json", NULL};
static const struct option options[] = {
    {"format", OPTION_STRING, &format, "how to print it", formats},
    {"f", OPTION_STRING, &format, NULL, formats},
    {0},
};

static int print_json(const struct state *s)
{
    static struct process_id p[1024];
    size_t n = state_monitors(s, p, 1024);

    printf("[%d", s->sandbox.pid);
    for (size_t i = 0; i < n; i++)
        printf(",%d", p[i].pid);
    printf("]\n");
    return 0;
}

static void print_process(struct control_process *p, time_t boot)
{
    unsigned long long cpu = (p->utime_ns + p->stime_ns) / 1000000000;
    time_t start = boot + (time_t)(p->start_ns / 1000000000);
    char when[16] = "";
    struct tm tm;

    p->comm[sizeof(p->comm) - 1] = p->tty[sizeof(p->tty) - 1] = 0;
    strftime(when, sizeof(when), "%H:%M", localtime_r(&start, &tm));
    printf("%-10u %-9d %-9d %-5s %-9s %02llu:%02llu:%02llu   %s\n", p->uid, p->pid, p->ppid, when,
           *p->tty ? printable(p->tty) : "?", cpu / 3600, cpu / 60 % 60, cpu % 60,
           printable(p->comm));
}

/* When the clock began that the sandbox has in common with us. */
static time_t clock_origin(void)
{
    struct timespec up;

    clock_gettime(CLOCK_MONOTONIC, &up);
    return time(NULL) - up.tv_sec;
}

static int print_table(const struct state *s)
{
    static struct control_process batch[BATCH];
    struct control_message m;
    s64 above = 0;
    int err;

    printf("%-10s %-9s %-9s %-5s %-9s %-10s %s\n", "UID", "PID", "PPID", "STIME", "TTY", "TIME",
           "CMD");
    for (;;) {
        m = (struct control_message){.kind = CONTROL_PROCESSES, .a = above};
        err = container_request(s, &m, batch, sizeof(batch));
        if (err)
            return err < 0 ? fail("cannot list the processes: %s", strerror(-err)) : err;
        if (m.b < 0 || m.b > BATCH || m.length < (u64)m.b * sizeof(batch[0]))
            return fail("the sandbox sent a list that is none");
        if (!m.b)
            return 0;
        for (s64 i = 0; i < m.b; i++) {
            print_process(&batch[i], clock_origin());
            if (batch[i].pid <= above)
                return fail("the sandbox sent a list that does not go on");
            above = batch[i].pid;
        }
    }
}

int command_ps(int argc, char **argv)
{
    int first = flags_parse(argc, argv, options,
                            "runsc ps [--format table|json] ID\n\n"
                            "Lists the processes of a container; as JSON the pids that stand for "
                            "it on the host.");
    struct state s;
    int status;

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first >= argc)
        return fail("ps: a container id is needed");
    status = container_open(argv[first], false, &s);
    if (!status)
        status = strcmp(format, "json") ? print_table(&s) : print_json(&s);
    state_close(&s);
    return status;
}
