// SPDX-License-Identifier: Apache-2.0
//
// execve: arguments and environment, what survives and what does not, scripts, errors of broken
// files. Started with arguments it is the program that is executed.

#include "t.h"
#include <elf.h>
#include <limits.h>
#include <pthread.h>

static char self[PATH_MAX];
extern char **environ;

/* The executed side: reports what the test asks for. */
static int executed(int argc, char **argv)
{
    sigset_t set;
    struct sigaction sa;

    if (!strcmp(argv[1], "args")) {
        for (int i = 2; i < argc; i++)
            t_say("  argv[%d]=<%s>", i, argv[i]);
        for (char **e = environ; *e; e++)
            t_say("  env <%s>", *e);
    } else if (!strcmp(argv[1], "state")) {
        sigprocmask(SIG_BLOCK, NULL, &set);
        t_say("  blocked: usr1 %d usr2 %d", sigismember(&set, SIGUSR1), sigismember(&set, SIGUSR2));
        sigaction(SIGHUP, NULL, &sa);
        t_say("  SIGHUP %s", sa.sa_handler == SIG_IGN ? "ignored" : "default");
        sigaction(SIGTERM, NULL, &sa);
        t_say("  SIGTERM %s", sa.sa_handler == SIG_DFL ? "default" : "handled");
        sigpending(&set);
        t_say("  pending usr1 %d", sigismember(&set, SIGUSR1));
        t_say("  fd 40 %s, fd 41 %s", fcntl(40, F_GETFD) < 0 ? "closed" : "open",
              fcntl(41, F_GETFD) < 0 ? "closed" : "open");
        t_say("  pid %s, umask %o", atoi(argv[2]) == getpid() ? "same" : "other", umask(0));
    } else if (!strcmp(argv[1], "count")) {
        t_say("  %d arguments", argc - 2);
    }
    return 33;
}

static int run(const char *path, char *const argv[], char *const envp[])
{
    int st;
    pid_t pid = fork();

    if (pid == 0) {
        execve(path, argv, envp);
        t_say("  execve: %s", strerrorname_np(errno));
        _exit(101);
    }
    waitpid(pid, &st, 0);
    return st;
}

static void arguments(void)
{
    char *argv[] = {"zero", "args", "", "two words", "\xff\x01", NULL},
         *envp[] = {"A=1", "B=", "odd", NULL};
    char *none[] = {"zero", "args", NULL}, *empty[] = {NULL};

    ok(t_exited(run(self, argv, envp), 33), "arguments and environment");
    ok(t_exited(run(self, none, empty), 33), "none");
    ok(t_exited(run(self, none, NULL), 33), "NULL environment");
    enum { MANY = 20000 };
    static char *many[MANY + 3];
    many[0] = "zero";
    many[1] = "count";
    for (int i = 2; i < MANY + 2; i++)
        many[i] = "argument";
    ok(t_exited(run(self, many, empty), 33), "20000 arguments");
    static char huge[(128 << 10) + 1];
    memset(huge, 'x', sizeof(huge) - 1);
    char *big[] = {"zero", "count", huge, NULL};
    ok(t_exited(run(self, big, empty), 101), "one argument of 128 KiB");
    huge[sizeof(huge) - 2] = 0;
    ok(t_exited(run(self, big, empty), 33), "one byte less");
    for (int i = 2; i < 100; i++)
        many[i] = huge;
    many[100] = NULL;
    ok(t_exited(run(self, many, empty), 101), "12 MiB of arguments");
}

static void handler(int sig) {}

static void state(void *arg)
{
    char pid[16];
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, handler);
    dup2(0, 40);
    dup3(0, 41, O_CLOEXEC);
    umask(027);
    sprintf(pid, "%d", getpid());
    execl(self, "zero", "state", pid, NULL);
    _exit(102);
}

static void *exec_thread(void *arg)
{
    execl(self, "zero", "args", "from a thread", NULL);
    _exit(102);
}

static void *spin_thread(void *arg)
{
    for (;;)
        sched_yield();
    return NULL;
}

static void threaded(void *arg)
{
    pthread_t t;

    clearenv();
    pthread_create(&t, NULL, spin_thread, NULL);
    pthread_create(&t, NULL, exec_thread, NULL);
    for (;;)
        pause();
}

