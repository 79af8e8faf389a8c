# SPDX-License-Identifier: Apache-2.0
# Traces that come in with a request go through a program and out with another request, and arrive at a collector as spans, which it checks against the protocol's schema
# (otlp_receiver.py); so do metrics. A collector that is busy, down, slow, away, or takes a part: an answer each, in bounded time.
# seconds: 120
command -v python3 >/dev/null && command -v curl >/dev/null || skip "no python3, or no curl"
mkdir got
python3 -B "$WEIR_SOURCE/tests/scenario/otlp_receiver.py" port got & server=$!
wait_until 30 test -s port
collector=http://127.0.0.1:$(cat port)
cat >answer.py <<PYTHON
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, "$WEIR_SOURCE/python")
import weir
weir.serve(lambda item: item.data + b" seen-" + item.baggage.get("traceparent", b"none"))
PYTHON
cat >traced.yaml <<YAML
pipeline: traced
stages:
  - {name: net, source: http, listen: '127.0.0.1:0', path: /in, baggage: [Traceparent]}
  - {name: call, exec: [python3, answer.py], mode: frame, in_flight: 4, baggage: [traceparent]}
  - {name: post, sink: http, url: '$collector/echo'}
YAML
weir run traced.yaml 2>stderr.run & run=$!
wait_until 60 running traced
wait_until 30 grep -q "listening at" stderr.run
net=$(grep -o 'listening at 127.0.0.1:[0-9]*' stderr.run | head -n 1 | sed 's/.* //')
give() { curl -sS --fail -H "Traceparent: $2" --data-binary "$1" "http://$net/in" >/dev/null || fail "curl: $1"; }
trace=4bf92f3577b34da6a3ce929d0e0e4736
wanted=00-$trace-00f067aa0ba902b7-01
unwanted=00-deadbeefdeadbeefdeadbeefdeadbeef-00f067aa0ba902b7-00
give one "$wanted"
give two "$unwanted"
give three nonsense
arrived() { [ "$(cat got/echo 2>/dev/null | wc -l)" = "$1" ]; }
wait_until 60 arrived 3
grep -Eq "^one seen-$wanted 00-$trace-[0-9a-f]{16}-01$" got/echo || fail "$(cat got/echo)"
grep -Eq "^two seen-$unwanted 00-deadbeefdeadbeefdeadbeefdeadbeef-[0-9a-f]{16}-00$" got/echo || fail "$(cat got/echo)"
grep -q "^three seen-nonsense None$" got/echo || fail "$(cat got/echo)"
out=$(sed -n "s/^one.*-\([0-9a-f]*\)-01$/\1/p" got/echo)
[ "$out" != 00f067aa0ba902b7 ] || fail "the request has its caller's span"

# Metrics.
assert_exit 0 weir metrics traced --otlp "$collector"
python3 -B - <<'PYTHON' || fail "metrics"
import json
request = json.loads(open("got/metrics").read())
metrics = {metric["name"]: metric for metric in request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]}
points = {tuple(sorted((one["key"], one["value"]["stringValue"]) for one in point["attributes"])): point for point in metrics["weir_items_total"]["sum"]["dataPoints"]}
assert points[("line", "accepted"), ("stage", "net")]["asInt"] == "3", points
assert metrics["weir_items_total"]["sum"]["isMonotonic"] and "gauge" in metrics["weir_workers"]
for point in metrics["weir_end_to_end_seconds"]["histogram"]["dataPoints"]:
    assert len(point["bucketCounts"]) == len(point["explicitBounds"]) + 1 and sum(map(int, point["bucketCounts"])) == int(point["count"])
assert all(int(point["startTimeUnixNano"]) < int(point["timeUnixNano"]) for point in points.values())
PYTHON
assert_exit 75 weir metrics traced --otlp "$collector/down" --timeout 300ms
assert_contains stderr 'it answered 503, "{\"code\": 14, \"message\": \"not now\"}"; it was tried until its time (--timeout) was over'

# Spans.
assert_exit 0 weir trace record traced -o trace --for 0s >/dev/null
assert_exit 0 weir drain traced
wait "$run" || fail "$(cat stderr.run)"
assert_exit 0 weir trace export trace --otlp "$collector"
assert_contains stderr " spans were sent"
OUT=$out TRACE=$trace python3 -B - <<'PYTHON' || fail "spans: $(cat got/traces)"
import json, os
spans = [span for line in open("got/traces") for span in json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]]
of_trace = {span["name"]: span for span in spans if span["traceId"] == os.environ["TRACE"]}
assert sorted(of_trace) == ["call", "post"], of_trace
assert all(span["parentSpanId"] == "00f067aa0ba902b7" for span in of_trace.values())
assert of_trace["post"]["spanId"] == os.environ["OUT"] != of_trace["call"]["spanId"]
assert all(int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) for span in spans)
assert not [span for span in spans if span["traceId"].startswith("deadbeef")]
assert all("parentSpanId" not in span for span in spans if span["traceId"] != os.environ["TRACE"])
PYTHON
assert_exit 0 weir trace export trace --otlp "$collector/" --sample 0
assert_contains stderr "0 spans were sent"
sent=$(wc -l <got/traces)

# Collectors that do otherwise.
assert_exit 0 weir trace export trace --otlp "$collector/busy/2"
[ "$(wc -l <got/traces)" = $((sent + 1)) ] || fail "busy: it was not sent once"
assert_exit 0 weir trace export trace --otlp "$collector/partial"
assert_contains stderr "of which the collector has refused 3: 'three too many'"
assert_exit 75 weir trace export trace --otlp "$collector/down" --timeout 300ms
assert_contains stderr "0 spans were sent; the rest was not: $collector/down/v1/traces: it answered 503"
started=$SECONDS
assert_exit 75 weir trace export trace --otlp "$collector/later" # it says in an hour
for seconds in 18446744072 18446744074 9223372036854775807; do # in ns, and with what the clock says, that is more than 64 bits
	assert_exit 75 timeout 60 weir trace export trace --otlp "$collector/after/$seconds" --timeout 2s
	[ "$(grep -c "^$seconds$" got/after)" = 1 ] || fail "tried again before $seconds s were over"
done
assert_exit 75 weir trace export trace --otlp "$collector/slow" --timeout 300ms
assert_contains stderr "Operation timed out"
[ "$((SECONDS - started))" -lt 60 ] || fail "it has waited for $((SECONDS - started)) s"
assert_exit 2 weir trace export trace --otlp localhost
assert_contains stderr "'localhost' is no URL of a collector such as http://127.0.0.1:4318"
assert_exit 75 weir trace export trace --otlp "http://bob:secret@${collector#http://}/down" --timeout 300ms
assert_contains stderr "http://***@${collector#http://}/down/v1/traces: it answered 503"
! grep -q secret stderr || fail "the password is told: $(cat stderr)"
assert_exit 2 weir trace export trace --otlp bob:secret@localhost
assert_contains stderr "'***@localhost' is no URL"
assert_exit 2 weir trace export trace --otlp "$collector" --sample 2
kill "$server"
wait "$server"
assert_exit 75 weir trace export trace --otlp "$collector" --timeout 300ms
assert_contains stderr "; the rest was not: "
