# SPDX-License-Identifier: Apache-2.0
# One item to several stages at once, and one again: whole, partial, refused; late and missing answers; baggage, time, order of the end.
# seconds: 120
python=$WEIR_SOURCE/python
assert_exit 0 weir run --json "$WEIR_SOURCE/configs/gather.yaml" >out
assert_eq "$(wc -l <out) $(grep -c '"missing":\[\]' out) $(grep -c '"missing":\["stock"\]' out) $(final stderr balanced)" "20 16 4 true" "config"

cat >call.py <<'PY'
"""never=N refuse=N: what becomes of every N-th order; the others are answered in their own time, out of order."""
import asyncio, random, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import weir
odd = {name: int(n) for name, n in (word.split("=") for word in sys.argv[2:])}
def every(item, name):
    return name in odd and item.data["n"] % odd[name] == 0
async def answer(item):
    if every(item, "refuse"):
        raise weir.Refuse("not this one")
    if every(item, "never"):
        return None
    await asyncio.sleep(random.uniform(0, 0.02))
    return {"n": item.data["n"] * 2}
weir.serve(answer)
PY
# spec COUNT OPTIONS_OF_A OPTIONS_OF_B OPTIONS_OF_GATHER
spec() {
	cat <<YAML
pipeline: join
stages:
  - {name: read, source: generate, count: $1, text: '{"n":{n}}', decode: json}
  - {name: split, operator: scatter}
  - {name: a, from: split, exec: [python3, call.py, $python$2], mode: frame, in_flight: 256, dead_letter: {path: refused}}
  - {name: b, from: split, exec: [python3, call.py, $python$3], mode: frame, in_flight: 256}
  - {name: join, from: [split, a, b], operator: gather, scatter: split, $4, dead_letter: {path: given.up}}
  - {name: write, sink: file, path: out, encode: json}
YAML
}
whole() { seq 1 "$1" | awk '{ printf "{\"answers\":{\"split\":{\"n\":%d},\"a\":{\"n\":%d},\"b\":{\"n\":%d}},\"missing\":[]}\n", $1, 2 * $1, 2 * $1 }'; }
spec 2000 '' '' 'within: 60s' >spec.yaml
assert_exit 0 weir run --json spec.yaml
assert_eq "$(LC_ALL=C sort out | sha256sum)" "$(whole 2000 | LC_ALL=C sort | sha256sum)" "all whole"
assert_eq "$(final stderr balanced) $(final stderr consumed)" "true 12000" "ledger" # 2000 by scatter, 2000 by each branch, 6000 here

# Nobody answers for some, one is refused for others: nothing waits beyond its time, and each has one result.
spec 400 ', never=7' ', refuse=10, never=7' 'within: 60s' >spec.yaml
assert_exit 3 weir run --json spec.yaml
assert_eq "$(wc -l <out) $(grep -o '"split":{"n":[0-9]*' out | sort -u | wc -l)" "400 400" "each has one result"
assert_eq "$(grep -c '"missing":\["a","b"\]' out) $(grep -c '"missing":\["b"\]' out) $(grep -c '"missing":\["a"\]' out)" "57 35 0" "missing"
assert_eq "$(final stderr balanced) $(final stderr rejected)" "true 40" "ledger of those refused"

# Late: the result has gone without them; they are dropped, or refused. The pipeline does not end before they have come.
for late in drop reject; do
	rm -f out given.up
	cat >spec.yaml <<YAML
pipeline: join
stages:
  - {name: read, source: generate, count: 100, text: '{"n":{n}}', decode: json}
  - {name: split, operator: scatter}
  - {name: a, from: split, operator: delay, for: 1500ms}
  - {name: b, from: split, operator: map, expr: .}
  - {name: join, from: [split, a, b], operator: gather, scatter: split, within: 500ms, since: source, late: $late, dead_letter: {path: given.up}}
  - {name: write, sink: file, path: out, encode: json}
YAML
	weir run --json spec.yaml 2>stderr
	assert_eq "$? $(final stderr balanced)" "$([ "$late" = drop ] && echo 0 || echo 3) true" "late: $late"
	assert_eq "$(wc -l <out) $(grep -c '"missing":\["a"' out)" "100 100" "result of late: $late"
done
assert_eq "$(grep -c "the answer of 'a' came when the time was over" given.up)" 100 "dead letters of those that are late"
assert_contains stderr "100 items were joined, 100 without all answers"

# Not without b: a dead letter, with what there was.
rm -f out given.up
spec 100 ', never=10' ', never=4' 'within: 60s, require: b, emits: text' | sed 's/, encode: json//' >spec.yaml
assert_exit 3 weir run --json spec.yaml
assert_eq "$(wc -l <out) $(grep -c '"missing":\["a"\]' out) $(wc -l <given.up) $(final stderr balanced)" "75 5 25 true" "require"
assert_contains given.up "'b' has not answered in time"

# What can't be told apart is told so.
cat >spec.yaml <<YAML
pipeline: join
stages:
  - {name: one, source: generate, count: 3}
  - {name: two, source: generate, count: 4}
  - {name: split, from: one, operator: scatter}
  - {name: join, from: [split, two], operator: gather, scatter: split, within: 1s, dead_letter: {path: strangers}}
  - {name: write, sink: discard}
YAML
assert_exit 1 weir run spec.yaml
assert_contains stderr "what comes from here is not all made of items of 'split': 'two' is a source of it, too"

# More than `open` allows: the next wait for a place, and the log says so. Who has had all answers needs none, however long `within` is: an hour here.
rm -f out
spec 400 '' '' 'within: 1h, open: 5' >spec.yaml
timeout 100 weir run --json spec.yaml 2>stderr || fail "exit code $?"
assert_eq "$(LC_ALL=C sort out | sha256sum) $(final stderr balanced)" "$(whole 400 | LC_ALL=C sort | sha256sum) true" "more than may be open"
assert_contains stderr "all 5 places of 'open' are taken"

# Another answer is one too many, before the result and behind it: here each branch gives two.
rm -f out given.up
cat >spec.yaml <<YAML
pipeline: join
stages:
  - {name: read, source: generate, count: 500, text: '{"n":{n}}', decode: json}
  - {name: split, operator: scatter}
  - {name: two, from: split, operator: map, expr: '., .'}
  - {name: a, from: two, operator: delay, for: 100ms}
  - {name: join, from: [split, a], operator: gather, scatter: split, within: 1h, late: reject, dead_letter: {path: given.up}}
  - {name: write, sink: file, path: out, encode: json}
YAML
assert_exit 3 weir run --json spec.yaml
assert_eq "$(wc -l <out) $(grep -c '"missing":\[\]' out) $(grep -c 'is one more than the first' given.up) $(final stderr balanced)" "500 500 500 true" "two answers"
