# SPDX-License-Identifier: Apache-2.0
# seconds: 240
# takes: 8
# The letters of a turn are one transaction, and workers are killed with many of them in hand: before the store has them, and between the store's
# commit and the turn's. An operator, one with a loop of its own, an asynchronous one, and a source of bad records: each refused item is one
# letter, the others arrive once. And the disk is full in the middle of a turn: what is counted as a letter is one, the rest is in flight.
command -v cc >/dev/null || skip "no C compiler"
sanitized && skip "a sanitizer wants to be loaded first"
# `turns` gets a byte for each turn to write that a worker has had, `kills` one for each worker that was killed at one: LIMIT, each at the
# first, second or third of its life.
cat >moment.c <<'C'
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int n;

static long note(const char *name, int write_it)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct stat st = { .st_size = 0 };

	if (write_it && write(fd, "x", 1) != 1)
		abort();
	fstat(fd, &st);
	close(fd);
	return st.st_size;
}

static void die_at(const char *moment)
{
	long killed = note("kills", 0);

	if (strcmp(getenv("MOMENT"), moment) != 0 || killed >= atol(getenv("LIMIT")) || n < 1 + killed % 3)
		return;
	note("kills", 1);
	kill(getpid(), SIGKILL);
}

/* LMDB's own locks begin elsewhere. */
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
	is_turn = command == F_SETLK && getenv("MOMENT") && strcmp(program_invocation_short_name, "weir-worker") == 0 &&
		  lock->l_start == 0 && lock->l_len == 1;
	if (is_turn && lock->l_type == F_WRLCK) {
		n++;
		note("turns", 1);
		die_at("before");
	}
	r = real(fd, command, argument);
	if (is_turn && lock->l_type == F_UNLCK)
		die_at("after");
	return r;
}
C
cc -shared -fPIC -D_GNU_SOURCE -o moment.so moment.c || fail "can not compile"
cc -shared -fPIC -I"$WEIR_SOURCE/include" -o refuse.so -x c - <<'C' || fail "can not compile the plugins"
#include <stdlib.h>
#include <string.h>
#include <weir/channel.h>

#define AT_ONCE 8
static struct { uint64_t tokens[AT_ONCE]; uint32_t n; } held;

static int open_stage(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	return 0;
}

static int look(struct weir_context *context, const struct weir_item *item)
{
	if (((const char *)item->data)[0] != '!')
		return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
	weir_reject(context, "not wanted");
	return WEIR_REJECTED;
}

/* The last one that was put aside is the first to end. */
static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	if (weir_in_flight(context) < 2)
		return look(context, item);
	held.tokens[held.n++] = weir_defer(context);
	weir_watch(context, -1, 0, weir_now_ns(context));
	return WEIR_PENDING;
}

static int produce(struct weir_context *context, void *state)
{
	(void)state;
	while (held.n) {
		const struct weir_item *item;
		uint64_t token = held.tokens[held.n - 1];
		int r = weir_resume(context, token, &item);

		if (r == 0)
			r = weir_complete(context, token, look(context, item));
		if (r != 0)
			return r;
		held.n--;
	}
	return WEIR_OK;
}

static const struct weir_stage refuse = { .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(refuse), .role = WEIR_OPERATOR, .name = "refuse",
	.summary = "refuse", .description = "refuse", .open = open_stage, .process = process, .produce = produce };
WEIR_STAGE_EXPORT(refuse)
C
items=$(rounds 1200 20000)
kills=$(rounds 8 200)
seq 1 "$items" | awk '{ print ($1 % 4 ? "!" : "") $1 }' >plain
sed 's/^[0-9]*$/{"n":&}/' plain >records

counted() { echo $(($(final stderr rejected) + $(final stderr rejected_at_source))); }
# shape NAME WHAT-READ-READS STAGE [HOW-WRITE-WRITES]: both moments
shape() {
	local moment transactions letters killed
	grep '^!' plain >refused
	letters=$(grep -c . refused)
	for moment in before after; do
		rm -rf out kills turns "$WEIR_STATE_DIR/turns"
		cat >spec.yaml <<-YAML
		pipeline: turns
		restart: {intensity: 100000, backoff: 1ms, backoff_max: 2ms}
		stages:
		  - {name: read, source: file, $2}
		  - $3
		  - {name: write, sink: file, path: out${4-}}
		YAML
		MOMENT=$moment LIMIT=$kills LD_PRELOAD=$PWD/moment.so weir run --json spec.yaml 2>stderr
		assert_eq "$?" 3 "$1, $moment: exit code"
		transactions=$(stat -c %s turns)
		killed=$(stat -c %s kills)
		[ "$killed" -ge 4 ] || fail "$1, $moment: $killed kills" # a source has few turns, and most are over by the last ones
		weir dlq export turns --raw >letters
		LC_ALL=C sort letters >sorted
		LC_ALL=C sort refused >expected
		assert_file_equal sorted expected "$1, $moment: letters"
		sort -n out >sorted
		grep -v '^!' plain >expected
		assert_file_equal sorted expected "$1, $moment: items that were not refused"
		assert_eq "$(counted) $(final stderr balanced)" "$letters true" "$1, $moment: ledger"
		# A turn that was killed is written twice, and each generation opens the store.
		[ $((transactions - 4 * killed)) -lt $((letters / 3)) ] ||
			fail "$1, $moment: $transactions transactions for $letters letters and $killed kills"
	done
}
shape operator 'path: plain' "{name: refuse, plugin: ./refuse.so, dead_letter: {attempts: 100}}"
shape loop 'path: plain' "{name: refuse, plugin: $WEIR_BUILD/tests/plugins/relay.so, dead_letter: {attempts: 100}}"
shape asynchronous 'path: plain' "{name: refuse, plugin: ./refuse.so, in_flight: 8, dead_letter: {attempts: 100}}"
shape source 'path: records, decode: json' "{name: pass, operator: map, expr: .n}" ', encode: json'

unshare -rm true 2>/dev/null || exit 0 # the rest wants mount namespaces
cat >within.sh <<'SH'
mount -t tmpfs -o size=256k tmpfs "$WEIR_STATE_DIR" || exit 77
weir run --json spec.yaml 2>stderr
echo $? >code
weir dlq ls turns --json >letters
SH
sed 's/^!/!the disk is too small for all of these that are refused, and this says so at some length: /' plain >long
# no_room NAME WHAT-READ-READS STAGE [HOW-WRITE-WRITES]
no_room() {
	rm -rf out "$WEIR_STATE_DIR/turns"
	cat >spec.yaml <<-YAML
	pipeline: turns
	restart: {intensity: 3, backoff: 1ms}
	stages:
	  - {name: read, source: file, $2}
	  - $3
	  - {name: write, sink: file, path: out${4-}}
	YAML
	unshare -rm bash within.sh
	[ $? != 77 ] || exit 0
	letters=$(grep -c '"id":' letters)
	[ "$letters" -gt 10 ] || fail "$1: $letters letters"
	assert_eq "$(cat code) $(final stderr balanced) $(counted)" "3 true $letters" "$1: no room"
	assert_contains stderr "cannot keep a dead letter"
	! grep -q "was killed by" stderr || { cat stderr >&2; fail "$1: a worker died of a signal"; }
}
no_room operator 'path: long' '{name: refuse, plugin: ./refuse.so}'
no_room source 'path: long, decode: json' '{name: pass, operator: map, expr: .}' ', encode: json'
