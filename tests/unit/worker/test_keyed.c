/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an item changes is there with it, or not at all: by each way in which an item can end, and by deaths. Who dies jumps out of its
 * callback and leaves what its process would have left: the slot's memory, the log, the file; the next one sits down with these. Scenario
 * k10 kills real ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "keyed_test.h"
#include <weir/channel.h>
#include "worker/host.h"
#include "worker/keyed.h"
#include "worker/keyed_log.h"
#include "worker/run.h"
#include "worker/turn.h"
#include "worker/window.h"

#define DIED (-1)

static jmp_buf death;

/* What process() makes of the first letter of an item. */
static int stage_process(struct weir_context *context, void *data, const struct weir_item *item);
static int stage_open(struct weir_context *context, void **ret_state);
static int stage_finish(struct weir_context *context, void *data);

static const struct weir_stage counts = { .role = WEIR_OPERATOR,
					  .flags = WEIR_STAGE_STATE,
					  .cursor_size_bytes = 8,
					  .open = stage_open,
					  .process = stage_process,
					  .finish = stage_finish };
static uint64_t count_of(struct weir_context *context, const char *key)
{
	const void *value;
	size_t size_bytes;
	uint64_t n;
	int r = weir_state_get(context, key, strlen(key), &value, &size_bytes);

	if (r == -ENOENT)
		return 0;
	assert_int_equal(r, WEIR_OK);
	memcpy(&n, value, sizeof(n));
	return n;
}

static void count(struct weir_context *context, const char *key)
{
	uint64_t n = count_of(context, key) + 1;

	assert_int_equal(weir_state_put(context, key, strlen(key), &n, sizeof(n)), WEIR_OK);
}

/* A word of an item is what happens: counted, and then what its first letter says. */
static int stage_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	char word[64], line[96];

	(void)data;
	snprintf(word, sizeof(word), "%.*s", (int)item->size_bytes, (const char *)item->data);
	count(context, word);
	count(context, "all");
	switch (word[0]) {
	case 'r': /* is rejected, having changed one thing twice and forgotten another */
		count(context, "all");
		assert_int_equal(weir_state_delete(context, "a", 1), count_of(context, "a") ? WEIR_OK : -ENOENT);
		weir_reject(context, "not wanted");
		return WEIR_REJECTED;
	case 'p': /* comes again at once */
		if (clock_now_ns() < item->accepted_ns + 20 * NS_PER_MS)
			return weir_postpone(context, item->accepted_ns + 20 * NS_PER_MS);
		break;
	case 'k': /* dies */
		longjmp(death, DIED);
		break;
	case 'w': /* waits for room: what is complete is committed, and the item then dies */
		window_shut(worker_of(context));
		turn_commit_complete(worker_of(context));
		longjmp(death, DIED);
		break;
	case 'f': /* fails */
		return WEIR_FAILED;
	case 'l': /* changes a lot */
		assert_int_equal(put_large(context, word, WEIR_STATE_VALUE_SIZE_MAX), WEIR_OK);
		break;
	default:
		break;
	}
	snprintf(line, sizeof(line), "%s %llu", word, (unsigned long long)count_of(context, "all"));
	return weir_emit(context, 0, line, strlen(line));
}

static int stage_open(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	return 0;
}

/* "KEY=COUNT ..." of all entries but the large ones. */
static const char *entries(struct weir_context *context)
{
	static char line[512];
	size_t length = 0;
	struct weir_state_entry entry;
	int r = weir_state_first(context, NULL, 0, &entry);

	line[0] = '\0';
	for (; r == WEIR_OK; r = weir_state_next(context, NULL, 0, &entry)) {
		uint64_t n;

		memcpy(&n, entry.value, sizeof(n));
		if (entry.size_bytes == sizeof(n))
			length += (size_t)snprintf(line + length, sizeof(line) - length, "%.64s=%llu ",
						   (const char *)entry.key, (unsigned long long)n);
		assert_true(length < sizeof(line));
	}
	assert_int_equal(r, -ENOENT);
	return line;
}

static int stage_finish(struct weir_context *context, void *data)
{
	const char *line = entries(context);

	(void)data;
	return weir_emit(context, 0, line, strlen(line));
}

/* The same with a loop of its own. */
static int loop_run(struct weir_context *context, void *data)
{
	struct weir_item item;
	int r;

	(void)data;
	while ((r = weir_recv(context, 0, WEIR_FOREVER, &item)) == WEIR_OK) {
		char word[64];

		snprintf(word, sizeof(word), "%.*s", (int)item.size_bytes, (const char *)item.data);
		count(context, word);
		count(context, "all");
		if (word[0] == 'r')
			weir_reject(context, "not wanted");
		if (word[0] == 'k')
			longjmp(death, DIED);
	}
	if (r != WEIR_CLOSED)
		return r;
	count(context, "ends"); /* a step without an item */
	return weir_send(context, 0, entries(context), strlen(entries(context)), WEIR_FOREVER);
}

/* And asynchronous: what is deferred counts when it comes back, the last one first; 'b' is first put back again. */
static uint64_t tokens[8];
static unsigned n_tokens;

