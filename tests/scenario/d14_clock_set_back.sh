# SPDX-License-Identifier: Apache-2.0
# seconds: 180
# The clock of the day is set back while a pipeline runs: its letters are older than itself then. What it has left behind is a loss all the
# same, whether it became a letter there or came back there; and what an earlier run has left is none of it, though it looks younger.
command -v cc >/dev/null || skip "no C compiler"
sanitized && skip "a sanitizer wants to be loaded first"
cat >clock.c <<'C'
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Of workers: by so many seconds. The supervisor has looked at the clock before that. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	const char *seconds = getenv("WEIR_TEST_SHIFT");
	int r = real(clock, now);

	if (clock == CLOCK_REALTIME && seconds && strcmp(program_invocation_short_name, "weir-worker") == 0)
		now->tv_sec += atol(seconds);
	return r;
}
C
cc -shared -fPIC -D_GNU_SOURCE -o clock.so clock.c || fail "can not compile"
# spec SHORTEST: what is shorter is refused
spec() {
	cat >spec.yaml <<-YAML
	pipeline: back
	stages:
	  - {name: lines, source: exec, command: 'exec tail -n +1 -f --pid=\$(cat alive) lines'}
	  - {name: pick, plugin: $WEIR_BUILD/tests/plugins/picky.so, shortest: $1}
	  - {name: write, sink: file, path: out}
	YAML
}
# serve SHIFT
serve() {
	sleep 1000 &
	alive=$!
	echo "$alive" >alive
	LD_PRELOAD=$PWD/clock.so WEIR_TEST_SHIFT=$1 weir run --json --progress=never spec.yaml 2>stderr.run &
	run=$!
	wait_until 60 running back
}
has_letters() { [ "$(weir dlq export back --raw 2>/dev/null | grep -c .)" = "$1" ]; }
# ends CODE WHAT
ends() {
	kill "$alive"
	wait "$run"
	assert_eq "$?" "$1" "$2"
}

spec 2
echo 7 >lines
serve -3600
wait_until 60 has_letters 1
ends 3 "exit code of a run with a letter that is older than itself"

# The clock was wrong, and is right again: what that run has left looks younger than the next one, of whose own letters none is left.
spec 3
echo 77 >lines
serve 3600
wait_until 60 has_letters 2
ends 3 "exit code of a run with a letter that is too young"
spec 4
echo 777 >lines
serve 0
wait_until 60 has_letters 3
weir dlq purge back 3 >/dev/null || fail "purge"
ends 0 "exit code of a run whose letters were purged"

# One comes back, and then it is this run's.
: >lines
serve -3600
assert_exit 1 weir dlq replay back 1 >answer
assert_eq "$(cat answer)" "back: of 1 letter 0 were taken, 1 came back, 0 were not given"
ends 3 "exit code of a run in which a letter came back"
