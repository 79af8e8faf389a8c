# SPDX-License-Identifier: Apache-2.0
# weir top on a terminal of 80 x 24: stages, workers, one worker and back; a stopped worker is STUCK; sizes, ^Z, ^C, a terminal that stands still; and what it gives to programs.
# seconds: 240
# sanitizers: no, what reads answers and keys is in unit.broker.cli.top_*
command -v python3 >/dev/null || skip "no python3"
python3 -c "import pty; pty.openpty()" 2>/dev/null || skip "no terminals here: is /dev/pts mounted?"
cat >spec.yaml <<'YAML'
pipeline: orders
stages:
  - {name: read, source: generate, text: '{n}'}
  - {name: price, exec: [cat], mode: line, workers: 3}
  - {name: write, sink: discard}
YAML
weir run --progress=never spec.yaml 2>run.log &
run=$!
wait_until 60 running orders
export TERM=xterm

# on COLUMNSxROWS ARGUMENTS...: the steps come by standard input
on() {
	local size=$1
	shift
	cat >steps
	python3 "$WEIR_SOURCE/tests/scenario/terminal.py" "$size" steps -- weir top orders "$@" >&2 || fail "weir top $*: see above"
}

# Back-pressure of the stopped one has come as far as price.
waits_at_write() {
	weir dump orders --json >dump.json && grep -q '"sentence":"waits for room at write#0","waits_for":\["room"\],"lane":{"from":"price"' dump.json
}

# --- down and up again, and every key leads somewhere
NO_COLOR= on 80x24 --interval 200ms <<'STEPS'
see > read
see by order
fits
keys j
see > price
keys \r
see orders / price
see > price#0
keys \e[B\r
see worker     price#1 (exec), pid
see in from    read:
see out to     write:
fits
keys ?
see PgUp, PgDn
keys x\e
gone PgUp, PgDn
keys h
see > price#1
keys h
see > price
keys s
see by state
keys r
see by state reversed
keys p
see paused
keys q
exit 0
STEPS
grep -q -a $'\033\[[0-9]*m' written || fail "no colours on a terminal that has them"

# --- another size, ^Z and back, an end by signals, and by ^C while the terminal takes nothing
on 80x24 --interval 100ms <<'STEPS'
see > read
size 40x10
see > read
fits
size 132x50
see AHEAD
fits
keys x
signal TSTP
stopped
signal CONT
see > read
signal TERM
exit 0
STEPS
NO_COLOR=1 on 80x24 --interval 100ms <<'STEPS'
see > read
halt
signal INT
go
exit 0
STEPS
grep -q -a $'\033\[[0-9]*m' written && fail "colours, with NO_COLOR"

# --- who is stopped is stuck, and so says the page
pid=$(weir ps orders --json | grep -o '"name":"write".*' | grep -o '"index":0,"pid":[0-9]*' | head -n 1 | sed 's/.*://')
kill -STOP "$pid"
on 80x24 --interval 200ms --sort state <<'STEPS'
see STUCK: write#0 (pid
see write  STUCK
fits
keys q
exit 0
STEPS

# --- weir dump says of each what it does, and of the stopped one that it is
weir dump orders >dump.txt || fail "weir dump"
assert_contains dump.txt "worker     price#2 (exec), pid"
grep -q -A4 "^worker     write#0 (discard), pid $pid" dump.txt || fail "no write#0: $(cat dump.txt)"
assert_eq "$(grep -c '^process    stopped by a signal' dump.txt)" 1 "stopped workers"
wait_until 60 waits_at_write
assert_exit 1 weir dump orders --backtrace --json >dump.json # who is stopped does not answer
python3 - "$pid" <<'PYTHON' || fail "dump.json: $(cat dump.json)"
import json, sys
dump = json.load(open("dump.json"))
stages = {stage["stage"]: stage["workers"] for stage in dump["stages"]}
write, = stages["write"]
assert write["pid"] == int(sys.argv[1]) and write["kernel"]["state"] == "stopped by a signal"
assert write["in"][0]["stage"] == "price" and write["in"][0]["lanes"] == 3
assert len(stages["price"]) == 3 and stages["price"][0]["program"]["name"] == "cat"
stacks = {stage["stage"]: stage["workers"] for stage in dump["backtraces"]}
assert stacks["write"][0]["frames"] is None and stacks["read"][0]["frames"] is not None
PYTHON
assert_exit 3 weir dump nobody

# --- for programs
weir top orders --once --interval 200ms --json >once.json || fail "--once --json"
python3 - <<'PYTHON' || fail "once.json: $(cat once.json)"
import json
top = json.load(open("once.json"))
stages = {stage["name"]: stage for stage in top["stages"]}
assert list(stages) == ["read", "price", "write"] and len(stages["price"]["workers"]) == 3
assert stages["write"]["state"] == "STUCK" and "write#0" in stages["write"]["stuck"]
assert stages["write"]["fill"] > 0.5 and stages["read"]["fill"] is None
assert stages["price"]["items_per_second"] is not None and top["over_seconds"] > 0.1
PYTHON
kill -CONT "$pid"
weir top orders --once --interval 100ms >once.txt || fail "--once"
assert_contains once.txt "  price#2"
grep -q $'\033' once.txt && fail "sequences for terminals in a file"
weir top orders --interval 100ms | head -n 3 >lines.json # no terminal: a line each time, until nobody reads
assert_eq "$(grep -c '^{"pipeline":"orders",.*}$' lines.json)" 3 "lines for a program"
TERM=dumb weir top orders --once >/dev/null || fail "TERM=dumb"

# --- what is refused, and the end
assert_exit 2 weir top orders --interval 1ms
assert_contains stderr "100ms to 1h"
assert_exit 2 weir top orders --sort width
assert_contains stderr "order, state, rate, p99, fill, age"
assert_exit 3 weir top nobody
on 80x24 --interval 100ms <<'STEPS'
see > read
do weir cancel orders >/dev/null 2>&1
exit 0
STEPS
assert_contains written "pipeline 'orders' has ended"
wait "$run"
assert_exit 3 weir top orders --once
