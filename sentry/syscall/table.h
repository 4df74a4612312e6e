/* SPDX-License-Identifier: Apache-2.0
 *
 * The one table of system calls, x86-64, up to Linux 6.12: dispatch, --strace and
 * doc/compatibility.md come from it.
 *
 *   X(number, name, status, "arguments", "note")
 *
 * status:  FULL            as Linux
 *          PARTIAL         the note says what is missing
 *          NI              not written yet: ENOSYS and a log line
 *          REFUSED_EPERM   EPERM, as for a process without the capability
 *          REFUSED_ENOSYS  ENOSYS, as on a Linux without it
 *
 * arguments, one letter each, for --strace: d int, u unsigned, x hex, X hex 64 bit, o octal mode, l 64 bit
 * signed, p pointer, s user string, f descriptor, F directory descriptor (AT_FDCWD), z size, G signal number
 */
#pragma once

/* clang-format off */
#define SYSCALL_TABLE(X) \
    X(0, read, FULL, "fpz", "") \
    X(1, write, FULL, "fpz", "") \
    X(2, open, FULL, "sxo", "") \
    X(3, close, FULL, "f", "") \
    X(4, stat, FULL, "sp", "") \
    X(5, fstat, FULL, "fp", "") \
    X(6, lstat, FULL, "sp", "") \
    X(7, poll, FULL, "pud", "") \
    X(8, lseek, FULL, "fld", "") \
    X(9, mmap, FULL, "pzxxfX", "") \
    X(10, mprotect, FULL, "pzx", "") \
    X(11, munmap, FULL, "pz", "") \
    X(12, brk, FULL, "p", "") \
    X(13, rt_sigaction, FULL, "Gppz", "") \
    X(14, rt_sigprocmask, FULL, "dppz", "") \
    X(15, rt_sigreturn, FULL, "", "") \
    X(16, ioctl, FULL, "fxx", "") \
    X(17, pread64, FULL, "fpzl", "") \
    X(18, pwrite64, FULL, "fpzl", "") \
    X(19, readv, FULL, "fpu", "") \
    X(20, writev, FULL, "fpu", "") \
    X(21, access, FULL, "sd", "") \
    X(22, pipe, FULL, "p", "") \
    X(23, select, FULL, "dpppp", "") \
    X(24, sched_yield, FULL, "", "") \
    X(25, mremap, FULL, "pzzxp", "") \
    X(26, msync, FULL, "pzd", "") \
    X(27, mincore, FULL, "pzp", "") \
    X(28, madvise, FULL, "pzd", "") \
    X(29, shmget, NI, "dzd", "not written yet") \
    X(30, shmat, NI, "dpd", "not written yet") \
    X(31, shmctl, NI, "ddp", "not written yet") \
    X(32, dup, FULL, "f", "") \
    X(33, dup2, FULL, "fd", "") \
    X(34, pause, FULL, "", "") \
    X(35, nanosleep, FULL, "pp", "") \
    X(36, getitimer, FULL, "dp", "") \
    X(37, alarm, FULL, "u", "") \
    X(38, setitimer, FULL, "dpp", "") \
    X(39, getpid, FULL, "", "") \
    X(40, sendfile, FULL, "ffpz", "") \
    X(41, socket, PARTIAL, "ddd", "AF_UNIX, AF_INET, AF_INET6 (stream, datagram, ping), AF_NETLINK route; no raw sockets") \
    X(42, connect, FULL, "fpu", "") \
    X(43, accept, FULL, "fpp", "") \
    X(44, sendto, PARTIAL, "fpzxpu", "no MSG_ZEROCOPY") \
    X(45, recvfrom, FULL, "fpzxpp", "") \
    X(46, sendmsg, PARTIAL, "fpx", "no MSG_ZEROCOPY") \
    X(47, recvmsg, FULL, "fpx", "") \
    X(48, shutdown, FULL, "fd", "") \
    X(49, bind, FULL, "fpu", "") \
    X(50, listen, FULL, "fd", "") \
    X(51, getsockname, FULL, "fpp", "") \
    X(52, getpeername, FULL, "fpp", "") \
    X(53, socketpair, FULL, "dddp", "") \
    X(54, setsockopt, PARTIAL, "fddpu", "no socket filters; multicast with --network=host only") \
    X(55, getsockopt, PARTIAL, "fddpp", "as setsockopt") \
    X(56, clone, PARTIAL, "xpppx", "namespaces and CLONE_PIDFD are refused") \
    X(57, fork, FULL, "", "") \
    X(58, vfork, FULL, "", "") \
    X(59, execve, FULL, "spp", "") \
    X(60, exit, FULL, "d", "") \
    X(61, wait4, FULL, "dpxp", "") \
    X(62, kill, FULL, "dG", "") \
    X(63, uname, FULL, "p", "") \
    X(64, semget, NI, "ddd", "not written yet") \
    X(65, semop, NI, "dpu", "not written yet") \
    X(66, semctl, NI, "dddx", "not written yet") \
    X(67, shmdt, NI, "p", "not written yet") \
    X(68, msgget, NI, "dd", "not written yet") \
    X(69, msgsnd, NI, "dpzd", "not written yet") \
    X(70, msgrcv, NI, "dpzld", "not written yet") \
    X(71, msgctl, NI, "ddp", "not written yet") \
    X(72, fcntl, FULL, "fdx", "") \
    X(73, flock, FULL, "fd", "") \
    X(74, fsync, FULL, "f", "") \
    X(75, fdatasync, FULL, "f", "") \
    X(76, truncate, FULL, "sl", "") \
    X(77, ftruncate, FULL, "fl", "") \
    X(78, getdents, FULL, "fpu", "") \
    X(79, getcwd, FULL, "pz", "") \
    X(80, chdir, FULL, "s", "") \
    X(81, fchdir, FULL, "f", "") \
    X(82, rename, FULL, "ss", "") \
    X(83, mkdir, FULL, "so", "") \
    X(84, rmdir, FULL, "s", "") \
    X(85, creat, FULL, "so", "") \
    X(86, link, FULL, "ss", "") \
    X(87, unlink, FULL, "s", "") \
    X(88, symlink, FULL, "ss", "") \
    X(89, readlink, FULL, "spz", "") \
    X(90, chmod, FULL, "so", "") \
    X(91, fchmod, FULL, "fo", "") \
    X(92, chown, FULL, "suu", "") \
    X(93, fchown, FULL, "fuu", "") \
    X(94, lchown, FULL, "suu", "") \
    X(95, umask, FULL, "o", "") \
    X(96, gettimeofday, FULL, "pp", "") \
    X(97, getrlimit, FULL, "dp", "") \
    X(98, getrusage, PARTIAL, "dp", "no block I/O counts") \
    X(99, sysinfo, FULL, "p", "") \
    X(100, times, FULL, "p", "") \
    X(101, ptrace, NI, "ddpp", "not written yet") \
    X(102, getuid, FULL, "", "") \
    X(103, syslog, PARTIAL, "dpd", "a log of our own, read only") \
    X(104, getgid, FULL, "", "") \
    X(105, setuid, FULL, "u", "") \
    X(106, setgid, FULL, "u", "") \
    X(107, geteuid, FULL, "", "") \
    X(108, getegid, FULL, "", "") \
    X(109, setpgid, FULL, "dd", "") \
    X(110, getppid, FULL, "", "") \
    X(111, getpgrp, FULL, "", "") \
    X(112, setsid, FULL, "", "") \
    X(113, setreuid, FULL, "uu", "") \
    X(114, setregid, FULL, "uu", "") \
    X(115, getgroups, FULL, "dp", "") \
    X(116, setgroups, FULL, "dp", "") \
    X(117, setresuid, FULL, "uuu", "") \
    X(118, getresuid, FULL, "ppp", "") \
    X(119, setresgid, FULL, "uuu", "") \
    X(120, getresgid, FULL, "ppp", "") \
    X(121, getpgid, FULL, "d", "") \
    X(122, setfsuid, FULL, "u", "") \
    X(123, setfsgid, FULL, "u", "") \
    X(124, getsid, FULL, "d", "") \
    X(125, capget, FULL, "pp", "") \
    X(126, capset, FULL, "pp", "") \
    X(127, rt_sigpending, FULL, "pz", "") \
    X(128, rt_sigtimedwait, FULL, "pppz", "") \
    X(129, rt_sigqueueinfo, FULL, "dGp", "") \
    X(130, rt_sigsuspend, FULL, "pz", "") \
    X(131, sigaltstack, FULL, "pp", "") \
    X(132, utime, FULL, "sp", "") \
    X(133, mknod, FULL, "sox", "") \
    X(134, uselib, REFUSED_ENOSYS, "s", "removed from Linux or never there on x86-64") \
    X(135, personality, PARTIAL, "x", "remembered, not obeyed") \
    X(136, ustat, REFUSED_ENOSYS, "up", "removed from Linux or never there on x86-64") \
    X(137, statfs, FULL, "sp", "") \
    X(138, fstatfs, FULL, "fp", "") \
    X(139, sysfs, REFUSED_ENOSYS, "dxx", "removed from Linux or never there on x86-64") \
    X(140, getpriority, FULL, "dd", "") \
    X(141, setpriority, FULL, "ddd", "") \
    X(142, sched_setparam, PARTIAL, "dp", "remembered, not obeyed") \
    X(143, sched_getparam, FULL, "dp", "") \
    X(144, sched_setscheduler, PARTIAL, "ddp", "remembered, not obeyed") \
    X(145, sched_getscheduler, FULL, "d", "") \
    X(146, sched_get_priority_max, FULL, "d", "") \
    X(147, sched_get_priority_min, FULL, "d", "") \
    X(148, sched_rr_get_interval, FULL, "dp", "") \
    X(149, mlock, FULL, "pz", "") \
    X(150, munlock, FULL, "pz", "") \
    X(151, mlockall, FULL, "x", "") \
    X(152, munlockall, FULL, "", "") \
    X(153, vhangup, REFUSED_EPERM, "", "needs power over the host") \
    X(154, modify_ldt, NI, "dpx", "not written yet") \
    X(155, pivot_root, REFUSED_EPERM, "ss", "needs power over the host") \
    X(156, _sysctl, REFUSED_ENOSYS, "p", "removed from Linux or never there on x86-64") \
    X(157, prctl, PARTIAL, "dxxxx", "the options that programs use") \
    X(158, arch_prctl, PARTIAL, "xx", "thread pointer and CPUID only") \
    X(159, adjtimex, PARTIAL, "p", "read only") \
    X(160, setrlimit, FULL, "dp", "") \
    X(161, chroot, FULL, "s", "") \
    X(162, sync, FULL, "", "") \
    X(163, acct, REFUSED_EPERM, "s", "needs power over the host") \
    X(164, settimeofday, REFUSED_EPERM, "pp", "needs power over the host") \
    X(165, mount, FULL, "sssxp", "") \
    X(166, umount2, FULL, "sx", "") \
    X(167, swapon, REFUSED_EPERM, "sx", "needs power over the host") \
    X(168, swapoff, REFUSED_EPERM, "s", "needs power over the host") \
    X(169, reboot, REFUSED_EPERM, "xxxp", "needs power over the host") \
    X(170, sethostname, FULL, "su", "") \
    X(171, setdomainname, FULL, "su", "") \
    X(172, iopl, REFUSED_EPERM, "d", "needs power over the host") \
    X(173, ioperm, REFUSED_EPERM, "xxd", "needs power over the host") \
    X(174, create_module, REFUSED_ENOSYS, "sz", "removed from Linux or never there on x86-64") \
    X(175, init_module, REFUSED_EPERM, "pzs", "needs power over the host") \
    X(176, delete_module, REFUSED_EPERM, "sx", "needs power over the host") \
    X(177, get_kernel_syms, REFUSED_ENOSYS, "p", "removed from Linux or never there on x86-64") \
    X(178, query_module, REFUSED_ENOSYS, "sdpzp", "removed from Linux or never there on x86-64") \
    X(179, quotactl, REFUSED_EPERM, "dsdp", "needs power over the host") \
    X(180, nfsservctl, REFUSED_ENOSYS, "dpp", "removed from Linux or never there on x86-64") \
    X(181, getpmsg, REFUSED_ENOSYS, "", "removed from Linux or never there on x86-64") \
    X(182, putpmsg, REFUSED_ENOSYS, "", "removed from Linux or never there on x86-64") \
    X(183, afs_syscall, REFUSED_ENOSYS, "", "removed from Linux or never there on x86-64") \
    X(184, tuxcall, REFUSED_ENOSYS, "", "removed from Linux or never there on x86-64") \
    X(185, security, REFUSED_ENOSYS, "", "removed from Linux or never there on x86-64") \
    X(186, gettid, FULL, "", "") \
    X(187, readahead, FULL, "flz", "") \
    X(188, setxattr, FULL, "sspzx", "") \
    X(189, lsetxattr, FULL, "sspzx", "") \
    X(190, fsetxattr, FULL, "fspzx", "") \
    X(191, getxattr, FULL, "sspz", "") \
    X(192, lgetxattr, FULL, "sspz", "") \
    X(193, fgetxattr, FULL, "fspz", "") \
    X(194, listxattr, FULL, "spz", "") \
    X(195, llistxattr, FULL, "spz", "") \
    X(196, flistxattr, FULL, "fpz", "") \
    X(197, removexattr, FULL, "ss", "") \
    X(198, lremovexattr, FULL, "ss", "") \
    X(199, fremovexattr, FULL, "fs", "") \
    X(200, tkill, FULL, "dG", "") \
    X(201, time, FULL, "p", "") \
    X(202, futex, PARTIAL, "pduppu", "no priority inheritance") \
    X(203, sched_setaffinity, FULL, "dzp", "") \
    X(204, sched_getaffinity, FULL, "dzp", "") \
    X(205, set_thread_area, REFUSED_ENOSYS, "p", "removed from Linux or never there on x86-64") \
    X(206, io_setup, NI, "up", "not written yet") \
    X(207, io_destroy, NI, "x", "not written yet") \
    X(208, io_getevents, NI, "xllpp", "not written yet") \
    X(209, io_submit, NI, "xlp", "not written yet") \
    X(210, io_cancel, NI, "xpp", "not written yet") \
    X(211, get_thread_area, REFUSED_ENOSYS, "p", "removed from Linux or never there on x86-64") \
    X(212, lookup_dcookie, REFUSED_ENOSYS, "xpz", "removed from Linux or never there on x86-64") \
    X(213, epoll_create, FULL, "d", "") \
    X(214, epoll_ctl_old, REFUSED_ENOSYS, "", "removed from Linux or never there on x86-64") \
    X(215, epoll_wait_old, REFUSED_ENOSYS, "", "removed from Linux or never there on x86-64") \
    X(216, remap_file_pages, NI, "pzxxx", "not written yet") \
    X(217, getdents64, FULL, "fpu", "") \
    X(218, set_tid_address, FULL, "p", "") \
    X(219, restart_syscall, FULL, "", "") \
    X(220, semtimedop, NI, "dpup", "not written yet") \
    X(221, fadvise64, FULL, "flzd", "") \
    X(222, timer_create, PARTIAL, "dpp", "no CPU-time clocks") \
    X(223, timer_settime, FULL, "ddpp", "") \
    X(224, timer_gettime, FULL, "dp", "") \
    X(225, timer_getoverrun, FULL, "d", "") \
    X(226, timer_delete, FULL, "d", "") \
    X(227, clock_settime, REFUSED_EPERM, "dp", "needs power over the host") \
    X(228, clock_gettime, FULL, "dp", "") \
    X(229, clock_getres, FULL, "dp", "") \
    X(230, clock_nanosleep, FULL, "ddpp", "") \
    X(231, exit_group, FULL, "d", "") \
    X(232, epoll_wait, FULL, "fpdd", "") \
    X(233, epoll_ctl, FULL, "fdfp", "") \
    X(234, tgkill, FULL, "ddG", "") \
    X(235, utimes, FULL, "sp", "") \
    X(236, vserver, REFUSED_ENOSYS, "", "removed from Linux or never there on x86-64") \
    X(237, mbind, REFUSED_ENOSYS, "pzdpxx", "as Linux without CONFIG_NUMA") \
    X(238, set_mempolicy, REFUSED_ENOSYS, "dpx", "as Linux without CONFIG_NUMA") \
    X(239, get_mempolicy, REFUSED_ENOSYS, "ppxpx", "as Linux without CONFIG_NUMA") \
    X(240, mq_open, NI, "sxop", "not written yet") \
    X(241, mq_unlink, NI, "s", "not written yet") \
    X(242, mq_timedsend, NI, "fpzup", "not written yet") \
    X(243, mq_timedreceive, NI, "fpzpp", "not written yet") \
    X(244, mq_notify, NI, "fp", "not written yet") \
    X(245, mq_getsetattr, NI, "fpp", "not written yet") \
    X(246, kexec_load, REFUSED_EPERM, "xxpx", "needs power over the host") \
    X(247, waitid, PARTIAL, "ddpxp", "no P_PIDFD") \
    X(248, add_key, NI, "sspzd", "not written yet") \
    X(249, request_key, NI, "sssd", "not written yet") \
    X(250, keyctl, NI, "dxxxx", "not written yet") \
    X(251, ioprio_set, NI, "ddd", "not written yet") \
    X(252, ioprio_get, NI, "dd", "not written yet") \
    X(253, inotify_init, NI, "", "not written yet") \
    X(254, inotify_add_watch, NI, "fsx", "not written yet") \
    X(255, inotify_rm_watch, NI, "fd", "not written yet") \
    X(256, migrate_pages, REFUSED_ENOSYS, "dxpp", "as Linux without CONFIG_NUMA") \
    X(257, openat, FULL, "Fsxo", "") \
    X(258, mkdirat, FULL, "Fso", "") \
    X(259, mknodat, FULL, "Fsox", "") \
    X(260, fchownat, FULL, "Fsuux", "") \
    X(261, futimesat, FULL, "Fsp", "") \
    X(262, newfstatat, FULL, "Fspx", "") \
    X(263, unlinkat, FULL, "Fsx", "") \
    X(264, renameat, FULL, "FsFs", "") \
    X(265, linkat, FULL, "FsFsx", "") \
    X(266, symlinkat, FULL, "sFs", "") \
    X(267, readlinkat, FULL, "Fspz", "") \
    X(268, fchmodat, FULL, "Fso", "") \
    X(269, faccessat, FULL, "Fsd", "") \
    X(270, pselect6, FULL, "dppppp", "") \
    X(271, ppoll, FULL, "puppz", "") \
    X(272, unshare, PARTIAL, "x", "only files and file system context") \
    X(273, set_robust_list, FULL, "pz", "") \
    X(274, get_robust_list, FULL, "dpp", "") \
    X(275, splice, FULL, "fpfpzx", "") \
    X(276, tee, FULL, "ffzx", "") \
    X(277, sync_file_range, FULL, "fllx", "") \
    X(278, vmsplice, PARTIAL, "fpux", "copies the pages, SPLICE_F_GIFT is ignored") \
    X(279, move_pages, REFUSED_ENOSYS, "dxpppx", "as Linux without CONFIG_NUMA") \
    X(280, utimensat, FULL, "Fspx", "") \
    X(281, epoll_pwait, FULL, "fpddpz", "") \
    X(282, signalfd, FULL, "fpz", "") \
    X(283, timerfd_create, FULL, "dx", "") \
    X(284, eventfd, FULL, "u", "") \
    X(285, fallocate, FULL, "fdll", "") \
    X(286, timerfd_settime, FULL, "fxpp", "") \
    X(287, timerfd_gettime, FULL, "fp", "") \
    X(288, accept4, FULL, "fppx", "") \
    X(289, signalfd4, FULL, "fpzx", "") \
    X(290, eventfd2, FULL, "ux", "") \
    X(291, epoll_create1, FULL, "x", "") \
    X(292, dup3, FULL, "ffx", "") \
    X(293, pipe2, FULL, "px", "") \
    X(294, inotify_init1, NI, "x", "not written yet") \
    X(295, preadv, FULL, "fpul", "") \
    X(296, pwritev, FULL, "fpul", "") \
    X(297, rt_tgsigqueueinfo, FULL, "ddGp", "") \
    X(298, perf_event_open, NI, "pddfx", "not written yet") \
    X(299, recvmmsg, FULL, "fpuxp", "") \
    X(300, fanotify_init, NI, "xx", "not written yet") \
    X(301, fanotify_mark, NI, "fxxFs", "not written yet") \
    X(302, prlimit64, FULL, "ddpp", "") \
    X(303, name_to_handle_at, NI, "Fsppx", "not written yet") \
    X(304, open_by_handle_at, REFUSED_EPERM, "fpx", "needs power over the host") \
    X(305, clock_adjtime, PARTIAL, "dp", "read only") \
    X(306, syncfs, FULL, "f", "") \
    X(307, sendmmsg, PARTIAL, "fpux", "no MSG_ZEROCOPY") \
    X(308, setns, NI, "fx", "not written yet") \
    X(309, getcpu, FULL, "ppp", "") \
    X(310, process_vm_readv, FULL, "dpupux", "") \
    X(311, process_vm_writev, FULL, "dpupux", "") \
    X(312, kcmp, NI, "dddxx", "not written yet") \
    X(313, finit_module, REFUSED_EPERM, "fsx", "needs power over the host") \
    X(314, sched_setattr, PARTIAL, "dpx", "remembered, not obeyed") \
    X(315, sched_getattr, FULL, "dpux", "") \
    X(316, renameat2, FULL, "FsFsx", "") \
    X(317, seccomp, NI, "uxp", "not written yet") \
    X(318, getrandom, FULL, "pzx", "") \
    X(319, memfd_create, FULL, "sx", "") \
    X(320, kexec_file_load, REFUSED_EPERM, "ffxsx", "needs power over the host") \
    X(321, bpf, NI, "dpu", "not written yet") \
    X(322, execveat, FULL, "Fsppx", "") \
    X(323, userfaultfd, NI, "x", "not written yet") \
    X(324, membarrier, REFUSED_ENOSYS, "dxd", "as Linux without CONFIG_MEMBARRIER") \
    X(325, mlock2, FULL, "pzx", "") \
    X(326, copy_file_range, FULL, "fpfpzx", "") \
    X(327, preadv2, FULL, "fpullx", "") \
    X(328, pwritev2, FULL, "fpullx", "") \
    X(329, pkey_mprotect, FULL, "pzxd", "") \
    X(330, pkey_alloc, PARTIAL, "xx", "no protection keys: ENOSPC") \
    X(331, pkey_free, PARTIAL, "d", "no protection keys: EINVAL") \
    X(332, statx, FULL, "Fsxxp", "") \
    X(333, io_pgetevents, NI, "xllppp", "not written yet") \
    X(334, rseq, REFUSED_ENOSYS, "puxx", "as Linux without CONFIG_RSEQ") \
    X(335, uretprobe, REFUSED_ENOSYS, "", "removed from Linux or never there on x86-64") \
    X(424, pidfd_send_signal, NI, "fGpx", "not written yet") \
    X(425, io_uring_setup, NI, "up", "not written yet") \
    X(426, io_uring_enter, NI, "fuuxpz", "not written yet") \
    X(427, io_uring_register, NI, "fupu", "not written yet") \
    X(428, open_tree, NI, "Fsx", "not written yet") \
    X(429, move_mount, NI, "FsFsx", "not written yet") \
    X(430, fsopen, NI, "sx", "not written yet") \
    X(431, fsconfig, NI, "fuspd", "not written yet") \
    X(432, fsmount, NI, "fxx", "not written yet") \
    X(433, fspick, NI, "Fsx", "not written yet") \
    X(434, pidfd_open, NI, "dx", "not written yet") \
    X(435, clone3, PARTIAL, "pz", "namespaces, CLONE_PIDFD, set_tid and cgroup are refused") \
    X(436, close_range, FULL, "uux", "") \
    X(437, openat2, FULL, "Fspz", "") \
    X(438, pidfd_getfd, NI, "fdx", "not written yet") \
    X(439, faccessat2, FULL, "Fsdx", "") \
    X(440, process_madvise, NI, "fpudx", "not written yet") \
    X(441, epoll_pwait2, FULL, "fpdppz", "") \
    X(442, mount_setattr, NI, "Fsxpz", "not written yet") \
    X(443, quotactl_fd, REFUSED_EPERM, "fddp", "needs power over the host") \
    X(444, landlock_create_ruleset, NI, "pzx", "not written yet") \
    X(445, landlock_add_rule, NI, "fdpx", "not written yet") \
    X(446, landlock_restrict_self, NI, "fx", "not written yet") \
    X(447, memfd_secret, NI, "x", "not written yet") \
    X(448, process_mrelease, NI, "fx", "not written yet") \
    X(449, futex_waitv, NI, "puxpd", "not written yet") \
    X(450, set_mempolicy_home_node, REFUSED_ENOSYS, "xxxx", "as Linux without CONFIG_NUMA") \
    X(451, cachestat, NI, "fppx", "not written yet") \
    X(452, fchmodat2, FULL, "Fsox", "") \
    X(453, map_shadow_stack, NI, "pzx", "not written yet") \
    X(454, futex_wake, NI, "pxdx", "not written yet") \
    X(455, futex_wait, NI, "pxxxpd", "not written yet") \
    X(456, futex_requeue, NI, "pxdd", "not written yet") \
    X(457, statmount, NI, "ppzx", "not written yet") \
    X(458, listmount, NI, "ppzx", "not written yet") \
    X(459, lsm_get_self_attr, NI, "uppx", "not written yet") \
    X(460, lsm_set_self_attr, NI, "upux", "not written yet") \
    X(461, lsm_list_modules, NI, "ppx", "not written yet") \
    X(462, mseal, NI, "pzx", "not written yet")
/* clang-format on */
