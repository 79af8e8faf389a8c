# SPDX-License-Identifier: Apache-2.0
# sanitizers: no, v02 and y02 run the same code under sanitizers
# The supervisor is killed again and again under a service manager with an fd store, while its spec is edited in place and reloaded all the time: good ones, ones with
# errors, ones that are taken back. Each item once and in order; the same command goes on each time; nobody of a dead supervisor lives beside the next.
# seconds: 120
touch "$WEIR_WORK/orphans-expected"
plugins=$WEIR_BUILD/tests/plugins
spec() { # WORD [DOES]
	cat <<YAML
pipeline: amid
restart: {backoff: 1ms}
stages:
  - {name: count, source: generate, rate: 2000/s}
  - {name: pass, exec: [cat], mode: line, workers: 2, order: fifo, env: [FAMILY]}
  - {name: word, plugin: $plugins/newcomer.so, word: $1, does: ${2-nothing}, workers: 2, order: fifo, dead_letter: {attempts: 9}}
  - {name: write, sink: file, path: out}
YAML
}
edit() {
	"$@" >edited
	mv edited spec.yaml
}
broken() {
	spec "$1" | sed 's/does:/dose:/'
}
# Until the file `over` is there; it is asked for whether somebody runs or not.
reload_all_the_time() {
	local n=0 asked
	while [ ! -e over ]; do
		case $((n++ % 5)) in
		0 | 3) edit spec "w$n" ;;
		1) edit broken "w$n" ;;
		2) edit spec "w$n" work ;;
		4) edit spec "w$n" open ;;
		esac
		[ $((RANDOM % 6)) = 0 ] && continue # edited, and nobody asks for it
		timeout 20 weir reload amid --probation "$((RANDOM % 300))ms" >asked 2>&1
		asked=$?
		echo "$asked" >>answers
		[ "$asked" = 3 ] || [ "$asked" = 75 ] && sleep 0.05
	done
}
spec w0 >spec.yaml
: >answers
(
	wait_until 60 running amid
	reload_all_the_time
) &
kills=$(rounds 5 100)
python3 -B "$WEIR_SOURCE/tests/scenario/fd_store.py" --kills "$kills" --early 5 --linger 600 --drain amid --grows out --log notify -- weir run --json spec.yaml >said 2>stderr
status=$?
touch over
wait
[ "$status" = 0 ] || { tail -n 40 stderr said >&2; fail "exit code $status"; }
assert_eq "$(cat said)" "kills $kills, kept 0"
awk '$3 != NR { print "line " NR ": " $0; exit 1 }' out >&2 || fail "an item is missing, there twice, or out of its order"
assert_eq "$(final stderr accepted) $(final stderr delivered) $(final stderr in_flight)" "$(wc -l <out) $(wc -l <out) 0" ledger
gone_on=$(grep -c 'goes on with the run of a supervisor that is dead' stderr)
[ "$gone_on" -ge $((kills - kills / 4)) ] || fail "only $gone_on successions after $kills kills"
assert_eq "$(cd "$WEIR_STATE_DIR" && find . -type f)" "./amid/history" "left in the state folder"
echo "$kills kills, $gone_on successions, $(grep -c 'by its last good spec' stderr) by the last good spec; answers to reloads: $(sort answers | uniq -c | tr -s ' \n' ' ')"
