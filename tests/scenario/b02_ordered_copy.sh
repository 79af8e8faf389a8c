# SPDX-License-Identifier: Apache-2.0
# Through three workers and still in order: the copy equals the file. 1 GiB at night, 24 MiB otherwise.
# seconds: 120
awk -v n="$(rounds 400000 17000000)" 'BEGIN { for (i = 1; i <= n; i++) printf "line %d %s\n", i, substr("the quick brown fox jumps over the lazy dog", 1, i % 44 + 8) }' >in
cat >spec.yaml <<'YAML'
pipeline: copy
stages:
  - {name: read, source: file, path: in}
  - {name: cat, exec: [cat], workers: 3, order: fifo}
  - {name: write, sink: file, path: out}
YAML
assert_exit 0 weir run --json spec.yaml
assert_file_equal in out
n=$(wc -l <in)
assert_eq "$(final stderr accepted) $(final stderr delivered) $(final stderr in_flight)" "$n $n 0" ledger
rm -f in out

# The same with items that are too few to fill a block, and none at all.
printf 'a\nb\n' >in
assert_exit 0 weir run spec.yaml
assert_file_equal in out
: >in
assert_exit 0 weir run spec.yaml
assert_file_equal in out
