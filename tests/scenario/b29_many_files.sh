# SPDX-License-Identifier: Apache-2.0
# seconds: 240
# Ten thousand files: read once each, in the order of their names, through kills; followed with few of them open at a time, while more come and some
# grow, over a drain and into the next run: each line once. And a user to whom files and folders do not belong: told so, with the place.
files=$(rounds 10000 60000)
mkdir many
awk -v n="$files" 'BEGIN { for (i = 1; i <= n; i++) { f = sprintf("many/%06d.log", i); print i >f; close(f) } }'
seq "$files" >expected

cat >spec.yaml <<'YAML'
pipeline: many
restart: {intensity: 100000, backoff: 1ms, backoff_max: 5ms}
stages:
  - {name: read, source: file, path: 'many/*.log'}
  - {name: write, sink: file, path: out}
YAML
run_with_kills 0 "$(rounds 20 200)" 2
assert_file_equal out expected "each file once, after $(cat kills) kills"
assert_eq "$(final stderr balanced) $(final stderr in_flight)" "true 0" ledger
[ "$(cat kills)" -ge 2 ] || fail "only $(cat kills) kills: the run is too short to mean anything"

# Followed: the first and the last ones grow, more come.
rm -f out
sed -e "s/path: 'many\/\*.log'/&, follow: true, open_files: 64, rotated_wait: 100ms/" -e 's/sink: file, path: out/&, existing: append/' spec.yaml >follow.yaml
follow() {
	weir run --json --progress=never follow.yaml 2>"$1" &
	run=$!
	wait_until 100 has_lines "$2"
	weir drain many >/dev/null
	wait "$run"
	assert_eq "$?" 0 "exit code: $(tail -n 2 "$1")"
}
has_lines() { [ -e out ] && [ "$(wc -l <out)" -ge "$1" ]; }
follow first "$files"
for i in 1 2 3 "$files"; do printf '%d again\n' "$i" >>"$(printf 'many/%06d.log' "$i")"; done
for i in $(seq 300); do echo "new $i" >"many/new-$i.log"; done
follow second $((files + 304))
{ seq "$files"; printf '%d again\n' 1 2 3 "$files"; seq -f 'new %g' 300; } | LC_ALL=C sort >expected
LC_ALL=C sort out >sorted
assert_file_equal sorted expected "each line once, over two runs"

# Somebody else's. Who is root is told nothing by its files: then nobody does it.
mine=$(mktemp -d /tmp/weir-nobody-XXXXXX) && chmod 755 "$mine" || fail "no folder"
trap 'chmod -R u+rwX "$mine"; rm -rf "$mine"' EXIT
mkdir "$mine/run" "$mine/state" "$mine/closed" "$mine/shut" && echo line >"$mine/good" && echo line >"$mine/secret" && echo line >"$mine/shut/in" || fail "no files"
as=()
if [ "$(id -u)" = 0 ]; then
	chown -R nobody "$mine/run" "$mine/state"
	as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
	"${as[@]}" weir --version >/dev/null 2>&1 || exit 0 # it may not come to the program
fi
chmod 700 "$mine/run" "$mine/state"
chmod 000 "$mine/secret" "$mine/shut"
chmod 555 "$mine/closed"
# from CODE FRAGMENT SOURCE [SINK]
from() {
	cat >"$mine/spec.yaml" <<-YAML
	pipeline: nobody
	stages:
	  - {name: read, $3}
	  - {name: write, ${4-sink: discard}}
	YAML
	(cd "$mine/run" && exec "${as[@]}" env XDG_RUNTIME_DIR="$mine/run" WEIR_RUN_DIR="$mine/run/weir" WEIR_STATE_DIR="$mine/state" weir run "$mine/spec.yaml") 2>stderr
	assert_eq "$?" "$1" "$3: $(tail -n 3 stderr)"
	assert_contains stderr "$2"
}
from 0 "delivered 1" "source: file, path: $mine/good"
from 75 "secret: Permission denied; give the user" "source: file, path: $mine/secret"
from 75 "Permission denied" "source: file, path: '$mine/shut/*'"
from 75 "closed" "source: file, path: $mine/good" "sink: file, path: $mine/closed/out"
assert_contains stderr "Permission denied"
chmod 500 "$mine/state" "$mine/state/nobody" # where the history is
from 3 "let weir write there, or set WEIR_STATE_DIR" "source: file, path: $mine/good, decode: json"
assert_contains stderr "Permission denied"
