# SPDX-License-Identifier: Apache-2.0
# Structured items, whole: CSV to JSON to MessagePack and back to the very CSV, with bad records among them, through kills of everybody; each bad
# record is a letter with its line and the reason, nothing is lost, nothing comes twice. Files, a pipe, a program's output, made-up items.
# seconds: 240
rows=$(rounds 40000 400000)
kills=$(rounds 12 200)
killed=0

# Every hundredth record has a field too many or a quote too many, every seventh spans two lines; good ones go to `expected`, the numbers of the lines in which
# bad ones begin to `bad`, and what is wrong with them.
LC_ALL=C awk -v rows="$rows" 'BEGIN {
	line = 1; print "id,name,note"
	for (i = 1; i <= rows; i++) {
		line++
		if (i % 100 == 37) { print i ",too,many,fields"; print line " it has 4 fields where 3 are expected" >"bad" }
		else if (i % 100 == 73) { print i ",5\" pipe,x"; print line " byte " length(i) + 3 ": a quote inside a field" >"bad" }
		else if (i % 7 == 0) { record = i ",\"two\nlines\",\"say \"\"" i "\"\"\""; print record; print record >"expected"; line++ }
		else { record = i ",name " i % 1000 ",ä" i; print record; print record >"expected" }
	}
}' >in.csv
wanted=$(LC_ALL=C awk -v rows="$rows" 'BEGIN { for (i = 1; i <= rows; i++) n += i % 100 != 37 && i % 100 != 73; print n }')
{ echo id,name,note; cat expected; } >whole.csv

# finish NAME CODE: waits for the run, whose log is NAME.log; and its books
finish() {
	wait
	assert_eq "$(cat "$1.code")" "$2" "$1: exit code"
	assert_eq "$(final "$1.log" balanced) $(final "$1.log" in_flight)" "true 0" "$1: ledger"
	killed=$((killed + $(restarts "$1.log")))
}

# start NAME: NAME.yaml in the background, killed all the while
start() {
	rm -f ended
	{ weir run --json --progress=never "$1.yaml" 2>"$1.log"; echo $? >"$1.code"; touch ended; } &
	wait_until 60 test -s "$1.log" -o -e "$1.code"
	kill_randomly "$1" 30 "$kills" >/dev/null
}

# letters NAME: line and reason of each letter of the source, as in `bad`
letters() {
	weir dlq export "$1" | grep -o '"reason":"[^:]*:[0-9]*: [^,}]*' | sed 's/^"reason":"[^:]*:\([0-9]*\): /\1 /; s/ that does not begin.*//; s/"$//' | sort -n
}

cat >csv.yaml <<'YAML'
pipeline: csv
drain: 100s
stages:
  - {name: read, source: file, path: in.csv, decode: csv}
  - {name: pass, operator: take, count: 1G, balance: key(.name), batch: 8}
  - {name: json, sink: file, path: out.ndjson, encode: json}
  - {name: pack, from: pass, sink: file, path: out.msgpack, encode: msgpack}
  - {name: csv, from: pass, sink: file, path: out.csv, encode: {format: csv, columns: [id, name, note]}}
YAML
assert_exit 0 weir check csv.yaml >out
start csv
finish csv 3
assert_eq "$(final csv.log accepted) $(final csv.log delivered)" "$rows $((3 * wanted))" "csv: ledger"
assert_file_equal out.csv whole.csv "csv: back to csv"
assert_eq "$(wc -l <out.ndjson)" "$wanted" "csv: lines of JSON"
letters csv >found
assert_file_equal found bad "csv: letters"
head -n 1 out.ndjson | grep -q '^{"id":"1","name":"name 1","note":"ä1"}$' || fail "first line of JSON: $(head -n 1 out.ndjson)"

# From JSON and from MessagePack: the same CSV again. The files are read with kills, the pipe too.
for from in ndjson msgpack; do
	format=${from/ndjson/json}
	cat >$from.yaml <<-YAML
		pipeline: $from
		drain: 100s
		stages:
		  - {name: read, source: file, path: out.$from, decode: $format}
		  - {name: write, sink: file, path: $from.csv, encode: {format: csv, columns: [id, name, note]}}
	YAML
	start $from
	finish $from 0
	assert_file_equal $from.csv whole.csv "$from"
