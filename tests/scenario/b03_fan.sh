# SPDX-License-Identifier: Apache-2.0
# Several sources into one stage, one stage into several sinks: each sink gets each item once, and each source's order is kept.
seq 1 20000 | sed 's/^/a /' >a
seq 1 20000 | sed 's/^/b /' >b
cat >spec.yaml <<'YAML'
pipeline: fan
stages:
  - {name: read-a, source: file, path: a}
  - {name: read-b, source: file, path: b}
  - {name: both, from: [read-a, read-b], exec: [cat]}
  - {name: one, from: both, sink: file, path: one}
  - {name: two, from: both, sink: file, path: two}
  - {name: shared, from: both, exec: [cat], workers: 3, balance: round-robin}
  - {name: three, from: shared, sink: file, path: three}
YAML
assert_exit 0 weir run --json spec.yaml
cat a b | LC_ALL=C sort >expected
for copy in one two three; do
	LC_ALL=C sort "$copy" >sorted
	assert_file_equal sorted expected "$copy"
done
for source in a b; do
	grep "^$source " one >part
	assert_file_equal part "$source" "order of $source"
done
assert_eq "$(final stderr accepted) $(final stderr balanced)" "40000 true" ledger
