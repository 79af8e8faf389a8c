/* SPDX-License-Identifier: Apache-2.0 */
/* The size of what one item may become is bounded by what the lanes could ever take of it, and so is the memory for it. */
#include "worker/script/results.h"

#include <string.h>

#include "common/record/json.h"
#include "common/record/value.h"

#define LANES_MAX 64u /* to as many workers; half of each is the largest item */

static enum results_emits emits_of(const char *word)
{
	if (!word || strcmp(word, "same") == 0)
		return RESULTS_SAME;
	return strcmp(word, "text") == 0 ? RESULTS_TEXT : RESULTS_STRUCTURED;
}

void results_init(struct results *results, const struct weir_context *context)
{
	*results = (struct results){ .form = weir_form(context),
				     .emits = emits_of(weir_option_string(context, "emits")),
				     .output = WEIR_ALL_OUTPUTS,
				     .size_max = weir_item_size_max(context) * 2 * LANES_MAX };
	msgpack_sbuffer_init(&results->values);
}

void results_deinit(struct results *results)
{
	msgpack_sbuffer_destroy(&results->values);
	record_scratch_deinit(&results->text);
}

static bool is_whole(const struct weir_item *item)
{
	struct value_reader reader;

	value_reader_init(&reader, item->data, item->size_bytes);
	return value_skip(&reader) == 0 && reader.next == reader.end;
}

bool results_item_is_structured(const struct results *results, const struct weir_item *item)
{
	unsigned char first = item->size_bytes ? *(const unsigned char *)item->data : 0;

	if (results->form != WEIR_FORM_UNKNOWN)
		return results->form == WEIR_FORM_STRUCTURED;
	return ((first >= 0x80 && first < 0xa0) || (first >= 0xdc && first < 0xe0)) && is_whole(item);
}

bool results_are_text(const struct results *results, bool structured)
{
	return results->emits == RESULTS_TEXT || (results->emits == RESULTS_SAME && !structured);
}

void results_clear(struct results *results)
{
	msgpack_sbuffer_clear(&results->values);
}

bool results_are_too_many(const struct results *results)
{
	return results->values.size > results->size_max;
}

static int refuse_size(struct weir_context *context)
{
	weir_reject(context, "what it becomes does not fit a lane: give the stage behind this one a larger lane:");
	return WEIR_REJECTED;
}

static int emit_text(struct results *results, struct weir_context *context, const unsigned char *at, size_t size_bytes)
{
	struct value_reader reader;
	struct record_fault fault;
	struct value value;
	size_t text_bytes;
	char *text;

	value_reader_init(&reader, at, size_bytes);
	if (value_next(&reader, &value) == 0 && value.type == VALUE_STRING)
		return weir_emit(context, results->output, value.data, value.n);
	text = record_scratch_get(&results->text, json_encode_bound(size_bytes));
	if (json_encode(at, size_bytes, text, &text_bytes, &fault) == 0)
		return weir_emit(context, results->output, text, text_bytes);
	weir_reject(context, "what it becomes can't be written as text: %s", fault.why);
	return WEIR_REJECTED;
}

int results_emit(struct results *results, struct weir_context *context, bool structured)
{
	bool as_text = results_are_text(results, structured);
	struct value_reader reader;
	int r = 0;

	results->unfit = results_are_too_many(results);
	if (results->unfit)
		return refuse_size(context);
	value_reader_init(&reader, results->values.data, results->values.size);
	while (r == 0 && reader.next < reader.end) {
		const unsigned char *begin = reader.next;

		(void)value_skip(&reader); /* it was written here */
		r = as_text ? emit_text(results, context, begin, (size_t)(reader.next - begin)) :
			      weir_emit(context, results->output, begin, (size_t)(reader.next - begin));
	}
	results->unfit = r == WEIR_TOO_LARGE;
	return results->unfit ? refuse_size(context) : r;
}
