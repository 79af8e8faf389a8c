/* SPDX-License-Identifier: Apache-2.0 */
/* What items bring along, through a stage; and items whose scope is cancelled. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/baggage.h>
#include <weir/scope.h>

#include "common/base/clock.h"
#include "common/memory/scope_table.h"
#include "common/scope/cause.h"
#include "rig.h"
#include "worker/baggage.h"
#include "worker/cancelled.h"
#include "worker/input.h"
#include "worker/output.h"
#include "worker/scopes.h"
#include "worker/turn.h"

static struct rig rig;
static char seen[1024]; /* by the stage */

static void push(const char *text, uint64_t scope, const char *tenant)
{
	struct worker *producer = &rig.producers[0];

	producer->phase = PHASE_PRODUCE;
	if (scope)
		assert_int_equal(baggage_enter(&producer->context, scope), 0);
	if (tenant)
		assert_int_equal(baggage_set(&producer->context, "tenant", tenant, strlen(tenant)), 0);
	assert_int_equal(rig_push(producer, text), 0);
	baggage_end(producer);
	producer->phase = PHASE_NONE;
}

static void push_all_and_close(void)
{
	rig_commit(&rig.producers[0]);
	lane_out_close(&rig.producers[0].outputs[0].lanes[0].lane);
}

/* "text@scope tenant;" of all that came out. */
static const char *outputs(void)
{
	static char all[1024];
	struct input input;
	struct extension extension;
	const void *value;
	size_t n;

	for (all[0] = '\0'; input_next(&rig.consumers[0], &input) == 0; input_take(&rig.consumers[0], &input)) {
		size_t length = strlen(all);

		assert_int_equal(extension_read(&extension, input.extension, input.header.flags), 0);
		if (!extension_get(&extension, "tenant", &value, &n))
			n = 0, value = "";
		snprintf(all + length, sizeof(all) - length, "%.*s@%llu %.*s;", (int)input.size_bytes,
			 (const char *)input.payload, (unsigned long long)extension.scope, (int)n, (const char *)value);
	}
	return all;
}

static void note(const struct weir_item *item)
{
	size_t length = strlen(seen);

	snprintf(seen + length, sizeof(seen) - length, "%.*s ", (int)item->size_bytes, (const char *)item->data);
}

static int pass_on(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	note(item);
	return weir_emit(context, 0, item->data, item->size_bytes);
}

static const struct weir_stage passing = { .role = WEIR_OPERATOR, .process = pass_on };

static void begin(const struct weir_stage *stage)
{
	seen[0] = '\0';
	rig_init_chain(&rig, stage);
	assert_int_equal(scopes_open(&rig.relay), 0);
}

static void end(void)
{
	scopes_close(&rig.relay);
	rig_deinit(&rig);
}

static void run(void)
{
	push_all_and_close();
	assert_int_equal(turn_loop(&rig.relay), 0);
}

static void cancel(uint64_t scope, enum cause cause)
{
	uint32_t place;

	assert_int_equal(scope_table_add(rig.board, scope, cause, &place), 0);
}

/* ---- baggage ---- */

static void test_is_inherited(void **state)
{
	(void)state;
	begin(&passing);
	push("a", 0, NULL);
	push("b", 7, NULL);
	push("c", 0, "acme");
	push("d", 0, NULL);
	push("e", 8, "x");
	push("f", 0, NULL);
	run();
	assert_string_equal(seen, "a b c d e f ");
	assert_string_equal(outputs(), "a@0 ;b@7 ;c@0 acme;d@0 ;e@8 x;f@0 ;");
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_CONSUMED], 6);
	end();
}

/* One that has expired is not begun: what it brought is nobody's, and an item without any brings none. */
static void test_of_what_has_expired_is_not_the_next_items(void **state)
{
	(void)state;
	begin(&passing);
	rig.relay.heritage.expires_ns = NS_PER_S * 100;
	rig.relay.inputs[0].plain = rig.relay.plain_input = rig.relay.runs_input = false;
	rig.producers[0].context.accepted_ns = clock_now_ns() - NS_PER_S * 100;
	push("old", 7, "acme");
	rig.producers[0].context.accepted_ns = clock_now_ns();
	push("a", 0, NULL);
	push("b", 8, NULL);
	run();
	assert_string_equal(seen, "a b ");
	assert_string_equal(outputs(), "a@0 ;b@8 ;");
	end();
}