static int late_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	(void)data;
	(void)item;
	count(context, "deferred"); /* nothing has happened to it */
	tokens[n_tokens++] = weir_defer(context);
	weir_watch(context, -1, 0, 1);
	return WEIR_PENDING;
}

static int late_produce(struct weir_context *context, void *data)
{
	const struct weir_item *item;

	(void)data;
	for (unsigned i = 0; i < n_tokens; i++) {
		assert_int_equal(weir_resume(context, tokens[i], &item), WEIR_OK);
		if (*(const char *)item->data == 'b')
			count(context, "put back");
	}
	while (n_tokens) {
		uint64_t token = tokens[--n_tokens];
		char word[64];

		assert_int_equal(weir_resume(context, token, &item), WEIR_OK);
		snprintf(word, sizeof(word), "%.*s", (int)item->size_bytes, (const char *)item->data);
		count(context, word);
		count(context, "all");
		if (word[0] == 'k')
			longjmp(death, DIED);
		weir_reject(context, "not wanted");
		assert_int_equal(weir_complete(context, token, word[0] == 'r' ? WEIR_REJECTED : WEIR_OK), WEIR_OK);
		count(context, "beside"); /* goes with the turn */
	}
	return WEIR_OK;
}

static const struct weir_stage loops = {
	.role = WEIR_OPERATOR, .flags = WEIR_STAGE_STATE, .open = stage_open, .run = loop_run
};
static const struct weir_stage lates = { .role = WEIR_OPERATOR,
					 .flags = WEIR_STAGE_STATE,
					 .open = stage_open,
					 .process = late_process,
					 .produce = late_produce,
					 .finish = stage_finish };

/* ---- the bench ---- */

/* Items, by their words. */
static void push(const char *words)
{
	char copy[256], *rest = copy, *word;

	strcpy(copy, words);
	while ((word = strsep(&rest, " ")))
		assert_int_equal(rig_push(&rig.producers[0], word), 0);
	rig_commit(&rig.producers[0]);
}

static void close_input(void)
{
	lane_out_close(&rig.producers[0].outputs[0].lanes[0].lane);
}

/* A worker sits down and runs the relay's loop. Returns what that returned; DIED. */
static int generation(void)
{
	static uint32_t number;
	int r;

	keyed_detach(&rig.relay);
	rig_replace_relay(&rig, ++number);
	r = attach(&rig.relay);
	if (r < 0)
		return r;
	n_tokens = 0;
	if (setjmp(death))
		return DIED;
	return rig.relay.stage.run ? run_loop(&rig.relay) : turn_loop(&rig.relay);
}

/* What the next generation does not have to take again: the item in hand is thrown away instead. */
static void skip_item(void)
{
	rig_replace_relay(&rig, 1000);
	rig_take(&rig.relay);
	rig_commit(&rig.relay);
}

static void assert_out(const char *line)
{
	assert_string_equal(rig_take(&rig.consumers[0]), line);
}

/* ---- what holds ---- */

static void test_counted(void **state)
{
	(void)state;
	begin(&counts);
	push("a b a");
	close_input();
	assert_int_equal(generation(), 0);
	assert_out("a 1");
	assert_out("b 2");
	assert_out("a 3");
	assert_out("a=2 all=3 b=1 ");
	end();
}

static void test_items_that_come_to_nothing_have_changed_nothing(void **state)
{
	(void)state;
	begin(&counts);
	push("r a r p a f");
	assert_int_equal(generation(), WEIR_FAILED);
	skip_item();
	push("a");
	close_input();
	assert_int_equal(generation(), 0);
	assert_out("a 1");
	assert_out("p 2");
	assert_out("a 3");
	assert_out("a 4");
	assert_out("a=3 all=4 p=1 ");
	end();
}

static void test_a_loop_of_its_own(void **state)
{
	(void)state;
	begin(&loops);
	push("a r a k");
	assert_int_equal(generation(), DIED);
	skip_item(); /* "a": none of them was committed */
	assert_int_equal(generation(), DIED);
	skip_item();
	skip_item();
	skip_item();
	push("a r b");
	close_input();
	assert_int_equal(generation(), 0);
	assert_out("a=1 all=2 b=1 ends=1 ");
	end();
}

static void test_asynchronous(void **state)
{
	(void)state;
	begin_asynchronous(&lates, 4);
	push("a b r a b r c");
	close_input();
	assert_int_equal(generation(), 0);
	assert_out("a=2 all=5 b=2 beside=7 c=1 ");
	end();
	begin_asynchronous(&lates, 4);
	push("k a b"); /* a and b are complete, and not committed, when k dies */
	close_input();
	assert_int_equal(generation(), DIED);
	assert_int_equal(generation(), DIED);
	rig_replace_relay(&rig, 1000);
	assert_int_equal(rig.relay.cursor.state_end, 0);
	end();
}

