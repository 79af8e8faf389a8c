# SPDX-License-Identifier: Apache-2.0
"""A terminal of our own for a program: terminal.py COLUMNSxROWS STEPS -- PROGRAM ...

STEPS is a file, a step a line:
  see TEXT      wait until the screen shows it (60 s at most)
  gone TEXT     wait until it does not
  keys TEXT     press these keys; \\r, \\e as in Python
  size CxR      give the window another size
  signal NAME   to the program: TERM, TSTP ...
  stopped       wait until it is stopped
  do COMMAND    a line of shell
  halt, go      the terminal takes nothing (^S), and goes on (^Q)
  fits          no line of the screen was ever wider than the window, the screen has as many lines as it has rows at most
  exit CODE     wait for its end, with that code; then: terminal modes, cursor and screen are as they were
What the program has written is in the file `written`. Exit: 0, or 1 after a line that says which step failed.
"""
import fcntl, os, pty, re, select, signal, struct, subprocess, sys, termios, time

LIMIT_S = 60


class Screen:
    """As much of a terminal as `weir top` uses; anything else is an error."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.other = False  # the alternate buffer is shown
        self.cursor = True
        self.lines, self.x, self.y = {}, 0, 0
        self.left = ""
        self.wrapped = False

    def clear(self):
        self.lines, self.x, self.y = {}, 0, 0

    def text(self):
        return "\n".join("".join(self.lines.get(y, {}).get(x, " ") for x in range(self.columns)).rstrip()
                         for y in range(self.rows))

    def feed(self, data):
        data = self.left + data
        self.left = ""
        i = 0
        while i < len(data):
            c = data[i]
            if c == "\033":
                found = re.match(r"\033\[([?0-9;]*)([A-Za-z])", data[i:])
                if not found:
                    self.left = data[i:]
                    return
                self.command(found.group(1), found.group(2))
                i += found.end()
                continue
            if c == "\r":
                self.x = 0
            elif c == "\n":
                self.y += 1
                if self.y >= self.rows:
                    self.wrapped = True
            else:
                if self.x >= self.columns:
                    self.wrapped = True
                self.lines.setdefault(self.y, {})[self.x] = c
                self.x += 1
            i += 1

    def command(self, arguments, letter):
        if letter in "hl" and arguments in ("?1049", "?25"):
            if arguments == "?25":
                self.cursor = letter == "h"
            else:
                self.other = letter == "h"
                self.clear()
        elif letter == "H" and not arguments:
            self.x = self.y = 0
        elif letter == "J":
            if arguments == "2":
                self.lines = {}
            self.lines = {y: l for y, l in self.lines.items() if y <= self.y}
            self.erase()
        elif letter == "K":
            self.erase()
        elif letter != "m":
            raise SystemExit(f"terminal.py: unknown sequence {arguments}{letter}")

    def erase(self):
        line = self.lines.get(self.y, {})
        self.lines[self.y] = {x: c for x, c in line.items() if x < self.x}


def main():
    columns, rows = map(int, sys.argv[1].split("x"))
    program = sys.argv[sys.argv.index("--") + 1:]
    screen = Screen(columns, rows)
    pid, fd = pty.fork()
    if pid == 0:
        # Not before its window has its size.
        os.kill(os.getpid(), signal.SIGSTOP)
        os.execvp(program[0], program)
    os.waitpid(pid, os.WUNTRACED)
    resize = lambda: fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", screen.rows, screen.columns, 0, 0))
    resize()
    before = termios.tcgetattr(fd)
    os.kill(pid, signal.SIGCONT)
    written = open("written", "wb")
    state = {"status": None, "stopped": False, "halted": False}

    def turn():
        readable = [] if state["halted"] else select.select([fd], [], [], 0.02)[0]
        if state["halted"]:
            time.sleep(0.02)
        data = b""
        if readable:
            try:
                data = os.read(fd, 65536)
            except OSError:  # nobody has it open any more
                pass
            written.write(data)
            screen.feed(data.decode(errors="replace"))
        if state["status"] is None:
            done, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            if done and os.WIFSTOPPED(status):
                state["stopped"] = True
            elif done and os.WIFCONTINUED(status):
                state["stopped"] = False
            elif done:
                state["status"] = os.waitstatus_to_exitcode(status)
        return bool(data)

    def until(condition, step):
        end = time.monotonic() + LIMIT_S
        while not condition():
            if time.monotonic() > end:
                raise SystemExit(f"terminal.py: '{step}' in vain; the screen is\n{screen.text()}\nand its program "
                                 f"{'has ended with %s' % state['status'] if state['status'] is not None else 'lives'}")
            turn()

    for step in open(sys.argv[2]):
        step = step.rstrip("\n")
        what, _, rest = step.partition(" ")
        if what == "see":
            until(lambda: rest in screen.text(), step)
        elif what == "gone":
            until(lambda: rest not in screen.text(), step)
        elif what == "keys":
            os.write(fd, rest.replace("\\r", "\r").replace("\\e", "\033").encode())
        elif what == "size":
            screen.columns, screen.rows = map(int, rest.split("x"))
            screen.wrapped = False
            screen.clear()
            resize()
        elif what == "signal":
            os.kill(pid, getattr(signal, "SIG" + rest))
        elif what == "do":
            subprocess.run(rest, shell=True, check=True)
        elif what == "stopped":
            until(lambda: state["stopped"], step)
            if termios.tcgetattr(fd) != before or screen.other or not screen.cursor:
                raise SystemExit("terminal.py: stopped, and the terminal is not as it was")
        elif what == "halt":
            os.write(fd, b"\x13")
            state["halted"] = True
            time.sleep(0.1)
        elif what == "go":
            os.write(fd, b"\x11")
            state["halted"] = False
        elif what == "fits":
            if screen.wrapped:
                raise SystemExit(f"terminal.py: the page does not fit {screen.columns}x{screen.rows}:\n{screen.text()}")
        elif what == "exit":
            until(lambda: state["status"] is not None, step)
            while turn():
                pass
            if state["status"] != int(rest):
                raise SystemExit(f"terminal.py: exit code {state['status']}, expected {rest}; the screen is\n{screen.text()}")
            if termios.tcgetattr(fd) != before or screen.other or not screen.cursor:
                raise SystemExit("terminal.py: it has ended, and the terminal is not as it was")
        elif what:
            raise SystemExit(f"terminal.py: no step '{what}'")


main()
