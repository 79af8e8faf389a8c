# SPDX-License-Identifier: Apache-2.0
"""A service manager, as far as a service sees it: NOTIFY_SOCKET, the fd store, LISTEN_FDS. Starts a program, kills it when a file has grown, starts it again.

usage: fd_store.py [--max N] [--kills N] [--early N] --grows FILE --log FILE -- COMMAND...
  --max    descriptors that are kept (FileDescriptorStoreMax)
  --kills  how often it is killed; --early: each N-th of these at some moment of its first 40 ms
  --linger how long it may work, once the file has grown, before it is killed: some time up to these ms
  --drain  after the last kill, once the file has grown, this pipeline is drained
Each supervisor, and all that it starts, has FAMILY=FOLDER#N in its environment: once one has got somewhere, nobody of those before may live.
The log has one line for each assignment that came, in order. Prints "kills K, kept N": what is in the store when all is over. Exits as the program did.
"""
import argparse
import array
import fcntl
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time

SCM_MAX = 253


class Store:
    def __init__(self, path, max_fds, log):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.max_fds, self.log, self.kept = max_fds, log, []

    def hear(self):
        """Takes everything that is there."""
        while select.select([self.socket], [], [], 0)[0]:
            data, ancillary, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(SCM_MAX * 4))
            fds = array.array("i")
            for level, kind, payload in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds.frombytes(payload[: len(payload) // 4 * 4])
            lines = data.decode().splitlines()
            words = dict(line.split("=", 1) for line in lines if "=" in line)
            for line in lines:
                print(line, len(fds), file=self.log, flush=True)
            name = words.get("FDNAME", "stored")
            if words.get("FDSTOREREMOVE") == "1":
                for fd in [fd for fd, kept in self.kept if kept == name]:
                    os.close(fd)
                self.kept = [entry for entry in self.kept if entry[1] != name]
            for fd in fds:
                if words.get("FDSTORE") == "1" and len(self.kept) < self.max_fds:
                    self.kept.append((fd, name))
                else:
                    os.close(fd)  # also a barrier's


def family_name(n):
    return "%s#%d" % (os.environ["WEIR_WORK"], n)


def family(n):
    """Who lives of that supervisor's making."""
    wanted, members = b"FAMILY=" + family_name(n).encode(), []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as environ:
                if wanted in environ.read().split(b"\0"):
                    members.append(pid)
        except OSError:
            pass  # it is gone, or not ours
    return members


def start(store, path, command, number):
    pid = os.fork()
    if pid:
        return pid
    n = len(store.kept)
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3 + n) for fd, _ in store.kept]
    for i, fd in enumerate(moved):
        os.dup2(fd, 3 + i, inheritable=True)
    environment = dict(os.environ, NOTIFY_SOCKET=path, FAMILY=family_name(number))
    if n:
        environment.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(n), LISTEN_FDNAMES=":".join(name for _, name in store.kept))
    os.execvpe(command[0], command, environment)


def size_of(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def watch(store, pid, until):
    """Serves the program until it has ended (its status) or until() is true (None)."""
    while True:
        select.select([store.socket], [], [], 0.002)
        store.hear()
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        if until():
            return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--max", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--early", type=int, default=0)
    parser.add_argument("--linger", type=int, default=0)
    parser.add_argument("--drain")
    parser.add_argument("--grows", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    random.seed(int(os.environ.get("WEIR_SEED", "0")))
    path = os.path.join(os.environ["WEIR_RUN_DIR"], "notify")
    store = Store(path, options.max, open(options.log, "w"))
    kills = 0
    while True:
        before = size_of(options.grows)
        pid = start(store, path, options.command, kills)
        if kills == options.kills:
            status = watch(store, pid, lambda: options.drain and size_of(options.grows) > before)
            if status is None:
                drain = subprocess.Popen(["weir", "drain", options.drain, "--no-wait"], stdout=subprocess.DEVNULL)
                status = watch(store, pid, lambda: False)
                drain.wait()
            break
        if options.early and (kills + 1) % options.early == 0:
            end = time.monotonic() + random.random() * 0.04
            status = watch(store, pid, lambda: time.monotonic() >= end)
        else:
            status = watch(store, pid, lambda: size_of(options.grows) > before)
            old = [member for n in range(kills) for member in family(n)]
            if status is None and old:
                print("alive beside supervisor %d: %s" % (kills, " ".join(old)), file=sys.stderr)
                status = 1 << 8
                os.kill(pid, signal.SIGKILL)
            elif status is None and options.linger:
                end = time.monotonic() + random.random() * options.linger / 1000
                status = watch(store, pid, lambda: time.monotonic() >= end)
        if status is not None:
            print("it ended by itself after %d kills" % kills, file=sys.stderr)
            break
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        kills += 1
    store.hear()
    os.unlink(path)
    print("kills %d, kept %d" % (kills, len(store.kept)))
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


sys.exit(main())
