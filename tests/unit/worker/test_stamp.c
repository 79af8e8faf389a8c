/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items that say themselves until when they may be on their way: however a source sends them, and what becomes of those that talk
 * nonsense.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/baggage.h>
#include <weir/channel.h>
#include <weir/scope.h>

#include "common/base/clock.h"
#include "common/base/quantity.h"
#include "rig.h"
#include "worker/host.h"
#include "worker/input.h"
#include "worker/run.h"
#include "worker/stamp.h"
#include "worker/turn.h"

static struct rig rig;
static const char *const *items; /* of the source; NULL at the end */
static char letters[] = "/tmp/weir-test-stamp-XXXXXX";
static uint64_t begun_ns;

static int send_reserved(struct weir_context *context, const char *item)
{
	void *payload;
	int r = weir_reserve(context, 0, strlen(item) + 100, &payload);

	if (r != 0)
		return r;
	memcpy(payload, item, strlen(item));
	return weir_push(context, 0, strlen(item));
}

/* In turn: emitted, built in place, and one with a scope of its own. */
static int send(struct weir_context *context, const char *item, unsigned number)
{
	int r;

	assert_int_equal(weir_scope_enter(context, number % 3 == 2 ? 7 : 0), 0);
	r = number % 3 == 1 ? send_reserved(context, item) : weir_emit(context, 0, item, strlen(item));
	assert_true(r == 0 || (r == WEIR_REJECTED && strchr(item, '!')));
	return 0;
}

static int produce(struct weir_context *context, void *state)
{
	(void)state;
	for (unsigned i = 0; items[i]; i++)
		send(context, items[i], i);
	return WEIR_CLOSED;
}

static int run(struct weir_context *context, void *state)
{
	(void)state;
	for (unsigned i = 0; items[i]; i++)
		if (i % 2) {
			assert_int_equal(weir_scope_enter(context, i % 3 == 2 ? 7 : 0), 0);
			assert_int_equal(weir_send(context, 0, items[i], strlen(items[i]), WEIR_FOREVER),
					 strchr(items[i], '!') ? WEIR_REJECTED : 0);
		} else {
			send(context, items[i], i);
		}
	return WEIR_OK;
}

/* "text+500ms " of each item that came out; "text " without a deadline, "text-" with one that has passed, "text*7" with scope 7. */
static const char *outputs(void)
{
	static char all[1024];
	struct extension extension;
	struct input input;
	size_t n = 0;

	for (all[0] = '\0'; input_next(&rig.consumers[0], &input) == 0; input_take(&rig.consumers[0], &input)) {
		uint64_t end_ns, left_ms;

		assert_int_equal(extension_read(&extension, input.extension, input.header.flags), 0);
		end_ns = extension.deadline_ns;
		left_ms = (end_ns - begun_ns) / NS_PER_MS;
		n += (size_t)sprintf(all + n, "%.*s", (int)input.size_bytes, (const char *)input.payload);
		if (end_ns && end_ns <= clock_now_ns())
			n += (size_t)sprintf(all + n, "-");
		else if (end_ns) /* in whole minutes: this machine may be slow */
			n += (size_t)sprintf(all + n, "+%llum", (unsigned long long)left_ms / 60000);
		if (extension.scope)
			n += (size_t)sprintf(all + n, "*%llu", (unsigned long long)extension.scope);
		n += (size_t)sprintf(all + n, " ");
	}
	return all;
}

static void begin(const char *expires, const char *const *sent, const struct weir_stage *stage)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct worker *source;
	int fd;

	items = sent;
	strcpy(letters + sizeof(letters) - 7, "XXXXXX");
	fd = mkstemp(letters);
	assert_true(fd >= 0);
	close(fd);
	rig_init(&rig, 1, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	source = &rig.producers[0];
	rig_employ(&rig, source, stage);
	source->heritage.expires = strdup(expires);
	source->heritage.pipeline = strdup("p");
	source->heritage.stage = strdup("s");
	source->heritage.dead_letter_path = strdup(letters);
	source->plain_output = false; /* as attach.c has it */
	if (stamp_attach(source, &why) != 0)
		fail_msg("%s", text_get(&why));
	begun_ns = clock_now_ns();
}

static void end(const char *expected, unsigned n_refused)
{
	const uint64_t *ledger = rig.producers[0].cursor.ledger;
	unsigned n = 0;

	while (items[n])
		n++;
	assert_string_equal(outputs(), expected);
	assert_int_equal(ledger[LEDGER_ACCEPTED], n);
	assert_int_equal(ledger[LEDGER_REJECTED_OUT], n_refused);
	assert_int_equal(ledger[LEDGER_EMITTED], n - n_refused);
	unlink(letters);
	rig_deinit(&rig);
}

static const struct weir_stage turns = { .role = WEIR_SOURCE, .produce = produce };
static const struct weir_stage loops = { .role = WEIR_SOURCE, .run = run };

static void check(const char *expires, const char *const *sent, const char *expected, unsigned n_refused)
{
	begin(expires, sent, &turns);
	assert_int_equal(turn_loop(&rig.producers[0]), 0);
	end(expected, n_refused);
	begin(expires, sent, &loops);
	assert_int_equal(run_loop(&rig.producers[0]), 0);
	end(expected, n_refused);
}

static void test_the_same_for_all(void **state)
{
	static const char *const sent[] = { "a", "b", "c", "d", NULL };

	(void)state;
	check("630s", sent, "a+10m b+10m c+10m*7 d+10m ", 0);
}

