# SPDX-License-Identifier: Apache-2.0
"""Programs in frame mode at the edges of their lives, by name; each is good from its second life on (`fleeting` from its fourth).

    frame_edges.py PYTHON_FOLDER NAME

    fleeting       an operator that takes its leave as soon as it has come
    outspoken      a sink that stores 3000 items, adding them to the file `stored`, says so of all of them at once, and is gone
    patient        the same, but that it stays, and has nothing to add
    held-source    gives 5 items of 50 and waits to be killed; the file held-source then holds its process id
    held-operator  takes one item and waits to be killed, as above
    closed-source  closes what it would read from, and gives 5000 items
"""
import fcntl
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import weir  # noqa: E402
from raw_frames import IN, OUT, frame, hear, say  # noqa: E402


F_SETPIPE_SZ = 1031


def lives(name):
    """That this program had before."""
    with open("lives-" + name, "a+") as lives:
        lives.write("x")
        return lives.tell() - 1


def wait_to_be_killed(name):
    with open("being-" + name, "w") as file:
        file.write(str(os.getpid()))
    os.rename("being-" + name, "held-" + name.split("-")[1])
    time.sleep(1000)


def fleeting(n_lives):
    if n_lives < 3:
        hear()
        say("ready", 1)
        say("bye")
    else:
        weir.serve(lambda item: item.data)


def keep(items):
    out = os.open("stored", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(out, b"".join(data + b"\n" for data in items))


def outspoken(n_lives, stays=False):
    if n_lives:
        weir.sink(lambda items: keep(item.data for item in items), batch=100)
        return
    hear()
    fcntl.fcntl(IN, F_SETPIPE_SZ, 512 * 1024)  # so that all that weir puts together fits in
    say("ready", 1, 3000)
    items = []
    while len(items) < 3000:
        message = hear()
        if message[0] == "item":
            items.append(message)
    keep(item[2] for item in items)
    os.write(OUT, b"".join(frame("done", item[1]) for item in items))
    if not stays:
        os._exit(3)
    while hear()[0] != "end":
        pass


def patient(n_lives):
    outspoken(n_lives, True)


def held_source(n_lives):
    if n_lives:
        weir.source(lambda feed: (weir.New(str(n), position=n) for n in range(feed.position + 1, 51)))
        return
    hear()
    say("ready", 1)
    for n in range(1, 6):
        say("item", n, str(n), {"position": n})
    wait_to_be_killed("held-source")


def held_operator(n_lives):
    if n_lives:
        weir.serve(lambda item: item.data)
        return
    hear()
    say("ready", 1)
    hear()
    wait_to_be_killed("held-operator")


def closed_source(n_lives):
    os.close(IN)
    say("ready", 1)
    for n in range(1, 5001):
        say("item", n, str(n))
    say("end")


name = sys.argv[2]
globals()[name.replace("-", "_")](lives(name))
