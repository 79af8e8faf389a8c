/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources with `decode`: however they emit, what comes out is decoded; blank lines and headers are nothing; what is bad is a letter with
 * its place, dropped, or the end; and a header is known to the next generation.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <weir/channel.h>
#include <weir/record.h>

#include "common/base/cleanup.h"
#include "common/record/json.h"
#include "rig.h"
#include "worker/decode.h"
#include "worker/host.h"
#include "worker/input.h"
#include "worker/run.h"
#include "worker/stamp.h"
#include "worker/turn.h"

static struct rig rig;
static const char *const *items; /* of the source; NULL at the end */
static const char *place;        /* NULL: it says none */
static int last_status;          /* of the last emit */
static char letters[] = "/tmp/weir-test-decode-XXXXXX";

static int send_reserved(struct weir_context *context, const char *item)
{
	void *payload;
	int r = weir_reserve(context, 0, strlen(item) + 100, &payload);

	if (r != 0)
		return r;
	memcpy(payload, item, strlen(item));
	return weir_push(context, 0, strlen(item));
}

/* Emitted, or built in place, in turn. What is bad says so to the source: it has a '!' somewhere. */
static int send(struct weir_context *context, const char *item, unsigned number)
{
	if (place)
		weir_place(context, place, number + 1);
	last_status = number % 2 ? send_reserved(context, item) : weir_emit(context, 0, item, strlen(item));
	if (last_status == WEIR_FAILED)
		return last_status;
	assert_int_equal(last_status, strchr(item, '!') ? WEIR_REJECTED : WEIR_OK);
	return 0;
}

static int produce(struct weir_context *context, void *state)
{
	int r = 0;

	(void)state;
	for (unsigned i = 0; r == 0 && items[i]; i++)
		r = send(context, items[i], i);
	return r ? r : WEIR_CLOSED;
}

static int run(struct weir_context *context, void *state)
{
	int r = 0;

	(void)state;
	for (unsigned i = 0; r == 0 && items[i]; i++) {
		if (i % 3 != 1) {
			r = send(context, items[i], i);
			continue;
		}
		if (place)
			weir_place(context, place, i + 1);
		last_status = weir_send(context, 0, items[i], strlen(items[i]), WEIR_FOREVER);
		r = last_status == WEIR_FAILED ? last_status : 0;
	}
	return r ? r : WEIR_OK;
}

/* Each item that came out, as JSON, and a blank behind it. */
static const char *outputs(void)
{
	static char all[4096];
	struct record_fault fault;
	struct input input;
	size_t n = 0, size;

	for (; input_next(&rig.consumers[0], &input) == 0; input_take(&rig.consumers[0], &input)) {
		assert_true(n + json_encode_bound(input.size_bytes) < sizeof(all));
		if (json_encode(input.payload, input.size_bytes, all + n, &size, &fault) != 0)
			fail_msg("what came out is no item: %s", fault.why);
		n += size;
		all[n++] = ' ';
	}
	all[n] = '\0';
	return all;
}

static void add_option(struct worker *worker, const char *name, const char *string, int64_t number)
{
	struct heritage *heritage = &worker->heritage;
	struct heritage_option option = { .name = strdup(name),
					  .type = string ? HERITAGE_STRING : HERITAGE_NUMBER,
					  .number = number };

	if (string)
		option.string = strdup(string);
	heritage->options = realloc(heritage->options, (heritage->n_options + 1) * sizeof(option));
	heritage->options[heritage->n_options++] = option;
}

static void begin(const char *format, const char *bad, const char *const *sent, const struct weir_stage *stage)
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
	source->heritage.pipeline = strdup("p");
	source->heritage.stage = strdup("s");
	source->heritage.dead_letter_path = strdup(letters);
	source->heritage.spool_fds[0] = memfd_create("header", MFD_CLOEXEC);
	add_option(source, "decode", format, 0);
	if (bad)
		add_option(source, "decode.bad", bad, 0);
	add_option(source, "decode.header", NULL, 1);
	if (decode_attach(source, &why) != 0)
		fail_msg("%s", text_get(&why));
}

static void end(void)
{
	fd_close(rig.producers[0].heritage.spool_fds[0]);
	decode_detach(&rig.producers[0]);
	unlink(letters);
	rig_deinit(&rig);
}

