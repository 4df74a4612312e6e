// SPDX-License-Identifier: Apache-2.0
/*
 * runsc help syscalls: what the Sentry answers to each system call, from the same table that
 * dispatches them. doc/compatibility.md is its markdown form.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include "oci/oci.h"
#include "sentry/syscall/table.h"

enum support { FULL, PARTIAL, NI, REFUSED_EPERM, REFUSED_ENOSYS };

static const struct {
    int nr;
    const char *name;
    enum support support;
    const char *note;
} calls[] = {
#define X(nr, name, status, args, note) {nr, #name, status, note},
    SYSCALL_TABLE(X)
#undef X
};

#define NCALLS (sizeof(calls) / sizeof(calls[0]))

static const char *const support_names[] = {"Full Support", "Partial Support", "Unimplemented",
                                            "Error: EPERM", "Error: ENOSYS"};

static void print_table(void)
{
    printf("%-4s %-24s %-16s %s\n", "NUM", "NAME", "SUPPORT", "NOTE");
    for (size_t i = 0; i < NCALLS; i++)
        printf("%-4d %-24s %-16s %s\n", calls[i].nr, calls[i].name, support_names[calls[i].support],
               calls[i].note);
}

static void print_csv(void)
{
    printf("OS,Arch,Num,Name,Support,Note\n");
    for (size_t i = 0; i < NCALLS; i++)
        printf("linux,amd64,%d,%s,%s,\"%s\"\n", calls[i].nr, calls[i].name,
               support_names[calls[i].support], calls[i].note);
}

static void print_json(void)
{
    struct json_object *doc = json_object_new_object(), *list = json_object_new_object();
    struct json_object *arch = json_object_new_object(), *os = json_object_new_object();

    for (size_t i = 0; i < NCALLS; i++) {
        struct json_object *o = json_object_new_object();
        char nr[16];

        snprintf(nr, sizeof(nr), "%d", calls[i].nr);
        json_object_object_add(o, "name", json_object_new_string(calls[i].name));
        json_object_object_add(o, "num", json_object_new_int(calls[i].nr));
        json_object_object_add(o, "support",
                               json_object_new_string(support_names[calls[i].support]));
        json_object_object_add(o, "note", json_object_new_string(calls[i].note));
        json_object_object_add(list, nr, o);
    }
    json_object_object_add(arch, "syscalls", list);
    json_object_object_add(os, "amd64", arch);
    json_object_object_add(doc, "linux", os);
    printf("%s\n", json_object_to_json_string_ext(doc, JSON_C_TO_STRING_PRETTY));
    json_object_put(doc);
}

static void print_markdown(void)
{
    size_t count[5] = {0};

    for (size_t i = 0; i < NCALLS; i++)
        count[calls[i].support]++;
    printf(
        "# System calls\n\nGenerated from `sentry/syscall/table.h` by `runsc help syscalls -format "
        "markdown`.\n\n%zu calls of x86-64 Linux 6.12: %zu full, %zu partial, %zu not written yet "
        "(ENOSYS and a log line), %zu refused.\n\n| number | name | support | note |\n"
        "| --- | --- | --- | --- |\n",
        NCALLS, count[FULL], count[PARTIAL], count[NI],
        count[REFUSED_EPERM] + count[REFUSED_ENOSYS]);
    for (size_t i = 0; i < NCALLS; i++)
        printf("| %d | %s | %s | %s |\n", calls[i].nr, calls[i].name,
               support_names[calls[i].support], calls[i].note);
}

int help_syscalls(int argc, char **argv)
{
    static const char *const formats[] = {"table", "csv", "json", "markdown", NULL};
    const char *format = "table";
    const struct option options[] = {
        {"format", OPTION_STRING, &format, "how to print it", formats},
        {0},
    };
    int first = flags_parse(argc, argv, options, "runsc help syscalls [-format FORMAT]");

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (!strcmp(format, "csv"))
        print_csv();
    else if (!strcmp(format, "json"))
        print_json();
    else if (!strcmp(format, "markdown"))
        print_markdown();
    else
        print_table();
    return 0;
}
