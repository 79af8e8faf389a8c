# SPDX-License-Identifier: Apache-2.0
# Under a real systemd, with socket units: the first who connects starts the pipeline; nobody is refused while its supervisor is killed or it is stopped, and who
# connects then starts it again. A socket that fits nothing fails the start, with the reason in the status, once.
# seconds: 90
# sanitizers: no, u04_handed_sockets runs the same there
. "$WEIR_SOURCE/tests/scenario/systemd.sh"
manager_begin
client="$WEIR_SOURCE/tests/scenario/lines_client.py"
drop_in weir@act.service <<'UNIT'
[Unit]
StartLimitIntervalSec=0
[Service]
RestartSec=50ms
UNIT
in_manager sh -c 'cat >/etc/systemd/user/weir-act-web.socket' <<'UNIT'
[Socket]
ListenStream=/run/u/web.sock
FileDescriptorName=web
Service=weir@act.service
UNIT
drop_in weir@act.socket <<'UNIT'
[Socket]
SocketUser=
SocketGroup=
SocketMode=0666
UNIT
put_spec act <<'YAML'
pipeline: act
stages:
  - {name: local, source: unix, path: /run/u/weir-act.sock, ack: true}
  - {name: web, source: unix, path: /nowhere/at/all, ack: true}
  - {name: write, from: [local, web], sink: file, path: /run/work/out, existing: append}
YAML
is() {
	[ "$(property weir@act ActiveState)" = "$1" ]
}
ctl start weir@act.socket weir-act-web.socket || fail "start: $(journal -n 30)"
is inactive || fail "it runs before anybody has connected"
in_manager python3 "$client" /run/u/weir-act.sock 20 >said || fail "client: $(cat said; journal -n 30)"
in_manager python3 "$client" /run/u/web.sock 20 >>said || fail "client: $(cat said; journal -n 30)"
is active || fail "it does not run"
has_got_to() {
	[ "$(cat sent 2>/dev/null || echo 0)" -ge "$1" ]
}
rm -f sent
in_manager python3 "$client" /run/u/web.sock 1000000 >said.load &
load=$!
for n in $(seq "$(rounds 2 30)"); do
	wait_until 60 has_got_to $(($(cat sent 2>/dev/null || echo 0) + 20))
	ctl kill --kill-who=main --signal=KILL weir@act || fail "kill $n"
done
wait_until 60 has_got_to $(($(cat sent) + 20))
ctl stop weir@act || fail "stop: $(ctl status weir@act)"
wait_until 60 has_got_to $(($(cat sent) + 20)) # it is there again, for somebody connects
touch enough
wait "$load" || fail "client: exit code $?"
at=$(cat sent)
ctl stop weir@act.socket weir-act-web.socket weir@act
[ ! -s said.load ] || fail "connections were refused: $(tail -n 1 said.load)"
assert_eq "$(cat said)" "0 refused, 1 connections
0 refused, 1 connections" "connections"
for i in $(seq "$at"); do echo "line $i"; done | LC_ALL=C sort -u >wanted
[ -z "$(LC_ALL=C sort -u out | comm -13 - wanted)" ] || fail "not all that was answered has arrived"

# The same sockets for a pipeline that has no such source.
put_spec act <<'YAML'
pipeline: act
stages:
  - {name: local, source: unix, path: /run/u/weir-act.sock}
  - {name: write, from: local, sink: discard}
YAML
ctl start weir@act.socket weir-act-web.socket
ctl start weir@act 2>start.err && fail "started with a socket that nobody accepts from"
ctl status weir@act >status
assert_contains status "a socket called 'web'"
assert_contains status "no source listens there, and no stage is called so"
assert_eq "$(property weir@act ExecMainStatus) $(property weir@act NRestarts)" "1 0" "of a socket that fits nothing"
ctl stop weir@act.socket weir-act-web.socket
manager_end
