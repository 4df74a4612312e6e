/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages of HC_SOCK_SEND and HC_SOCK_RECV: one struct in guest memory that says where the data is
 * and holds the small parts itself. The stub copies it once, works on the copy, and writes it back.
 */
#pragma once

#include "vmm/abi/types.h"

#define HOST_SOCKADDR_MAX 128
#define HOST_CONTROL_MAX  512
#define HOST_OPTION_MAX   256
#define HOST_IFREQ        40    /* struct ifreq */
#define HOST_NETLINK_MAX  32768 /* a request */

struct host_msg {
    u64 data;                  /* pa */
    u32 len;                   /* of data, <= 1 MiB */
    u32 flags;                 /* MSG_* in; what came with it out */
    u32 name_len, control_len; /* receiving: room in, used out */
    u8 name[HOST_SOCKADDR_MAX];
    u8 control[HOST_CONTROL_MAX] __attribute__((aligned(8)));
};
