# SPDX-License-Identifier: Apache-2.0
# seconds: 120
# weir chaos fills the disk that dead letters and the output lie on, while items are refused: whoever finds no room says so and comes back, nothing
# is lost or done twice, and when chaos ends, or is killed, the disk has its room again.
unshare -rm true 2>/dev/null || skip "no mount namespaces"
touch "$WEIR_WORK/orphans-expected"
n=3000
cat >within.sh <<'SH'
mkdir -p disk && mount -t tmpfs -o size=16m tmpfs disk || exit 77
export WEIR_STATE_DIR=$PWD/disk/state
cat >spec.yaml <<YAML
pipeline: full
restart: {type: permanent, intensity: 100000, backoff: 5ms, backoff_max: 50ms}
stages:
  - {name: count, source: generate, count: $1, text: '{n}', rate: 1k}
  - {name: idle, source: generate, text: tick, rate: 1}
  - {name: pass, from: [count, idle], plugin: $WEIR_BUILD/tests/plugins/again.so}
  - {name: write, from: count, sink: file, path: disk/out, dead_letter: {attempts: 100}} # killed at random while it waits for room with one in hand
  - {name: drop, from: pass, sink: discard}
YAML
# wait_for COMMAND...: until it succeeds; after a minute the test has failed
wait_for() {
	for _ in $(seq 3000); do "$@" && return; sleep 0.02; done
	echo "waited in vain: $*" >&2
	kill -KILL "$run"
	exit 1
}
runs() { weir ps full >/dev/null 2>&1; }
made() { [ "$(weir ps full --json 2>/dev/null | grep -o '"accepted":[0-9]*' | head -n 2 | tail -n 1)" = "\"accepted\":$1" ]; }
free_bytes() { df --output=avail -B1 disk | tail -n 1; }
weir run --json spec.yaml 2>stderr &
run=$!
wait_for runs
weir chaos full --fill 30ms --kill 50ms --disk disk --hold 60ms --count 20 >acts 2>why
echo $? >code
free_bytes >after
weir chaos full --fill 10ms --disk disk --hold 1h >held &
chaos=$!
wait_for grep -q fill held
free_bytes >full
kill -KILL $chaos
wait $chaos
free_bytes >free
wait_for made "$1"
weir drain full >/dev/null
wait $run
echo $? >exit_code
weir dlq export full --raw | grep -v tick | sort -n >letters
cp disk/out out
SH
bash -c : && unshare -rm bash within.sh "$n"
status=$?
[ "$status" != 77 ] || skip "no tmpfs in a mount namespace"
[ "$status" = 0 ] || fail "what runs in the mount namespace: exit code $status"
assert_eq "$(cat code)" 0 "chaos: $(cat why)"
grep -q 'fill *disk: ' acts && grep -q 'kill ' acts || fail "no chaos: $(cat acts)"
[ "$(cat full)" -lt 65536 ] || fail "the disk was not full: $(cat full) bytes were free"
[ "$(cat after)" -gt 1000000 ] && [ "$(cat free)" -gt 1000000 ] || fail "the disk has no room again: $(cat after), $(cat free) bytes"
assert_eq "$(cat exit_code)" 3 "exit code: items were refused"
seq 1 "$n" >numbers
sort -n out | cmp - numbers || fail "what arrived is not what was made"
cmp letters numbers || fail "the letters are not those that were refused"
assert_eq "$(final stderr balanced)" true ledger
