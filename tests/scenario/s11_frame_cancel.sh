# SPDX-License-Identifier: Apache-2.0
# Two scopes are cancelled whose items a program in frame mode has: they end at once, one hears it and one does not, and what both say then
# goes nowhere. All others arrive. Then a cancel of the whole pipeline, with everything in the program's hands.
# seconds: 120
program=$WEIR_SOURCE/tests/scenario/frames.py
cat >spec.yaml <<YAML
pipeline: held
stages:
  - {name: make, source: generate, count: 40, text: '{n}', scopes: 20}
  - {name: call, exec: [python3, $program, $WEIR_SOURCE/python, held], mode: frame, in_flight: 64}
  - {name: write, sink: file, path: out}
YAML
held() { [ "$(grep -c 'holds ' stderr)" = 40 ]; }
weir run --json spec.yaml 2>stderr &
run=$!
wait_until 60 held
assert_exit0() { "$@" >/dev/null || fail "exit code $?: $*"; }
assert_exit0 weir cancel held --scope 7
assert_exit0 weir cancel held --scope 8
cancelled() { weir ps held --json 2>/dev/null | grep -q '"cancelled":4,'; }
wait_until 30 cancelled # though nobody has answered 8 and 28
wait_until 30 grep -q 'told to stop: user 27' stderr
touch go
wait "$run"
assert_eq $? 3 "exit code of a run that has lost items"
assert_eq "$(sort -n out | sha256sum)" "$(seq 1 40 | awk '$1 % 20 != 7 && $1 % 20 != 8' | sha256sum)" "result"
assert_eq "$(final stderr cancelled) $(final stderr delivered) $(final stderr balanced) $(restarts stderr)" "4 36 true 0" ledger
! grep -q 'is started again' stderr || fail "the late answers of what was cancelled were held against the program"

rm go
weir run --json spec.yaml 2>stderr &
run=$!
wait_until 60 held
assert_exit0 weir cancel held
wait "$run"
assert_eq $? 3 "exit code of a cancelled run"
assert_eq "$(final stderr delivered) $(final stderr balanced)" "0 true" "ledger of a cancelled run"
