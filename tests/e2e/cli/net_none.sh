#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# needs: /usr/sbin/ip /usr/bin/python3
# A sandbox without network: loopback and nothing else, as tools show it.
. "${0%/*}/lib.bash"

for mode in none sandbox; do
    check "links ($mode)" "lo UNKNOWN" "$($RUNSC --network=$mode do ip -br link | awk '{print $1, $2}')"
done
check addresses "lo UNKNOWN 127.0.0.1/8 ::1/128" "$($RUNSC --network=none do ip -br addr | xargs)"
check route "local 127.0.0.1 dev lo" "$($RUNSC do ip route get 127.0.0.1 | head -1 | cut -d' ' -f1-4)"
check unreachable "RTNETLINK answers: Network is unreachable" "$($RUNSC do ip route get 192.0.2.1 2>&1)"
check rules 3 "$($RUNSC do ip rule | wc -l)"
check change "RTNETLINK answers: Operation not supported" "$($RUNSC do ip addr add 10.0.0.1/8 dev lo 2>&1)"
cat >"$TMP/out.py" <<'END'
import socket
for family, kind, to in ((socket.AF_INET, socket.SOCK_STREAM, "192.0.2.1"), (socket.AF_INET, socket.SOCK_DGRAM, "8.8.8.8"),
                         (socket.AF_INET6, socket.SOCK_STREAM, "2001:db8::1"), (socket.AF_INET6, socket.SOCK_DGRAM, "fe80::1%lo"),
                         (socket.AF_INET, socket.SOCK_STREAM, "224.0.0.1")):
    try:
        socket.socket(family, kind).connect(socket.getaddrinfo(to, 9, family, kind)[0][4])
        print("connected")
    except OSError as e:
        print(e.strerror)
END
check "the world outside" "$(printf 'Network is unreachable\n%.0s' 1 2 3 4 5)" "$($RUNSC do python3 "$TMP/out.py" 2>&1)"
$RUNSC do "$GUEST/inet_ping" >"$TMP/ping" || bad "ping sockets: $(cat "$TMP/ping")"
finish
