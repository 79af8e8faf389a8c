/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items of a source that are one: all of them with one commit, or none and nothing counted; and a source that watches while it waits for
 * room.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "rig.h"
#include "worker/decode.h"
#include "worker/host.h"
#include "worker/turn.h"

#define BIG 900 /* four of it fill a lane */

static struct rig rig;
static struct worker *source;
static struct weir_context *context;
static char big[BIG + 1];
static int said[8]; /* by the calls of this produce() */
static unsigned n_said;
static const char *fault;
static int (*body)(void);

static int say(int status)
{
	assert_true(n_said < sizeof(said) / sizeof(said[0]));
	said[n_said++] = status;
	return status;
}

static int emit(const char *text)
{
	return say(weir_emit(context, WEIR_ALL_OUTPUTS, text, strlen(text)));
}

static int produce(struct weir_context *of, void *state)
{
	(void)of;
	(void)state;
	n_said = 0;
	fault = NULL;
	return body();
}

static void begin(uint32_t n_consumers, enum heritage_full full, bool plain)
{
	static const struct weir_stage stage = { .role = WEIR_SOURCE, .produce = produce };

	memset(big, 'x', BIG);
	rig_init(&rig, 1, n_consumers, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	source = &rig.producers[0];
	rig_employ(&rig, source, &stage);
	context = &source->context;
	source->heritage.outputs[0].full = full;
	for (uint32_t i = 0; i < n_consumers; i++)
		source->outputs[i].plain = plain;
	source->plain_output = plain && n_consumers == 1;
	source->watch.fd = -1;
}

/* One turn of the loop, which ends there. */
static int turn(int (*of)(void))
{
	body = of;
	source->cursor.finished = 0;
	return turn_loop(source);
}

static void assert_ledger(uint64_t accepted, uint64_t emitted)
{
	assert_int_equal(source->cursor.ledger[LEDGER_ACCEPTED], accepted);
	assert_int_equal(source->cursor.ledger[LEDGER_EMITTED], emitted);
	assert_int_equal(source->cursor.ledger[LEDGER_REFUSED], 0);
}

static int two_groups(void)
{
	say(weir_group_begin(context));
	say(weir_group_begin(context));
	emit("a");
	emit("b");
	say(weir_group_end(context));
	say(weir_group_begin(context));
	emit("never");
	weir_group_drop(context);
	say(weir_group_end(context));
	return WEIR_CLOSED;
}

static void test_all_or_none(void **state)
{
	static const int expected[] = { 0, -EPERM, 0, 0, 0, 0, 0, -EPERM };

	(void)state;
	for (int plain = 0; plain < 2; plain++) {
		begin(1, HERITAGE_FULL_BLOCK, plain);
		assert_int_equal(weir_group_begin(context), -EPERM); /* not in produce() */
		assert_int_equal(turn(two_groups), 0);
		assert_memory_equal(said, expected, sizeof(expected));
		assert_string_equal(rig_take(&rig.consumers[0]), "a");
		assert_string_equal(rig_take(&rig.consumers[0]), "b");
		assert_string_equal(rig_take(&rig.consumers[0]), ".");
		assert_ledger(2, 2);
		rig_deinit(&rig);
	}
}

/* One before it, without a group, and one that is left open. */
static int left_open(void)
{
	emit("before");
	say(weir_group_begin(context));
	emit("never");
	return WEIR_CLOSED;
}

static void test_left_open(void **state)
{
	(void)state;
	for (uint32_t n = 1; n < 3; n++) {
		begin(n, HERITAGE_FULL_BLOCK, true);
		assert_int_equal(turn(left_open), 0);
		for (uint32_t i = 0; i < n; i++) {
			assert_string_equal(rig_take(&rig.consumers[i]), "before");
			assert_string_equal(rig_take(&rig.consumers[i]), ".");
		}
		assert_ledger(1, n);
		assert_int_equal(load_relaxed(&source->segment.counters->values[COUNTER_BYTES_OUT]), 6 * n);
		rig_deinit(&rig);
	}
}

static int never_fits(void)
{
	emit("before");
	say(weir_group_begin(context));
	while (emit(big) == 0)
		;
	say(weir_group_end(context));
	return WEIR_CLOSED;
}

static void test_too_large(void **state)
{
	(void)state;
	for (uint32_t n = 1; n < 3; n++) {
		begin(n, HERITAGE_FULL_BLOCK, true);
		assert_int_equal(turn(never_fits), 0);
		assert_int_equal(said[n_said - 1], WEIR_TOO_LARGE);
		assert_string_equal(rig_take(&rig.consumers[0]), "before");
		assert_string_equal(rig_take(&rig.consumers[0]), ".");
		assert_ledger(1, n);
		rig_deinit(&rig);
	}
}

/* More than a turn's share, at once. */
static int fill(unsigned n)
{
	assert_int_equal(weir_group_begin(context), 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(weir_emit(context, WEIR_ALL_OUTPUTS, big, BIG), 0);
	assert_int_equal(weir_group_end(context), 0);
	return WEIR_MORE;
}

/* ---- waiting for room ---- */

static unsigned n_calls;
static int watched;

/* Two lie in the lane; three more have no room until the reader has taken some; and the door bell rings meanwhile. */
static int waits(void)
{
	n_calls++;
	if (n_calls == 1)
		return fill(2);
	say(weir_group_begin(context));
	for (unsigned i = 0; i < 3; i++)
		emit(big);
	if (say(weir_group_end(context)) == 0)
		return WEIR_CLOSED;
	assert_int_equal(said[n_said - 1], WEIR_FULL);
	assert_true(source->need_bytes > 2 * BIG); /* what the group has already, too */
	if (n_calls == 2) {
		eventfd_write(watched, 1);
	} else {
		eventfd_t value;

		assert_int_equal(eventfd_read(watched, &value), 0);
		rig_take(&rig.consumers[0]);
		rig_take(&rig.consumers[0]);
		rig_commit(&rig.consumers[0]);
	}
	weir_watch(context, watched, POLLIN, 0);
	return WEIR_WAIT;
}

static void test_room_or_what_it_watches(void **state)
{
	uint64_t begun_ns = clock_now_ns();

	(void)state;
	begin(1, HERITAGE_FULL_BLOCK, true);
	source->backstop_ms = RIG_NEVER_MS;
	watched = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	n_calls = 0;
	assert_int_equal(turn(waits), 0);
	assert_int_equal(n_calls, 4);
	assert_true(clock_now_ns() - begun_ns < RIG_NEVER_MS * NS_PER_MS / 2); /* no back-stop ended a wait */
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(rig_take(&rig.consumers[0]), big);
	assert_ledger(5, 5);
	close(watched);
	rig_deinit(&rig);
}

/* ---- refused ---- */

/* Four fill the lane, but for a small one. Of two more in a group one that is refused is enough, and nobody has accepted anything. */
static int refused(void)
{
	if (n_calls++ == 0)
		return fill(4);
	say(weir_group_begin(context));
	emit("a");
	emit(big);
	fault = weir_group_fault(context);
	say(weir_group_end(context));
	return WEIR_CLOSED;
}

static void test_refused(void **state)
{
	(void)state;
	begin(1, HERITAGE_FULL_REJECT, false);
	n_calls = 0;
	assert_int_equal(turn(refused), 0);
	assert_int_equal(said[2], WEIR_REJECTED);
	assert_int_equal(said[3], WEIR_REJECTED);
	assert_null(fault);
	assert_ledger(4, 4);
	rig_deinit(&rig);
}

/* admission: the group waits as one, whichever of its items has no room; then it is told. */
static int admitted(void)
{
	int r;

	if (n_calls++ == 0)
		return fill(3);
	assert_true(n_calls < 20);
	say(weir_group_begin(context));
	if (n_calls % 2)
		emit("a");
	r = emit(big) == 0 ? emit(big) : said[n_said - 1];
	fault = weir_group_fault(context);
	weir_group_drop(context);
	return r == WEIR_FULL ? WEIR_MORE : WEIR_CLOSED;
}

static void test_admission(void **state)
{
	(void)state;
	begin(1, HERITAGE_FULL_BLOCK, false);
	source->heritage.admission_ns = 20 * NS_PER_MS;
	n_calls = 0;
	assert_int_equal(turn(admitted), 0);
	assert_int_equal(said[n_said - 1], WEIR_REJECTED);
	assert_null(fault);
	assert_ledger(3, 3);
	assert_int_equal(source->cursor.ledger[LEDGER_EXPIRED], 0);
	rig_deinit(&rig);
}

/* ---- decoded ---- */

static int bad_record(void)
{
	say(weir_group_begin(context));
	weir_place(context, "body", 1);
	emit("1");
	weir_place(context, "body", 2);
	emit("{");
	fault = weir_group_fault(context);
	assert_non_null(fault);
	assert_non_null(strstr(fault, "body:2: "));
	assert_int_equal(say(weir_group_end(context)), WEIR_REJECTED);
	say(weir_group_begin(context));
	assert_null(weir_group_fault(context));
	emit("2");
	say(weir_group_end(context));
	return WEIR_CLOSED;
}

static void test_bad_record(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct heritage_option option = { .name = strdup("decode"), .string = strdup("json") };

	(void)state;
	begin(1, HERITAGE_FULL_BLOCK, true);
	source->heritage.options = malloc(sizeof(option));
	source->heritage.options[0] = option;
	source->heritage.n_options = 1;
	assert_int_equal(decode_attach(source, &why), 0);
	assert_int_equal(turn(bad_record), 0);
	assert_string_equal(rig_take(&rig.consumers[0]), "\x02");
	assert_string_equal(rig_take(&rig.consumers[0]), ".");
	assert_ledger(1, 1);
	assert_int_equal(source->cursor.ledger[LEDGER_REJECTED_OUT], 0);
	decode_detach(source);
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_or_none), cmocka_unit_test(test_left_open),
		cmocka_unit_test(test_too_large),   cmocka_unit_test(test_room_or_what_it_watches),
		cmocka_unit_test(test_refused),     cmocka_unit_test(test_admission),
		cmocka_unit_test(test_bad_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
