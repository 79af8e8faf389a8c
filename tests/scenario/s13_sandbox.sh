# SPDX-License-Identifier: Apache-2.0
# sandbox: strict. Stages of configs/ do in it what they do outside; a plugin that tries things gets nothing that it was not given; what the spec adds
# is had; what makes no sense is refused; what the filter ended is named.
# seconds: 240
# sanitizers: no, what they do themselves at the end of a process is not in the list of system calls
sandboxed() { grep -c 'in a sandbox: files by Landlock (ABI [0-9]*), system calls by seccomp' "$1"; }
cat >first.yaml <<'YAML'
pipeline: first
sandbox: strict
stages:
  - {name: one, source: generate, count: 1}
  - {name: none, sink: discard}
YAML
weir run first.yaml 2>stderr || {
	grep -q -e "this kernel can't restrict files" -e 'takes no filter' stderr || fail "exit code $?: $(cat stderr)"
	# What can't be had is an error, unless the spec says that it does without.
	sed 's/strict/{required: false}/' first.yaml >without.yaml
	assert_exit 0 weir run without.yaml
	assert_contains stderr 'not in its sandbox: '
	echo "SKIPPED: this kernel has no Landlock, or no seccomp, or a container forbids them: $(grep -m 1 -o -e "this kernel can't.*" -e 'the kernel takes.*' stderr)" >&2
	exit 77
}
assert_eq "$(sandboxed stderr)" 2 "workers in a sandbox"

# ---- what is in force is shown: the kernel's word
sed 's/count: 1/rate: 100/; s/sink: discard/sink: discard, sandbox: off/' first.yaml >spec.yaml
weir run spec.yaml >out 2>stderr.shown &
wait_until 60 running first
assert_eq "$(grep -o '"sandbox":[^}]*[1-9][^}]*,"filters":1}\|"sandbox":null' ps.json | sed 's/[0-9][0-9]*,/N,/' | xargs)" 'sandbox:{landlock_abi:N,filters:1} sandbox:null' "what is shown"
assert_exit 0 weir why first --stack one >stack
assert_contains stack "(weir-worker+0x"
assert_exit 0 weir drain first
wait $! || fail "exit code $?: $(cat stderr.shown)"

# ---- a plugin that tries
echo secret >secret
mkdir given kept
echo gift >given/gift
cat >burglar.yaml <<YAML
pipeline: burglar
stages:
  - {name: acts, source: file, path: acts}
  - {name: burglar, plugin: $WEIR_BUILD/tests/plugins/burglar.so, sandbox: SANDBOX}
  - {name: show, sink: stdout}
YAML
acts() { # SANDBOX ACT...: what came of each, without the acts
	local sandbox=$1
	shift
	printf '%s\n' "$@" >acts
	sed "s|SANDBOX|$sandbox|" burglar.yaml >spec.yaml
	assert_exit 0 weir run spec.yaml >out
	sed 's/.*: //' out | xargs
}
mine=(read\ "$PWD/secret" list\ "$PWD" write\ "$PWD/kept/new" rename\ "$PWD/secret" remove\ "$PWD/secret" mode\ "$PWD/given/gift"
	'list /' 'list /tmp' 'list /var' 'read /etc/shadow' 'read /etc/hostname' 'write /etc/passwd' 'write /usr/x' 'write /dev/null' 'read /etc/passwd'
	"read $WEIR_SOURCE/README.md" "read /proc/$$/environ" 'read /proc/self/stat' 'socket 1' 'socket 2' 'socket 10' 'socket 16' 'socket 17' 'fork'
	'execute /bin/true' "signal $$" 'thread')
abi=$(grep -m 1 -o 'ABI [0-9]*' stderr.shown | cut -d' ' -f2)
signals=$([ "$abi" -ge 6 ] && echo EPERM || echo done)
assert_eq "$(acts strict "${mine[@]}")" "EACCES EACCES EACCES EACCES EACCES done EACCES EACCES EACCES EACCES EACCES EACCES EACCES done done EACCES EACCES done done \
EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EPERM EPERM $signals done" "what a burglar gets"
assert_eq "$(cat secret)" secret "the secret"
assert_eq "$(acts off 'read /etc/passwd' "read $PWD/secret" 'fork' 'socket 2')" 'done done done done' "without a sandbox"
assert_eq "$(acts '{network: true}' 'socket 2' 'fork' "read $PWD/secret")" 'done EPERM EACCES' "with network"
assert_eq "$(acts '{processes: true}' 'socket 2' 'fork' "read $PWD/secret")" 'EAFNOSUPPORT done EACCES' "with processes"
assert_eq "$(acts "{read_only_paths: [$PWD/given, secret], read_write_paths: $PWD/kept}" "read $PWD/given/gift" "write $PWD/given/gift" "write $PWD/given/new" \
	"write $PWD/kept/new" "rename $PWD/kept/new" "remove $PWD/kept/new" "read $PWD/secret" "write $PWD/secret")" \
	'done EACCES EACCES done EACCES done done EACCES' "with paths"

