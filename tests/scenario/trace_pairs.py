# SPDX-License-Identifier: Apache-2.0
"""trace_pairs.py FILE LOST: reads what `babeltrace2 --clock-cycles` has printed, and says how many waits have both ends.

Fails if times go back, or if who has really slept for a lane was woken, and nobody of the other end of that lane has rung before it. A ring that is written more begins later:
only what comes behind the first event of all is looked at. Where events were lost a missing end is no failure.
"""
import re
import sys

LINE = re.compile(r'\[(\d+)\] \([^)]*\) (\w+): \{ worker = "([^"]*)" \}, \{ (.*) \}$')
FIELD = re.compile(r'(\w+) = (?:\( "([^"]*)"[^)]*\)|(\d+))')
SLEPT_NS = 100_000  # shorter: it has found something when it looked once more
FOR_ITEM, FOR_ROOM = 1, 2


def events(path):
    for line in open(path, encoding="utf-8"):
        match = LINE.match(line.rstrip("\n"))
        if not match:
            sys.exit(f"no event: {line}")
        fields = {name: word or int(number) for name, word, number in FIELD.findall(match.group(4))}
        yield int(match.group(1)), match.group(2), match.group(3), fields


def main():
    before, wakes, n, paired, missing = 0, {}, 0, 0, 0
    first, rung = {}, {}
    for at, _, worker, _ in events(sys.argv[1]):
        first.setdefault(worker, at)
    begin = max(first.values())
    for at, name, worker, fields in events(sys.argv[1]):
        if at < before:
            sys.exit(f"{name} of {worker} at {at} comes behind {before}")
        before, n = at, n + 1
        if name == "wake":
            if worker not in fields["lane"].split("->"):
                sys.exit(f"{worker} has rung for {fields['lane']}, which is not its own")
            wakes.setdefault(fields["lane"], []).append((worker, fields["position"]))
            rung[fields["seat"]] = at
        if name != "unblock" or fields["lane"] == "none" or at - fields["slept_ns"] < begin or fields["slept_ns"] < SLEPT_NS:
            continue
        if fields["waits_for"] not in (FOR_ITEM, FOR_ROOM):
            continue
        # A wake that has reached the position, of the other end of that lane; wakes that stand behind it in the file are later.
        if not any(peer != worker and position >= fields["position"] for peer, position in wakes.get(fields["lane"], [])):
            # Of several lanes one has woken it, and when it looked there was something in another, too.
            if sys.argv[2] == "0" and rung.get(worker, 0) < at - fields["slept_ns"]:
                sys.exit(f"{worker} was woken on {fields['lane']} at {fields['position']}, and nobody has rung: {at}")
            missing += 1
            continue
        paired += 1
    print(f"{n} events, {paired} waits with both ends, {missing} without")
    sys.exit(0 if paired else "no wait has both ends")


main()
