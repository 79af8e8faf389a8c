# SPDX-License-Identifier: Apache-2.0
# The worker of an exec source dies while its program runs: rerun skips what was committed, fail ends the run.
cat >spec.yaml <<'YAML'
pipeline: produce
stages:
  - name: numbers
    source: exec
    command: 'seq 1 30000; until [ -e go ]; do sleep 0.05; done; seq 30001 60000'
    resume: rerun
  - {name: write, sink: file, path: out}
YAML
seq 1 60000 >expected

# The source's worker: slot 0
source_pid() {
	weir ps produce --json 2>/dev/null | grep -o '"slot":0,"index":0,"pid":[0-9]*' | sed 's/.*://'
}
named() {
	pid=$(source_pid)
	[ -n "$pid" ]
}
half_way() {
	[ -e out ] && [ "$(wc -l <out)" -ge 30000 ]
}

weir run --json spec.yaml 2>stderr &
wait_until 20 half_way
wait_until 20 named
kill -KILL "$pid" || fail "no source to kill"
touch go
wait $! || fail "exit code $? after a killed source: $(cat stderr)"
assert_file_equal out expected
assert_eq "$(final stderr accepted) $(restarts stderr)" "60000 1" ledger

rm -f out go
sed -i 's/rerun/fail/' spec.yaml
weir run --json spec.yaml 2>stderr &
wait_until 20 half_way
wait_until 20 named
kill -KILL "$pid" || fail "no source to kill"
wait $!
assert_eq $? 3 "exit code with resume: fail"
head -n 30000 expected >first
assert_file_equal out first
assert_eq "$(final stderr balanced)" true ledger
