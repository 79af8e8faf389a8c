# SPDX-License-Identifier: Apache-2.0
# Who starts a pipeline that is not over yet is told exactly that: which process, how long at most, what to do. Who asks one that does not move
# learns what its process does instead.
cat >spec.yaml <<'YAML'
pipeline: late
drain: 60s
stages:
  - {name: tick, source: generate, rate: 100/s, text: '{n}'}
  - {name: slow, exec: [sh, -c, 'while read -r l; do sleep 0.5; echo "$l"; done'], mode: line}
  - {name: write, sink: file, path: out}
YAML
weir run --json spec.yaml 2>first &
pid=$!
wait_until 20 running late

# It stands still: neither a question nor an order waits for long, and both say why.
kill -STOP $pid
assert_exit 75 weir drain late
assert_contains stderr "pipeline 'late' (process $pid) does not answer: it is stopped by a signal; 'kill -CONT $pid' lets it go on"
assert_contains stderr "whether it has got the order to drain is not known: give it again then"
assert_exit 75 weir run spec.yaml
assert_contains stderr "pipeline 'late' is still there and does not answer: process $pid is stopped by a signal"
assert_exit 0 weir ps
assert_contains stderr "does not answer"
kill -CONT $pid

assert_exit 0 weir drain late --no-wait

# Who wants to start it again learns what it waits for.
draining() {
	weir ps late --json 2>/dev/null | grep -q '"phase":"draining"'
}
wait_until 20 draining
assert_exit 75 weir run spec.yaml
assert_contains stderr "pipeline 'late' is already draining (process $pid, for "
assert_contains stderr "'weir drain late' waits for its end, 'weir cancel late' ends it at once"
assert_exit 0 weir cancel late
wait $pid
assert_eq $? 3 "exit code of the first"
assert_exit 3 weir drain late
