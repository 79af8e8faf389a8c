# SPDX-License-Identifier: Apache-2.0
# seconds: 120
# A dead letter that a program in frame mode gets again has all of its attempts again, whatever it cost before; if they do not do, it comes back with
# the sum of them and with what this program has done to it, be that to fail or to take too long.
cat >mill.py <<'PY'
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import weir  # noqa: E402


def answer(item):
    if item.data != b"7":
        return item.data
    with open("tries", "a") as tries:
        tries.write("%d " % item.attempt)
    with open("tries") as tries, open("in-vain") as in_vain:
        if len(tries.read().split()) > int(in_vain.read()):
            return item.data
    if sys.argv[2] == "fail":
        raise ValueError("not yet")
    item.wait(1000)
    raise weir.Cancelled


weir.serve(answer)
PY
has_letters() { [ "$(weir dlq ls again --json | grep -c '"id":')" = "$1" ]; }
# letter NAME: a member of the only one
letter() { weir dlq export again | grep -o "\"$1\":[^,]*" | sed 's/.*://'; }

# round HOW IN_FLIGHT CAUSE: the item is tried three times in vain, again three times, then twice before it is done
round() {
	rm -f out tries
	cat >spec.yaml <<-YAML
	pipeline: again
	stages:
	  - {name: count, source: generate, count: 10, text: '{n}'}
	  - {name: clock, source: generate, text: tick, rate: 20}
	  - {name: call, from: [count, clock], exec: [python3, mill.py, $WEIR_SOURCE/python, $1], mode: frame, in_flight: $2, deadline: 1s, grace: 20s, dead_letter: {attempts: 3}}
	  - {name: write, sink: file, path: out}
	YAML
	echo 6 >in-vain
	weir run --json spec.yaml 2>stderr.run &
	run=$!
	wait_until 60 running again
	wait_until 60 has_letters 1
	assert_eq "$(letter attempts) $(letter cause)" "3 \"$3\"" "$1, $2 in flight: a letter"
	assert_exit 1 weir dlq replay again --all >answer
	assert_eq "$(cat answer)" "again: of 1 letter 0 were taken, 1 came back, 0 were not given"
	assert_eq "$(letter attempts) $(letter cause)" "6 \"$3\"" "$1, $2 in flight: a letter that came back"
	echo 8 >in-vain
	assert_exit 0 weir dlq replay again --all >answer
	assert_eq "$(cat answer)" "again: of 1 letter 1 was taken, 0 came back, 0 were not given"
	weir drain again >/dev/null || fail "drain"
	wait "$run"
	assert_eq "$?" 0 "$1, $2 in flight: exit code"
	assert_eq "$(cat tries)" "0 1 2 3 4 5 6 7 8 " "$1, $2 in flight: what the program was told of its attempts"
	assert_eq "$(grep -v tick out | sort -n | tr '\n' ' ')" "1 2 3 4 5 6 7 8 9 10 " "$1, $2 in flight: arrived"
	assert_eq "$(final stderr.run balanced) $(restarts stderr.run)" "true 0" "$1, $2 in flight: ledger, restarts"
}

round fail 8 attempts
round fail 1 attempts
round slow 8 deadline
