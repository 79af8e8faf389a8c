# SPDX-License-Identifier: Apache-2.0
# weir tap: what it shows has really passed, of a pipeline at full load, through a kill, a scale and a reload; filter and redaction hold; nothing changes for the pipeline; what it maps can't be written.
# seconds: 240
# sanitizers: no, what copies, hides and prints is in unit.broker.observe.glimpse, unit.common.record.redact and unit.broker.cli.tap
command -v python3 >/dev/null || skip "no python3"

# --- structured items, outputs with names, a quiet edge: nothing of it is left out
cat >quiet.yaml <<'YAML'
pipeline: quiet
stages:
  - {name: read, source: generate, text: '{"n":{n},"user":{"name":"Ann","pin":[7]}}', rate: 100/s}
  - {name: know, from: read, operator: map, expr: fromjson, emits: structured, deadline: 60s}
  - name: split
    from: know
    operator: route
    deadline: 60s
    routes: {odd: .n % 2 == 1}
    default: even
  - {name: left, from: split.odd, sink: discard}
  - {name: right, from: split.even, sink: discard}
YAML
assert_exit 3 weir tap quiet
assert_contains stderr "pipeline 'quiet': the pipeline is not running"
weir run --progress=never quiet.yaml 2>quiet.log &
quiet=$!
wait_until 60 running quiet
assert_exit 0 weir tap quiet split.odd:left --rate 1000 --count 20 --json >odd.json
assert_contains stderr "weir: 20 items shown of "
assert_exit 0 weir tap quiet know --rate 1000 --count 20 --json --redact .user.name,..pin >know.json
assert_exit 0 weir tap quiet read:know --count 3 --hex --quiet >hex.txt
assert_eq "$(cat stderr)" "" "--quiet"
assert_exit 0 weir tap quiet read:know --count 2 --raw --filter '.n % 2 == 0' >raw.json
python3 - <<'PYTHON' || fail "see above; $(head -n 3 odd.json know.json hex.txt raw.json)"
import json
def lines(name):
    return [json.loads(line) for line in open(name)]
odd = lines("odd.json")
numbers = [item["value"]["n"] for item in odd]
assert len(odd) == 20 and numbers == list(range(numbers[0], numbers[0] + 40, 2)) and numbers[0] % 2 == 1
assert all(item["from"] == "split" and item["outputs"] == "odd" and item["to"] == "left" for item in odd)
assert all(item["value"] == {"n": item["value"]["n"], "user": {"name": "Ann", "pin": [7]}} for item in odd)
know = lines("know.json")
assert {item["to"] for item in know} == {"know", "split"} and {item["from"] for item in know} == {"read", "know"}
assert all(item["value"] == {"n": item["sequence"] + 1, "user": {"name": "***", "pin": "***"}} for item in know)
assert all(item["generation"] == 0 and not item["truncated"] and item["age_seconds"] < 60 for item in know)
for line in open("hex.txt"):
    assert json.loads(bytes.fromhex(line.split(": ", 1)[1]))["user"]["name"] == "Ann"
raw = lines("raw.json")
assert len(raw) == 2 and all(item["n"] % 2 == 0 for item in raw)
PYTHON

# --- what can't be
assert_exit 2 weir tap quiet nobody
assert_contains stderr "there is no edge 'nobody'; there are read:know, know:split, split.odd:left, split.even:right; or name a stage"
assert_exit 2 weir tap quiet split.odd:right
assert_exit 2 weir tap quiet --filter '.n +'
assert_contains stderr "weir tap: --filter: line 1: syntax error"
assert_exit 2 weir tap quiet --redact 'a..b'
assert_contains stderr "--redact 'a..b': a name is missing"
weir tap quiet --count 5 >/dev/full 2>full.log
assert_eq "$?" 75 "a disk that is full: $(cat full.log)"
assert_contains full.log "weir: standard output can not be written: No space left on device"
weir tap quiet --for 300s --quiet 2>head.log | head -n 3 >head.txt
assert_eq "${PIPESTATUS[0]} $(wc -l <head.txt) $(cat head.log)" "0 3 " "who reads goes away"
assert_exit 2 weir tap quiet --rate 0
assert_exit 2 weir tap quiet --rate 100001/s
assert_exit 0 weir tap quiet read:know --rate 1/h --for 3s --raw >slowly
assert_eq "$(wc -l <slowly)" 1 "one an hour"
assert_exit 2 weir tap quiet --raw --json
assert_exit 0 weir tap quiet know:split --for 200ms --filter '.user.name + 1' --redact .user.name >nothing
assert_contains stderr "such items are not shown"
grep -q Ann stderr && fail "the filter's words quote what is redacted: $(cat stderr)"
[ ! -s nothing ] || fail "items on which the filter fails: $(cat nothing)"
assert_exit 0 weir tap quiet read:know --count 1 --raw --quiet --filter '[range(20000) | debug] | true' >debug # more than a pipe holds
assert_eq "$(wc -l <debug) $(cat stderr)" "1 " "what a filter says by debug"
assert_exit 75 weir tap quiet read:know --filter 'def f: 1 + f; f' >nothing # takes too much memory, or on a busy machine too long
assert_contains stderr "weir: --filter "
assert_exit 0 weir tap quiet read:know --redact .n --raw --count 1 >redacted
assert_contains redacted '{"n":"***"'
weir tap quiet --for 300s >ended.txt 2>ended.log &
tap=$!
wait_until 60 test -s ended.txt
weir stop quiet >/dev/null || fail "weir stop quiet"
wait "$tap" || fail "the pipeline has ended: exit code $?"
assert_contains ended.log "; the pipeline has ended"
wait "$quiet" || fail "quiet: $(cat quiet.log)"