done
cat >pipe.yaml <<'YAML'
pipeline: pipe
stages:
  - {name: read, source: stdin, decode: msgpack}
  - {name: write, sink: stdout, encode: {format: csv, columns: [id, name, note]}}
YAML
cat out.msgpack | weir run --quiet pipe.yaml >pipe.csv || fail "exit code $? of the pipe"
assert_file_equal pipe.csv whole.csv pipe

# Keys are found in structured items: each name in one worker's file, the workers share them, and no item is without.
cat >keyed.yaml <<'YAML'
pipeline: keyed
drain: 100s
stages:
  - {name: read, source: file, path: out.ndjson, decode: json}
  - {name: write, sink: file, path: 'keyed-{worker}.out', workers: 3, balance: key(.name), encode: {format: csv, columns: [name, id], header: false}}
YAML
start keyed
finish keyed 0
assert_eq "$(cat keyed-?.out | grep -c '^name\|^"two')" "$wanted" "keyed: records"
for worker in 0 1 2; do
	grep '^name' keyed-$worker.out | cut -d, -f1 | sort -u >names-$worker
	[ -s names-$worker ] || fail "worker $worker got no key"
done
assert_eq "$(cat names-? | wc -l)" "$(cat names-? | sort -u | wc -l)" "keyed: a name in two files"

# A kill of the source alone, in the middle of the second file, whose columns stand in another order: its header is remembered.
sed -n '1,400p' whole.csv | awk -F, 'NF == 3 && !/"/ && /^[0-9]/ { print $3 "," $2 "," $1 }' >body
{ echo note,name,id; cat body; } >second.csv
cat >second.yaml <<'YAML'
pipeline: second
stages:
  - {name: read, source: file, path: [second.csv, second.csv, second.csv], decode: csv}
  - {name: slow, operator: take, count: 1G, batch: 1, lane: 64KiB}
  - {name: write, sink: file, path: second.out, encode: {format: csv, columns: [note, name, id], header: false}}
YAML
start second
finish second 0
cat body body body >expected
assert_file_equal second.out expected "second file"

# A program's output, and made-up items; what is dropped is filtered; what should fail does, with its place.
cat >others.yaml <<'YAML'
pipeline: others
stages:
  - {name: tell, source: exec, command: "printf '1\nno\n[2]\n\n'", decode: {format: json, bad: drop}}
  - {name: make, source: generate, count: 3, text: '{"n": {n}}', decode: json}
  - {name: write, from: [tell, make], sink: exec, command: cat >others.out, encode: json}
YAML
assert_exit 0 weir run --json others.yaml
assert_eq "$(final stderr accepted) $(final stderr filtered) $(final stderr delivered) $(final stderr balanced)" "6 1 5 true" "others"
LC_ALL=C sort others.out >sorted
printf '%s\n' 1 '[2]' '{"n":1}' '{"n":2}' '{"n":3}' >expected
assert_file_equal sorted expected others
printf '{"a": 1}\n{"a": \n' >broken.ndjson
cat >broken.yaml <<'YAML'
pipeline: broken
stages:
  - {name: read, source: file, path: broken.ndjson, decode: {format: json, bad: fail}}
  - {name: write, sink: stdout, encode: text}
YAML
assert_exit 3 weir run broken.yaml >out
assert_contains stderr "broken.ndjson:2: it ends too early"
assert_contains out '{"a":1}'

# One typo in each: each is named, with its place.
sed 's/decode: csv/decode: cvs/; s/encode: json/encode: jsno/; s/columns:/colums:/' csv.yaml >typos.yaml
assert_exit 1 weir check typos.yaml >out
cat out >>stderr
assert_contains stderr "typos.yaml:4:54: error: format 'cvs' is unknown"
assert_contains stderr "did you mean 'csv'"
assert_contains stderr "typos.yaml:6:56: error: format 'jsno' is unknown"
assert_contains stderr "typos.yaml:8:78: error: unknown key 'colums' in encode"
assert_contains stderr "3 errors"
weir stages 'source file' >page
assert_contains page "Like every source it takes decode"
weir stages discard >page
assert_contains page "Like every sink it takes encode"
[ "$killed" -ge 5 ] || fail "only $killed workers were killed in time"
