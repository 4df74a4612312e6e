#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a real dockerd and a real podman get done with runsc.

usage: engines.py [--engine docker|podman] [--only REGEX] RUNSC [ARGUMENT...]

Prints a line for each behaviour, then a summary; status 1 when one fails, 77 when no engine is installed.
"""
import argparse
import fcntl
import glob
import os
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time

from engine import BUSYBOX, Docker, Failure, Podman

TESTS = []


def test(f):
    TESTS.append(f)
    return f


def equal(got, want, what=""):
    if got != want:
        raise Failure(f"{what}: wanted {want!r}, got {got!r}"[:600])


def true(condition, what):
    if not condition:
        raise Failure(what)


def until(f, what, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        if f():
            return
        time.sleep(0.1)
    raise Failure(f"never: {what}")


@test
def runs_a_command(e, name):
    equal(e.once("busybox", "sh", "-c", "echo $$; pwd; uname -s").stdout, "1\n/\nLinux")


@test
def is_a_kernel_of_its_own(e, name):
    true(e.once("busybox", "uname", "-r").stdout != os.uname().release, "the host's kernel release")
    true("gVisor" in e.once("busybox", "dmesg").stdout, "no banner in dmesg")


@test
def exit_status(e, name):
    equal(e.once("busybox", "sh", "-c", "exit 42", check=False).returncode, 42)
    equal(e.once("busybox", "sh", "-c", "kill -9 $$; sh -c 'kill -9 $$'; exit $?", check=False).returncode, 137)


@test
def command_that_cannot_run(e, name):
    equal(e.once("busybox", "/no/such", check=False).returncode, 127, "missing")
    equal(e.once("busybox", "/etc/passwd", check=False).returncode, 126, "not executable")


@test
def streams(e, name):
    p = e.once("-i", "busybox", "sh", "-c", "cat; echo err >&2", stdin="in\n")
    equal((p.stdout, p.stderr.strip()), ("in", "err"))
    equal(len(e.once("busybox", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x").stdout), 3000000)


@test
def environment_user_directory(e, name):
    cwd = "/not/there" if e.name == "docker" else "/etc"  # podman wants it to be there
    equal(e.once("-e", "A=b c", "-w", cwd, "-u", "1000:1234", "busybox", "sh", "-c",
                 'echo "$A $(pwd) $(id -u) $(id -g)"').stdout, f"b c {cwd} 1000 1234")
    equal(e.once("-h", "box", "busybox", "hostname").stdout, "box")


@test
def executes_in_a_container(e, name):
    e.background(name, "busybox", "sleep", "1000")
    equal(e.out("exec", name, "sh", "-c", "echo in"), "in")
    equal(e.out("exec", "-i", name, "cat", stdin="through\n"), "through")
    equal(e.run("exec", name, "sh", "-c", "exit 9", check=False).returncode, 9)
    equal(e.out("exec", "-u", "1000", "-e", "K=v", "-w", "/etc", name, "sh", "-c", "echo $K $(pwd) $(id -u)"), "v /etc 1000")
    true(e.run("exec", name, "/no/such", check=False).returncode in (126, 127), "a missing command has another status")
    e.run("exec", "-d", name, "sh", "-c", "echo done >/flag")
    until(lambda: e.run("exec", name, "test", "-s", "/flag", check=False).returncode == 0, "a detached exec writes")
    for i in range(10):
        equal(e.out("exec", name, "echo", str(i)), str(i))


@test
def exec_ends_with_its_container(e, name):
    e.background(name, "busybox", "sleep", "1000")
    with subprocess.Popen(e.command("exec", name, "sleep", "500"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as p:
        time.sleep(1.5)
        e.run("kill", name)
        try:
            true(p.wait(15) != 0, "status 0")
        except subprocess.TimeoutExpired:
            p.kill()
            raise Failure("the exec hangs") from None


def on_terminal(argv, size, seconds=30):
    """Everything that a command prints on a terminal of that size."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    text = b""
    with subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as p:
        os.close(slave)
        end = time.time() + seconds
        while select.select([master], [], [], max(0, end - time.time()))[0]:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            if not data:
                break
            text += data
        else:
            p.kill()
    os.close(master)
    return text.decode(errors="replace")


