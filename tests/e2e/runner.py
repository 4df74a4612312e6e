#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every test and prints one line for each that fails, and a summary as the last line.

unit/NAME   the unit tests, through "meson test"
guest/NAME  a program of tests/guest; case/NAME: a script of tests/e2e/cases. Both run natively and in the sandbox;
            standard output and exit status must be those of the native run, which itself must be right.
cli/NAME    a script of tests/e2e/cli, run outside of the sandbox with $RUNSC naming the command; status 0 is a pass, 77 a skip.

Each of the latter three runs under ptrace and under KVM. Where the host's own KVM is absent or unfit, all KVM runs share
one boot of scripts/kvmbox. Comments in a script's head: "# needs: PROGRAM...", "# timeout: SECONDS", "# only: PLATFORM...".
"""
import argparse
import collections
import concurrent.futures
import ctypes
import difflib
import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PLATFORMS = ("ptrace", "kvm")
TIMEOUT = 60
BOX_FACTOR = 4      # how much longer a test may take in the emulated machine
BOX_TIMEOUT = 3000  # for all of them

Result = collections.namedtuple("Result", "status out err")


class Test:
    """One program or script, not yet bound to a platform."""

    def __init__(self, kind, name, path):
        self.kind, self.name, self.path = kind, name, path
        self.id = f"{kind}/{name}"
        self.needs, self.only, self.timeout, self.stdin = [], PLATFORMS, TIMEOUT, "/dev/null"
        if kind == "guest":
            return
        with open(path, encoding="utf-8") as f:
            head = f.read(4000)
        for key, value in re.findall(r"^# (needs|timeout|only): (.*)$", head, re.M):
            setattr(self, key, int(value) if key == "timeout" else value.split())
        if os.path.exists(path[:-3] + ".in"):
            self.stdin = path[:-3] + ".in"

    def missing(self):
        return [n for n in self.needs if not shutil.which(n)]

    def command(self, build, data, runsc):
        """The argument vector; runsc is the list of words that starts the sandbox, or [] for a native run."""
        if self.kind == "cli":
            return ["bash", self.path]
        if self.kind == "guest":
            # Below a shell, so that the program is not the sandbox's first process.
            inner = ["/bin/sh", "-c", '"$0"; exit $?', self.path]
        else:
            inner = [self.path, os.path.join(build, "tests/guest"), data]
        return inner if not runsc else runsc + ["do"] + inner

    def environment(self, build, data, runsc):
        if self.kind != "cli":
            return {}
        return {"RUNSC": shlex.join(runsc), "GUEST": os.path.join(build, "tests/guest"), "DATA": data, "ROOT": ROOT,
                "BUILD": build}


def find_tests(build):
    tests = []
    guest = os.path.join(build, "tests/guest")
    for name in sorted(os.listdir(guest)) if os.path.isdir(guest) else []:
        path = os.path.join(guest, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            tests.append(Test("guest", name, path))
    for kind, folder in (("case", "cases"), ("cli", "cli")):
        folder = os.path.join(HERE, folder)
        for name in sorted(os.listdir(folder)):
            if name.endswith(".sh"):
                tests.append(Test(kind, name[:-3], os.path.join(folder, name)))
    return tests


def make_tree(top):
    """The tree that file-walking cases work on: the same on every run."""
    for d in range(12):
        for e in range(5):
            folder = os.path.join(top, f"dir{d:02}", f"sub{e}")
            os.makedirs(folder)
            for f in range(6):
                with open(os.path.join(folder, f"file{f}.txt"), "w", encoding="ascii") as out:
                    out.write("".join(f"{d} {e} {f} line {n} {n * 7919 % 1000}\n" for n in range((d * e + f) * 3)))
            os.symlink("file0.txt", os.path.join(folder, "link"))
    for parent, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(parent, name)
            if not os.path.islink(path):
                os.chmod(path, 0o755 if os.path.isdir(path) else 0o644)
            os.utime(path, (1600000000, 1600000000), follow_symlinks=False)
    os.utime(top, (1600000000, 1600000000))


def execute(argv, env, stdin, timeout):
    with open(stdin, "rb") as inp, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        p = subprocess.Popen(argv, stdin=inp, stdout=out, stderr=err, cwd="/", env=dict(os.environ, **env),
                             start_new_session=True)
        try:
            status = p.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()
            status = "time-out"
        if isinstance(status, int) and status < 0:
            status = 128 - status
        out.seek(0)
        err.seek(0)
        return Result(status, out.read(), err.read())


def kill_leftovers():
    """Ends what timed-out tests left behind: orphans become our children (we are a subreaper)."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                ppid = int(f.read().rsplit(")", 1)[1].split()[1])
            if ppid == os.getpid():
                os.kill(int(pid), signal.SIGKILL)
                os.waitpid(int(pid), 0)
        except (OSError, IndexError, ValueError):
            pass