static int change(struct weir_context *context, void *state, const struct weir_item *item)
{
	char large[WEIR_BAGGAGE_SIZE_MAX];
	const void *value;
	size_t n;

	(void)state;
	memset(large, 'x', sizeof(large));
	switch (*(const char *)item->data) {
	case 'a': /* before and after */
		assert_int_equal(weir_emit(context, 0, "a1", 2), 0);
		assert_int_equal(weir_baggage_set(context, "tenant", "new", 3), 0);
		assert_int_equal(weir_scope_enter(context, 99), 0);
		break;
	case 'b':
		assert_int_equal(weir_baggage_get(context, "tenant", &value, &n), 0);
		assert_memory_equal(value, "acme", 4);
		assert_int_equal(weir_scope_id(context), 5);
		assert_int_equal(weir_baggage_set(context, "large", large, sizeof(large)), WEIR_TOO_LARGE);
		assert_int_equal(weir_baggage_set(context, "", "x", 1), -EINVAL);
		break;
	case 'c':
		assert_int_equal(weir_baggage_clear(context), 0);
		break;
	default: /* nothing of all that stays */
		assert_int_equal(weir_baggage_get(context, "tenant", &value, &n), -ENOENT);
		assert_int_equal(weir_scope_id(context), 0);
	}
	return weir_emit(context, 0, item->data, item->size_bytes);
}

static void test_is_changed_for_what_follows(void **state)
{
	const struct weir_stage stage = { .role = WEIR_OPERATOR, .process = change };

	(void)state;
	begin(&stage);
	push("a", 0, NULL);
	push("d", 0, NULL);
	push("b", 5, "acme");
	push("d", 0, NULL);
	push("c", 6, "acme");
	push("a", 3, "old");
	push("d", 0, NULL);
	run();
	assert_string_equal(outputs(), "a1@0 ;a@99 new;d@0 ;b@5 acme;d@0 ;c@0 ;a1@3 old;a@99 new;d@0 ;");
	assert_int_equal(weir_baggage_set(&rig.relay.context, "k", "v", 1), -EPERM); /* no callback */
	end();
}

static int reserve_and_change(struct weir_context *context, void *state, const struct weir_item *item)
{
	void *payload;

	(void)state, (void)item;
	assert_int_equal(weir_reserve(context, 0, 8, &payload), 0);
	memcpy(payload, "12345678", 8);
	assert_int_equal(weir_baggage_set(context, "tenant", "late", 4), 0);
	assert_int_equal(weir_push(context, 0, 8), -EINVAL);
	return 0;
}

static void test_reserved_room_goes_with_a_change(void **state)
{
	const struct weir_stage stage = { .role = WEIR_OPERATOR, .process = reserve_and_change };

	(void)state;
	begin(&stage);
	push("a", 0, NULL);
	push_all_and_close();
	assert_int_equal(turn_loop(&rig.relay), WEIR_FAILED);
	assert_string_equal(outputs(), "");
	end();
}

/* Holds 'h', emits for the others. */
static int hold_some(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	if (*(const char *)item->data == 'h')
		return WEIR_HELD;
	if (*(const char *)item->data == 's')
		weir_settle(context, 1);
	return weir_emit(context, 0, item->data, item->size_bytes);
}

static void test_what_is_made_of_several_inherits_nothing(void **state)
{
	const struct weir_stage stage = { .role = WEIR_OPERATOR, .process = hold_some };

	(void)state;
	begin(&stage);
	push("a", 1, "t");
	push("h", 2, "t");
	push("b", 3, "t");
	push("s", 4, "t");
	push("c", 5, "t");
	run();
	assert_string_equal(outputs(), "a@1 t;b@0 ;s@0 ;c@5 t;");
	end();
}

/* ---- produce() goes on for the item, also in the next generation ---- */

static unsigned n_to_make;
static bool fails;

static int make_more(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)context, (void)state, (void)item;
	n_to_make = 3;
	return WEIR_MORE;
}

