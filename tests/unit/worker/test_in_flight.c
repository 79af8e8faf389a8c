/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "rig.h"
#include "worker/host.h"
#include "worker/in_flight.h"
#include "worker/input.h"
#include "worker/turn.h"

#define CALLS_MAX 64u

/* A stage that puts everything aside, and when it is asked completes the newest first, up to `at_once` of them. */
static struct {
	uint64_t tokens[CALLS_MAX];
	char given[CALLS_MAX * 8]; /* texts, in the order in which they were given */
	unsigned n, peak, at_once, most_given, n_finished;
	unsigned stop_after; /* completions; then it fails, as if it were killed */
} calls;

static void calls_init(unsigned at_once)
{
	memset(&calls, 0, sizeof(calls));
	calls.at_once = at_once;
	calls.stop_after = CALLS_MAX;
}

static int defer_all(struct weir_context *context, void *state, const struct weir_item *item)
{
	uint64_t token = weir_defer(context);

	(void)state;
	if (!token)
		return WEIR_FAILED;
	assert_in_range(calls.n, 0, CALLS_MAX - 1);
	calls.tokens[calls.n++] = token;
	if (calls.n > calls.peak)
		calls.peak = calls.n;
	snprintf(calls.given + strlen(calls.given), sizeof(calls.given) - strlen(calls.given), "%.*s ",
		 (int)item->size_bytes, (const char *)item->data);
	weir_watch(context, -1, 0, 1); /* at the next sleep or turn */
	return WEIR_PENDING;
}

static int complete_newest(struct weir_context *context, void *state)
{
	(void)state;
	for (unsigned i = 0; i < calls.at_once && calls.n; i++) {
		const struct weir_item *item;
		uint64_t token = calls.tokens[calls.n - 1];
		int r;

		if (!calls.stop_after--) {
			weir_fail(context, "it has had enough");
			return WEIR_FAILED;
		}
		r = weir_resume(context, token, &item);
		if (r == 0)
			r = weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
		if (r == 0)
			r = weir_complete(context, token, WEIR_OK);
		if (r)
			return r;
		calls.n--;
	}
	if (calls.n)
		weir_watch(context, -1, 0, 1);
	return 0;
}

static int count_finish(struct weir_context *context, void *state)
{
	(void)context, (void)state;
	assert_int_equal(calls.n, 0); /* all of them are complete */
	calls.n_finished++;
	return 0;
}

static const struct weir_stage newest_first = {
	.role = WEIR_OPERATOR, .process = defer_all, .produce = complete_newest, .finish = count_finish
};

static void push_numbers(struct rig *rig, unsigned n)
{
	char text[16];

	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%u", i);
		assert_int_equal(rig_push(&rig->producers[0], text), 0);
	}
	rig_commit(&rig->producers[0]);
}

static void close_input(struct rig *rig)
{
	lane_out_close(&rig->producers[0].outputs[0].lanes[0].lane);
}

/* Everything that has come out, in its order. */
static const char *outputs(struct rig *rig)
{
	static char all[CALLS_MAX * 8];
	const char *text;

	for (all[0] = '\0'; strcmp(text = rig_take(&rig->consumers[0]), ".") && strcmp(text, "-");
	     strcat(strcat(all, text), " "))
		assert_true(strlen(all) + strlen(text) + 2 < sizeof(all));
	rig_commit(&rig->consumers[0]);
	return all;
}

static void test_items_complete_in_any_order(void **state)
{
	struct rig rig;

	(void)state;
	calls_init(3);
	rig_init_chain_asynchronous(&rig, &newest_first, 4);
	push_numbers(&rig, 6);
	close_input(&rig);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_string_equal(calls.given, "0 1 2 3 4 5 ");
	assert_string_equal(outputs(&rig), "3 2 1 0 5 4 ");
	assert_int_equal(calls.peak, 4); /* and never more */
	assert_int_equal(calls.n_finished, 1);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 6);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_CONSUMED], 6);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_EMITTED], 6);
	assert_true(load_relaxed(&rig.relay.segment.readers[0].done) ==
		    load_relaxed(&rig.producers[0].segment.writers[0].tail));
	assert_int_equal(load_relaxed(&rig.relay.segment.hand->in_flight), 0);
	assert_int_equal(load_relaxed(&rig.relay.segment.hand->busy), 0);
	rig_deinit(&rig);
}

