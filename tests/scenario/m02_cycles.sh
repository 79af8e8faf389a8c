# SPDX-License-Identifier: Apache-2.0
# Nothing adds up: after many a start and drain, a start and stop, a start and SIGKILL of the supervisor, and a SIGKILL of a worker of one and the same
# pipeline, there are as many processes, descriptors, files and sockets as after the first, and no more memory.
# seconds: 240
# takes: 20
# sanitizers: no, it counts what is left after starts and ends, which every scenario has; leaks are seen at the end of each process
# What AddressSanitizer keeps of freed memory is not the supervisor's.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
touch "$WEIR_WORK/orphans-expected"
cat >spec.yaml <<'YAML'
pipeline: cycle
stages:
  - {name: count, source: generate, rate: 20k/s}
  - {name: cat, exec: [cat], mode: line, workers: 2}
  - {name: end, sink: file, path: out}
YAML

family() {
	grep -l -z "^FAMILY=$WEIR_WORK\$" /proc/[0-9]*/environ 2>/dev/null
}
nobody() {
	[ -z "$(family)" ]
}
# Whatever a run may leave outside of its processes, but its bounded history. What a killed supervisor leaves in the run folder, the next one takes over.
left() {
	(cd "$WEIR_WORK" && find run state -mindepth 1 2>/dev/null | grep -v -x -E 'state/cycle(/history(\.old)?)?' | sort)
	grep -F "$WEIR_WORK/" /proc/net/unix | awk '{ print $NF }' | sort -u
	ls | grep -v -E '^(spec.yaml|log|stderr|ps.json|early|late|left\..*)$'
}
fds() {
	ls "/proc/$1/fd" | wc -l
}
threads() {
	ls "/proc/$1/task" | wc -l
}
private_kib() {
	awk '/^RssAnon/ { print $2 }' "/proc/$1/status"
}
all_live() {
	running cycle && [ "$(grep -o '"pid":[0-9]*' ps.json | sort -u | wc -l)" = 5 ]
}
# Between a death and the next generation there may be a descriptor on its way: it has to become the same again.
is_as_early() {
	echo "$(family | wc -l) processes, $(fds "$pid") descriptors, $(threads "$pid") threads" >late
	cmp -s early late
}
# same WHAT KIB: while all live: the supervisor and its family are as large as the first time, but for so much memory.
same() {
	local end=$((SECONDS + 60))
	wait_until 60 all_live
	if [ ! -e early ]; then
		sleep 1
		is_as_early
		mv late early
		early_kib=$(private_kib "$pid")
	fi
	until is_as_early; do
		[ "$SECONDS" -lt "$end" ] || fail "$1, round $round: $(cat early) after the first, $(cat late) now"
		sleep 0.05
	done
	late_kib=$(private_kib "$pid")
	[ "$late_kib" -le $((early_kib + $2)) ] || fail "$1, round $round: private memory grew from $early_kib to $late_kib KiB"
}
begin() {
	FAMILY=$WEIR_WORK weir run --json --progress=never spec.yaml 2>log >/dev/null &
	pid=$!
}
# The same files and sockets as after the first round.
nothing_added() {
	wait_until 30 nobody
	rm -f out
	left >left.now
	[ -e left.first ] || cp left.now left.first
	cmp -s left.first left.now || fail "$1, round $round: $(diff left.first left.now)"
}

for round in $(seq "$(rounds 20 1000)"); do
	begin
	same "start and end" 1024
	order=$([ $((round % 2)) = 1 ] && echo drain || echo stop)
	assert_exit 0 weir "$order" cycle
	wait "$pid" || fail "exit code $? after $order, round $round: $(tail -n 3 log)"
	nothing_added "start and $order"
done
[ ! -s left.first ] || fail "a pipeline that has ended leaves: $(cat left.first)"

rm -f early left.first
for round in $(seq "$(rounds 20 1000)"); do
	begin
	same "start and SIGKILL" 1024
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	nothing_added "start and SIGKILL"
done

# One supervisor, many dead workers. The first deaths have a price of their own: what a heap and a log keep.
restarts_are() {
	[ "$(weir ps cycle --json 2>/dev/null | grep -o '"live":[0-9]*,"restarts":[0-9]*' | awk -F: '{ n += $3 } END { print n + 0 }')" = "$1" ]
}
rm -f early
begin
deaths=$(rounds 30 1000)
for round in $(seq "$deaths"); do
	[ "$round" != 4 ] || rm -f early
	same "SIGKILL of a worker" 1024
	pids=($(grep -o '"index":[0-9]*,"pid":[0-9]*' ps.json | sed 's/.*://'))
	kill -KILL "${pids[RANDOM % ${#pids[@]}]}"
	wait_until 60 restarts_are "$round"
done
round=end
same "SIGKILL of a worker" 1024
weir metrics cycle >metrics || fail "exit code $? of weir metrics"
assert_eq "$(awk '/^weir_restarts_total.*reason="signal"/ { n += $2 } END { print n }' metrics)" "$deaths" "restarts by signal, of the metrics"
assert_exit 0 weir drain cycle
wait "$pid" || fail "exit code $?: $(tail -n 3 log)"
assert_eq "$(final log balanced)" true ledger