static int make_one(struct weir_context *context, void *state)
{
	int r;

	(void)state;
	if (!n_to_make)
		return 0;
	if (fails && n_to_make == 2) {
		weir_fail(context, "it has had enough");
		return WEIR_FAILED;
	}
	r = weir_emit(context, 0, "m", 1);
	return r ? r : --n_to_make ? WEIR_MORE : 0;
}

static void test_goes_on_in_produce_and_after_a_death(void **state)
{
	const struct weir_stage stage = { .role = WEIR_OPERATOR, .process = make_more, .produce = make_one };

	(void)state;
	begin(&stage);
	n_to_make = 0;
	fails = true;
	push("a", 7, "acme");
	push("b", 0, NULL);
	push_all_and_close();
	assert_int_equal(turn_loop(&rig.relay), WEIR_FAILED);
	assert_string_equal(outputs(), "m@7 acme;");
	scopes_close(&rig.relay);
	rig_replace_relay(&rig, 1);
	assert_int_equal(scopes_open(&rig.relay), 0);
	fails = false;
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_string_equal(outputs(), "m@7 acme;m@7 acme;m@0 ;m@0 ;m@0 ;");
	assert_int_equal(rig.relay.cursor.extension_words, 0);
	end();
}

static unsigned char packed[3][WEIR_BAGGAGE_PACKED_MAX];
static size_t packed_bytes[3], n_packed;

static int keep_packed(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state, (void)item;
	packed_bytes[n_packed] = weir_baggage_pack(context, packed[n_packed]);
	n_packed++;
	weir_produce_next(context);
	return WEIR_HELD;
}

static int emit_packed(struct weir_context *context, void *state)
{
	(void)state;
	if (n_packed < 3)
		return 0;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(weir_baggage_unpack(context, packed[2 - i], packed_bytes[2 - i]), 0);
		assert_int_equal(weir_emit(context, 0, "p", 1), 0);
	}
	assert_int_equal(weir_baggage_unpack(context, packed[0], 8), -EINVAL);
	assert_int_equal(weir_baggage_unpack(context, packed[0], 25), -EINVAL);
	weir_settle(context, 3);
	n_packed = 0;
	return 0;
}

static void test_is_packed_by_who_holds(void **state)
{
	const struct weir_stage stage = { .role = WEIR_OPERATOR, .process = keep_packed, .produce = emit_packed };

	(void)state;
	begin(&stage);
	n_packed = 0;
	push("a", 1, "t");
	push("b", 0, NULL);
	push("c", 3, NULL);
	run();
	assert_string_equal(outputs(), "p@3 ;p@0 ;p@1 t;");
	end();
}

/* ---- scopes ---- */

static void test_items_of_a_cancelled_scope_are_never_started(void **state)
{
	(void)state;
	begin(&passing);
	push("a", 1, NULL);
	push("b", 2, NULL);
	push("c", 0, NULL);
	push("d", 2, NULL);
	push("e", 3, NULL);
	cancel(2, CAUSE_DOWNSTREAM_GONE);
	cancel(4, CAUSE_USER);
	run();
	assert_string_equal(seen, "a c e ");
	assert_string_equal(outputs(), "a@1 ;c@0 ;e@3 ;");
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 5);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_CONSUMED], 3);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_CANCELLED], 2);
	assert_int_equal(rig.relay.cursor.cancelled_by[CAUSE_DOWNSTREAM_GONE], 2);
	assert_int_equal(cursor_current(&rig.relay.segment)->cancelled_by[CAUSE_DOWNSTREAM_GONE], 2);
	assert_int_equal(cursor_current(&rig.relay.segment)->cancelled_by[CAUSE_USER], 0);
	end();
}

#define BATCH 8u /* of the rig */

static int look_at_the_books(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)context, (void)state, (void)item;
	assert_int_equal(cursor_current(&rig.relay.segment)->ledger[LEDGER_CANCELLED], BATCH);
	assert_int_equal(cursor_current(&rig.relay.segment)->cancelled_by[CAUSE_USER], BATCH);
	return 0;
}

