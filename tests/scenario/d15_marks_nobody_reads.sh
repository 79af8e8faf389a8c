# SPDX-License-Identifier: Apache-2.0
# seconds: 240
# Letters are to be given again, and while they wait their worker's seat is over: its stage dropped, cancelled, at its natural end, the seat retired.
# `weir dlq replay` does not wait for a worker that will never look: a sibling gets the letter, once, or it says that it was not given, and why.
command -v cc >/dev/null || skip "no C compiler"
cat >mold.c <<'C'
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <weir/stage.h>

static int mold_open(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	return 0;
}

/* As the files in the folder say: so many lives (die.1, die.2, die.3), asleep for good, not wanted; else it is passed on. */
static int mold_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	if (unlink("die.1") == 0 || unlink("die.2") == 0 || unlink("die.3") == 0)
		raise(SIGKILL);
	while (access("sleep", F_OK) == 0)
		pause();
	if (access("reject", F_OK) == 0) {
		weir_reject(context, "told to");
		return WEIR_REJECTED;
	}
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "mold",
	.summary = "does as it is told",
	.open = mold_open,
	.process = mold_process,
};
WEIR_STAGE_EXPORT(stage)
C
cc -shared -fPIC -I"$WEIR_SOURCE/include" -I"$WEIR_BUILD/include" -o mold.so mold.c || fail "can not compile"
# serve KEYS: of the stage that refuses its one item; another branch goes on
serve() {
	rm -rf "$WEIR_STATE_DIR/mold" die.* sleep go out
	touch reject
	cat >spec.yaml <<-YAML
	pipeline: mold
	stages:
	  - {name: in, source: exec, command: 'echo 1; until [ -e go ]; do sleep 0.1; done'}
	  - {name: mold, plugin: ./mold.so, $1}
	  - {name: out, sink: file, path: out}
	  - {name: tick, source: generate, rate: 1, text: t}
	  - {name: ticks, from: tick, sink: discard}
	YAML
	weir run --json --progress=never spec.yaml 2>stderr.run &
	run=$!
	wait_until 60 has_letters 1
	rm reject
}
has_letters() { [ "$(weir dlq export mold --raw 2>/dev/null | grep -c .)" = "$1" ]; }
replay() { weir dlq replay mold --all >answer 2>stderr.replay & replay=$!; }
# not_given WHAT
not_given() {
	wait_until 60 has_ended "$replay"
	wait "$replay"
	assert_eq "$?" 1 "$1: exit code of replay"
	assert_eq "$(cat answer)" "mold: of 1 letter 0 were taken, 0 came back, 1 was not given" "$1"
	assert_contains stderr.replay "dead letter 1 can not be given again: no worker of stage 'mold' is left"
	has_letters 1 || fail "$1: the letter is gone"
}
has_ended() { ! kill -0 "$1" 2>/dev/null; }
ends() {
	weir stop mold >/dev/null || fail "stop"
	wait "$run"
}
few='restart: {intensity: 1, backoff: 10ms, backoff_max: 10ms}, dead_letter: {attempts: 9}'

serve "on_failure: drop_branch, $few"
touch die.1 die.2 die.3 # the first generation had made progress
replay
not_given "dropped"
ends

serve "grace: 200ms, dead_letter: {attempts: 9}"
touch sleep
replay
sleep 1 # it is in hand now, or not yet
weir cancel mold/mold >/dev/null 2>&1
not_given "cancelled"
ends

# Its input ends, and the stage with it, after the question and before the mark.
serve "dead_letter: {attempts: 9}"
if ! sanitized; then
	cat >late.c <<-'C'
	#include <dlfcn.h>
	#include <fcntl.h>
	#include <time.h>
	#include <unistd.h>

	int fallocate(int fd, int mode, off_t offset, off_t length)
	{
		int (*real)(int, int, off_t, off_t) = (int (*)(int, int, off_t, off_t))dlsym(RTLD_NEXT, "fallocate");
		const struct timespec pause = { .tv_nsec = 10000000 };

		unlink("asks");
		while (access("over", F_OK))
			nanosleep(&pause, NULL);
		return real(fd, mode, offset, length);
	}
	C
	cc -shared -fPIC -D_GNU_SOURCE -o late.so late.c || fail "can not compile"
	touch asks
	LD_PRELOAD=$PWD/late.so weir dlq replay mold --all >answer 2>stderr.replay &
	replay=$!
	wait_until 60 test ! -e asks
	touch go
	is_over() { weir ps mold --json | grep -o '"name":"mold",.*' | grep -o '"state":"[a-z]*"' | head -n 1 | grep -q ended; }
	wait_until 60 is_over
	touch over
	not_given "at its natural end"
fi
ends

# The seat that has it dies of it too often; the other one takes it.
serve "workers: 2, on_failure: degrade, $few"
touch die.1 die.2 die.3 # the first generation had made progress
replay
wait_until 60 has_ended "$replay"
wait "$replay"
assert_eq "$?" 0 "retired: exit code of replay: $(cat stderr.replay)"
assert_eq "$(cat answer)" "mold: of 1 letter 1 was taken, 0 came back, 0 were not given" "retired"
weir ps mold --json | grep -o '"name":"mold",.*' | grep -q '"retired":1' || fail "nobody was retired"
weir dlq ls mold >left
assert_eq "$(cat left)" "no dead letters"
arrived() { [ "$(cat out)" = 1 ]; }
wait_until 60 arrived
ends
assert_eq "$(cat out)" 1 "it arrived once"
