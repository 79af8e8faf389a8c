# SPDX-License-Identifier: Apache-2.0
# A stage with scopes of its own: another thread cancels one, a budget runs out, the run's cancel reaches all of them with its cause, and
# its cleaners run last in first out at each kind of end, once, also around one that crashes.
plugin=$WEIR_BUILD/tests/plugins/scoped.so

# spec NAME SOURCE_COMMAND [OPTION]: the source is silent until the stage has been through its scope and its budget
spec() {
	cat >"$1.yaml" <<-YAML
	pipeline: $1
	drain: 60s
	stages:
	  - {name: read, source: exec, command: 'until grep -q -s budget $1.trace; do sleep 0.02; done; $2'}
	  - {name: scoped, plugin: $plugin, trace: $1.trace${3:+, $3}}
	  - {name: write, sink: file, path: $1.out}
	YAML
}
begun="scope: admission
expiry
budget: expired"
cleaned() {
	printf 'cleaner outer 2: %s\ncleaner inner 2: %s\ncleaner inner 1: %s\ncleaner outer 1: %s' "$1" "$1" "$1" "$1"
}

# The natural end: nothing is cancelled.
spec natural 'seq 1 1000'
assert_exit 0 weir run --json natural.yaml
seq 1 1000 >expected
assert_file_equal natural.out expected
assert_eq "$(cat natural.trace)" "$begun
run: closed
$(cleaned none)
close" "the natural end"
assert_eq "$(cat natural.trace.fd)" "done: upstream_lost" "the thread, whose scope the stage has cancelled"

# Cancelled by a person: the receive, the hook, the thread at its descriptor and the cleaners all hear the supervisor's cause.
spec ordered 'echo one; exec sleep 1000'
weir run --json ordered.yaml 2>stderr &
run=$!
wait_until 30 grep -q -s one ordered.out
assert_exit 0 weir cancel ordered
wait "$run"
assert_eq "$(cat ordered.trace)" "$begun
hook: user
run: cancelled
$(cleaned user)
close" "a cancel"
assert_eq "$(cat ordered.trace.fd)" "done: user" "the thread at a cancel"

# The same by the deadline of the run.
spec late 'echo one; exec sleep 1000'
sed -i 's/^drain: .*/deadline: 5s/' late.yaml
weir run --json late.yaml >/dev/null 2>stderr
assert_contains late.trace "hook: run_deadline"
assert_contains late.trace "cleaner outer 1: run_deadline"
assert_eq "$(cat late.trace.fd)" "done: run_deadline" "the thread at the deadline"

# A cleaner that crashes: the others run, close() does not, and the stage has failed with a reason.
spec crashed 'seq 1 10' 'crash: true'
weir run --json crashed.yaml 2>crashed.err && fail "a crash was overlooked"
assert_eq "$(cat crashed.trace)" "$begun
run: closed
$(cleaned none)" "a crash of a cleaner"
assert_contains crashed.err "its cleaner 'inner 2' crashed by SIGSEGV"
assert_eq "$(wc -l <crashed.out)" 10 "items beside a crash of a cleaner"
