# SPDX-License-Identifier: Apache-2.0
# Under a real systemd, with the units as they are installed: start returns when every worker is ready and not before, and fails for a spec that
# can't run, with the error in the status; stop lets everything accepted arrive; nothing is left.
# seconds: 180
. "$WEIR_SOURCE/tests/scenario/systemd.sh"
manager_begin

ended() {
	[ "$(property "weir@$1" SubState)" = failed ]
}

stopped() {
	[ "$(property "weir@$1" ActiveState)" = inactive ]
}

# Its second stage is open when there is a file "go".
put_spec late <<'YAML'
pipeline: late
stages:
  - {name: count, source: generate, text: '{n}', rate: 2000}
  - {name: late, plugin: /run/build/tests/plugins/late.so, waits: /run/work/waits, until: /run/work/go}
  - {name: cat, exec: [cat], workers: 2, order: fifo, block: 16KiB, block_wait: 20ms}
  - {name: write, sink: file, path: /run/work/out}
YAML
ctl start weir@late 2>start.err &
start=$!
wait_until 60 [ -e waits ]
assert_eq "$(property weir@late ActiveState)" activating "while a stage is not open"
kill -0 $start 2>/dev/null || fail "start has returned before the stage was open"
touch go
wait $start || fail "start: $(cat start.err; ctl status weir@late; journal -n 30)"
assert_eq "$(property weir@late ActiveState)" active "when all are ready"
wait_until 60 [ -s out ]
as_weir weir ps late --json >ps.json || fail "ps: $(cat ps.json)"
assert_contains ps.json '"phase":"running"'
assert_eq "$(property weir@late User)" weir "user"
assert_eq "$(in_manager stat -c %U out)" weir "who writes"
ctl stop weir@late || fail "stop: $(ctl status weir@late)"
assert_eq "$(property weir@late ActiveState) $(property weir@late Result)" "inactive success" "after stop"
journal -u weir@late -o cat >said
assert_contains said ', balanced'
delivered=$(sed -n 's/.* = delivered \([0-9,]*\).*, balanced/\1/p' said | tr -d ,)
seq "$delivered" | cmp - out || fail "the sink does not hold what was delivered: $delivered"

# One that ends by itself, with losses: it is not tried again, and they are in its store.
put_spec losses <<'YAML'
pipeline: losses
stages:
  - {name: count, source: generate, text: '{n}', count: 100}
  - {name: picky, plugin: /run/build/tests/plugins/picky.so, ending: '77'}
  - {name: cat, exec: [cat], mode: line}
  - {name: write, sink: discard}
YAML
ctl start weir@losses || fail "start: $(ctl status weir@losses; journal -n 30)"
wait_until 60 ended losses
assert_eq "$(property weir@losses ExecMainStatus) $(property weir@losses NRestarts)" "3 0" "a run with losses"
ctl status weir@losses >status
assert_contains status 'Status: "ended with losses: 1 '
as_weir weir dlq ls losses >letters || fail "dlq: $(cat letters)"
assert_contains letters picky

# What is wrong with a spec is seen where one looks, and is said once: no restart makes it right.
printf 'pipeline: bad\nstages:\n  - {name: count, source: generate, text: "{n}", cuont: 3}\n  - {name: write, snik: file}\n' | put_spec bad
ctl start weir@bad 2>start.err && fail "a bad spec has been started"
ctl status weir@bad >status
assert_contains status 'bad.yaml:3:'
assert_contains status "cuont"
assert_contains status 'more error'
assert_eq "$(property weir@bad ActiveState) $(property weir@bad ExecMainStatus) $(property weir@bad NRestarts)" "failed 1 0" "a bad spec"
ctl start weir@none 2>start.err && fail "no spec has been started"
ctl status weir@none >status
assert_contains status 'none.yaml'

# One that is right, and can't start: the sink's folder is not there.
put_spec nowhere <<'YAML'
pipeline: nowhere
stages:
  - {name: count, source: generate, text: '{n}'}
  - {name: write, sink: file, path: /run/work/no/such/out}
YAML
ctl start weir@nowhere 2>start.err && fail "what has nowhere to write has been started"
ctl status weir@nowhere >status
assert_contains status '/run/work/no/such/out'

# A secret is a file that only the unit has. It is in the stage that names it, and nowhere else.
in_manager sh -c 'umask 077; echo kLm-9Canary-42 >/etc/weir-pw'
drop_in weir@secret.service <<'UNIT'
[Service]
LoadCredential=pw:/etc/weir-pw
UNIT
put_spec secret <<'YAML'
pipeline: secret
stages:
  - {name: count, source: generate, text: 'word ${cred:pw}', rate: 100}
  - {name: write, sink: file, path: /run/work/words}
YAML
ctl start weir@secret || fail "start: $(ctl status weir@secret; journal -n 30)"
wait_until 60 [ -s words ]
assert_eq "$(head -n 1 words)" 'word kLm-9Canary-42' "the secret in the stage"
{
	as_weir weir ps secret --json
	as_weir weir why secret --json
	as_weir weir metrics secret
	in_manager weir graph /etc/weir/secret.yaml
	in_manager sh -c 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ' | tr '\0' '\n'
	ctl status weir@secret
	journal
} >seen 2>&1
assert_contains seen "pipeline"
grep -a -q Canary seen && fail "the secret is seen: $(grep -a Canary seen)"
ctl stop weir@secret
in_manager rm /etc/systemd/user/weir@secret.service.d/test.conf
ctl daemon-reload
ctl start weir@secret 2>start.err && fail "started without its secret"
ctl status weir@secret >status
assert_contains status 'secret.yaml:3:43: '
assert_contains status 'CREDENTIALS_DIRECTORY is not set'

# All of them at once.
ctl enable --now weir@late 2>enable.err || fail "enable: $(cat enable.err)"
[ "$(in_manager readlink /run/home/.config/systemd/user/weir.target.wants/weir@late.service)" ] || fail "not wanted by weir.target"
assert_eq "$(property weir@late ActiveState) $(property weir@late Slice)" "active weir.slice" "enabled"
ctl start weir.target
ctl stop weir.target
wait_until 60 stopped late
manager_end
