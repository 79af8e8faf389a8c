# SPDX-License-Identifier: Apache-2.0
# A followed log, over runs: the next one goes on where the last one ended, through a rotation in between; after an end in which not all has arrived it
# repeats, and loses nothing.
# seconds: 30
touch "$WEIR_WORK/orphans-expected" # of a supervisor that is killed
cat >spec.yaml <<'YAML'
pipeline: next
stages:
  - {name: read, source: file, path: app.log, follow: true}
  - {name: write, sink: file, path: out, existing: append}
YAML
written() { [ -e out ] && [ "$(wc -l <out)" -ge "$1" ]; }

run_until() {
	weir run spec.yaml 2>stderr &
	run=$!
	wait_until 30 written "$1"
	weir drain next >/dev/null 2>&1
	wait "$run" || fail "exit code $?: $(tail stderr)"
}

seq 1 1000 >app.log
run_until 1000
printf '1001\n1002\n10' >>app.log # while nothing runs; the last line without its end
run_until 1002
printf '03\n' >>app.log
mv app.log app.log.1
seq 1004 2000 >app.log
run_until 2000
seq 2000 >expected
assert_file_equal out expected "three runs"

# The supervisor is killed: nobody knows what has arrived, so what came since the last good end comes again.
seq 2001 3000 >>app.log
weir run spec.yaml 2>/dev/null &
run=$!
wait_until 30 written 3000
kill -KILL "$run"
wait "$run" 2>/dev/null
run_until 4000
seq 3000 >expected
sort -n -u out >got
assert_file_equal got expected "after a supervisor's death"
assert_eq "$(sed 1,3000d out | head -n 1)" 2001 "the first line that is repeated"

# A damaged file is said, and nothing is left out; nor with resume: false.
echo damaged >"$WEIR_STATE_DIR/next/positions/read"
rm out
run_until 1997 # lines of app.log, as in a first run
assert_contains stderr "it is damaged, or another version of weir has written it; it begins as in a first run"
rm out
sed -i 's/follow: true/follow: true, resume: false/' spec.yaml
run_until 1997
sort -n -u out | tail -n 1 >got
assert_eq "$(cat got)" 3000 "resume: false"
