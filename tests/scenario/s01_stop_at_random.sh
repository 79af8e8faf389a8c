# SPDX-License-Identifier: Apache-2.0
# SIGINT, SIGTERM or a drain at a random moment: documented exit code, and the sink holds exactly what the ledger says.
# seconds: 120
cat >spec.yaml <<'YAML'
pipeline: endless
drain: 20s
stages:
  - {name: count, source: generate, text: '{n}'}
  - {name: cat, exec: [cat], workers: 2, order: fifo, block: 16KiB, block_wait: 20ms}
  - {name: write, sink: file, path: out}
YAML
# A script's background processes start with SIGINT ignored: one that comes before weir wants it is gone for ever.
hears_int() {
	(($((0x$(sed -n 's/^SigBlk:[[:space:]]*//p' "/proc/$pid/status"))) & 2))
}
for round in $(seq "$(rounds 10 200)"); do
	rm -f out
	: >stderr # a signal may come before the new process has opened its own
	weir run --json spec.yaml >stdout 2>stderr &
	pid=$!
	pause_up_to 600
	case $((RANDOM % 3)) in
	0) wait_until 20 hears_int; kill -INT $pid; expected=130 ;;
	1) kill -TERM $pid; expected=143 ;;
	2) wait_until 20 running endless; weir drain endless >drain 2>&1 || fail "drain: exit code $?: $(cat drain)"; expected=0 ;;
	esac
	wait $pid
	status=$?
	assert_eq "$status" "$expected" "exit code in round $round: $(tail -n 3 stderr)"
	touch out
	delivered=$(final stderr delivered)
	# A signal before weir could say anything has let nothing in.
	assert_eq "$(wc -l <out)" "${delivered:-0}" "lines in round $round"
	[ -z "$delivered" ] || assert_eq "$(final stderr accepted) $(final stderr in_flight) $(final stderr balanced)" "$delivered 0 true" "ledger"
	seq "$(wc -l <out)" | cmp - out || fail "the sink does not hold 1, 2, 3 ... in round $round"
	assert_eq "$(find "$WEIR_RUN_DIR" -mindepth 1 | wc -l)" 0 "left in the run folder"
done
