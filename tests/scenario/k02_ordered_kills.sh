# SPDX-License-Identifier: Apache-2.0
# Order survives kills: three ordered workers, a random worker dies every 60 ms, the copy still equals the file.
# seconds: 120
awk -v n="$(rounds 150000 3000000)" 'BEGIN { for (i = 1; i <= n; i++) print "line", i, i * 7919 }' >in
cat >spec.yaml <<'YAML'
pipeline: ordered
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: file, path: in}
  - {name: cat, exec: 'sleep 0.05; cat', workers: 3, order: fifo, block: 64KiB}
  - {name: again, exec: [cat], workers: 2, order: fifo}
  - {name: write, sink: file, path: out}
YAML
kill_randomly ordered 60 >kills &
killer=$!
weir run --json spec.yaml 2>stderr
status=$?
touch ended
wait "$killer"
[ "$status" = 0 ] || { tail -n 40 stderr >&2; fail "exit code $status"; }
assert_file_equal in out
assert_eq "$(final stderr accepted) $(final stderr delivered)" "$(wc -l <in) $(wc -l <in)" ledger
echo "$(cat kills) kills, $(restarts stderr) restarts"
[ "$(cat kills)" -ge 5 ] || fail "only $(cat kills) kills: the run is too short to mean anything"