/* The items before the deadly one of the same turn were not committed: they come again, and are counted once. */
static void test_a_death_before_the_commit(void **state)
{
	(void)state;
	begin(&counts);
	push("a b k c");
	assert_int_equal(generation(), DIED);
	assert_out("-");
	assert_int_equal(generation(), DIED);
	rig_replace_relay(&rig, 1000);
	rig.relay.heritage.batch = 1;
	assert_string_equal(rig_take(&rig.relay), "a");
	assert_string_equal(rig_take(&rig.relay), "b"); /* thrown away by hand, so never counted */
	assert_string_equal(rig_take(&rig.relay), "k");
	rig_commit(&rig.relay);
	close_input();
	assert_int_equal(generation(), 0);
	assert_out("c 1");
	assert_out("all=1 c=1 ");
	end();
}

/* In the middle of an item what is complete is committed: without what the item has changed. */
static void test_a_commit_in_the_middle_of_an_item(void **state)
{
	(void)state;
	begin(&counts);
	push("a b w c");
	assert_int_equal(generation(), DIED);
	assert_out("a 1");
	assert_out("b 2");
	assert_out("-");
	skip_item();
	close_input();
	assert_int_equal(generation(), 0);
	assert_out("c 3");
	assert_out("a=1 all=3 b=1 c=1 ");
	end();
}

static void data_file(char name[128])
{
	snprintf(name, 128, "%s/data.mdb", path);
}

static void copy_file(const char *from, const char *to)
{
	char command[320];

	snprintf(command, sizeof(command), "cp %s %s", from, to);
	assert_int_equal(system(command), 0);
}

static uint64_t log_begin(void)
{
	uint64_t begin;

	return pread(memory, &begin, sizeof(begin), 0) == sizeof(begin) ? begin : 0; /* nothing, before the first */
}

/* A turn that changes so much that it is folded, and what lay there before. */
static void fold(uint64_t *ret_before)
{
	*ret_before = log_begin();
	push("l1 l2");
	close_input();
	assert_int_equal(generation(), 0);
	assert_true(log_begin() > *ret_before);
	assert_out("l1 1");
	assert_out("l2 2");
	assert_out("all=2 ");
}

/* Once more the end of the stream: what is remembered now. */
static const char *remembered(void)
{
	struct worker *relay = &rig.relay;

	rig_replace_relay(&rig, 1000);
	relay->cursor.finished = CURSOR_END_NONE;
	commit_add_cursor(&relay->commit, &relay->cursor);
	commit_publish(&relay->commit);
	if (generation() != 0)
		return "?";
	return rig_take(&rig.consumers[0]);
}

static void test_each_moment_of_a_fold(void **state)
{
	char name[128], folded[160];
	uint64_t before, after;

	(void)state;
	begin(&counts);
	fold(&before);
	assert_string_equal(remembered(), "all=2 ");
	/* The file was written, and the log not told. */
	assert_int_equal(pwrite(memory, &before, sizeof(before), 0), sizeof(before));
	assert_string_equal(remembered(), "all=2 ");
	end();

	/* What is not our file is an error, and not an empty state. */
	begin(&counts);
	fold(&before);
	after = log_begin();
	data_file(name);
	snprintf(folded, sizeof(folded), "%s.folded", name);
	copy_file(name, folded);
	assert_int_equal(unlink(name), 0);
	assert_string_equal(remembered(), "?");
	copy_file(folded, name);
	assert_string_equal(remembered(), "all=2 ");
	after += 8;
	assert_int_equal(pwrite(memory, &after, sizeof(after), 0), sizeof(after));
	assert_string_equal(remembered(), "?");
	end();
}

/* A turn with large changes ends early, so the log stays small. */
static void test_large_changes_end_the_turn(void **state)
{
	struct stat st;

	(void)state;
	begin(&counts);
	push("l1 l2 l3 l4 l5 l6 l7 l8");
	close_input();
	assert_int_equal(generation(), 0);
	assert_int_equal(fstat(memory, &st), 0);
	assert_true(st.st_size <= 8 << 20);
	end();
}

/* The disk is full when the log is to be folded: the stage fails, and what was committed counts. */
static void test_no_room_for_a_fold(void **state)
{
	struct rlimit before, small;

	(void)state;
	begin(&counts);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small = before;
	small.rlim_cur = 4 << 20; /* the log is written through a mapping; it grows no further either */
	push("a l1 l2");
	assert_int_equal(rig.relay.heritage.batch, 8);
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(ftruncate(memory, 4 << 20), 0);
	small.rlim_cur = 1 << 20;
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(generation(), WEIR_FAILED);
	setrlimit(RLIMIT_FSIZE, &before);
	close_input();
	assert_int_equal(generation(), 0);
	assert_out("a 1");
	assert_out("l1 2");
	assert_out("l2 3");
	assert_out("a=1 all=3 ");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counted),
		cmocka_unit_test(test_items_that_come_to_nothing_have_changed_nothing),
		cmocka_unit_test(test_a_loop_of_its_own),
		cmocka_unit_test(test_asynchronous),
		cmocka_unit_test(test_a_death_before_the_commit),
		cmocka_unit_test(test_a_commit_in_the_middle_of_an_item),
		cmocka_unit_test(test_each_moment_of_a_fold),
		cmocka_unit_test(test_large_changes_end_the_turn),
		cmocka_unit_test(test_no_room_for_a_fold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
