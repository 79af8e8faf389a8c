# SPDX-License-Identifier: Apache-2.0
"""What goes wrong, one function each. It is given the pipeline, the dice, and a name of a file for itself; it returns when the fault has struck, and is over
if it is one that passes (a full disk has room again, a paused process goes on). What stays (a stopped program, a worker that lies in a call for ever) stays.
A function returns False when nothing could be hurt just then: it is tried again."""
import os
import resource
import signal
import sqlite3
import subprocess
import time

from pipeline import kill

HOLD_S = 0.3
TAKEN_S = 60  # until a worker takes what was put before it

KINDS = {}


def kind(function):
    KINDS[function.__name__.replace("_", " ")] = function
    return function


def victim(pipeline, dice, *stages):
    pids = pipeline.workers(*stages)
    return dice.choice(pids) if pids else None


def wait_until(condition, seconds=TAKEN_S):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(0.005)
    return True


def is_stopped(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return True  # gone


def chaos(pipeline, dice, *options):
    code, said = pipeline.command("chaos", "sweep", *options, "--count", "1", "--seed", str(dice.randrange(1 << 30)))
    return code == 0 and b"#" in said


# ---- workers


@kind
def kill_worker(pipeline, dice):
    pid = victim(pipeline, dice)
    return pid and kill(pid)


@kind
def kill_all_workers(pipeline, dice):
    return all([kill(pid) for pid in pipeline.workers()])


@kind
def pause_worker(pipeline, dice):
    return chaos(pipeline, dice, "--pause", "1ms", "--hold", "600ms")


@kind
def stop_worker(pipeline, dice):
    """For good: nobody sends SIGCONT."""
    pid = victim(pipeline, dice, "program", "hurt")
    return pid and kill(pid, signal.SIGSTOP) and wait_until(lambda: is_stopped(pid))


@kind
def slow_sink(pipeline, dice):
    return chaos(pipeline, dice, "--delay", "1ms", "--hold", "600ms", "--stage", dice.choice(["lines", "rows"]))


@kind
def no_descriptors_worker(pipeline, dice):
    return chaos(pipeline, dice, "--refuse", "1ms", "--hold", "600ms")


def harm(word):
    def strike(pipeline, dice):
        path = pipeline.folder + "/harm"
        with open(path + ".new", "w") as file:
            file.write(word)
        os.rename(path + ".new", path)
        if wait_until(lambda: not os.path.exists(path)):
            return True
        raise RuntimeError("nobody takes the file 'harm': nothing moves")

    return strike


KINDS["plugin abort"] = harm("abort")
KINDS["plugin segv"] = harm("segv")
KINDS["plugin exit"] = harm("exit")
KINDS["plugin out of memory"] = harm("eat")
KINDS["plugin hang"] = harm("hang")
KINDS["plugin loop"] = harm("loop")


# ---- programs of exec stages


@kind
def kill_program(pipeline, dice):
    pids = pipeline.programs()
    return pids and kill(dice.choice(pids))


@kind
def hung_program(pipeline, dice):
    pids = pipeline.programs()
    return pids and kill(dice.choice(pids), signal.SIGSTOP)


# ---- the supervisor


@kind
def kill_supervisor(pipeline, dice):
    return kill(pipeline.supervisor())


@kind
def abort_supervisor(pipeline, dice):
    return kill(pipeline.supervisor(), signal.SIGABRT)


@kind
def kill_supervisors(pipeline, dice):
    """Three in a row, the later ones while they repair or begin."""
    for _ in range(3):
        starts = pipeline.manager.starts
        kill(pipeline.supervisor())
        wait_until(lambda: pipeline.manager.starts > starts)
        time.sleep(dice.random() * 0.06)
    return True


@kind
def pause_supervisor(pipeline, dice):
    pid = pipeline.supervisor()
    if not kill(pid, signal.SIGSTOP):
        return False
    for worker in workers_of(pid)[:1]:
        kill(worker)
    time.sleep(dice.random() * HOLD_S * 3)
    return kill(pid, signal.SIGCONT)


def workers_of(supervisor):
    with open("/proc/%d/task/%d/children" % (supervisor, supervisor)) as file:
        return [int(pid) for pid in file.read().split()]


def limited(pipeline, dice, what, most):
    """The supervisor has so little of it for a while; a worker dies, so that it wants some."""
    pid = pipeline.supervisor()
    worker = victim(pipeline, dice)
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (most(pid), before[1]))
    if worker:
        kill(worker)
    time.sleep(HOLD_S)
    if pipeline.supervisor() == pid:
        try:
            resource.prlimit(pid, what, before)
        except ProcessLookupError:
            pass
    return bool(worker)


