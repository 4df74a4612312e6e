// SPDX-License-Identifier: Apache-2.0
/*
 * startContainer hooks: programs of the container, which the Sentry runs before the first process.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "oci/container.h"
#include "oci/exec.h"
#include "oci/hooks.h"
#include "oci/spec.h"

/* The container's process with the program, arguments and environment of the hook. */
static json_object *hook_process(const struct state *s, json_object *hook)
{
    json_object *own, *process = NULL, *args = json_object_new_array(), *v;

    if (!json_object_object_get_ex(s->doc, "process", &own) ||
        json_object_deep_copy(own, &process, NULL)) {
        json_object_put(args);
        return NULL;
    }
    json_object_object_get_ex(hook, "path", &v);
    json_object_array_add(args, json_object_get(v));
    if (json_object_object_get_ex(hook, "args", &v) && v)
        for (size_t i = 1; i < json_object_array_length(v); i++)
            json_object_array_add(args, json_object_get(json_object_array_get_idx(v, i)));
    json_object_object_add(process, "args", args);
    json_object_object_add(process, "env",
                           json_object_object_get_ex(hook, "env", &v) && v
                               ? json_object_get(v)
                               : json_object_new_array());
    json_object_object_add(process, "cwd", json_object_new_string("/"));
    json_object_object_add(process, "terminal", json_object_new_boolean(false));
    return process;
}

static int run(const struct state *s, const struct sandbox_process *p, size_t i, int64_t seconds)
{
    autoclose int sock = container_connect(s), in = hooks_input(s, STATUS_CREATED);
    autoclose int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int stdio[3] = {in, null, null}, status;
    int64_t pid;

    if (sock < 0)
        return fail("container not running");
    if (exec_request(sock, p, stdio, &pid))
        return STATUS_FAILED;
    status = exec_wait(sock, pid, seconds * 1000);
    if (status == -ETIMEDOUT)
        return fail("hooks.startContainer[%zu] took longer than %lld s", i, (long long)seconds);
    if (status < 0)
        return fail("container not running");
    if (status)
        return fail("hooks.startContainer[%zu] ended with wait status 0x%x", i, (unsigned)status);
    return 0;
}

static int run_hook(const struct state *s, json_object *hook, size_t i)
{
    struct sandbox_process p = {0};
    struct bundle b = {.dir = "/"};
    json_object *v;
    int64_t seconds =
        json_object_object_get_ex(hook, "timeout", &v) && v ? json_object_get_int64(v) : 0;
    int status;

    for (int k = 0; k < 16; k++)
        p.rlimits[k] = (struct sandbox_rlimit){~0ULL, ~0ULL};
    b.json = hook_process(s, hook);
    status = b.json ? spec_process(&b, b.json, &p) : fail("the container's state has no process");
    if (!status)
        status = run(s, &p, i, seconds > 86400 ? 86400 : seconds);
    bundle_free(&b);
    return status;
}

int hooks_run_inside(const struct state *s)
{
    json_object *list = hooks_list(s, "startContainer");

    for (size_t i = 0; list && i < json_object_array_length(list); i++)
        if (run_hook(s, json_object_array_get_idx(list, i), i))
            return STATUS_FAILED;
    return 0;
}
