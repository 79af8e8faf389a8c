# SPDX-License-Identifier: Apache-2.0
# resources: what a worker and its programs may take of the machine. What can't be had is said by `weir check`; the kernel's word on what is in force; who
# takes more memory than he has loses his item and nothing else; a reload changes it.
# sanitizers: no, what they map themselves is more memory than any limit
python3 -c '' 2>/dev/null || skip "python3 is not there"
first=$(python3 -c 'import os; print(min(os.sched_getaffinity(0)))')
spec() {
	cat <<YAML
pipeline: limits
stages:
  - {name: feed, source: generate, rate: 200$1}
  - {name: pass, exec: [cat], block: 1}
  - {name: none, sink: discard}
YAML
}
# ---- what can't be had is said where it was asked for
spec ", resources: {cpus: [$first, 1023]}" >spec.yaml
assert_exit 1 weir check spec.yaml
assert_contains stderr "cpus: there is no processor 1023 for weir here, which may run on "
spec ", resources: {cpus: $first}" >spec.yaml
assert_exit 0 weir check spec.yaml
spec ', resources: {nice: -5}' >spec.yaml
assert_exit 1 setpriv --bounding-set=-sys_nice --inh-caps=-sys_nice -- prlimit --nice=0 weir check spec.yaml
assert_contains stderr "nice -5 is before weir's own "
spec ', resources: {nice: 3}' >spec.yaml
assert_exit 0 weir check spec.yaml
assert_exit 1 setpriv --bounding-set=-sys_nice --inh-caps=-sys_nice -- prlimit --nice=0 nice -n 9 weir check spec.yaml
assert_contains stderr "nice 3 is before weir's own 9, and weir has no right to that"
# ---- what is in force, by the kernel's word: of a worker, and of a program that it starts
cat >taken.yaml <<YAML
pipeline: taken
stages:
  - {name: feed, source: generate, count: 1}
  - name: ask
    exec: [sh, -c, 'cat >/dev/null; nice; grep Cpus_allowed_list /proc/self/status; grep "Max data" /proc/self/limits']
    resources: {cpus: $first, nice: 7, memory: 192MiB, cpu: 50%}
  - {name: write, sink: file, path: taken}
YAML
assert_exit 0 weir run taken.yaml
assert_contains stderr "resources of each worker: cpus $first, nice 7, memory 192 MiB by "
# Control groups are for whom they are delegated to; all else is the same with and without.
if grep -q 'memory 192 MiB by its control group' stderr; then limit=unlimited; else limit=201326592; fi
grep -q 'cpu 50% by its control group' stderr || assert_contains stderr 'cpu 50% NOT in force'
assert_eq "$(tr -s ' \t\n' ' ' <taken)" "7 Cpus_allowed_list: $first Max data size $limit $limit bytes " "what a program has"
# ---- too much memory costs the item that takes it
# (200 MiB where 128 are allowed.)
seq 20 | sed 's/^13$/13 big/' >in
cat >eater.yaml <<YAML
pipeline: eater
stages:
  - {name: read, source: file, path: in}
  - name: eat
    plugin: $WEIR_BUILD/tests/plugins/hungry.so
    resources: {memory: 128MiB}
    dead_letter: {attempts: 2, path: letters}
  - {name: write, sink: file, path: out}
YAML
assert_exit 3 weir run eater.yaml
grep -v big in | cmp - out >&2 || fail "its neighbours: $(cat out; cat stderr)"
assert_contains letters '13 big'
# ---- who has no memory left for the letter of his item dies of it, and the next one, who has some, writes it
# (The limit is that of this shell, for `weir check` lets nobody have less than his script may take.)
cat >greedy.yaml <<'YAML'
pipeline: greedy
stages:
  - {name: feed, source: generate, count: 20, text: '{n}'}
  - name: mid
    operator: lua
    script: |
      function process(item)
        if item ~= "7" then return item end
        local t, i = {}, 0
        while true do
          i = i + 1
          t[i] = string.rep("x", 1000000) .. i
        end
      end
    dead_letter: {attempts: 2}
  - {name: write, sink: file, path: rest}
YAML
assert_exit 3 prlimit --data=67108864 weir run greedy.yaml
assert_eq "$(grep -c 'there is no memory left to use the dead letters in .*; another worker begins again"$' stderr)" 2 "attempts"
assert_contains stderr '1 item dead-lettered'
assert_eq "$(sort -n rest | tr '\n' ' ')" "$(seq 20 | grep -v '^7$' | tr '\n' ' ')" "the others"
weir dlq ls greedy --json >greedy.letters
assert_eq "$(grep -c '"id":' greedy.letters)" 1 "letters"
assert_contains greedy.letters '2 workers died with it in hand'
# ---- a reload changes it: the workers of that stage come anew, the others stay
spec ', resources: {nice: 3}' >spec.yaml
weir run spec.yaml >out.run 2>stderr.run &
wait_until 60 running limits
pids() { weir ps limits --json | python3 -c 'import json, sys; print(*[w["pid"] for s in json.load(sys.stdin)["stages"] for w in s["workers"]])'; }
read -r feed pass none <<<"$(pids)"
assert_eq "$(ps -o ni= -p "$feed" | tr -d ' ')" 3 "nice of feed"
spec ', resources: {nice: 9}' >spec.yaml
weir reload limits spec.yaml --diff >diff || fail "reload --diff: $?"
assert_contains diff 'restart  feed: resources: nice: 3 -> 9'
assert_exit 0 weir reload limits spec.yaml
read -r new same none_too <<<"$(pids)"
assert_eq "$same $none_too" "$pass $none" "who did not change"
[ "$new" != "$feed" ] || fail "feed was not started anew"
assert_eq "$(ps -o ni= -p "$new" | tr -d ' ')" 9 "nice of the new feed"
assert_contains stderr.run 'resources of each worker: nice 9'
kill -INT %1
wait %1
assert_eq $? 130 "exit code"