static unsigned count_letters(const char *fragment)
{
	FILE *file = fopen(letters, "r");
	char line[8192];
	unsigned n = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		n += strstr(line, fragment) != NULL;
	fclose(file);
	return n;
}

static const struct weir_stage turns = { .role = WEIR_SOURCE, .produce = produce };
static const struct weir_stage loops = { .role = WEIR_SOURCE, .run = run };

static void expect(const char *expected, unsigned n_items, unsigned n_refused)
{
	const uint64_t *ledger = rig.producers[0].cursor.ledger;

	assert_string_equal(outputs(), expected);
	assert_int_equal(ledger[LEDGER_ACCEPTED], n_items + n_refused);
	assert_int_equal(ledger[LEDGER_REJECTED_OUT], n_refused);
	assert_int_equal(ledger[LEDGER_EMITTED], n_items);
	assert_int_equal(count_letters("\"reason\""), n_refused);
}

static void check(const char *format, const char *const *sent, const char *expected, unsigned n_items,
		  unsigned n_refused)
{
	begin(format, NULL, sent, &turns);
	assert_int_equal(turn_loop(&rig.producers[0]), 0);
	expect(expected, n_items, n_refused);
	end();
	begin(format, NULL, sent, &loops);
	assert_int_equal(run_loop(&rig.producers[0]), 0);
	expect(expected, n_items, n_refused);
	end();
}

static void test_json(void **state)
{
	static const char *const sent[] = {
		"\xef\xbb\xbf{\"a\": 1}", "[1, 2]", "", " \t", "{\"a\": !}", "\"x\"", "7!", "null\r", NULL
	};

	(void)state;
	place = NULL;
	check("json", sent, "{\"a\":1} [1,2] \"x\" null ", 4, 2);
	place = "in.ndjson";
	check("json", sent, "{\"a\":1} [1,2] \"x\" null ", 4, 2);
}

static void test_text(void **state)
{
	static const char *const sent[] = { "one\r", "", "two \"2\"", "!\xff", NULL };

	(void)state;
	place = "in";
	check("text", sent, "\"one\" \"\" \"two \\\"2\\\"\" ", 3, 1);
}

static void test_csv(void **state)
{
	static const char *const sent[] = { "\xef\xbb\xbf"
					    "a,b",
					    "1,2",
					    "",
					    "\r",
					    "3!",
					    "\"x\ny\",\r",
					    "4,5,6!",
					    "7,8",
					    NULL };

	(void)state;
	place = "in.csv";
	check("csv", sent, "{\"a\":\"1\",\"b\":\"2\"} {\"a\":\"x\\ny\",\"b\":\"\"} {\"a\":\"7\",\"b\":\"8\"} ", 3, 2);
	place = NULL;
	check("csv", sent, "{\"a\":\"1\",\"b\":\"2\"} {\"a\":\"x\\ny\",\"b\":\"\"} {\"a\":\"7\",\"b\":\"8\"} ", 3, 2);
}

static void test_msgpack(void **state)
{
	static const char *const sent[] = { "\x81\xa1"
					    "a\x01",
					    "\x92\x01!",
					    "\x92\x01",
					    "!!",
					    "\xc3",
					    NULL };

	(void)state;
	place = "in.msgpack";
	begin("msgpack", NULL, sent, &turns);
	items = (const char *const[]){ sent[0], sent[4], sent[3], NULL };
	assert_int_equal(turn_loop(&rig.producers[0]), 0);
	expect("{\"a\":1} true ", 2, 1);
	assert_int_equal(count_letters("\"in.msgpack:3: byte 2: expected the end: a record is one value\""), 1);
	end();
}

/* The reason has the place that the source says, or else the number of the record. */
static void test_places(void **state)
{
	static const char *const sent[] = { "1", "", "{!", "2", "[!", NULL };

	(void)state;
	place = "dir/in.ndjson";
	begin("json", NULL, sent, &turns);
	assert_int_equal(turn_loop(&rig.producers[0]), 0);
	assert_int_equal(count_letters("\"reason\":\"dir/in.ndjson:3: byte 2: expected a name in double quotes\""), 1);
	assert_int_equal(count_letters("\"reason\":\"dir/in.ndjson:5: byte 2: expected a value"), 1);
	assert_int_equal(count_letters("\"payload\":\"{!\""), 1);
	end();
	place = NULL;
	begin("json", NULL, sent, &turns);
	assert_int_equal(turn_loop(&rig.producers[0]), 0);
	assert_int_equal(count_letters("\"reason\":\"record 2: byte 2: expected a name in double quotes\""), 1);
	assert_int_equal(count_letters("\"reason\":\"record 4: byte 2: expected a value"), 1);
	end();
}

