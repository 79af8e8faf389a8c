# SPDX-License-Identifier: Apache-2.0
"""How a record is shown: groups of figures, targets, and the short table of README.md. All of it is Markdown."""

from runner.cases import KIB, SIZES
from runner.targets import judge_all, noise, tally

BUSY_LOAD = 0.5  # others' load beyond which a run is worth little
README_BEGIN, README_END = "<!-- bench: begin -->", "<!-- bench: end -->"
GROUPS = (("hardware", "by column"), ("one way", "messages or bytes a second"),
          ("round trip", "64 B, ns: p50 / p99 / p99.9 [p50 min..max]"), ("1 -> 2 -> 1", "64 B, M/s"), ("4 -> 1", "64 B, M/s"),
          ("1 MiB over hops", "GB/s"), ("commit", "64 B, 256 KiB lane, M/s"), ("recorder", "256 KiB lanes, M/s"),
          ("observe", "64 B, 256 KiB lane, M/s"),
          ("receive", "ns each, something always ready"), ("idle", "by column"), ("recovery", "SIGKILL to the next generation's first item"),
          ("stop of 64 workers", "ms after the order: p50 / p99 / max [p50 min..max]"),
          ("overrun", "ms after the item's deadline and the stage's grace: p50 / p99 / max [p50 min..max]"),
          ("frame mode", "items a second, start and end included"),
          ("scrape", "segments read and text written, ms"),
          ("programs", "MB of input a second, start and end included"))
SHORT = (("weir", ("weir, 256 KiB lane", "weir, 1 MiB lane, built in place", "weir, 4 MiB lane, built in place",
                   "weir, 4 MiB lane, built in place"), "weir"),
         ("bare ring, no crash safety", ("bare ring, 8192 slots", "bare ring, 1 MiB", "bare ring, 4 MiB", "bare ring, 4 MiB"), "bare ring"),
         ("pipe(2), best batch", ("pipe, 64 a write", "pipe, 64 a write", "pipe, 1 a write", "pipe, 1 a write"), "pipe"),
         ("AF_UNIX seqpacket", ("seqpacket",) * 4, "seqpacket"), ("ZeroMQ ipc", ("ZeroMQ ipc",) * 4, "ZeroMQ ipc"),
         ("nng ipc", ("nng ipc",) * 4, "nng ipc"),
         ("Go channel, inside one process", ("Go channel (one process)",) * 4, "Go channel (one process)"))


def digits(number):
    number = abs(number)
    return 0 if number >= 1000 else 1 if number >= 20 else 2 if number >= 0.1 else 4


def in_unit(result):
    """The spread to show, and what to divide it by."""
    if "value" in result:
        return result["value"], 1
    if result["group"] == "programs":
        return result["rate"], 1
    if result["group"] == "1 MiB over hops" or SIZES.get(result["column"], 0) >= 64 * KIB:
        return result["bytes_per_s"], 1e9
    return result["rate"], 1e6


def figure(result):
    """median [min..max] in the column's unit."""
    if "error" in result:
        return "failed"
    if "p50" in result:
        keys, places = (("p50", "p99", "p999"), 0) if "p999" in result else (("p50", "p99", "max"), 1)
        return " / ".join(f"{result[key]['median']:.{places}f}" for key in keys) + \
            f" [{result['p50']['min']:.{places}f}..{result['p50']['max']:.{places}f}]"
    spread, scale = in_unit(result)
    numbers = [spread[key] / scale for key in ("median", "min", "max")]
    return "{:.{d}f} [{:.{d}f}..{:.{d}f}]".format(*numbers, d=digits(numbers[0]))


def markdown(cells):
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|"] + lines[1:])


def unique(words):
    return list(dict.fromkeys(words))


def group_table(title, results, unit):
    heads = {name: f"{name}, {'GB/s' if size >= 64 * KIB else 'M/s'}" for name, size in SIZES.items()}
    rows, columns = unique(result["row"] for result in results), unique(result["column"] for result in results)
    by_place = {(result["row"], result["column"]): figure(result) for result in results}
    cells = [[title] + [heads.get(column, column) for column in columns]]
    cells += [[row] + [by_place.get((row, column), "-") for column in columns] for row in rows]
    return f"**{title}**, {unit}\n\n{markdown(cells)}"


def verdict_words(verdict):
    if not verdict.measured:
        return "not measured"
    if verdict.number < verdict.target.least:
        return "NOT met: less than can be, measure again"
    return ("met" if verdict.met else "NOT met") + (", but not in every run" if noise(verdict) else "")


