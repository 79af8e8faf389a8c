# SPDX-License-Identifier: Apache-2.0
# seconds: 240
# A million items of a thousand scopes are in flight, and one scope is cancelled, while workers are killed: what had not been delivered of
# it is missing and counted, with its cause, everything else arrives once. A worker that can't say that it has seen it is named.
errand=$WEIR_BUILD/tests/plugins/errand.so
n=1000000

cat >many.yaml <<YAML
pipeline: many
drain: 200s
stages:
  - {name: make, source: generate, count: $n, scopes: 1000, text: "{n}"}
  - {name: pass, plugin: $errand, lane: 64MiB}
  - {name: write, sink: file, path: many.out}
YAML
pid_of() { weir ps many --json 2>/dev/null | grep -o "\"name\":\"$1\".*" | grep -o '"index":[0-9]*,"pid":[0-9]*' | head -n 1 | sed 's/.*://'; }
made() { weir ps many --json 2>/dev/null | grep -q "\"accepted\":$n,"; }

(
	weir run --json many.yaml >many.json 2>&1
	code=$?
	touch ended
	exit "$code"
) &
run=$!
wait_until 60 test -s many.out
stopped=$(pid_of pass)
kill -STOP "$stopped"
wait_until 120 made
weir cancel many --scope 7 --timeout 300ms 2>unseen
assert_eq $? 4 "exit code while a worker is stopped"
assert_contains unseen "not acknowledged by: "
assert_contains unseen "pass#0 (pid $stopped)" # others may take longer than 300 ms, too
assert_exit 0 weir cancel many --scope 8 --cause run_deadline --no-wait
assert_exit 0 weir cancel many --scope 4711000 --no-wait # of which there are no items
weir metrics many >metrics || fail "no metrics"
assert_eq "$(sed -n '/^weir_cancels_total.* [1-9]/s/.*cause=//p' metrics | sort | tr '\n' ' ')" '"run_deadline"} 1 "user"} 2 ' "cancels by cause"
kill -KILL "$stopped"
weir cancel many --scope 7 --json >seen.json || fail "the next generation does not acknowledge it"
assert_contains seen.json '"acknowledged":true,"waiting":0'
kill_randomly many 60 8 >/dev/null
wait "$run"
assert_eq $? 3 "exit code of a run that has lost items"
assert_eq "$(final many.json balanced)" true
# Each that arrived did so once and in its order; of all scopes but the two everything did.
sort -n -u many.out >sorted
assert_file_equal many.out sorted "order, or twice"
arrived=$(wc -l <many.out)
others=$(awk '$1 % 1000 != 7 && $1 % 1000 != 8' many.out | wc -l)
assert_eq "$others" "$((n - 2000))" "items of other scopes"
assert_eq "$(final many.json cancelled)" "$((n - arrived))" "counted as cancelled"
[ "$arrived" -lt "$((n - 1000))" ] || fail "the scopes were not cancelled: $arrived arrived"

# ---- a stage cancels a scope; another one has an item of it in hand, and hears ----
cat >ask.yaml <<YAML
pipeline: ask
drain: 60s
stages:
  - {name: read, source: exec, command: 'exec tail -n +1 -f lines'}
  - {name: stamp, plugin: $errand, say: wait}
  - {name: work, plugin: $errand}
  - {name: write, sink: file, path: ask.out}
YAML
printf '@7 x\n@7 y\n@8 z\nplain\n' >lines
weir run --json ask.yaml >ask.json 2>&1 &
run=$!
wait_until 60 test -e ask.json
in_hand() { weir ps ask --json 2>/dev/null | grep -o '"name":"work".*' | grep -q '"state":"busy"'; }
wait_until 60 in_hand
echo 'cancel 7' >>lines
wait_until 60 grep -q "the item's scope is cancelled: downstream_gone" ask.json
echo 'cancel 8' >>lines
wait_until 60 grep -q -s plain ask.out
assert_exit 0 weir drain ask
wait "$run"
assert_eq "$(final ask.json balanced)" true
assert_eq "$(final ask.json cancelled)" 3 "items of the two scopes"
printf 'plain\ncancel 7\ncancel 8\n' >expected
assert_file_equal ask.out expected