/* Counted as if a filter had taken it: the books stay balanced. */
static void test_drop(void **state)
{
	static const char *const sent[] = { "1", "{!", "2", NULL };
	const uint64_t *ledger;

	(void)state;
	place = "in";
	begin("json", "drop", sent, &turns);
	assert_int_equal(turn_loop(&rig.producers[0]), 0);
	ledger = rig.producers[0].cursor.ledger;
	assert_string_equal(outputs(), "1 2 ");
	assert_int_equal(ledger[LEDGER_ACCEPTED], 3);
	assert_int_equal(ledger[LEDGER_EMITTED], 3);
	assert_int_equal(ledger[LEDGER_TAKEN], 1);
	assert_int_equal(ledger[LEDGER_FILTERED], 1);
	assert_int_equal(ledger[LEDGER_REJECTED_OUT], 0);
	assert_int_equal(count_letters(""), 0);
	end();
}

static void test_fail(void **state)
{
	static const char *const sent[] = { "1", "{!", "2", NULL };

	(void)state;
	place = "in";
	begin("json", "fail", sent, &turns);
	assert_int_equal(turn_loop(&rig.producers[0]), WEIR_FAILED);
	assert_string_equal(rig.producers[0].reason,
			    "in:2: byte 2: expected a name in double quotes (decode: {bad: fail})");
	assert_string_equal(outputs(), "1 ");
	end();
	begin("json", "fail", sent, &loops);
	assert_int_equal(run_loop(&rig.producers[0]), WEIR_FAILED);
	assert_string_equal(outputs(), "1 ");
	end();
}

/* A record whose item is too large for the lane, though its text is not. */
static void test_too_large(void **state)
{
	static char numbers[RIG_LANE_SIZE];
	static const char *const sent[] = { "1", numbers, "2", NULL };
	size_t n = 0;

	(void)state;
	numbers[n++] = '[';
	while (n < 1500)
		n += (size_t)sprintf(numbers + n, "1.5,");
	sprintf(numbers + n, "1,[],\"!\"]");
	place = "in";
	begin("json", NULL, sent, &turns);
	assert_int_equal(turn_loop(&rig.producers[0]), 0);
	expect("1 2 ", 2, 1);
	assert_int_equal(count_letters("\"reason\":\"in:2: its item has 3"), 1);
	assert_int_equal(count_letters("give the stage behind this one a larger `lane:`"), 1);
	end();
}

/* With a deadline in the item: it is found in what was decoded. */
static void test_beside_expires(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	static const char *const sent[] = { "{\"ttl\": \"90m\"}", "{\"ttl\": \"soon!\"}", "{\"ttl\": 5430000}", NULL };
	struct extension extension;
	struct input input;
	unsigned n = 0;

	(void)state;
	place = "in";
	begin("json", NULL, sent, &turns);
	rig.producers[0].heritage.expires = strdup("within(.ttl)");
	assert_int_equal(stamp_attach(&rig.producers[0], &why), 0);
	assert_int_equal(turn_loop(&rig.producers[0]), 0);
	for (; input_next(&rig.consumers[0], &input) == 0; input_take(&rig.consumers[0], &input), n++) {
		assert_int_equal(extension_read(&extension, input.extension, input.header.flags), 0);
		assert_true(extension.deadline_ns > 0);
	}
	assert_int_equal(n, 2);
	assert_int_equal(rig.producers[0].cursor.ledger[LEDGER_REJECTED_OUT], 1);
	stamp_detach(&rig.producers[0]);
	end();
}

