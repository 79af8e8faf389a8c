/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      | length, 4 bytes, big-endian | ["item", 7, <data>, {"left_ns": 480000000}] |
 *        '------ head ------'          '---------------- body: one msgpack value ----'
 *
 * Arrays grow at their end: whoever reads one passes over what it does not know there. What the program says is looked at to its last
 * byte before anything is made of it, so an answer is taken whole or not at all.
 */
#include "worker/exec/frame_message.h"

#include <errno.h>
#include <msgpack/pack.h>
#include <stdio.h>
#include <string.h>
#include <weir/baggage.h>

#include "common/base/must.h"
#include "common/base/text.h"
#include "common/record/msgpack_format.h"
#include "common/record/value.h"

#define HEAD_AND_FIELDS_BYTES 1024u /* more than a message takes beside names, data and baggage */
#define HEAD_OF_VALUE_BYTES 5u      /* of a string or of bytes, at most */

enum { TAKERS = 1, GIVERS = 2, EACH = TAKERS | GIVERS };

static const struct {
	const char *name;
	uint8_t who;
} kinds[FRAME_KINDS] = {
#define FRAME_IN(id_, who_, name_, fields_, summary_) { name_, who_ },
#include "worker/exec/frame_messages.def"
};

const char *frame_role_name(enum frame_role role)
{
	static const char *const names[] = { "operator", "sink", "source" };

	return names[role];
}

const char *frame_kind_name(enum frame_kind kind)
{
	return kinds[kind].name;
}

/* ---- writing ---- */

struct writer {
	struct buffer *to;
	size_t head; /* offset of the frame's head */
	msgpack_packer packer;
};

/* There is room: begin() has made it. */
static int append(void *data, const char *bytes, size_t n)
{
	struct buffer *to = data;

	must(to->capacity - to->length >= n);
	if (n)
		memcpy(to->data + to->length, bytes, n);
	to->length += n;
	return 0;
}

static int begin(struct writer *writer, struct buffer *to, const char *name, uint32_t n_fields, size_t room_bytes)
{
	int r = buffer_reserve(to, HEAD_AND_FIELDS_BYTES + room_bytes);

	if (r)
		return r;
	*writer = (struct writer){ .to = to, .head = to->length };
	to->length += FRAME_HEAD_BYTES;
	msgpack_packer_init(&writer->packer, to, append);
	msgpack_pack_array(&writer->packer, n_fields + 1);
	msgpack_pack_str_with_body(&writer->packer, name, strlen(name));
	return 0;
}

static void pack_text(struct writer *writer, const char *text)
{
	msgpack_pack_str_with_body(&writer->packer, text, strlen(text));
}

static void pack_pair(struct writer *writer, const char *name, uint64_t value)
{
	pack_text(writer, name);
	msgpack_pack_uint64(&writer->packer, value);
}

static int end(struct writer *writer)
{
	uint64_t length = writer->to->length - writer->head - FRAME_HEAD_BYTES;
	char *head = writer->to->data + writer->head;

	must(length <= UINT32_MAX);
	for (unsigned i = 0; i < FRAME_HEAD_BYTES; i++)
		head[i] = (char)(length >> (8 * (FRAME_HEAD_BYTES - 1 - i)));
	return 0;
}

int frame_write_hello(struct buffer *to, const struct frame_hello *hello)
{
	struct writer writer;
	int r = begin(&writer, to, "hello", 2, strlen(hello->stage) + hello->position_bytes);

	if (r)
		return r;
	msgpack_pack_uint32(&writer.packer, FRAME_VERSION);
	msgpack_pack_map(&writer.packer, 7 + (hello->position_bytes != 0));
	pack_text(&writer, "stage");
	pack_text(&writer, hello->stage);
	pack_text(&writer, "role");
	pack_text(&writer, frame_role_name(hello->role));
	pack_pair(&writer, "worker", hello->worker);
	pack_pair(&writer, "at_once", hello->at_once);
	pack_text(&writer, "items");
	pack_text(&writer, hello->values ? "values" : "bytes");
	pack_pair(&writer, "frame_max", hello->size_max_bytes);
	pack_pair(&writer, "output_max", hello->output_max_bytes);
	if (hello->position_bytes) {
		pack_text(&writer, "position");
		append(to, hello->position, hello->position_bytes);
	}
	return end(&writer);
}

