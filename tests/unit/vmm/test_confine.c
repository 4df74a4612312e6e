// SPDX-License-Identifier: Apache-2.0
//
// The sandbox process after confinement, from inside: what must be gone is gone, and a system call
// outside the table kills it. Runs as root and as an ordinary user.

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/confine.h"

static const struct sandbox_namespaces fresh = {NAMESPACE_NEW, NAMESPACE_NEW, NAMESPACE_NEW};

static enum sandbox_network network = NETWORK_NONE;

/* Run f in a confined child; returns its wait status. */
static int confined(enum platform p, bool filter, void (*f)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        if (confine_namespaces(&fresh) != 0 || confine_process(p, network) != 0 ||
            (filter && confine_syscalls(p, network) != 0))
            _exit(99);
        f();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

#define KILLED(status) (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)

static const enum platform both[] = {PLATFORM_KVM, PLATFORM_PTRACE};

static void nothing(void) {}

static void *thread(void *arg)
{
    return arg;
}

/* What the sandbox does all the time. */
static void allowed(void)
{
    pthread_t t;
    char c;
    int p[2] = {-1, -1};

    if (pthread_create(&t, NULL, thread, NULL) || pthread_join(t, NULL))
        _exit(1);
    free(malloc(1 << 20));
    if (write(p[1], "x", 1) != -1 || read(p[0], &c, 1) != -1 || ioctl(-1, TCGETS, 0) != -1)
        _exit(2);
}

static void do_open(void)
{
    open("/etc/passwd", O_RDONLY);
}

static void do_execve(void)
{
    execl("/bin/true", "true", NULL);
}

static void do_socket(void)
{
    socket(AF_INET, SOCK_STREAM, 0);
}

static void do_mmap_exec(void)
{
    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void do_mprotect_exec(void)
{
    mprotect(NULL, 0, PROT_READ | PROT_EXEC);
}

static void do_other_ioctl(void)
{
    ioctl(0, TIOCSTI, "x");
}

static void do_create_vm(void)
{
    ioctl(0, KVM_CREATE_VM, 0);
}

static void do_x32(void)
{
    syscall(0x40000000 | SYS_getpid);
}

static void do_i386(void)
{
    int r = 20; /* getpid of the 32-bit table: allowed by number, not by architecture */

    __asm__ volatile("int $0x80" : "+a"(r));
}

static void do_fork(void)
{
    syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void do_ptrace(void)
{
    syscall(SYS_ptrace, 0, 0, 0, 0);
}

static void do_unknown(void)
{
    syscall(9999);
}

START_TEST(allowed_calls)
{
    ck_assert_int_eq(confined(both[_i], true, allowed), 0);
    ck_assert_int_eq(confined(both[_i], true, nothing), 0);
}
END_TEST

START_TEST(forbidden_calls)
{
    void (*const calls[])(void) = {do_open,          do_execve,      do_socket,    do_mmap_exec,
                                   do_mprotect_exec, do_other_ioctl, do_create_vm, do_x32,
                                   do_i386,          do_unknown};

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        int status = confined(both[_i], true, calls[i]);

        ck_assert_msg(KILLED(status), "call %zu: status %#x", i, (unsigned)status);
    }
}
END_TEST

START_TEST(no_processes)
{
    ck_assert(KILLED(confined(both[_i], true, do_fork)));
    ck_assert(KILLED(confined(PLATFORM_KVM, true, do_ptrace)));
}
END_TEST

static void do_listen(void)
{
    int one = 1, fd = socket(AF_INET6, SOCK_STREAM, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) || listen(fd, 1))
        _exit(1);
}

static void do_local_socket(void)
{
    socket(AF_UNIX, SOCK_STREAM, 0);
}

static void do_packet_socket(void)
{
    socket(AF_PACKET, SOCK_RAW, 0);
}

/* The list is longer with the host's network, and not by more than that. */
START_TEST(host_network)
{
    network = NETWORK_HOST;
    ck_assert_int_eq(confined(both[_i], true, allowed), 0);
    ck_assert_int_eq(confined(both[_i], true, do_listen), 0);
    ck_assert(KILLED(confined(both[_i], true, do_local_socket)));
    ck_assert(KILLED(confined(both[_i], true, do_packet_socket)));
    ck_assert(KILLED(confined(both[_i], true, do_open)));
    network = NETWORK_SANDBOX;
    ck_assert(KILLED(confined(both[_i], true, do_listen)));
}
END_TEST

static void look_around(void)
{
    DIR *d = opendir("/");
    unsigned n = 0;

    if (d) {
        while (readdir(d))
            n++;
    }
    if (n > 2)
        _exit(1);
    if (open("/x", O_CREAT | O_WRONLY, 0600) >= 0 || open("/proc/self/status", O_RDONLY) >= 0)
        _exit(2);
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        _exit(3);
    if (chroot("/") == 0 || setuid(0) == 0 || sethostname("x", 1) == 0)
        _exit(4);
    if (geteuid() == 0)
        _exit(5);
}

START_TEST(nothing_left)
{
    int status = confined(both[_i], false, look_around);

    ck_assert_msg(status == 0, "status %#x", (unsigned)status);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("confine");
    TCase *t = tcase_create("all");
    SRunner *r;
    int failed;

    tcase_add_loop_test(t, allowed_calls, 0, 2);
    tcase_add_loop_test(t, forbidden_calls, 0, 2);
    tcase_add_loop_test(t, no_processes, 0, 2);
    tcase_add_loop_test(t, host_network, 0, 2);
    tcase_add_loop_test(t, nothing_left, 0, 2);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
