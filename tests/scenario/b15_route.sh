# SPDX-License-Identifier: Apache-2.0
# route, whole: each item to one output, once, in order, through kills of everybody, by one worker and by three; outputs that several read, and one who reads
# several; large items that are passed on without a copy; outputs that nobody reads, and names that nobody has.
# seconds: 240
rows=$(rounds 40000 400000)
kills=$(rounds 10 150)
killed=0

LC_ALL=C awk -v rows="$rows" 'BEGIN {
	filler = sprintf("%6000s", ""); gsub(/ /, "x", filler)
	for (i = 1; i <= rows; i++) {
		kind = i % 500 == 250 ? "bad" : i % 7 == 0 ? "big" : i % 3 == 0 ? "odd" : "plain"
		line = "{\"id\":" i ",\"kind\":\"" kind "\"" (i % 100 == 1 ? ",\"filler\":\"" filler "\"" : "") "}"
		print line
		if (kind == "big") { print line >"expected.big"; print line >"expected.some" }
		if (kind == "odd") print line >"expected.some"
		if (kind == "plain") print line >"expected.rest"
	}
}' >in.ndjson
bad=$((rows / 500))
touch expected.big
cat >spec.yaml <<'YAML'
pipeline: route
drain: 100s
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: file, path: in.ndjson}
  - name: split
    operator: route
    deadline: 20s
    routes:
      big: fromjson | if .kind == "bad" then error("bad \(.id)") else .kind == "big" end
      odd: contains("\"odd\"")
    default: rest
  - {name: big, from: split.big, sink: file, path: out.big}
  - {name: some, from: [split.big, split.odd], sink: file, path: out.some}
  - {name: rest, from: split.rest, operator: filter, expr: 'true', deadline: 20s}
  - {name: write, sink: file, path: out.rest}
YAML
assert_exit 0 weir check spec.yaml >checked
assert_exit 0 weir graph spec.yaml >graph
assert_contains graph "of split: big odd"
for workers in 1 3; do
	rm -f out.* ended
	sed "s/operator: route/&\n    workers: $workers\n    order: fifo/" spec.yaml >now.yaml
	{ weir run --json --progress=never now.yaml 2>log; echo $? >code; touch ended; } &
	wait_until 60 test -s log -o -e code
	kill_randomly route 40 "$kills" >/dev/null
	wait
	assert_eq "$(cat code)" 3 "$workers workers: exit code: $(tail -n 3 log)"
	for output in big some rest; do
		assert_file_equal "out.$output" "expected.$output" "$workers workers: $output"
	done
	assert_eq "$(final log balanced) $(final log in_flight) $(final log rejected)" "true 0 $bad" "$workers workers: ledger"
	assert_eq "$(weir dlq export route | grep -c "\"reason\":\"jq: output 'big': bad [0-9]*\"")" "$bad" letters
	weir dlq purge route --all >/dev/null
	killed=$((killed + $(restarts log)))
done
[ "$killed" -ge "$(rounds 2 150)" ] || fail "only $killed kills: the run is too short to mean anything"

# Who reads from what.
sed 's/split.rest/split.rset/' spec.yaml >bad.yaml
assert_exit 1 weir check bad.yaml
assert_contains stderr "'split' has no output 'rset': it has split.big, split.odd, split.rest"
assert_contains stderr "did you mean 'rest'?"
sed 's/, split.odd\]/]/' spec.yaml >bad.yaml
assert_exit 1 weir check bad.yaml
assert_contains stderr "bad.yaml:11:7: error: nobody reads from 'split.odd': add a sink"
sed 's/from: split.rest/from: split/' spec.yaml >bad.yaml
assert_exit 1 weir check bad.yaml
assert_contains stderr "the outputs of 'split' have names: say which, of split.big, split.odd, split.rest"

# Somebody who has enough leaves the others alone, and an output may lead back.
cat >loop.yaml <<'YAML'
pipeline: loop
stages:
  - {name: numbers, source: generate, count: 1000, text: '{n}'}
  - {name: work, from: [numbers, {stage: split.again, credit: 64}], operator: map, expr: 'tonumber | if . > 10 then . - 10 else . end | tostring', deadline: 5s}
  - {name: split, operator: route, routes: {again: 'tonumber > 10'}, default: done, deadline: 5s}
  - {name: write, from: split.done, sink: file, path: out.loop}
YAML
assert_exit 0 timeout 120 weir run --json loop.yaml
assert_eq "$(sort -n out.loop | uniq -c | awk '{ print $1 }' | sort -u | tr '\n' ' ')$(wc -l <out.loop)" "100 1000" "what has gone round"
