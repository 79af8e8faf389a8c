# SPDX-License-Identifier: Apache-2.0
"""The list of cases: what is measured, beside what, with which numbers. The names here are those of targets.py."""

from runner import pipelines
from runner.frames import add_frames
from runner.overruns import add_overruns
from runner.programs import add_programs
from runner.stops import add_stops

KIB, MIB = 1024, 1024 * 1024
SIZES = {"64 B": 64, "1 KiB": KIB, "64 KiB": 64 * KIB, "1 MiB": MIB}
LANES = {"64 KiB": 64 * KIB, "256 KiB": 256 * KIB, "1 MiB": MIB, "4 MiB": 4 * MIB, "64 MiB": 64 * MIB}
BATCH = {64: 64, KIB: 16, 64 * KIB: 4, MIB: 1}  # messages that the bare ring publishes at once
LANE_OF_SIZE = {64: "256 KiB", KIB: "1 MiB", 64 * KIB: "4 MiB", MIB: "4 MiB"}  # as DESIGN advises; here built in place too
BARE_SLOTS = 8192
THINK_NS = 200000  # in which a peer falls asleep, whatever it spins before
HOPS = 3
CHAIN_BATCH = {"fan": 256, "many": 64}  # items that a stage takes at once; the bare rings publish every 64, as everywhere


def add_hardware(bench):
    count = bench.count(1000000)
    for row, key, scale, unit in (("cache line there and back", "line_round_trip_ns", 1, "ns"),
                                  ("memcpy, blocks of 16 KiB", "memcpy_16_KiB", 1e9, "GB/s"),
                                  ("memcpy, blocks of 512 KiB", "memcpy_512_KiB", 1e9, "GB/s"),
                                  ("memcpy, blocks of 16 MiB", "memcpy_16_MiB", 1e9, "GB/s"),
                                  ("memcpy, 1 MiB from lane to lane", "memcpy_lane", 1e9, "GB/s"),
                                  ("sequentially consistent fence", "fence_ns", 1, "ns"),
                                  ("system call", "system_call_ns", 1, "ns")):
        bench.add("hardware", unit, row, lambda key=key, scale=scale:
                  {"value": bench.once("hardware", lambda: bench.transport("hardware", count=count))[key] / scale})


def add_one_way_weir(bench, column, size, many):
    for lane_name, lane in LANES.items():
        if size <= lane // 2:
            bench.add("one way", column, f"weir, {lane_name} lane",
                      lambda lane=lane: pipelines.flow(bench, "one-way", size, many, lane))
    bench.add("one way", column, f"weir, {LANE_OF_SIZE[size]} lane, built in place",
              lambda: pipelines.flow(bench, "one-way", size, many, LANES[LANE_OF_SIZE[size]], in_place=True))


