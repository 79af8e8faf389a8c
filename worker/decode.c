/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the text that a source emits to the item that travels.
 *
 *      {"id": 7}  --decode_begin-->  a record?  --decode_item-->  msgpack, in the lane itself if there is room for the worst case
 *                       |                             |
 *                       v                             v
 *                blank, a header:             bad: dead letter, dropped, or the end, as `bad` says;
 *                nothing is emitted           the source is told WEIR_REJECTED and goes on
 *
 * The source knows nothing of it: it emits text as it always did, and so every source can be told to decode, a plugin too. Where it says in
 * which line its record begins (weir_place), reasons say so, and line 1 begins a stream. A source has one worker, so what is
 * remembered from record to record (the names of CSV's columns) is remembered in one place; worker/header_log.c keeps it over a kill.
 */
#include "worker/decode.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/must.h"
#include "common/record/csv.h"
#include "common/record/cut.h"
#include "common/record/json.h"
#include "common/record/msgpack_format.h"
#include "common/record/text_format.h"
#include "worker/group.h"
#include "worker/header_log.h"
#include "worker/output.h"
#include "worker/record_option.h"
#include "worker/stamp.h"

enum decode_bad { DECODE_REJECT, DECODE_DROP, DECODE_FAIL };

struct decode {
	enum record_format format;
	enum decode_bad bad;
	char separator;
	bool has_header;   /* csv: each stream's first record names the columns ... */
	bool knows_names;  /* ... or would, if the spec did not */
	bool begins;       /* the record in hand is the first of a stream */
	bool any;          /* a record of this process has been seen */
	const char *place; /* of the record in hand; NULL: the source has not said */
	uint64_t line;
	struct csv_names names;
	enum header_kind header;
	char header_why[256];
	struct header_log log;
	struct record_scratch scratch, item,
		text;             /* of the format; for items not built in the lane; of weir_reserve() */
	uint32_t reserved_output; /* NO_LANE: none */
	size_t reserved_bytes;
};

/* ---- the header ---- */

static int take_names(struct decode *decode, const char *text, size_t size_bytes)
{
	struct record_fault fault;

	csv_names_deinit(&decode->names);
	if (csv_decode_names(decode->separator, text, size_bytes, &decode->names, &fault) == 0)
		return 0;
	snprintf(decode->header_why, sizeof(decode->header_why), "the header, %s:%" PRIu64 ", can't be used: %s",
		 decode->place ? decode->place : "record", decode->place ? decode->line : 1, fault.why);
	return RECORD_E_BAD;
}

/* What earlier generations have read. */
static int recall_header(struct worker *worker, struct text *why)
{
	struct decode *decode = worker->decode;
	int fd = worker->stage.n_spools < WEIR_SPOOLS_MAX ? worker->heritage.spool_fds[worker->stage.n_spools] : -1;
	size_t size = 0;
	char *text = NULL;
	int r = fd < 0 ? -EBADF :
			 header_log_open(&decode->log, fd, worker->cursor.ledger[LEDGER_ACCEPTED], &decode->header,
					 &text, &size);

	if (r < 0)
		text_printf(why, "cannot keep the header of its stream: %s", strerror(-r));
	else if (decode->header == HEADER_BAD)
		snprintf(decode->header_why, sizeof(decode->header_why), "%.*s", (int)size, text);
	else if (decode->header == HEADER_NAMES && !decode->knows_names)
		(void)take_names(decode, text, size);
	free(text);
	return r;
}

static int note_header(struct worker *worker, enum header_kind kind, const char *text, size_t size_bytes)
{
	struct decode *decode = worker->decode;
	int r;

	decode->header = kind;
	r = header_log_add(&decode->log, worker->cursor.ledger[LEDGER_ACCEPTED], kind, text, size_bytes);
	if (r == 0)
		return DECODE_E_NONE;
	snprintf(worker->reason, sizeof(worker->reason), "cannot keep the header of its stream: %s", strerror(-r));
	return WEIR_FAILED;
}

static int take_header(struct worker *worker, const char *text, size_t size_bytes)
{
	struct decode *decode = worker->decode;

	if (decode->knows_names || take_names(decode, text, size_bytes) == 0)
		return note_header(worker, HEADER_NAMES, text, size_bytes);
	weir_log(WEIR_LOG_WARNING, "%s; each of its records is bad", decode->header_why);
	return note_header(worker, HEADER_BAD, decode->header_why, strlen(decode->header_why));
}

/* ---- attaching ---- */

int decode_attach(struct worker *worker, struct text *why)
{
	const char *format = weir_option_string(&worker->context, "decode");
	const char *bad = weir_option_string(&worker->context, "decode.bad");
	struct decode *decode;

	if (!format || record_option_format(format) == RECORD_RAW)
		return 0;
	decode = calloc(1, sizeof(*decode));
	must(decode);
	worker->decode = decode;
	decode->format = record_option_format(format);
	decode->bad = bad && !strcmp(bad, "drop") ? DECODE_DROP :
		      bad && !strcmp(bad, "fail") ? DECODE_FAIL :
						    DECODE_REJECT;
	decode->reserved_output = NO_LANE;
	decode->separator = record_option_separator(&worker->context, "decode.separator");
	worker->plain_output = false; /* what the stage writes is not what goes into the lane */
	if (decode->format != RECORD_CSV)
		return 0;
	decode->knows_names = record_option_columns(&worker->context, "decode.columns", &decode->names);
	decode->has_header = weir_option_integer(&worker->context, "decode.header") != 0;
	return decode->has_header ? recall_header(worker, why) : 0;
}

void decode_detach(struct worker *worker)
{
	struct decode *decode = worker->decode;

	if (!decode)
		return;
	csv_names_deinit(&decode->names);
	record_scratch_deinit(&decode->scratch);
	record_scratch_deinit(&decode->item);
	record_scratch_deinit(&decode->text);
	free(decode);
	worker->decode = NULL;
}

/* ---- a record ---- */

/* One that is filtered: as if it had been taken out of the lane again. */
static int drop(struct worker *worker)
{
	worker->cursor.ledger[LEDGER_ACCEPTED]++;
	worker->cursor.ledger[LEDGER_EMITTED]++;
	worker->cursor.ledger[LEDGER_TAKEN]++;
	worker->cursor.ledger[LEDGER_FILTERED]++;
	worker->step.n_complete++; /* else a loop that only drops would never commit */
	worker->changed = true;
	return worker->group.is_open ? DECODE_E_NONE :
				       WEIR_REJECTED; /* the others of a group are what is asked about */
}

static int refuse(struct worker *worker, const void *text, size_t size_bytes, const char *why)
{
	const struct decode *decode = worker->decode;
	char reason[512];

	if (decode->place)
		snprintf(reason, sizeof(reason), "%.200s:%" PRIu64 ": %s", decode->place, decode->line, why);
	else
		snprintf(reason, sizeof(reason), "record %" PRIu64 ": %s", worker->cursor.ledger[LEDGER_ACCEPTED] + 1,
			 why);
	if (decode->bad == DECODE_DROP)
		return drop(worker);
	if (decode->bad == DECODE_REJECT && worker->group.is_open)
		return group_refuse(worker, reason);
	if (decode->bad == DECODE_REJECT)
		return worker->context.host->accept_rejected(&worker->context, text, size_bytes, reason) == 0 ?
			       WEIR_REJECTED :
			       WEIR_FAILED;
	snprintf(worker->reason, sizeof(worker->reason), "%s (decode: {bad: fail})", reason);
	return WEIR_FAILED;
}

static bool is_blank(const char *text, size_t size_bytes)
{
	return !size_bytes || (size_bytes == 1 && *text == '\r');
}

int decode_begin(struct worker *worker, const void **text, size_t *size_bytes)
{
	struct decode *decode = worker->decode;
	bool begins = decode->place ? decode->line == 1 : !decode->any && !worker->cursor.ledger[LEDGER_ACCEPTED];
	int r;

	decode->begins = begins;
	if (begins && decode->has_header && decode->place) {
		r = note_header(worker, HEADER_DUE, NULL, 0);
		if (r != DECODE_E_NONE)
			return r;
	}
	if (begins && decode->format != RECORD_MSGPACK && *size_bytes >= RECORD_BOM_BYTES &&
	    memcmp(*text, RECORD_BOM, RECORD_BOM_BYTES) == 0) {
		*text = (const char *)*text + RECORD_BOM_BYTES;
		*size_bytes -= RECORD_BOM_BYTES;
	}
	if (decode->format == RECORD_TEXT)
		*size_bytes -= *size_bytes && ((const char *)*text)[*size_bytes - 1] == '\r';
	else if (decode->format == RECORD_CSV && is_blank(*text, *size_bytes))
		return DECODE_E_NONE;
	decode->any = true;
	if (!decode->has_header || decode->header == HEADER_NAMES)
		return 0;
	return decode->header == HEADER_DUE ? take_header(worker, *text, *size_bytes) :
					      refuse(worker, *text, *size_bytes, decode->header_why);
}

size_t decode_bound(const struct worker *worker, size_t size_bytes)
{
	const struct decode *decode = worker->decode;

	switch (decode->format) {
	case RECORD_JSON:
		return json_decode_bound(size_bytes);
	case RECORD_CSV:
		return csv_decode_bound(&decode->names, size_bytes);
	case RECORD_TEXT:
		return text_format_decode_bound(size_bytes);
	default:
		return size_bytes;
	}
}

static int convert(struct decode *decode, const void *text, size_t size_bytes, void *room, size_t *ret_size_bytes,
		   struct record_fault *fault)
{
	switch (decode->format) {
	case RECORD_JSON:
		return json_decode(&decode->scratch, text, size_bytes, room, ret_size_bytes, fault);
	case RECORD_CSV:
		return csv_decode(&decode->names, decode->separator, text, size_bytes, room, ret_size_bytes, fault);
	case RECORD_TEXT:
		return text_format_decode(text, size_bytes, room, ret_size_bytes, fault);
	default:
		memcpy(room, text, size_bytes);
		*ret_size_bytes = size_bytes;
		return msgpack_format_check(text, size_bytes, fault);
	}
}

int decode_item(struct worker *worker, const void *text, size_t size_bytes, void *room, const void **ret_item,
		size_t *ret_size_bytes)
{
	struct decode *decode = worker->decode;
	size_t size_max = output_payload_max(worker) - stamp_size(worker);
	struct record_fault fault;
	int r;

	if (!room)
		room = record_scratch_get(&decode->item, decode_bound(worker, size_bytes));
	r = convert(decode, text, size_bytes, room, ret_size_bytes, &fault);
	if (r == RECORD_E_EMPTY)
		return DECODE_E_NONE;
	if (r == 0 && *ret_size_bytes > size_max)
		r = record_fault(
			&fault,
			"its item has %zu bytes, and an item may have %zu; give the stage behind this one a larger `lane:`",
			*ret_size_bytes, size_max);
	*ret_item = room;
	return r == 0 ? 0 : refuse(worker, text, size_bytes, fault.why);
}

int decode_reserve(struct worker *worker, uint32_t output, size_t size_bytes, void **ret_text)
{
	struct decode *decode = worker->decode;

	if (size_bytes > RECORD_SIZE_MAX)
		return WEIR_TOO_LARGE;
	*ret_text = record_scratch_get(&decode->text, size_bytes);
	decode->reserved_output = output;
	decode->reserved_bytes = size_bytes;
	return WEIR_OK;
}

const void *decode_reserved(struct worker *worker, uint32_t output, size_t size_bytes)
{
	struct decode *decode = worker->decode;
	bool fits = output == decode->reserved_output && size_bytes <= decode->reserved_bytes;

	decode->reserved_output = NO_LANE;
	return fits ? decode->text.data : NULL;
}

/* ---- include/weir/record.h ---- */

static const struct decode *decode_of(const struct weir_context *context)
{
	return worker_of(context)->decode;
}

bool decode_is_wanted(const struct weir_context *context)
{
	return decode_of(context);
}

enum weir_cutting decode_cutting(const struct weir_context *context)
{
	const struct decode *decode = decode_of(context);

	return decode && decode->format == RECORD_CSV     ? WEIR_CUT_RECORDS :
	       decode && decode->format == RECORD_MSGPACK ? WEIR_CUT_VALUES :
							    WEIR_CUT_LINES;
}

int decode_cut(const struct weir_context *context, struct weir_cut *cut, const void *data, size_t size_bytes,
	       size_t *ret_record, size_t *ret_used)
{
	const struct decode *decode = decode_of(context);
	struct record_cut at = { cut->state[0], cut->state[1] };
	int r = record_cut(decode ? decode->format : RECORD_RAW, decode ? decode->separator : ',', &at, data,
			   size_bytes, ret_record, ret_used);

	*cut = (struct weir_cut){ { at.left, at.skip_bytes } };
	return r == 0 ? WEIR_OK : r == RECORD_CUT_E_MORE ? WEIR_MORE : WEIR_REJECTED;
}

void decode_cut_short(const struct weir_context *context, const void *data, size_t size_bytes, size_t *ret_record,
		      size_t *ret_used)
{
	const struct decode *decode = decode_of(context);

	record_cut_short(decode ? decode->format : RECORD_RAW, data, size_bytes, ret_record, ret_used);
}

void decode_place(struct weir_context *context, const char *name, uint64_t line)
{
	struct decode *decode = worker_of(context)->decode;

	if (!decode)
		return;
	decode->place = name;
	decode->line = line;
}
