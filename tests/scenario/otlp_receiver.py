#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""otlp_receiver.py PORT_FILE FOLDER: a collector for OTLP/HTTP with JSON.

Each body is checked against otlp_schema.json, which is opentelemetry-proto's ExportTraceServiceRequest and ExportMetricsServiceRequest in the protocol's JSON
mapping: ids in hex, 64-bit integers as strings, enumerations as numbers, unknown keys refused. What fits is a line of FOLDER/traces or FOLDER/metrics, what
does not is answered with 400 and the reason. How it behaves is said by a path in front:

    /echo        no collector: body and traceparent become a line of FOLDER/echo
    /busy/N      429 with Retry-After: 0 for the first N requests    /down   503    /partial   takes all but three    /slow   no answer    /later   503, Retry-After: 3600
    /after/N     503, Retry-After: N; each such request is a line of FOLDER/after
"""
import http.server
import json
import os
import re
import sys
import threading
import time

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "otlp_schema.json"), encoding="utf-8") as file:
    SCHEMA = json.load(file)
KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
busy = {}


# As much of JSON Schema as the file uses. "unique": values of that key differ.
def fault(value, schema, at="$"):
    if "$ref" in schema:
        return fault(value, SCHEMA["definitions"][schema["$ref"]], at)
    if "enum" in schema:
        return None if value in schema["enum"] and not isinstance(value, bool) else f"{at}: {value!r} is none of {schema['enum']}"
    kind = schema["type"]
    if not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return f"{at}: {value!r} is no {kind}"
    if "pattern" in schema and not re.match(schema["pattern"], value):
        return f"{at}: {value!r} is not like {schema['pattern']}"
    if kind == "object":
        for key in schema.get("required", []):
            if key not in value:
                return f"{at}: no {key}"
        if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value)):
            return f"{at}: {len(value)} keys"
        for key, part in value.items():
            if key not in schema["properties"]:
                return f"{at}: unknown key {key}"
            found = fault(part, schema["properties"][key], f"{at}.{key}")
            if found:
                return found
    if kind == "array":
        if "unique" in schema and len({part.get(schema["unique"]) for part in value if isinstance(part, dict)}) < len(value):
            return f"{at}: a {schema['unique']} comes twice"
        for index, part in enumerate(value):
            found = fault(part, schema["items"], f"{at}[{index}]")
            if found:
                return found
    return None


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, retry_after=None):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/echo":
            with open(os.path.join(sys.argv[2], "echo"), "ab") as out:
                out.write(f"{body.decode()} {self.headers['Traceparent']}\n".encode())
            return self.answer(200, {})
        mode, path = re.match(r"(/\w+(?:/\d+)?)?(/v1/\w+)$", self.path).groups()
        if mode == "/slow":
            time.sleep(600)
        if mode in ("/down", "/later"):
            return self.answer(503, {"code": 14, "message": "not now"}, 3600 if mode == "/later" else None)
        if mode and mode.startswith("/after/"):
            with open(os.path.join(sys.argv[2], "after"), "ab") as out:
                out.write(f"{mode[7:]}\n".encode())
            return self.answer(503, {"code": 14, "message": "not now"}, mode[7:])
        if mode and mode.startswith("/busy/"):
            busy[mode] = busy.get(mode, 0) + 1
            if busy[mode] <= int(mode[6:]):
                return self.answer(429, {}, 0)
        if self.headers["Content-Type"] != "application/json":
            return self.answer(415, {"message": "no JSON"})
        value = json.loads(body)
        found = fault(value, SCHEMA[path])
        if found:
            return self.answer(400, {"code": 3, "message": found})
        with open(os.path.join(sys.argv[2], path[4:]), "ab") as out:
            out.write(json.dumps(value).encode() + b"\n")
        return self.answer(200, {"partialSuccess": {"rejectedSpans": "3", "errorMessage": "three too many"}} if mode == "/partial" else {})

    def log_message(self, *arguments):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as out:
        out.write(str(server.server_port))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    threading.Event().wait()


main()
