# SPDX-License-Identifier: Apache-2.0
# lua, whole: a script in a file makes of each item what awk makes of it, once each, in order, through kills of everybody, by one worker and by three; and what
# loops, takes too much, recurses or backtracks is a dead letter with its reason, costs one worker at most, and nothing beside it is lost.
# seconds: 240
rows=$(rounds 40000 400000)
kills=$(rounds 10 150)
killed=0

LC_ALL=C awk -v rows="$rows" 'BEGIN {
	for (i = 1; i <= rows; i++) {
		bad = i % 500 == 250
		print "{\"id\":" i ",\"tags\":[" (i % 2 ? "\"a\",\"b\"" : "") "],\"amount\":" (bad ? "null" : i % 97) "}"
		if (bad) continue
		if (i % 97 > 90) print "{\"amount\":" i % 97 ",\"id\":" i ",\"suspect\":true,\"tags\":[" (i % 2 ? "\"a\",\"b\"" : "") "]}" >"expected"
		if (i % 2 && i % 97 > 90) print "{\"id\":" i ",\"n\":2}" >"expected"
	}
}' >in.ndjson
bad=$((rows / 500))
cat >rules.lua <<'LUA'
local limit = 90

local function is_suspect(item)
	return item.amount > limit
end

function process(item)
	if not is_suspect(item) then return end
	item.suspect = true
	emit(item)
	if #item.tags > 0 then return {id = item.id, n = #item.tags} end
end
LUA
cat >spec.yaml <<'YAML'
pipeline: lua
drain: 100s
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: file, path: in.ndjson, decode: json}
  - {name: judge, operator: lua, file: rules.lua, deadline: 20s}
  - {name: write, sink: file, path: out, encode: json}
YAML
assert_exit 0 weir check spec.yaml >checked
for workers in 1 3; do
	rm -f out ended
	sed "s/operator: lua,/& workers: $workers, order: fifo,/" spec.yaml >now.yaml
	{ weir run --json --progress=never now.yaml 2>log; echo $? >code; touch ended; } &
	wait_until 60 test -s log -o -e code
	kill_randomly lua 30 "$kills" >/dev/null
	wait
	assert_eq "$(cat code)" 3 "$workers workers: exit code: $(tail -n 3 log)"
	assert_file_equal out expected "$workers workers"
	assert_eq "$(final log balanced) $(final log in_flight) $(final log rejected)" "true 0 $bad" "$workers workers: ledger"
	assert_eq "$(weir dlq export lua | grep -c "rules.lua:4: attempt to compare number with userdata, in is_suspect (.*rules.lua:4) < process (.*rules.lua:8)")" "$bad" letters
	weir dlq purge lua --all >/dev/null
	killed=$((killed + $(restarts log)))
done
[ "$killed" -ge "$(rounds 2 150)" ] || fail "only $killed kills: the run is too short to mean anything"

cat >poison.yaml <<'YAML'
pipeline: poison
grace: 2s
stages:
  - {name: read, source: file, path: poison.ndjson, decode: json}
  - name: run
    operator: lua
    deadline: 1s
    script: |
      local function deep(x) return 1 + deep(x) end
      local kinds = {
        loop = function() while true do pcall(function() while true do end end) end end,
        coroutine = function() while true do pcall(coroutine.wrap(function() while true do end end)) end end,
        gigabyte = function() return ("x"):rep(1e9) end,
        tables = function() local t = {} for i = 1, 1e9 do t[i] = {} end end,
        deep = function() return deep(1) end,
        pattern = function() return ("a"):rep(30):match(("a?"):rep(30) .. ("a"):rep(30)) end,
        endless = function() while true do emit(1) end end,
      }
      function process(item)
        if kinds[item.k] then kinds[item.k]() end
        return item.n
      end
  - {name: write, sink: file, path: good, encode: json}
YAML
for kind in ok loop ok gigabyte deep coroutine ok tables pattern endless ok; do echo "{\"k\":\"$kind\",\"n\":$((n = ${n-0} + 1))}"; done >poison.ndjson
assert_exit 3 timeout 120 weir run --json poison.yaml
assert_eq "$(tr '\n' ' ' <good)" "1 3 7 11 " "what stands beside poison"
assert_eq "$(final stderr delivered) $(final stderr rejected) $(final stderr dead_lettered) $(final stderr balanced)" "4 7 0 true" "poison: ledger"
weir dlq export poison >letters
assert_eq "$(grep -c -e "the script was still at work when the stage's deadline was over" -e 'took more memory than memory: 64.0 MiB allows' -e 'stack overflow' \
	-e 'does not fit a lane' letters)" 7 "reasons: $(grep -o '"reason":"[^"]*"' letters)"
assert_eq "$(grep -c '"attempts":[2-9]' letters)" 0 "items that have cost more than one worker"

# Everybody is told at once what is wrong with a script, and where.
sed -e 's/return item.n$/return item.n +/' poison.yaml >bad.yaml
assert_exit 1 weir check bad.yaml
assert_contains stderr "bad.yaml:22:7: error: script: unexpected symbol near 'end'"
assert_exit 1 weir check --set stages.judge.file=none.lua spec.yaml
assert_contains stderr "--set stages.judge.file=none.lua: error: file: 'none.lua' can't be read: No such file or directory"
assert_exit 1 weir check --set 'stages.judge.script=x' spec.yaml
assert_contains stderr "'file' beside 'script': they say the same in two ways"
