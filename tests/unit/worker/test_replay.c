/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters that are given again, to stages of each shape: what of them is as it was, and what begins anew. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/identity.h>
#include <weir/channel.h>
#include <weir/scope.h>

#include "common/base/clock.h"
#include "common/store/letter_replay.h"
#include "rig.h"
#include "worker/burial.h"
#include "worker/input.h"
#include "worker/replay.h"
#include "worker/run.h"
#include "worker/turn.h"

#define RUN 1000u
#define RELAY_SLOT 1u
#define EXPIRES (100 * NS_PER_S)
#define OLD_NS (1000 * NS_PER_S) /* ago it was accepted, and its own deadline was over */

static char folder[] = "/tmp/weir-test-replay-XXXXXX";
static struct rig rig;
static struct weir_budget budget; /* what the stage is told with the letter in hand */
static struct weir_identity identity;
static uint64_t scope_seen, begun_ns, number;
static uint32_t attempt_seen;
static bool refuses;

/* ---- the stage, in three shapes ---- */

static int look(struct weir_context *context, const struct weir_item *item)
{
	budget = weir_budget_of(context);
	scope_seen = weir_scope_id(context);
	attempt_seen = item->attempt;
	assert_int_equal(weir_identify(context, &identity), WEIR_OK);
	if (!refuses)
		return weir_emit(context, 0, item->data, item->size_bytes);
	weir_reject(context, "still not wanted");
	return WEIR_REJECTED;
}

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	return look(context, item);
}

static int run(struct weir_context *context, void *state)
{
	struct weir_item item;
	int r;

	(void)state;
	while ((r = weir_recv(context, 0, WEIR_FOREVER, &item)) == WEIR_OK)
		(void)look(context, &item);
	return r;
}

static uint64_t token;

static int put_aside(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state, (void)item;
	token = weir_defer(context);
	weir_watch(context, -1, 0, clock_now_ns());
	return WEIR_PENDING;
}

static int complete(struct weir_context *context, void *state)
{
	const struct weir_item *item;
	uint64_t given = token;
	int r;

	(void)state;
	token = 0;
	if (!given)
		return WEIR_OK;
	assert_int_equal(weir_resume(context, given, &item), 0);
	r = look(context, item);
	return weir_complete(context, given, r);
}

static const struct shape {
	struct weir_stage stage;
	uint32_t in_flight;
	int (*loop)(struct worker *worker);
} shapes[] = {
	{ { .role = WEIR_OPERATOR, .process = process }, 1, turn_loop },
	{ { .role = WEIR_OPERATOR, .run = run }, 1, run_loop },
	{ { .role = WEIR_OPERATOR, .process = put_aside, .produce = complete }, 4, turn_loop },
};
#define N_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* ---- the letter ---- */

static struct letter_store *store_of(struct worker *worker)
{
	struct letter_store *store;

	assert_int_equal(burial_open(worker, &store), 0);
	return store;
}

/* It came with scope 7 and a deadline that was over long ago, and has cost two workers. */
static uint64_t write_letter(struct worker *worker)
{
	struct extension extension = { .scope = 7, .deadline_ns = clock_realtime_ns() - OLD_NS };
	unsigned char words[ITEM_EXTENSION_SIZE_MAX];
	struct dead_letter letter = {
		.pipeline = "p",
		.stage = "relay",
		.cause = DEAD_LETTER_REJECTED,
		.reason = "not wanted",
		.attempts = 2,
		.input = "producer",
		.data = "letter",
		.size_bytes = strlen("letter"),
		.run = RUN,
		.sequence = 31,
		.producer = 5,
		.part = 8,
		.time_ns = clock_realtime_ns(),
		.accepted_ns = clock_realtime_ns() - OLD_NS,
		.baggage = words,
		.baggage_bytes = extension_words(&extension) * ITEM_WORD_BYTES,
	};
	uint64_t id;

	extension_write(&extension, extension_words(&extension), words);
	assert_int_equal(letter_store_put(store_of(worker), &letter, &id), 0);
	return id;
}

/* A relay to which one letter is to be given again, and nothing else comes. Returns the letter's id. */
static uint64_t begin(const struct shape *shape)
{
	struct letter_mark mark = { .run = RUN, .slot = RELAY_SLOT };
	struct worker *relay = &rig.relay;
	size_t n;

	rig_init_chain_asynchronous(&rig, &shape->stage, shape->in_flight);
	relay->heritage.pipeline = strdup("p");
	relay->heritage.stage = strdup("relay");
	relay->heritage.run = RUN;
	relay->heritage.dead_letter_store = strdup(folder);
	mark.id = write_letter(relay);
	assert_int_equal(letter_store_mark(store_of(relay), &mark, 1, &n), 0);
	number++; /* the store counts marks from 1 */
	store_release(&rig.board->replays, 1);
	lane_out_close(&rig.producers[0].outputs[0].lanes[0].lane);
	refuses = false;
	token = 0;
	begun_ns = clock_now_ns();
	return mark.id;
}