/* How many of the keys the item has brought along, and the most that they take, names and values. A spec may name a key twice. */
static uint32_t count_pairs(const struct weir_context *context, const char *const *keys, size_t *ret_size_bytes)
{
	const void *value;
	size_t size_bytes;
	uint32_t n = 0;

	*ret_size_bytes = 0;
	for (; keys && *keys; keys++) {
		if (weir_baggage_get(context, *keys, &value, &size_bytes) != 0)
			continue;
		*ret_size_bytes += 2 * HEAD_OF_VALUE_BYTES + strlen(*keys) + size_bytes;
		n++;
	}
	return n;
}

static void pack_baggage(struct writer *writer, const struct weir_context *context, const char *const *keys, uint32_t n)
{
	const void *value;
	size_t size_bytes;

	pack_text(writer, "baggage");
	msgpack_pack_map(&writer->packer, n);
	for (; *keys; keys++) {
		if (weir_baggage_get(context, *keys, &value, &size_bytes) != 0)
			continue;
		pack_text(writer, *keys);
		msgpack_pack_bin_with_body(&writer->packer, value, size_bytes);
	}
}

int frame_write_item(struct buffer *to, const struct weir_context *context, const struct frame_item *item, bool values)
{
	size_t pairs_bytes;
	uint32_t n_pairs = count_pairs(context, item->keys, &pairs_bytes);
	bool has_deadline = item->left_ns != UINT64_MAX;
	struct writer writer;
	int r = begin(&writer, to, "item", 3, item->size_bytes + pairs_bytes);

	if (r)
		return r;
	msgpack_pack_uint64(&writer.packer, item->id);
	if (values)
		append(to, item->data, item->size_bytes);
	else
		msgpack_pack_bin_with_body(&writer.packer, item->data, item->size_bytes);
	msgpack_pack_map(&writer.packer, (size_t)has_deadline + (item->attempt != 0) + (item->identity != NULL) +
						 (item->scope != 0) + (n_pairs != 0));
	if (has_deadline)
		pack_pair(&writer, "left_ns", item->left_ns);
	if (item->attempt)
		pack_pair(&writer, "attempt", item->attempt);
	if (item->identity) {
		pack_text(&writer, "identity");
		pack_text(&writer, item->identity);
	}
	if (item->scope)
		pack_pair(&writer, "scope", item->scope);
	if (n_pairs)
		pack_baggage(&writer, context, item->keys, n_pairs);
	return end(&writer);
}

int frame_write_cancel(struct buffer *to, uint64_t id, enum weir_cause cause)
{
	struct writer writer;
	int r = begin(&writer, to, "cancel", 2, 0);

	if (r)
		return r;
	msgpack_pack_uint64(&writer.packer, id);
	pack_text(&writer, weir_cause_name(cause));
	return end(&writer);
}

int frame_write_cancel_all(struct buffer *to, enum weir_cause cause)
{
	struct writer writer;
	int r = begin(&writer, to, "cancel", 2, 0);

	if (r)
		return r;
	msgpack_pack_nil(&writer.packer);
	pack_text(&writer, weir_cause_name(cause));
	return end(&writer);
}

static int write_name(struct buffer *to, const char *name)
{
	struct writer writer;
	int r = begin(&writer, to, name, 0, 0);

	return r ? r : end(&writer);
}

int frame_write_end(struct buffer *to)
{
	return write_name(to, "end");
}

int frame_write_drain(struct buffer *to, bool drains)
{
	return write_name(to, drains ? "drain" : "resume");
}