def add_one_way_ring(bench, column, size, many):
    for lane_name, lane in LANES.items():
        if size <= lane // 2:
            bench.add("one way", column, f"bare ring, {lane_name}", lambda lane=lane:
                      bench.transport("ring", size=size, count=many, batch=min(BATCH[size], lane // size // 4), capacity=lane))
    if size == 64:
        bench.add("one way", column, f"bare ring, {BARE_SLOTS} slots",
                  lambda: bench.transport("ring", count=many, batch=64, capacity=BARE_SLOTS * 64))
        bench.add("one way", column, f"bare ring, {BARE_SLOTS} slots, each published",
                  lambda: bench.transport("ring", count=many, batch=1, capacity=BARE_SLOTS * 64))


def add_one_way_peers(bench, column, size, many, few):
    bench.add("one way", column, "pipe, 1 a write", lambda: bench.transport("pipe", size=size, count=few))
    if size <= KIB:
        bench.add("one way", column, "pipe, 64 a write", lambda: bench.transport("pipe", size=size, count=many, batch=64))
    bench.add("one way", column, "seqpacket", lambda: bench.transport("seqpacket", size=size, count=few))
    bench.add("one way", column, "ZeroMQ ipc", lambda: bench.transport("zeromq", size=size, count=few))
    if bench.has("nng"):
        bench.add("one way", column, "nng ipc", lambda: bench.transport("nng", size=size, count=min(few, bench.count(100000))))
    if bench.has("go"):
        bench.add("one way", column, "Go channel (one process)", lambda: bench.transport("go", size=size, count=many))


def add_one_way(bench):
    fast = {64: 20000000, KIB: 1000000, 64 * KIB: 50000, MIB: 3000}
    slow = {64: 2000000, KIB: 500000, 64 * KIB: 50000, MIB: 3000}
    for column, size in SIZES.items():
        many, few = bench.count(fast[size]), bench.count(slow[size])
        add_one_way_weir(bench, column, size, many)
        add_one_way_ring(bench, column, size, many)
        add_one_way_peers(bench, column, size, many, few)
    if not bench.has("nng"):
        bench.skip("nng", "libnng-dev was not there when this was built")
    if not bench.has("go"):
        bench.skip("Go channels", "golang-go was not there when this was built")


def add_round_trip(bench):
    spin, sleep = bench.count(200000), bench.count(10000)
    rows = (("bare ring", "spinning", "ring", spin, {"spins": 1000000000}),
            ("bare ring, 2000 spins, then eventfd", "adaptive", "ring-sleep", spin, {"spins": 2000}),
            ("bare ring, eventfd", "asleep", "ring-sleep", sleep, {"spins": 0}),
            ("bare ring, futex", "asleep", "ring-futex", sleep, {"spins": 0}),
            ("pipe", "spinning", "pipe", spin, {"poll": True}), ("pipe", "asleep", "pipe", sleep, {}),
            ("seqpacket", "spinning", "seqpacket", spin, {"poll": True}), ("seqpacket", "asleep", "seqpacket", sleep, {}),
            ("ZeroMQ ipc", "asleep", "zeromq", sleep, {}), ("nng ipc", "asleep", "nng", sleep, {}))
    for row, column, program, count, options in rows:
        if not bench.has(program):
            continue
        think = {"think": THINK_NS} if column == "asleep" else {}
        bench.add("round trip", column, row, lambda program=program, count=count, options=options, think=think:
                  bench.transport(program, shape="round-trip", count=count, **options, **think))
        if column == "asleep":
            bench.add("round trip", "asleep, one processor", row, lambda program=program, count=count, options=options:
                      bench.transport(program, shape="round-trip", count=count, one_processor=True, **options))
    if bench.has("go"):
        bench.add("round trip", "spinning", "Go channel (one process)", lambda: bench.transport("go", shape="round-trip", count=spin))
    if bench.has("ping.so"):
        add_round_trip_weir(bench, spin, sleep)
    else:
        bench.skip("weir's round trip", "the plugin ping is not built, see bench/plugins/README.md")


def add_round_trip_weir(bench, spin, sleep):
    for column, count, options in (("spinning", spin, {}), ("adaptive", spin, {}), ("asleep", sleep, {"think_ns": THINK_NS}),
                                   ("asleep, one processor", sleep, {"one_processor": True})):
        bench.add("round trip", column, "weir",
                  lambda count=count, options=options: pipelines.round_trip(bench, count, **options))


def add_chains(bench):
    count = bench.count(10000000)
    for shape, title in (("fan", "1 -> 2 -> 1"), ("many", "4 -> 1")):
        for pinned in (True, False):
            add_chain(bench, shape, title, "pinned" if pinned else "unpinned", pinned, count)


def add_chain(bench, shape, title, column, pinned, count):
    free = {} if pinned else {"unpinned": True}
    for lane_name in ("256 KiB", "1 MiB"):
        lane = LANES[lane_name]
        bench.add(title, column, f"weir, {lane_name} lanes",
                  lambda lane=lane: pipelines.flow(bench, shape, 64, count, lane, pinned, batch=CHAIN_BATCH[shape]))
        bench.add(title, column, f"bare rings, {lane_name}", lambda lane=lane:
                  bench.transport("ring", shape=shape, count=count, batch=64, capacity=lane, spins=100, **free))
    bench.add(title, column, "pipe, 64 a write", lambda: bench.transport("pipe", shape=shape, count=count, batch=64, **free))
    bench.add(title, column, "pipe, 1 a write", lambda: bench.transport("pipe", shape=shape, count=count // 10, **free))
    bench.add(title, column, "ZeroMQ ipc", lambda: bench.transport("zeromq", shape=shape, count=count // 10, **free))
    if bench.has("go"):
        bench.add(title, column, "Go channel (one process, never pinned)",
                  lambda: bench.transport("go", shape=shape, count=count // 2))


def add_hops(bench):
    count = bench.count(10000)
    if not bench.has("forward.so"):
        bench.skip("items forwarded", "the plugin forward is not built, see bench/plugins/README.md")
    rows = (("no hop", "pass", 0, "64 MiB"), (f"{HOPS} hops, forwarded", "forward", HOPS, "64 MiB"),
            (f"{HOPS} hops, copied", "pass", HOPS, "64 MiB"), (f"{HOPS} hops, forwarded, 4 MiB lanes", "forward", HOPS, "4 MiB"))
    for column, one_processor in (("two processors", False), ("one processor", True)):
        for row, hop, n_hops, lane in rows:
            if bench.has(f"{hop}.so"):
                bench.add("1 MiB over hops", column, f"weir, {row}",
                          lambda hop=hop, n_hops=n_hops, lane=LANES[lane], one_processor=one_processor:
                          pipelines.hops(bench, MIB, count, lane, hop, n_hops, one_processor))


def add_commit(bench):
    count = bench.count(20000000)
    for batch in (16, 64):
        for row, worker in (("with the commit record", None), ("without, stores made directly", "weir-worker-without-record")):
            bench.add("commit", f"batch {batch}", f"weir, {row}", lambda batch=batch, worker=worker:
                      pipelines.flow(bench, "one-way", 64, count, LANES["256 KiB"], batch=batch, worker=worker))


def add_observe(bench):
    count = bench.count(20000000)
    for row, worker in (("on", None), ("off", "weir-worker-without-meter")):
        bench.add("observe", "64 B", f"weir, latencies {row}", lambda worker=worker:
                  pipelines.flow(bench, "one-way", 64, count, LANES["256 KiB"], worker=worker))


def add_recorder(bench):
    count = bench.count(20000000)
    for row, recorder in (("recorded", "on"), ("recorder: off", "off")):
        for column, shape in (("64 B, one way", "one-way"), ("64 B, 1 -> 2 -> 1", "fan")):
            bench.add("recorder", column, f"weir, {row}", lambda shape=shape, recorder=recorder:
                      pipelines.flow(bench, shape, 64, count, LANES["256 KiB"], recorder=recorder))


def add_receive(bench):
    count = bench.count(2000000)
    if bench.has("receive.so"):
        for row, key in (("weir_recv", "plain"), ("weir_recv, scope and budget", "watching"), ("weir_select, scope and budget", "select")):
            bench.add("receive", "ns", row, lambda key=key:
                      {"value": bench.once("receive", lambda: pipelines.receive(bench, count))[key]})
    else:
        bench.skip("weir's receive", "the plugin receive is not built, see bench/plugins/README.md")
    if bench.has("go"):
        bench.add("receive", "ns", "Go receive", lambda: bench.transport("go", shape="receive", count=count))
        bench.add("receive", "ns", "Go select with ctx.Done()", lambda: bench.transport("go", shape="receive", count=count, watching=True))


def add_idle(bench):
    window_s = 2 if bench.quick else 20
    for row, key in ((f"weir, {pipelines.IDLE_WORKERS} workers", "workers"), ("weir, its supervisor", "supervisor")):
        bench.add("idle", "% of one processor", row,
                  lambda key=key: {"value": bench.once("idle", lambda: pipelines.idle(bench, window_s))[key]})


def add_recovery(bench):
    for row, backoff in (("weir, as it comes: a back-off of 10 ms", "10ms"), ("weir, backoff: 0", "0s")):
        bench.add("recovery", "ms", row, lambda backoff=backoff: pipelines.recovery(bench, backoff))


def add_scrape(bench):
    if not bench.has("scrape"):
        bench.skip("a scrape of the console", "the program scrape is not built: it needs the tests' helpers (WEIR_TESTS)")
        return
    for row, key in (("64 stages of 64 workers, the first one", "first_ms"), ("64 stages of 64 workers", "median_ms")):
        bench.add("scrape", "ms", row, lambda key=key: {"value": bench.once("scrape", lambda: bench.transport("scrape", count=20))[key]})


ALL = (add_hardware, add_one_way, add_round_trip, add_chains, add_hops, add_commit, add_observe, add_recorder, add_receive, add_idle,
       add_recovery, add_stops, add_overruns, add_programs, add_frames, add_scrape)
