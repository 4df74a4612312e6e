#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# needs: /usr/bin/python3
"""The interpreter, its imports, files, mmap, json, sqlite3, time, random."""
import json, mmap, os, random, re, sqlite3, struct, sys, tempfile, time, zlib, hashlib, decimal

print(sys.version_info >= (3, 7), sum(range(1000)), [x * x for x in range(5)])
print(json.dumps(json.loads('{"b": [1, 2.5, null], "a": "\\u00e9"}'), sort_keys=True))
with tempfile.TemporaryDirectory() as d:
    path = os.path.join(d, "f")
    with open(path, "w+b") as f:
        f.write(b"0123456789" * 1000)
        f.flush()
        with mmap.mmap(f.fileno(), 0) as m:
            m[5:8] = b"abc"
            print(m.find(b"abc"), len(m), m[9990:])
        f.seek(0)
        print(f.read(10))
    os.rename(path, path + "2")
    print(sorted(os.listdir(d)), os.stat(path + "2").st_size)
    db = sqlite3.connect(os.path.join(d, "db"))
    db.execute("create table t (n integer primary key, s text)")
    with db:
        db.executemany("insert into t values (?, ?)", [(i, f"row {i}") for i in range(2000)])
    print(db.execute("select count(*), sum(n), max(s) from t where n % 3 = 0").fetchone())
    db.execute("pragma journal_mode=wal").fetchone()
    with db:
        db.execute("delete from t where n > 10")
    print(db.execute("select s from t order by n desc limit 2").fetchall())
    db.close()
random.seed(42)
print(random.randint(0, 10**9), round(random.gauss(0, 1), 6))
print(hashlib.sha256(b"x" * 100000).hexdigest()[:16], zlib.crc32(zlib.compress(b"y" * 50000) and b"y"))
t0 = time.monotonic()
time.sleep(0.05)
print(0.05 <= time.monotonic() - t0 < 5, time.gmtime(0).tm_year)
print(re.sub(r"(\w+)@(\w+)", r"\2 at \1", "user@host"), struct.pack("<IH", 1, 2), decimal.Decimal(1) / 7)
print(os.path.exists("/proc/self/exe"), os.cpu_count() >= 1, len(os.urandom(8)))
big = bytearray(50 << 20)
big[::4096] = b"x" * len(big[::4096])
print(big.count(b"x"))
try:
    open("/nonexistent")
except OSError as e:
    print(e)
sys.exit(17)