int frame_write_accepted(struct buffer *to, const uint64_t *ids, uint32_t n)
{
	struct writer writer;
	int r = begin(&writer, to, "accepted", 1, (size_t)n * (1 + sizeof(*ids)));

	if (r)
		return r;
	msgpack_pack_array(&writer.packer, n);
	for (uint32_t i = 0; i < n; i++)
		msgpack_pack_uint64(&writer.packer, ids[i]);
	return end(&writer);
}

int frame_write_refused(struct buffer *to, uint64_t id, const char *reason)
{
	struct writer writer;
	int r = begin(&writer, to, "refused", 2, strlen(reason));

	if (r)
		return r;
	msgpack_pack_uint64(&writer.packer, id);
	pack_text(&writer, reason);
	return end(&writer);
}

/* ---- reading ---- */

static int bad(struct record_fault *fault, const char *why)
{
	record_fault(fault, "%s", why);
	return FRAME_E_BAD;
}

int frame_find(const void *data, size_t n, uint64_t size_max_bytes, size_t *ret_frame_bytes, struct record_fault *fault)
{
	const unsigned char *head = data;
	uint64_t length = 0;

	if (n < FRAME_HEAD_BYTES)
		return FRAME_E_MORE;
	for (unsigned i = 0; i < FRAME_HEAD_BYTES; i++)
		length = length << 8 | head[i];
	if (!length)
		return bad(fault, "a frame of no bytes");
	if (length > size_max_bytes) {
		record_fault(fault, "a frame of %llu bytes, where %llu is the most", (unsigned long long)length,
			     (unsigned long long)size_max_bytes);
		return FRAME_E_BAD;
	}
	if (n - FRAME_HEAD_BYTES < length)
		return FRAME_E_MORE;
	*ret_frame_bytes = (size_t)length + FRAME_HEAD_BYTES;
	return 0;
}

static int take(struct value_reader *reader, enum value_type type, struct value *ret)
{
	return value_next(reader, ret) == 0 && ret->type == type ? 0 : FRAME_E_BAD;
}

static int read_kind(struct value_reader *reader, enum frame_role role, struct frame_message *message,
		     struct record_fault *fault)
{
	uint8_t who = role == FRAME_SOURCE ? GIVERS : TAKERS, of_whom = 0;
	struct value name;

	if (take(reader, VALUE_STRING, &name) != 0)
		return bad(fault, "a message begins with its name, a string");
	for (unsigned i = 0; i < FRAME_KINDS; i++) {
		if (name.n != strlen(kinds[i].name) || memcmp(name.data, kinds[i].name, name.n) != 0)
			continue;
		of_whom |= kinds[i].who;
		if (kinds[i].who & who) {
			message->kind = (enum frame_kind)i;
			return 0;
		}
	}
	record_fault(fault, "a message '%.*s', which is none that %s sends", name.n < 20 ? (int)name.n : 20,
		     text_is_utf8(name.data, name.n) ? name.data : "?",
		     !of_whom             ? "a program" :
		     role == FRAME_SOURCE ? "a source" :
		     role == FRAME_SINK   ? "a sink" :
					    "an operator");
	return FRAME_E_BAD;
}

/* One output, or an item's data (number 0): stays where it is. */
static int check_data(struct value_reader *reader, bool values, uint32_t number, struct record_fault *fault)
{
	const unsigned char *from = reader->next;
	char what[40] = "the data of an item";
	struct record_fault inner;
	struct value value;

	if (number)
		snprintf(what, sizeof(what), "output %u of an answer", number);
	if (value_skip(reader) != 0) {
		record_fault(fault, "%s is cut off, or no msgpack", what);
		return FRAME_E_BAD;
	}
	if (values && msgpack_format_check(from, (size_t)(reader->next - from), &inner) != 0) {
		record_fault(fault, "%s: %.100s", what, inner.why);
		return FRAME_E_BAD;
	}
	if (!values) {
		struct value_reader again = { from, reader->next };

		if (value_next(&again, &value) != 0 || (value.type != VALUE_BINARY && value.type != VALUE_STRING)) {
			record_fault(fault, "%s is neither bytes nor a string, and the stage has items: bytes", what);
			return FRAME_E_BAD;
		}
	}
	return 0;
}