static void test_within_what_it_says(void **state)
{
	static const char *const sent[] = { "a,90m",  "b,",    "c,0",    "d",       "e,soon!",
					    "f,5430", "g,-1!", "h,1e3!", "i, 330 ", NULL };

	(void)state;
	check("within(field(2, ','), s)", sent, "a,90m+90m b, c,0-*7 d f,5430+90m*7 i, 330 +5m*7 ", 3);
}

static void test_at_what_it_says(void **state)
{
	static char soon[64];
	static const char *const sent[] = {
		"{\"t\":0}",    soon, "{\"t\":\"9999-12-31T23:59:59Z\"}", "{\"t\":null}", "{\"t\":[\"!\"]}", "no JSON",
		"{\"t\":\"\"}", NULL
	};
	char expected[512];

	(void)state;
	snprintf(soon, sizeof(soon), "{\"t\":%llu}",
		 (unsigned long long)((clock_realtime_ns() + 630 * NS_PER_S) / NS_PER_MS));
	snprintf(expected, sizeof(expected), "%s- %s+10m %s*7 %s no JSON*7 %s ", sent[0], soon, sent[2], sent[3],
		 sent[6]);
	check("at(.t)", sent, expected, 1);
}

/* What the stage itself says of its items counts as well; and one that talks nonsense is kept, with what it said. */
static int shorten(struct weir_context *context, void *state)
{
	(void)state;
	assert_int_equal(weir_expire_at(context, begun_ns + 330 * NS_PER_S), 0);
	assert_int_equal(weir_emit(context, 0, "90m", 3), 0);
	assert_int_equal(weir_emit(context, 0, "2m", 2), 0);
	assert_int_equal(weir_emit(context, 0, "", 0), 0);
	assert_int_equal(weir_emit(context, 0, "tomorrow, if not before that, or at any rate when it is done!", 61),
			 WEIR_REJECTED);
	return WEIR_CLOSED;
}

static void test_beside_what_the_stage_says(void **state)
{
	static const struct weir_stage shortens = { .role = WEIR_SOURCE, .produce = shorten };
	static const char *const sent[] = { "90m", "2m", "", "tomorrow", NULL };
	char line[2048] = "";
	FILE *file;

	(void)state;
	begin("within(item)", sent, &shortens);
	assert_int_equal(turn_loop(&rig.producers[0]), 0);
	file = fopen(letters, "r");
	assert_non_null(file);
	assert_true(fread(line, 1, sizeof(line) - 1, file) > 0);
	fclose(file);
	assert_non_null(strstr(
		line,
		"\"reason\":\"what it says of its deadline, 'tomorrow, if not before that, or at any ...' (expires: "
		"within(item)), is no time: expected a duration such as 500ms, or a number of milliseconds\""));
	assert_non_null(strstr(line, "when it is done!\""));
	end("90m+5m 2m+2m +5m ", 1);
}

/* A loop all of whose items are refused commits like any other: else the next generation would refuse them all once more. */
#define N_REFUSED 30u
static unsigned n_seen_committed;

static int run_in_vain(struct weir_context *context, void *state)
{
	const struct worker *source = &rig.producers[0];

	(void)state;
	for (uint64_t i = 0; i < N_REFUSED; i++) {
		uint64_t committed = cursor_current(&source->segment)->ledger[LEDGER_REJECTED_OUT];

		assert_in_range(committed, i < source->heritage.batch ? 0 : i - source->heritage.batch, i);
		n_seen_committed = committed ? n_seen_committed + 1 : 0;
		assert_int_equal(weir_send(context, 0, "soon", 4, WEIR_FOREVER), WEIR_REJECTED);
	}
	return WEIR_OK;
}

static void test_a_loop_that_only_refuses_commits(void **state)
{
	static const struct weir_stage in_vain = { .role = WEIR_SOURCE, .run = run_in_vain };
	static const char *const sent[] = { NULL };

	(void)state;
	n_seen_committed = 0;
	begin("within(item)", sent, &in_vain);
	assert_int_equal(run_loop(&rig.producers[0]), 0);
	assert_in_range(n_seen_committed, 1, N_REFUSED - 1);
	assert_int_equal(rig.producers[0].cursor.ledger[LEDGER_REJECTED_OUT], N_REFUSED);
	unlink(letters);
	rig_deinit(&rig);
}

/* The largest item that a source is told to make fits, with its deadline. */
static int make_large(struct weir_context *context, void *state)
{
	size_t size_bytes = weir_item_size_max(context);
	char *text = calloc(1, size_bytes + 1);
	int r;

	(void)state;
	r = weir_emit(context, 0, text, size_bytes);
	assert_int_equal(weir_emit(context, 0, text, size_bytes + 1), WEIR_TOO_LARGE);
	free(text);
	assert_int_equal(r, 0);
	return WEIR_CLOSED;
}

static void test_the_largest_item_still_fits(void **state)
{
	static const struct weir_stage large = { .role = WEIR_SOURCE, .produce = make_large };
	static const char *const sent[] = { "large", NULL };

	(void)state;
	begin("630s", sent, &large);
	assert_int_equal(turn_loop(&rig.producers[0]), 0);
	assert_int_equal(rig.producers[0].cursor.ledger[LEDGER_EMITTED], 1);
	unlink(letters);
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_for_all),
		cmocka_unit_test(test_within_what_it_says),
		cmocka_unit_test(test_at_what_it_says),
		cmocka_unit_test(test_beside_what_the_stage_says),
		cmocka_unit_test(test_a_loop_that_only_refuses_commits),
		cmocka_unit_test(test_the_largest_item_still_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
