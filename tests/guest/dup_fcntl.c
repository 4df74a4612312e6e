// SPDX-License-Identifier: Apache-2.0
//
// Descriptor tables: dup family, flags, shared positions, limits, record and whole-file locks.

#include "t.h"
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

static void dups(void)
{
    int fd = open("f", O_RDWR | O_CREAT, 0644), d;

    must(fd >= 0 && write(fd, "0123456789", 10) == 10);
    d = dup(fd);
    ok(d == fd + 1, "dup takes the lowest number");
    lseek(fd, 3, SEEK_SET);
    ok(lseek(d, 0, SEEK_CUR) == 3, "and shares the position");
    int other = open("f", O_RDONLY);
    ok(lseek(other, 0, SEEK_CUR) == 0, "another open does not");
    close(other);
    ok(dup2(fd, 100) == 100 && lseek(100, 0, SEEK_CUR) == 3, "dup2");
    ok(dup2(fd, fd) == fd, "dup2 onto itself");
    fails(dup3(fd, fd, 0), EINVAL);
    ok(dup3(fd, 101, O_CLOEXEC) == 101 && fcntl(101, F_GETFD) == FD_CLOEXEC, "dup3");
    ok(fcntl(100, F_GETFD) == 0, "dup2 clears close-on-exec");
    ok(fcntl(fd, F_DUPFD, 50) == 50, "F_DUPFD");
    ok(fcntl(fd, F_DUPFD_CLOEXEC, 50) == 51 && fcntl(51, F_GETFD) == FD_CLOEXEC, "F_DUPFD_CLOEXEC");
    fails(dup(-1), EBADF);
    fails(dup2(fd, -1), EBADF);
    fails(dup2(77, 78), EBADF);
    ok(dup2(d, 100) == 100, "dup2 closes what was there");
    close(fd);
    ok(write(d, "x", 1) == 1, "a duplicate outlives the original");
    ok(syscall(SYS_close_range, 50, 60, 0) == 0 && fcntl(50, F_GETFD) == -1, "close_range");
}

static void flags(void)
{
    int fd = open("f", O_RDWR | O_APPEND | O_CLOEXEC);
    int n = -1, on = 1;

    ok(fcntl(fd, F_GETFD) == FD_CLOEXEC, "O_CLOEXEC");
    ok(fcntl(fd, F_SETFD, 0) == 0 && fcntl(fd, F_GETFD) == 0, "F_SETFD");
    ok((fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND)) == (O_RDWR | O_APPEND), "F_GETFL");
    ok(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "F_SETFL");
    ok((fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) == (O_RDWR | O_NONBLOCK), "took");
    ok(ioctl(fd, FIOCLEX) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC, "FIOCLEX");
    lseek(fd, 2, SEEK_SET);
    ok(ioctl(fd, FIONREAD, &n) == 0 && n == 8, "FIONREAD");
    ok(ioctl(fd, FIONBIO, &on) == 0, "FIONBIO");
    fails(ioctl(fd, TIOCGWINSZ, &n), ENOTTY);
    fails(fcntl(fd, 9999), EINVAL);
    fails(fcntl(-1, F_GETFD), EBADF);
    close(fd);
}

static void limit_child(void *arg)
{
    struct rlimit rl = {20, 20};
    int n = 0, fd;

    must(setrlimit(RLIMIT_NOFILE, &rl) == 0);
    for (int i = 3; i < 200; i++)
        close(i);
    while ((fd = dup(0)) >= 0)
        n++;
    ok(errno == EMFILE && n == 17, "RLIMIT_NOFILE gives EMFILE");
    fails(dup2(0, 20), EBADF);
    fails(fcntl(0, F_DUPFD, 20), EINVAL);
    int p[2];
    close(19);
    fails(pipe(p), EMFILE);
    ok(dup(0) == 19, "a failed pipe leaks nothing");
}

static void lock_child(void *arg)
{
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 2};
    int fd = open("f", O_RDWR);

    ok(fcntl(fd, F_SETLK, &fl) == -1 && (errno == EAGAIN || errno == EACCES),
       "locked by the parent");
    ok(fcntl(fd, F_GETLK, &fl) == 0 && fl.l_type == F_WRLCK && fl.l_pid == getppid(), "F_GETLK");
    fl = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 8, .l_len = 1};
    ok(fcntl(fd, F_SETLK, &fl) == 0, "another range is free");
    fails(flock(fd, LOCK_EX | LOCK_NB), EWOULDBLOCK);
}

static void locks(void)
{
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 7};
    int fd = open("f", O_RDWR), fd2 = open("f", O_RDWR);

    ok(fcntl(fd, F_SETLK, &fl) == 0, "F_SETLK");
    ok(flock(fd2, LOCK_EX) == 0, "flock");
    t_child(lock_child, NULL);
    fl.l_type = F_UNLCK;
    ok(fcntl(fd, F_SETLK, &fl) == 0, "F_UNLCK");
    ok(flock(fd2, LOCK_UN) == 0 && flock(fd, LOCK_EX | LOCK_NB) == 0, "LOCK_UN");
}

int main(void)
{
    t_scratch();
    for (int i = 3; i < 200; i++)
        close(i);
    dups();
    flags();
    ok(t_exited(t_child(limit_child, NULL), 0), "limits");
    locks();
    return t_done();
}