static int read_outputs(struct value_reader *reader, bool values, struct frame_message *message,
			struct record_fault *fault)
{
	struct value outputs;

	if (take(reader, VALUE_ARRAY, &outputs) != 0)
		return bad(fault, "an answer has an array of outputs behind its id");
	message->n_outputs = outputs.n;
	message->outputs = reader->next;
	for (uint32_t i = 1; i <= outputs.n; i++) {
		int r = check_data(reader, values, i, fault);

		if (r)
			return r;
	}
	message->end = reader->next;
	return 0;
}

static int read_text(struct value_reader *reader, struct frame_message *message, struct record_fault *fault)
{
	struct value text;

	if (take(reader, VALUE_STRING, &text) != 0 || !text_is_utf8(text.data, text.n))
		return bad(fault, "a reason is a string in UTF-8, behind the id");
	message->text = text.data;
	message->text_bytes = text.n;
	return 0;
}

static bool is_key(const struct value *name)
{
	return name->n && name->n <= WEIR_BAGGAGE_KEY_MAX && text_is_utf8(name->data, name->n) &&
	       !memchr(name->data, '\0', name->n);
}

static int read_baggage(struct value_reader *reader, struct frame_message *message, struct record_fault *fault)
{
	struct value map, name, value;

	if (take(reader, VALUE_MAP, &map) != 0)
		return bad(fault, "the baggage of an item is a map");
	message->pairs = reader->next;
	message->n_pairs = map.n;
	for (uint32_t i = 0; i < map.n; i++) {
		if (take(reader, VALUE_STRING, &name) != 0 || !is_key(&name))
			return bad(fault, "a key of an item's baggage is a string of 1 to 64 bytes, in UTF-8");
		if (value_next(reader, &value) != 0 || (value.type != VALUE_BINARY && value.type != VALUE_STRING))
			return bad(fault, "what an item's baggage holds is bytes, or a string");
	}
	message->pairs_end = reader->next;
	return 0;
}

static int read_left(struct value_reader *reader, struct frame_message *message, struct record_fault *fault)
{
	struct value number;

	if (take(reader, VALUE_UNSIGNED, &number) != 0)
		return bad(fault, "left_ns of an item is a number from 0 up");
	message->left_ns = number.number;
	return 0;
}

static int read_position(struct value_reader *reader, struct frame_message *message, struct record_fault *fault)
{
	const unsigned char *from = reader->next;

	if (value_skip(reader) != 0)
		return bad(fault, "the map behind an item's data is cut off, or no msgpack");
	message->position = from;
	message->position_bytes = (size_t)(reader->next - from);
	return 0;
}

static bool is_name(const struct value *name, const char *text)
{
	return name->n == strlen(text) && memcmp(name->data, text, name->n) == 0;
}

/* What the map behind an item's data says of it; what is not known is passed over. */
static int read_about(struct value_reader *reader, struct frame_message *message, struct record_fault *fault)
{
	struct value map, name;

	if (take(reader, VALUE_MAP, &map) != 0)
		return bad(fault, "an item has a map behind its data, or nothing");
	for (uint32_t i = 0; i < map.n; i++) {
		int r = 0;

		if (take(reader, VALUE_STRING, &name) != 0)
			return bad(fault, "the map behind an item's data has strings as its keys");
		if (is_name(&name, "position"))
			r = read_position(reader, message, fault);
		else if (is_name(&name, "baggage"))
			r = read_baggage(reader, message, fault);
		else if (is_name(&name, "left_ns"))
			r = read_left(reader, message, fault);
		else if (value_skip(reader) != 0)
			r = bad(fault, "the map behind an item's data is cut off, or no msgpack");
		if (r)
			return r;
	}
	return 0;
}