static void end(uint64_t n_rejected)
{
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_REPLAYED], 1);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_REJECTED_IN], n_rejected);
	replay_detach(&rig.relay);
	rig_deinit(&rig);
}

/* What came out of it. */
static void take_output(struct extension *ret_extension, uint64_t *ret_accepted_ns)
{
	struct input input;

	assert_int_equal(input_next(&rig.consumers[0], &input), 0);
	assert_int_equal(input.size_bytes, strlen("letter"));
	assert_int_equal(extension_read(ret_extension, input.extension, input.header.flags), 0);
	*ret_accepted_ns = input.header.accepted_ns;
	input_take(&rig.consumers[0], &input);
}

/* ---- what holds ---- */

static void test_it_has_no_deadline_of_its_own(void **state)
{
	struct extension extension;
	uint64_t accepted_ns;

	(void)state;
	for (size_t i = 0; i < N_SHAPES; i++) {
		begin(&shapes[i]);
		assert_int_equal(shapes[i].loop(&rig.relay), 0);
		assert_int_equal(budget.deadline_ns, WEIR_FOREVER);
		take_output(&extension, &accepted_ns);
		assert_int_equal(extension.deadline_ns, 0);
		assert_true(accepted_ns <= begun_ns - OLD_NS ||
			    accepted_ns == 1);   /* as it was, or as old as the boot */
		assert_int_equal(scope_seen, 7); /* the rest of what it had brought goes along */
		assert_int_equal(extension.scope, 7);
		end(0);
	}
}

/* It is the item that it was before it became a letter. */
static void test_it_is_who_it_was(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SHAPES; i++) {
		struct extension extension;
		uint64_t accepted_ns;

		begin(&shapes[i]);
		assert_int_equal(shapes[i].loop(&rig.relay), 0);
		assert_int_equal(identity.run, RUN);
		assert_int_equal(identity.sequence, 31);
		assert_int_equal(identity.producer, 5);
		assert_int_equal(identity.part, 8);
		assert_int_equal(identity.input, 0);
		take_output(&extension, &accepted_ns);
		end(0);
	}
}

/* Else the stages behind this one would find that it has expired long ago. */
static void test_where_items_expire_its_run_begins_anew(void **state)
{
	struct extension extension;
	uint64_t accepted_ns;

	(void)state;
	for (size_t i = 0; i < N_SHAPES; i++) {
		begin(&shapes[i]);
		rig.relay.heritage.expires_ns = EXPIRES;
		assert_int_equal(shapes[i].loop(&rig.relay), 0);
		assert_in_range(budget.deadline_ns, begun_ns + EXPIRES, clock_now_ns() + EXPIRES);
		take_output(&extension, &accepted_ns);
		assert_int_equal(accepted_ns + EXPIRES, budget.deadline_ns);
		end(0);
	}
}

static int copy_story(void *data, const struct dead_letter *letter)
{
	struct text *story = data;

	text_printf(story, "%u:", letter->attempts);
	for (uint32_t i = 0; i < letter->n_deaths; i++)
		text_printf(story, " %s;", letter->deaths[i].how);
	return 0;
}

/* Refused once more, by a worker that knows how others of its seat have died: of this letter, or of somebody else's item. */
static void refuse_again(const struct shape *shape, uint32_t n_died_of_it, const char *expected)
{
	struct heritage_death *death = calloc(1, sizeof(*death));
	_cleanup_(text_deinit) struct text story = TEXT_NULL;
	uint64_t id = begin(shape);

	death->how = strdup("was killed by SIGSEGV");
	rig.relay.heritage.deaths = death;
	rig.relay.heritage.n_deaths = 1;
	rig.relay.suspect_attempts = n_died_of_it;
	rig.relay.suspect_lane = HAND_LETTER;
	rig.relay.suspect_position = number;
	refuses = true;
	assert_int_equal(shape->loop(&rig.relay), 0);
	assert_int_equal(attempt_seen, 2 + n_died_of_it);
	assert_int_equal(rig.relay.suspect_attempts, 0);
	assert_int_equal(letter_store_get(store_of(&rig.relay), id, copy_story, &story), 0);
	assert_string_equal(text_get(&story), expected);
	assert_int_equal(letter_store_remove(store_of(&rig.relay), &id, 1, NULL), 0);
	end(1);
}

static void test_its_story_is_of_its_own_deaths(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SHAPES; i++) {
		refuse_again(&shapes[i], 0, "2: was refused: not wanted;");
		refuse_again(&shapes[i], 1, "3: was refused: not wanted; was killed by SIGSEGV;");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_has_no_deadline_of_its_own),
		cmocka_unit_test(test_it_is_who_it_was),
		cmocka_unit_test(test_where_items_expire_its_run_begins_anew),
		cmocka_unit_test(test_its_story_is_of_its_own_deaths),
	};
	char command[64];
	int failed;

	if (!mkdtemp(folder))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command) ? 1 : failed;
}