def target_line(verdict):
    target = verdict.target
    wanted = f"{'>=' if target.at_least else '<='} {target.wanted:g}{target.unit}"
    number = spread = "-"
    if verdict.measured:
        places = max(2, digits(verdict.number))
        number = f"{verdict.number:.{places}f}{target.unit}"
        spread = f"{min(verdict.numbers):.{places}f}..{max(verdict.numbers):.{places}f}"
    return [target.title, target.what, number, spread, wanted, verdict_words(verdict)]


def target_table(verdicts):
    met, missed, unknown = tally(verdicts)
    cells = [["target", "of", "medians", "each run", "wanted", ""]] + [target_line(verdict) for verdict in verdicts]
    return f"**Targets**: {met} met, {missed} NOT met, {unknown} not measured\n\n{markdown(cells)}"


def runs(record):
    """In words, for records of before there were more runs of some cases, too."""
    first, more = record["runs"], record.get("more") if record.get("in_doubt") else 0
    return f"{first} runs" + (f", {first + more} where they were at odds over a target" if more else "")


def head(record):
    machine = record["machine"]
    lines = [f"weir {record['commit']}{' with changes' if record['changed'] else ''}, {record['date']}, "
             f"{runs(record)}{', QUICK: counts too small to quote' if record['quick'] else ''}",
             f"{machine['processors']} x {machine['processor']}, {machine['system']}, load {machine['load_before']} before, "
             f"{machine['load_after']} after, {machine['stolen_percent']} % of the time stolen by other guests",
             "; ".join(f"{name} {version}" for name, version in record["versions"].items())]
    distance = machine.get("distance")
    if distance:
        lines.append(f"a cache line there and back: {distance['usual_ns']:.0f} ns [{distance['min_ns']:.0f}..{distance['max_ns']:.0f}]; "
                     f"{distance['again']} measurements were made again at that distance, {distance['elsewhere']} could not be")
    if machine["load_before"] > BUSY_LOAD:
        lines.append("THE MACHINE WAS BUSY before the run began: these figures say little")
    return "\n".join(lines + ["median [min..max]; pinned: producer on cpu0, consumer on cpu1"])


def whole(record):
    parts = [head(record)]
    for title, unit in GROUPS:
        group = [result for result in record["results"] if result["group"] == title]
        if group:
            parts.append(group_table(title, group, unit))
    verdicts = [verdict for verdict in judge_all(record["results"]) if verdict.measured or not record["only"]]
    if verdicts:
        parts.append(target_table(verdicts))
    parts += record["skipped"]
    parts += [f"FAILED {result['group']}/{result['column']}/{result['row']}: {result['error']}"
              for result in record["results"] if "error" in result]
    return "\n\n".join(parts) + "\n"


# ---- README.md ----

def short_cell(results, place):
    result = results.get(place)
    if not result or "error" in result:
        return "-"
    if "p50" in result:
        return f"{result['p50']['median'] / 1000:.2f}" if result["p50"]["median"] < 10000 else f"{result['p50']['median'] / 1000:.0f}"
    spread, scale = in_unit(result)
    return f"{spread['median'] / scale:.{digits(spread['median'] / scale)}f}"


def short_table(record):
    results = {(result["group"], result["column"], result["row"]): result for result in record["results"]}
    cells = [["between two processes", "64 B, M/s", "1 KiB, M/s", "64 KiB, GB/s", "1 MiB, GB/s", "there and back, spinning, µs", "asleep, µs"]]
    for name, one_way, round_trip in SHORT:
        asleep = "bare ring, eventfd" if round_trip == "bare ring" else round_trip
        cells.append([name] + [short_cell(results, ("one way", column, row)) for column, row in zip(SIZES, one_way)] +
                     [short_cell(results, ("round trip", "spinning", round_trip)), short_cell(results, ("round trip", "asleep", asleep))])
    return markdown([line for line in cells if set(line[1:]) != {"-"}])


def for_readme(record):
    met, missed, unknown = tally(judge_all(record["results"]))
    machine = record["machine"]
    return (f"{short_table(record)}\n\nMedians of {runs(record)}, of `bench/run` at {record['commit']} on {machine['processors']} x "
            f"{machine['processor']}, {machine['system']}; p50 of round trips of 64 B. Of {met + missed + unknown} targets {met} are met, "
            f"{missed} are not{f', {unknown} were not measured' if unknown else ''}: all figures with their spread, and the method, "
            f"are in [bench](bench/README.md).")


def in_readme(text, record):
    """The text with what lies between the two marks replaced. ValueError: the marks are not there, once and in order."""
    before, begin, rest = text.partition(README_BEGIN)
    _, end, after = rest.partition(README_END)
    if not begin or not end or README_BEGIN in after or README_END in before + after:
        raise ValueError(f"needs one line '{README_BEGIN}' and behind it one line '{README_END}'")
    return f"{before}{begin}\n{for_readme(record)}\n{end}{after}"