class Runner:
    def __init__(self, args, data):
        self.args, self.data = args, data
        self.build = os.path.abspath(args.build)
        self.passed, self.failed, self.skipped = 0, 0, 0
        self.native = {}

    def progress(self, text):
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\033[K{text}")
            sys.stderr.flush()

    def skip(self, name, why):
        self.progress("")
        self.skipped += 1
        print(f"skip {name}: {why}")

    def fail(self, name, why, detail=""):
        self.progress("")
        self.failed += 1
        print(f"FAIL {name}: {why}")
        for line in detail.splitlines()[:self.args.lines]:
            print("    " + line)
        sys.stdout.flush()

    def runsc(self, platform):
        return [os.path.join(self.build, "runsc"), f"--platform={platform}"]

    def all(self, tests, runsc):
        """Runs the tests on this host, yields (test, result)."""
        with concurrent.futures.ThreadPoolExecutor(self.args.jobs) as pool:
            futures = {pool.submit(execute, t.command(self.build, self.data, runsc),
                                   t.environment(self.build, self.data, runsc), t.stdin, t.timeout): t for t in tests}
            for n, f in enumerate(concurrent.futures.as_completed(futures)):
                self.progress(f"{runsc[-1] if runsc else 'native'}: {n + 1} of {len(tests)}")
                yield futures[f], f.result()
        kill_leftovers()

    def run_native(self, tests):
        """The reference; a test that does not hold here is itself wrong."""
        for t, r in self.all([t for t in tests if t.kind != "cli"], []):
            self.native[t.id] = r
            wrong = [line for line in r.out.decode(errors="replace").splitlines() if line.startswith("FAIL")]
            if r.status == "time-out" or wrong:
                self.fail(f"native {t.id}", f"status {r.status}",
                          "\n".join(wrong) + "\n" + (r.out[-600:] + r.err).decode(errors="replace"))
            elif r.status == 77:
                self.skip(f"native {t.id}", "does not apply here")
            else:
                self.passed += 1

    def judge(self, platform, t, r):
        name = f"{platform} {t.id}"
        err = r.err.decode(errors="replace")
        if t.kind == "cli":
            if r.status == 0:
                self.passed += 1
            elif r.status == 77:
                self.skip(name, (r.out + r.err).decode(errors="replace").strip().replace("\n", "; "))
            else:
                self.fail(name, f"status {r.status}", r.out.decode(errors="replace") + err)
            return
        want = self.native.get(t.id)
        if want is None or want.status == 77:
            return
        if (r.status, r.out) == (want.status, want.out):
            self.passed += 1
            return
        diff = difflib.unified_diff(want.out.decode(errors="replace").splitlines(),
                                    r.out.decode(errors="replace").splitlines(), "native", platform, "", "", 1, "")
        tail = "\n".join(err.splitlines()[-12:])
        self.fail(name, f"status {r.status}, native {want.status}", "\n".join(diff) + ("\nstderr:\n" + tail if tail else ""))

    def run_host(self, platform, tests):
        for t, r in self.all(tests, self.runsc(platform)):
            self.judge(platform, t, r)

    def run_box(self, tests):
        """All in one boot of the emulated machine; each result is a set of files in a shared folder."""
        share = tempfile.mkdtemp(prefix="ringfort-box.", dir="/var/tmp")
        runsc = self.runsc("kvm")
        for n, t in enumerate(tests):
            env = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in t.environment(self.build, self.data, runsc).items())
            with open(f"{share}/{n:04}.job", "w", encoding="utf-8") as f:
                f.write(f"cd /\n{env}o=/run/{n:04}\n"
                        f"timeout -k 5 {t.timeout * BOX_FACTOR} {shlex.join(t.command(self.build, self.data, runsc))} "
                        f"<{t.stdin} >$o.out 2>$o.err\nrc=$?\ncp $o.out $o.err {share}/\n"
                        f"echo $rc >{share}/{n:04}.rc\nrm -f $o.*\n")
        batch = f"{share}/batch"
        with open(batch, "w", encoding="utf-8") as f:
            f.write(f"ls {share}/*.job | xargs -P {self.args.jobs} -n 1 bash\n")
        box = subprocess.Popen([os.path.join(ROOT, "scripts/kvmbox"), "--share", share, "--bin", self.build, "--smp", "2",
                                "--mem", "4G", "--timeout", str(BOX_TIMEOUT), "--batch", batch],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while True:
            try:
                noise = box.communicate(timeout=1)[0]
                break
            except subprocess.TimeoutExpired:
                done = sum(name.endswith(".rc") for name in os.listdir(share))
                self.progress(f"kvm, in the box: {done} of {len(tests)}")
        if box.returncode == 77:
            for t in tests:
                self.skip(f"kvm {t.id}", "no fit /dev/kvm, and " + noise.decode(errors="replace").strip().split("\n")[-1])
            tests = []
        for n, t in enumerate(tests):
            try:
                r = []
                for ext in ("rc", "out", "err"):
                    with open(f"{share}/{n:04}.{ext}", "rb") as f:
                        r.append(f.read())
                status = int(r[0])
                self.judge("kvm", t, Result("time-out" if status in (124, 137) and t.kind != "case" else status, r[1], r[2]))
            except (OSError, ValueError):
                self.fail(f"kvm {t.id}", "no result from the box", noise.decode(errors="replace")[-2000:])
        shutil.rmtree(share, ignore_errors=True)

    def kvm_fit(self):
        try:
            return subprocess.run([os.path.join(self.build, "runsc"), "debug-probe"], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, timeout=20, check=False).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False

    def run_platform(self, platform, tests):
        chosen = []
        for t in tests:
            if platform not in t.only:
                continue
            if t.missing():
                continue
            chosen.append(t)
        if platform == "kvm" and chosen and (self.args.box or not self.kvm_fit()):
            self.run_box(chosen)
        else:
            self.run_host(platform, chosen)

    def run_unit(self, wanted):
        log = os.path.join(self.build, "meson-logs/testlog.json")
        if os.path.exists(log):
            os.unlink(log)
        listed = subprocess.run(["meson", "test", "-C", self.build, "--list", "--no-rebuild"], capture_output=True,
                                text=True, check=False).stdout.split("\n")
        names = [line.split(" / ")[-1].strip() for line in listed if line.strip() and not line.startswith(("ninja", "No "))]
        names = [n for n in names if wanted(f"unit/{n}")]
        if not names:
            return
        subprocess.run(["meson", "test", "-C", self.build, "--no-rebuild"] + names, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if not os.path.exists(log):
            self.fail("unit", "meson test left no log")
            return
        with open(log, encoding="utf-8") as f:
            for line in f:
                t = json.loads(line)
                name = "unit/" + t["name"].split(" / ")[-1]
                if t["result"] in ("OK", "EXPECTEDFAIL"):
                    self.passed += 1
                elif t["result"] == "SKIP":
                    self.skip(name, "skipped itself")
                else:
                    self.fail(name, t["result"], (t.get("stdout") or "")[-3000:] + (t.get("stderr") or "")[-3000:])


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--build", default=os.path.join(ROOT, "build"))
    ap.add_argument("--platform", action="append", choices=PLATFORMS + ("native",), help="only this one (may be repeated)")
    ap.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="tests at a time")
    ap.add_argument("--lines", type=int, default=40, help="lines of detail of a failure")
    ap.add_argument("--box", action="store_true", help="KVM runs in the emulated machine even if the host's KVM is fit")
    ap.add_argument("--list", action="store_true", help="only list the tests")
    ap.add_argument("pattern", nargs="*", help="run only tests whose name matches")
    args = ap.parse_args()

    def wanted(name):
        return not args.pattern or any(fnmatch.fnmatch(name, p) or fnmatch.fnmatch(name.split("/")[1], p) for p in args.pattern)

    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER, for kill_leftovers()
    tests = [t for t in find_tests(os.path.abspath(args.build)) if wanted(t.id)]
    if args.list:
        print("\n".join(t.id for t in tests))
        return 0
    start = time.monotonic()
    data = tempfile.mkdtemp(prefix="ringfort-test.", dir="/var/tmp")
    os.chmod(data, 0o755)
    make_tree(os.path.join(data, "tree"))
    r = Runner(args, data)
    try:
        if not args.platform:
            r.run_unit(wanted)
        for t in tests:
            if t.missing():
                r.skip(t.id, "needs " + " ".join(t.missing()))
        r.run_native([t for t in tests if not t.missing()])
        for platform in args.platform or PLATFORMS:
            if platform != "native":
                r.run_platform(platform, tests)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    r.progress("")
    print(f"took {time.monotonic() - start:.0f} s", file=sys.stderr)
    print(f"{r.passed} passed, {r.failed} failed, {r.skipped} skipped", flush=True)
    return 1 if r.failed else 0


if __name__ == "__main__":
    sys.exit(main())
