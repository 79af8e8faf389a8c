/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the item that has travelled to the text that a sink writes.
 *
 *      msgpack, in the lane  --encode_process-->  text, in memory of this process  -->  process() of the sink
 *                                 |
 *                                 v
 *                 bad: WEIR_REJECTED with the reason, as any sink may say; the letter holds the item as it came
 *
 * It stands between the runtime and the sink's process(), so the turn, letters that are given again and a sink that is a plugin all meet it
 * in one place. The names of CSV's columns go before the first item that this seat has delivered: whether there was one stands in
 * the ledger, and so it is known after a kill, too.
 */
#include "worker/encode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/must.h"
#include "common/record/csv.h"
#include "common/record/json.h"
#include "common/record/msgpack_format.h"
#include "common/record/text_format.h"
#include "worker/record_option.h"

struct encode {
	enum record_format format;
	bool fails;      /* at a bad item; else it is refused */
	bool header_due; /* csv */
	char separator;
	struct csv_names names;
	struct record_scratch text;
	struct record_scratch text_again; /* of an item that was put aside */
	struct weir_item again;
	int (*process)(struct weir_context *context, void *state, const struct weir_item *item); /* the sink's */
};

static size_t bound(const struct encode *encode, size_t size_bytes)
{
	if (encode->format == RECORD_CSV)
		return csv_encode_bound(&encode->names, size_bytes) + encode->names.size_bytes * 2 +
		       encode->names.n * 3 + 1;
	return json_encode_bound(size_bytes);
}

/* A line for the names, and the record behind it. */
static int write_csv(struct encode *encode, const struct weir_item *item, char *room, size_t *ret_size,
		     struct record_fault *fault)
{
	size_t head = 0;
	int r;

	if (encode->header_due) {
		head = csv_encode_names(&encode->names, encode->separator, room);
		room[head++] = '\n';
	}
	r = csv_encode(&encode->names, encode->separator, item->data, item->size_bytes, room + head, ret_size, fault);
	*ret_size += head;
	return r;
}

static int convert(struct encode *encode, struct record_scratch *text, const struct weir_item *item,
		   struct weir_item *ret, struct record_fault *fault)
{
	char *room;

	*ret = *item;
	if (encode->format == RECORD_MSGPACK)
		return msgpack_format_check(item->data, item->size_bytes, fault);
	room = record_scratch_get(text, bound(encode, item->size_bytes));
	ret->data = room;
	if (encode->format == RECORD_CSV)
		return write_csv(encode, item, room, &ret->size_bytes, fault);
	if (encode->format == RECORD_TEXT)
		return text_format_encode(item->data, item->size_bytes, room, &ret->size_bytes, fault);
	return json_encode(item->data, item->size_bytes, room, &ret->size_bytes, fault);
}

static int encode_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct encode *encode = worker_of(context)->encode;
	struct record_fault fault;
	struct weir_item text;
	int r = convert(encode, &encode->text, item, &text, &fault);

	if (r != 0 && encode->fails) {
		weir_fail(context, "item %llu can't be written: %s (encode: {bad: fail})",
			  (unsigned long long)item->sequence, fault.why);
		return WEIR_FAILED;
	}
	if (r != 0) {
		weir_reject(context, "it can't be written: %s", fault.why);
		return WEIR_REJECTED;
	}
	r = encode->process(context, state, &text);
	encode->header_due = encode->header_due && r != WEIR_OK && r != WEIR_HELD && r != WEIR_MORE;
	return r;
}

const struct weir_item *encode_again(struct worker *worker, const struct weir_item *item)
{
	struct encode *encode = worker->encode;
	struct record_fault fault;

	must(convert(encode, &encode->text_again, item, &encode->again, &fault) == 0); /* it was put aside as text */
	return &encode->again;
}

static bool has_none_delivered(const struct worker *worker)
{
	return !worker->cursor.ledger[LEDGER_DELIVERED] && !worker->cursor.ledger[LEDGER_HELD];
}

int encode_attach(struct worker *worker, struct text *why)
{
	const char *format = weir_option_string(&worker->context, "encode");
	const char *bad = weir_option_string(&worker->context, "encode.bad");
	struct encode *encode;

	if (!format || record_option_format(format) == RECORD_RAW)
		return 0;
	if (!worker->stage.process) {
		text_add(
			why,
			"encode is for sinks that are given their items one by one, and this one has a run() of its own: let "
			"it encode them itself");
		return error_origin(-EINVAL);
	}
	encode = calloc(1, sizeof(*encode));
	must(encode);
	worker->encode = encode;
	encode->format = record_option_format(format);
	encode->fails = bad && !strcmp(bad, "fail");
	encode->separator = record_option_separator(&worker->context, "encode.separator");
	(void)record_option_columns(&worker->context, "encode.columns", &encode->names);
	encode->header_due = encode->format == RECORD_CSV && has_none_delivered(worker) &&
			     worker->heritage.in_flight <= 1 && /* nobody knows then which one is the first */
			     weir_option_integer(&worker->context, "encode.header") != 0;
	encode->process = worker->stage.process;
	worker->stage.process = encode_process;
	return 0;
}

void encode_detach(struct worker *worker)
{
	if (!worker->encode)
		return;
	csv_names_deinit(&worker->encode->names);
	record_scratch_deinit(&worker->encode->text);
	record_scratch_deinit(&worker->encode->text_again);
	free(worker->encode);
	worker->encode = NULL;
}

bool encode_ends_lines(const struct weir_context *context)
{
	const struct encode *encode = worker_of(context)->encode;

	return !encode || encode->format != RECORD_MSGPACK;
}