static void test_the_next_generation_gets_the_unfinished_in_order(void **state)
{
	struct rig rig;

	(void)state;
	calls_init(3);
	calls.stop_after = 3;
	rig_init_chain_asynchronous(&rig, &newest_first, 8);
	push_numbers(&rig, 8);
	close_input(&rig);
	assert_int_equal(turn_loop(&rig.relay), WEIR_FAILED);
	assert_string_equal(rig.relay.reason, "it has had enough");
	assert_string_equal(outputs(&rig), "7 6 5 ");
	assert_int_equal(load_relaxed(&rig.relay.segment.hand->in_flight), 5);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 3);
	rig_replace_relay(&rig, 1);
	calls_init(8);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_string_equal(calls.given, "0 1 2 3 4 ");
	assert_string_equal(outputs(&rig), "4 3 2 1 0 ");
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 8);
	rig_deinit(&rig);
}

/* As many at a time as the board says, until past those of the last death. */
static void test_after_a_death_it_is_careful(void **state)
{
	struct rig rig;

	(void)state;
	calls_init(1);
	calls.stop_after = 0;
	rig_init_chain_asynchronous(&rig, &newest_first, 4);
	push_numbers(&rig, 4);
	assert_int_equal(turn_loop(&rig.relay), WEIR_FAILED);
	assert_int_equal(calls.peak, 4);
	push_numbers(&rig, 6);
	close_input(&rig);
	rig.board->slots[1].in_flight_limit = 1;
	calls_init(8);
	rig_replace_relay(&rig, 1);
	assert_int_equal(turn_loop(&rig.relay), 0);
	/* one by one, then four at a time, the newest first */
	assert_string_equal(outputs(&rig), "0 1 2 3 3 2 1 0 5 4 ");
	assert_int_equal(calls.peak, 4);
	rig_deinit(&rig);
}

static struct board *board_to_cancel;

static int cancel_in_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	int r = defer_all(context, state, item);

	if (calls.n == 3)
		store_release(&board_to_cancel->order, BOARD_CANCEL);
	return r;
}

static void test_a_cancel_drops_what_is_pending(void **state)
{
	static const struct weir_stage stage = {
		.role = WEIR_OPERATOR, .process = cancel_in_process, .produce = complete_newest, .finish = count_finish
	};
	struct rig rig;

	(void)state;
	calls_init(8);
	rig_init_chain_asynchronous(&rig, &stage, 4);
	board_to_cancel = rig.board;
	push_numbers(&rig, 6);
	assert_int_equal(turn_loop(&rig.relay), WEIR_CANCELLED);
	assert_string_equal(calls.given, "0 1 2 ");
	assert_string_equal(outputs(&rig), "");
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 0);
	assert_int_equal(calls.n_finished, 0);
	rig_deinit(&rig);
}

/* A lane that is too small for what completes at once: what is complete goes out first, and nothing comes twice. */
static void *drain_slowly(void *data)
{
	struct rig *rig = data;
	const char *text;
	unsigned *n = calloc(1, sizeof(*n));

	while (strcmp(text = rig_take(&rig->consumers[0]), ".")) {
		if (strcmp(text, "-")) {
			++*n;
			rig_commit(&rig->consumers[0]);
		}
		usleep(500);
	}
	return n;
}

static int complete_large(struct weir_context *context, void *state)
{
	static const char large[1500];

	(void)state;
	while (calls.n) {
		int r = weir_resume(context, calls.tokens[calls.n - 1], NULL);

		for (int i = 0; r == 0 && i < 2; i++)
			r = weir_emit(context, 0, large, sizeof(large));
		if (r == 0)
			r = weir_complete(context, calls.tokens[calls.n - 1], WEIR_OK);
		if (r)
			return r;
		calls.n--;
	}
	return 0;
}

