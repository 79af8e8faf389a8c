# SPDX-License-Identifier: Apache-2.0
# Standard error of `weir run` is a pipe that is full and that nobody reads. Orders, kills, deadlines and questions are served as ever, the end comes with its
# exit code, and who reads at last finds how much is missing, and the summary. A reader that goes away does no harm.
# seconds: 240
cat >spec.yaml <<'YAML'
pipeline: mute
grace: 300ms
stages:
  - {name: tick, source: generate, rate: 200/s, text: '{n}'}
  - name: talk
    exec: [sh, -c, 'while read -r l; do [ "$l" = 50 ] && sleep 1000; echo "$l"; printf "%01500d\n" "$l" >&2; done']
    mode: line
    deadline: 1s
    dead_letter: {attempts: 1}
  - {name: write, sink: file, path: out}
YAML

# A full pipe on descriptor 8, with us as its reader
full_pipe() {
	rm -f pipe
	mkfifo pipe
	exec 9<>pipe 8<pipe
	yes filler 2>/dev/null | head -c 65536 | dd of=pipe bs=65536 oflag=nonblock status=none
	timeout 1 dd if=/dev/zero of=pipe bs=1 count=1 oflag=nonblock status=none 2>/dev/null && fail "the pipe is not full"
	return 0
}

# start NAME: `weir run` behind a full pipe
start() {
	full_pipe
	weir run --log-format logfmt --progress never spec.yaml 2>pipe &
	pid=$!
	exec 9>&-
	wait_until 30 running mute
}

# Everything that came through it, without what it was filled with
read_pipe() {
	timeout 60 cat <&8 | grep -v '^filler$' >log
	exec 8<&-
}

has_restarted() {
	weir ps mute --json 2>/dev/null | grep -o '"restarts":[0-9]*' | grep -q -v ':0$'
}

overran() {
	weir metrics mute 2>/dev/null | grep '^weir_timeouts_total{.*stage="talk".*level="item"' | grep -q -v ' 0$'
}

# more_than N: lines have come through
more_than() {
	[ "$(wc -l <out)" -gt "$1" ]
}

# More than pipe and backlog hold is said while a deadline passes, a worker is killed and comes back, and a drain ends it.
start
wait_until 60 overran
kill -KILL "$(worker_pids mute | tail -n 1)"
wait_until 30 has_restarted
wait_until 60 more_than 600
weir why mute --window 0 >why || fail "it is stuck: $(cat why)"
assert_exit 0 weir drain mute
wait $pid
assert_eq $? 3 "exit code of the first"
read_pipe
assert_contains log "standard error was not read fast enough"
assert_contains log "mute ended in"
assert_contains log "balanced"
assert_contains log "1 item dead-lettered"
missing=$(grep -o '[0-9]* lines not written' log | awk '{ n += $1 } END { print n + 0 }')
[ "$missing" -gt 100 ] || fail "only $missing lines are missing"
assert_eq "$(weir dlq ls mute --json | grep -c '"cause":"deadline"')" 1 "letters"
weir dlq purge mute --all >/dev/null || true

# A cancel, too
rm -f out
start
wait_until 60 more_than 100
assert_exit 0 weir cancel mute
wait $pid
assert_eq $? 3 "exit code of the cancelled one"
read_pipe
assert_contains log "the run was cancelled (user)"

# The reader goes away while there is much to be read: nobody is told, nothing ends.
rm -f out
start
wait_until 60 more_than 30
exec 8<&-
seen=$(wc -l <out)
wait_until 60 more_than $((seen + 100))
assert_exit 0 weir drain mute
wait $pid
assert_eq $? 3 "exit code of the one without a reader"
