#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A command on a terminal: echo, line editing, Ctrl-C, Ctrl-Z with job control, window size, restored settings.

usage: terminal.py COMMAND...     runs COMMAND bash --norc -i on a pseudo-terminal and talks to it.
Run with no command at all it talks to the host's own bash: the expectations must hold there too.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

TIMEOUT = 30


class Terminal:
    def __init__(self, argv, rows=24, cols=80):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["PS1"] = "PROMPT> "
            os.environ["TERM"] = "dumb"
            os.execvp(argv[0], argv)
        self.resize(rows, cols)
        self.text = ""

    def resize(self, rows, cols):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def send(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern):
        """Wait for the pattern; returns the match and forgets all before it."""
        end = time.monotonic() + TIMEOUT
        while True:
            m = re.search(pattern, self.text)
            if m:
                self.text = self.text[m.end():]
                return m
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(f"no {pattern!r} in {self.text!r}")
            if select.select([self.fd], [], [], left)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:
                    data = b""
                if not data:
                    raise AssertionError(f"closed before {pattern!r}: {self.text!r}")
                self.text += data.decode(errors="replace")

    def run(self, command):
        self.send(command + "\n")
        self.expect(re.escape(command.splitlines()[0]))  # the echo

    def close(self):
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    if not os.read(self.fd, 65536):
                        break
                except OSError:
                    break
        pid, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


def main():
    t = Terminal(sys.argv[1:] + ["bash", "--norc", "-i"])
    t.expect("PROMPT> ")

    t.run("test -t 0 && test -t 1 && echo is-a-$((40+2))-tty")
    t.expect("is-a-42-tty")

    t.run("stty size")
    t.expect("24 80")
    t.expect("PROMPT> ")
    time.sleep(0.5)  # bash sets the size that it has got before each prompt
    t.resize(33, 101)
    time.sleep(1)
    t.run("stty size")
    t.expect("33 101")

    # line editing in the terminal driver, not in bash
    t.run("cat")
    time.sleep(0.5)  # until bash has given the terminal back from its own mode
    t.send("abX\x7fc\n")
    t.expect("\nabc\r?\n")
    t.send("\x04")
    t.expect("PROMPT> ")

    # Ctrl-C ends the foreground job only
    t.run("sleep 100")
    time.sleep(0.5)
    t.send("\x03")
    t.expect(r"\^C")
    t.expect("PROMPT> ")
    t.run("echo status=$?")
    t.expect("status=130")

    # Ctrl-Z stops it, fg goes on, the shell keeps the terminal in between
    t.run("sleep 100")
    time.sleep(0.5)
    t.send("\x1a")
    t.expect("Stopped")
    t.expect("PROMPT> ")
    t.run("jobs")
    t.expect(r"Stopped\s+sleep 100")
    t.run("fg")
    t.expect("sleep 100")
    time.sleep(0.3)
    t.send("\x03")
    t.expect("PROMPT> ")

    # a background job that reads is stopped by SIGTTIN
    t.run("cat &")
    time.sleep(0.5)
    t.run("jobs -s; echo end-of-jobs")
    t.expect(r"Stopped(\(SIGTTIN\))?.*cat")
    t.expect("end-of-jobs")
    t.run("kill -9 %1; wait 2>/dev/null; echo gone")
    t.expect("gone")

    t.run("exit 7")
    status = t.close()
    assert status == 7, f"exit status {status}, not 7"
    print("terminal: all as expected")


if __name__ == "__main__":
    signal.alarm(TIMEOUT * 4)
    main()
