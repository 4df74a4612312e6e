#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# needs: /usr/bin/python3
# timeout: 90
"""Threads, subprocesses, socket pairs, selectors, signals, multiprocessing, asyncio."""
import asyncio, os, queue, select, selectors, signal, socket, subprocess, sys, threading, time
import concurrent.futures, multiprocessing

q, total, lock = queue.Queue(), [0], threading.Lock()
def worker():
    while (n := q.get()) is not None:
        with lock:
            total[0] += n
threads = [threading.Thread(target=worker) for _ in range(16)]
for t in threads:
    t.start()
for i in range(5000):
    q.put(i)
for t in threads:
    q.put(None)
for t in threads:
    t.join()
print("threads", total[0])

r = subprocess.run(["sh", "-c", "cat; echo err >&2; exit 3"], input=b"through", capture_output=True)
print("subprocess", r)
p = subprocess.Popen(["sleep", "10"])
p.terminate()
print("terminated", p.wait())
try:
    subprocess.run(["sleep", "10"], timeout=0.1)
except subprocess.TimeoutExpired:
    print("timeout")
print("pipe", subprocess.check_output("seq 1 1000 | sort -n | tail -1", shell=True))
try:
    subprocess.run(["/nonexistent"])
except FileNotFoundError as e:
    print("missing", e.errno)

a, b = socket.socketpair()
t = threading.Thread(target=lambda: (b.sendall(b"z" * 1000000), b.close()))
t.start()
n = 0
while chunk := a.recv(65536):
    n += len(chunk)
t.join()
print("socketpair", n)
sel = selectors.DefaultSelector()
r, w = os.pipe()
sel.register(r, selectors.EVENT_READ, "pipe")
print("select", sel.select(0.01))
os.write(w, b"x")
print("select", [(k.data, e) for k, e in sel.select(1)])

got = []
signal.signal(signal.SIGALRM, lambda s, f: got.append(s))
signal.setitimer(signal.ITIMER_REAL, 0.05)
time.sleep(0.2)
print("alarm", got == [signal.SIGALRM])
pid = os.fork()
if pid == 0:
    os.kill(os.getpid(), signal.SIGKILL)
print("status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

def square(x):
    return x * x
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(3) as pool:
        print("pool", sum(pool.map(square, range(200))))
    with concurrent.futures.ThreadPoolExecutor(8) as ex:
        print("executor", sum(ex.map(square, range(100))))

async def ticker(n):
    await asyncio.sleep(0.01 * n)
    return n
async def run():
    proc = await asyncio.create_subprocess_exec("echo", "async", stdout=subprocess.PIPE)
    out, _ = await proc.communicate()
    return await asyncio.gather(*(ticker(i) for i in range(5))), out
print("asyncio", asyncio.run(run()))