@test
def terminal(e, name):
    said = on_terminal(e.command("run", "--rm", "-it", *e.run_flags(), "busybox", "sh", "-c",
                                 "test -t 0 && test -t 1 && sleep 1 && echo tty $(stty size)"), (31, 77))
    true("tty 31 77" in said, f"no terminal of that size: {said}")
    e.background(name, "busybox", "sleep", "1000")
    said = on_terminal(e.command("exec", "-it", name, "sh", "-c", "tty; sleep 1; echo size $(stty size)"), (33, 99))
    true("/dev/pts/" in said and "size 33 99" in said, f"no terminal for exec: {said}")


@test
def logs_and_status(e, name):
    e.background(name, "busybox", "sh", "-c", "echo one; echo two; exit 5")
    equal(e.out("wait", name), "5")
    equal(e.out("logs", name), "one\ntwo")
    equal(e.inspect(name, ".State.ExitCode"), "5")


TRAPPER = 'trap "echo got-term; exit 7" TERM; trap "echo got-usr1" USR1; echo ready; while :; do sleep 0.1; done'


@test
def signals(e, name):
    e.background(name, "busybox", "sh", "-c", TRAPPER)
    until(lambda: "ready" in e.out("logs", name), "ready")
    e.run("kill", "-s", "USR1", name)
    until(lambda: "got-usr1" in e.out("logs", name), "USR1 arrives")
    e.run("stop", "-t", "20", name)
    equal(e.inspect(name, ".State.ExitCode"), "7")
    true("got-term" in e.out("logs", name), "TERM did not arrive")


@test
def stop_after_time_and_kill(e, name):
    e.background(name, "busybox", "sh", "-c", 'trap "" TERM; echo ready; while :; do sleep 1; done')
    until(lambda: "ready" in e.out("logs", name), "ready")
    e.run("stop", "-t", "1", name)
    equal(e.inspect(name, ".State.ExitCode"), "137")


@test
def pause_and_unpause(e, name):
    e.background(name, "busybox", "sh", "-c", "while :; do echo x >>/n; sleep 0.1; done")
    e.run("pause", name)
    equal(e.inspect(name, ".State.Status"), "paused")
    e.run("unpause", name)
    until(lambda: int(e.out("exec", name, "sh", "-c", "wc -l </n")) > 5, "it goes on")
    e.run("pause", name)
    e.run("rm", "-f", name)


@test
def restart_keeps_files(e, name):
    e.background(name, "busybox", "sh", "-c", "echo up >>/log; exec sleep 1000")
    until(lambda: e.run("exec", name, "test", "-s", "/log", check=False).returncode == 0, "/log")
    e.run("restart", "-t", "1", name)
    until(lambda: e.run("exec", name, "sh", "-c", "wc -l </log", check=False).stdout.strip() == "2", "two lines in /log")


@test
def copies(e, name):
    if e.name == "podman":
        return  # it enters the mount namespace of the container's process, where ours has nothing
    e.background(name, "busybox", "sleep", "1000")
    with open(e.dir + "/f", "w", encoding="ascii") as f:
        f.write("copied")
    e.run("cp", e.dir + "/f", name + ":/in")
    equal(e.out("exec", name, "cat", "/in"), "copied")
    e.run("exec", name, "sh", "-c", "echo out >/out")
    e.run("cp", name + ":/out", e.dir + "/g")
    with open(e.dir + "/g", encoding="ascii") as f:
        equal(f.read(), "out\n")


@test
def volumes(e, name):
    os.makedirs(e.dir + "/v", exist_ok=True)
    e.once("-v", e.dir + "/v:/v", "busybox", "sh", "-c", "echo in >/v/f")
    with open(e.dir + "/v/f", encoding="ascii") as f:
        equal(f.read(), "in\n")
    true(e.once("-v", e.dir + "/v:/v:ro", "busybox", "touch", "/v/g", check=False).returncode != 0, "a read-only volume is written")
    true(e.once("--read-only", "busybox", "touch", "/x", check=False).returncode != 0, "a read-only root is written")
    e.once("--read-only", "--tmpfs", "/tmp", "busybox", "touch", "/tmp/x")