static void test_a_resumed_item_waits_for_room(void **state)
{
	static const struct weir_stage stage = { .role = WEIR_OPERATOR,
						 .process = defer_all,
						 .produce = complete_large };
	pthread_t thread;
	struct rig rig;
	void *n;

	(void)state;
	calls_init(0);
	rig_init_chain_asynchronous(&rig, &stage, 8);
	push_numbers(&rig, 8);
	close_input(&rig);
	assert_int_equal(pthread_create(&thread, NULL, drain_slowly, &rig), 0);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(pthread_join(thread, &n), 0);
	assert_int_equal(*(unsigned *)n, 16);
	free(n);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_EMITTED], 16);
	rig_deinit(&rig);
}

/* ---- misuse ---- */

enum misuse {
	PENDING_WITHOUT_DEFER,
	DEFER_TWICE,
	DEFER_AND_OK,
	EMIT_AND_PENDING,
	COMPLETE_TWICE,
	UNKNOWN_TOKEN,
	OLD_TOKEN,
	RESUME_IN_PROCESS,
	NO_END,
	GIVE_UP_WITHOUT_REASON,
	GIVE_UP_UNRESUMED,
	EMIT_AND_FORGET,
	N_MISUSES,
};
static enum misuse misuse;

static int misuse_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	if (misuse == PENDING_WITHOUT_DEFER)
		return WEIR_PENDING;
	calls.tokens[0] = weir_defer(context);
	assert_true(calls.tokens[0] != 0);
	if (misuse == DEFER_AND_OK)
		return WEIR_OK;
	if (misuse == DEFER_TWICE)
		assert_true(weir_defer(context) == 0);
	if (misuse == EMIT_AND_PENDING)
		assert_int_equal(weir_emit(context, 0, item->data, item->size_bytes), 0);
	if (misuse == RESUME_IN_PROCESS)
		assert_int_equal(weir_resume(context, calls.tokens[0], NULL), WEIR_FAILED);
	weir_produce_next(context);
	return WEIR_PENDING;
}

static int misuse_produce(struct weir_context *context, void *state)
{
	uint64_t token = calls.tokens[0];

	(void)state;
	if (!token)
		return 0; /* the first call, before any item */
	switch (misuse) {
	case COMPLETE_TWICE:
		assert_int_equal(weir_complete(context, token, WEIR_OK), 0);
		assert_int_equal(weir_complete(context, token, WEIR_OK), WEIR_FAILED);
		break;
	case UNKNOWN_TOKEN:
		assert_int_equal(weir_complete(context, 4711, WEIR_OK), WEIR_FAILED);
		break;
	case OLD_TOKEN:
		assert_int_equal(weir_resume(context, token ^ UINT64_C(1) << 48, NULL), WEIR_FAILED);
		break;
	case NO_END:
		assert_int_equal(weir_complete(context, token, WEIR_MORE), WEIR_FAILED);
		break;
	case GIVE_UP_WITHOUT_REASON:
		assert_int_equal(weir_resume(context, token, NULL), 0);
		assert_int_equal(weir_complete(context, token, WEIR_EXPIRED), WEIR_FAILED);
		break;
	case GIVE_UP_UNRESUMED:
		weir_reject(context, "it has a reason");
		assert_int_equal(weir_complete(context, token, WEIR_PEER_LOST), WEIR_FAILED);
		break;
	case EMIT_AND_FORGET:
		assert_int_equal(weir_resume(context, token, NULL), 0);
		assert_int_equal(weir_emit(context, 0, "x", 1), 0);
		break;
	default:
		break;
	}
	return 0; /* as if nothing were wrong */
}

