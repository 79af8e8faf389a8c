# SPDX-License-Identifier: Apache-2.0
# Under a real systemd, with the unit as it is installed: SIGKILL of the supervisor, again and again, costs nothing. systemd starts the service again and gives it
# its memory back; the copy equals the file, in order, once; stopped, nothing is kept.
# seconds: 180
# sanitizers: no, v02_fd_store runs the same there
. "$WEIR_SOURCE/tests/scenario/systemd.sh"
manager_begin
drop_in weir@kept.service <<'UNIT'
[Unit]
StartLimitIntervalSec=0
[Service]
RestartSec=50ms
UNIT
awk -v n="$(rounds 40000 4000000)" 'BEGIN { for (i = 1; i <= n; i++) print "line", i, i * 7919 }' >in
put_spec kept <<'YAML'
pipeline: kept
stages:
  - {name: read, source: file, path: /run/work/in}
  - {name: cat, exec: 'sleep 0.02; cat', workers: 4, order: fifo, block: 4KiB}
  - {name: write, sink: file, path: /run/work/out}
YAML
size_of_out() {
	stat -c %s out 2>/dev/null || echo 0
}
has_grown() {
	[ "$(size_of_out)" -gt "$1" ]
}
restarted() {
	[ "$(property weir@kept NRestarts)" -ge "$1" ]
}
ctl start weir@kept || fail "start: $(ctl status weir@kept; journal -n 30)"
kills=$(rounds 3 100)
for n in $(seq "$kills"); do
	wait_until 60 has_grown "$(size_of_out)"
	ctl kill --kill-who=main --signal=KILL weir@kept || fail "the run was over before kill $n"
	wait_until 60 restarted "$n"
done
has_ended() {
	[ "$(property weir@kept ActiveState)" = inactive ]
}
wait_until 120 has_ended
assert_eq "$(property weir@kept Result) $(property weir@kept NFileDescriptorStore)" "success 0" "after the end"
assert_file_equal in out
journal -u weir@kept -o cat >said
assert_eq "$(grep -c 'goes on with the run of a supervisor that is dead' said)" "$kills" successions
assert_contains said ', balanced'
manager_end
