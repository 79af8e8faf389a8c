# SPDX-License-Identifier: Apache-2.0
# Tables: what is looked up is what awk joins; readers go on while it is written and never see it go back; a reader that dies is released, and one
# that dawdles is named, while items wait and none is lost.
# seconds: 240
weir run "$WEIR_SOURCE/configs/load.yaml" 2>stderr || fail "exit code $? of load: $(cat stderr)"
assert_eq "$(weir table get users.table root | grep -o '"uid":"[0-9]*"')" '"uid":"0"' "root's number"
assert_eq "$(printf 'root\nnobody-at-all\n' | weir run "$WEIR_SOURCE/configs/lookup.yaml" 2>stderr | grep -c '"user":{"user":"root"')" 1 "lookup"
assert_contains stderr "rejected 1"
assert_eq "$(weir table dump users.table | wc -l)" "$(grep -c : /etc/passwd)" "entries"

# Against awk, with one worker and with four.
count=$(rounds 20000 500000)
awk 'BEGIN { for (i = 0; i < 3000; i++) printf "%d,name %d\n", i * 3, i }' >names
awk -v n="$count" -v seed="$WEIR_SEED" 'BEGIN { srand(seed); for (i = 1; i <= n; i++) printf "{\"n\":%d,\"who\":%d}\n", i, rand() * 12000 }' >asks
cat >load.yaml <<YAML
pipeline: load
stages:
  - {name: read, source: file, path: names, decode: {format: csv, columns: [id, name]}}
  - {name: write, sink: table, path: names.table, key: .id}
YAML
assert_exit 0 weir run --json load.yaml
assert_eq "$(final stderr delivered) $(final stderr balanced)" "3000 true" "loaded"
awk -F'[:,}]' 'NR == FNR { split($0, part, ","); name[part[1]] = part[2]; next }
	$4 in name { printf "{\"n\":%d,\"who\":%d,\"is\":{\"id\":\"%d\",\"name\":\"%s\"}}\n", $2, $4, $4, name[$4]; next } { print }' names asks >expected
for workers in 1 4; do
	for decode in json raw; do
		cat >ask.yaml <<YAML
pipeline: ask
stages:
  - {name: read, source: file, path: asks, decode: $decode}
  - {name: add, operator: lookup, path: names.table, key: .who, into: is, workers: $workers}
  - {name: write, sink: file, path: out, encode: $decode}
YAML
		assert_exit 0 weir run --json ask.yaml
		assert_eq "$(final stderr delivered) $(final stderr balanced)" "$count true" "ledger, $workers, $decode"
		assert_eq "$(LC_ALL=C sort out | sha256sum)" "$(LC_ALL=C sort expected | sha256sum)" "$workers workers, $decode"
	done
done
grep -q '"is"' out || fail "nothing was found"

# While it is written: 60 keys get higher and higher numbers, four workers ask for them, some of those are killed.
cat >both.yaml <<YAML
pipeline: both
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: new, source: generate, count: $((count * 2)), text: '{"n":{n}}'}
  - {name: number, operator: map, expr: 'fromjson | {id: (.n % 60), n: .n}', emits: structured}
  - {name: write, sink: table, path: live.table, key: .id, every: 1ms}
  - {name: ask, source: generate, count: $count, text: '{n}', rate: 20k}
  - {name: who, operator: map, expr: '{id: 17, ask: tonumber}', emits: structured}
  - {name: add, operator: lookup, path: live.table, key: .id, into: is, absent: empty, workers: 4, order: fifo}
  - {name: show, sink: file, path: seen, encode: json}
YAML
sed -i 's/{name: number,/{name: number, from: new,/; s/{name: who,/{name: who, from: ask,/' both.yaml
weir run --json both.yaml 2>stderr &
pipeline=$!
for _ in $(seq 8); do
	sleep 0.1
	pids=($(weir ps both --json 2>/dev/null | grep -o '"name":"add".*' | grep -o '"pid":[0-9]*' | head -n 4 | sed 's/.*://'))
	[ "${#pids[@]}" -lt 4 ] || kill -KILL "${pids[RANDOM % 4]}" 2>/dev/null
done
wait "$pipeline" || { tail -n 5 stderr >&2; fail "exit code $? while it is written"; }
assert_eq "$(final stderr balanced) $(wc -l <seen)" "true $count" "all were answered"
sed -n 's/.*"ask":\([0-9]*\),"is":{"id":17,"n":\([0-9]*\)}.*/\1 \2/p' seen >order
[ "$(cut -d' ' -f2 order | sort -u | wc -l)" -ge 3 ] || fail "the table hardly changed while it was looked at"
assert_eq "$(weir table get live.table 17)" "{\"id\":17,\"n\":$(((count * 2 - 17) / 60 * 60 + 17))}" "the last one"

# A dump that nobody reads sees one state; what was replaced fills the room of a small table. It is named, items wait, and when it is killed
# all of them arrive.
cat >small.yaml <<YAML
pipeline: small
stages:
  - {name: new, source: generate, count: 1200, text: '{n}'}
  - {name: pad, operator: map, expr: 'tonumber | {id: (. % 200), n: ., pad: ("x" * 1000)}', emits: structured, batch: 4}
  - {name: write, sink: table, path: small.table, key: .id, size: 256KiB, every: 0s, batch: 1}
YAML
sed 's/count: 1200/count: 300/' small.yaml >first.yaml
assert_exit 0 weir run first.yaml
mkfifo pipe
python3 -c 'import time, sys
file = open("pipe")
print("open", flush=True)
time.sleep(1000)' >unread &
holder=$!
weir table dump small.table >pipe &
dump=$!
wait_until 20 test -s unread
wait_until 20 sh -c 'weir table stat small.table | grep -q "table dump small.table"'
weir run --json small.yaml 2>stderr &
pipeline=$!
wait_until 60 grep -q "leaves no room in the table" stderr
assert_contains stderr "process $dump (weir table dump small.table) has looked at an old state of it for"
assert_contains stderr "items wait"
running small || fail "it did not wait"
kill -KILL "$dump"
wait "$dump" 2>/dev/null
wait "$pipeline" || { tail -n 5 stderr >&2; fail "exit code $? behind a reader that dawdled"; }
assert_eq "$(final stderr delivered) $(final stderr balanced) $(restarts stderr)" "1200 true 0" "nothing was lost"
assert_contains stderr "has room again"
assert_eq "$(weir table get small.table 199 | grep -o '"n":[0-9]*')" '"n":1199' "the last one, small"

# The same, and a cancel instead: it ends all the same, and says what was not done.
weir table dump small.table >pipe &
dump=$!
wait_until 20 sh -c 'weir table stat small.table | grep -q "table dump small.table"'
weir run --json small.yaml 2>log &
pipeline=$!
wait_until 60 grep -q "leaves no room in the table" log
assert_exit 0 weir cancel small
wait "$pipeline"
assert_eq "$(final log balanced)" true "cancelled"
kill -KILL "$dump" "$holder"
wait "$dump" "$holder" 2>/dev/null
true
