# SPDX-License-Identifier: Apache-2.0
# A random worker of any stage dies every 100 ms, and the result is what one plain awk says: with 1, 2 and 4 workers.
# seconds: 180
# takes: 17
stanzas "$(rounds 26000 260000)" >stanzas
cat >pick.awk <<'AWK'
BEGIN { RS = ""; FS = "\n" }
{
	section = "none"; kib = 0
	for (i = 1; i <= NF; i++) {
		if ($i ~ /^Section: /) section = substr($i, 10)
		else if ($i ~ /^Installed-Size: /) kib = substr($i, 17) + 0
	}
	sub(/^.*\//, "", section)
	printf "%s\t%d\n", section, kib
}
AWK
cat >sum.awk <<'AWK'
{ packages[$1]++; kib[$1] += $2 }
END { for (section in kib) printf "%s\t%d\t%.0f\n", section, packages[section], kib[section] }
AWK
awk -f pick.awk stanzas | awk -f sum.awk | LC_ALL=C sort >expected
cat >spec.yaml <<'YAML'
pipeline: packages
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: packages, source: exec, command: [cat, stanzas], split: stanzas}
  - {name: pick, exec: 'sleep 0.05; exec awk -f pick.awk', join: stanzas, block: 32KiB, workers: 1}
  - {name: sum, exec: 'sleep 0.3; awk -f sum.awk | LC_ALL=C sort', block: all}
  - {name: table, sink: file, path: out}
YAML

total=0
for workers in 1 2 4; do
	rm -f out ended
	kill_randomly packages 100 >kills &
	killer=$!
	weir run --json --set stages.pick.workers=$workers spec.yaml 2>stderr
	status=$?
	touch ended
	wait "$killer"
	[ "$status" = 0 ] || { tail -n 40 stderr >&2; fail "exit code $status with $workers workers"; }
	assert_file_equal out expected "result with $workers workers"
	assert_eq "$(final stderr accepted) $(final stderr balanced)" "$(grep -c '^Package: ' stanzas) true" "ledger with $workers workers"
	echo "$workers workers: $(cat kills) kills, $(restarts stderr) restarts"
	total=$((total + $(cat kills)))
done
[ "$total" -ge 50 ] || fail "only $total kills: the run is too short to mean anything"