/* Returns as read_fields(): n of them stand behind the id. */
static int read_given(struct value_reader *reader, uint32_t n, bool values, struct frame_message *message,
		      struct record_fault *fault)
{
	const unsigned char *from = reader->next;
	int r = check_data(reader, values, 0, fault);

	if (r)
		return -r;
	message->outputs = from;
	message->end = reader->next;
	frame_next_output(message, values, &message->data, &message->data_bytes);
	if (n == 1)
		return 2;
	return read_about(reader, message, fault) ? -FRAME_E_BAD : 3;
}

/* Returns how many fields it has taken, FRAME_E_* below 0. */
static int read_fields(struct value_reader *reader, uint32_t n, bool values, struct frame_message *message,
		       struct record_fault *fault)
{
	struct value number;

	if (message->kind == FRAME_BYE || message->kind == FRAME_OVER)
		return 0;
	if (!n || take(reader, VALUE_UNSIGNED, &number) != 0)
		return -bad(fault, message->kind == FRAME_READY ? "ready has the version behind its name, a number" :
								  "an id stands behind the name, a number");
	message->id = message->version = number.number;
	if (message->kind == FRAME_CANCELLED || message->kind == FRAME_DONE || (message->kind == FRAME_READY && n == 1))
		return 1;
	if (n == 1)
		return -bad(fault, "a field is missing behind the id");
	if (message->kind == FRAME_ANSWER)
		return read_outputs(reader, values, message, fault) ? -FRAME_E_BAD : 2;
	if (message->kind == FRAME_GIVEN)
		return read_given(reader, n - 1, values, message, fault);
	if (message->kind != FRAME_READY)
		return read_text(reader, message, fault) ? -FRAME_E_BAD : 2;
	if (take(reader, VALUE_UNSIGNED, &number) != 0 || !number.number)
		return -bad(fault, "ready says how many items at once: a number from 1 up");
	message->at_once = number.number;
	return 2;
}

int frame_read(const void *body, size_t size_bytes, enum frame_role role, bool values, struct frame_message *ret,
	       struct record_fault *fault)
{
	struct frame_message message = { .left_ns = UINT64_MAX };
	struct value_reader reader;
	struct value array;
	int r, n;

	value_reader_init(&reader, body, size_bytes);
	if (take(&reader, VALUE_ARRAY, &array) != 0 || !array.n)
		return bad(fault, "a message is an array that begins with its name");
	r = read_kind(&reader, role, &message, fault);
	if (r)
		return r;
	n = read_fields(&reader, array.n - 1, values, &message, fault);
	if (n < 0)
		return -n;
	for (uint32_t i = (uint32_t)n + 1; i < array.n; i++)
		if (value_skip(&reader) != 0)
			return bad(fault, "it is cut off, or no msgpack");
	if (reader.next != reader.end)
		return bad(fault, "bytes lie behind the message in its frame");
	*ret = message;
	return 0;
}

void frame_next_output(struct frame_message *message, bool values, const void **ret_data, size_t *ret_size_bytes)
{
	struct value_reader reader = { message->outputs, message->end };
	struct value value;

	if (values) {
		must(value_skip(&reader) == 0);
		*ret_data = message->outputs;
		*ret_size_bytes = (size_t)(reader.next - message->outputs);
	} else {
		must(value_next(&reader, &value) == 0);
		*ret_data = value.data;
		*ret_size_bytes = value.n;
	}
	message->outputs = reader.next;
}

void frame_next_pair(struct frame_message *message, char *key, const void **ret_value, size_t *ret_size_bytes)
{
	struct value_reader reader = { message->pairs, message->pairs_end };
	struct value name, value;

	must(value_next(&reader, &name) == 0 && name.n <= WEIR_BAGGAGE_KEY_MAX);
	must(value_next(&reader, &value) == 0);
	memcpy(key, name.data, name.n);
	key[name.n] = '\0';
	*ret_value = value.data;
	*ret_size_bytes = value.n;
	message->pairs = reader.next;
}
