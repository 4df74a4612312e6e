// SPDX-License-Identifier: Apache-2.0
//
// Ping sockets. Whether a user may have one is up to net.ipv4.ping_group_range.

#include "t.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

static int port_of(int fd)
{
    struct sockaddr_in a;
    socklen_t n = sizeof(a);

    must(getsockname(fd, (void *)&a, &n) == 0);
    return ntohs(a.sin_port);
}

int main(void)
{
    struct {
        struct icmphdr h;
        char data[8];
    } p = {{.type = ICMP_ECHO, .un.echo = {.id = 77, .sequence = htons(3)}}, "payload"}, r;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}, from;
    socklen_t len = sizeof(from);
    int s = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);

    if (s < 0) { /* net.ipv4.ping_group_range */
        t_say("no ping socket");
        return 77;
    }
    ok(sendto(s, &p, sizeof(p), 0, (void *)&a, sizeof(a)) == sizeof(p), "ping");
    ok(recvfrom(s, &r, sizeof(r), 0, (void *)&from, &len) == sizeof(r) &&
           r.h.type == ICMP_ECHOREPLY && r.h.un.echo.sequence == htons(3) &&
           !memcmp(r.data, p.data, 8),
       "pong");
    ok(from.sin_addr.s_addr == a.sin_addr.s_addr && !from.sin_port, "from there");
    ok(ntohs(r.h.un.echo.id) == port_of(s), "the identifier is the kernel's");
    p.h.type = ICMP_ECHOREPLY;
    fails(sendto(s, &p, sizeof(p), 0, (void *)&a, sizeof(a)), EINVAL);
    fails(sendto(s, &p, 4, 0, (void *)&a, sizeof(a)), EINVAL);
    close(s);
    return t_done();
}
