# SPDX-License-Identifier: Apache-2.0
# filter and map, whole: the same lines as awk makes of them, once each, in order, through kills of everybody, by one worker and by three; text and structured.
# What loops, takes a gigabyte, recurses or crashes libjq is a dead letter with its reason, costs one worker at most, and nothing beside it is lost.
# seconds: 240
rows=$(rounds 30000 300000)
kills=$(rounds 10 150)
killed=0

LC_ALL=C awk -v rows="$rows" 'BEGIN {
	for (i = 1; i <= rows; i++) {
		if (i % 500 == 250) print "{\"id\":" i ",\"n\":\"none\"}"
		else print "{\"id\":" i ",\"n\":" i % 10 ",\"name\":\"ä " i "\"}"
		if (i % 500 == 250) continue
		if (i % 10 >= 6) for (k = 0; k < i % 3; k++) print "{\"id\":" i ",\"name\":\"Ä " i "\",\"k\":" k "}" >"expected"
	}
}' >in.ndjson
bad=$((rows / 500))

cat >spec.yaml <<'YAML'
pipeline: jq
drain: 100s
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: file, path: in.ndjson, decode: json}
  - {name: some, operator: filter, expr: '.n + 0 >= 6', deadline: 20s}
  - name: made
    operator: map
    deadline: 20s
    expr: |
      . as $item
      | range(.id % 3)
      | {id: $item.id, name: ($item.name | sub("ä"; "Ä")), k: .}
  - {name: write, sink: file, path: out, encode: json}
YAML
assert_exit 0 weir check spec.yaml >checked
for workers in 1 3; do
	rm -f out ended
	sed -e "s/operator: map/&\n    workers: $workers\n    order: fifo/" -e "s/operator: filter,/& workers: $workers, order: fifo,/" spec.yaml >now.yaml
	{ weir run --json --progress=never now.yaml 2>log; echo $? >code; touch ended; } &
	wait_until 60 test -s log -o -e code
	kill_randomly jq 40 "$kills" >/dev/null
	wait
	assert_eq "$(cat code)" 3 "$workers workers: exit code: $(tail -n 3 log)"
	assert_file_equal out expected "$workers workers"
	assert_eq "$(final log balanced) $(final log in_flight) $(final log rejected)" "true 0 $bad" "$workers workers: ledger"
	assert_eq "$(weir dlq export jq | grep -c '"reason":"jq: string (\\"none\\") and number (0) cannot be added"')" "$bad" letters
	weir dlq purge jq --all >/dev/null
	killed=$((killed + $(restarts log)))
done
[ "$killed" -ge "$(rounds 2 150)" ] || fail "only $killed kills: the run is too short to mean anything"

# Text: a string; what comes out is text again, and a line is structured from where it is said to be.
cat >text.yaml <<'YAML'
pipeline: text
stages:
  - {name: read, source: file, path: in.txt}
  - {name: some, operator: filter, expr: 'startswith("#") | not'}
  - {name: cut, operator: map, expr: 'split(" ") | {key: .[0], value: .[1]}', emits: structured}
  - {name: write, sink: file, path: out.csv, encode: {format: csv, columns: [key, value]}}
  - {name: back, from: cut, operator: map, expr: '"\(.value)=\(.key)"', emits: text}
  - {name: lines, sink: file, path: out.txt}
YAML
printf '# no\na 1\nb 2\n' >in.txt
assert_exit 0 weir run text.yaml
assert_eq "$(cat out.csv out.txt | tr '\n' ' ')" "key,value a,1 b,2 1=a 2=b " text
sed 's/emits: structured/emits: text/' text.yaml >bad.yaml
assert_exit 1 weir check bad.yaml
assert_contains stderr "encode wants structured items, and what comes from 'cut' is text"

# Poison of every kind between good ones.
cat >poison.yaml <<'YAML'
pipeline: poison
grace: 2s
stages:
  - {name: read, source: file, path: poison.ndjson, decode: json}
  - name: run
    operator: map
    deadline: 1s
    memory: 64MiB
    expr: |
      if .k == "loop" then (def f: f; f)
      elif .k == "repeat" then [limit(1e18; repeat(1))]
      elif .k == "gigabyte" then ("x" * 1e9 | length)
      elif .k == "deep" then (def f: 1 + f; f)
      elif .k == "nested" then (reduce range(1000000) as $i (1; [.]) | length)
      elif .k == "endless" then range(1e18)
      else .n end
  - {name: write, sink: file, path: good, encode: json}
YAML
for kind in ok loop ok gigabyte deep ok repeat nested endless ok; do echo "{\"k\":\"$kind\",\"n\":$((n = ${n-0} + 1))}"; done >poison.ndjson
assert_exit 3 timeout 120 weir run --json poison.yaml
assert_eq "$(tr '\n' ' ' <good)" "1 3 6 10 " "what stands beside poison"
assert_eq "$(final stderr delivered) $(final stderr rejected) $(final stderr dead_lettered) $(final stderr balanced)" "4 6 0 true" "poison: ledger"
[ "$(restarts stderr)" -le 6 ] || fail "$(restarts stderr) workers for six items that need one each at most"
weir dlq export poison >letters
assert_eq "$(grep -c -e 'the expression was still at work when the stage.s deadline was over' -e 'took more memory than memory: 64.0 MiB allows' -e 'made its worker crash' \
	-e 'does not fit a lane' letters)" 6 "reasons: $(grep -o '"reason":"[^"]*"' letters)"
[ "$(grep -o '"attempts":[0-9]*' letters | sort -u | tail -n 1)" = '"attempts":1' ] || fail "an item has cost more than one worker"

# memory: by itself: there is no deadline that would end it, and nothing endless, so it would pass if nobody told the stage of its bound.
for stage in "operator: filter, expr: 'if .k == \"large\" then [range(2000000)] | length > 0 else true end'" \
	"operator: map, expr: 'if .k == \"large\" then [range(2000000)] | length else .n end'"; do
	cat >memory.yaml <<YAML
pipeline: memory
stages:
  - {name: read, source: file, path: large.ndjson, decode: json}
  - {name: run, memory: 8MiB, $stage}
  - {name: write, sink: file, path: good, encode: json}
YAML
	for kind in ok large ok; do echo "{\"k\":\"$kind\",\"n\":1}"; done >large.ndjson
	assert_exit 3 timeout 120 weir run --json memory.yaml
	assert_eq "$(final stderr delivered) $(final stderr rejected) $(final stderr balanced)" "2 1 true" "memory: $stage"
	weir dlq export memory >letters
	assert_contains letters "took more memory than memory: 8.0 MiB allows"
	weir dlq purge memory --all >/dev/null
done

# What does not compile is shown where it stands.
sed 's/then range(1e18)/then range(1e18/' poison.yaml >bad.yaml
assert_exit 1 weir check bad.yaml
assert_contains stderr "bad.yaml:16:7: error: expr: syntax error, unexpected else"
