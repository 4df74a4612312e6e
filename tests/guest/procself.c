// SPDX-License-Identifier: Apache-2.0
//
// What /proc tells a process about itself, in the form that programs parse.

#include "t.h"
#include <dirent.h>
#include <inttypes.h>
#include <sys/prctl.h>

static char *slurp(const char *path, size_t *size)
{
    static char buf[1 << 18];
    int fd = open(path, O_RDONLY);
    size_t n = 0;
    ssize_t r;

    must(fd >= 0);
    while ((r = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0)
        n += r;
    close(fd);
    buf[n] = 0;
    if (size)
        *size = n;
    return buf;
}

static void maps(void)
{
    char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool stack = false, exe = false, ours = false, order = true, vdso = false, heap = false;
    uint64_t last = 0;
    int local;

    must(malloc(100));
    mprotect(p + 4096, 4096, PROT_READ | PROT_EXEC);
    for (char *line = strtok(slurp("/proc/self/maps", NULL), "\n"); line;
         line = strtok(NULL, "\n")) {
        uint64_t lo, hi, off, ino;
        char perm[5], dev[16], name[256] = "";
        int n = sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %15s %" SCNu64 " %255s", &lo,
                       &hi, perm, &off, dev, &ino, name);
        if (n < 6 || lo < last || hi <= lo)
            order = false;
        last = hi;
        stack |= !strcmp(name, "[stack]") && (uint64_t)&local >= lo && (uint64_t)&local < hi;
        heap |= !strcmp(name, "[heap]");
        vdso |= !strcmp(name, "[vdso]");
        exe |= strstr(name, "/procself") && !strcmp(perm, "r-xp") && (uint64_t)maps >= lo &&
               (uint64_t)maps < hi;
        ours |= lo == (uint64_t)p + 4096 && hi == lo + 4096 && !strcmp(perm, "r-xp");
    }
    ok(order, "maps: lines in order and well formed");
    ok(stack, "maps: [stack]");
    ok(heap, "maps: [heap]");
    ok(vdso, "maps: [vdso]");
    ok(exe, "maps: the program");
    ok(ours, "maps: an area of its own after mprotect");
}

static void status(void)
{
    char *s = slurp("/proc/self/status", NULL), *p, name[32] = "";
    int pid = 0, tgid = 0, ppid = 0, threads = 0;
    unsigned long rss = 0, size = 0;

    if (!strncmp(s, "Name:\t", 6))
        sscanf(s + 6, "%31s", name);
    ok(!strcmp(name, "procself"), "status: Name");
    if ((p = strstr(s, "\nTgid:\t")))
        tgid = atoi(p + 7);
    if ((p = strstr(s, "\nPid:\t")))
        pid = atoi(p + 6);
    if ((p = strstr(s, "\nPPid:\t")))
        ppid = atoi(p + 7);
    if ((p = strstr(s, "\nThreads:\t")))
        threads = atoi(p + 10);
    if ((p = strstr(s, "\nVmRSS:\t")))
        rss = strtoul(p + 8, NULL, 10);
    if ((p = strstr(s, "\nVmSize:\t")))
        size = strtoul(p + 9, NULL, 10);
    ok(pid == getpid() && tgid == getpid() && ppid == getppid(), "status: ids");
    ok(threads == 1, "status: Threads");
    ok(rss > 0 && size > rss, "status: memory");
    ok(strstr(s, "\nState:\tR (running)\n") != NULL, "status: State");
    ok(strstr(s, "\nUid:\t") && strstr(s, "\nGid:\t"), "status: Uid, Gid");
    ok(strstr(s, "\nSigCgt:\t") && strstr(s, "\nCapEff:\t"), "status: masks");
}

static void stats(void)
{
    char *s = slurp("/proc/self/stat", NULL), name[32], state;
    int pid, ppid, pgrp, sid;

    ok(sscanf(s, "%d (%31[^)]) %c %d %d %d", &pid, name, &state, &ppid, &pgrp, &sid) == 6,
       "stat: form");
    ok(pid == getpid() && ppid == getppid() && pgrp == getpgrp() && sid == getsid(0) &&
           state == 'R',
       "stat: values");
    ok(!strcmp(name, "procself"), "stat: name");
    prctl(PR_SET_NAME, "renamed");
    ok(!strcmp(slurp("/proc/self/comm", NULL), "renamed\n"), "comm follows prctl");
    s = slurp("/proc/self/stat", NULL);
    int fields = 0;
    for (char *q = strtok(s, " "); q; q = strtok(NULL, " "))
        fields++;
    ok(fields == 52, "stat: 52 fields");
    long size, rss;
    ok(sscanf(slurp("/proc/self/statm", NULL), "%ld %ld", &size, &rss) == 2 && size >= rss &&
           rss > 0,
       "statm");
}

