# SPDX-License-Identifier: Apache-2.0
# Under a real systemd: what weir and its workers say is found in the journal by stage, worker and item, as well as by unit, with its priority and in order.
# seconds: 90
# sanitizers: no, u01_systemd runs the same there
. "$WEIR_SOURCE/tests/scenario/systemd.sh"
manager_begin
put_spec fields <<'YAML'
pipeline: fields
stages:
  - {name: count, source: generate, text: '{n}', count: 5}
  - {name: talk, exec: [sh, -c, 'while read -r n; do echo "has read $n" >&2; echo "$n"; done'], mode: line}
  - {name: die, plugin: /run/build/tests/plugins/mortal.so, marker: /run/work/died, after: 3, dead_letter: {attempts: 2}}
  - {name: write, sink: file, path: /run/work/out}
YAML
ctl start weir@fields
ended() {
	[ "$(property weir@fields ActiveState)" != active ] && [ "$(property weir@fields ActiveState)" != activating ]
}
wait_until 60 ended
# field NAME MATCH...: that field of each message
field() {
	local name=$1
	shift
	journal -o json "$@" | python3 -c 'import json, sys
for line in sys.stdin: print(json.loads(line).get(sys.argv[1], "none"))' "$name"
}
assert_eq "$(field MESSAGE WEIR_STAGE=talk | grep -c 'has read')" 5 "what a program has said, by stage: $(journal -n 30)"
assert_eq "$(field MESSAGE WEIR_STAGE=talk | grep -o 'has read .*' | tr -dc 0-9)" "$(field MESSAGE -u weir@fields | grep -o 'has read .*' | tr -dc 0-9)" "by unit, in the same order"
assert_eq "$(field WEIR_SLOT WEIR_STAGE=talk WEIR_PIPELINE=fields | sort -u)" 0 "which worker"
assert_eq "$(field SYSLOG_IDENTIFIER WEIR_STAGE=talk | sort -u)" weir "who sends"
# The item that a worker has died of, with the paragraph about that.
item=$(field WEIR_ITEM WEIR_STAGE=die | grep -v none | head -n 1)
field MESSAGE WEIR_STAGE=die WEIR_ITEM="$item" >paragraph
assert_contains paragraph 'was killed by SIGKILL'
assert_contains paragraph "with item $item in hand"
assert_eq "$(field PRIORITY WEIR_STAGE=die WEIR_ITEM="$item" | sort -u)" 4 "priority"
assert_contains <(field MESSAGE WEIR_PIPELINE=fields) 'weir: running '
# What is no line of the log comes, too; and nothing has marks in it.
field MESSAGE -u weir@fields >all
assert_contains all ', balanced'
! grep -q "$(printf '[\036\037]')" all || fail "marks: $(cat -v all)"
manager_end
