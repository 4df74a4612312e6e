# SPDX-License-Identifier: Apache-2.0
"""Engines for the tests beside this file: a dockerd or a podman on private paths, in namespaces of its own.

Everything that an engine starts lives in a pid, mount and network namespace whose first process ends with us, so nothing
stays behind whatever a test did; control groups, which no namespace takes away, are removed by name.
"""
import glob
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time

BUSYBOX = next((p for p in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(p)), None)
SETUP = """
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null || true
touch "$1"
sleep 3600 &
wait # the shell takes up orphans, too
"""


class Failure(Exception):
    """A test's expectation was not met."""


def make_rootfs(path):
    """A tar file with busybox, its applets as links, and the usual directories."""
    top = tempfile.mkdtemp(prefix="rf-rootfs.")
    try:
        for d in ("bin", "etc", "home", "proc", "root", "run", "sys", "dev", "tmp", "var/www"):
            os.makedirs(os.path.join(top, d))
        shutil.copy(BUSYBOX, os.path.join(top, "bin/busybox"))
        for name in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if name != "busybox":
                os.symlink("busybox", os.path.join(top, "bin", name))
        for name, text in (("passwd", "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home:/bin/sh\n"),
                           ("group", "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n")):
            with open(os.path.join(top, "etc", name), "w", encoding="ascii") as f:
                f.write(text)
        os.chmod(os.path.join(top, "tmp"), 0o1777)
        with tarfile.open(path, "w") as tar:
            tar.add(top, ".")
    finally:
        shutil.rmtree(top)


class Engine:
    """What the two have in common. `run()` calls the client; `inside()` any program in the namespaces."""

    name = None

    def __init__(self, runsc, arguments):
        self.runsc, self.arguments = runsc, arguments
        self.dir = tempfile.mkdtemp(prefix="rf-engine.", dir="/var/tmp")
        os.chmod(self.dir, 0o755)
        self.cgroup = "rf-" + os.path.basename(self.dir).replace(".", "").replace("_", "")
        self.holder = None
        self.pid = None

    def start(self):
        self.holder = subprocess.Popen(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
                                        "sh", "-ec", SETUP, "setup", self.dir + "/ready"], stdin=subprocess.DEVNULL, start_new_session=True)
        for _ in range(200):
            if os.path.exists(self.dir + "/ready"):
                self.pid = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.holder.pid)], capture_output=True, text=True,
                                          check=True).stdout.strip()
                return
            time.sleep(0.05)
        raise Failure("the namespaces do not come up")

    def enter(self):
        return ["nsenter", "-t", self.pid, "-m", "-n", "-p", "--"]

    def inside(self, *argv, **kw):
        return subprocess.run(self.enter() + list(argv), **kw)

    def stop(self):
        if self.holder:
            self.holder.kill()
            self.holder.wait()
        time.sleep(0.3)
        for top in glob.glob(f"/sys/fs/cgroup/*/{self.cgroup}") + glob.glob(f"/sys/fs/cgroup/{self.cgroup}"):
            for parent, dirs, _ in os.walk(top, topdown=False):
                for d in dirs:
                    try:
                        os.rmdir(os.path.join(parent, d))
                    except OSError:
                        pass
            try:
                os.rmdir(top)
            except OSError:
                pass
        shutil.rmtree(self.dir, ignore_errors=True)

    def client(self):
        raise NotImplementedError

    def command(self, *args):
        return self.enter() + self.client() + list(args)

    def run(self, *args, stdin=None, timeout=60, check=True):
        """The client's result; output as text without the last newline."""
        p = subprocess.run(self.command(*args), input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=timeout, check=False)
        if check and p.returncode:
            raise Failure(f"{' '.join(args)}: status {p.returncode}: {p.stderr.strip()[-400:]}")
        p.stdout = p.stdout.rstrip("\n")
        return p

    def out(self, *args, **kw):
        return self.run(*args, **kw).stdout

    def once(self, *args, **kw):
        """A container that goes with its end."""
        return self.run("run", "--rm", *self.run_flags(), *args, **kw)

    def background(self, name, *args):
        self.run("run", "-d", "--name", name, *self.run_flags(), *args)

    def run_flags(self):
        return []

    def inspect(self, name, what):
        return self.out("inspect", "-f", "{{" + what + "}}", name)

    def cgroup_of(self, name):
        raise NotImplementedError

    def limit(self, controller, name, file):
        with open(f"/sys/fs/cgroup/{controller}/{self.cgroup_of(name)}/{file}", encoding="ascii") as f:
            return f.read().strip()

    def processes(self):
        return self.inside("ps", "-e", "-o", "pid=", capture_output=True, text=True, check=True).stdout.split()

    def wrapper(self):
        """An executable that is runsc with our arguments, for engines that take no arguments for a runtime."""
        path = os.path.join(self.dir, "runsc-wrapper")
        with open(path, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\nexec " + " ".join([self.runsc] + self.arguments) + ' "$@"\n')
        os.chmod(path, 0o755)
        return path


class Docker(Engine):
    name = "docker"
    programs = ("dockerd", "docker", "containerd")

    def start(self):
        super().start()
        config = {"runtimes": {"runsc": {"path": self.runsc, "runtimeArgs": self.arguments}}, "default-runtime": "runsc"}
        with open(os.path.join(self.dir, "daemon.json"), "w", encoding="ascii") as f:
            json.dump(config, f)
        self.daemon_start()
        rootfs = os.path.join(self.dir, "rootfs.tar")
        make_rootfs(rootfs)
        self.run("import", "-c", "ENV PATH=/bin", "-c", 'CMD ["sh"]', rootfs, "busybox")

    def daemon_start(self):
        log = open(os.path.join(self.dir, "dockerd.log"), "a", encoding="ascii")  # pylint: disable=consider-using-with
        self.daemon = subprocess.Popen(
            self.enter() + ["dockerd", "--config-file", self.dir + "/daemon.json", "--data-root", self.dir + "/data",
                            "--exec-root", "/run/docker", "-H", "unix://" + self.dir + "/sock", "--pidfile", self.dir + "/pid",
                            "--cgroup-parent", "/" + self.cgroup, "--bridge", "none", "--iptables=false", "--ip6tables=false",
                            "--ip-forward=false", "--ip-masq=false"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()
        for _ in range(300):
            if self.run("version", check=False).returncode == 0:
                return
            time.sleep(0.2)
        raise Failure("dockerd does not come up")

    def client(self):
        return ["/usr/bin/docker", "-H", "unix://" + self.dir + "/sock"]

    def cgroup_of(self, name):
        return f"{self.cgroup}/{self.inspect(name, '.Id')}"

    def run_flags(self):
        return ["--network", "none"]


class Podman(Engine):
    name = "podman"
    programs = ("podman", "conmon")

    def start(self):
        super().start()
        self.path = self.wrapper()
        rootfs = os.path.join(self.dir, "rootfs.tar")
        make_rootfs(rootfs)
        self.run("import", "-c", "ENV PATH=/bin", "-c", 'CMD ["sh"]', rootfs, "busybox")

    def client(self):
        return ["podman", "--root", self.dir + "/root", "--runroot", "/run/podman/run", "--tmpdir", "/run/podman/tmp",
                "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--storage-driver", "overlay",
                "--runtime", self.path]

    def cgroup_of(self, name):
        return f"{self.cgroup}/libpod-{self.inspect(name, '.Id')}"

    def run_flags(self):
        return ["--network", "none", "--cgroup-parent", "/" + self.cgroup]
