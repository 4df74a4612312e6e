/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that the Sentry can ask of the host, and nothing else. This header is the security
 * boundary: the stub (vmm/hostcall/) treats every argument as hostile. Descriptors are indexes
 * into the stub's table, memory is named by guest-physical address and must lie in RAM, lengths
 * are bounded, and the request is copied to private memory once before it is looked at.
 *
 * The hosted build calls the same stub functions directly, so the checks are the same.
 */
#pragma once

#include "vmm/abi/types.h"

#define HOSTCALL_VERSION 1

/* I/O port of the synchronous call: `out` of the 32-bit index of the per-CPU request block. */
#define HOSTCALL_PORT 0x510
/* I/O port whose write is the doorbell of the submission ring (KVM_IOEVENTFD). */
#define HOSTCALL_DOORBELL 0x514

#define HOSTCALL_NARGS 6

/*
 * One request. Owned by the guest; for a synchronous call it is the calling CPU's own block, for
 * a ring call it is copied into the submission entry. The host writes `ret` (negative errno on
 * failure) and, for some calls, `out`.
 */
struct hostcall {
    u32 nr;
    u32 pad;
    u64 arg[HOSTCALL_NARGS];
    s64 ret;
    u64 out[2];
};

/*
 * X(number, name, may_block, "arguments", "what it does")
 * may_block: 0 = quick, called synchronously; 1 = may wait for a disk or a peer, goes to a worker.
 */
