// SPDX-License-Identifier: Apache-2.0
/*
 * runsc list: the containers below --root.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include "oci/oci.h"
#include "oci/state.h"

static struct {
    const char *format;
    bool quiet;
    struct json_object *all;
} args = {.format = "table"};

static const char *const formats[] = {"table", "json", NULL};
static const struct option options[] = {
    {"format", OPTION_STRING, &args.format, "how to print it", formats},
    {"f", OPTION_STRING, &args.format, NULL, formats},
    {"quiet", OPTION_BOOL, &args.quiet, "print only the ids", NULL},
    {"q", OPTION_BOOL, &args.quiet, NULL, NULL},
    {0},
};

static const char *member(struct json_object *o, const char *name)
{
    struct json_object *v;

    return json_object_object_get_ex(o, name, &v) ? json_object_get_string(v) : "";
}

static int add(const char *id, void *unused)
{
    struct state s;

    /* it may go away while we look, and one that is half made has nothing to say */
    if (state_open(id, false, true, &s) == 0 && s.doc)
        json_object_array_add(args.all, state_report(&s, state_status(&s)));
    state_close(&s);
    return 0;
}

static void print_table(void)
{
    printf("%-26s %-10s %-10s %-40s %-30s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED",
           "OWNER");
    for (size_t i = 0; i < json_object_array_length(args.all); i++) {
        struct json_object *o = json_object_array_get_idx(args.all, i);
        printf("%-26s %-10s %-10s %-40s %-30s %s\n", member(o, "id"), member(o, "pid"),
               member(o, "status"), member(o, "bundle"), member(o, "created"), member(o, "owner"));
    }
}

int command_list(int argc, char **argv)
{
    int first = flags_parse(argc, argv, options,
                            "runsc list [--format table|json] [--quiet]\n\n"
                            "Lists the containers whose state is below --root.");

    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first != argc)
        return fail("list: takes no arguments");
    args.all = json_object_new_array();
    if (state_each(add, NULL))
        return STATUS_FAILED;
    if (args.quiet)
        for (size_t i = 0; i < json_object_array_length(args.all); i++)
            printf("%s\n", member(json_object_array_get_idx(args.all, i), "id"));
    else if (!strcmp(args.format, "json"))
        printf("%s\n", json_object_to_json_string_ext(args.all, JSON_C_TO_STRING_NOSLASHESCAPE));
    else
        print_table();
    json_object_put(args.all);
    return 0;
}
