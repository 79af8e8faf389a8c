# SPDX-License-Identifier: Apache-2.0
# Listening sockets that weir is started with: sources accept from them, by name or by address, through kills of workers and of the supervisor, and nobody who
# connects is ever refused. One that fits no source is an error before anything is started.
# seconds: 60
touch "$WEIR_WORK/orphans-expected"
handed=$WEIR_SOURCE/tests/scenario/handed.py client=$WEIR_SOURCE/tests/scenario/lines_client.py
# spec LISTEN PATH
spec() {
	rm -f local.sock port sent
	cat >spec.yaml <<YAML
pipeline: handed
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: web, source: tcp, listen: '$1', ack: true}
  - {name: local, source: unix, path: $2, ack: true}
  - {name: write, from: [web, local], sink: file, path: out}
YAML
}
# The address in the spec could not be had: port 1 belongs to nobody here, and the name says whose socket it is.
spec 203.0.113.1:1 "$PWD/local.sock"
python3 "$handed" web=0 "$PWD/local.sock" -- weir run --keep "$PWD/keep" --json spec.yaml 2>stderr &
pipeline=$!
wait_until 60 [ -s port ]
port=$(cat port)
python3 "$client" "$port" 200 >said
python3 "$client" "$PWD/local.sock" 20 >said.local
assert_eq "$(cat said said.local)" "0 refused, 1 connections
0 refused, 1 connections" "connections"
# Its workers would be given the same one, whatever another spec says.
sed 's/203.0.113.1:1/203.0.113.1:2/' spec.yaml >other.yaml
weir reload handed other.yaml >reload.out 2>&1 && fail "a reload has moved a socket that is not ours"
assert_contains reload.out "it listens at a socket that weir was started with"
# Whoever is killed, the socket stays: also without the launcher, for the next supervisor takes it over from the holder.
python3 "$client" "$port" 1000000 >said.load &
load=$!
has_got_to() {
	[ "$(cat sent 2>/dev/null || echo 0)" -ge "$1" ]
}
rm -f sent
for _ in 1 2 3; do
	at=$(cat sent 2>/dev/null || echo 0)
	wait_until 60 has_got_to $((at + 20))
	kill -KILL "$(worker_pids handed | head -n 1)" # of the first stage
done
at=$(cat sent)
wait_until 60 has_got_to $((at + 20))
kill -KILL "$pipeline"
wait "$pipeline" 2>/dev/null
weir run --keep "$PWD/keep" --json spec.yaml 2>stderr2 &
pipeline=$!
at=$(cat sent)
wait_until 60 has_got_to $((at + 50))
touch enough
wait "$load" || fail "client: exit code $?"
at=$(cat sent)
kill -TERM "$pipeline"
wait "$pipeline"
assert_eq "$?" 143 "exit code"
assert_contains stderr2 "goes on with the run"
[ ! -s said.load ] || fail "connections were refused, or the load has ended: $(tail -n 1 said.load)"
[ -S local.sock ] || fail "the socket of somebody else was removed"
for i in $(seq "$at"); do echo "line $i"; done | LC_ALL=C sort -u >wanted
[ -z "$(LC_ALL=C sort -u out | comm -13 - wanted)" ] || fail "not all that was answered has arrived"

# What fits nothing: said, and nothing is started. By address, where no name says whose it is.
refused() {
	local words=$1
	shift
	python3 "$handed" "$@" -- weir run spec.yaml 2>stderr
	assert_eq "$?" 1 "exit code, started with $*"
	assert_contains stderr "$words"
	[ ! -e out ] || fail "something was started with $*"
}
rm -f out
spec 127.0.0.1:1 "$PWD/local.sock"
refused "no source listens there, and no stage is called so" other=0
rm -f port
refused "stage 'local' can't accept connections from it" local=0
refused "stage 'write' can't accept connections from it" write=0
refused "is no listening stream socket" web=udp
refused "its stage has another one already" web=0 web=0
refused "but that is where stage 'local' listens" web="$PWD/local.sock"
