# SPDX-License-Identifier: Apache-2.0
# seconds: 240
# takes: 18
# Worker and supervisor are killed in one moment, at each step of taking a letter: before the store is told that it is being taken, after that,
# after the commit, after the removal. No letter is given twice by itself, none is lost unseen; which are in doubt is said.
command -v cc >/dev/null || skip "no C compiler"
sanitized && skip "a sanitizer wants to be loaded first"
touch "$WEIR_WORK/orphans-expected"
# The worker holds SIGTERM back while it takes letters: its first turn to write then tells the store, its second removes them.
cat >moment.c <<'C'
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void die_at(const char *moment)
{
	const struct timespec pause = { .tv_sec = 3 }; /* what is committed arrives meanwhile: its reader looks each second */

	if (strcmp(getenv("MOMENT"), moment) != 0)
		return;
	nanosleep(&pause, NULL);
	kill(getppid(), SIGKILL);
	kill(getpid(), SIGKILL);
}

static int takes_letters(void)
{
	sigset_t blocked;

	sigprocmask(SIG_BLOCK, NULL, &blocked);
	return strcmp(program_invocation_short_name, "weir-worker") == 0 && getenv("MOMENT") && sigismember(&blocked, SIGTERM);
}

static int n;

/*
 * Before it takes its turn to write, and after it has given it on: in between the pause would keep everybody else out of the store. LMDB's own
 * locks begin elsewhere.
 */
int fcntl(int fd, int command, ...)
{
	int (*real)(int, int, ...) = (int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl");
	const struct flock *lock;
	va_list arguments;
	void *argument;
	int r, is_turn;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	lock = argument;
	is_turn = command == F_SETLK && takes_letters() && lock->l_start == 0 && lock->l_len == 1;
	if (is_turn && lock->l_type == F_WRLCK)
		die_at(++n == 1 ? "before the word" : "before the removal");
	r = real(fd, command, argument);
	if (is_turn && lock->l_type == F_UNLCK)
		die_at(n == 1 ? "after the word" : "after the removal");
	return r;
}
C
cc -shared -fPIC -D_GNU_SOURCE -o moment.so moment.c || fail "can not compile"
# spec HOW SOURCE OUT: a stage that is `picky` refuses what is too short, a `mended` one nothing
spec() {
	local how=
	[ "$1" = mended ] || how=', shortest: 2'
	cat >spec.yaml <<-YAML
	pipeline: doubt
	stages:
	  - {name: count, source: generate, $2}
	  - {name: pick, plugin: $WEIR_BUILD/tests/plugins/picky.so$how}
	  - {name: write, sink: file, path: $3}
	YAML
}
letters() { weir dlq export doubt --raw | grep -c .; }

serve() {
	spec mended 'text: tick, rate: 100' "$1"
	weir run --json spec.yaml 2>stderr.run &
	run=$!
	wait_until 60 running doubt
}

# MOMENT, how many of the nine letters have arrived by then, how many are left, in doubt
while read -r before left doubtful moment; do
	rm -f out* "$WEIR_STATE_DIR/doubt/dead-letters/"*
	spec picky "count: 20, text: '{n}'" out
	assert_exit 3 weir run --json spec.yaml
	n=$(letters)
	[ "$n" -ge 9 ] || fail "$n letters"
	[ "$before" = all ] && before=$n
	[ "$left" = all ] && left=$n
	[ "$doubtful" = all ] && doubtful=$n
	export MOMENT=$moment LD_PRELOAD=$PWD/moment.so
	serve out1
	unset MOMENT LD_PRELOAD
	weir dlq replay doubt --all >answer 2>&1
	wait "$run" 2>/dev/null
	sleep 1 # so long its workers may live
	assert_eq "$(grep -vc tick out1)" "$before" "$moment: arrived"
	assert_eq "$(letters)" "$left" "$moment: letters left"
	serve out2
	if [ "$doubtful" = 0 ]; then
		assert_exit 0 weir dlq replay doubt --all >answer
	else
		id=$(weir dlq export doubt | head -n 1 | sed 's/^{"id":\([0-9]*\),.*/\1/')
		assert_exit 1 weir dlq replay doubt --all >answer
		assert_eq "$(cat answer)" "doubt: of $left letters 0 were taken, 0 came back, $left were not given"
		assert_eq "$(grep -c 'it may have arrived' stderr)" "$doubtful" "$moment: in doubt"
		assert_exit 1 weir dlq replay doubt "$id" >answer
		assert_contains stderr "nothing was given again"
		assert_eq "$(letters)" "$left" "$moment: they stay"
		# Which of them have arrived is what a person can see: here all or none.
		[ "$before" = 0 ] && assert_exit 0 weir dlq replay doubt --all --again >answer || assert_exit 0 weir dlq purge doubt --all >answer
	fi
	assert_eq "$(letters)" 0 "$moment: letters in the end"
	weir drain doubt >/dev/null
	wait "$run"
	assert_eq "$(cat out1 out2 | grep -v tick | sort | uniq -c | awk '$1 != 1' | wc -l) $(cat out1 out2 | grep -vc tick)" "0 $n" "$moment: each once"
done <<MOMENTS
0 all 0 before the word
0 all all after the word
all all all before the removal
all 0 0 after the removal
MOMENTS
assert_exit 2 weir dlq ls doubt --again