#define HOSTCALL_TABLE(X)                                                                         \
    X(0, VERSION, 0, "", "returns HOSTCALL_VERSION; out[0]=feature bits")                         \
    X(1, EXIT, 0, "status", "end the sandbox with this wait status; does not return")             \
    X(2, LOG, 0, "level, pa, len<=4096", "append text to the debug log")                          \
    X(3, PANIC, 0, "pa, len<=16384", "log text (registers, back trace), end with status 128+6")   \
    X(4, CLOCK, 0, "", "out[0]=CLOCK_MONOTONIC ns, out[1]=CLOCK_REALTIME ns")                     \
    X(5, RANDOM, 0, "pa, len<=256", "fill with host randomness")                                  \
    X(6, MEM_RELEASE, 0, "pa, len", "give RAM back to the host; reads as zero afterwards")        \
    X(7, FD_CLOSE, 0, "fd", "drop a descriptor of the table")                                     \
    X(8, FD_STAT, 0, "fd, pa of struct host_stat", "fstat")                                       \
    X(9, PREAD, 1, "fd, pa, len<=1MiB, off", "pread on a seekable descriptor")                    \
    X(10, PWRITE, 1, "fd, pa, len<=1MiB, off", "pwrite on a seekable descriptor")                 \
    X(11, READ, 0, "fd, pa, len<=1MiB", "read from a stream; -EAGAIN instead of waiting")         \
    X(12, WRITE, 0, "fd, pa, len<=1MiB", "write to a stream; -EAGAIN instead of waiting")         \
    X(13, POLL_ADD, 0, "fd, events, cookie", "report readiness changes (edge) by EVENT_WAIT")     \
    X(14, POLL_DEL, 0, "fd", "stop reporting")                                                    \
    X(15, POLL_NOW, 0, "fd, events", "returns the poll(2) events that hold now")                  \
    X(16, EVENT_WAIT, 1, "pa of struct host_event[], max<=64", "wait for events; returns count")  \
    X(17, WINDOW_MAP, 1, "fd, offset, len, window pa, writable", "map a file into the window")    \
    X(18, WINDOW_UNMAP, 0, "window pa, len", "unmap from the window")                             \
    X(19, GOFER, 1, "conn, req pa, req len, reply pa, reply cap",                                 \
      "one gofer round trip; returns reply length, out[0]=donated descriptor or -1")              \
    X(20, TTY_GET, 0, "fd, pa of struct host_tty", "termios and window size of a host terminal")  \
    X(21, TTY_SET, 0, "fd, output flags", "set c_oflag of a host terminal")                       \
    X(22, FTRUNCATE, 1, "fd, len", "ftruncate")                                                   \
    X(23, FALLOCATE, 1, "fd, mode, off, len", "fallocate")                                        \
    X(24, FSYNC, 1, "fd, datasync", "fsync or fdatasync")                                         \
    X(25, TTY_WINSZ, 0, "fd, rows, cols", "set window size of a host terminal")                   \
    X(26, CPU_START, 0, "cpu", "let a further CPU of the guest run (ring 0 only)")                \
    X(27, WINDOW_LOST, 0, "",                                                                     \
      "out[0]=pa, out[1]=len of a window chunk whose file was truncated, each once; 0 = no more") \
    X(28, LSEEK, 0, "fd, offset, whence", "lseek on a regular file")                              \
    X(29, MEM_PLUG, 0, "pa",                                                                      \
      "make RAM below pa usable; out[0]=end of usable RAM (more than asked)")                     \
    X(30, CONTROL_RECV, 0, "conn, pa, cap<=256KiB",                                               \
      "one message of the control channel; returns its length, 0: the peer has gone; -EAGAIN; "   \
      "out[0]=descriptors 0 | 1 << 32, out[1]=descriptor 2, ~0 = none")                           \
    X(31, CONTROL_SEND, 0, "conn, pa, len<=256KiB", "send one; -EAGAIN: the peer does not read")  \
    X(32, CONTROL_CLOSE, 0, "conn", "close a connection; its number may be used again")           \
    X(33, COUNTERS, 0, "pa, cap", "text: exits and calls by reason; returns its length")          \
    X(34, SOCKET, 0, "family, type, protocol",                                                    \
      "a socket of the host's network; only with --network=host")                                 \
    X(35, SOCK_BIND, 0, "fd, pa of sockaddr, len", "bind")                                        \
    X(36, SOCK_CONNECT, 0, "fd, pa of sockaddr, len", "connect; -EINPROGRESS instead of waiting") \
    X(37, SOCK_LISTEN, 0, "fd, backlog", "listen")                                                \
    X(38, SOCK_ACCEPT, 0, "fd", "accept; -EAGAIN instead of waiting")                             \
    X(39, SOCK_SEND, 0, "fd, pa of struct host_msg", "sendmsg; -EAGAIN instead of waiting")       \
    X(40, SOCK_RECV, 0, "fd, pa of struct host_msg", "recvmsg; -EAGAIN instead of waiting")       \
    X(41, SOCK_SETOPT, 0, "fd, level, name, pa, len", "setsockopt, of a list")                    \
    X(42, SOCK_GETOPT, 0, "fd, level, name, pa, cap", "getsockopt, of a list; length")            \
    X(43, SOCK_SHUTDOWN, 0, "fd, how", "shutdown")                                                \
    X(44, SOCK_NAME, 0, "fd, peer, pa[128]", "getpeername or getsockname; length")                \
    X(45, SOCK_IOCTL, 0, "fd, cmd, pa of struct ifreq[], bytes",                                  \
      "of a list; out[0]=result of those that are a number")

enum hostcall_nr {
#define X(n, name, b, a, d) HC_##name = (n),
    HOSTCALL_TABLE(X)
#undef X
        HC_COUNT
};

/* Result of HC_FD_STAT. */
struct host_stat {
    u64 ino, size, blocks;
    u64 dev;
    u32 mode, nlink, uid, gid;
    s64 atime_ns, mtime_ns, ctime_ns;
    u32 blksize;
    u32 rdev;
};

/* Result of HC_TTY_GET. */
struct host_tty {
    u32 iflag, oflag, cflag, lflag;
    u8 cc[32];
    u16 rows, cols, xpixel, ypixel;
};

/* What HC_EVENT_WAIT reports. */
enum host_event_kind {
    HOST_EVENT_POLL = 1,    /* a: cookie of POLL_ADD, b: poll(2) events */
    HOST_EVENT_CONTROL = 2, /* a: connection with a message, or that ended: HC_CONTROL_RECV */
    HOST_EVENT_WINSZ = 3,   /* the console has another size now: HC_TTY_GET */
    HOST_EVENT_MEMORY = 4,  /* the host is short of memory: give caches back */
    HOST_EVENT_WINDOW = 5,  /* a: window pa, b: len: the file behind it was truncated */
};

struct host_event {
    u32 kind;
    u32 pad;
    u64 a, b;
};
