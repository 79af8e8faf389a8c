# SPDX-License-Identifier: Apache-2.0
# Where a worker stood is known before it is killed: a stage in `for(;;);` is named by its function, as is one that faults, in its obituary and in the
# letter of its item; optimised or not, and though all its functions are static. One that sleeps is not woken by the question before its time is
# over. `weir why --stack` asks whoever runs; who has blocked the signal just does not answer.
# seconds: 240
# takes: 14
command -v cc >/dev/null || skip "no C compiler"
sanitized=$(grep -c '^WEIR_SANITIZE:STRING=.' "$WEIR_BUILD/CMakeCache.txt")
cat >hang.c <<'C'
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/stage.h>

#define HERE static __attribute__((noinline))

static volatile unsigned rounds;
static volatile unsigned *volatile nowhere;

HERE void spin_for_ever(void)
{
	for (;;)
		rounds++;
}

HERE void write_to_nowhere(void)
{
	*nowhere = 1;
	rounds++;
}

HERE void sleep_in_the_kernel(void)
{
	sleep(1000);
	fprintf(stderr, "woken up\n");
	for (;;)
		pause();
}

HERE int take_wrong_turn(const char *how)
{
	sigset_t all;

	if (strcmp(how, "deaf") == 0) {
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
	}
	if (strcmp(how, "crash") == 0)
		write_to_nowhere();
	else if (strcmp(how, "sleep") == 0)
		sleep_in_the_kernel();
	else
		spin_for_ever();
	return (int)rounds;
}

static int hang_open(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	return 0;
}

static int hang_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	if (item->size_bytes == 2 && !memcmp(item->data, "50", 2))
		rounds += (unsigned)take_wrong_turn(weir_option_string(context, "how"));
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static const struct weir_option options[] = { { .name = "how", .type = WEIR_TYPE_STRING, .fallback = "spin", .summary = "how" } };
static const struct weir_stage hang = { .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(hang), .role = WEIR_OPERATOR, .name = "hang",
	.summary = "hang", .description = "hang", .options = options, .n_options = 1, .open = hang_open, .process = hang_process };
WEIR_STAGE_EXPORT(hang)
C
# spec NAME PLUGIN HOW KEYS
spec() {
	cat >"$1.yaml" <<-YAML
	pipeline: $1
	grace: 2s
	restart: {backoff: 1ms, backoff_max: 5ms}
	stages:
	  - {name: numbers, source: generate, count: 100, text: '{n}'}
	  - {name: mill, plugin: ./$2.so, how: $3, dead_letter: {attempts: 1}, $4}
	  - {name: out, sink: file, path: $1.out}
	YAML
}
# line FILE FRAGMENT: the number of the first such line
line() { grep -n -F -e "$2" "$1" | head -n 1 | cut -d: -f1; }
neighbours() {
	sort -n "$1.out" >sorted
	seq 1 100 | grep -vx 50 | cmp - sorted || fail "$1: not every neighbour arrived once"
}

for level in -O0 -O2; do
	cc -g $level -shared -fPIC -I"$WEIR_SOURCE/include" -o hang.so hang.c || fail "can not compile the plugin"

	# It runs: asked when its item has overrun, and once more before SIGTERM, which says the same.
	spec spin hang spin 'deadline: 1s'
	assert_exit 3 weir run spin.yaml
	mv stderr spin.log
	grep -q "backtrace: spin_for_ever (hang.so+0x[0-9a-f]*) < .*hang_process[^ ]* (hang.so+0x[0-9a-f]*)\"\$" spin.log || fail "$level: $(cat spin.log)"
	[ "$(line spin.log 'backtrace: spin_for_ever')" -lt "$(line spin.log 'SIGTERM: it does not stop')" ] || fail "$level: too late"
	grep -q '\(exited with status 143\|was killed by SIGKILL\) .* had overrun its deadline of 1.0 s, by .*; backtrace: spin_for_ever (hang.so+' spin.log || fail "$level: obituary: $(cat spin.log)"
	grep -q 'backtrace: .*\(turn_\|worker_run\|main\)' spin.log && fail "$level: frames of the runtime are shown"
	weir dlq show spin 1 >letter
	assert_contains letter "; backtrace: spin_for_ever (hang.so+0x"
	neighbours spin

	# It faults: by itself.
	[ "$sanitized" = 1 ] && continue
	spec crash hang crash ''
	assert_exit 3 weir run crash.yaml
	grep -q "was killed by SIGSEGV .*; backtrace (address 0x0): write_to_nowhere (hang.so+0x[0-9a-f]*) < .*hang_process[^ ]* (hang.so+0x[0-9a-f]*);" stderr ||
		{ cat stderr >&2; fail "$level: obituary of the fault"; }
	weir dlq show crash 1 >letter
	assert_contains letter "was killed by SIGSEGV; backtrace (address 0x0): write_to_nowhere (hang.so+0x"
	neighbours crash