/* Else the producer would wait for the room of items that are long gone, and a kill would count them again. */
static void test_a_turn_of_nothing_but_cancelled_items_is_committed(void **state)
{
	static const struct weir_stage looks = { .role = WEIR_SINK, .process = look_at_the_books };

	(void)state;
	begin(&looks);
	for (unsigned i = 0; i < BATCH; i++)
		push("x", 2, NULL);
	push("y", 0, NULL);
	cancel(2, CAUSE_USER);
	run();
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], BATCH + 1);
	end();
}

static unsigned n_hooks;

static void count_hook(void *data, enum weir_cause cause)
{
	(void)data;
	assert_int_equal(cause, WEIR_CAUSE_RUN_DEADLINE);
	n_hooks++;
}

/* A stage that sleeps in the middle of an item is woken, and what it has hung there is called before it goes on. */
static int hang_a_hook(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct weir_scope_hook hook = { .function = count_hook };
	struct weir_scope *scope = weir_scope_of_item(context);

	(void)state, (void)item;
	assert_int_equal(weir_scope_hook(scope, &hook), 0);
	cancel(1000, CAUSE_USER); /* of somebody else */
	assert_int_equal(weir_wait(context, NULL, 0, 1), WEIR_EXPIRED);
	assert_int_equal(n_hooks, 0);
	cancel(weir_scope_id(context), CAUSE_RUN_DEADLINE);
	assert_int_equal(weir_wait(context, NULL, 0, 1), WEIR_EXPIRED);
	assert_int_equal(n_hooks, 1);
	return WEIR_CANCELLED;
}

static void test_hooks_of_the_item_in_hand_are_called(void **state)
{
	static const struct weir_stage hangs = { .role = WEIR_OPERATOR, .process = hang_a_hook };

	(void)state;
	n_hooks = 0;
	begin(&hangs);
	push("a", 5, NULL);
	run();
	assert_int_equal(n_hooks, 1);
	end();
}

/* The stage cancels the scope of the item in hand, or another one, as the supervisor would do it for it. */
static int cancel_by_name(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct weir_scope *scope = weir_scope_of_item(context);
	const char *text = item->data;

	(void)state;
	note(item);
	if (*text == 'x') { /* its own */
		struct weir_scope *child;

		assert_ptr_not_equal(scope, weir_scope_of(context));
		assert_int_equal(weir_scope_new(scope, NULL, &child), 0);
		assert_false(weir_scope_done(scope));
		assert_int_equal(weir_scope_cancel(scope, WEIR_CAUSE_USER), -EPERM);
		assert_null(weir_scope_free(scope)); /* which it does not do */
		cancel(1000, CAUSE_USER);            /* news, of somebody else */
		assert_false(weir_scope_done(scope));
		assert_false(weir_scope_done(child));
		cancel(weir_scope_id(context), CAUSE_RUN_DEADLINE);
		assert_true(weir_scope_done(child));
		assert_true(weir_scope_done(scope));
		assert_int_equal(weir_scope_cause(child), WEIR_CAUSE_RUN_DEADLINE);
		assert_int_equal(weir_scope_check(scope), WEIR_CANCELLED);
		assert_false(weir_scope_done(weir_scope_of(context)));
		assert_int_equal(weir_emit(context, 0, "lost", 4), 0);
		return WEIR_CANCELLED;
	}
	if (*text == 'o')
		assert_ptr_equal(scope, weir_scope_of(context));
	return weir_emit(context, 0, item->data, item->size_bytes);
}

static void test_the_item_in_hand_hears_of_it(void **state)
{
	const struct weir_stage stage = { .role = WEIR_OPERATOR, .process = cancel_by_name };

	(void)state;
	begin(&stage);
	push("o", 0, NULL);
	push("a", 5, NULL);
	push("x", 5, NULL);
	push("b", 5, NULL);
	push("c", 6, NULL);
	run();
	assert_string_equal(seen, "o a x c ");
	assert_string_equal(outputs(), "o@0 ;a@5 ;c@6 ;");
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_CANCELLED], 2);
	assert_int_equal(rig.relay.cursor.cancelled_by[CAUSE_RUN_DEADLINE], 2);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 5);
	end();
}

static int say_cancelled(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)context, (void)state, (void)item;
	return WEIR_CANCELLED;
}

