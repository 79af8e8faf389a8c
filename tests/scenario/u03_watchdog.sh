# SPDX-License-Identifier: Apache-2.0
# Under a real systemd: a supervisor whose loop hangs is caught by the watchdog and started again, and none of its workers is left; a drain that
# takes longer than systemd's own time, and gets on, is waited for.
# seconds: 240
. "$WEIR_SOURCE/tests/scenario/systemd.sh"
manager_begin
restarted() {
	[ "$(property weir@hung NRestarts)" = "$1" ] && [ "$(property weir@hung ActiveState)" = active ]
}
all_accepted() {
	as_weir weir ps slow --json | grep -q '"accepted":200'
}

drop_in weir@hung.service <<'UNIT'
[Service]
WatchdogSec=1s
TimeoutAbortSec=1s
RestartSec=100ms
UNIT
put_spec hung <<'YAML'
pipeline: hung
stages:
  - {name: count, source: generate, text: '{n}', rate: 1000}
  - {name: cat, exec: [cat], mode: line}
  - {name: write, sink: file, path: /run/work/out}
YAML
ctl start weir@hung || fail "start: $(ctl status weir@hung; journal -n 30)"
wait_until 60 [ -s out ]
first=$(property weir@hung MainPID)
in_manager cat "/proc/$first/task/$first/children" >workers
in_manager kill -STOP "$first"
wait_until 100 restarted 1
journal -o cat >said
assert_contains said 'Watchdog timeout'
second=$(property weir@hung MainPID)
[ "$second" != "$first" ] || fail "it is the same process"
for pid in $(cat workers); do
	in_manager [ ! -e "/proc/$pid" ] || fail "worker $pid of the hung supervisor is left"
done
in_manager kill -KILL "$second"
wait_until 100 restarted 2
ctl stop weir@hung
assert_eq "$(property weir@hung Result)" success "stop"

# 200 items, each takes its time: longer than a stop may without being extended.
drop_in weir@slow.service <<'UNIT'
[Service]
TimeoutStopSec=1s
UNIT
put_spec slow <<'YAML'
pipeline: slow
drain: 100s
stages:
  - {name: count, source: generate, text: '{n}', count: 200}
  - {name: slow, exec: [sh, -c, 'while read -r line; do echo "$line"; sleep 0.02; done'], mode: line}
  - {name: write, sink: file, path: /run/work/out}
YAML
rm out
ctl start weir@slow || fail "start: $(ctl status weir@slow; journal -n 30)"
wait_until 60 all_accepted
begun=$SECONDS
ctl stop weir@slow
assert_eq "$(property weir@slow Result)" success "a slow stop"
[ "$SECONDS" -gt "$((begun + 1))" ] || fail "it was no slow stop"
seq 200 | cmp - out || fail "not everything arrived"
manager_end
