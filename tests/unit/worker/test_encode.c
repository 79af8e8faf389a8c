/* SPDX-License-Identifier: Apache-2.0 */
/* Sinks with `encode`: what their process() is given, what it is not, and when the header of CSV goes before. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/record.h>

#include "common/record/json.h"
#include "rig.h"
#include "worker/encode.h"
#include "worker/host.h"
#include "worker/turn.h"

static struct rig rig;
static char written[4096];
static size_t n_written;
static int answer; /* of process() */
static char letters[] = "/tmp/weir-test-encode-XXXXXX";

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	if (answer == WEIR_REJECTED)
		weir_reject(context, "not this one");
	if (answer != WEIR_OK)
		return answer;
	memcpy(written + n_written, item->data, item->size_bytes);
	n_written += item->size_bytes;
	if (weir_ends_lines(context))
		written[n_written++] = '\n';
	written[n_written] = '\0';
	return WEIR_OK;
}

static const struct weir_stage sink = { .role = WEIR_SINK, .process = process };

static void add_option(const char *name, struct heritage_option option)
{
	struct heritage *heritage = &rig.consumers[0].heritage;

	option.name = strdup(name);
	heritage->options = realloc(heritage->options, (heritage->n_options + 1) * sizeof(option));
	heritage->options[heritage->n_options++] = option;
}

static void add_word(const char *name, const char *word)
{
	add_option(name, (struct heritage_option){ .type = HERITAGE_STRING, .string = strdup(word) });
}

static void begin(const char *format, const char *bad)
{
	struct worker *worker;
	int fd;

	n_written = 0;
	written[0] = '\0';
	answer = WEIR_OK;
	strcpy(letters + sizeof(letters) - 7, "XXXXXX");
	fd = mkstemp(letters);
	assert_true(fd >= 0);
	close(fd);
	rig_init(&rig, 1, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	worker = &rig.consumers[0];
	rig_employ(&rig, worker, &sink);
	worker->heritage.pipeline = strdup("p");
	worker->heritage.stage = strdup("s");
	worker->heritage.attempts = 3;
	worker->heritage.dead_letter_path = strdup(letters);
	add_word("encode", format);
	if (bad)
		add_word("encode.bad", bad);
}

static void attach(void)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	rig.consumers[0].stage = sink;
	if (encode_attach(&rig.consumers[0], &why) != 0)
		fail_msg("%s", text_get(&why));
}

static void columns(void)
{
	struct heritage_option list = { .type = HERITAGE_LIST, .n_list = 2, .list = calloc(3, sizeof(char *)) };

	list.list[0] = strdup("a");
	list.list[1] = strdup("b");
	add_option("encode.columns", list);
	add_option("encode.header", (struct heritage_option){ .type = HERITAGE_NUMBER, .number = 1 });
}

static void end(void)
{
	encode_detach(&rig.consumers[0]);
	unlink(letters);
	rig_deinit(&rig);
}

/* The item that this JSON says, through process() as the turn calls it. */
static int give(const char *json)
{
	struct record_scratch scratch = { 0 };
	struct record_fault fault;
	unsigned char room[1024];
	struct weir_item item = { .data = room };
	struct worker *worker = &rig.consumers[0];

	assert_int_equal(json_decode(&scratch, json, strlen(json), room, &item.size_bytes, &fault), 0);
	record_scratch_deinit(&scratch);
	worker->phase = PHASE_PROCESS;
	return worker->stage.process(&worker->context, NULL, &item);
}

static void test_formats(void **state)
{
	(void)state;
	begin("json", NULL);
	attach();
	assert_int_equal(give("{\"a\": [1, \"x\"]}"), 0);
	assert_int_equal(give("null"), 0);
	assert_string_equal(written, "{\"a\":[1,\"x\"]}\nnull\n");
	end();
	begin("text", NULL);
	attach();
	assert_int_equal(give("\"two words\""), 0);
	assert_int_equal(give("{\"a\": 1}"), 0);
	assert_string_equal(written, "two words\n{\"a\":1}\n");
	end();
	begin("msgpack", NULL);
	attach();
	assert_int_equal(give("[1]"), 0);
	assert_int_equal(give("\"x\""), 0);
	assert_int_equal(n_written, 4);
	assert_memory_equal(written, "\x91\x01\xa1x", 4);
	end();
	begin("raw", NULL);
	attach();
	assert_null(rig.consumers[0].encode);
	assert_int_equal(give("[1]"), 0);
	assert_memory_equal(written, "\x91\x01\n", 3);
	end();
}

static void test_bad(void **state)
{
	static const struct weir_item bytes = { .data = "\xc4\x01x", .size_bytes = 3, .sequence = 41 };
	struct worker *worker = &rig.consumers[0];

	(void)state;
	begin("json", NULL);
	attach();
	assert_int_equal(worker->stage.process(&worker->context, NULL, &bytes), WEIR_REJECTED);
	assert_string_equal(worker->reason,
			    "it can't be written: byte 1 of the item: bytes (bin), which JSON does not have");
	end();
	begin("json", "fail");
	attach();
	assert_int_equal(worker->stage.process(&worker->context, NULL, &bytes), WEIR_FAILED);
	assert_string_equal(
		worker->reason,
		"item 41 can't be written: byte 1 of the item: bytes (bin), which JSON does not have (encode: {bad: fail})");
	end();
	begin("msgpack", NULL);
	attach();
	assert_int_equal(worker->stage.process(&worker->context, NULL,
					       &(struct weir_item){ .data = "no msgpack", .size_bytes = 10 }),
			 WEIR_REJECTED);
	assert_int_equal(n_written, 0);
	end();
}

