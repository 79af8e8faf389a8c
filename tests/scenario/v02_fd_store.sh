# SPDX-License-Identifier: Apache-2.0
# The fd store of a service manager: the supervisor is killed again and again, and gets its memory back as LISTEN_FDS. Nothing lost, nothing twice, fifo kept, keyed
# state too; the store is empty after the end. One that keeps too few descriptors costs what was in flight, and that is said.
# seconds: 120
touch "$WEIR_WORK/orphans-expected"
# Each line twice, the second time a thousand lines later: who forgets what has passed lets it pass again.
n=$(rounds 20000 1000000)
awk -v n="$n" 'BEGIN { for (i = 1; i <= n + 1000; i++) { if (i <= n) print "{\"id\":" i "}"; if (i > 1000) print "{\"id\":" i - 1000 "}" } }' >in
awk -v n="$n" 'BEGIN { for (i = 1; i <= n; i++) print "{\"id\":" i "}" }' >expected
cat >spec.yaml <<'YAML'
pipeline: stored
stages:
  - {name: read, source: file, path: in, decode: json}
  - {name: pace, operator: throttle, rate: 20000/s, burst: 100}
  - {name: pass, operator: filter, expr: '.id > 0', workers: 4, order: fifo}
  - {name: once, operator: dedupe, key: .id, last: 1000000}
  - {name: write, sink: file, path: out, encode: json}
YAML
kills=$(rounds 5 100)
python3 -B "$WEIR_SOURCE/tests/scenario/fd_store.py" --kills "$kills" --early 4 --grows out --log notify -- weir run --json spec.yaml >said 2>stderr
status=$?
[ "$status" = 0 ] || { tail -n 40 stderr said >&2; fail "exit code $status"; }
assert_eq "$(cat said)" "kills $kills, kept 0"
assert_file_equal expected out
assert_eq "$(final stderr accepted) $(final stderr delivered) $(final stderr filtered)" "$((2 * n)) $n $n" ledger
gone_on=$(grep -c 'goes on with the run of a supervisor that is dead' stderr)
[ "$gone_on" -ge $((kills - kills / 4)) ] || fail "only $gone_on successions after $kills kills"
# Everything is in the store before the service says that it is ready; nothing of it is left to systemd's judgement.
awk '/^FDSTORE=1/ { stored = 1 } /^READY=1/ { exit !stored }' notify || { head notify >&2; fail "READY=1 before FDSTORE=1"; }
assert_eq "$(grep -c '^FDPOLL=0' notify)" "$(grep -c '^FDSTORE=1' notify)" "FDPOLL=0 with each"
assert_contains notify "FDSTOREREMOVE=1"

# A store with too little room.
rm -f out
assert_exit 0 python3 -B "$WEIR_SOURCE/tests/scenario/fd_store.py" --kills 1 --max 5 --grows out --log notify -- weir run --json spec.yaml >said
assert_eq "$(cat said)" "kills 1, kept 0"
assert_contains stderr "had between its stages is lost"
assert_file_equal expected out
echo "$kills kills, $gone_on successions"
