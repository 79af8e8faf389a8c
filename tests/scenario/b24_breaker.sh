# SPDX-License-Identifier: Apache-2.0
# A target that does not answer is called no more, others are; and again when its probes go well. Each item leaves once, killed or not.
# seconds: 180
cat >pay.py <<'PY'
import asyncio, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import weir
async def answer(item):
    n = item.data["n"]
    if item.data["to"] == "card" and 300 <= n < 900:
        return None                     # nothing comes back
    if item.data["to"] == "cash" and n // 30 % 2:
        return {"n": n, "error": "no"}
    return {"n": n}
weir.serve(answer)
PY
cat >spec.yaml <<YAML
pipeline: paying
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: generate, count: 1800, rate: 300/s, text: '{"n":{n}}', decode: json}
  - {name: to, operator: map, expr: '. + {to: (if .n % 30 == 0 then "cash" elif .n % 3 == 0 then "card" else "bank" end)}'}
  - {name: guard, from: [to, {stage: pay, credit: 1000}], operator: breaker, target: .to, timeout: 1s, failed: .error,
     share: 15%, window: 4s, at_least: 20, open_for: 500ms}
  - {name: pay, from: guard.call, exec: [python3, pay.py, $WEIR_SOURCE/python], mode: frame, in_flight: 512, lane: 1MiB, dead_letter: {attempts: 100}}
  - {name: paid, from: guard.done, sink: file, path: paid, encode: json}
  - {name: later, from: guard.fallback, sink: file, path: later, encode: json}
YAML
# Each number once, in one of the two.
numbers() { cat paid later | sed 's/[^0-9]*\([0-9]*\).*/\1/' | sort -n; }
assert_exit 0 weir run --json spec.yaml
assert_file_equal <(numbers) <(seq 1 1800) "each once"
assert_eq "$(final stderr balanced)" true ledger
assert_contains stderr "is open: "
grep -q 'card.* is half-open: 3 probes' stderr || fail "no probes"
grep -q 'card.* is closed again: 3 probes went well' stderr || fail "it is not called again"
! grep -q '\\"cash\\".* is closed again' stderr || fail "every second call to cash fails, of which 3 in a row were good"
[ "$(grep -c '"to":"card"' later)" -ge 180 ] || fail "$(grep -c '"to":"card"' later) items of a target that does not answer"
awk -F'[:,}]' '$2 > 1650 && $2 % 3 == 0 && $2 % 30 { n++ } END { exit !n }' paid || fail "card is not called any more at the end"
assert_eq "$(awk -F'[:,}]' '$2 >= 300 && $2 < 900 && $2 % 3 == 0 && $2 % 30' paid | wc -l)" 0 "paid by who did not answer"

# Killed: workers of each stage; nobody is forgotten, nobody leaves twice, and the switches stay what they are.
sed -i 's/count: 1800, rate: 300/count: 2400, rate: 1000/; s/timeout: 1s/timeout: 400ms/' spec.yaml
rm -f paid later
run_with_kills 0 "$(rounds 40 500)" 6 0.03
assert_file_equal <(numbers) <(seq 1 2400) "each once, killed"
assert_eq "$(final stderr balanced) $(final stderr in_flight)" "true 0" "ledger, killed"
echo "$(cat kills) kills, $(restarts stderr) restarts, $(wc -l <later) to the fallback"
[ "$(restarts stderr)" -ge 5 ] || fail "only $(restarts stderr) deaths"