@kind
def no_descriptors_supervisor(pipeline, dice):
    return limited(pipeline, dice, resource.RLIMIT_NOFILE, lambda pid: len(os.listdir("/proc/%d/fd" % pid)))


@kind
def no_memory_supervisor(pipeline, dice):
    def used(pid):
        with open("/proc/%d/statm" % pid) as file:
            return int(file.read().split()[0]) * resource.getpagesize()

    return limited(pipeline, dice, resource.RLIMIT_AS, used)


# ---- what lies outside


@kind
def full_disk(pipeline, dice):
    """Only where it is a disk of its own; somebody dies meanwhile, and finds no room when he comes back."""
    path = pipeline.disk + "/filler"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
    block, room = b"\0" * (1 << 20), os.fstatvfs(fd)
    try:
        os.posix_fallocate(fd, 0, room.f_bavail * room.f_bsize)
    except OSError:
        pass
    try:
        while os.write(fd, block):
            pass
    except OSError:
        pass
    pid = victim(pipeline, dice, "lines", "rows", "once")
    if pid and dice.random() < 0.5:
        kill(pid)
    time.sleep(HOLD_S)
    os.close(fd)
    os.unlink(path)
    return True


@kind
def file_limit(pipeline, dice):
    """The sink's file may not grow (RLIMIT_FSIZE): for good, as far as this worker goes."""
    pid = victim(pipeline, dice, "lines")
    if not pid:
        return False
    try:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (os.stat(pipeline.disk + "/out").st_size, resource.RLIM_INFINITY))
    except ProcessLookupError:
        return False
    return True


@kind
def locked_database(pipeline, dice):
    base = sqlite3.connect(pipeline.disk + "/rows.db", timeout=30, isolation_level=None)
    try:
        base.execute("BEGIN EXCLUSIVE")
        pid = victim(pipeline, dice, "rows")
        if pid and dice.random() < 0.5:
            kill(pid)
        time.sleep(HOLD_S)
        base.execute("ROLLBACK")
    finally:
        base.close()
    return True


# ---- orders


def reload(pipeline, expected, *options, **changes):
    """True: it was answered as expected, or the supervisor was not there to answer."""
    pipeline.version += 1
    pipeline.write_spec(**changes)
    code, _ = pipeline.command("reload", "sweep", "--probation", "300ms", "--opening", "60s", *options, timeout=120)
    if code not in (0, *expected):
        raise RuntimeError("weir reload ends with %s" % code)
    if code != 0 or changes:
        pipeline.write_spec()  # what the next supervisor may find
    return code in expected


@kind
def broken_reload(pipeline, dice):
    return reload(pipeline, [1], broken=True)


@kind
def crashing_canary(pipeline, dice):
    return reload(pipeline, [4], does="work", more=", canary: {for: 20s}")


@kind
def reload_that_can_not_open(pipeline, dice):
    return reload(pipeline, [4], does="open")


@kind
def kill_amid_reload(pipeline, dice):
    pipeline.version += 1
    pipeline.write_spec()
    asked = subprocess.Popen([pipeline.weir, "reload", "sweep", "--probation", "300ms", "--opening", "60s"], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    time.sleep(dice.random() * 0.15)
    kill(pipeline.supervisor() if dice.random() < 0.5 else victim(pipeline, dice) or pipeline.supervisor())
    asked.wait()
    return True


@kind
def kill_amid_scaling(pipeline, dice):
    code, _ = pipeline.command("scale", "sweep", "program=%d" % dice.randint(1, 4), "--no-wait")
    time.sleep(dice.random() * 0.1)
    kill(pipeline.supervisor() if dice.random() < 0.5 else victim(pipeline, dice, "program") or pipeline.supervisor())
    return code == 0
