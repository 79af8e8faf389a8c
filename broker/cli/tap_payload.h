/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be made out of an item's bytes: a structured item is its value, and so is text that is a JSON object or array; any other text is
 * a string; the rest is bytes. Pure, but for memory that grows to the largest item.
 */
#pragma once

#include <stdbool.h>

#include "common/base/text.h"
#include "common/record/redact.h"

enum tap_form {
	TAP_FORM_JSON,     /* `shown` is JSON */
	TAP_FORM_TEXT,     /* ... valid UTF-8, with anything in it */
	TAP_FORM_BYTES,    /* ... bytes */
	TAP_FORM_WITHHELD, /* redaction is wanted, and there is no telling where: nothing is shown */
	TAP_FORM_GONE,     /* the bytes were not to be had: nothing is shown */
	TAP_FORM_COUNT
};
/* "json", "text", "bytes", "withheld", "gone". */
const char *tap_form_name(enum tap_form form);

struct tap_payload {
	const void *bytes; /* as they came; borrowed */
	size_t size_bytes;
	const void *value; /* one msgpack value, in `bytes` or in the scratch; NULL: it is none */
	size_t value_bytes;
	enum tap_form form;
	const void *shown; /* in `bytes` or in the scratch */
	size_t shown_bytes;
	struct record_scratch decoded, json, redacted, names; /* owned */
};
#define TAP_PAYLOAD_NULL \
	{                \
		0        \
	}
void tap_payload_deinit(struct tap_payload *payload);

/* Takes an item's bytes, which must stay, and looks what they are: bytes, value. */
void tap_payload_read(struct tap_payload *payload, const void *bytes, size_t size_bytes);
/* What of it may be seen: form, shown. redact: NULL or without paths: all. */
void tap_payload_show(struct tap_payload *payload, const struct redact *redact);