@test
def limits(e, name):
    e.background(name, "-m", "64m", "--cpus", "0.5", "--pids-limit", "33", "busybox", "sleep", "1000")
    if os.path.isdir("/sys/fs/cgroup/memory"):
        equal(e.limit("memory", name, "memory.limit_in_bytes"), "67108864")
        true(e.limit("memory", name, "cgroup.procs"), "nothing in the control group")
        equal(e.limit("cpu", name, "cpu.cfs_quota_us"), "50000")
    equal(e.out("exec", name, "nproc"), "1")
    p = e.run("exec", name, "sh", "-c", "for i in $(seq 60); do sleep 20 & done; echo started", check=False)
    true("fork" in p.stderr or p.returncode != 0, "more processes than the limit")


@test
def memory_limit_ends_a_container(e, name):
    equal(e.run("run", "--name", name, *e.run_flags(), "-m", "48m", "busybox", "tail", "/dev/zero", check=False).returncode, 137)


@test
def capabilities(e, name):
    def of(*flags):
        return e.once(*flags, "busybox", "grep", "CapEff", "/proc/self/status").stdout.split()[1]
    equal(of("--cap-drop", "ALL"), "0" * 16)
    true(int(of("--cap-add", "SYS_ADMIN"), 16) >> 21 & 1, "no CAP_SYS_ADMIN")
    equal(e.once("--security-opt", "no-new-privileges", "busybox", "grep", "NoNewPrivs", "/proc/self/status").stdout.split()[1], "1")


@test
def top_and_stats(e, name):
    e.background(name, "busybox", "sleep", "4321")
    true(e.name != "docker" or "sleep 4321" in e.out("top", name), "top")
    true(not e.out("stats", "--no-stream", "--format", "{{.MemUsage}}", name).startswith("0B"), "no memory used")


@test
def killed_sandbox_is_noticed(e, name):
    e.background(name, "busybox", "sleep", "1000")
    e.inside("kill", "-9", e.inspect(name, ".State.Pid"), check=True)
    until(lambda: e.inspect(name, ".State.Running") == "false", "it is seen")
    equal(e.inspect(name, ".State.ExitCode"), "137")


@test
def many_at_once(e, name):
    names = [f"{name}-{i}" for i in range(8)]
    for n in names:
        e.background(n, "busybox", "sleep", "1000")
    for i, n in enumerate(names):
        equal(e.out("exec", n, "echo", str(i)), str(i))
    e.run("rm", "-f", *names)


@test
def nothing_stays_behind(e, name):
    before = len(e.processes())
    for i in range(5):
        e.background(name, "busybox", "sleep", "1000")
        e.run("rm", "-f", name)
    until(lambda: len(e.processes()) <= before, "the processes go")
    until(lambda: not [d for d in glob.glob(f"/sys/fs/cgroup/*/{e.cgroup}/*/") if not d.endswith("/conmon/")], "the control groups go")


def run_engine(e, only):
    passed = failed = 0
    e.start()
    for f in TESTS:
        if only and not re.search(only, f.__name__):
            continue
        name = f"rf-{f.__name__.replace('_', '-')}"
        began = time.time()
        try:
            f(e, name)
            print(f"PASS {e.name} {f.__name__} ({int((time.time() - began) * 1000)} ms)")
            passed += 1
        except (Failure, subprocess.SubprocessError, OSError, ValueError, IndexError) as x:
            print(f"FAIL {e.name} {f.__name__}: {x}")
            failed += 1
        sys.stdout.flush()
        left = e.out("ps", "-aq", check=False).split()
        if left:
            e.run("rm", "-f", *left, check=False)
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("docker", "podman"))
    parser.add_argument("--only")
    parser.add_argument("runsc")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    passed = failed = ran = 0
    for cls in (Docker, Podman):
        if args.engine not in (None, cls.name) or not BUSYBOX or os.geteuid() or not all(map(shutil.which, cls.programs)):
            continue
        engine = cls(os.path.abspath(args.runsc), args.arguments)
        try:
            p, f = run_engine(engine, args.only)
        finally:
            engine.stop()
        passed, failed, ran = passed + p, failed + f, ran + 1
    print(f"{passed} passed, {failed} failed, {ran} engines")
    sys.exit(77 if not ran else 1 if failed else 0)


if __name__ == "__main__":
    main()