# --- a pipeline at full load
cat >loaded.yaml <<'YAML'
pipeline: loaded
stages:
  - {name: read, source: generate, text: '{"n":{n},"pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}'}
  - {name: keep, exec: [cat], mode: line, workers: {min: 1, max: 3}}
  - {name: write, sink: file, path: out.ndjson}
YAML
weir run --json --progress=never loaded.yaml 2>loaded.log &
run=$!
wait_until 60 running loaded
weir tap loaded --rate 200 --for 300s --json >tap.json 2>tap.log &
tap=$!
weir tap loaded read:keep --rate 100 --for 300s --filter '.n % 3 == 0' --json >third.json 2>third.log &
third=$!
lines() {
	[ "$(wc -l <"$2")" -ge "$1" ]
}
wait_until 60 lines 100 tap.json
wait_until 60 lines 50 third.json
grep -h 'memfd:weir' "/proc/$tap/maps" >maps || fail "nothing is mapped"
grep -v ' r--s ' maps && fail "what is mapped can be written"
for fd in /proc/"$tap"/fd/*; do
	case $(readlink "$fd") in
	*memfd:weir*) grep -q '^flags:.*0$' "/proc/$tap/fdinfo/${fd##*/}" || fail "$fd can be written: $(cat "/proc/$tap/fdinfo/${fd##*/}")" ;;
	esac
done
kill -KILL "$(weir ps loaded --json | grep -o '"name":"keep".*' | grep -o '"index":0,"pid":[0-9]*' | head -n 1 | sed 's/.*://')"
from_generation() {
	grep -q "\"from\":\"keep\",\"from_worker\":0.*\"generation\":$1," tap.json
}
wait_until 60 from_generation 1
assert_exit 0 weir scale loaded keep=3 >/dev/null
wait_until 60 grep -q '"to":"keep","to_worker":2' tap.json
sed 's/name: keep,/name: keep, dead_letter: {attempts: 5},/' loaded.yaml >reloaded.yaml
assert_exit 0 weir reload loaded reloaded.yaml --probation 200ms >/dev/null
wait_until 60 from_generation 2
assert_exit 0 weir drain loaded >/dev/null
wait "$run" || fail "loaded: $(tail -n 3 loaded.log)"
wait "$tap" || fail "tap: $(cat tap.log)"
wait "$third" || fail "third: $(cat third.log)"
assert_eq "$(final loaded.log balanced)" true "the ledger"
python3 - "$(final loaded.log accepted)" <<'PYTHON' || fail "see above; $(cat tap.log third.log)"
import json, sys
accepted = int(sys.argv[1])
out = sorted(int(line[5:line.index(",")]) for line in open("out.ndjson"))
assert out == list(range(1, accepted + 1)), (len(out), accepted)
pad = "x" * 30
n = {"read": 0, "keep": 0}
last = {}
for line in open("tap.json"):
    item = json.loads(line)
    assert item["value"] == {"n": item["value"]["n"], "pad": pad} and 1 <= item["value"]["n"] <= accepted, item
    if item["from"] == "read":
        assert item["value"]["n"] == item["sequence"] + 1, item
    lane = item["from"], item["from_worker"], item["to_worker"]
    assert item["position"] > last.get(lane, -1) or item["generation"], item
    last[lane] = item["position"]
    n[item["from"]] += 1
assert min(n.values()) > 20, n
third = [json.loads(line)["value"]["n"] for line in open("third.json")]
assert all(number % 3 == 0 for number in third) and len(third) >= 50
PYTHON