static void test_nobody_may_say_cancelled_who_is_not(void **state)
{
	const struct weir_stage stage = { .role = WEIR_OPERATOR, .process = say_cancelled };

	(void)state;
	begin(&stage);
	push("a", 5, NULL);
	push_all_and_close();
	assert_int_equal(turn_loop(&rig.relay), WEIR_FAILED);
	assert_non_null(strstr(rig.relay.reason, "before it, or the scope of its item, is cancelled"));
	end();
}

static int watch_descriptor(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct weir_scope *scope = weir_scope_of_item(context);
	struct pollfd pollfd = { .fd = weir_scope_fd(scope), .events = POLLIN };
	const uint64_t one = 1;

	(void)state, (void)item;
	assert_true(pollfd.fd >= 0);
	assert_int_equal(poll(&pollfd, 1, 0), 0);
	cancel(1000, CAUSE_USER);
	assert_int_equal(write(rig.relay.heritage.scopes_fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(poll(&pollfd, 1, 0), 1);
	assert_int_equal(weir_scope_check(scope), WEIR_OK); /* somebody else's */
	assert_int_equal(poll(&pollfd, 1, 0), 0);
	cancel(5, CAUSE_USER);
	assert_int_equal(write(rig.relay.heritage.scopes_fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(poll(&pollfd, 1, 0), 1);
	assert_int_equal(weir_scope_check(scope), WEIR_CANCELLED);
	assert_int_equal(poll(&pollfd, 1, 0), 1); /* for ever */
	return 0;
}

static void test_its_descriptor(void **state)
{
	const struct weir_stage stage = { .role = WEIR_OPERATOR, .process = watch_descriptor };
	int fd;

	(void)state;
	seen[0] = '\0';
	rig_init_chain(&rig, &stage);
	assert_int_equal(doorbell_open(&fd), 0);
	rig.relay.heritage.scopes_fd = fd;
	assert_int_equal(scopes_open(&rig.relay), 0);
	push("a", 5, NULL);
	run();
	end();
	close(fd);
}

static void test_asking_checks_its_words(void **state)
{
	(void)state;
	begin(&passing);
	assert_int_equal(weir_scope_cancel_id(&rig.relay.context, 0, WEIR_CAUSE_USER), -EINVAL);
	assert_int_equal(weir_scope_cancel_id(&rig.relay.context, 1, WEIR_CAUSE_NONE), -EINVAL);
	assert_int_equal(weir_scope_cancel_id(&rig.relay.context, 1, (enum weir_cause)CAUSE_COUNT), -EINVAL);
	end();
}

static void test_what_a_scribbler_wrote_breaks_the_lane(void **state)
{
	unsigned char *data;

	(void)state;
	begin(&passing);
	push("a", 5, "t");
	data = rig.producers[0].outputs[0].lanes[0].lane.data;
	memset(data + sizeof(struct item_header) + offsetof(struct item_extension, baggage_bytes), 0xff, 4);
	push_all_and_close();
	assert_int_equal(turn_loop(&rig.relay), WEIR_FAILED);
	assert_non_null(strstr(rig.relay.reason, "broken"));
	assert_string_equal(seen, "");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_inherited),
		cmocka_unit_test(test_of_what_has_expired_is_not_the_next_items),
		cmocka_unit_test(test_is_changed_for_what_follows),
		cmocka_unit_test(test_reserved_room_goes_with_a_change),
		cmocka_unit_test(test_what_is_made_of_several_inherits_nothing),
		cmocka_unit_test(test_goes_on_in_produce_and_after_a_death),
		cmocka_unit_test(test_is_packed_by_who_holds),
		cmocka_unit_test(test_items_of_a_cancelled_scope_are_never_started),
		cmocka_unit_test(test_a_turn_of_nothing_but_cancelled_items_is_committed),
		cmocka_unit_test(test_hooks_of_the_item_in_hand_are_called),
		cmocka_unit_test(test_the_item_in_hand_hears_of_it),
		cmocka_unit_test(test_nobody_may_say_cancelled_who_is_not),
		cmocka_unit_test(test_its_descriptor),
		cmocka_unit_test(test_asking_checks_its_words),
		cmocka_unit_test(test_what_a_scribbler_wrote_breaks_the_lane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
