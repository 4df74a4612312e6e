#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# needs: /usr/sbin/ip /usr/bin/python3
# timeout: 120
# --network=host: sockets of the network namespace that runsc is started in. Two namespaces and a veth pair: the
# sandbox in one serves and asks the other.
. "${0%/*}/lib.bash"

# The guest programs find the host's own loopback as they do natively.
for t in inet_tcp inet_udp inet_bind; do
    "$GUEST/$t" >"$TMP/native" 2>&1
    $RUNSC --network=host do "$GUEST/$t" >"$TMP/host" 2>&1
    diff "$TMP/native" "$TMP/host" >"$TMP/diff" || bad "$t: $(head -20 "$TMP/diff")"
done

in=rf-in-$$ out=rf-out-$$ pids=""
done_with() {
    [ -z "$pids" ] || kill -9 $pids 2>/dev/null
    ip netns del $in 2>/dev/null
    ip netns del $out 2>/dev/null
    rm -rf "$TMP"
}
trap done_with EXIT
if ! { ip netns add $in && ip netns add $out && ip -n $in link add v0 type veth peer name v1 netns $out; } 2>"$TMP/why"; then
    echo "no network namespaces here: $(cat "$TMP/why")"
    [ $failures = 0 ] && exit 77
    exit 1
fi
ip -n $in addr add 10.77.0.1/24 dev v0 && ip -n $in addr add fd77::1/64 dev v0 nodad
ip -n $out addr add 10.77.0.2/24 dev v1 && ip -n $out addr add fd77::2/64 dev v1 nodad
for end in "$in v0" "$out v1"; do
    ip -n ${end% *} link set lo up
    ip -n ${end% *} link set ${end#* } up
done
sleep 0.2

check interfaces "lo v0" "$(ip netns exec $in $RUNSC --network=host do ip -br link | cut -d@ -f1 | awk '{print $1}' | sort | xargs)"
check route "10.77.0.2 dev v0 src 10.77.0.1" "$(ip netns exec $in $RUNSC --network=host do ip -o route get 10.77.0.2 | grep -o '10.77.0.2 dev v0 src 10.77.0.1')"
check "nothing changes" "RTNETLINK answers: Operation not permitted" "$(ip netns exec $in $RUNSC --network=host do ip link set v0 down 2>&1 | sed 's/^.*: Operation/RTNETLINK answers: Operation/')"

# a client inside, a server outside
mkdir "$TMP/www"
head -c 3000000 /dev/urandom >"$TMP/www/blob"
(cd "$TMP/www" && exec ip netns exec $out python3 -m http.server --bind :: 8001 >/dev/null 2>&1) &
pids="$pids $!"
# a server inside on a low port, a client outside
ip netns exec $in $RUNSC --network=host do sh -c "cd $TMP/www && exec python3 -m http.server --bind :: 80" >/dev/null 2>"$TMP/server" &
pids="$pids $!"
cat >"$TMP/get.py" <<'END'
import hashlib, sys, time, urllib.request
for i in range(100):
    try:
        print(hashlib.sha256(urllib.request.urlopen(sys.argv[1], timeout=20).read()).hexdigest())
        break
    except OSError as e:
        if i == 99:
            print(e)
        time.sleep(0.1)
END
want=$(sha256sum <"$TMP/www/blob" | cut -d' ' -f1)
for host in 10.77.0.2 '[fd77::2]'; do
    check "from inside, $host" "$want" "$(ip netns exec $in $RUNSC --network=host do python3 "$TMP/get.py" "http://$host:8001/blob")"
done
for host in 10.77.0.1 '[fd77::1]'; do
    check "from outside, $host" "$want" "$(ip netns exec $out python3 "$TMP/get.py" "http://$host/blob")"
done
check "refused" "Connection refused" "$(ip netns exec $in $RUNSC --network=host do python3 -c '
import socket
try:
    socket.create_connection(("10.77.0.2", 9))
except OSError as e:
    print(e.strerror)')"
check "without it, nobody is there" "Network is unreachable" "$(ip netns exec $in $RUNSC --network=none do python3 -c '
import socket
try:
    socket.create_connection(("10.77.0.2", 8001))
except OSError as e:
    print(e.strerror)')"
finish
