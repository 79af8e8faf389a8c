# SPDX-License-Identifier: Apache-2.0
# merge, whole: sorted inputs into one, equal keys in the order of `from`, numbers and texts; a snapshot; an input that says nothing, and comes too late; each
# item that does not fit, as docs/merge.md has it.
# seconds: 120
spec() { # KEY=VALUE ... of the merge; three files, in.a to in.c
	cat <<YAML
pipeline: merge
stages:
  - {name: a, source: file, path: in.a, decode: json}
  - {name: b, source: file, path: in.b, decode: json}
  - {name: c, source: file, path: in.c, decode: json}
  - {name: one, from: [a, b, c], operator: merge, key: .k, $1}
  - {name: write, sink: file, path: out, encode: json}
YAML
}
rows=$(rounds 3000 300000)
for name in a b c; do
	awk -v name=$name -v rows="$rows" -v seed=$RANDOM 'BEGIN { srand(seed); for (i = 0; i < rows; i++) { k += int(rand() * 3); printf "{\"k\":%s,\"of\":\"%s\",\"i\":%d}\n", k / 2, name, i } }' >in.$name
done
key() { sed 's/^{"k":\([^,]*\),.*/\1 &/'; }
cat in.a in.b in.c | key | LC_ALL=C sort -s -g -k 1,1 | cut -d ' ' -f 2- | sed 's/"k":\([0-9]*\),/"k":\1,/' >expected
spec 'lane: 64KiB' >spec.yaml
assert_exit 0 weir run --json --progress=never spec.yaml
assert_file_equal out expected numbers
half=$((rows / 4))
key <expected | awk -v half=$half '$1 <= half' | cut -d ' ' -f 2- >expected.half
spec "until: '$half'" >spec.yaml
assert_exit 0 weir run --json --progress=never spec.yaml
assert_file_equal out expected.half "the snapshot"
assert_eq "$(final stderr balanced)" true ledger

# Texts, by their bytes; a quote and an escape are what they say.
printf '{"k":"%s"}\n' 'a' 'a b' 'a\"' 'a\u00e4' 'b' >in.a
printf '{"k":"%s"}\n' 'Z' 'a!' 'a\\n' >in.b
sed -i '2,$d' in.b
printf '{"k":"%s"}\n' 'a' 'a!' 'ab' >in.c
spec "compare: text, until: ab" >spec.yaml
assert_exit 0 weir run --json --progress=never spec.yaml
assert_eq "$(tr '\n' ' ' <out)" '{"k":"Z"} {"k":"a"} {"k":"a"} {"k":"a b"} {"k":"a!"} {"k":"a\""} {"k":"ab"} ' texts

# What does not fit.
big=$(head -c 1100000 /dev/zero | tr '\0' x)
{ echo '{"k":1}'; echo '{"x":2}'; echo '{"k":null}'; echo '{"k":"x"}'; echo '{"k":5}'; echo '{"k":"2"}'; echo '{"k":7}'; } >in.a
{ echo '{"k":3}'; echo "{\"k\":9,\"x\":\"$big\"}"; echo '{"k":10}'; } >in.b
echo '{"k":20}' >in.c
spec 'lane: 4MiB' | sed 's/encode: json}/encode: json, lane: 8MiB}/' >spec.yaml
assert_exit 3 weir run --json --progress=never spec.yaml
assert_eq "$(tr '\n' ' ' <out)" '{"k":1} {"k":3} {"k":5} {"k":7} {"k":10} {"k":20} ' "what fits"
weir dlq ls merge | sed -n '2,$s/.*[0-9]  //p' | LC_ALL=C sort >letters
printf '%s\n' 'it has no key' 'it has no key' 'it has to wait for other inputs, and is too large to be held: at most 1 MiB can be' \
	'it is out of order: its key is less than that of one that has gone out' 'its key is no number: say compare: text for texts' >expected
assert_file_equal letters expected "what does not"
spec 'disorder: fail' >spec.yaml
assert_exit 3 weir run --json --progress=never spec.yaml
assert_contains stderr "an item is out of order"
spec 'lane: 8MiB' >spec.yaml
weir dlq purge merge --all >/dev/null
assert_exit 3 weir run --json --progress=never spec.yaml
weir dlq ls merge >letters
assert_contains letters "it does not fit a lane: give the stage behind this one a larger lane:"

# An input that says nothing: the others wait for it, or go on without it.
cat >spec.yaml <<'YAML'
pipeline: idle
stages:
  - {name: a, source: file, path: in.c, decode: json}
  - {name: b, source: exec, command: 'until test -e go; do sleep 0.05; done; echo "{\"k\":2}"; echo "{\"k\":4}"', decode: json}
  - {name: one, from: [a, b], operator: merge, key: .k, idle: 300ms}
  - {name: show, sink: file, path: out, encode: json}
YAML
rm out; printf '{"k":%d}\n' 1 2 3 >in.c
weir run --json --progress=never spec.yaml 2>log &
wait_until 60 grep -qs '"k":3' out
touch go
wait $! && fail "an item that came too late is a loss"
assert_eq "$(tr '\n' ' ' <out)" '{"k":1} {"k":2} {"k":3} {"k":4} ' "what came late in its place"
assert_eq "$(final log rejected)" 1 "what came too late"