# ---- a call that no stage has any business with: named, in the log and of the worker that died of it
printf '%s\n' 'read /etc/passwd' 'call 170' 'thread' >acts # sethostname
sed "s|SANDBOX|strict, dead_letter: {attempts: 1}|" burglar.yaml >spec.yaml
if [ "$(uname -m)" = x86_64 ]; then
	assert_exit 3 weir run spec.yaml >out
	assert_contains stderr 'system call sethostname (170) is not in the sandbox of this stage; if it has to be, system_calls: [sethostname]'
	assert_contains stderr 'was killed by SIGSYS'
	assert_eq "$(sed 's/.*: //' out | xargs)" 'done done' "its neighbours"
	assert_eq "$(acts '{system_calls: [sethostname]}' 'call 170')" EPERM "a call that was added"
fi

# ---- what can't be
refuses() { # SANDBOX FRAGMENT
	sed "s|SANDBOX|$1|" burglar.yaml >spec.yaml
	assert_exit 1 weir check spec.yaml >out
	assert_contains stderr "$2"
}
refuses tight "spec.yaml:4:$(grep -o '.*sandbox: ' <<<"$(sed -n 4p burglar.yaml)" | awk '{ print length + 1 }'): error: sandbox wants strict, off, or a map such as {network: true}, found tight"
refuses '{netwrok: true}' "did you mean 'network'"
refuses '[strict]' 'sandbox wants strict, off, or a map such as {network: true}, found a list'
sed 's/discard/exec, command: cat, sandbox: {processes: false}/' first.yaml >spec.yaml
assert_exit 1 weir check spec.yaml
assert_contains stderr 'processes: an exec stage is a program, which has to be started'
sed 's/strict/{nett: true, required: 7}/' first.yaml >spec.yaml
assert_exit 1 weir check spec.yaml
assert_eq "$(grep -c error: stderr)" 2 "errors of the top, once each"
for wrong in 'system_calls: [no_such_call]|no system call .no_such_call.' 'read_only_paths: /nowhere|read_only_paths: ./nowhere.: No such file'; do
	sed "s|SANDBOX|{${wrong%|*}}|" burglar.yaml >spec.yaml
	weir run spec.yaml >out 2>stderr && fail "it ran with $wrong"
	grep -q "spec.yaml:4:.*error: .*${wrong#*|}" stderr || fail "no '${wrong#*|}': $(cat stderr)"
done

# ---- configs/ inside: the same as outside, whoever says nothing of it
for config in hello words files filter people load slow rules merge sqlite cron fields batch delay dedupe first gather route sample window; do
	[ -n "${WEIR_NIGHTLY-}" ] || [ $((RANDOM % 3)) = 0 ] || case $config in files | load | sqlite | people | words | gather | rules) ;; *) continue ;; esac
	for where in free strict; do
		mkdir -p "$config/$where"
		(
			cd "$config/$where" || exit 1
			arguments=()
			[ "$where" = free ] || arguments=(--set sandbox=strict)
			weir run "${arguments[@]}" "$WEIR_SOURCE/configs/$config.yaml" </etc/passwd >out 2>../stderr
			echo "exit $?" >>out
			LC_ALL=C sort -o out out
		)
	done
	assert_contains "$config/free/out" 'exit 0'
	[ "$(sandboxed "$config/stderr")" -gt 1 ] || fail "$config did not run in a sandbox: $(cat "$config/stderr")"
	! grep -e 'is not in the sandbox' -e 'Permission denied' -e 'not permitted' "$config/stderr" >&2 || fail "$config in a sandbox"
	(cd "$config/free" && find . -type f ! -name '*.db*' ! -name '*.mdb' ! -name out | LC_ALL=C sort) >free
	(cd "$config/strict" && find . -type f ! -name '*.db*' ! -name '*.mdb' ! -name out | LC_ALL=C sort) >strict
	assert_file_equal strict free "the files of $config"
	[ "$config" = cron ] || assert_file_equal "$config/strict/out" "$config/free/out" "what $config says"
done
