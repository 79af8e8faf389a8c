# SPDX-License-Identifier: Apache-2.0
# Files that are rotated, compressed and finished while workers are killed: each item once, each finished file whole, nothing hidden left; a full disk waits.
# seconds: 90
cat >spec.yaml <<'YAML'
pipeline: parts
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: generate, count: 40k, rate: 20k, text: 'item {n}'}
  - {name: write, sink: file, path: 'out/part-{n}.log', rotate_size: 8KiB}
YAML
seq -f 'item %.0f' 40000 >expected

# A file that has its name is whole, and stays what it is.
watch_parts() {
	local part
	while [ ! -e ended ]; do
		for part in out/part-*; do
			[ -e "$part" ] && [ ! -e "seen/${part##*/}" ] && cp "$part" "seen/${part##*/}"
		done
		sleep 0.02
	done
}

total=0
for kind in size time gzip; do
	rm -rf out seen ended
	mkdir out seen
	cp spec.yaml this.yaml
	[ "$kind" != time ] || sed -i 's/rotate_size: 8KiB/rotate_every: 40ms/' this.yaml
	[ "$kind" != gzip ] || sed -i 's/rotate_size: 8KiB/rotate_size: 1KiB, compress: gzip/; s/part-{n}.log/part-{n}-{time}.gz/' this.yaml
	watch_parts &
	watcher=$!
	kill_randomly parts 25 >kills &
	killer=$!
	weir run --json this.yaml 2>stderr || fail "exit code $? ($kind): $(tail -n 20 stderr)"
	touch ended
	wait "$killer" "$watcher"
	for part in out/part-*; do
		zcat -f "$part" || fail "$part is no whole file"
	done >got
	assert_file_equal got expected "$kind"
	[ "$(ls out | wc -l)" -ge 10 ] || fail "only $(ls out | wc -l) files ($kind)"
	assert_eq "$(find out -name '.*.part' | wc -l)" 0 "hidden files ($kind)"
	for part in seen/*; do cmp "$part" "out/${part##*/}" || fail "$part was written again ($kind)"; done
	assert_eq "$(final stderr delivered) $(final stderr balanced)" "40000 true" "ledger ($kind)"
	total=$((total + $(cat kills)))
done
echo "$total kills"
[ "$total" -ge "$(rounds 5 30)" ] || fail "only $total kills: the run is too short to mean anything"

# Several workers, each with its files; the next run goes on with the numbers.
rm -rf out
mkdir out
sed -e 's/rate: 20k, //; s/name: write,/name: write, workers: 2,/; s/part-{n}.log/part-{worker}-{n}.log/' spec.yaml >two.yaml
assert_exit 0 weir run two.yaml
n=$(ls out | wc -l)
assert_exit 0 weir run two.yaml
[ "$(ls out | wc -l)" -gt "$n" ] || fail "the second run has taken the names of the first"
cat out/part-* | sort | uniq -c | awk '{ print $1 }' | sort -u >counts
assert_eq "$(cat counts)" 2 "each item in both runs"

# The config, as it stands.
assert_exit 0 weir run "$WEIR_SOURCE/configs/rotate.yaml"
assert_eq "$(zcat orders-*.gz | wc -l) $(zcat orders-*.gz | tail -n 1 | cut -d : -f 1)" "200000 order 200000" "configs/rotate.yaml"

# No room: it waits, and goes on when somebody has taken the finished files away.
unshare -rm true 2>/dev/null || exit 0
cat >within.sh <<'SH'
mkdir disk kept && mount -t tmpfs -o size=64k tmpfs disk || exit 77
weir run --json full.yaml 2>stderr &
run=$!
for _ in $(seq 1000); do grep -q 'waiting for room' stderr && break; sleep 0.02; done
grep -q 'waiting for room' stderr || { kill $run; exit 1; }
while kill -0 $run 2>/dev/null; do
	for part in disk/part-*; do [ -e "$part" ] && cp "$part" kept/ && rm "$part"; done
	sleep 0.05
done
wait $run
echo $? >code
for part in disk/part-*; do [ -e "$part" ] && cp "$part" kept/; done
exit 0
SH
sed -e 's/rate: 20k, //; s|out/part|disk/part|; s/rotate_size/on_full: wait, rotate_size/' spec.yaml >full.yaml
unshare -rm bash within.sh || fail "a full disk: $(tail stderr)"
assert_eq "$(cat code)" 0 "exit code after a full disk"
cat kept/part-* >got
assert_file_equal got expected "through a full disk"
