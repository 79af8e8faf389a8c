# SPDX-License-Identifier: Apache-2.0
# Tables that are not there, are nobody's, are no tables, are full, have a writer already, or no disk: the table of docs/tables.md.
# seconds: 120
# spec STAGE SOURCE_OPTIONS
spec() {
	cat >spec.yaml <<YAML
pipeline: bad
stages:
  - {name: read, source: file, path: in, ${2-decode: json}}
  - $1
YAML
}
looks="{name: add, operator: lookup, path: there.table, key: .id, into: is}
  - {name: drop, sink: discard}"
writes="{name: write, sink: table, path: there.table, key: .id, size: 64KiB}"
echo '{"id":1}' >in

spec "$looks"
assert_exit 75 weir run spec.yaml
assert_contains stderr "there is no table in there.table; a \`sink: table\` with that path makes one"
assert_exit 3 weir table get there.table 1
assert_contains stderr "there is no table"
assert_exit 2 weir table put there.table
assert_exit 2 weir table get there.table
touch there.table
spec "$writes"
assert_exit 75 weir run spec.yaml
assert_contains stderr "is no folder, and a table is one"
rm there.table
assert_exit 0 weir run spec.yaml
assert_exit 0 weir table get there.table 1
assert_exit 3 weir table get there.table 2
assert_contains stderr "the table there.table has no key '2'"

chmod 777 there.table
for stage in "$looks" "$writes"; do
	spec "$stage"
	assert_exit 75 weir run spec.yaml
	assert_contains stderr "belongs to somebody else, or others may write into it; chmod 700 it"
done
chmod 700 there.table

# Somebody writes it.
cat >slow.yaml <<'YAML'
pipeline: slow
stages:
  - {name: tick, source: generate, text: '{"id":{n}}', rate: 10}
  - {name: write, sink: table, path: there.table, key: .id}
YAML
weir run slow.yaml 2>slow.log &
slow=$!
wait_until 20 weir table get there.table 3
spec "$writes"
assert_exit 75 weir run spec.yaml
grep -q "process [0-9]* (.*) writes the table there.table, and one writes it at a time" stderr || fail "the writer is not named: $(cat stderr)"
assert_exit 0 weir drain slow
wait "$slow" || fail "the first writer has ended with $?"

# Items that are none; and more of them than there is room for.
{ echo '{"id":1}'; echo '{}'; echo '{"id":null}'; printf '{"id":"%0600d"}\n' 1; echo '{"id":""}'; } >in
rm -rf there.table
assert_exit 3 weir run --json spec.yaml
assert_eq "$(final stderr delivered) $(final stderr rejected) $(final stderr balanced)" "1 4 true" "items without a key"
weir dlq ls bad --json >letters
assert_contains letters "it has no key (.id)"
assert_contains letters "its key (.id) has 600 bytes, and a table's keys have 1 to 511"
spec "$(sed 's/\.id/field(1)/' <<<"$writes")" "decode: raw"
echo "a line" >in
assert_exit 3 weir run spec.yaml
weir dlq ls bad --json >letters
assert_contains letters "it is no value for a table: "
awk 'BEGIN { for (i = 0; i < 2000; i++) printf "{\"id\":%d,\"pad\":\"%0100d\"}\n", i, i }' >in
spec "$writes"
rm -rf there.table
assert_exit 3 weir run --json spec.yaml
assert_eq "$(($(final stderr delivered) + $(final stderr rejected))) $(restarts stderr)" "2000 0" "full"
assert_eq "$(weir table dump there.table | wc -l)" "$(final stderr delivered)" "what found room"
weir dlq ls bad --json >letters
assert_contains letters "no room for it: the table there.table has as many entries as"

# What somebody has scribbled into.
echo "this was a table once" >there.table/data.mdb
for stage in "$looks" "$writes"; do
	spec "$stage"
	assert_exit 75 weir run spec.yaml
	assert_contains stderr "there.table"
done

# A full disk: items wait, and go on when there is room.
unshare -rm true 2>/dev/null || { echo "no mount namespaces: the full disk is left out"; exit 0; }
cat >within.sh <<'SH'
mkdir disk && mount -t tmpfs -o size=2m tmpfs disk || exit 77
sed -i 's/there.table/disk\/full.table/; s/64KiB/1GiB/' spec.yaml
head -c 1800000 /dev/zero >disk/ballast
weir run --json spec.yaml 2>stderr &
run=$!
for _ in $(seq 3000); do grep -q "make room on that disk; items wait" stderr && break; sleep 0.02; done
grep -q "make room on that disk; items wait" stderr || { kill -KILL $run; echo "it does not wait" >&2; exit 1; }
rm disk/ballast
wait $run || exit 1
weir table dump disk/full.table >dumped
SH
spec "$writes"
unshare -rm bash within.sh || fail "the full disk: $(tail -n 3 stderr)"
assert_eq "$(final stderr delivered) $(final stderr balanced) $(restarts stderr) $(wc -l <dumped)" "2000 true 0 2000" "a full disk"
