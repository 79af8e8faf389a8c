# SPDX-License-Identifier: Apache-2.0
# Latencies of a pipeline whose times are known: a slow program, the lane in front of it, and what lies behind. Each item is counted once, a kill does not lose what
# was counted, the text is what Prometheus' own parser takes, and its buckets agree with the fine ones.
# seconds: 240
# takes: 6
cat >spec.yaml <<'YAML'
pipeline: slow
stages:
  - {name: feed, source: exec, command: 'seq 100; until [ -e go ]; do sleep 0.05; done', resume: rerun}
  - name: work
    exec: [sh, -c, 'while read -r line; do sleep 0.02; echo "$line"; done']
    mode: line
  - {name: several, exec: [sh, -c, 'while read -r line; do sleep 0.02; echo "$line"; done'], mode: line, workers: 2}
  - {name: end, sink: discard}
YAML
weir run --json --progress=never spec.yaml 2>log >/dev/null &
run=$!
delivered() {
	weir metrics slow --json >json 2>/dev/null || return
	grep -q '"stage":"end","line":"delivered"},"value":100}' json
}
wait_until 120 delivered
weir metrics slow >text || fail "no metrics"
! command -v promtool >/dev/null || promtool check metrics <text || fail "promtool refuses it"
cat >judge.py <<'PY'
import json

found = {}
for metric in json.load(open("json"))["metrics"]:
    for sample in metric["samples"]:
        found[metric["name"], sample["labels"].get("stage")] = sample
text = {}
for line in open("text"):
    if not line.startswith("#"):
        name, value = line.rsplit(" ", 1)
        text[name] = float(value)


def latency(kind, stage):
    """Its sums agree: fine and coarse, JSON and text."""
    sample = found[f"weir_{kind}_seconds", stage]
    counts = [bucket["count"] for bucket in sample["buckets"]]
    assert counts == sorted(counts) and counts[-1] <= sample["count"], sample
    assert sum(n for _, n in sample["fine"]) == sample["count"], sample
    for bucket in sample["buckets"]:
        assert sum(n for middle, n in sample["fine"] if middle < bucket["le"]) == bucket["count"], (bucket, sample)
    name = f'weir_{kind}_seconds_count{{pipeline="slow",stage="{stage}"}}'
    assert text[name] == sample["count"], name
    return sample["count"], sample["sum"], {float(key): value for key, value in sample["quantiles"].items()}


NEARLY = 1 - 1 / 16  # half a bucket
for stage in ("work", "several"):
    n, seconds, quantiles = latency("processing", stage)
    assert n == 100, (stage, n)
    assert seconds >= 100 * 0.02 and quantiles[0.5] >= 0.02 * NEARLY, (stage, seconds, quantiles)
    assert quantiles[0.5] <= quantiles[0.9] <= quantiles[0.99] <= quantiles[0.999], quantiles
n, seconds, quantiles = latency("processing", "end")
assert n == 100 and quantiles[0.5] < 0.02, (n, quantiles)
for stage in ("work", "several", "end"):
    assert 0 < latency("waiting", stage)[0] <= 100, stage
# All hundred came at once, and each waits for those before it: in the program, which has been given them.
n, seconds, quantiles = latency("end_to_end", "end")
assert n == 100 and quantiles[0.5] >= 50 * 0.02 * NEARLY, (n, seconds, quantiles)
assert quantiles[0.999] >= 100 * 0.02 * NEARLY, quantiles
for kind in ("waiting", "processing", "end_to_end"):
    assert latency(kind, "feed")[0] == 0, kind
PY
python3 judge.py || fail "the latencies are not what was waited for: $(cat json)"

# The next generation goes on with the same histograms.
counted() {
	weir metrics slow | sed -n 's/^weir_processing_seconds_count{pipeline="slow",stage="end"} //p'
}
assert_eq "$(counted)" 100 "before the kill"
kill -KILL "$(worker_pids slow | tail -n 1)"
back() {
	weir metrics slow >text && grep -q '^weir_restarts_total{pipeline="slow",stage="end",reason="signal"} 1$' text
}
wait_until 60 back
assert_eq "$(counted)" 100 "after it"
touch go
wait "$run"
assert_eq "$?" 0 "exit code"
