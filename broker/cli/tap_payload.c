/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Redaction fails closed: where a path can't be followed, because an item is no structure or can't be read to its end, nothing of it is
 * shown. Who asks for `.card.number` to be hidden does not want to see it in a line of text.
 */
#include "broker/cli/tap_payload.h"

#include <string.h>

#include "common/record/entry.h"
#include "common/record/json.h"

const char *tap_form_name(enum tap_form form)
{
	static const char *const names[TAP_FORM_COUNT] = { "json", "text", "bytes", "withheld", "gone" };

	return names[form];
}

void tap_payload_deinit(struct tap_payload *payload)
{
	record_scratch_deinit(&payload->decoded);
	record_scratch_deinit(&payload->json);
	record_scratch_deinit(&payload->redacted);
	record_scratch_deinit(&payload->names);
}

static bool begins_like_json(const char *bytes, size_t size_bytes)
{
	size_t i = 0;

	while (i < size_bytes && memchr(" \t\r\n", bytes[i], 4))
		i++;
	return i < size_bytes && (bytes[i] == '{' || bytes[i] == '[');
}

static void read_json(struct tap_payload *payload)
{
	struct record_fault fault;
	void *room;

	if (payload->size_bytes > RECORD_SIZE_MAX || !begins_like_json(payload->bytes, payload->size_bytes))
		return;
	room = record_scratch_get(&payload->decoded, json_decode_bound(payload->size_bytes));
	if (json_decode(&payload->names, payload->bytes, payload->size_bytes, room, &payload->value_bytes, &fault) == 0)
		payload->value = room;
}

void tap_payload_read(struct tap_payload *payload, const void *bytes, size_t size_bytes)
{
	payload->bytes = bytes;
	payload->size_bytes = size_bytes;
	payload->value = NULL;
	if (entry_is_structured(bytes, size_bytes)) {
		payload->value = bytes;
		payload->value_bytes = size_bytes;
	} else {
		read_json(payload);
	}
}

/* Returns false: it can't be followed to its end. */
static bool hide(struct tap_payload *payload, const struct redact *redact)
{
	struct record_fault fault;
	void *room;

	if (!payload->value)
		return false;
	room = record_scratch_get(&payload->redacted, redact_bound(payload->value_bytes));
	if (redact_write(redact, payload->value, payload->value_bytes, room, &payload->value_bytes, &fault) != 0)
		return false;
	payload->value = room;
	return true;
}

static bool show_json(struct tap_payload *payload)
{
	struct record_fault fault;
	char *room;

	if (!payload->value || payload->value_bytes > RECORD_SIZE_MAX)
		return false;
	room = record_scratch_get(&payload->json, json_encode_bound(payload->value_bytes));
	payload->shown = room;
	return json_encode(payload->value, payload->value_bytes, room, &payload->shown_bytes, &fault) == 0;
}

void tap_payload_show(struct tap_payload *payload, const struct redact *redact)
{
	bool redacted = redact && redact->n_paths;

	payload->form = TAP_FORM_WITHHELD;
	payload->shown = "";
	payload->shown_bytes = 0;
	if (redacted && !hide(payload, redact))
		return;
	if (show_json(payload)) {
		payload->form = TAP_FORM_JSON;
		return;
	}
	payload->form = redacted || !text_is_utf8(payload->bytes, payload->size_bytes) ? TAP_FORM_BYTES : TAP_FORM_TEXT;
	payload->shown = redacted ? payload->value : payload->bytes;
	payload->shown_bytes = redacted ? payload->value_bytes : payload->size_bytes;
}
