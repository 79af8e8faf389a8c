# SPDX-License-Identifier: Apache-2.0
# Every file in configs/ passes the check, and those that end by themselves run as they stand.
for config in "$WEIR_SOURCE"/configs/*.yaml; do
	assert_exit 0 weir check "$config" >out
	assert_exit 0 weir graph "$config" >out
	assert_contains "$config" "pipeline: $(basename "$config" .yaml)"
done
assert_exit 0 weir run "$WEIR_SOURCE/configs/words.yaml" >out
assert_eq "$(wc -l <out)" 20 "lines of words"
assert_exit 0 weir run "$WEIR_SOURCE/configs/files.yaml"
cat /etc/group /etc/passwd | LC_ALL=C sort >expected
LC_ALL=C sort files-all.txt >sorted
assert_file_equal sorted expected files
assert_exit 0 weir run "$WEIR_SOURCE/configs/filter.yaml" </etc/passwd >out
grep -v '^#' /etc/passwd >expected
assert_file_equal out expected filter

assert_exit 0 weir run "$WEIR_SOURCE/configs/people.yaml" >out
grep -v '^$' /etc/passwd | awk -F: '{ print $1 "," $6 }' >expected
sed 1d people-homes.csv >homes
assert_eq "$(head -n 1 people-homes.csv)" user,home "header of people"
assert_file_equal homes expected people
assert_eq "$(wc -l <out)" "$(wc -l <expected)" "lines of people"
assert_contains out '{"user":"root","password":"x","uid":"0","gid":"0",'

assert_exit 0 weir run "$WEIR_SOURCE/configs/load.yaml"
printf 'root\nroot\n' >names
assert_exit 0 weir run "$WEIR_SOURCE/configs/lookup.yaml" <names >out
assert_eq "$(grep -c '{"who":"root","user":{"user":"root","password":"x","uid":"0",' out)" 2 lookup

(cd "$WEIR_SOURCE" && weir run configs/frame.yaml) >out 2>stderr || fail "exit code $? of frame: $(cat stderr)"
assert_eq "$(sort out | sha256sum)" "$(seq 1 2000 | awk '{ s = "customer " $1; print s ": " length(s) }' | sort | sha256sum)" frame

mkdir tree
cp -r "$WEIR_SOURCE/configs" "$WEIR_SOURCE/python" "$WEIR_SOURCE/README.md" tree
mkdir tree/examples
cp -r "$WEIR_SOURCE/examples/frame" tree/examples
for more in 'one more' 'and one'; do
	(cd tree && weir run configs/keep.yaml) 2>stderr || fail "exit code $? of keep: $(cat stderr)"
	python3 -c 'import sqlite3; [print(line) for line, in sqlite3.connect("tree/keep.db").execute("SELECT line FROM lines")]' | LC_ALL=C sort >kept
	LC_ALL=C sort tree/README.md | cmp - kept >&2 || fail "not each line of the file, once"
	echo "$more" >>tree/README.md
done

assert_exit 0 weir run "$WEIR_SOURCE/configs/cron.yaml" >out
assert_eq "$(awk '$2 ~ /^....-..-..T..:..:..Z$/ { print $1 }' out | tr '\n' ' ')" "1 2 3 " "times of cron"
assert_exit 0 weir run "$WEIR_SOURCE/configs/fields.yaml" >out
assert_eq "$(LC_ALL=C sort out | sed -n '1p;$p;5p' | tr '\n' ' ')" '-- restarted -- {"ip":"10.0.0.4","at":"2026-11-22T05:00:04Z","method":"GET","path":"/4","status":200,"bytes":54} {"level":"info","msg":"it is 3","ms":13.5} ' fields

assert_exit 0 weir run "$WEIR_SOURCE/configs/merge.yaml" >out
assert_eq "$(tr -cd '0-9\n' <out | tr '\n' ' ')" '1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8 9 9 10 10 10 11 11 12 12 ' merge

# The service: runs until it is told to stop, and then says everything that it has started to say.
weir run "$WEIR_SOURCE/configs/clock.yaml" >out 2>stderr &
wait_until 20 grep -q 'tick 2' out
assert_exit 0 weir drain clock
wait $! || fail "exit code $? of a drained clock: $(cat stderr)"
assert_contains stderr balanced