static void links(void)
{
    char buf[512], path[64], want[512];
    struct stat a, b;
    ssize_t n = readlink("/proc/self", buf, sizeof(buf) - 1);

    buf[n > 0 ? n : 0] = 0;
    ok(atoi(buf) == getpid(), "/proc/self");
    n = readlink("/proc/self/exe", buf, sizeof(buf) - 1);
    buf[n > 0 ? n : 0] = 0;
    ok(n > 0 && strstr(buf, "/procself") && stat(buf, &a) == 0 && stat("/proc/self/exe", &b) == 0 &&
           a.st_ino == b.st_ino,
       "exe");
    n = readlink("/proc/self/cwd", buf, sizeof(buf) - 1);
    buf[n > 0 ? n : 0] = 0;
    ok(!strcmp(buf, t_dir), "cwd");
    ok(readlink("/proc/self/root", buf, sizeof(buf)) == 1 && buf[0] == '/', "root");
    int fd = open("file", O_RDWR | O_CREAT, 0644), p[2];
    sprintf(path, "/proc/self/fd/%d", fd);
    snprintf(want, sizeof(want), "%s/file", t_dir);
    n = readlink(path, buf, sizeof(buf) - 1);
    buf[n > 0 ? n : 0] = 0;
    ok(!strcmp(buf, want), "fd: a file's path");
    write(fd, "data", 4);
    int again = open(path, O_RDONLY);
    ok(again >= 0 && read(again, buf, 8) == 4, "fd: can be opened again");
    unlink("file");
    n = readlink(path, buf, sizeof(buf) - 1);
    buf[n > 0 ? n : 0] = 0;
    strcat(want, " (deleted)");
    ok(!strcmp(buf, want), "fd: (deleted)");
    must(pipe(p) == 0);
    sprintf(path, "/proc/self/fd/%d", p[1]);
    n = readlink(path, buf, sizeof(buf) - 1);
    buf[n > 0 ? n : 0] = 0;
    ok(!strncmp(buf, "pipe:[", 6), "fd: pipe:[inode]");
    again = open(path, O_WRONLY);
    ok(again >= 0 && write(again, "y", 1) == 1 && read(p[0], buf, 1) == 1,
       "fd: a pipe opened again");
    DIR *d = opendir("/proc/self/fd");
    struct dirent *e;
    bool seen = false;
    while ((e = readdir(d)))
        seen |= atoi(e->d_name) == p[0];
    closedir(d);
    ok(seen, "fd: listed");
}

static void lists(void)
{
    size_t n;
    char *s = slurp("/proc/self/cmdline", &n);
    ok(n > 9 && s[n - 1] == 0 && !strcmp(s + n - 9, "procself"), "cmdline");
    setenv("NOT_THERE", "1", 1);
    s = slurp("/proc/self/environ", &n);
    ok(n == 0 || s[n - 1] == 0, "environ");
    s = slurp("/proc/self/auxv", &n);
    ok(n >= 32 && n % 16 == 0 && *(uint64_t *)(s + n - 16) == 0, "auxv");
    struct stat st;
    ok(stat("/proc/self/task", &st) == 0 && S_ISDIR(st.st_mode), "task");
    ok(strstr(slurp("/proc/mounts", NULL), " / ") != NULL, "mounts");
    ok(strstr(slurp("/proc/self/mountinfo", NULL), " / ") != NULL, "mountinfo");
    ok(strstr(slurp("/proc/meminfo", NULL), "MemTotal:") != NULL, "meminfo");
    ok(strstr(slurp("/proc/cpuinfo", NULL), "processor\t: 0") != NULL, "cpuinfo");
    ok(!strncmp(slurp("/proc/stat", NULL), "cpu ", 4), "stat of the system");
    ok(strstr(slurp("/proc/filesystems", NULL), "nodev\tproc") != NULL, "filesystems");
    ok(!strncmp(slurp("/proc/version", NULL), "Linux version ", 14), "version");
    double up = atof(slurp("/proc/uptime", NULL)), load;
    ok(up > 0, "uptime");
    ok(sscanf(slurp("/proc/loadavg", NULL), "%lf", &load) == 1, "loadavg");
    ok(atoi(slurp("/proc/sys/kernel/pid_max", NULL)) > 1000, "sys/kernel/pid_max");
    fails(open("/proc/1073741824/stat", O_RDONLY), ENOENT);
    fails(open("/proc/self/none", O_RDONLY), ENOENT);
    ok(open("/proc/self/new", O_CREAT | O_WRONLY, 0644) == -1, "nothing can be created in /proc");
}

int main(void)
{
    t_scratch();
    close(0);
    open("/dev/null", O_RDONLY);
    maps();
    status();
    stats();
    links();
    lists();
    return t_done();
}
