// SPDX-License-Identifier: Apache-2.0
//
// Who am I: process, parent, thread, user and system identity.

#include "t.h"
#include <sys/utsname.h>

static void child(void *arg)
{
    pid_t parent = *(pid_t *)arg;

    ok(getppid() == parent, "child sees its parent");
    ok(getpid() != parent, "child has its own pid");
    ok(getpid() == syscall(SYS_gettid), "first thread: tid is pid");
}

int main(void)
{
    struct utsname u;
    pid_t me = getpid();
    uid_t r, e, s;

    ok(me > 0, "getpid");
    ok(getppid() >= 0 && getppid() != me, "getppid");
    for (int i = 0; i < 1000; i++)
        if (getpid() != me || syscall(SYS_getpid) != me)
            ok(false, "getpid is stable");
    ok(t_exited(t_child(child, &me), 0), "child");
    must(uname(&u) == 0);
    ok(!strcmp(u.sysname, "Linux"), "sysname Linux");
    ok(!strcmp(u.machine, "x86_64"), "machine x86_64");
    ok(u.release[0] >= '2' && strchr(u.release, '.'), "release looks like a version");
    ok(u.nodename[0], "a node name");
    must(getresuid(&r, &e, &s) == 0);
    ok(r == getuid() && e == geteuid(), "getresuid agrees");
    must(getresgid(&r, &e, &s) == 0);
    ok(r == getgid() && e == getegid(), "getresgid agrees");
    ok(getgroups(0, NULL) >= 0, "getgroups");
    ok(getpgid(0) == getpgrp(), "getpgid(0) is getpgrp()");
    ok(getsid(0) > 0, "getsid");
    fails(getpgid(-1), ESRCH);
    fails(uname((struct utsname *)8), EFAULT);
    return t_done();
}