static void test_misuse_fails_the_stage_with_a_reason(void **state)
{
	static const struct weir_stage stage = { .role = WEIR_OPERATOR,
						 .process = misuse_process,
						 .produce = misuse_produce };
	static const char *const reasons[N_MISUSES] = {
		[PENDING_WITHOUT_DEFER] = "WEIR_PENDING without weir_defer()",
		[DEFER_TWICE] = "weir_defer() twice",
		[DEFER_AND_OK] = "weir_defer() and returned 0 (ok)",
		[EMIT_AND_PENDING] = "emitted and returned WEIR_PENDING",
		[COMPLETE_TWICE] = "weir_complete() with token",
		[UNKNOWN_TOKEN] = "weir_complete() with token",
		[OLD_TOKEN] = "weir_resume() with token",
		[RESUME_IN_PROCESS] = "weir_resume() outside produce()",
		[NO_END] = "weir_complete() with 1 (more)",
		[GIVE_UP_WITHOUT_REASON] = "weir_complete() with 7 (expired)",
		[GIVE_UP_UNRESUMED] = "weir_complete() with 12 (peer lost)",
		[EMIT_AND_FORGET] = "did not complete it",
	};

	(void)state;
	for (misuse = 0; misuse < N_MISUSES; misuse++) {
		struct rig rig;

		calls_init(1);
		rig_init_chain_asynchronous(&rig, &stage, 4);
		push_numbers(&rig, 1);
		close_input(&rig);
		assert_int_equal(turn_loop(&rig.relay), WEIR_FAILED);
		if (!strstr(rig.relay.reason, reasons[misuse]))
			fail_msg("'%s' says nothing of '%s'", rig.relay.reason, reasons[misuse]);
		assert_string_equal(outputs(&rig), "");
		assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], misuse == COMPLETE_TWICE);
		rig_deinit(&rig);
	}
}

static int defer_anyway(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state, (void)item;
	assert_int_equal(weir_in_flight(context), 1);
	assert_true(weir_defer(context) == 0);
	assert_int_equal(weir_complete(context, 1, WEIR_OK), WEIR_FAILED);
	return misuse == PENDING_WITHOUT_DEFER ? WEIR_PENDING : WEIR_FAILED;
}

static void test_without_in_flight_nothing_can_be_deferred(void **state)
{
	static const struct weir_stage stage = { .role = WEIR_OPERATOR, .process = defer_anyway };
	struct rig rig;

	(void)state;
	for (misuse = PENDING_WITHOUT_DEFER; misuse <= DEFER_TWICE; misuse++) { /* says so, or just fails */
		rig_init_chain(&rig, &stage);
		push_numbers(&rig, 1);
		close_input(&rig);
		assert_int_equal(turn_loop(&rig.relay), WEIR_FAILED);
		assert_non_null(strstr(rig.relay.reason, "in_flight: 1"));
		rig_deinit(&rig);
	}
}

/* The cursor belongs to what is complete: what process() wrote before it put the item aside is undone. */
static int write_and_defer(struct weir_context *context, void *state, const struct weir_item *item)
{
	*(uint64_t *)weir_cursor(context) += 100;
	return defer_all(context, state, item);
}

static int write_and_complete(struct weir_context *context, void *state)
{
	(void)state;
	for (; calls.n; calls.n--) {
		assert_int_equal(weir_resume(context, calls.tokens[calls.n - 1], NULL), 0);
		*(uint64_t *)weir_cursor(context) += 1;
		if (calls.n == 2) { /* this one is put back the first time */
			weir_watch(context, -1, 0, 1);
			if (calls.at_once--)
				return 0;
		}
		assert_int_equal(weir_complete(context, calls.tokens[calls.n - 1], WEIR_OK), 0);
	}
	return 0;
}

static void test_the_cursor_moves_with_complete_items_only(void **state)
{
	static const struct weir_stage stage = {
		.role = WEIR_OPERATOR, .cursor_size_bytes = 8, .process = write_and_defer, .produce = write_and_complete
	};
	struct rig rig;

	(void)state;
	calls_init(1);
	rig_init_chain_asynchronous(&rig, &stage, 4);
	push_numbers(&rig, 3);
	close_input(&rig);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(*(uint64_t *)(void *)rig.relay.cursor.stage, 3);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 3);
	rig_deinit(&rig);
}

