# SPDX-License-Identifier: Apache-2.0
# --keep: the supervisor is killed again and again, under load and while the next one repairs. The copy equals the file, in order, once; nobody of
# one supervisor's lives when the next one goes on; the end leaves nothing.
# seconds: 120
touch "$WEIR_WORK/orphans-expected"
awk -v n="$(rounds 150000 6000000)" 'BEGIN { for (i = 1; i <= n; i++) print "line", i, i * 7919 }' >in
cat >spec.yaml <<'YAML'
pipeline: kept
stages:
  - {name: read, source: file, path: in}
  - {name: cat, exec: 'sleep 0.01; cat', workers: 4, order: fifo, block: 4KiB, env: [FAMILY]}
  - {name: write, sink: file, path: out}
YAML
: >stderr
# Processes that were started for that supervisor; the holder outlives the first one, and is to.
family() {
	for environ in $(grep -l -z "^FAMILY=$1\$" /proc/[0-9]*/environ 2>/dev/null); do
		[ "$(cat "${environ%/environ}/comm" 2>/dev/null)" = weir-holder ] || echo "$environ"
	done
}
successions() {
	grep -c 'goes on with the run of a supervisor that is dead' stderr
}
has_gone_on() {
	[ "$(successions)" -gt "$1" ]
}
size_of_out() {
	stat -c %s out 2>/dev/null || echo 0
}
has_grown() {
	[ "$(size_of_out)" -gt "$1" ] || ! kill -0 "$pid" 2>/dev/null
}
begin() {
	FAMILY=$1 weir run --json --keep "$PWD/keep" spec.yaml 2>>stderr &
	pid=$!
}
kills=$(rounds 8 100)
early=0
for n in $(seq "$kills"); do
	before=$(successions)
	begin "$n"
	if [ $((n % 4)) = 0 ]; then # in the repair, or in the start
		pause_up_to 30
		early=$((early + 1))
	else
		[ "$n" = 1 ] || { wait_until 60 has_gone_on "$before"; assert_eq "$(family $((n - 1)))" "" "alive in supervisor $n"; }
		wait_until 60 has_grown "$(size_of_out)"
		pause_up_to 60
	fi
	kill -KILL "$pid" 2>/dev/null || fail "the run was over before kill $n"
	wait "$pid"
done 2>/dev/null
begin end
wait "$pid"
status=$?
[ "$status" = 0 ] || { tail -n 40 stderr >&2; fail "exit code $status"; }
assert_file_equal in out
assert_eq "$(final stderr accepted) $(final stderr delivered)" "$(wc -l <in) $(wc -l <in)" ledger
assert_eq "$(ls -A keep)" "" "left in the folder"
echo "$kills kills, $early of them early, $(successions) successions"
[ "$(successions)" -ge $((kills - early)) ] || fail "only $(successions) successions after $kills kills"