done

# It sleeps: not woken by the cancel, told with SIGTERM.
spec doze hang sleep 'deadline: 1s'
assert_exit 3 weir run doze.yaml
grep -q 'backtrace: .* < sleep_in_the_kernel (hang.so+' stderr || { cat stderr >&2; fail "sleep: no backtrace"; }
[ "$(line stderr 'SIGTERM: it does not stop')" -lt "$(line stderr 'backtrace: ')" ] || fail "sleep: asked too early"
grep -q 'woken up' stderr && fail "sleep: it was woken"
neighbours doze

# It has shut out the signal: no answer, nothing else changes.
spec deaf hang deaf 'deadline: 1s'
sed -i 's/^grace: .*/grace: 500ms/' deaf.yaml
assert_exit 3 weir run deaf.yaml
grep -q backtrace stderr && fail "deaf: who said that?"
assert_contains stderr "was killed by SIGKILL"
neighbours deaf

# Whoever runs can be asked: a stage that hangs, one that waits, one that runs no code of weir's; whatever is asked, items are not touched.
spec ask hang spin ''
sed -i 's/count: 100/rate: 1k/; s/- {name: mill/- {name: keep, exec: [cat], mode: line, workers: 2}\n  &/' ask.yaml
weir run --json ask.yaml 2>stderr.run &
run=$!
wait_until 60 running ask
in_mill() { weir why ask --stack mill 2>/dev/null | grep -q spin_for_ever; }
wait_until 60 in_mill
assert_exit 0 weir why ask --stack mill >answer
grep -q "^mill#0 (pid $(weir ps ask --json | grep -o '"name":"mill".*' | grep -o '"pid":[0-9]*' | head -n 1 | sed 's/.*://')), busy:\$" answer || fail "$(cat answer)"
assert_eq "$(sed -n 2p answer | sed 's/0x[0-9a-f]*/X/')" "  spin_for_ever (hang.so+X)"
assert_contains answer "  hang_process"
assert_exit 0 weir why ask --stack mill --json >answer
grep -q '^{"pipeline":"ask","stage":"mill","workers":\[{"index":0,"pid":[0-9]*,"frames":\["spin_for_ever (hang.so+0x' answer || fail "$(cat answer)"
for _ in 1 2 3 4 5; do
	for stage in numbers keep out mill; do
		assert_exit 0 weir why ask --stack $stage >answer
		grep -q '^  [a-z_]' answer || fail "$stage: $(cat answer)"
	done
done
assert_exit 2 weir why ask --stack nobody
assert_contains stderr "pipeline 'ask': there is no stage 'nobody'; there are "
assert_exit 2 weir why --stack mill
assert_exit 3 weir why nobody --stack mill
weir ps ask --json | grep -q '"backtrace":{"generation":0,"seconds":[0-9.]*,"about":"","frames":\["spin_for_ever (hang.so+' || fail "status: $(weir ps ask --json)"
# It does not stop for a cancel either: the ladder asks before SIGTERM.
assert_exit 0 weir cancel ask >answer
wait "$run"
grep -q '"message":"backtrace: spin_for_ever (hang.so+' stderr.run || { cat stderr.run >&2; fail "ladder: no backtrace"; }