/* A header that can't be used: each record of the file is bad, and the next file is read all the same. */
static void test_bad_header(void **state)
{
	static const char *const sent[] = { "a,a", "1,2!", "3,4!", NULL };
	static const char *const good[] = { "x,y", "5,6", NULL };

	(void)state;
	place = "bad.csv";
	begin("csv", NULL, sent, &turns);
	assert_int_equal(turn_loop(&rig.producers[0]), 0);
	expect("", 0, 2);
	assert_int_equal(
		count_letters(
			"\"reason\":\"bad.csv:2: the header, bad.csv:1, can't be used: two columns have the name 'a'\""),
		1);
	place = "good.csv";
	items = good;
	rig.producers[0].cursor.finished = 0;
	for (unsigned i = 0; good[i]; i++) {
		const void *text = good[i], *item;
		size_t size = strlen(good[i]), item_size;

		weir_place(&rig.producers[0].context, place, i + 1);
		assert_int_equal(decode_begin(&rig.producers[0], &text, &size), i ? 0 : DECODE_E_NONE);
		if (i)
			assert_int_equal(decode_item(&rig.producers[0], text, size, NULL, &item, &item_size), 0);
	}
	end();
}

/* What the next generation knows, when so many items are committed. */
static void assert_recalls(uint64_t n_accepted, const char *record, const char *expected)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct worker *source = &rig.producers[0];
	struct record_fault fault;
	const void *text = record, *item;
	size_t size = strlen(record), item_size;
	char json[256];
	int r;

	decode_detach(source);
	source->cursor.ledger[LEDGER_ACCEPTED] = n_accepted;
	assert_int_equal(decode_attach(source, &why), 0);
	weir_place(&source->context, "later.csv", 17);
	r = decode_begin(source, &text, &size);
	if (!expected) {
		assert_int_equal(r, DECODE_E_NONE); /* it is taken for the header that is due */
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(decode_item(source, text, size, NULL, &item, &item_size), 0);
	assert_int_equal(json_encode(item, item_size, json, &item_size, &fault), 0);
	json[item_size] = '\0';
	assert_string_equal(json, expected);
}

static void begin_file(const char *header, uint64_t n_accepted)
{
	struct worker *source = &rig.producers[0];
	const void *text = header;
	size_t size = strlen(header);

	source->cursor.ledger[LEDGER_ACCEPTED] = n_accepted;
	weir_place(&source->context, "file.csv", 1);
	assert_int_equal(decode_begin(source, &text, &size), DECODE_E_NONE);
}

static void test_header_over_a_kill(void **state)
{
	static const char *const sent[] = { NULL };

	(void)state;
	place = "in.csv";
	begin("csv", NULL, sent, &turns);
	begin_file("a,b", 0);
	assert_recalls(10, "1,2", "{\"a\":\"1\",\"b\":\"2\"}");
	assert_recalls(0, "1,2", "{\"a\":\"1\",\"b\":\"2\"}");
	begin_file("x,y", 100); /* the next file, whose beginning is not committed when the worker is killed */
	assert_recalls(99, "1,2", "{\"a\":\"1\",\"b\":\"2\"}");
	begin_file("p,q", 100); /* it is read again, by the next one */
	assert_recalls(100, "1,2", "{\"p\":\"1\",\"q\":\"2\"}");
	assert_recalls(5000, "1,2", "{\"p\":\"1\",\"q\":\"2\"}");
	begin_file("", 6000); /* the header is still to come */
	assert_recalls(6000, "m,n", NULL);
	end();
}

/* An entry that a kill has cut off is none. */
static void test_header_cut_off(void **state)
{
	static const char *const sent[] = { NULL };
	int fd;
	off_t size;

	(void)state;
	place = "in.csv";
	begin("csv", NULL, sent, &turns);
	fd = rig.producers[0].heritage.spool_fds[0];
	begin_file("a,b", 0);
	size = lseek(fd, 0, SEEK_END);
	begin_file("x,y", 5);
	for (off_t cut = lseek(fd, 0, SEEK_END) - 1; cut > size + 16; cut--) {
		assert_int_equal(ftruncate(fd, cut), 0);
		assert_recalls(9, "m,n", NULL); /* a file has begun, and its header is not known */
		begin_file("x,y", 5);
		assert_recalls(9, "1,2", "{\"x\":\"1\",\"y\":\"2\"}");
	}
	assert_int_equal(ftruncate(fd, size), 0);
	assert_recalls(9, "1,2", "{\"a\":\"1\",\"b\":\"2\"}");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_msgpack),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_fail),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_beside_expires),
		cmocka_unit_test(test_bad_header),
		cmocka_unit_test(test_header_over_a_kill),
		cmocka_unit_test(test_header_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
