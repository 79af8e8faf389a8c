# SPDX-License-Identifier: Apache-2.0
# Resident memory of every process is flat: what a stream has used after its first tenth it never goes beyond.
# seconds: 120
cat >spec.yaml <<'YAML'
pipeline: flat
stages:
  - {name: count, source: generate, size: 100, rate: 200k/s, count: 1M}
  - {name: cat, exec: [cat], workers: 3, order: fifo}
  - {name: end, sink: discard}
YAML
# Largest private memory of all weir processes of this run, in KiB: lanes are shared and accounted by their bound.
private_kib() {
	for pid in $1 $(worker_pids flat); do
		awk '/^RssAnon/ { print $2 }' "/proc/$pid/status" 2>/dev/null
	done | sort -n | tail -n 1
}
weir run --json spec.yaml 2>stderr &
pid=$!
wait_until 20 running flat
sleep 1
early=$(private_kib $pid)
late=$early
while running flat; do
	now=$(private_kib $pid)
	[ "${now:-0}" -le "$late" ] || late=$now
	sleep 0.3
done
wait $pid || fail "exit code $?"
echo "private memory of the largest process: $early KiB early, $late KiB at most later"
[ "$late" -le $((early + 4096)) ] || fail "grew from $early to $late KiB"
