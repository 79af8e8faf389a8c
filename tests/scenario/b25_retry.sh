# SPDX-License-Identifier: Apache-2.0
# Who fails is asked again: after a back-off, so often, as long as the budget lasts; and each item leaves once, killed or not.
# seconds: 180
cat >ask.py <<'PY'
"""Fails at each fifth item's first attempt, says nothing to each seventh's first, always fails at each fiftieth. dead: at everything."""
import asyncio, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import weir
seen = {}
async def answer(item):
    n = item.data["n"]
    seen[n] = seen.get(n, 0) + 1
    with open("calls", "a") as calls:
        print(n, file=calls)
    if "dead" in sys.argv or n % 50 == 0 or (n % 5 == 0 and seen[n] == 1):
        return {"n": n, "error": "not now"}
    if n % 7 == 0 and seen[n] == 1:
        return None
    return {"n": n, "attempt": seen[n]}
weir.serve(answer)
PY
# spec COUNT PROGRAM_OPTIONS RETRY_OPTIONS
spec() {
	cat >spec.yaml <<YAML
pipeline: again
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: generate, count: $1, text: '{"n":{n}}', decode: json}
  - {name: again, from: [read, {stage: ask, credit: 1000}], operator: retry, failed: .error, $3}
  - {name: ask, from: again.call, exec: [python3, ask.py, $WEIR_SOURCE/python$2], mode: frame, in_flight: 64, dead_letter: {attempts: 100}}
  - {name: good, from: again.done, sink: file, path: good, encode: json}
  - {name: bad, from: again.failed, sink: file, path: bad, encode: json}
YAML
	rm -f good bad calls
}
numbers() { sed 's/[^0-9]*\([0-9]*\).*/\1/' "$@" | sort -n; }
spec 500 '' 'timeout: 4s, attempts: 3, backoff: 20ms, budget: 100%'
assert_exit 0 weir run --json spec.yaml
assert_file_equal <(numbers good) <(seq 1 500 | awk '$1 % 50') "those that a further attempt helped"
assert_file_equal <(numbers bad) <(seq 50 50 500) "those that nothing helps"
assert_file_equal <(sort -n calls | uniq -c | awk '{ print $1 }' | sort | uniq -c | awk '{ print $1, $2 }') <(printf '343 1\n147 2\n10 3\n') "attempts" # most; 2: of each fifth and seventh; 3: of each fiftieth
assert_eq "$(final stderr balanced) $(final stderr in_flight)" "true 0" ledger

# When everything fails not everything is asked again: ten, and a tenth.
spec 400 ', dead' 'timeout: 5s, attempts: 3, backoff: 1ms, budget: 10%'
assert_exit 0 weir run --json spec.yaml
assert_eq "$(wc -l <bad) $(wc -l <good)" "400 0" "all have failed"
[ "$(wc -l <calls)" -gt 410 ] && [ "$(wc -l <calls)" -le 450 ] || fail "$(wc -l <calls) calls for 400 items, with a budget of ten and a tenth"

# Killed.
spec 1000 '' 'timeout: 300ms, attempts: 20, backoff: 5ms, backoff_max: 20ms, budget: 100%, open: 200'
sed -i 's/count: 1000/&, rate: 700\/s/' spec.yaml
run_with_kills 0 "$(rounds 15 500)" 4 0.03
assert_file_equal <(numbers good bad) <(seq 1 1000) "each once, killed"
assert_eq "$(final stderr balanced) $(final stderr in_flight)" "true 0" "ledger, killed"
echo "$(cat kills) kills, $(restarts stderr) restarts"
[ "$(restarts stderr)" -ge 5 ] || fail "only $(restarts stderr) deaths"
