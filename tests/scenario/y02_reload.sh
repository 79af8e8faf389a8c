# SPDX-License-Identifier: Apache-2.0
# takes: 10
# Reloads under load: good ones, specs with errors, changes that can't be made, newcomers that die, wait or never get there, workers that fail when
# they sit down or soon after, bursts. Each item once and in order, nobody restarted who has not changed, and the newest good spec runs in the end.
plugins=$WEIR_BUILD/tests/plugins
# spec WORD [DOES] [MORE]: the pipeline with these options
spec() {
	cat <<YAML
pipeline: changed
restart: {intensity: 3, period: 10s, backoff: 1ms}
stages:
  - {name: count, source: generate, rate: 1500/s}
  - {name: pass, exec: [cat], mode: line}
  - {name: word, plugin: $plugins/newcomer.so, word: $1, does: ${2-nothing}, dead_letter: {attempts: 5}}
  - {name: write, sink: file, path: ${3-out}}
YAML
}
pid_of() {
	weir ps changed --json | grep -o "\"name\":\"$1\".*" | grep -o '"pid":[0-9]*' | head -n 1
}
# reload CODE FRAGMENT [MORE...]: of now.yaml; the answer, wherever it goes, says FRAGMENT
reload() {
	local code=$1 fragment=$2 got
	shift 2
	weir reload changed now.yaml --opening 60s "$@" >answer 2>&1
	got=$?
	[ "$got" = "$code" ] || { cat answer >&2; tail -n 20 log >&2; fail "exit code $got of a reload instead of $code ($fragment)"; }
	assert_contains answer "$fragment"
}
moves() {
	local before
	before=$(wc -l <out)
	wait_until 30 eval "[ \$(wc -l <out) -gt $((before + 20)) ]"
}

spec w0 >now.yaml
weir run --json now.yaml 2>log &
pid=$!
wait_until 30 running changed
moves
others="$(pid_of count) $(pid_of pass) $(pid_of write)"
good=w0

good() {
	spec "w$1" >now.yaml
	reload 0 "word restarted" --probation 20ms
	good=w$1
	moves
}
broken() {
	spec "w$1" | sed 's/does:/dose:/' >now.yaml
	reload 1 "did you mean"
}
refused() {
	spec "w$1" nothing elsewhere >now.yaml
	reload 1 "weir drain changed"
	assert_contains answer 'path: "out" -> "elsewhere"'
	assert_exit 1 weir reload changed now.yaml --diff >difference
	assert_contains difference "keep     count"
	assert_contains difference "restart  word"
	assert_contains difference "refused  write"
}
dies_at_the_gate() {
	spec "w$1" >now.yaml
	before=$(pid_of word)
	echo die >at-the-gate
	reload 4 "killed by SIGABRT while it began"
	rm at-the-gate
	assert_eq "$(pid_of word)" "$before" "the worker whose newcomer died"
}
waits_at_the_gate() {
	echo wait >at-the-gate
	good "$1"
	rm at-the-gate
}
fails_to_open() {
	spec "w$1" open >now.yaml
	reload 4 "there is nothing to open"
	moves
}
# A program that waits for something that does not come: it is given up, and the worker before is back.
hangs_while_it_opens() {
	spec "w$1" hang >now.yaml
	reload 4 "word#0 was not ready in time" --opening 500ms
	moves
}
dies_at_work() {
	spec "w$1" work >now.yaml
	reload 4 "the spec before runs again"
	moves
}
dies_later() {
	spec "w$1" later >now.yaml
	reload 4 "the spec before runs again" --probation 60s
	moves
}
# Of many at once the newest counts, and all who have asked are told so.
taken() {
	grep -q "reload of [^ ]*burst$1.yaml: \(1 stage to be\|superseded\)" log
}
burst() {
	local callers=() i
	echo hang >at-the-gate # so that none is over before the last is wanted
	for i in 1 2 3 4; do
		spec "w$1x$i" >"burst$1-$i.yaml"
		weir reload changed "burst$1-$i.yaml" --probation 20ms --opening 60s --json >"answer$i" 2>&1 &
		callers+=($!)
	done
	for i in 1 2 3 4; do
		wait_until 60 taken "$1-$i"
	done
	spec "w$1" >now.yaml
	rm at-the-gate
	reload 0 "the new spec runs" --probation 20ms
	for i in "${callers[@]}"; do
		wait "$i" || { cat answer? >&2; fail "a caller of a burst"; }
	done
	for i in 1 2 3 4; do
		assert_contains "answer$i" '"outcome":"done"'
	done
	good=w$1
	moves
}

# SIGHUP reads the file that runs again, and says in the log what has become of it; one of a spec with errors changes nothing.
hangup() {
	local before
	before=$(grep -c "reload of .*now.yaml: done" log)
	spec "w$1" >now.yaml
	kill -HUP $pid
	wait_until 60 eval "[ \$(grep -c 'reload of .*now.yaml: done' log) -gt $before ]"
	good=w$1
	moves
	echo "stages: [" >now.yaml
	before=$(grep -c "reload of .*now.yaml: invalid" log)
	kill -HUP $pid
	wait_until 60 eval "[ \$(grep -c 'reload of .*now.yaml: invalid' log) -gt $before ]"
}

kinds=(good broken refused dies_at_the_gate waits_at_the_gate fails_to_open hangs_while_it_opens dies_at_work dies_later burst hangup)
for ((i = 1; i <= $(rounds 11 100); i++)); do
	if [ "$i" -le "${#kinds[@]}" ]; then
		kind=${kinds[i - 1]}
	else
		kind=${kinds[RANDOM % ${#kinds[@]}]}
	fi
	"$kind" "$i"
	assert_eq "$(pid_of count) $(pid_of pass) $(pid_of write)" "$others" "workers that were not to be restarted, after $kind"
	tail -n 1 out >last
	case $kind in good | hangup | waits_at_the_gate | dies_*) assert_contains last "$good item" ;; esac
done

# What only the supervisor knows of counts at once, and nobody is restarted.
spec "$good" | sed 's/period: 10s/period: 20s/' >now.yaml
word=$(pid_of word)
reload 0 "nobody had to be restarted"
assert_eq "$(pid_of word)" "$word" "the worker of a stage whose options are the same"
reload 0 "nothing has changed"

assert_exit 0 weir drain changed
wait $pid || { tail -n 20 log >&2; fail "exit code $? of the pipeline"; }
assert_eq "$(final log in_flight)" 0 "in flight"
awk '$3 != NR { print "line " NR ": " $0; exit 1 }' out >&2 || fail "an item is missing, there twice, or out of its order"
assert_eq "$(wc -l <out)" "$(final log accepted)" "items"
assert_eq "$(tail -n 1 out | cut -d' ' -f1)" "$good" "the newest good spec"
assert_exit 3 weir reload changed