/* Before the first item that is delivered, whoever was refused before it, and never again: not by the next generation either. */
static void test_header(void **state)
{
	struct worker *worker = &rig.consumers[0];

	(void)state;
	begin("csv", NULL);
	columns();
	attach();
	assert_int_equal(give("7"), WEIR_REJECTED);
	answer = WEIR_REJECTED;
	assert_int_equal(give("{\"a\": 0}"), WEIR_REJECTED);
	answer = WEIR_OK;
	assert_int_equal(give("{\"a\": 1, \"b\": \"x,y\"}"), 0);
	assert_int_equal(give("[2, 3]"), 0);
	assert_string_equal(written, "a,b\n1,\"x,y\"\n2,3\n");
	encode_detach(worker);
	worker->cursor.ledger[LEDGER_DELIVERED] = 2;
	attach();
	assert_int_equal(give("{\"b\": 4}"), 0);
	assert_string_equal(written, "a,b\n1,\"x,y\"\n2,3\n,4\n");
	encode_detach(worker);
	worker->cursor.ledger[LEDGER_DELIVERED] =
		0; /* of the turn that was killed nothing has happened: it is due again */
	n_written = 0;
	attach();
	assert_int_equal(give("[5, 6]"), 0);
	assert_string_equal(written, "a,b\n5,6\n");
	encode_detach(worker);
	worker->cursor.ledger[LEDGER_HELD] = 1;
	n_written = 0;
	attach();
	assert_int_equal(give("[7, 8]"), 0);
	assert_string_equal(written, "7,8\n");
	end();
}

/* A stage with a loop of its own can't be given another text. */
static int run(struct weir_context *context, void *state)
{
	(void)context;
	(void)state;
	return WEIR_OK;
}

static void test_run(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	(void)state;
	begin("json", NULL);
	rig.consumers[0].stage = (struct weir_stage){ .role = WEIR_SINK, .run = run };
	assert_int_equal(encode_attach(&rig.consumers[0], &why), -EINVAL);
	assert_non_null(strstr(text_get(&why), "this one has a run() of its own"));
	end();
}

/* A whole turn: what is bad is a letter with the item as it came, the others are delivered. */
static void test_turn(void **state)
{
	char line[1024] = "";
	FILE *file;

	(void)state;
	begin("json", NULL);
	attach();
	assert_int_equal(rig_push(&rig.producers[0], "\xa5hello"), 0);
	assert_int_equal(rig_push(&rig.producers[0], "hello"), 0);
	assert_int_equal(rig_push(&rig.producers[0], "\x91\xc3"), 0);
	rig_commit(&rig.producers[0]);
	turn_close(&rig.producers[0]);
	assert_int_equal(turn_loop(&rig.consumers[0]), 0);
	assert_string_equal(written, "\"hello\"\n[true]\n");
	assert_int_equal(rig.consumers[0].cursor.ledger[LEDGER_DELIVERED], 2);
	assert_int_equal(rig.consumers[0].cursor.ledger[LEDGER_REJECTED_IN], 1);
	file = fopen(letters, "r");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	assert_non_null(
		strstr(line, "\"reason\":\"it can't be written: byte 2 of the item: something behind its value"));
	assert_non_null(strstr(line, "\"payload\":\"hello\""));
	end();
}

/* ---- items that are put aside ---- */

static uint64_t tokens[4];
static unsigned n_tokens;

static int put_aside(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)process(context, state, item);
	tokens[n_tokens++] = weir_defer(context);
	weir_watch(context, -1, 0, 1);
	return WEIR_PENDING;
}

static int emit_again(struct weir_context *context, void *state)
{
	(void)state;
	while (n_tokens) {
		const struct weir_item *item;

		assert_int_equal(weir_resume(context, tokens[--n_tokens], &item), 0);
		assert_int_equal(weir_emit(context, 0, item->data, item->size_bytes), 0);
		assert_int_equal(weir_complete(context, tokens[n_tokens], WEIR_OK), 0);
	}
	return 0;
}

static void test_put_aside(void **state)
{
	static const struct weir_stage stage = { .role = WEIR_SINK, .process = put_aside, .produce = emit_again };
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct heritage_option option = { .type = HERITAGE_STRING };

	(void)state;
	n_written = 0;
	answer = WEIR_OK;
	rig_init_chain_asynchronous(&rig, &stage, 4);
	option.name = strdup("encode");
	option.string = strdup("json");
	rig.relay.heritage.options = malloc(sizeof(option));
	rig.relay.heritage.options[rig.relay.heritage.n_options++] = option;
	assert_int_equal(encode_attach(&rig.relay, &why), 0);
	assert_int_equal(rig_push(&rig.producers[0], "\x91\xc3"), 0);
	assert_int_equal(rig_push(&rig.producers[0], "\xa1x"), 0);
	rig_commit(&rig.producers[0]);
	turn_close(&rig.producers[0]);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_string_equal(written, "[true]\n\"x\"\n");
	assert_string_equal(rig_take(&rig.consumers[0]), "\"x\"");
	assert_string_equal(rig_take(&rig.consumers[0]), "[true]");
	encode_detach(&rig.relay);
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats), cmocka_unit_test(test_bad),  cmocka_unit_test(test_header),
		cmocka_unit_test(test_run),     cmocka_unit_test(test_turn), cmocka_unit_test(test_put_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
