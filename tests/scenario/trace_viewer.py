# SPDX-License-Identifier: Apache-2.0
"""trace_viewer.py FILE STATIC: reads a file of `weir trace export --perfetto` with the trace viewer of chrome://tracing, headless: its importer makes a model of it.

Chromium no longer has that page; Debian's Go brings the same viewer along (STATIC, a folder of `go tool trace`). The model has no warning, as many tracks and
slices as the file says, nested as they should be, and each flow has both its ends, in slices of the right workers.
"""
import collections
import functools
import http.server
import json
import sys
import threading

from selenium.webdriver.support.ui import WebDriverWait

from chromium import adopt_orphans, end_orphans, open_browser

BOUND_S = 60
PAGE = b"""<!DOCTYPE html><meta charset="utf-8"><title>viewer</title><script src="/webcomponents.min.js"></script>
<link rel="import" href="/trace_viewer_full.html">"""
MODEL = """
const model = new tr.Model();
new tr.importer.Import(model).importTraces([arguments[0]]);
const threads = model.getAllThreads();
const at = (slice) => slice ? [slice.title, slice.parentContainer.name].join(" ") : "nowhere";
return {
	warnings: model.importWarnings.map((warning) => warning.type + ": " + warning.message),
	processes: model.getAllProcesses().map((process) => process.name),
	threads: threads.map((thread) => thread.name),
	slices: threads.flatMap((thread) => thread.sliceGroup.slices.map((slice) => [slice.title, thread.name, slice.parentSlice ? slice.parentSlice.title : ""])),
	asyncs: threads.flatMap((thread) => thread.asyncSliceGroup.slices).length,
	flows: model.flowEvents.map((flow) => [flow.id, flow.title, at(flow.startSlice), at(flow.endSlice), flow.duration >= 0]),
};
"""


def fail(what):
    sys.exit(f"trace_viewer.py: {what}")


class Files(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *arguments):
        pass


def load(text):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=sys.argv[2]))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = open_browser()
    try:
        browser.get(f"http://127.0.0.1:{server.server_port}/")
        WebDriverWait(browser, BOUND_S).until(lambda page: page.execute_script("return typeof tr === 'object' && !!tr.Model && !!tr.importer && !!tr.importer.Import"))
        return browser.execute_script(MODEL, text)
    finally:
        browser.quit()
        end_orphans()
        server.shutdown()


def same(what, got, expected):
    if got != expected:
        fail(f"{what}: the viewer has {got}, the file {expected}")


def check_tracks(events, model):
    names = [event["args"]["name"] for event in events if event["name"] == "thread_name"]
    same("tracks", sorted(model["threads"]), sorted(names))
    same("stages", len(model["processes"]), len([event for event in events if event["name"] == "process_name"]))
    count = collections.Counter(event["ph"] for event in events)
    same("slices", len(model["slices"]), count["X"] + count["i"])
    same("items that overlap", model["asyncs"], count["b"])
    same("flows", len(model["flows"]), count["s"])
    same("ends of flows", count["f"], count["s"])
    return count


# A worker is awake or asleep, and both may be while it has an item in hand; a wait is never in anything else.
def check_nesting(model):
    states = {"process": ("",), "item": ("",)} | {name: ("", "item") for name in ("wait-in", "wait-out", "wait-ext")}
    for title, thread, parent in model["slices"]:
        if parent not in states.get(title, (parent,)):
            fail(f"{title} of {thread} lies in {parent}")


def check_flows(events, model):
    lanes = {event["id"]: event["args"]["lane"].split("->") for event in events if event["ph"] == "s"}
    seen = collections.Counter()
    for number, title, begin, end, forward in model["flows"]:
        producer, consumer = lanes[number]
        begin, from_worker = begin.split(" ")
        end, to_worker = end.split(" ")
        if not forward or {from_worker, to_worker} != {producer, consumer} or (title == "items" and from_worker != producer):
            fail(f"a flow {title} of {producer}->{consumer} leads from {begin} of {from_worker} to {end} of {to_worker}")
        if title == "wake" and not end.startswith("wait-"):
            fail(f"who was woken was in {end}")
        seen[title] += 1
    return seen


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    events = json.loads(text)["traceEvents"]
    model = load(text)
    if model["warnings"]:
        fail(f"{len(model['warnings'])} warnings: {model['warnings'][:3]}")
    count = check_tracks(events, model)
    check_nesting(model)
    seen = check_flows(events, model)
    print(f"{len(model['threads'])} tracks, {count['X']} slices, {model['asyncs']} items that overlap, flows: {dict(seen)}")
    if not count["X"] or not count["b"] or not seen["items"] or not seen["wake"]:
        fail("there is nothing in it")


adopt_orphans()
main()
