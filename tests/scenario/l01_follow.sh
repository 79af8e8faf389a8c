# SPDX-License-Identifier: Apache-2.0
# Followed logs: whoever writes them, rotates them, cuts them and deletes them, and whichever worker is killed meanwhile, each line comes out once, in order.
# seconds: 90
cat >spec.yaml <<'YAML'
pipeline: follow
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: file, path: app.log, follow: true, rotated_wait: 300ms}
  - {name: write, sink: file, path: out}
YAML
lines=$(rounds 6000 60000)

written() { [ -e out ] && [ "$(wc -l <out)" = "$1" ]; }


# write FROM TO: one line after the other, the file opened anew for each twenty, half of a line first
write() {
	local i
	for ((i = $1; i <= $2; i += 20)); do
		printf 'line ' >>app.log
		seq -f %.0f "$i" "$((i + 19))" | sed -e '2,$s/^/line /' >>app.log
		"$rotation" "$i" "$((i + 19))"
	done
}

# With the date in the name, and faster than anybody rotates: there may be several that no worker has seen under their first name.
by_date() {
	[ $((RANDOM % 12)) = 0 ] || return 0
	mv app.log "app.log.$2"
	pause_up_to 30
}

# As logrotate does by itself: the numbers move up, the oldest goes, once it was read.
by_number() {
	[ $((RANDOM % 12)) = 0 ] || return 0
	[ ! -e app.log.2 ] || wait_until 60 written "$2"
	mv -f app.log.2 app.log.3 2>/dev/null
	mv -f app.log.1 app.log.2 2>/dev/null
	mv app.log app.log.1
	pause_up_to 30
}

by_copy() {
	[ $((RANDOM % 15)) = 0 ] || return 0
	wait_until 60 written "$2" # what is cut away before it was read, nobody can read
	cp app.log app.log.1
	: >app.log
}

by_deletion() {
	[ $((RANDOM % 15)) = 0 ] || return 0
	wait_until 60 written "$2"
	rm app.log
}

total=0
for rotation in by_date by_number by_copy by_deletion; do
	rm -f out app.log* ended
	export WEIR_STATE_DIR=$PWD/state-$rotation # other files under the same names
	kill_randomly follow 20 >kills &
	killer=$!
	path="[app.log, 'app.log.*']"
	case $rotation in by_copy | by_deletion) path=app.log ;; esac
	sed -e "s/path: app.log/path: $path/" spec.yaml >this.yaml
	weir run --json this.yaml 2>stderr &
	run=$!
	n=$lines
	[ "$rotation" = by_date ] || n=$((lines / 3))
	write 1 "$n"
	wait_until 60 written "$n"
	touch ended
	weir drain follow >/dev/null 2>&1
	wait "$run" || fail "exit code $? ($rotation): $(tail -n 20 stderr)"
	wait "$killer"
	seq -f 'line %.0f' "$n" >expected
	assert_file_equal out expected "$rotation"
	assert_eq "$(final stderr accepted) $(final stderr balanced)" "$n true" "ledger ($rotation)"
	total=$((total + $(cat kills)))
done
echo "$total kills"
[ "$total" -ge "$(rounds 5 20)" ] || fail "only $total kills: the run is too short to mean anything"

# CSV: each file has a header of its own, also when they are read by turns, by one worker after the other.
cat >csv.yaml <<'YAML'
pipeline: followcsv
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: file, path: '*.csv', follow: true, decode: csv}
  - {name: write, sink: file, path: out, encode: json}
YAML
rm -f out
echo a,b >1.csv
echo c >2.csv
weir run csv.yaml 2>stderr &
run=$!
for i in 1 2 3 4 5; do
	echo "$i,x" >>1.csv
	wait_until 30 written $((2 * i - 1))
	echo "$i" >>2.csv
	wait_until 30 written $((2 * i))
	kill -KILL "$(worker_pids followcsv | head -n 1)"
done
weir drain followcsv >/dev/null 2>&1
wait "$run" || fail "exit code $? of csv: $(tail stderr)"
for i in 1 2 3 4 5; do printf '{"a":"%s","b":"x"}\n{"c":"%s"}\n' "$i" "$i"; done >expected
assert_file_equal out expected csv

# Idle: a second of it costs nothing worth counting.
rm -f out app.log*
export WEIR_STATE_DIR=$PWD/state-idle
weir run spec.yaml 2>stderr &
run=$!
echo 1 >app.log
wait_until 30 written 1
pid=$(weir ps follow --json | grep -o '"name":"read".*' | grep -o '"pid":[0-9]*' | head -n 1 | sed 's/.*://')
ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
before=$(ticks)
sleep 3
[ "$(($(ticks) - before))" -le 2 ] || fail "idle for 3 s, and $(($(ticks) - before)) ticks of work"
weir drain follow >/dev/null 2>&1
wait "$run" || fail "exit code $? when idle"