/* The stage has tried "0" and "1" itself, in vain; what it emitted for them is forgotten. "2" goes on. */
static int give_up_two(struct weir_context *context, void *state)
{
	static const int ends[] = { WEIR_EXPIRED, WEIR_PEER_LOST, WEIR_OK };

	(void)state;
	if (calls.n < 3)
		return 0;
	for (unsigned i = 0; i < 3; i++) {
		const struct weir_item *item;
		int r = weir_resume(context, calls.tokens[i], &item);

		if (r == 0)
			r = weir_emit(context, 0, item->data, item->size_bytes);
		if (ends[i])
			weir_reject(context, "it was tried, number %u", i);
		if (r == 0)
			r = weir_complete(context, calls.tokens[i], ends[i]);
		if (r)
			return r;
	}
	calls.n = 0;
	return 0;
}

static void test_what_the_stage_has_tried_in_vain_is_given_up(void **state)
{
	static const struct weir_stage stage = { .role = WEIR_OPERATOR, .process = defer_all, .produce = give_up_two };
	char path[] = "/tmp/weir-test-in-flight-XXXXXX", lines[8192] = "";
	struct rig rig;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	calls_init(1);
	rig_init_chain_asynchronous(&rig, &stage, 4);
	rig.relay.heritage.attempts = 3;
	rig.relay.heritage.dead_letter_path = strdup(path);
	push_numbers(&rig, 3);
	close_input(&rig);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_string_equal(outputs(&rig), "2 ");
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 3);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_DEAD_LETTERED], 2);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_EMITTED], 1);
	assert_true(read(fd, lines, sizeof(lines) - 1) > 0);
	for (unsigned i = 0; i < 2; i++) {
		const char *line = i ? strchr(lines, '\n') + 1 : lines;

		assert_ptr_equal(strstr(line, "\"cause\":\""),
				 strstr(line, i ? "\"cause\":\"attempts\"" : "\"cause\":\"deadline\""));
		assert_non_null(strstr(line, i ? "it was tried, number 1" : "it was tried, number 0"));
		assert_non_null(strstr(line, "\"attempts\":3"));
	}
	close(fd);
	unlink(path);
	rig_deinit(&rig);
}

static int hold(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	(void)item;
	weir_produce_next(context);
	return WEIR_HELD;
}

/* One that it has ended attempts at, and before it one whose time was over. */
static int give_up_held(struct weir_context *context, void *state)
{
	(void)state;
	if (calls.n++)
		weir_overran(context);
	return weir_give_up(context, 1, "x", 1, "it has waited for the others for too long");
}

/* A letter of what a stage kept says how many attempts there were, if there were any: nobody died of it. */
static void test_what_was_held_has_cost_nobody(void **state)
{
	static const struct weir_stage stage = { .role = WEIR_OPERATOR, .process = hold, .produce = give_up_held };
	char path[] = "/tmp/weir-test-in-flight-XXXXXX", lines[8192] = "";
	struct rig rig;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	calls_init(1);
	rig_init_chain(&rig, &stage);
	rig.relay.heritage.attempts = 3;
	rig.relay.heritage.dead_letter_path = strdup(path);
	push_numbers(&rig, 2);
	close_input(&rig);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_DEAD_LETTERED], 2);
	assert_true(read(fd, lines, sizeof(lines) - 1) > 0);
	assert_ptr_equal(strstr(lines, "\"attempts\":"), strstr(lines, "\"attempts\":0"));
	assert_non_null(strstr(strchr(lines, '\n'), "\"attempts\":3"));
	close(fd);
	unlink(path);
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items_complete_in_any_order),
		cmocka_unit_test(test_the_next_generation_gets_the_unfinished_in_order),
		cmocka_unit_test(test_after_a_death_it_is_careful),
		cmocka_unit_test(test_a_cancel_drops_what_is_pending),
		cmocka_unit_test(test_a_resumed_item_waits_for_room),
		cmocka_unit_test(test_misuse_fails_the_stage_with_a_reason),
		cmocka_unit_test(test_without_in_flight_nothing_can_be_deferred),
		cmocka_unit_test(test_the_cursor_moves_with_complete_items_only),
		cmocka_unit_test(test_what_the_stage_has_tried_in_vain_is_given_up),
		cmocka_unit_test(test_what_was_held_has_cost_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
