# SPDX-License-Identifier: Apache-2.0
# sanitizers: no, v01 and v03 run the same code there
# weir is upgraded in place, again and again, under load: its files are replaced while it runs, as a package manager does, a worker of the old supervisor dies and
# is started from the new files, the supervisor is killed, and the new one goes on: nothing lost, nothing twice, in order. A weir with
# another layout of memory is refused, and says the recipe, which works.
# seconds: 120
touch "$WEIR_WORK/orphans-expected"
# WEIR_UPGRADE_TO=FOLDER: another build to go to and fro with, build/release/bin for instance
next=${WEIR_UPGRADE_TO:-$WEIR_BUILD/tests/upgrade/next}
awk -v n="$(rounds 1000000 20000000)" 'BEGIN { for (i = 1; i <= n; i++) print "line", i, i * 7919 }' >in
cat >spec.yaml <<'YAML'
pipeline: upgraded
stages:
  - {name: read, source: file, path: in, follow: true}
  - {name: pace, operator: throttle, rate: 20k/s}
  - {name: pass, exec: [cat], mode: line, workers: 3, order: fifo, lane: 64KiB}
  - {name: once, operator: dedupe, key: field(2), last: 1000000, lane: 64KiB}
  - {name: write, sink: file, path: out}
YAML
mkdir installed
install_from() { # FOLDER: each file is another one at once
	local file
	for file in weir weir-worker; do
		cp "$1/$file" installed/new && mv installed/new "installed/$file" || fail "no $file in $1"
	done
}
has_grown() {
	[ "$(stat -c %s out 2>/dev/null || echo 0)" -gt "$1" ]
}
grows() {
	wait_until 60 has_grown "$(stat -c %s out 2>/dev/null || echo 0)"
}
begin() {
	installed/weir run --json --keep "$PWD/keep" spec.yaml 2>>stderr &
	pid=$!
	wait_until 60 running upgraded
	cmp -s "/proc/$pid/exe" "installed/weir" || fail "another weir runs than the one that is installed"
	grows
}
: >stderr
cmp -s "$next/weir" "$WEIR_BUILD/bin/weir" && fail "it is the same weir"
install_from "$WEIR_BUILD/bin"
begin
upgrades=$(rounds 2 100)
for ((n = 1; n <= upgrades; n++)); do
	[ $((n % 2)) = 0 ] && from=$WEIR_BUILD/bin || from=$next
	install_from "$from"
	victim=$(worker_pids upgraded | shuf -n 1 --random-source=<(yes "$WEIR_SEED$n"))
	kill -KILL "$victim"
	is_replaced() { worker_pids upgraded >pids && [ "$(wc -l <pids)" = 7 ] && ! grep -q -x "$victim" pids; }
	wait_until 60 is_replaced # by a worker of the new build, of the old supervisor
	grows
	pause_up_to 100
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	begin
done
assert_eq "$(grep -c 'goes on with the run of a supervisor that is dead' stderr)" "$upgrades" successions

# Another layout: refused, nothing is touched, and the recipe works: the weir that it was begun with drains it.
install_from "$WEIR_BUILD/tests/upgrade/other-layout"
kill -KILL "$pid"
wait "$pid" 2>/dev/null
size=$(stat -c %s out)
assert_exit 75 timeout 60 installed/weir run --keep keep spec.yaml
assert_contains stderr "whose memory has another layout"
assert_contains stderr ", 4711, "
assert_contains stderr "drain it (weir drain upgraded)"
assert_eq "$(stat -c %s out)" "$size" "nothing was started"
: >stderr
install_from "$from"
begin
assert_exit 0 weir drain upgraded >/dev/null
wait "$pid" || { tail -n 40 stderr >&2; fail "exit code $? of the weir that drains"; }
cp stderr stderr.drained
assert_eq "$(final stderr.drained in_flight) $(final stderr.drained balanced) $(final stderr.drained dead_lettered)" "0 true 0" ledger
accepted=$(final stderr.drained accepted)
assert_eq "$(wc -l <out)" "$accepted" "items of the first run"
head -n "$accepted" in | cmp - out >&2 || fail "an item is missing, there twice, or out of its order"
assert_eq "$(ls -A keep)" "" "left in the folder"
mv out first
: >stderr
install_from "$WEIR_BUILD/tests/upgrade/other-layout"
begin
weir drain upgraded >/dev/null 2>&1 || fail "the other weir can't be drained"
wait "$pid" || { tail -n 40 stderr >&2; fail "exit code $? of the other weir"; }
cat first out | cmp - <(head -n "$(cat first out | wc -l)" in) >&2 || fail "the run after the drain does not go on where that ended"
echo "$upgrades upgrades, $accepted items through them, $(wc -l <out) by the weir with another layout after the drain"
