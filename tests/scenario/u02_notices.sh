# SPDX-License-Identifier: Apache-2.0
# What systemd is told, and in which order: ready when all are, that a stop has begun before anything else of it, more time while a drain gets
# on and none while it stands still; a drain that can be taken back is no stop; the watchdog hears of a loop that turns, and of no other.
# seconds: 240
mkfifo held
python3 -B "$WEIR_SOURCE/tests/scenario/notify.py" "$PWD/socket" notices <held &
server=$!
exec 9>held
wait_until 30 [ -S socket ]
export NOTIFY_SOCKET=$PWD/socket
# numbers the notices in which it is
line_of() {
	grep -n -F -e "$1" notices | head -n "${2-1}" | tail -n 1 | cut -d : -f 1
}
times() {
	grep -c -F -e "$1" notices
}
more() {
	[ "$(times "$1")" -gt "$2" ]
}
# so many more signs that the loop turns
beats() {
	wait_until 60 more WATCHDOG=1 "$(($(times WATCHDOG=1) + $1))"
}
# nothing is asked for while the loop turns: it looks every second
stands() {
	stood=$(times EXTEND_TIMEOUT_USEC=)
	beats 25
	[ "$(times EXTEND_TIMEOUT_USEC=)" = "$stood" ]
}
begin() {
	: >notices
	WATCHDOG_USEC=200000 weir run spec.yaml >stdout 2>log &
	pid=$!
	wait_until 60 more READY=1 0
}

# Its block ends when there is a file "go".
cat >spec.yaml <<'YAML'
pipeline: told
drain: 100s
stages:
  - {name: count, source: generate, text: '{n}', count: 20, rate: 200}
  - {name: more, source: generate, text: '{n}', rate: 20}
  - {name: hold, from: [count, more], exec: [sh, -c, 'cat; while [ ! -e go ]; do sleep 0.02; done'], block: 4KiB, block_wait: 20ms}
  - {name: write, sink: file, path: out}
YAML
begin
kill -TERM $pid
wait_until 60 more STOPPING=1 0
wait_until 60 stands
[ "$stood" -ge 1 ] || fail "no time was asked for"
touch go
wait $pid
assert_eq $? 143 "exit code"
[ "$(line_of READY=1)" -lt "$(line_of STOPPING=1)" ] && [ "$(line_of STOPPING=1)" -lt "$(line_of EXTEND_TIMEOUT_USEC=45000000)" ] ||
	fail "not in this order: $(cat notices)"
assert_eq "$(times STOPPING=1)" 1 "once"
assert_contains notices 'STATUS=ended by SIGTERM'

# As long as it moves, it asks.
cat >spec.yaml <<'YAML'
pipeline: told
drain: 100s
stages:
  - {name: count, source: generate, text: '{n}', lane: 64KiB, count: 4000}
  - {name: slow, exec: [sh, -c, 'while read -r line; do echo "$line"; sleep 0.01; done'], block: 64, block_wait: 20ms}
  - {name: write, sink: file, path: out}
YAML
begin
kill -TERM $pid
wait_until 100 more EXTEND_TIMEOUT_USEC=45000000 2
kill -TERM $pid
wait $pid
[ "$(line_of STOPPING=1)" -lt "$(line_of EXTEND_TIMEOUT_USEC=)" ] || fail "not in this order: $(cat notices)"

# A drain that is taken back was no stop.
cat >spec.yaml <<'YAML'
pipeline: told
drain: 100s
stages:
  - {name: count, source: generate, text: '{n}', rate: 100}
  - {name: slow, exec: [sh, -c, 'cat; while [ ! -e pass ]; do sleep 0.02; done'], block: 1KiB, block_wait: 20ms}
  - {name: write, sink: file, path: out}
YAML
begin
beats 5
weir drain told --no-wait >drain.out 2>&1 || fail "drain: $(cat drain.out)"
beats 5
weir resume told >resume.out 2>&1 || fail "resume: $(cat resume.out)"
touch pass
wait_until 60 more READY=1 1
assert_eq "$(times STOPPING=1)" 0 "taken back"

# A supervisor that stands still is not taken for one that works; when it goes on, so do its signs.
kill -STOP $pid
seen=$(times WATCHDOG=1)
sleep 1
[ "$(times WATCHDOG=1)" -le "$((seen + 1))" ] || fail "a stopped process has said that it works"
kill -CONT $pid
beats 3
weir drain told >drain.out 2>&1
wait $pid
assert_eq $? 0 "exit code"
assert_eq "$(times STOPPING=1)" 1 "drained"
[ "$(line_of READY=1 2)" -lt "$(line_of STOPPING=1)" ] || fail "not in this order: $(cat notices)"

# What can't start says why, is never ready, and waits until that has been read.
printf 'pipeline: bad\nstages: [{name: a, source: generate, text: x, b: 1}]\n' >spec.yaml
: >notices
assert_exit 1 weir run spec.yaml
assert_contains notices 'STATUS=spec.yaml:2:'
assert_eq "$(times READY=1) $(times STOPPING=1) $(tail -n 1 notices)" "0 0 BARRIER" "a bad spec"
exec 9>&-
wait $server
