#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# needs: /usr/bin/python3
# Servers and clients that talk over loopback, and what libraries find out about the network.
exec /usr/bin/python3 - <<'END'
import asyncio, contextlib, http.server, ipaddress, os, select, socket, socketserver, subprocess, threading
import urllib.error, urllib.request, xmlrpc.client, xmlrpc.server


def http_case():
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = self.path.encode() * 1000
            self.send_response(200 if self.path != "/no" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            n = int(self.headers["Content-Length"])
            body = self.rfile.read(n)[::-1]
            self.send_response(200)
            self.send_header("Content-Length", str(n))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
        class Server(http.server.ThreadingHTTPServer):
            address_family = family

        server = Server((host, 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        name = f"[{host}]" if ":" in host else host
        url = f"http://{name}:{server.server_address[1]}"
        print(len(urllib.request.urlopen(url + "/page").read()))
        data = os.urandom(300000)
        print(urllib.request.urlopen(url + "/echo", data).read() == data[::-1])
        try:
            urllib.request.urlopen(url + "/no")
        except urllib.error.HTTPError as e:
            print(e.code)
        server.shutdown()
        server.server_close()
        try:
            urllib.request.urlopen(url)
        except urllib.error.URLError as e:
            print(e.reason)


async def asyncio_case():
    async def echo(reader, writer):
        while data := await reader.read(1000):
            writer.write(data.upper())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "localhost", 0, family=socket.AF_INET)
    port = server.sockets[0].getsockname()[1]

    async def client(i):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        text = f"client {i} ".encode() * 500
        writer.write(text)
        writer.write_eof()
        got = await reader.read(-1)
        writer.close()
        await writer.wait_closed()
        return got == text.upper()

    print(all(await asyncio.gather(*(client(i) for i in range(50)))))
    server.close()
    await server.wait_closed()

    class Udp(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, addr):
            self.transport.sendto(data[::-1], addr)

    class Client(asyncio.DatagramProtocol):
        def __init__(self):
            self.got = asyncio.get_running_loop().create_future()

        def datagram_received(self, data, addr):
            self.got.set_result(data)

    loop = asyncio.get_running_loop()
    t, _ = await loop.create_datagram_endpoint(Udp, local_addr=("127.0.0.1", 0))
    c, p = await loop.create_datagram_endpoint(Client, remote_addr=t.get_extra_info("sockname"))
    c.sendto(b"abc")
    print(await p.got)
    c.close()
    t.close()
    try:
        await asyncio.open_connection("127.0.0.1", port)
    except OSError as e:
        print(type(e).__name__)


def select_case():
    a = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    clients = [socket.create_connection((h, a.getsockname()[1])) for h in ("127.0.0.1", "::1", "localhost")]
    for c in clients:
        s, peer = a.accept()
        print(len(peer), ipaddress.ip_address(peer[0]).is_loopback or peer[0], s.family.name)
        c.sendall(b"x" * 10)
        print(select.select([s], [s], [s], 5)[0] == [s], s.recv(100))
        s.close()
        print(c.recv(10))
        c.close()
    with contextlib.suppress(BlockingIOError):
        a.setblocking(False)
        a.accept()
        print("nobody should be there")


def names_case():
    print(socket.if_nametoindex("lo"), "lo" in [n for _, n in socket.if_nameindex()])
    print({i[4][0] for i in socket.getaddrinfo("localhost", 80, socket.AF_INET)})
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("127.0.0.9", 9))
    print(s.getsockname()[0])
    with open("/proc/net/dev") as f:
        print([line.split(":")[0].strip() for line in f][2])
    l = socket.create_server(("127.0.0.1", 0))
    want = f"0100007F:{l.getsockname()[1]:04X} 00000000:0000 0A"
    with open("/proc/net/tcp") as f:
        print(any(want in line for line in f))
    u = socket.socket(socket.AF_UNIX)
    u.bind("\0rf-case-%d" % os.getpid())
    with open("/proc/net/unix") as f:
        print(any(line.rstrip().endswith("@rf-case-%d" % os.getpid()) for line in f))


def sendfile_case():
    a, b = socket.create_server(("127.0.0.1", 0)), None
    c = socket.create_connection(a.getsockname())
    s, _ = a.accept()
    with open("/usr/bin/python3", "rb") as f:
        want = f.read()
        t = threading.Thread(target=lambda: (c.sendfile(f, 0), c.close()))
        t.start()
        got = b"".join(iter(lambda: s.recv(65536), b""))
        t.join()
    print(got == want)


def rpc_case():
    server = xmlrpc.server.SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False)
    server.register_function(lambda a, b: a + b, "add")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(xmlrpc.client.ServerProxy(f"http://127.0.0.1:{server.server_address[1]}").add(40, 2))


http_case()
asyncio.run(asyncio_case())
select_case()
names_case()
sendfile_case()
rpc_case()
END
