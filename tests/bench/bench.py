#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures native, ptrace, kvm and any peer runtimes, all in one run, and prints ratios to native.

Each round runs every runtime once, one after the other, so that a change in the machine's speed touches all alike; the
medians of the rounds are compared. KVM is measured on this host when the probe finds its KVM fit, else in the emulated machine
of scripts/kvmbox together with a native and a ptrace run in that same machine.
A peer is an OCI runtime: --peer 'crun=crun --cgroup-manager=disabled' --peer 'gvisor=/usr/bin/runsc --network=none'.
"""
import argparse
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
NAMES = ["getppid", "clock_gettime", "pipe", "fault", "fork_exec", "mmap", "read4k", "read64k", "open_close", "stat",
         "small_file", "spin", "spin_two"]
RUN_TRUE = "run /bin/true"
ALL = NAMES + [RUN_TRUE]
COUNT = 1000000  # system calls for counting exits


class Bench:
    def __init__(self, args, where):
        self.args, self.where = args, where
        self.runsc = os.path.join(args.build, "runsc")
        self.program = os.path.join(args.build, "tests/bench/bench")
        self.samples = {}   # runtime -> benchmark -> nanoseconds of each round
        self.failed = {}
        self.limits, self.notes = {}, []
        self.top = tempfile.mkdtemp(prefix="ringfort-bench.", dir="/var/tmp")
        self.serial = 0

    def progress(self, text):
        end = "\r" if sys.stderr.isatty() else "\n"
        sys.stderr.write(f"{self.where}: {text}\033[K{end}" if end == "\r" else f"{self.where}: {text}{end}")
        sys.stderr.flush()

    def bundle(self, argv):
        """A bundle with a root of its own that holds the benchmark program and /bin/true."""
        folder = os.path.join(self.top, "bundle-" + os.path.basename(argv[0]) + str(len(argv)))
        root = os.path.join(folder, "rootfs")
        if not os.path.exists(folder):
            for d in ("bin", "tmp", "proc", "dev", "sys", "etc"):
                os.makedirs(os.path.join(root, d))
            shutil.copy(self.program, os.path.join(root, "bin/bench"))
            shutil.copy(self.program, os.path.join(root, "bin/true"))
        mounts = [{"destination": "/proc", "type": "proc", "source": "proc"},
                  {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                   "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
                  {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]
        config = {"ociVersion": "1.0.2", "hostname": "bench",
                  "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": argv, "cwd": "/",
                              "env": ["PATH=/bin"], "noNewPrivileges": True},
                  "root": {"path": "rootfs", "readonly": False}, "mounts": mounts,
                  "linux": {"namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount", "network")]}}
        with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
            json.dump(config, f)
        return folder

    def command(self, runtime, words, argv):
        if runtime == "native":
            return [self.program] + argv[1:]
        self.serial += 1
        return words + ["run", "--bundle", self.bundle(argv), f"bench-{os.getpid()}-{self.serial}"]

    def start(self, runtime, words, argv, timeout):
        cmd = self.command(runtime, words, argv)
        t = time.monotonic()
        r = subprocess.run(cmd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)
        t = time.monotonic() - t
        if r.returncode != 0:
            raise RuntimeError(f"{shlex.join(cmd)}: status {r.returncode}: {r.stderr.strip()[-300:]}")
        return t, r.stdout

    def sample(self, runtime, words):
        found = self.samples.setdefault(runtime, {})
        wanted = [n for n in self.args.only if n in NAMES]
        try:
            if wanted:
                for line in self.start(runtime, words, ["/bin/bench"] + wanted, self.args.timeout)[1].splitlines():
                    name, ns = line.split()
                    found.setdefault(name, []).append(float(ns))
            if RUN_TRUE in self.args.only:
                for _ in range(3):
                    found.setdefault(RUN_TRUE, []).append(self.start(runtime, words, ["/bin/true", "nothing"], 60)[0] * 1e9)
        except (RuntimeError, subprocess.TimeoutExpired, ValueError, OSError) as e:
            self.failed[runtime] = str(e)[:400]

    def find_limits(self, kvm):
        try:
            out = subprocess.run([os.path.join(self.args.build, "tests/bench/sysemu")], capture_output=True, text=True,
                                 timeout=60, check=True).stdout
            self.limits.setdefault("bare PTRACE_SYSEMU loop", []).append(float(out))
        except (OSError, subprocess.SubprocessError, ValueError) as e:
            self.notes.append(f"no PTRACE_SYSEMU limit: {e}")
        if kvm:
            out = subprocess.run([self.runsc, "debug-probe"], capture_output=True, text=True, timeout=60, check=False).stdout
            m = re.search(r"syscall-roundtrip-ns: (\d+)", out)
            if m:
                self.limits.setdefault("bare SYSCALL/SYSRET loop", []).append(float(m.group(1)))

    def exits(self):
        """KVM exits for one call: those of many calls less those of none, from the counters in the log."""
        def total(n):
            log = os.path.join(self.top, f"log{n}")
            words = [self.runsc, "--platform=kvm", "--debug", f"--debug-log={log}"]
            self.start("exits", words, ["/bin/bench", "count", "getppid", str(n)], 120)
            with open(log, encoding="utf-8", errors="replace") as f:
                return int(re.search(r"exits: total=(\d+)", f.read()).group(1))
        try:
            many, few = total(COUNT), total(1)
            self.notes.append(f"exits: {many} for {COUNT} getppid calls in a sandbox, {few} for 1: "
                              f"{max(many - few, 0) / COUNT:.6f} a call")
        except (RuntimeError, OSError, AttributeError, subprocess.TimeoutExpired) as e:
            self.notes.append(f"exits could not be counted: {e}")

    def run(self, runtimes):
        kvm = "kvm" in runtimes
        for n in range(self.args.rounds):
            for name, words in runtimes.items():
                if name not in self.failed:
                    self.progress(f"round {n + 1} of {self.args.rounds}: {name}")
                    self.sample(name, words)
            self.find_limits(kvm)
        if kvm and "kvm" not in self.failed:
            self.exits()
        shutil.rmtree(self.top, ignore_errors=True)
        return {"where": self.where,
                "median_ns": {r: {b: statistics.median(v) for b, v in found.items()} for r, found in self.samples.items()},
                "samples_ns": self.samples, "limits_ns": {k: statistics.median(v) for k, v in self.limits.items()},
                "failed": self.failed, "notes": self.notes}


def kvm_fit(runsc):
    try:
        return subprocess.run([runsc, "debug-probe"], capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


SPINNERS = ["spin", "spin_two"]


def in_box(args):
    """The same in the emulated machine, whose CPUs run in turn; what wants two at once has a boot of its own."""
    rest = [b for b in args.only if b not in SPINNERS]
    spinners = [b for b in args.only if b in SPINNERS]
    results = [boot(args, only, words) for only, words in ((rest, []), (spinners, ["--parallel"])) if only]
    for more in results[1:]:
        for runtime, medians in more["median_ns"].items():
            results[0]["median_ns"].setdefault(runtime, {}).update(medians)
        results[0]["failed"] = {**more["failed"], **results[0]["failed"]}
    return results[0]


def boot(args, only, words):
    """Measures `only` in one boot of the emulated machine; the JSON comes back through a shared folder."""
    share = tempfile.mkdtemp(prefix="ringfort-bench-box.", dir="/var/tmp")
    cmd = [os.path.join(ROOT, "scripts/kvmbox"), *words, "--share", share, "--bin", args.build, "--timeout", str(args.timeout * 10),
           "/usr/bin/python3", os.path.abspath(__file__), "--inside", "--build", args.build, "--rounds", str(args.rounds),
           "--json", share + "/result", "--timeout", str(args.timeout)]
    for b in only:
        cmd += ["--only", b]
    for p in args.peer:
        cmd += ["--peer", p]
    rc = subprocess.run(cmd, check=False, stdout=sys.stderr).returncode
    try:
        with open(share + "/result", encoding="utf-8") as f:
            return json.load(f)[0]
    except (OSError, ValueError):
        return {"where": "emulated machine", "median_ns": {}, "limits_ns": {}, "notes": [],
                "failed": {"kvmbox": f"status {rc}, no result"}}
    finally:
        shutil.rmtree(share, ignore_errors=True)


def human(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


def table(result):
    medians, out = result["median_ns"], [f"\n{result['where']}"]
    native = medians.get("native", {})
    others = [r for r in medians if r != "native"]
    out.append(f"  {'':14} {'native':>10}" + "".join(f"{r:>22}" for r in others))
    for b in ALL:
        if not any(b in m for m in medians.values()):
            continue
        row = f"  {b:14} {human(native[b]) if b in native else '-':>10}"
        for r in others:
            if b not in medians[r]:
                cell = "-"
            else:
                ratio = f"{medians[r][b] / native[b]:6.2f} x" if b in native else ""
                cell = f"{human(medians[r][b])} {ratio}"
            row += f"{cell:>22}"
        out.append(row)
    limits = result["limits_ns"]
    for name, runtime in (("bare PTRACE_SYSEMU loop", "ptrace"), ("bare SYSCALL/SYSRET loop", "kvm")):
        if name in limits:
            line = f"  limit, {name}: {human(limits[name])}"
            if "getppid" in medians.get(runtime, {}):
                line += f"; getppid under {runtime} is {medians[runtime]['getppid'] / limits[name]:.2f} times that"
            out.append(line)
    for r, m in medians.items():
        if "spin" in m and "spin_two" in m:
            out.append(f"  two CPU-bound threads take {m['spin_two'] / m['spin']:.2f} of the time of one ({r})")
    out += [f"  {n}" for n in result["notes"]]
    out += [f"  {r} FAILED: {why}" for r, why in result["failed"].items()]
    return "\n".join(out)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--build", default=os.path.join(ROOT, "build"))
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND", help="an OCI runtime to measure beside")
    ap.add_argument("--only", action="append", choices=ALL, help="only this benchmark (may be repeated)")
    ap.add_argument("--json", metavar="FILE", help="also write all figures there")
    ap.add_argument("--no-kvm", action="store_true", help="leave KVM out")
    ap.add_argument("--timeout", type=int, default=120, help="seconds for one run of one runtime")
    ap.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = ap.parse_args()
    args.build, args.only = os.path.abspath(args.build), args.only or ALL

    runsc = os.path.join(args.build, "runsc")
    runtimes = {"native": [], "ptrace": [runsc, "--platform=ptrace"]}
    fit = not args.no_kvm and (args.inside or kvm_fit(runsc))
    if fit:
        runtimes["kvm"] = [runsc, "--platform=kvm"]
    for p in args.peer:
        name, _, words = p.partition("=")
        runtimes[name] = shlex.split(words or name)
    results = [Bench(args, "emulated machine" if args.inside else "this host").run(runtimes)]
    if not fit and not args.no_kvm:
        results.append(in_box(args))
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1)
    if not args.inside:
        print("\n".join(table(r) for r in results))
    return 1 if any(r["failed"] for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