static void script(const char *name, const char *first_line)
{
    char *argv[] = {"zero", "p1", "p2", NULL}, *envp[] = {"E=1", NULL};
    char text[PATH_MAX + 64], path[PATH_MAX];

    int n = snprintf(text, sizeof(text), "%s\n", first_line);
    snprintf(path, sizeof(path), "./%s", name);
    t_write_file(name, text, n, 0755);
    int st = run(path, argv, envp);
    t_say("  %s: status %d", name, WEXITSTATUS(st));
}

static void scripts(void)
{
    char line[PATH_MAX + 32];

    snprintf(line, sizeof(line), "#!%s args", self);
    script("s1", line);
    snprintf(line, sizeof(line), "#! \t %s \t args more words \t ", self);
    script("s2", line);
    script("s3", "#!");
    script("s4", "#!/nonexistent/interpreter");
    script("s5", "no magic at all");
    script("s6", "#!./s7");
    script("s7", "#!./s6");
    script("s6", "#!./s7");
    script("s8", "");
    must(symlink(self, "link") == 0);
    script("s9", "#!link args");
    script("s10", "#!./s9 via");
}

static void corrupt(const char *what, const void *data, size_t size, mode_t mode)
{
    char *argv[] = {"x", NULL};

    t_write_file("bad", data, size, mode);
    int st = run("./bad", argv, argv + 1);
    t_say("  %s: status %d", what, WIFEXITED(st) ? WEXITSTATUS(st) : 1000 + WTERMSIG(st));
    unlink("bad");
}

static void broken_files(void)
{
    static char img[1 << 20];
    char keep[sizeof(Elf64_Ehdr)];
    Elf64_Ehdr *eh = (Elf64_Ehdr *)img;
    int fd = open(self, O_RDONLY);
    ssize_t size = read(fd, img, sizeof(img));

    must(size > 4096);
    close(fd);
    memcpy(keep, img, sizeof(keep));
    corrupt("empty file", img, 0, 0755);
    corrupt("4 bytes", img, 4, 0755);
    corrupt("header only, cut", img, 40, 0755);
    corrupt("program headers missing", img, 64, 0755);
    eh->e_machine = EM_AARCH64;
    corrupt("wrong machine", img, size, 0755);
    memcpy(img, keep, sizeof(keep));
    eh->e_type = ET_REL;
    corrupt("object file", img, size, 0755);
    memcpy(img, keep, sizeof(keep));
    eh->e_phentsize = 5;
    corrupt("wrong entry size", img, size, 0755);
    memcpy(img, keep, sizeof(keep));
    eh->e_phnum = 0;
    corrupt("no segments", img, size, 0755);
    memcpy(img, keep, sizeof(keep));
    eh->e_phoff = 1ULL << 62;
    corrupt("headers beyond the file", img, size, 0755);
    memcpy(img, keep, sizeof(keep));
    corrupt("not executable", img, size, 0644);
    corrupt("text", "just words\n", 11, 0755);
    corrupt("zeros", "\0\0\0\0\0\0\0\0", 8, 0755);
}

static void errors(void)
{
    char *argv[] = {"x", NULL};

    fails(execve("none", argv, argv + 1), ENOENT);
    fails(execve("", argv, argv + 1), ENOENT);
    fails(execve("/", argv, argv + 1), EACCES);
    fails(execve("/etc/passwd/x", argv, argv + 1), ENOTDIR);
    fails(execve((char *)8, argv, argv + 1), EFAULT);
    fails(execve(self, (char **)8, NULL), EFAULT);
    char *wild[] = {"x", (char *)8, NULL};
    fails(execve(self, wild, NULL), EFAULT);
    int fd = open(self, O_RDONLY);
    char *args[] = {"zero", "args", "by descriptor", NULL};
    int st;
    if (fork() == 0) {
        syscall(SYS_execveat, fd, "", args, argv + 1, AT_EMPTY_PATH);
        _exit(101);
    }
    wait(&st);
    ok(t_exited(st, 33), "execveat");
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[0], "exec"))
        return executed(argc, argv);
    must(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    t_scratch();
    arguments();
    ok(t_exited(t_child(state, NULL), 33), "state");
    ok(t_exited(t_child(threaded, NULL), 33), "exec from a thread ends the others");
    scripts();
    broken_files();
    errors();
    return t_done();
}
