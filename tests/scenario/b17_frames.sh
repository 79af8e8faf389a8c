# SPDX-License-Identifier: Apache-2.0
# Programs in frame mode: threads and asyncio, bytes and values, several outputs, order, refusals, errors, deadlines, goodbyes; and what they find.
# seconds: 120
program=$WEIR_SOURCE/tests/scenario/frames.py
# spec COUNT PROGRAM_OPTIONS [STAGE_OPTIONS] [SOURCE_OPTIONS] [SINK_OPTIONS]
spec() {
	cat >spec.yaml <<YAML
pipeline: frames
stages:
  - {name: count, source: generate, count: $1, text: '{n}'${4-}}
  - {name: call, exec: [python3, $program, $WEIR_SOURCE/python$2], mode: frame, grace: 5s, dead_letter: {attempts: 2, path: letters}${3-}}
  - {name: write, sink: file, path: out${5-}}
YAML
	rm -f out letters
}

for way in '' ', async'; do
	spec 2000 "$way" ', in_flight: 64'
	assert_exit 0 weir run --json spec.yaml
	assert_eq "$(sort -n out | sha256sum)" "$(seq 1 2000 | sha256sum)" "result$way"
	assert_eq "$(final stderr balanced) $(restarts stderr)" "true 0" "ledger$way"
done

# Each with its own time, and many at a time: one after the other this would take 100 seconds.
spec 5000 ', delay=0.02' ', in_flight: 64'
started=$SECONDS
assert_exit 0 weir run spec.yaml
[ "$((SECONDS - started))" -lt 60 ] || fail "$((SECONDS - started)) s for five thousand items of 20 ms"

# Values, which the program changes; and the order of three workers.
seq 1 500 | sed 's/.*/{"n":&}/' >in
cat >values.yaml <<YAML
pipeline: values
stages:
  - {name: read, source: file, path: in, decode: json}
  - {name: call, exec: [python3, $program, $WEIR_SOURCE/python], mode: frame, workers: 3, order: fifo}
  - {name: write, sink: file, path: out, encode: json}
YAML
assert_exit 0 weir run values.yaml
seq 1 500 | sed 's/.*/{"n":&,"seen":true}/' | cmp - out >&2 || fail "values in order"

spec 100 ', twice' ', in_flight: 8'
assert_exit 0 weir run spec.yaml
assert_eq "$(sort -n out | sha256sum)" "$(seq 1 100 | sed p | sha256sum)" "two outputs each"

spec 100 ', refuse=50, fail=60' ', in_flight: 8'
assert_exit 3 weir run spec.yaml
assert_eq "$(sort -n out | sha256sum)" "$(seq 1 100 | grep -v -x -e 50 -e 60 | sha256sum)" "without the refused one and the one that fails"
assert_eq "$(grep -c '"cause":"rejected".*refused it: not this one' letters) $(grep -c '"cause":"attempts".*each of 2 attempts.*ValueError: what is this' letters)" "1 1" letters
assert_contains stderr "what is this"

# Past its deadline, and it stops when it is told; then one that does not hear: it costs the program, and nobody else anything.
spec 100 ', slow=50' ', in_flight: 8, deadline: 300ms, grace: 10s'
sed -i 's/grace: 5s, //' spec.yaml
assert_exit 3 weir run --json spec.yaml
assert_eq "$(sort -n out | sha256sum)" "$(seq 1 100 | grep -v -x 50 | sha256sum)" "without the slow one"
assert_eq "$(grep -c '"cause":"deadline".*"attempts":2' letters || true) $(restarts stderr)" "1 0" "letter of the slow one"
assert_contains stderr "told to stop: item_deadline"
assert_contains stderr "with 0.3 s left attempt 1"
! grep -q 'is killed' stderr || fail "a program that had stopped was killed"
spec 100 ', deaf=50' ', in_flight: 8, deadline: 300ms'
sed -i 's/grace: 5s/grace: 100ms/' spec.yaml
assert_exit 3 weir run --json spec.yaml
assert_eq "$(sort -n out | sha256sum)" "$(seq 1 100 | grep -v -x 50 | sha256sum)" "without the deaf one"
assert_eq "$(wc -l <letters) $(grep -c '"cause":"deadline"' letters) $(restarts stderr)" "1 1 0" "letter of the deaf one"
assert_contains stderr "has not answered the cancel within 100 ms: it is killed"

# All are past it, one after the other: the grace of those that were told is not over because the next one is due.
spec 30 ', together=30' ', in_flight: 64, deadline: 300ms' ', rate: 10/s'
sed -i 's/grace: 5s/grace: 60s/' spec.yaml
assert_exit 3 weir run --json spec.yaml
assert_eq "$(grep -c '"cause":"deadline".*"attempts":2' letters)" 30 "letters of those that stopped within their grace"
! grep -q 'is killed' stderr || { cat stderr >&2; fail "a program was killed in the grace of its items"; }

# A new program after each 30 items; nobody is blamed.
spec 200 ', max=30' ', in_flight: 8'
assert_exit 0 weir run --json spec.yaml
assert_eq "$(sort -n out | sha256sum)" "$(seq 1 200 | sha256sum)" "result of several programs"
! grep -q '"level":"warning"' stderr || { cat stderr >&2; fail "a goodbye is no reason to warn"; }

# What it finds: neither what it was not given, nor another folder, limit or nice value than the spec says.
mkdir inside
spec 1 ', env' ", in_flight: 2, env: [MY_OWN, MY_SAID=yes], cwd: $PWD/inside, nice: 5, limits: [files=77]"
MY_OWN=here MY_OTHER=hidden SECRET=hidden assert_exit 0 weir run spec.yaml
assert_contains stderr "env: MY_OWN MY_SAID WEIR_FRAME_IN WEIR_FRAME_OUT WEIR_STAGE WEIR_WORKER"
cat >found.yaml <<YAML
pipeline: found
stages:
  - {name: look, source: exec, command: 'pwd; nice; ulimit -n; echo "\$MY_SAID"', env: [MY_SAID=yes], cwd: $PWD/inside, nice: 5, limits: [files=77]}
  - {name: write, sink: file, path: found}
YAML
assert_exit 0 weir run found.yaml
assert_eq "$(cat found)" "$(printf '%s\n' "$PWD/inside" "$(($(nice) + 5))" 77 yes)" surroundings

# Another user, for whom weir must be root: his number, his groups and no other ones.
if [ "$(id -u)" = 0 ]; then
	cat >user.yaml <<YAML
pipeline: user
stages:
  - {name: look, source: exec, command: 'id -un; id -G', user: nobody, cwd: /}
  - {name: write, sink: file, path: user}
YAML
	assert_exit 0 weir run user.yaml
	assert_eq "$(cat user)" "$(printf '%s\n' nobody "$(id -G nobody)")" "the user"
else
	assert_exit 1 weir check --set stages.call.user=root spec.yaml
	assert_contains stderr "only root can start a program as 'root'"
fi
