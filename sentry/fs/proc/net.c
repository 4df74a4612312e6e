// SPDX-License-Identifier: Apache-2.0
//
// proc: /proc/PID/net, as far as tools need it to start. Sockets are not listed.

#include "sentry/fs/proc/proc.h"

#define HEADING(fn, text)                                  \
    static int fn(struct seq *s, const struct proc_ctx *c) \
    {                                                      \
        (void)c;                                           \
        seq_puts(s, text);                                 \
        return 0;                                          \
    }

HEADING(show_dev,
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
        "packets errs drop fifo colls carrier compressed\n"
        "    lo:       0       0    0    0    0     0          0         0        0       "
        "0    0    0    0     0       0          0\n")
HEADING(show_tcp,
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid "
        " timeout inode                                                     \n")
HEADING(show_tcp6,
        "  sl  local_address                         remote_address                      "
        "  st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n")
HEADING(show_udp,
        "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid "
        " timeout inode ref pointer drops             \n")
HEADING(show_unix, "Num       RefCount Protocol Flags    Type St Inode Path\n")
HEADING(show_route,
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\t"
        "IRTT                                                       \n")
HEADING(show_arp,
        "IP address       HW type     Flags       HW address            Mask     Device\n")
HEADING(show_protocols,
        "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io "
        "in de sh ss gs se re sp bi br ha uh gp em\n")
HEADING(show_empty, "")

const struct proc_entry proc_net_children[] = {
    PROC_FILE("arp", 0444, show_arp),
    PROC_FILE("dev", 0444, show_dev),
    PROC_FILE("if_inet6", 0444, show_empty),
    PROC_FILE("ipv6_route", 0444, show_empty),
    PROC_FILE("protocols", 0444, show_protocols),
    PROC_FILE("route", 0444, show_route),
    PROC_FILE("tcp", 0444, show_tcp),
    PROC_FILE("tcp6", 0444, show_tcp6),
    PROC_FILE("udp", 0444, show_udp),
    PROC_FILE("udp6", 0444, show_tcp6),
    PROC_FILE("unix", 0444, show_unix),
    {0},
};
