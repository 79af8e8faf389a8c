# SPDX-License-Identifier: Apache-2.0
# examples/accesslog agrees with an independent awk: what stands in its folder, and a longer log with 1 and 4 workers, under a kill every 100 ms.
# seconds: 900
# sanitizers: no, an example; its stages are in scenarios of their own
example=$WEIR_SOURCE/examples/accesslog
cp "$example"/fields.lua "$example"/accesslog.yaml .
reference() { awk -f "$example/reference.awk" access.log | LC_ALL=C sort -k1,1 -k2,2nr -k3,3 | awk 'n[$1]++ < 3'; }
"$example/make" 3000 >access.log
assert_exit 0 weir check accesslog.yaml >out
assert_exit 3 weir run --json accesslog.yaml
head -n 12 top.txt >got
assert_file_equal got "$example/expected.txt" "the first lines of top.txt"
weir dlq ls accesslog --json >letters
assert_contains letters "it is no line of an access log"

count=$(rounds 15000 1000000)
"$example/make" "$count" "$WEIR_SEED" >access.log
reference >expected
[ "$(wc -l <expected)" -eq 720 ] || fail "$(wc -l <expected) lines are not three for each of 240 hours"
# agrees WORKERS KILLS
agrees() {
	local most=0
	[ -z "$2" ] || most=1000000
	rm -f top.txt
	sed -e "s/workers: 1/workers: $1/; s/^stages:/restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}\nstages:/" accesslog.yaml >spec.yaml
	run_with_kills 3 "$most" 7 0.1
	assert_file_equal top.txt expected "$1 workers${2:+, killed}"
	assert_eq "$(final stderr rejected) $(final stderr in_flight) $(final stderr balanced)" "$((count / 1000)) 0 true" "ledger: $1 workers${2:+, killed}"
	echo "$1 workers${2:+, killed}: $count lines, $(restarts stderr) restarts, $(grep -o '"elapsed_[a-z]*":[0-9.]*' stderr | head -n 1)"
}
agrees 1 ""
agrees 4 ""
agrees 1 kills
total=$(restarts stderr)
agrees 4 kills
total=$((total + $(restarts stderr)))
[ "$total" -ge 2 ] || fail "only $total deaths: the runs are too short to mean anything"
